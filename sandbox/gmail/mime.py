"""Reading the bytes of a message: headers, the tree of parts, text, the snippet.

Nothing here ever fails: what cannot be read as MIME is one part of plain text.
"""

from __future__ import annotations

import contextlib
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from email.utils import getaddresses

_DEEPEST = 60  # parts below are one attachment; JSON has a limit of depth as well
_SNIPPET = 200
_PREFIX = re.compile(r"^\s*(?:(?:re|fwd?|aw|wg|sv|antw|tr|rif)\s*(?:\[\d+\])?\s*:\s*)+")
_ID = re.compile(r"<[^<>\s]+>")
_TAG = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^>]*>", re.I | re.S)


@dataclass(slots=True)
class Part:
    """One part: its place in the tree, and its bytes as they decode."""

    key: str
    mime_type: str
    filename: str
    headers: list[tuple[str, str]]
    data: bytes = b""
    parts: list[Part] = field(default_factory=list)

    def walk(self) -> Iterator[Part]:
        yield self
        for below in self.parts:
            yield from below.walk()

    def header(self, name: str) -> str:
        return next((v for n, v in self.headers if n.lower() == name), "")

    @property
    def is_attachment(self) -> bool:
        return not self.parts and (
            bool(self.filename) or not self.mime_type.startswith("text/")
        )


def headers(raw: bytes) -> list[tuple[str, str]]:
    """The top headers as they are named, decoded and unfolded."""
    head = re.split(rb"\r?\n\r?\n", raw, maxsplit=1)[0] + b"\n\n"
    return _headers(BytesHeaderParser().parsebytes(head))


def tree(raw: bytes) -> Part:
    """The parts of a message as `format=full` numbers them (2.3)."""
    try:
        return _part(BytesParser().parsebytes(raw), "", 0)
    except (RecursionError, ValueError, LookupError, AttributeError, TypeError):
        body = re.split(rb"\r?\n\r?\n", raw, maxsplit=1)
        data = body[1] if len(body) > 1 else b""
        return Part("", "text/plain", "", headers(raw), data)


def text_of(part: Part) -> str:
    """The text a person would read: plain if there is any, else HTML without tags."""
    found = [p for p in part.walk() if not p.parts and not p.filename]
    plain = [_decoded(p) for p in found if p.mime_type == "text/plain"]
    if plain:
        return "\n".join(plain)
    rich = [_decoded(p) for p in found if p.mime_type == "text/html"]
    return html.unescape(_TAG.sub(" ", "\n".join(rich)))


def snippet(raw: bytes) -> str:
    words = " ".join(text_of(tree(raw))[:4000].split())
    return html.escape(words[:_SNIPPET])


def topic(subject: str) -> str:
    """What the subjects of one thread have in common."""
    folded = " ".join(subject.split()).casefold()
    return _PREFIX.sub("", folded).strip()


def message_ids(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_ID.findall(text)))


def addresses(found: list[tuple[str, str]], *names: str) -> list[str]:
    """The addresses of some headers, folded, each once."""
    values = [value for name, value in found if name.lower() in names]
    try:
        pairs = getaddresses(values)
    except (ValueError, IndexError):
        return []
    return list(dict.fromkeys(a.casefold() for _, a in pairs if "@" in a))


def _part(message: Message, key: str, depth: int) -> Part:
    part = Part(key, message.get_content_type(), _filename(message), _headers(message))
    inside = message.get_payload()
    is_tree = message.get_content_maintype() == "multipart"
    if isinstance(inside, list) and is_tree and depth < _DEEPEST:
        for number, below in enumerate(inside):
            place = f"{key}.{number}" if key else str(number)
            part.parts.append(_part(below, place, depth + 1))
    elif isinstance(inside, list):
        below = [one for one in inside if isinstance(one, Message)]
        part.data = b"\r\n".join(one.as_bytes() for one in below)
    else:
        data = message.get_payload(decode=True)
        part.data = data if isinstance(data, bytes) else b""
    return part


def _filename(message: Message) -> str:
    try:
        return _clean(message.get_filename() or "")
    except (ValueError, LookupError, TypeError):
        return "noname"


def _headers(message: Message) -> list[tuple[str, str]]:
    return [(name, _clean(str(value))) for name, value in message.raw_items()]


def _clean(value: str) -> str:
    text = re.sub(r"\r?\n(?=[ \t])", "", value).strip("\r\n")
    with contextlib.suppress(ValueError, LookupError, TypeError):
        text = str(make_header(decode_header(text)))  # broken words stay as they are
    data = text.encode("utf-8", "surrogateescape")
    return data.decode("utf-8", "replace")


def _decoded(part: Part) -> str:
    found = re.search(r"charset\s*=\s*\"?([\w.:-]+)", part.header("content-type"), re.I)
    try:
        return part.data.decode(found[1] if found else "utf-8", "replace")
    except LookupError:
        return part.data.decode("utf-8", "replace")
