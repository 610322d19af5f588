"""Grants, codes and tokens (contract 3.2 to 3.7)."""

from __future__ import annotations

import secrets
import threading
from dataclasses import asdict, dataclass, replace
from typing import Any

from sandbox.clock import DAY, Clock
from sandbox.oauth.errors import TokenError, dead_token
from sandbox.store import Row, Store
from sandbox.switches import Switches

SIGN_IN = frozenset(
    {
        "openid",
        "https://www.googleapis.com/auth/userinfo.email",
        "https://www.googleapis.com/auth/userinfo.profile",
    }
)
_LONG = {
    "email": "https://www.googleapis.com/auth/userinfo.email",
    "profile": "https://www.googleapis.com/auth/userinfo.profile",
}
_UNUSED_DAYS = 182
_TESTING_DAYS = 7


def long_form(scopes: list[str]) -> list[str]:
    """`email` and `profile` in the form Google answers with (3.5)."""
    return list(dict.fromkeys(_LONG.get(scope, scope) for scope in scopes))


@dataclass(frozen=True, slots=True)
class Grant:
    """What a user has allowed a project, all clients together (3.2)."""

    account: str
    project: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Code:
    client: str
    account: str
    scopes: tuple[str, ...]
    redirect: str
    expires: float
    offline: bool
    challenge: str = ""
    challenge_method: str = ""
    nonce: str = ""
    used: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    """An access token or a refresh token; `n` is the order of issue."""

    client: str
    project: str
    account: str
    scopes: tuple[str, ...]
    issued: float
    expires: float
    n: int
    used: float = 0.0
    offline: bool = False


class Authority:
    """All that was granted; a lock guards it, the store keeps it."""

    def __init__(self, clock: Clock, store: Store, switches: Switches) -> None:
        self._clock = clock
        self._store = store
        self._switches = switches
        self._lock = threading.RLock()
        self._grants: dict[str, Grant] = {}
        self._codes: dict[str, Code] = {}
        self._access: dict[str, Token] = {}
        self._refresh: dict[str, Token] = {}
        self.subtypes: dict[str, str] = {}
        self._load()

    def _load(self) -> None:
        for _, key, doc in self._store.load("grant"):
            self._grants[key] = Grant(**{**doc, "scopes": tuple(doc["scopes"])})
        for _, key, doc in self._store.load("code"):
            self._codes[key] = Code(**{**doc, "scopes": tuple(doc["scopes"])})
        for kind, table in (("access", self._access), ("refresh", self._refresh)):
            for _, key, doc in self._store.load(kind):
                table[key] = Token(**{**doc, "scopes": tuple(doc["scopes"])})
        tokens = [*self._access.values(), *self._refresh.values()]
        self._n = max((t.n for t in tokens), default=0)

    # ------------------------------------------------------------ grants

    def granted(self, account: str, project: str) -> tuple[str, ...]:
        grant = self._grants.get(f"{project} {account}")
        return grant.scopes if grant else ()

    def grant(self, account: str, project: str, scopes: list[str]) -> Grant:
        """Add scopes to what the user has allowed the project."""
        with self._lock:
            merged = dict.fromkeys([*self.granted(account, project), *scopes])
            grant = Grant(account, project, tuple(merged))
            self._put("grant", f"{project} {account}", grant)
            self._grants[f"{project} {account}"] = grant
            return grant

    def grants(self) -> list[dict[str, Any]]:
        return [asdict(grant) for grant in self._grants.values()]

    # ------------------------------------------------------------ codes

    def issue_code(self, code: Code) -> str:
        text = "4/0A" + secrets.token_urlsafe(48)
        with self._lock:
            self._put("code", text, code)
            self._codes[text] = code
        return text

    def use_code(self, text: str) -> Code | None:
        """The code, once; a second time it is gone (3.3)."""
        with self._lock:
            code = self._codes.get(text)
            if code is None or code.used or code.expires <= self._clock.now():
                return None
            used = replace(code, used=True)
            self._put("code", text, used)
            self._codes[text] = used
            return code

    # ------------------------------------------------------------ tokens

    def issue_access(
        self, client: str, project: str, account: str, scopes: tuple[str, ...]
    ) -> str:
        now = self._clock.now()
        life = self._switches.access_token_seconds
        text = "ya29.a0" + secrets.token_urlsafe(96)
        with self._lock:
            self._n += 1
            token = Token(client, project, account, scopes, now, now + life, self._n)
            self._forget_expired(now)
            self._put("access", text, token)
            self._access[text] = token
        return text

    def issue_refresh(
        self, client: str, project: str, account: str, scopes: tuple[str, ...]
    ) -> str:
        """A new refresh token; the oldest beyond the limit dies silently (3.6)."""
        now = self._clock.now()
        expires = 0.0
        if self._switches.oauth_testing and set(scopes) - SIGN_IN:
            expires = now + _TESTING_DAYS * DAY
        text = "1//0" + secrets.token_urlsafe(72)
        with self._lock:
            self._n += 1
            token = Token(
                client, project, account, scopes, now, expires, self._n, now, True
            )
            self._put("refresh", text, token)
            self._refresh[text] = token
            self._evict(client, account)
        return text

    def access(self, text: str) -> Token | None:
        """A live access token."""
        token = self._access.get(text)
        if token is None or token.expires <= self._clock.now():
            return None
        return token

    def refresh(self, text: str, client: str) -> Token:
        """A live refresh token of this client.

        Raises:
            TokenError: invalid_grant; it was revoked, evicted, or has expired.
        """
        with self._lock:
            token = self._refresh.get(text)
            if token is None or token.client != client:
                raise dead_token()
            subtype = self.subtypes.get(token.account)
            if subtype:
                raise TokenError(
                    "invalid_grant", "reauth related error", subtype=subtype
                )
            now = self._clock.now()
            if token.expires and token.expires <= now:
                raise dead_token()
            if now - token.used > _UNUSED_DAYS * DAY:
                raise dead_token()
            used = replace(token, used=now)
            self._refresh[text] = used
            self._put("refresh", text, used)
            return used

    # ------------------------------------------------------------ ends

    def revoke(self, text: str) -> bool:
        """Drop the whole grant the token belongs to (3.7)."""
        with self._lock:
            token = self._access.get(text) or self._refresh.get(text)
            if token is None or (not token.offline and self.access(text) is None):
                return False
            self.drop(token.account, token.project)
            return True

    def drop(self, account: str, project: str | None = None) -> int:
        """End the grants of an account; returns how many tokens died."""

        def belongs(token: Token) -> bool:
            return token.account == account and project in (None, token.project)

        with self._lock:
            rows: list[Row] = []
            for key, grant in list(self._grants.items()):
                if grant.account == account and project in (None, grant.project):
                    del self._grants[key]
                    rows.append(("grant", "", key, None))
            dead = self._drop_tokens(self._refresh, "refresh", belongs, rows)
            if not self._switches.revoked_access_tokens_live:
                dead += self._drop_tokens(self._access, "access", belongs, rows)
            self._store.put(rows)
            return dead

    def password_changed(self, account: str) -> int:
        """Refresh tokens with mail scopes die; access tokens run out (3.6)."""

        def dies(token: Token) -> bool:
            mail = any("gmail" in s or "mail.google.com" in s for s in token.scopes)
            return token.account == account and mail

        with self._lock:
            rows: list[Row] = []
            dead = self._drop_tokens(self._refresh, "refresh", dies, rows)
            self._store.put(rows)
            return dead

    def expire_access(self, account: str | None) -> int:
        """Let access tokens run out now, as an hour of waiting would."""
        with self._lock:
            rows: list[Row] = []
            dead = self._drop_tokens(
                self._access, "access", lambda t: account in (None, t.account), rows
            )
            self._store.put(rows)
            return dead

    def _drop_tokens(
        self, table: dict[str, Token], kind: str, dies: Any, rows: list[Row]
    ) -> int:
        dead = [text for text, token in table.items() if dies(token)]
        for text in dead:
            del table[text]
            rows.append((kind, "", text, None))
        return len(dead)

    def _evict(self, client: str, account: str) -> None:
        mine = [
            (token.n, text)
            for text, token in self._refresh.items()
            if token.client == client and token.account == account
        ]
        surplus = sorted(mine)[: -self._switches.refresh_tokens_per_account]
        for _, text in surplus:
            del self._refresh[text]
            self._store.put([("refresh", "", text, None)])

    def _forget_expired(self, now: float) -> None:
        if len(self._access) > 5_000:
            rows: list[Row] = []
            self._drop_tokens(self._access, "access", lambda t: t.expires <= now, rows)
            self._store.put(rows)

    def _put(self, kind: str, key: str, value: Grant | Code | Token) -> None:
        if self._store.persistent:
            self._store.put([(kind, "", key, asdict(value))])
