"""Codes, tokens and identity, and how tokens die (OAuth contract, 3.3 to 3.8)."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from google.auth.exceptions import RefreshError
from google.oauth2 import id_token
from google.oauth2.credentials import Credentials

from tests.sandbox.harness import (
    CALLBACK,
    CLIENT_ID,
    CLIENT_SECRET,
    CONTACTS,
    Json,
    Page,
    SandboxServer,
)
from tests.sandbox.oauth_steps import (
    MAIL,
    SIGN_IN,
    TASKS,
    address,
    connected,
    exchange,
    get,
    post,
    refresh,
)
from tests.sandbox.schemas import validator

# ---------------------------------------------------------------- codes


@pytest.mark.point("G-9")
def test_a_code_is_good_once_and_not_for_long(box: SandboxServer, someone: str) -> None:
    once = box.consent(address(login_hint=someone))["code"]
    late = box.consent(address(login_hint=someone, prompt="consent"))["code"]

    first, second = exchange(box, once)[0], exchange(box, once)
    box.advance(601)
    third = exchange(box, late)

    assert first == 200
    assert (second[0], second[1]["error"]) == (400, "invalid_grant")
    assert (third[0], third[1]["error"]) == (400, "invalid_grant")


@pytest.mark.point("G-9")
@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"redirect_uri": CALLBACK + "/"}, 400, "redirect_uri_mismatch"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"code": "4/nonsense"}, 400, "invalid_grant"),
    ],
)
def test_a_bad_exchange(
    box: SandboxServer, someone: str, form: dict[str, str], status: int, error: str
) -> None:
    code = box.consent(address(login_hint=someone))["code"]

    found, answer = (
        exchange(box, code, **form)
        if "code" not in form
        else exchange(box, form["code"])
    )

    assert (found, answer["error"]) == (status, error)


@pytest.mark.point("G-9")
@pytest.mark.parametrize("method", ["S256", "plain"])
def test_pkce(box: SandboxServer, someone: str, method: str) -> None:
    verifier = "v" * 50
    digest = hashlib.sha256(verifier.encode()).digest()
    hashed = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    challenge = hashed if method == "S256" else verifier
    asked = address(
        login_hint=someone, code_challenge=challenge, code_challenge_method=method
    )

    codes = [box.consent(asked + f"&prompt=consent&n={n}")["code"] for n in range(3)]
    missing = exchange(box, codes[0])
    wrong = exchange(box, codes[1], code_verifier="w" * 50)
    right = exchange(box, codes[2], code_verifier=verifier)

    assert [missing[0], wrong[0], right[0]] == [400, 400, 200]
    assert missing[1]["error"] == wrong[1]["error"] == "invalid_grant"


@pytest.mark.point("G-9")
def test_a_refresh_token_comes_at_the_first_consent_or_with_prompt_consent(
    box: SandboxServer, someone: str
) -> None:
    first = connected(box, someone)
    second = connected(box, someone)
    forced = connected(box, someone, prompt="consent")
    online = connected(box, someone, prompt="consent", access_type="online")

    assert "refresh_token" in first
    assert "refresh_token" not in second
    assert "refresh_token" in forced
    assert "refresh_token" not in online


@pytest.mark.point("G-9")
def test_granted_scopes_can_be_included(box: SandboxServer, someone: str) -> None:
    connected(box, someone, scope=CONTACTS)

    alone = connected(box, someone, scope=TASKS)
    more = connected(
        box, someone, scope=TASKS, include_granted_scopes="true", prompt="consent"
    )

    assert alone["scope"].split() == [TASKS]
    assert set(more["scope"].split()) == {CONTACTS, TASKS}


# ---------------------------------------------------------------- tokens


@pytest.mark.point("G-9", "P-27")
def test_access_tokens_expire_and_are_refreshed(
    box: SandboxServer, someone: str
) -> None:
    answer = connected(box, someone)
    path = "/v1/people/me?personFields=names"

    before = get(box, path, answer["access_token"])[0]
    box.advance(3600)
    after = get(box, path, answer["access_token"])[0]
    status, fresh = refresh(box, answer["refresh_token"])

    assert (before, after, status) == (200, 401, 200)
    assert "refresh_token" not in fresh
    assert fresh["scope"] == answer["scope"]
    assert get(box, path, fresh["access_token"])[0] == 200


@pytest.mark.point("G-9")
def test_a_refresh_cannot_ask_for_more(box: SandboxServer, someone: str) -> None:
    answer = connected(box, someone, scope=CONTACTS)

    less = refresh(box, answer["refresh_token"], scope=CONTACTS)
    more = refresh(box, answer["refresh_token"], scope=TASKS)

    assert less[0] == 200
    assert (more[0], more[1]["error"]) == (400, "invalid_scope")


@pytest.mark.point("G-9", "P-27")
def test_a_revoked_token_ends_the_whole_grant(box: SandboxServer, someone: str) -> None:
    one = connected(box, someone)
    two = connected(box, someone, prompt="consent")

    status, _ = post(box, "/revoke", token=one["access_token"])
    again, _ = post(box, "/revoke", token=one["access_token"])
    path = "/v1/people/me?personFields=names"

    assert (status, again) == (200, 400)
    for answer in (one, two):
        assert get(box, path, answer["access_token"])[0] == 401
        assert refresh(box, answer["refresh_token"])[1] == {
            "error": "invalid_grant",
            "error_description": "Token has been expired or revoked.",
        }
    assert isinstance(box.visit("GET", address(login_hint=someone)), Page)


@pytest.mark.point("P-27")
def test_a_revoked_grant_is_a_refresh_error_of_the_library(
    box: SandboxServer, someone: str
) -> None:
    answer = connected(box, someone)
    credentials = Credentials(
        answer["access_token"],
        refresh_token=answer["refresh_token"],
        token_uri=f"{box.url}/token",
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
    )
    box.revoke(someone)

    with pytest.raises(RefreshError) as caught:
        credentials.refresh(plain(box))

    assert caught.value.args[1]["error"] == "invalid_grant"
    assert caught.value.retryable is False


@pytest.mark.point("G-9")
def test_a_password_change_kills_tokens_with_mail_scopes(
    box: SandboxServer, someone: str
) -> None:
    mail = connected(box, someone, scope=MAIL)
    other = connected(box, someone, scope=CONTACTS)

    box.change_password(someone)

    assert refresh(box, mail["refresh_token"])[1]["error"] == "invalid_grant"
    assert refresh(box, other["refresh_token"])[0] == 200


@pytest.mark.point("G-9")
def test_in_testing_mode_refresh_tokens_live_seven_days(
    box: SandboxServer, someone: str
) -> None:
    box.switch(oauth_testing=True)
    answer = connected(box, someone)
    signed_in = connected(box, someone, scope=SIGN_IN, prompt="consent")
    box.advance(6 * 86_400)
    early = refresh(box, answer["refresh_token"])[0]
    box.advance(86_401)

    assert answer["refresh_token_expires_in"] == 604_799
    assert early == 200
    assert refresh(box, answer["refresh_token"])[1]["error"] == "invalid_grant"
    assert refresh(box, signed_in["refresh_token"])[0] == 200


@pytest.mark.point("G-9")
def test_the_oldest_of_more_than_a_hundred_dies_silently(
    box: SandboxServer, someone: str
) -> None:
    first = box.token(someone)["refresh_token"]
    second = box.token(someone)["refresh_token"]
    for _ in range(99):
        box.token(someone)

    assert refresh(box, first)[1]["error"] == "invalid_grant"
    assert refresh(box, second)[0] == 200


@pytest.mark.point("G-9")
def test_a_session_policy_has_a_subtype(box: SandboxServer, someone: str) -> None:
    answer = connected(box, someone)
    box.control("POST", "/reauth", {"account": someone})

    _, error = refresh(box, answer["refresh_token"])

    assert (error["error"], error["error_subtype"]) == ("invalid_grant", "invalid_rapt")


# ---------------------------------------------------------------- identity


def plain(box: SandboxServer) -> Callable[..., Any]:
    """google-auth's transport over the harness."""

    def send(url: str, method: str = "GET", **more: Any) -> Any:
        path = url.removeprefix(box.url)
        status, headers, data = box.http(
            method, path, more.get("body"), more.get("headers")
        )
        return SimpleNamespace(status=status, headers=headers, data=data)

    return send


def ahead(box: SandboxServer) -> int:
    """How far other tests have moved the sandbox's clock, for the library's check."""
    return int(box.control("GET", "/clock")["offset"]) + 10


@pytest.mark.point("G-9")
def test_id_tokens_are_signed_and_bound(box: SandboxServer, someone: str) -> None:
    answer = connected(box, someone, nonce="n-1")

    claims = id_token.verify_token(
        answer["id_token"],
        plain(box),
        audience=CLIENT_ID,
        certs_url=f"{box.url}/oauth2/v1/certs",
        clock_skew_in_seconds=ahead(box),
    )

    digest = hashlib.sha256(answer["access_token"].encode()).digest()[:16]
    half = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert claims["iss"] == "https://accounts.google.com"
    assert (claims["email"], claims["email_verified"]) == (someone, True)
    assert (claims["nonce"], claims["at_hash"]) == ("n-1", half)
    assert claims["hd"] == "x.example"
    assert claims["name"] == "Con Senting"
    again = connected(box, someone, prompt="consent")
    assert claims_of(again["id_token"])["sub"] == claims["sub"]


@pytest.mark.point("G-9")
def test_keys_are_published_in_both_forms_and_can_rotate(
    box: SandboxServer, someone: str
) -> None:
    old = connected(box, someone)["id_token"]
    box.control("POST", "/keys/rotate")
    new = connected(box, someone, prompt="consent")["id_token"]

    pem = json.loads(box.http("GET", "/oauth2/v1/certs")[2])
    jwks = json.loads(box.http("GET", "/oauth2/v3/certs")[2])["keys"]

    kids = [json.loads(unpadded(t.split(".")[0]))["kid"] for t in (old, new)]
    assert kids[0] != kids[1]
    assert set(kids) <= set(pem)
    assert {key["kid"] for key in jwks} == set(pem)
    assert all(text.startswith("-----BEGIN CERTIFICATE-----") for text in pem.values())


@pytest.mark.point("G-9")
def test_userinfo_and_tokeninfo(box: SandboxServer, someone: str) -> None:
    token = connected(box, someone)["access_token"]

    status, openid = get(box, "/v1/userinfo", token)
    older = get(box, "/oauth2/v2/userinfo", token)[1]
    info = post(box, "/oauth2/v2/tokeninfo", access_token=token)[1]
    newer = json.loads(box.http("GET", f"/tokeninfo?access_token={token}")[2])

    assert status == 200
    assert (openid["email"], openid["email_verified"]) == (someone, True)
    assert openid["sub"] == older["id"] == info["user_id"] == newer["sub"]
    validator("oauth2", "v2", "Userinfo").validate(older)
    validator("oauth2", "v2", "Tokeninfo").validate(info)
    assert isinstance(newer["expires_in"], str)
    assert get(box, "/v1/userinfo", "wrong")[0] == 401
    assert post(box, "/tokeninfo", access_token="wrong")[0] == 400


@pytest.mark.point("G-9")
def test_the_openid_configuration_names_our_addresses(box: SandboxServer) -> None:
    found = json.loads(box.http("GET", "/.well-known/openid-configuration")[2])

    assert found["issuer"] == "https://accounts.google.com"
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        assert found[name].startswith(box.url + "/")


def unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def claims_of(token: str) -> Json:
    found: Json = json.loads(unpadded(token.split(".")[1]))
    return found
