"""The consent pages, and what Google refuses there (OAuth contract, 3.2, 3.5)."""

from __future__ import annotations

import pytest

from tests.sandbox.harness import (
    CALLBACK,
    CONTACTS,
    ControlError,
    Page,
    SandboxServer,
)
from tests.sandbox.oauth_steps import (
    PREFIX,
    TASKS,
    address,
    connected,
    exchange,
    get,
)

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
