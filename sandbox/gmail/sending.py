"""messages.send and drafts (contract 2.4, 2.5, 2.11)."""

from __future__ import annotations

import base64
import binascii
import secrets

from sandbox.gmail import mime
from sandbox.gmail.context import Context
from sandbox.gmail.errors import invalid, not_found
from sandbox.gmail.model import Draft
from sandbox.gmail.post import own_thread
from sandbox.gmail.render import labelled
from sandbox.messages import Json, Response

_LARGEST = 36_700_160
_MISSING = (
    "'raw' RFC822 payload message string or uploading message via /upload/* URL "
    "required"
)


def send_message(ctx: Context) -> Json:
    raw = _raw(ctx.body)
    thread = own_thread(ctx.box, raw, ctx.body.get("threadId", ""))
    return labelled(ctx.office.send(ctx.box, raw, thread))


def create_draft(ctx: Context) -> Json:
    key = f"r{secrets.randbelow(2**62)}"
    return _keep(ctx, key)


def update_draft(ctx: Context) -> Json:
    """Another message takes the place of the one before (2.5)."""
    before = _find(ctx, ctx.params["id"])
    _raw(ctx.body.get("message", {}))
    made = _keep(ctx, before.id, ctx.box.letters[before.letter].thread)
    ctx.box.delete(ctx.box.letters[before.letter])
    return made


def send_draft(ctx: Context) -> Json:
    """The draft goes; what is sent is a new message of the same thread."""
    draft = _find(ctx, ctx.body.get("id", ""))
    letter = ctx.box.letters[draft.letter]
    given = ctx.body.get("message", {})
    raw = _raw(given) if given.get("raw") else ctx.box.raws[letter.id]
    sent = ctx.office.send(ctx.box, raw, letter.thread)
    ctx.box.drop_draft(draft)
    ctx.box.delete(letter)
    return labelled(sent)


def delete_draft(ctx: Context) -> Response:
    draft = _find(ctx, ctx.params["id"])
    ctx.box.drop_draft(draft)
    ctx.box.delete(ctx.box.letters[draft.letter])
    return Response(204)


def _keep(ctx: Context, key: str, thread: str = "") -> Json:
    given = ctx.body.get("message", {})
    raw = _raw(given)
    asked = given.get("threadId", "")
    if asked and asked != thread:
        thread = own_thread(ctx.box, raw, asked)
    letter = ctx.box.add(raw, ["DRAFT"], thread=thread)
    ctx.box.put_draft(Draft(key, letter.id))
    return {"id": key, "message": labelled(letter)}


def _find(ctx: Context, key: str) -> Draft:
    if not key:
        raise invalid("Invalid draft")
    draft = ctx.box.drafts.get(key)
    if draft is None:
        raise not_found()
    return draft


def _raw(given: Json) -> bytes:
    """The bytes of a message that comes in.

    Raises:
        ApiError: 400; there are none, too many, or they have no header.
    """
    text = given.get("raw", "")
    if not text:
        raise invalid(_MISSING)
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise invalid("Invalid value for ByteString")
    if len(raw) > _LARGEST:
        raise invalid("Message too large.")
    if not mime.headers(raw):
        raise invalid(_MISSING)
    return raw
