"""Grants, their encryption at rest, and where access tokens come from (AUTH-6)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from crmsync.errors import ConfigError, ReconnectNeeded, Retryable
from crmsync.ports import Clock

LEEWAY = timedelta(minutes=3, seconds=45)
"""How long before its expiry a token is renewed (as Google's own library does)."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a user granted, and the tokens for it; never logged.

    Attributes:
        access_token: opens the APIs until `expires_at` (aware UTC).
        refresh_token: None if Google gave none and none is stored.
        scopes: what was really granted, in full spelling (AUTH-5).
        claims: of the verified ID token; empty after a refresh.
    """

    access_token: str = field(repr=False)
    expires_at: datetime
    refresh_token: str | None = field(default=None, repr=False)
    scopes: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def to_text(self) -> str:
        """Return the grant as JSON, to be encrypted and stored; without claims."""
        whole = {
            "access_token": self.access_token,
            "expires_at": self.expires_at.isoformat(),
            "refresh_token": self.refresh_token,
            "scopes": sorted(self.scopes),
        }
        return orjson.dumps(whole).decode()

    @classmethod
    def from_text(cls, text: str) -> Grant:
        """Read what `to_text` returned.

        Raises:
            ReconnectNeeded: it is no grant of ours.
        """
        try:
            whole = orjson.loads(text)
            return cls(
                whole["access_token"],
                datetime.fromisoformat(whole["expires_at"]),
                whole["refresh_token"],
                frozenset(whole["scopes"]),
            )
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise ReconnectNeeded("The stored authorisation is damaged.") from error

    def after_refresh(self, fresh: Grant) -> Grant:
        """Return the grant with a fresh token; what the answer left out is kept."""
        return replace(
            fresh,
            refresh_token=fresh.refresh_token or self.refresh_token,
            scopes=fresh.scopes or self.scopes,
            claims=fresh.claims or self.claims,
        )


class TokenCipher:
    """Encrypts secrets at rest: the first key encrypts, every key decrypts."""

    def __init__(self, keys: Sequence[str]):
        """Take the keys of `TOKEN_KEYS`.

        Raises:
            ConfigError: there is no key, or one is no Fernet key.
        """
        if not keys:
            raise ConfigError("TOKEN_KEYS names no key.")
        try:
            self._fernet = MultiFernet([Fernet(key.strip()) for key in keys])
        except ValueError:
            raise ConfigError(
                "TOKEN_KEYS holds something that is no Fernet key (32 bytes, base64)."
            ) from None

    def encrypt(self, text: str) -> str:
        """Return a text encrypted with the first key."""
        return self._fernet.encrypt(text.encode()).decode()

    def decrypt(self, stored: str) -> str:
        """Return what was encrypted.

        Raises:
            ReconnectNeeded: no key of `TOKEN_KEYS` opens it.
        """
        try:
            return self._fernet.decrypt(stored.encode()).decode()
        except InvalidToken:
            raise _unreadable() from None

    def rotate(self, stored: str) -> str:
        """Return the same secret, encrypted anew with the first key.

        Raises:
            ReconnectNeeded: no key of `TOKEN_KEYS` opens it.
        """
        try:
            return self._fernet.rotate(stored.encode()).decode()
        except InvalidToken:
            raise _unreadable() from None


def _unreadable() -> ReconnectNeeded:
    return ReconnectNeeded(
        "The stored authorisation can not be read with the keys in TOKEN_KEYS.",
        next_step="Put the old key back into TOKEN_KEYS, or authorise the service "
        "again in Options.",
    )


class Refresher(Protocol):
    """What renews a grant: `oauth.OAuthClient`."""

    def refresh(self, grant: Grant) -> Grant:
        """Return the grant with a new access token.

        Raises:
            ReconnectNeeded: the grant is dead.
            Retryable: Google can not be asked just now.
        """
        ...


class GrantTokens:
    """The access tokens of one connection; renewed early, stored at once."""

    def __init__(
        self,
        grant: Grant,
        refresher: Refresher,
        *,
        store: Callable[[Grant], None],
        clock: Clock,
    ):
        """Hold a grant.

        Args:
            grant: as stored.
            refresher: renews it.
            store: keeps a renewed grant; called before the new token is used.
            clock: tells when the token expires.
        """
        self._grant = grant
        self._refresher = refresher
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()

    def token(self) -> str:
        """Return a token that is valid for minutes.

        While Google can not be asked, a token that has not expired yet still serves.

        Raises:
            ReconnectNeeded: the grant is dead.
            Retryable: the token has expired and can not be renewed just now.
        """
        with self._lock:
            left = self._grant.expires_at - self._clock.now()
            if left > LEEWAY:
                return self._grant.access_token
            try:
                self._renew()
            except Retryable:
                if left <= timedelta():
                    raise
            return self._grant.access_token

    def renewed(self, refused: str) -> str:
        """Return another token than the one that Google refused.

        Raises:
            ReconnectNeeded: the grant is dead.
            Retryable: it can not be renewed just now.
        """
        with self._lock:
            if self._grant.access_token == refused:
                self._renew()
            return self._grant.access_token

    def _renew(self) -> None:
        if not self._grant.refresh_token:
            raise ReconnectNeeded("Google's access token ended, with none to renew it.")
        self._grant = self._grant.after_refresh(self._refresher.refresh(self._grant))
        self._store(self._grant)
