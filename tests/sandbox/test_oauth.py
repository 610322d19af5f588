"""OAuth and OpenID: consent, codes, tokens, and how they die (OAuth contract, 3)."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest
from google.auth.exceptions import RefreshError
from google.oauth2 import id_token
from google.oauth2.credentials import Credentials

from tests.sandbox.harness import (
    CALLBACK,
    CLIENT_ID,
    CLIENT_SECRET,
    CONTACTS,
    ControlError,
    Json,
    Page,
    SandboxServer,
)
from tests.sandbox.schemas import validator

PREFIX = "https://www.googleapis.com/auth/"
TASKS = PREFIX + "tasks"
MAIL = PREFIX + "gmail.modify"
SIGN_IN = "openid email profile"
_numbers = itertools.count(1)


@pytest.fixture
def someone(box: SandboxServer) -> str:
    address = f"consenting{next(_numbers)}@x.example"
    box.account(address, "Con Senting")
    return address


def address(**values: str | None) -> str:
    """The authorisation address with sensible defaults; None leaves one out."""
    given = {
        "client_id": CLIENT_ID,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": f"{SIGN_IN} {CONTACTS} {TASKS}",
        "access_type": "offline",
        "state": "st/ate +1",
        **values,
    }
    query = urlencode({k: v for k, v in given.items() if v is not None})
    return f"/o/oauth2/v2/auth?{query}"


def post(box: SandboxServer, path: str, **form: str) -> tuple[int, Json]:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    status, _, body = box.http("POST", path, urlencode(form), headers)
    return status, json.loads(body)


def exchange(box: SandboxServer, code: str, **more: str) -> tuple[int, Json]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "redirect_uri": CALLBACK,
    }
    return post(box, "/token", **{**form, **more})


def refresh(box: SandboxServer, token: str, **more: str) -> tuple[int, Json]:
    form = {
        "grant_type": "refresh_token",
        "refresh_token": token,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
    }
    return post(box, "/token", **{**form, **more})


def connected(box: SandboxServer, someone: str, **values: str | None) -> Json:
    """The token answer after a full walk through the pages."""
    back = box.consent(address(login_hint=someone, **values), someone)
    status, answer = exchange(box, back["code"])
    assert status == 200
    return answer


def get(box: SandboxServer, path: str, token: str) -> tuple[int, Json]:
    status, _, body = box.http("GET", path, None, {"Authorization": f"Bearer {token}"})
    return status, json.loads(body)


# ---------------------------------------------------------------- the pages


@pytest.mark.point("G-9")
def test_consent_gives_tokens_for_everything_ticked(
    box: SandboxServer, someone: str
) -> None:
    back = box.consent(address(prompt="select_account"), someone)
    status, answer = exchange(box, back["code"])

    assert back["state"] == "st/ate +1"
    assert status == 200
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == 3599
    assert answer["refresh_token"]
    assert answer["scope"].split() == [
        "openid",
        PREFIX + "userinfo.email",
        PREFIX + "userinfo.profile",
        CONTACTS,
        TASKS,
    ]
    assert (
        get(box, "/v1/people/me?personFields=names", answer["access_token"])[0] == 200
    )


@pytest.mark.point("G-9")
def test_only_the_ticked_boxes_are_granted(box: SandboxServer, someone: str) -> None:
    back = box.consent(address(login_hint=someone), someone, [TASKS])
    _, answer = exchange(box, back["code"])

    assert TASKS in answer["scope"].split()
    assert CONTACTS not in answer["scope"].split()
    path = "/v1/people/me/connections?personFields=names"
    assert get(box, path, answer["access_token"])[0] == 403


@pytest.mark.point("G-9")
def test_boxes_start_empty_and_a_single_scope_has_none(
    box: SandboxServer, someone: str
) -> None:
    two = box.visit("GET", address(login_hint=someone))
    one = box.visit("GET", address(login_hint=someone, scope=f"openid {CONTACTS}"))

    assert isinstance(two, Page)
    assert isinstance(one, Page)
    assert (two.boxes, two.ticked) == ([CONTACTS, TASKS], [])
    assert one.boxes == []
    assert "See, edit, download, and permanently delete your contacts" in one.text


@pytest.mark.point("G-9")
def test_the_chooser_lists_the_accounts(box: SandboxServer, someone: str) -> None:
    page = box.visit("GET", address(prompt="select_account", login_hint=someone))

    assert isinstance(page, Page)
    assert someone in page.accounts
    assert len(page.accounts) > 1


@pytest.mark.point("G-9")
def test_cancel_is_access_denied(box: SandboxServer, someone: str) -> None:
    back = box.consent(address(login_hint=someone), deny=True)

    assert back == {"error": "access_denied", "state": "st/ate +1"}


@pytest.mark.point("G-9")
def test_unattended_consent(box: SandboxServer, someone: str) -> None:
    box.switch(consent="auto")

    back = box.visit("GET", address(login_hint=someone))

    assert isinstance(back, dict)
    assert TASKS in back["scope"].split()


@pytest.mark.point("G-9")
@pytest.mark.parametrize(
    "redirect",
    [
        CALLBACK + "/",
        CALLBACK.upper(),
        "http://127.0.0.1:5000/oauth/other",
        "http://127.0.0.1/oauth/callback",
        "http://127.0.0.1:5000@evil.example/oauth/callback",
        "https://evil.example/oauth/callback",
    ],
)
def test_the_redirect_address_must_be_registered(
    box: SandboxServer, redirect: str
) -> None:
    with pytest.raises(ControlError) as caught:
        box.visit("GET", address(redirect_uri=redirect))

    assert caught.value.status == 400
    assert "redirect_uri_mismatch" in caught.value.answer


@pytest.mark.point("G-9")
def test_a_registered_address_is_compared_byte_for_byte(box: SandboxServer) -> None:
    box.client("shop-1", "s3", "https://crm.example/oauth/callback")

    fine = {"client_id": "shop-1", "redirect_uri": "https://crm.example/oauth/callback"}
    assert isinstance(box.visit("GET", address(**fine)), Page)
    for other in ("https://CRM.example/oauth/callback", fine["redirect_uri"] + "?a=1"):
        with pytest.raises(ControlError):
            box.visit("GET", address(client_id="shop-1", redirect_uri=other))


@pytest.mark.point("G-9")
@pytest.mark.parametrize(
    "redirect",
    ["http://crm.example/cb", "https://10.0.0.1/cb", "https://*.crm.example/cb", "x"],
)
def test_addresses_google_would_not_register(box: SandboxServer, redirect: str) -> None:
    with pytest.raises(ControlError):
        box.client("shop-2", "s3", redirect)


@pytest.mark.point("G-9")
@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"client_id": "nobody"}, "invalid_client"),
        ({"client_id": None}, "invalid_request"),
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": PREFIX + "moon"}, "invalid_scope"),
        ({"scope": None}, "invalid_request"),
        ({"prompt": "none consent"}, "invalid_request"),
        ({"access_type": "sometimes"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
    ],
)
def test_bad_requests_end_on_google_s_page(
    box: SandboxServer, values: dict[str, str | None], error: str
) -> None:
    with pytest.raises(ControlError) as caught:
        box.visit("GET", address(**values))

    assert error in caught.value.answer


@pytest.mark.point("G-9")
def test_prompt_none_never_asks(box: SandboxServer, someone: str) -> None:
    quiet = address(login_hint=someone, prompt="none")

    before = box.visit("GET", quiet)
    connected(box, someone)
    after = box.visit("GET", quiet)

    assert isinstance(before, dict)
    assert isinstance(after, dict)
    assert before["error"] == "interaction_required"
    assert after["code"]


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
