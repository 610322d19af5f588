"""The steps of an authorisation that the tests of OAuth share."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from tests.sandbox.harness import (
    CALLBACK,
    CLIENT_ID,
    CLIENT_SECRET,
    CONTACTS,
    Json,
    SandboxServer,
)

PREFIX = "https://www.googleapis.com/auth/"
TASKS = PREFIX + "tasks"
MAIL = PREFIX + "gmail.modify"
SIGN_IN = "openid email profile"


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
