"""Labels on and off messages and threads, the trash, deletion (contract 2.7)."""

from __future__ import annotations

from sandbox.gmail.context import Context
from sandbox.gmail.errors import invalid
from sandbox.gmail.labels import check_known
from sandbox.gmail.model import Letter
from sandbox.gmail.render import labelled
from sandbox.gmail.state import Mailbox, plain_id
from sandbox.messages import Json, Response

_LABELS, _IDS = 100, 1000


def modify_message(ctx: Context) -> Json:
    letter = ctx.box.find(ctx.params["id"])
    return labelled(change_labels(ctx.box, letter, *_asked(ctx)))


def batch_modify(ctx: Context) -> Response:
    """Up to 1,000 messages; those that are gone are passed over in silence."""
    keys = _ids(ctx)
    asked = _asked(ctx)
    for letter in _there(ctx.box, keys):
        change_labels(ctx.box, letter, *asked)
    return Response(204)


def modify_thread(ctx: Context) -> Json:
    """Acts on the messages that are there now; later ones inherit nothing."""
    letters = ctx.box.find_thread(ctx.params["id"])
    asked = _asked(ctx)
    drafts = [one for one in letters if "DRAFT" in one.labels]
    for letter in letters:
        if letter not in drafts:
            change_labels(ctx.box, letter, *asked)
    return _thread(ctx)


def trash_message(ctx: Context) -> Json:
    letter = ctx.box.find(ctx.params["id"])
    return labelled(change_labels(ctx.box, letter, ["TRASH"], []))


def untrash_message(ctx: Context) -> Json:
    letter = ctx.box.find(ctx.params["id"])
    return labelled(change_labels(ctx.box, letter, [], ["TRASH"]))


def trash_thread(ctx: Context) -> Json:
    for letter in ctx.box.find_thread(ctx.params["id"]):
        change_labels(ctx.box, letter, ["TRASH"], [])
    return _thread(ctx)


def untrash_thread(ctx: Context) -> Json:
    for letter in ctx.box.find_thread(ctx.params["id"]):
        change_labels(ctx.box, letter, [], ["TRASH"])
    return _thread(ctx)


def delete_message(ctx: Context) -> Response:
    remove(ctx.box, ctx.box.find(ctx.params["id"]))
    return Response(204)


def batch_delete(ctx: Context) -> Response:
    for letter in _there(ctx.box, _ids(ctx)):
        remove(ctx.box, letter)
    return Response(204)


def delete_thread(ctx: Context) -> Response:
    for letter in ctx.box.find_thread(ctx.params["id"]):
        remove(ctx.box, letter)
    return Response(204)


def change_labels(
    box: Mailbox, letter: Letter, added: list[str], removed: list[str]
) -> Letter:
    """Put labels on and off one message; spam and trash leave the inbox.

    Raises:
        ApiError: 400; it is a draft.
    """
    if "DRAFT" in letter.labels and {*added, *removed} - {"TRASH"}:
        raise invalid("Invalid label: labels cannot be applied to drafts.")
    if {"TRASH", "SPAM"} & set(added):
        removed = [*removed, "INBOX"]
    return box.relabel(letter, added, removed)


def remove(box: Mailbox, letter: Letter) -> None:
    """Delete a message for good, and the draft it may be."""
    for draft in list(box.drafts.values()):
        if draft.letter == letter.id:
            box.drop_draft(draft)
    box.delete(letter)


def _asked(ctx: Context) -> tuple[list[str], list[str]]:
    added = list(ctx.body.get("addLabelIds", []))
    removed = list(ctx.body.get("removeLabelIds", []))
    if len(added) > _LABELS or len(removed) > _LABELS:
        raise invalid(f"Too many labels: {_LABELS} at most.")
    if not added and not removed:
        raise invalid("No label add or removes specified")
    if set(added) & set(removed):
        raise invalid("Cannot both add and remove the same label")
    check_known(ctx.box, added, writes=True)
    check_known(ctx.box, removed, writes=True)
    return added, removed


def _ids(ctx: Context) -> list[str]:
    keys = list(ctx.body.get("ids", []))
    if not keys:
        raise invalid("No message ids specified")
    if len(keys) > _IDS:
        raise invalid(f"Too many message ids: {_IDS} at most.")
    return keys


def _there(box: Mailbox, keys: list[str]) -> list[Letter]:
    known = (box.letters.get(plain_id(key)) for key in dict.fromkeys(keys))
    return [letter for letter in known if letter is not None]


def _thread(ctx: Context) -> Json:
    letters = ctx.box.find_thread(ctx.params["id"])
    shown = [labelled(letter) for letter in letters]
    return {"id": letters[0].thread, "messages": shown}
