"""From a stored message to what an answer shows (contract 2.2, 2.3)."""

from __future__ import annotations

import base64
import secrets
from typing import Any

from sandbox.gmail import mime
from sandbox.gmail.model import Letter
from sandbox.gmail.state import Mailbox
from sandbox.messages import Json
from sandbox.tokens import pack, unpack

_PREFIX = "ANGjdJ"


def reference(letter: Letter) -> Json:
    return {"id": letter.id, "threadId": letter.thread}


def labelled(letter: Letter) -> Json:
    """A message as answers to writes have it: what it is and its labels."""
    shown = reference(letter)
    if letter.labels:
        shown["labelIds"] = list(letter.labels)
    return shown


def message(
    box: Mailbox, letter: Letter, form: str = "full", names: list[str] | None = None
) -> Json:
    shown = {
        **labelled(letter),
        "snippet": letter.snippet,
        "historyId": str(letter.history),
        "internalDate": str(letter.arrived),
        "sizeEstimate": letter.size,
    }
    raw = box.raws[letter.id]
    if form == "raw":
        shown["raw"] = encoded(raw)
    if form == "metadata":
        wanted = {name.casefold() for name in names or ()}
        listed = mime.headers(raw)
        if wanted:
            listed = [pair for pair in listed if pair[0].casefold() in wanted]
        payload: Json = {"mimeType": _type(raw)}
        if listed:
            payload["headers"] = _headers(listed)
        shown["payload"] = payload
    if form == "full":
        shown["payload"] = _part(box, letter, mime.tree(raw))
    return shown


def attachment_id(box: Mailbox, letter: Letter, key: str) -> str:
    """Another one with each answer, and not for long (2.3)."""
    ends = box.env.clock.now() + box.env.switches.attachment_id_seconds
    state: Json = {"m": letter.id, "p": key, "t": ends, "n": secrets.token_hex(40)}
    return _PREFIX + pack(state)


def read_attachment_id(text: str) -> Json | None:
    if not text.startswith(_PREFIX):
        return None
    state = unpack(text.removeprefix(_PREFIX))
    return state if state is not None and {"m", "p", "t"} <= state.keys() else None


def encoded(data: bytes) -> str:
    """base64url without padding, which callers must bear (2.3)."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _part(box: Mailbox, letter: Letter, part: mime.Part) -> Json:
    shown: dict[str, Any] = {
        "partId": part.key,
        "mimeType": part.mime_type,
        "filename": part.filename,
    }
    if part.headers:
        shown["headers"] = _headers(part.headers)
    body: Json = {"size": len(part.data)}
    is_large = len(part.data) > box.env.switches.mail_inline_bytes
    if part.is_attachment or is_large:
        body["attachmentId"] = attachment_id(box, letter, part.key)
    elif part.data:
        body["data"] = encoded(part.data)
    shown["body"] = body
    if part.parts:
        shown["parts"] = [_part(box, letter, below) for below in part.parts]
    return shown


def _headers(found: list[tuple[str, str]]) -> list[Json]:
    return [{"name": name, "value": value} for name, value in found]


def _type(raw: bytes) -> str:
    listed = {name.lower(): value for name, value in mime.headers(raw)}
    given = listed.get("content-type", "")
    kind = given.partition(";")[0].strip().lower()
    return kind if "/" in kind else "text/plain"
