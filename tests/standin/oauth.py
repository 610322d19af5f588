"""Sign-in: consent without a page, codes, tokens, ID tokens and their keys."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from tests.standin.basics import Clock, Json, Refusal

Form = Mapping[str, str]

ROOT = "https://www.googleapis.com/auth/"
LONG = {"email": ROOT + "userinfo.email", "profile": ROOT + "userinfo.profile"}
KEY_ID = "7f3a/second+key"
CODE_LIFE = 300.0
ID_TOKEN_LIFE = 3600


class TokenRefusal(Exception):
    """The answer of the token endpoint when it gives nothing."""

    def __init__(self, error: str, description: str = "", code: int = 400) -> None:
        super().__init__(error)
        self.code = code
        self.body: Json = {"error": error}
        if description:
            self.body["error_description"] = description


class PageRefusal(Exception):
    """An authorization request that gets a page of words, not a redirect."""


@dataclass
class Code:
    account: str
    client: str
    redirect_uri: str
    scopes: frozenset[str]
    nonce: str
    challenge: str
    method: str
    offline: bool
    born: float


@dataclass
class Refresh:
    account: str
    client: str
    scopes: frozenset[str]


@dataclass
class Access:
    account: str
    client: str
    scopes: frozenset[str]
    until: float


def plain64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@functools.cache
def signing_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@functools.cache
def certificate() -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sign-in")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(signing_key().public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=9))
        .sign(signing_key(), hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM).decode()


def key_set() -> Json:
    numbers = signing_key().public_key().public_numbers()
    key = {
        "alg": "RS256",
        "e": plain64(numbers.e.to_bytes(3, "big")),
        "kid": KEY_ID,
        "kty": "RSA",
        "n": plain64(numbers.n.to_bytes(256, "big")),
        "use": "sig",
    }
    return {"keys": [key]}


def signed(claims: Json) -> str:
    header = {"alg": "RS256", "kid": KEY_ID, "typ": "JWT"}
    body = ".".join(plain64(json.dumps(p).encode()) for p in (header, claims))
    mark = signing_key().sign(body.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{body}.{plain64(mark)}"


class OAuth:
    """Accounts, what they granted, and the tokens out in the world."""

    def __init__(
        self,
        accounts: Iterable[str],
        clock: Clock,
        token_life: float,
        *,
        client_id: str | None = None,
        client_secret: str | None = None,
        redirect_uris: Iterable[str] | None = None,
    ) -> None:
        self.subjects = {
            a: str(10**20 + int(hashlib.sha256(a.encode()).hexdigest()[:16], 16))
            for a in accounts
        }
        self.clock = clock
        self.token_life = token_life
        self.client_id = client_id
        self.client_secret = client_secret
        self.redirect_uris = None if redirect_uris is None else set(redirect_uris)
        self.withheld: frozenset[str] = frozenset()
        self.denials = 0
        self.granted: dict[tuple[str, str], frozenset[str]] = {}
        self.codes: dict[str, Code] = {}
        self.refreshes: dict[str, Refresh] = {}
        self.accesses: dict[str, Access] = {}

    # --- the authorization endpoint
    def authorize(self, query: Form) -> str:
        """Return the address the browser is sent to."""
        for name in ("client_id", "redirect_uri", "response_type", "scope"):
            if not query.get(name):
                raise PageRefusal(f"invalid_request: {name} is missing")
        client, target = query["client_id"], query["redirect_uri"]
        if query["response_type"] != "code":
            raise PageRefusal("invalid_request: response_type")
        if self.client_id not in {None, client}:
            raise PageRefusal("invalid_client")
        if self.redirect_uris is not None and target not in self.redirect_uris:
            raise PageRefusal("redirect_uri_mismatch")
        state = {"state": query["state"]} if "state" in query else {}
        if self.denials:
            self.denials -= 1
            return self._back(target, {"error": "access_denied"} | state)
        account, (code, scopes) = self._account(query), self._code(query)
        extra = {"scope": " ".join(sorted(scopes)), "authuser": "0"}
        if not account.endswith("@gmail.com"):
            extra["hd"] = account.rpartition("@")[2]
        extra["prompt"] = "consent" if "consent" in query.get("prompt", "") else "none"
        return self._back(target, extra | state | {"code": code})

    @staticmethod
    def _back(target: str, parameters: Form) -> str:
        parts = urlsplit(target)
        query = parse_qsl(parts.query, keep_blank_values=True)
        return urlunsplit(
            parts._replace(query=urlencode([*query, *parameters.items()]))
        )

    def _account(self, query: Form) -> str:
        hint = query.get("login_hint", "")
        for account, subject in self.subjects.items():
            if hint.lower() in {account.lower(), subject}:
                return account
        return next(iter(self.subjects))

    def _code(self, query: Form) -> tuple[str, frozenset[str]]:
        account, client = self._account(query), query["client_id"]
        asked = frozenset(LONG.get(s, s) for s in query["scope"].split())
        scopes = asked - self.withheld
        key, prompts = (account, client), query.get("prompt", "").split()
        first = key not in self.granted
        every = self.granted.get(key, frozenset()) | scopes
        if query.get("include_granted_scopes") == "true":
            scopes = every
        self.granted[key] = every
        code = "4/0" + secrets.token_urlsafe(180)
        self.codes[code] = Code(
            account=account,
            client=client,
            redirect_uri=query["redirect_uri"],
            scopes=scopes,
            nonce=query.get("nonce", ""),
            challenge=query.get("code_challenge", ""),
            method=query.get("code_challenge_method", "plain"),
            offline=query.get("access_type") == "offline"
            and (first or "consent" in prompts),
            born=self.clock.now(),
        )
        return code, scopes

    # --- the token endpoint
    def token(self, form: Form) -> Json:
        client = form.get("client_id", "")
        secret = form.get("client_secret", "")
        if not client or self.client_id not in {None, client}:
            raise TokenRefusal("invalid_client", "No such client.", 401)
        if not secret or self.client_secret not in {None, secret}:
            raise TokenRefusal("invalid_client", "That is not its secret.", 401)
        kind = form.get("grant_type")
        if kind == "authorization_code":
            return self._exchange(form, client)
        if kind == "refresh_token":
            return self._refresh(form, client)
        raise TokenRefusal("unsupported_grant_type")

    def _exchange(self, form: Form, client: str) -> Json:
        code = self.codes.pop(form.get("code", ""), None)
        if code is None or code.client != client:
            raise TokenRefusal("invalid_grant")
        if self.clock.now() - code.born > CODE_LIFE:
            raise TokenRefusal("invalid_grant")
        if form.get("redirect_uri") != code.redirect_uri:
            raise TokenRefusal("redirect_uri_mismatch")
        if not self._proved(code, form.get("code_verifier", "")):
            raise TokenRefusal("invalid_grant", "The code verifier does not fit.")
        answer = self.issue(code.account, client, code.scopes, code.nonce)
        if code.offline:
            answer["refresh_token"] = self.issue_refresh(
                code.account, client, code.scopes
            )
        return answer

    @staticmethod
    def _proved(code: Code, verifier: str) -> bool:
        if not code.challenge:
            return not verifier
        if code.method == "S256":
            verifier = plain64(hashlib.sha256(verifier.encode()).digest())
        return secrets.compare_digest(verifier.encode(), code.challenge.encode())

    def _refresh(self, form: Form, client: str) -> Json:
        refresh = self.refreshes.get(form.get("refresh_token", ""))
        if refresh is None or refresh.client != client:
            raise TokenRefusal("invalid_grant", "Token has been expired or revoked.")
        asked = frozenset(LONG.get(s, s) for s in form.get("scope", "").split())
        if not asked <= refresh.scopes:
            raise TokenRefusal("invalid_scope", "More than was granted.")
        return self.issue(refresh.account, client, asked or refresh.scopes)

    def issue(
        self, account: str, client: str, scopes: frozenset[str], nonce: str = ""
    ) -> Json:
        access = "ya29." + secrets.token_urlsafe(900)
        until = self.clock.now() + self.token_life
        self.accesses[access] = Access(account, client, scopes, until)
        answer: Json = {
            "token_type": "Bearer",
            "expires_in": max(0, int(self.token_life) - 1),
            "scope": " ".join(sorted(scopes, reverse=True)),
            "access_token": access,
        }
        if "openid" in scopes:
            answer["id_token"] = self._id_token(account, client, scopes, nonce, access)
        return answer

    def issue_refresh(self, account: str, client: str, scopes: frozenset[str]) -> str:
        refresh = "1//0" + secrets.token_urlsafe(370)
        self.refreshes[refresh] = Refresh(account, client, scopes)
        return refresh

    def _id_token(
        self,
        account: str,
        client: str,
        scopes: frozenset[str],
        nonce: str,
        access: str,
    ) -> str:
        now = int(time.time())
        claims: Json = {
            "iss": "accounts.google.com",
            "azp": client,
            "aud": client,
            "sub": self.subjects[account],
            "at_hash": plain64(hashlib.sha256(access.encode()).digest()[:16]),
            "iat": now,
            "exp": now + ID_TOKEN_LIFE,
        }
        if nonce:
            claims["nonce"] = nonce
        if LONG["email"] in scopes:
            claims |= {"email": account, "email_verified": True}
        if LONG["profile"] in scopes:
            claims["name"] = account.partition("@")[0].title()
        if not account.endswith("@gmail.com"):
            claims["hd"] = account.rpartition("@")[2]
        return signed(claims)

    # --- ends of tokens, and their use
    def revoke(self, token: str) -> Json:
        """Either kind of token ends the whole grant of its user to the client."""
        known = self.refreshes.get(token) or self.accesses.get(token)
        if known is None:
            raise TokenRefusal("invalid_token")
        self.end_grant(known.account, known.client)
        return {}

    def end_grant(self, account: str, client: str | None = None) -> None:
        def gone(held: Refresh | Access) -> bool:
            return held.account == account and client in {None, held.client}

        self.refreshes = {k: v for k, v in self.refreshes.items() if not gone(v)}
        self.accesses = {k: v for k, v in self.accesses.items() if not gone(v)}
        for key in [*self.granted]:
            if key[0] == account and client in {None, key[1]}:
                del self.granted[key]

    def bearer(self, header: str, scopes: Iterable[str]) -> str:
        """Return the account of a request, which may do what one of the scopes lets."""
        kind, _, token = header.partition(" ")
        access = self.accesses.get(token.strip())
        if kind.lower() != "bearer" or not access or access.until < self.clock.now():
            raise Refusal(401, "UNAUTHENTICATED", "The request carries no live token.")
        if access.scopes.isdisjoint(scopes):
            reason = {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
                "domain": "googleapis.com",
            }
            raise Refusal(
                403, "PERMISSION_DENIED", "The token reaches too short.", [reason]
            )
        return access.account

    def userinfo(self, account: str) -> Json:
        subject = self.subjects[account]
        who = {"sub": subject, "id": subject, "email": account}
        return who | {
            "email_verified": True,
            "verified_email": True,
            "name": account.partition("@")[0].title(),
        }
