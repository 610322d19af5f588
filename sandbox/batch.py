"""Multipart batches: many requests in one (contracts 1.2 and 1.3).

Parts run in any order; each is a request of its own to quotas and faults, and the
mutates among them count as concurrent ones.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from random import SystemRandom

from sandbox.errors import ApiError, invalid
from sandbox.messages import Request, Response

LIMIT = 100
_BOUNDARY = re.compile(r'boundary="?([^";]+)"?')
_REQUEST_LINE = re.compile(r"([A-Z]+) (\S+)(?: HTTP/\d\.\d)?\Z")
_random = SystemRandom()

Handler = Callable[[Request], Response]


def run(outer: Request, handle: Handler, limit: int = LIMIT) -> Response:
    """Execute every part and answer with as many parts."""
    try:
        parts = _parts(outer, limit)
    except ApiError as error:
        return error.response()
    order = list(range(len(parts)))
    _random.shuffle(order)
    answers: dict[int, Response] = {}
    mutated = False
    written: set[str] = set()
    for place in order:
        inner, _ = parts[place]
        if isinstance(inner, Response):
            answers[place] = inner
            continue
        inner.concurrent = mutated
        inner.siblings = written
        mutated = mutated or inner.method != "GET"
        answers[place] = handle(inner)
    boundary = "batch_" + secrets.token_urlsafe(18)
    body = b"".join(
        _part(boundary, content_id, answers[place])
        for place, (_, content_id) in enumerate(parts)
    )
    body += f"--{boundary}--\r\n".encode()
    return Response(200, body, f"multipart/mixed; boundary={boundary}")


def _parts(outer: Request, limit: int) -> list[tuple[Request | Response, str]]:
    content_type = outer.headers.get("content-type", "")
    found = _BOUNDARY.search(content_type)
    if not content_type.startswith("multipart/mixed") or found is None:
        raise invalid(
            "Failed to parse batch request, error: 0 items. Content-Type "
            "header must be multipart/mixed with a boundary."
        )
    edge = b"--" + found[1].encode()
    chunks = re.split(rb"(?:\A|\r?\n)" + re.escape(edge), outer.body)
    sections = [c for c in chunks[1:] if not c.startswith(b"--")]
    if not sections:
        raise invalid("Failed to parse batch request, error: 0 items.")
    if len(sections) > limit:
        raise invalid(f"The batch request has more than {limit} parts.")
    return [_section(outer, section) for section in sections]


def _section(outer: Request, section: bytes) -> tuple[Request | Response, str]:
    head, message = _split(section.lstrip(b"\r\n"))
    content_id = _headers(head).get("content-id", "")
    top, body = _split(message)
    lines = top.split("\n", 1)
    line = _REQUEST_LINE.match(lines[0].strip())
    if line is None or not line[2].startswith("/"):
        error = invalid("The request line of a part must have a path-relative URL.")
        return error.response(), content_id
    path, _, query = line[2].partition("?")
    inherited = {k: v for k, v in outer.headers.items() if not k.startswith("content-")}
    inner_headers = _headers(lines[1] if len(lines) > 1 else "")
    return (
        Request(
            method=line[1],
            path=path,
            query=query,
            headers=inherited | inner_headers,
            body=body,
            in_batch=True,
        ),
        content_id,
    )


def _split(data: bytes) -> tuple[str, bytes]:
    """What stands before the first empty line, and what stands after it."""
    pieces = re.split(rb"\r?\n\r?\n", data, maxsplit=1)
    rest = pieces[1] if len(pieces) > 1 else b""
    return pieces[0].decode("utf-8", "replace"), rest


def _headers(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            found[name.strip().lower()] = value.strip()
    return found


def _part(boundary: str, content_id: str, answer: Response) -> bytes:
    """One part; the inner message has CRLF, or the client cannot split it."""
    from http import HTTPStatus

    label = ""
    if content_id:
        inside = content_id.strip().removeprefix("<").removesuffix(">")
        label = f"Content-ID: <response-{inside}>\r\n"
    lines = [
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
        f"Content-Type: {answer.content_type}",
        *(f"{name}: {value}" for name, value in answer.headers),
        f"Content-Length: {len(answer.body)}",
    ]
    head = f"--{boundary}\r\nContent-Type: application/http\r\n{label}\r\n"
    inner = "\r\n".join(lines) + "\r\n\r\n"
    return head.encode() + inner.encode() + answer.body + b"\r\n"
