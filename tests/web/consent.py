"""Walking through Google's consent with a browser that has no screen."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from werkzeug.test import TestResponse

from crmsync.storage import people
from crmsync.storage.people import Connection, User
from tests.sandbox.harness import SandboxServer
from tests.web.site import ANNA, Site, Visitor

PREFIX = "https://www.googleapis.com/auth/"


def begin(visitor: Visitor, service: str = "google_sync") -> str:
    """Press Authorize; return Google's address."""
    answer = visitor.post(f"/oauth/{service}/start")
    assert answer.status_code == 303, answer.text
    return str(answer.location)


def come_back(visitor: Visitor, answer: dict[str, str]) -> TestResponse:
    """Return from Google with an answer."""
    return visitor.get(f"/oauth/callback?{urlencode(answer)}")


def consent(
    visitor: Visitor,
    box: SandboxServer,
    account: str = ANNA,
    service: str = "google_sync",
    scopes: Sequence[str] | None = None,
) -> TestResponse:
    """Press Authorize, agree, come back; return the dialog's page."""
    url = begin(visitor, service)
    answer = come_back(visitor, box.consent(url, account, scopes))
    assert answer.status_code == 302
    return visitor.get(answer.location)


def authorize(
    visitor: Visitor,
    box: SandboxServer,
    account: str = ANNA,
    service: str = "google_sync",
    scopes: Sequence[str] | None = None,
) -> str:
    """Authorize to the end; return the page that shows what came of it."""
    consent(visitor, box, account, service, scopes)
    visitor.post(f"/oauth/{service}/confirm", {"email": account})
    return visitor.get("/options/services").text


def connection_of(
    site: Site, user: User, service: str = "google_sync"
) -> Connection | None:
    return people.connection_of(site.app.database, user.user_id, service)
