"""Consent, exchange, refresh, revocation, and identity tokens."""

from __future__ import annotations

import base64
import time as real_time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import google.auth.crypt
import google.auth.jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from crmsync.connectors.google.idtoken import IdTokens, parse_keys
from crmsync.connectors.google.oauth import (
    CALENDAR,
    CONTACTS,
    IDENTITY,
    SERVICE_SCOPES,
    ConsentRequest,
    OAuthClient,
    is_granted,
    new_verifier,
    normalise_scopes,
)
from crmsync.connectors.google.service import GoogleEndpoints, is_loopback
from crmsync.connectors.google.tokens import Grant
from crmsync.connectors.transport import Transport
from crmsync.errors import (
    ConfigError,
    CrmSyncError,
    OutcomeUnknown,
    PermissionMissing,
    ProtocolBroken,
    ProviderDown,
    RateLimited,
    ReconnectNeeded,
    Retryable,
    UsageError,
)
from tests.unit.connectors.conftest import FakeTime
from tests.unit.connectors.loopback import Loopback, answer, serving

PRIVATE = rsa.generate_private_key(65537, 2048)
PUBLIC_PEM = (
    PRIVATE.public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
)


def number(value: int) -> str:
    data = value.to_bytes((value.bit_length() + 7) // 8)
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


NUMBERS = PRIVATE.public_key().public_numbers()
JWK = {"kid": "k1", "kty": "RSA", "n": number(NUMBERS.n), "e": number(NUMBERS.e)}
PEMS, JWKS = {"k1": PUBLIC_PEM}, {"keys": [JWK, {"kid": "k2", "kty": "EC"}]}


def id_token(kid: str = "k1", **claims: Any) -> str:
    pem = PRIVATE.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )
    signer = google.auth.crypt.RSASigner.from_string(pem, kid)
    now = int(real_time.time())
    whole = {
        "iss": "https://accounts.google.com",
        "aud": "client",
        "sub": "1",
        "email": "jo@x.example",
        "nonce": "n0",
        "iat": now,
        "exp": now + 3600,
    }
    return str(google.auth.jwt.encode(signer, {**whole, **claims}).decode())


def tokens(**more: Any) -> dict[str, Any]:
    return {
        "access_token": "ya29.first",
        "expires_in": 3599,
        "scope": f"openid email {CONTACTS}",
        "token_type": "Bearer",
        **more,
    }


REQUEST = ConsentRequest(
    SERVICE_SCOPES["google_sync"],
    "http://127.0.0.1:8000/oauth/callback",
    state="s0",
    nonce="n0",
    verifier="v" * 64,
)


@pytest.fixture
def client(transport: Transport, time: FakeTime) -> Callable[[str], OAuthClient]:
    def make(root: str) -> OAuthClient:
        return OAuthClient(
            "client",
            "secret",
            endpoints=GoogleEndpoints.from_root(root),
            transport=transport,
            clock=time,
        )

    return make


def form(server: Loopback, at: int = 0) -> dict[str, str]:
    return {k: v[0] for k, v in parse_qs(server.seen[at].body.decode()).items()}


def grant(time: FakeTime, **more: Any) -> Grant:
    given: dict[str, Any] = {
        "refresh_token": "1//r",
        "scopes": frozenset({CONTACTS}),
        **more,
    }
    return Grant("ya29.old", time.now(), **given)


# ------------------------------------------------------------------ consent


@pytest.mark.rule("AUTH-1", "AUTH-2", "AUTH-4")
@pytest.mark.parametrize("root", ["http://127.0.0.1:9", "https://google.example"])
def test_the_consent_page_gets_all_it_needs(
    client: Callable[[str], OAuthClient], root: str
) -> None:
    url = client(root).authorization_url(REQUEST)

    assert url.startswith(f"{root}/o/oauth2/v2/auth?")
    query = {k: v[0] for k, v in parse_qs(urlsplit(url).query).items()}
    assert query.pop("code_challenge")
    assert query == {
        "response_type": "code",
        "client_id": "client",
        "redirect_uri": REQUEST.redirect_uri,
        "scope": " ".join(SERVICE_SCOPES["google_sync"]),
        "state": "s0",
        "nonce": "n0",
        "code_challenge_method": "S256",
        "access_type": "offline",
        "include_granted_scopes": "true",
        "prompt": "select_account consent",
    }


def test_consent_is_not_asked_again_with_a_refresh_token(
    client: Callable[[str], OAuthClient],
) -> None:
    request = ConsentRequest(
        ("openid",), "https://x/cb", "s", "n", "v" * 64, "jo@x.example", True
    )

    query = parse_qs(urlsplit(client("").authorization_url(request)).query)

    assert query["prompt"] == ["select_account"]
    assert query["login_hint"] == ["jo@x.example"]


def test_verifiers_are_long_and_new() -> None:
    assert len(new_verifier()) == 96
    assert new_verifier() != new_verifier()


@pytest.mark.rule("AUTH-5")
def test_what_was_granted_decides_which_kinds_run() -> None:
    granted = f"openid email profile {CALENDAR}"

    assert normalise_scopes(granted) == {*IDENTITY, CALENDAR}
    assert is_granted("calendar", granted.split())
    assert not is_granted("contacts", granted.split())
    assert is_granted("mail", ["https://mail.google.com/"])


def test_a_client_that_is_not_configured_says_so(
    transport: Transport, time: FakeTime
) -> None:
    with pytest.raises(ConfigError, match="GOOGLE_CLIENT_ID"):
        OAuthClient(
            "", "", endpoints=GoogleEndpoints(), transport=transport, clock=time
        )


# ------------------------------------------------------------------ exchange


@pytest.mark.rule("AUTH-3", "AUTH-5")
@pytest.mark.parametrize("keys", [PEMS, JWKS], ids=["pem", "jwks"])
def test_a_code_becomes_a_grant_with_what_was_ticked(
    client: Callable[[str], OAuthClient], time: FakeTime, keys: Any
) -> None:
    first = answer(200, tokens(refresh_token="1//r", id_token=id_token()))
    with serving(first, answer(200, keys)) as server:
        found = client(server.url).exchange("c0de", REQUEST)

    assert found.access_token == "ya29.first"
    assert found.refresh_token == "1//r"
    assert (found.expires_at - time.now()).total_seconds() == 3599
    assert found.scopes == {"openid", IDENTITY[1], CONTACTS}
    assert found.claims["email"] == "jo@x.example"
    sent = form(server)
    assert (sent["grant_type"], sent["code"]) == ("authorization_code", "c0de")
    assert (sent["code_verifier"], sent["client_secret"]) == ("v" * 64, "secret")
    assert "secret" not in repr(found)
    assert "ya29" not in repr(found)


@pytest.mark.parametrize(
    ("claims", "kid"),
    [
        ({"aud": "other"}, "k1"),
        ({"iss": "https://evil.example"}, "k1"),
        ({"nonce": "other"}, "k1"),
        ({"exp": 1_000_000_000}, "k1"),
        ({}, "k9"),
    ],
    ids=["audience", "issuer", "nonce", "expired", "key"],
)
def test_an_identity_that_is_not_for_us_is_refused(
    client: Callable[[str], OAuthClient], claims: dict[str, Any], kid: str
) -> None:
    whole = tokens(id_token=id_token(kid, **claims))
    with (
        serving(answer(200, whole), answer(200, PEMS)) as server,
        pytest.raises(UsageError, match="refused"),
    ):
        client(server.url).exchange("c", REQUEST)


@pytest.mark.rule("AUTH-3")
@pytest.mark.parametrize(
    ("claims", "is_good"),
    [
        ({}, True),
        ({"email_verified": True}, True),
        ({"email_verified": "true"}, True),
        ({"email_verified": False}, False),
        ({"email_verified": "false"}, False),
    ],
)
def test_an_address_that_is_not_verified_is_not_trusted(
    transport: Transport, time: FakeTime, claims: dict[str, Any], is_good: bool
) -> None:
    with serving(answer(200, PEMS)) as server:
        verifier = IdTokens(transport, server.url, time)
        if is_good:
            assert verifier.verify(id_token(**claims), ["client"])["sub"] == "1"
        else:
            with pytest.raises(UsageError, match="address is not verified"):
                verifier.verify(id_token(**claims), ["client"])


@pytest.mark.parametrize("token", [None, "no.jwt", "", "eyJhbGciOiJub25lIn0.e30."])
def test_an_answer_without_a_signed_identity_is_refused(
    client: Callable[[str], OAuthClient], token: str | None
) -> None:
    with (
        serving(answer(200, tokens(id_token=token)), answer(200, PEMS)) as server,
        pytest.raises(UsageError),
    ):
        client(server.url).exchange("c", REQUEST)


def test_an_expiry_of_some_seconds_is_forgiven(
    transport: Transport, time: FakeTime
) -> None:
    token = id_token(exp=int(real_time.time()) - 3, iss="accounts.google.com")
    with serving(answer(200, PEMS)) as server:
        claims = IdTokens(transport, server.url, time).verify(token, ["client"])

    assert claims["sub"] == "1"


REFUSALS: list[tuple[int, Any, type[CrmSyncError]]] = [
    (400, {"error": "invalid_grant", "error_description": "Bad"}, ReconnectNeeded),
    (401, {"error": "invalid_client"}, ConfigError),
    (400, {"error": "invalid_scope"}, PermissionMissing),
    (403, {"error": "admin_policy_enforced"}, PermissionMissing),
    (400, {"error": "temporarily_unavailable"}, ProviderDown),
    (503, b"<html>", ProviderDown),
    (429, {}, RateLimited),
    (404, b"<html>", ProtocolBroken),
    (200, b"<html>", ProtocolBroken),
    (200, b"\xff\xfe", ProtocolBroken),
    (200, {"error": "server_error"}, ProviderDown),
]


@pytest.mark.rule("AUTH-7")
@pytest.mark.parametrize(
    ("status", "body", "error"), REFUSALS, ids=map(str, range(len(REFUSALS)))
)
def test_a_refused_refresh_says_what_must_happen(
    client: Callable[[str], OAuthClient],
    time: FakeTime,
    status: int,
    body: Any,
    error: type[CrmSyncError],
) -> None:
    with serving(answer(status, body)) as server, pytest.raises(CrmSyncError) as caught:
        client(server.url).refresh(grant(time))

    assert type(caught.value) is error


def test_a_code_is_never_sent_twice(client: Callable[[str], OAuthClient]) -> None:
    with serving(answer(503)) as server, pytest.raises(OutcomeUnknown):
        client(server.url).exchange("c", REQUEST)

    assert len(server.seen) == 1


def test_a_refresh_keeps_what_the_answer_leaves_out(
    client: Callable[[str], OAuthClient], time: FakeTime
) -> None:
    whole = {"access_token": "ya29.new", "token_type": "Bearer"}
    with serving(answer(503), answer(200, whole)) as server:
        found = client(server.url).refresh(grant(time))

    assert found.access_token == "ya29.new"
    assert found.refresh_token == "1//r"
    assert found.scopes == {CONTACTS}
    assert found.expires_at > time.now()
    assert form(server, 1)["grant_type"] == "refresh_token"
    assert "scope" not in form(server, 1)


# ------------------------------------------------------------------ the rest


@pytest.mark.rule("AUTH-8")
@pytest.mark.parametrize("status", [200, 400])
def test_revoking_what_has_ended_is_no_error(
    client: Callable[[str], OAuthClient], status: int
) -> None:
    with serving(answer(status, {"error": "invalid_token"})) as server:
        client(server.url).revoke("1//r")

    assert form(server) == {"token": "1//r"}
    with serving(answer(403)) as server, pytest.raises(ProtocolBroken):
        client(server.url).revoke("1//r")


def test_the_profile_is_read(client: Callable[[str], OAuthClient]) -> None:
    with serving(answer(200, {"sub": "1"}), answer(200, []), answer(401)) as server:
        made = client(server.url)
        assert made.userinfo("ya29.x") == {"sub": "1"}
        with pytest.raises(ProtocolBroken):
            made.userinfo("ya29.x")
        with pytest.raises(ReconnectNeeded):
            made.userinfo("ya29.x")

    assert server.seen[0].target == "/v1/userinfo"


def test_keys_are_kept_and_read_again_for_a_new_one(
    transport: Transport, time: FakeTime
) -> None:
    kept = {"cache-control": "public, max-age=600"}
    with serving(answer(200, {"k0": PUBLIC_PEM}, kept), answer(200, PEMS)) as server:
        verifier = IdTokens(transport, server.url, time)
        with pytest.raises(UsageError):
            verifier.verify(id_token(), ["client"])
        with pytest.raises(UsageError):
            verifier.verify(id_token(), ["client"])
        assert len(server.seen) == 1

        time.pass_by(minutes=6)
        verifier.verify(id_token(), ["client"])
        verifier.verify(id_token(), ["client"])
        assert len(server.seen) == 2

        time.pass_by(minutes=6)
        verifier.verify(id_token(), ["client"])
        assert len(server.seen) == 3


def test_keys_that_can_not_be_had_are_a_passing_fault(
    transport: Transport, time: FakeTime
) -> None:
    with serving(answer(503)) as server, pytest.raises(Retryable):
        IdTokens(transport, server.url, time).verify(id_token(), ["client"])


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b'{"keys": [{"kty": "RSA"}]}'], ids=["a", "b", "c"]
)
def test_keys_of_no_known_form_break_the_protocol(body: bytes) -> None:
    with pytest.raises(ProtocolBroken):
        parse_keys(body)


# ------------------------------------------------------------------ addresses


def test_one_root_stands_for_every_host() -> None:
    found = GoogleEndpoints.from_root(
        "http://localhost:8900/", {"people": "https://p.example", "token": None}
    )

    assert found.token == "http://localhost:8900/token"
    assert found.auth == "http://localhost:8900/o/oauth2/v2/auth"
    assert found.certs == "http://localhost:8900/oauth2/v1/certs"
    assert found.calendar == "http://localhost:8900/"
    assert found.root("people") == "https://p.example/"
    assert GoogleEndpoints.from_root(None) == GoogleEndpoints()


@pytest.mark.parametrize(
    ("root", "overrides"),
    [
        ("http://crm.example", {}),
        ("ftp://127.0.0.1", {}),
        (None, {"token": "http://10.0.0.1/token"}),
        (None, {"tokn": "https://x.example"}),
    ],
)
def test_tokens_never_travel_in_the_open(
    root: str | None, overrides: dict[str, str | None]
) -> None:
    with pytest.raises(ConfigError):
        GoogleEndpoints.from_root(root, overrides)


def test_the_loopback_is_known_by_all_its_names() -> None:
    hosts = ["127.0.0.1", "127.1.2.3", "localhost", "a.localhost", "[::1]"]

    assert all(is_loopback(f"http://{host}:1/") for host in hosts)
    assert not is_loopback("http://localhost.example/")
