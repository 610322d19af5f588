"""history.list: what has changed since a point (contract 2.9)."""

from __future__ import annotations

from bisect import bisect_right

from sandbox.gmail.context import Context
from sandbox.gmail.errors import invalid, not_found
from sandbox.gmail.model import Change
from sandbox.gmail.reads import page_size
from sandbox.messages import Json
from sandbox.tokens import fingerprint, pack, unpack

_FREE = ("pageToken", "fields", "prettyPrint", "alt", "key")
_SLOTS = {
    "messageAdded": "messagesAdded",
    "messageDeleted": "messagesDeleted",
    "labelAdded": "labelsAdded",
    "labelRemoved": "labelsRemoved",
}


def list_history(ctx: Context) -> Json:
    """The records after `startHistoryId`, by rising id.

    Raises:
        ApiError: 400, no usable start; 404, it is too old, or was never given out.
    """
    size = page_size(ctx)
    start = ctx.params.get("startHistoryId", "")
    if not start.isdecimal():
        raise invalid("Missing/invalid parameter: startHistoryId")
    box = ctx.box
    box.forget_history()
    if not box.oldest <= int(start) <= box.history:
        raise not_found()
    after, number = _place(ctx, int(start))
    first = bisect_right(box.changes, after, key=lambda change: change.id)
    fits = [change for change in box.changes[first:] if _fits(ctx, change)]
    answer: Json = {}
    # Every other page may be empty and yet not be the last one.
    is_empty = ctx.switches.mail_empty_pages and number % 2 == 0
    page = [] if is_empty else fits[:size]
    if page:
        answer["history"] = [_shown(change) for change in page]
    answer["historyId"] = str(box.history)
    if is_empty or len(fits) > len(page):
        last = page[-1].id if page else after
        answer["nextPageToken"] = pack({"a": last, "n": number + 1, "f": _stamp(ctx)})
    return answer


def _place(ctx: Context, start: int) -> tuple[int, int]:
    text = ctx.params.get("pageToken")
    if text is None:
        return start, 0
    state = unpack(text)
    if state is None or state.get("f") != _stamp(ctx):
        raise invalid("Invalid pageToken")
    return int(state["a"]), int(state["n"])


def _stamp(ctx: Context) -> str:
    return fingerprint({k: v for k, v in sorted(ctx.params.items()) if k not in _FREE})


def _fits(ctx: Context, change: Change) -> bool:
    """`labelId` looks at the labels afterwards, so that its removal is missed."""
    kinds = ctx.params.get("historyTypes")
    if kinds and change.kind not in kinds:
        return False
    label = ctx.params.get("labelId")
    return label is None or label in change.labels


def _shown(change: Change) -> Json:
    bare = {"id": change.letter, "threadId": change.thread}
    labelled: Json = {**bare}
    if change.labels:
        labelled["labelIds"] = list(change.labels)
    entry: Json = {"message": labelled}
    if change.changed:
        entry["labelIds"] = list(change.changed)
    return {"id": str(change.id), "messages": [bare], _SLOTS[change.kind]: [entry]}
