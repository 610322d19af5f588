"""What goes in and out of the sandbox: requests, answers, and their JSON form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson

Json = dict[str, Any]

JSON_TYPE = "application/json; charset=UTF-8"
HTML_TYPE = "text/html; charset=UTF-8"


@dataclass(slots=True)
class Request:
    """One request, or one part of a multipart batch (then `in_batch` is true)."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes = b""
    in_batch: bool = False
    concurrent: bool = False
    siblings: set[str] = field(default_factory=set)  # what this batch has written
    account: str | None = None
    fault: str | None = None
    route: str | None = None

    def params(self) -> dict[str, list[str]]:
        """The query as lists of values, in the order given."""
        found: dict[str, list[str]] = {}
        for name, value in parse_qsl(self.query, keep_blank_values=True):
            found.setdefault(name, []).append(value)
        return found

    def form(self) -> dict[str, str]:
        """The body as a form; the last of repeated fields counts."""
        text = self.body.decode("utf-8", "replace")
        return dict(parse_qsl(text, keep_blank_values=True))

    def form_lists(self) -> dict[str, list[str]]:
        """The body as a form with every value of repeated fields (check-boxes)."""
        found: dict[str, list[str]] = {}
        text = self.body.decode("utf-8", "replace")
        for name, value in parse_qsl(text, keep_blank_values=True):
            found.setdefault(name, []).append(value)
        return found

    def root(self) -> str:
        """The address the caller used for us, for links in answers."""
        return "http://" + self.headers.get("host", "127.0.0.1")


@dataclass(slots=True)
class Response:
    """One answer; `cut` tells the connection to misbehave after the fact."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON_TYPE
    headers: list[tuple[str, str]] = field(default_factory=list)
    cut: str | None = None
    hold: float = 0.0


def dumps(value: object, *, pretty: bool = True) -> bytes:
    """JSON as Google sends it: indented by two and with a last newline, or compact."""
    if pretty:
        return orjson.dumps(
            value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        )
    return orjson.dumps(value)


def json_response(value: object, status: int = 200, *, pretty: bool = True) -> Response:
    return Response(status, dumps(value, pretty=pretty))


def html_response(text: str, status: int = 200) -> Response:
    return Response(status, text.encode(), HTML_TYPE)


def redirect(address: str) -> Response:
    return Response(302, b"", HTML_TYPE, [("Location", address)])
