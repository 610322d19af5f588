"""A browser as small as can be: follows redirects and fills forms, for the demo.

The demo goes through the consent page over HTTP as a person would: it chooses the
account, ticks all boxes and presses the button that agrees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin

import urllib3

from crmsync.errors import UsageError

_STEPS = 12
_REFUSING = frozenset({"cancel", "deny", "back"})


@dataclass
class _Button:
    name: str
    value: str


@dataclass
class _Form:
    action: str = ""
    method: str = "get"
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[_Button] = field(default_factory=list)


class _Forms(HTMLParser):
    """Reads the forms of a page; every check-box counts as ticked."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[_Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect forms, their fields and their buttons."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            method = given.get("method", "get").lower()
            self.forms.append(_Form(given.get("action", ""), method))
        elif self.forms and tag in {"input", "button"}:
            _add(self.forms[-1], tag, given)


def _add(form: _Form, tag: str, given: Mapping[str, str]) -> None:
    kind = given.get("type", "submit" if tag == "button" else "text")
    name, value = given.get("name", ""), given.get("value", "")
    if kind == "submit":
        form.buttons.append(_Button(name, value))
    elif name:
        form.fields.append((name, value or ("on" if kind == "checkbox" else "")))


class Browser:
    """Walks from the consent address to our callback."""

    def __init__(self) -> None:
        """Begin without cookies."""
        self._pool = urllib3.PoolManager(retries=False)

    def agree(self, url: str, email: str) -> None:
        """Open the consent page and agree as `email`, to the end.

        Raises:
            UsageError: if the page asks for something that no form answers.
        """
        method, body = "GET", None
        for _ in range(_STEPS):
            answer = self._pool.request(
                method,
                url,
                body=body,
                headers={"Content-Type": "application/x-www-form-urlencoded"}
                if body
                else {},
                redirect=False,
            )
            place = answer.headers.get("Location")
            if answer.status in {301, 302, 303, 307} and place:
                method, url, body = "GET", urljoin(url, place), None
                continue
            page = answer.data.decode("utf-8", "replace")
            if "/oauth/callback" in url:
                return
            method, url, body = _submit(url, page, email)
        raise UsageError("The consent page did not lead back to us.")

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()


def _submit(url: str, page: str, email: str) -> tuple[str, str, str | None]:
    reader = _Forms()
    reader.feed(page)
    form = next((f for f in reader.forms if f.buttons), None)
    if form is None:
        raise UsageError("The consent page shows no form. Is the client registered?")
    button = next((b for b in form.buttons if b.value == email), None) or next(
        (b for b in form.buttons if b.value not in _REFUSING), form.buttons[-1]
    )
    fields = [*form.fields, (button.name, button.value)]
    target = urljoin(url, form.action)
    encoded = urlencode([(name, value) for name, value in fields if name])
    if form.method == "post":
        return "POST", target, encoded
    return "GET", f"{target}?{encoded}", None
