"""labels: names, conflicts, colours, counts (contract 2.6)."""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from functools import lru_cache

import orjson
from googleapiclient.discovery_cache import get_static_doc

from sandbox.gmail.context import Context
from sandbox.gmail.errors import invalid, label_conflict, not_found
from sandbox.gmail.model import FIXED, SYSTEM, Label
from sandbox.gmail.state import Mailbox
from sandbox.messages import Json, Response

_LONGEST = 225
_SLOTS = {
    "messageListVisibility": "in_messages",
    "labelListVisibility": "in_list",
    "color": "color",
}
_RESERVED = frozenset(name.casefold() for name in SYSTEM) | {
    "all mail",
    "chats",
    "draft",
    "drafts",
    "important",
    "muted",
    "scheduled",
    "sent mail",
    "snoozed",
}


@lru_cache(maxsize=1)
def palette() -> frozenset[str]:
    """The colours that labels may have; Google's document lists them."""
    doc = orjson.loads(get_static_doc("gmail", "v1"))
    colors = doc["schemas"]["LabelColor"]["properties"]
    return frozenset(re.findall("#[0-9a-f]{6}", colors["textColor"]["description"]))


def list_labels(ctx: Context) -> Json:
    return {"labels": [_bare(label) for label in ctx.box.labels.values()]}


def get_label(ctx: Context) -> Json:
    label = _find(ctx)
    return _full(label) | _counts(ctx.box, label)


def create_label(ctx: Context) -> Json:
    return _full(make_label(ctx.box, ctx.body))


def update_label(ctx: Context) -> Json:
    """PUT: the whole label; what is not given falls back."""
    label = _own(ctx)
    fields = checked(ctx.box, ctx.body, label)
    return _full(ctx.box.put_label(Label(label.id, **fields)))


def patch_label(ctx: Context) -> Json:
    label = _own(ctx)
    body = {"name": label.name, **ctx.body}
    fields = checked(ctx.box, body, label)
    for name, slot in _SLOTS.items():
        if name not in ctx.body:
            fields[slot] = getattr(label, slot)
    return _full(ctx.box.put_label(replace(label, **fields)))


def delete_label(ctx: Context) -> Response:
    ctx.box.drop_label(_own(ctx))
    return Response(204)


def make_label(box: Mailbox, body: Json) -> Label:
    """A new label of the user's.

    Raises:
        ApiError: 400, name or colour; 409, the name is taken.
    """
    if len(box.labels) >= box.env.switches.mail_labels:
        raise invalid("Too many labels.")
    fields = checked(box, body, None)
    return box.put_label(Label(f"Label_{1 + secrets.randbelow(10**18)}", **fields))


def ensured(box: Mailbox, name: str) -> Label:
    """The label of that name; it and those above it are made if they are new."""
    above, slash, _ = name.rpartition("/")
    if slash:
        ensured(box, above)
    return box.label_named(name) or make_label(box, {"name": name})


def checked(box: Mailbox, body: Json, before: Label | None) -> Json:
    """The fields of a body.

    Raises:
        ApiError: 400, name or colour; 409, the name is taken.
    """
    name = " ".join(str(body.get("name") or "").split())
    folded = name.casefold()
    if not name or len(name) > _LONGEST or "" in (p.strip() for p in name.split("/")):
        raise invalid("Invalid label name")
    if folded in _RESERVED:
        raise invalid("Invalid label name")
    taken = box.label_named(name)
    if taken is not None and (before is None or taken.id != before.id):
        raise label_conflict(box.env.switches.label_conflict_reason)
    return {
        "name": name,
        "in_messages": body.get("messageListVisibility", "show"),
        "in_list": body.get("labelListVisibility", "labelShow"),
        "color": _color(body.get("color")),
    }


def check_known(box: Mailbox, keys: list[str], *, writes: bool) -> list[str]:
    """Label ids of a request.

    Raises:
        ApiError: 400; one is unknown, or nobody may write it.
    """
    for key in keys:
        if key not in box.labels or (writes and key in FIXED):
            raise invalid(f"Invalid label: {key}")
    return keys


def _color(given: Json | None) -> Json:
    if not given:
        return {}
    names = ("textColor", "backgroundColor")
    if any(str(given.get(name, "")).lower() not in palette() for name in names):
        raise invalid("Label color is not on the allowed color palette.")
    return {name: str(given[name]).lower() for name in names}


def _find(ctx: Context) -> Label:
    label = ctx.box.labels.get(ctx.params["id"])
    if label is None:
        raise not_found()
    return label


def _own(ctx: Context) -> Label:
    label = _find(ctx)
    if label.is_system:
        raise invalid("Invalid request: system labels cannot be changed.")
    if ctx.body.get("id", label.id) != label.id:
        raise invalid("Invalid label id")
    return label


def _bare(label: Label) -> Json:
    """As lists show it: without counts and colour."""
    shown: Json = {"id": label.id, "name": label.name}
    if label.in_messages:
        shown["messageListVisibility"] = label.in_messages
    if label.in_list:
        shown["labelListVisibility"] = label.in_list
    shown["type"] = "system" if label.is_system else "user"
    return shown


def _full(label: Label) -> Json:
    return _bare(label) | ({"color": label.color} if label.color else {})


def _counts(box: Mailbox, label: Label) -> Json:
    having = [one for one in box.letters.values() if label.id in one.labels]
    unread = [one for one in having if "UNREAD" in one.labels]
    return {
        "messagesTotal": len(having),
        "messagesUnread": len(unread),
        "threadsTotal": len({one.thread for one in having}),
        "threadsUnread": len({one.thread for one in unread}),
    }
