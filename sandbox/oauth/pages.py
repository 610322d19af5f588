"""The pages a person sees: account chooser, consent, errors. Plain forms, no script."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from googleapiclient.discovery_cache import get_static_doc

from sandbox.messages import Response, html_response
from sandbox.oauth.state import SIGN_IN

if TYPE_CHECKING:
    from jinja2 import Environment

    from sandbox.accounts import Account
    from sandbox.oauth.errors import PageError
    from sandbox.oauth.flow import Flow

_FOLDER = Path(__file__).resolve().parent.parent / "templates"
_NO_STORE = ("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate")


@lru_cache(maxsize=1)
def _templates() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined
    )


@lru_cache(maxsize=1)
def _descriptions() -> dict[str, str]:
    """What each scope allows, in Google's words, from the discovery documents."""
    found: dict[str, str] = {}
    for name, version in (
        ("gmail", "v1"),
        ("calendar", "v3"),
        ("tasks", "v1"),
        ("people", "v1"),
        ("oauth2", "v2"),
    ):
        doc = orjson.loads(get_static_doc(name, version))
        for scope, spec in doc["auth"]["oauth2"]["scopes"].items():
            found[scope] = spec["description"]
    return found


def chooser(flow_id: str, flow: Flow, accounts: list[Account]) -> Response:
    return page("chooser.html", flow=flow_id, client=flow.client.id, accounts=accounts)


def consent(
    flow_id: str, flow: Flow, account: Account, had: tuple[str, ...]
) -> Response:
    """Identity first, then a box for each further scope, unless there is only one."""
    words = _descriptions()
    boxes = [(s, words.get(s, s), s in had) for s in flow.boxes]
    plain = [
        (s, words.get(s, s))
        for s in flow.scopes
        if s not in flow.boxes and s not in SIGN_IN
    ]
    return page(
        "consent.html",
        flow=flow_id,
        client=flow.client.id,
        account=account,
        boxes=boxes,
        plain=plain,
        signs_in=bool(set(flow.scopes) & SIGN_IN),
    )


def refusal(error: PageError) -> Response:
    return page(
        "error.html",
        error.code,
        code=error.code,
        error=error.error,
        sentence=error.sentence,
    )


def page(template: str, status: int = 200, **values: Any) -> Response:
    """Render a template that nobody may keep or frame."""
    response = html_response(
        _templates().get_template(template).render(**values), status
    )
    response.headers += [
        _NO_STORE,
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "no-referrer"),
    ]
    return response
