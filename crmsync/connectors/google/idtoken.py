"""Verifying Google's identity tokens: signature, issuer, audience, expiry, nonce.

Serves the sign-in, the services' grants and the add-on (ADD-7): all three trust
nobody whose token this module has not accepted.
"""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from crmsync.connectors.transport import Answer, Call, Transport, plain_judge
from crmsync.errors import ProtocolBroken, UsageError
from crmsync.ports import Clock

ISSUERS = frozenset({"https://accounts.google.com", "accounts.google.com"})
CLOCK_SKEW_SECONDS = 10
_SHORTEST, _LONGEST = timedelta(minutes=5), timedelta(hours=24)
_MAX_AGE = re.compile(r"max-age=(\d+)")


class IdTokens:
    """Verifies identity tokens with Google's published keys, kept for a while."""

    def __init__(self, transport: Transport, certs_url: str, clock: Clock):
        """Prepare; keys are read when the first token comes.

        Args:
            transport: the process's transport.
            certs_url: serves a PEM map `{kid: certificate}` or a JWKS.
            clock: tells when kept keys are too old.
        """
        self._transport = transport
        self._url = certs_url
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: Mapping[str, str] = {}
        self._read_at: datetime | None = None
        self._good_until: datetime | None = None

    def verify(
        self,
        token: str,
        audiences: Collection[str],
        *,
        issuers: Collection[str] = ISSUERS,
        nonce: str | None = None,
    ) -> Mapping[str, Any]:
        """Return the claims of a token that may be believed.

        Args:
            token: the JWT.
            audiences: accepted values of `aud`.
            issuers: accepted values of `iss`.
            nonce: what the authorization request carried, if it carried one.

        Raises:
            UsageError: the token is forged, expired or meant for somebody else.
            Retryable: Google's keys can not be read just now.
        """
        import google.auth.exceptions
        import google.auth.jwt

        try:
            header = google.auth.jwt.decode_header(token)
            kid = str(header.get("kid", ""))
            if header.get("alg") != "RS256":
                raise UsageError("The identity token is not signed with RS256.")
            claims = google.auth.jwt.decode(
                token,
                certs=self._keys_with(kid),
                audience=list(audiences),
                clock_skew_in_seconds=CLOCK_SKEW_SECONDS,
            )
        except (google.auth.exceptions.GoogleAuthError, ValueError) as error:
            reason = str(error).split(",", maxsplit=1)[0].split(":")[0]
            raise UsageError(f"The identity token is refused: {reason}.") from None
        if claims.get("iss") not in issuers:
            raise UsageError("The identity token is refused: it is not Google's.")
        if nonce is not None and claims.get("nonce") != nonce:
            raise UsageError("The identity token is refused: the nonce differs.")
        if claims.get("email_verified", True) not in (True, "true"):
            raise UsageError(
                "The identity token is refused: its e-mail address is not verified.",
                next_step="Verify the address of your Google account and try again.",
            )
        return dict(claims)

    def _keys_with(self, kid: str) -> Mapping[str, str]:
        """Return the keys, read anew if they are old or do not know a key id."""
        with self._lock:
            now = self._clock.now()
            is_old = self._good_until is None or now >= self._good_until
            # Keys rotate: an unknown id is worth a look, but not at every request.
            is_recent = self._read_at is not None and now - self._read_at < _SHORTEST
            if is_old or (kid not in self._keys and not is_recent):
                self._read(now)
            return self._keys

    def _read(self, now: datetime) -> None:
        answer = self._transport.send(
            Call("GET", self._url, {"accept": "application/json"}, api="oauth"),
            plain_judge,
        )
        self._keys = parse_keys(answer.body)
        self._read_at = now
        self._good_until = now + _lifetime(answer)


def _lifetime(answer: Answer) -> timedelta:
    found = _MAX_AGE.search(answer.headers.get("cache-control", ""))
    seconds = timedelta(seconds=int(found[1])) if found else _SHORTEST
    return min(max(seconds, _SHORTEST), _LONGEST)


def parse_keys(body: bytes) -> Mapping[str, str]:
    """Return PEM keys by key id, from a PEM map or a JWKS.

    Raises:
        ProtocolBroken: it is neither.
    """
    try:
        whole = orjson.loads(body)
        if isinstance(whole, dict) and isinstance(whole.get("keys"), list):
            return {
                str(key["kid"]): _pem(key)
                for key in whole["keys"]
                if key.get("kty") == "RSA"
            }
        if isinstance(whole, dict):
            return {str(kid): str(pem) for kid, pem in whole.items()}
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        pass
    raise ProtocolBroken("Google's signing keys can not be read.")


def _pem(key: Mapping[str, Any]) -> str:
    """Return one RSA key of a JWKS as PEM."""
    numbers = RSAPublicNumbers(_number(str(key["e"])), _number(str(key["n"])))
    public = numbers.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _number(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
