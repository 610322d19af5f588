"""Sync History as JSON: what the commands print and the pages show (HIS-1 … HIS-6)."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import parse_qs, urlsplit

from crmsync.engine.merge import FieldChange, Note
from crmsync.engine.reasons import sentence
from crmsync.errors import UsageError
from crmsync.services import proposing, turning
from crmsync.services.app import App
from crmsync.services.telling import cycle_json, iso
from crmsync.storage import codec, history, itemlist, people
from crmsync.storage.people import User

KIND_TYPES = {"contacts": "contact", "calendar": "activity", "tasks": "to-do"}
_KINDS_OF = {
    **{kind: kind for kind in KIND_TYPES},
    **{name: kind for kind, name in KIND_TYPES.items()},
    "activities": "calendar",
    "event": "calendar",
    "todo": "tasks",
    "task": "tasks",
}
_NOTES = {
    Note.TRUNCATED: "Shortened to the length the other side takes.",
    Note.TOO_LONG: "Too long for the other side, and not of a kind that may be cut: "
    "left as it is.",
    Note.COMPANY_EDITED: sentence("company_edited"),
}


def cycles_json(app: App, user: User | None, limit: int = 50) -> list[dict[str, Any]]:
    """Return cycles, newest first; one user's, or everybody's."""
    user_id = user.user_id if user else ""
    rows = history.list_cycles(app.database, user_id=user_id, limit=limit)
    return [cycle_json(row) for row in rows]


def cycle_detail(app: App, cycle_id: str, limit: int | None = None) -> dict[str, Any]:
    """Return a cycle with its items, or the first of them (`history show ID --json`).

    Raises:
        UsageError: if there is no such cycle.
    """
    row = history.cycle_row(app.database, cycle_id)
    items = [
        item_json(item, row.kind)
        for item in history.items_of(app.database, row.id, limit)
    ]
    return cycle_json(row) | {"items": items}


def item_json(row: Any, kind: str) -> dict[str, Any]:
    """Return an item as interfaces.md prints it."""
    changes = [codec.change_from_json(change) for change in row.changes]
    item_type = KIND_TYPES.get(kind, kind)
    crm = {"type": item_type, "id": row.crm_id, "name": row.name}
    google = {"type": item_type, "id": row.google_id}
    return {
        "id": row.id,
        "at": iso(row.at),
        "action": row.action,
        "direction": row.direction,
        "state": row.state,
        "reason": sentence(row.reason),
        "reason_code": row.reason,
        "crm": crm if row.crm_id else {**crm, "id": None},
        "google": google if row.google_id else {**google, "id": None},
        "changes": [_change_json(change) for change in changes],
        "conflict": _conflict_json(changes),
        "joins": {
            "group": bool(row.plan.get("steps", {}).get("select_crm")),
            "label": bool(row.plan.get("steps", {}).get("select_google")),
        },
        "truncated": [c.field for c in changes if c.note is Note.TRUNCATED],
        "choices": [
            {"id": choice.record_id, "name": choice.name, "facts": choice.facts}
            for choice in codec.choices_from_json(row.plan.get("choices", ()))
        ],
        "error": row.error,
    }


def _change_json(change: FieldChange) -> dict[str, Any]:
    return {
        "field": change.field,
        "crm_before": change.crm_before,
        "crm_after": change.crm_after,
        "google_before": change.google_before,
        "google_after": change.google_after,
        "winner": change.winner,
        "lost": change.lost,
        "lost_side": change.lost_side,
        "note": _NOTES[change.note] if change.note else None,
    }


def _conflict_json(changes: list[FieldChange]) -> dict[str, Any] | None:
    """Return what lost, and to whom; `merged` if both sides won something."""
    lost = [change for change in changes if change.is_conflict]
    if not lost:
        return None
    winners = {change.winner for change in lost if change.winner is not None}
    return {
        "winner": next(iter(winners)) if len(winners) == 1 else "merged",
        "lost": [
            {"field": c.field, "side": c.lost_side, "value": c.lost} for c in lost
        ],
    }


def record_story(
    app: App, record_type: str, record_id: str, user: User | None = None
) -> list[dict[str, Any]]:
    """Return what synchronisation did to one record, oldest first (HIS-4).

    Args:
        app: the wired process.
        record_type: `contact`, `activity` or `to-do`.
        record_id: its id in the CRM or in Google.
        user: only what this user's cycles did; None: everybody's.

    Raises:
        UsageError: for a type that has no story.
    """
    kind = _KINDS_OF.get(record_type.casefold(), "")
    if not kind:
        raise UsageError(
            f"There is no record type {record_type!r}; use contact, activity or to-do."
        )
    if not record_id.strip():
        raise UsageError("Name a record: its id in the CRM or in Google.")
    pairs = people.pair_ids(app.database, kind, user.user_id if user else "")
    rows = itemlist.about(app.database, pairs, crm_id=record_id, google_id="")
    if not rows:
        rows = itemlist.about(app.database, pairs, crm_id="", google_id=record_id)
    return [item_json(row, kind) for row in reversed(rows)]


def inbox(app: App, user: User | None) -> list[dict[str, Any]]:
    """Return everything that waits for a person (HIS-6)."""
    user_id = user.user_id if user else ""
    found: list[dict[str, Any]] = []
    held = history.list_cycles(app.database, user_id=user_id, state="held", limit=200)
    for row in held:
        found.append(
            {"what": "held_cycle", "cycle": cycle_json(row), "user": row.email}
        )
    for item in itemlist.open_questions(app.database, user_id):
        what = "company_edited" if item.state == "skipped" else "held_item"
        found.append(
            {"what": what, "user": item.email, "item": item_json(item, item.kind)}
        )
    found += _reauthorise(app, user_id)
    found += _proposals(app, user_id)
    found += _stopped(app, user_id)
    return found


def _stopped(app: App, user_id: str) -> list[dict[str, Any]]:
    return [
        {
            "what": "leader_stopped",
            "leader": found.leader,
            "activities": [dict(one) for one in found.activities],
        }
        for found in turning.stopped(app, user_id)
    ]


def _proposals(app: App, user_id: str) -> list[dict[str, Any]]:
    return [
        {
            "what": "proposal",
            "id": found.proposal_id,
            "user": found.asked.email,
            "by": found.proposer,
            "activity": {"id": found.crm_id, "name": found.name},
            "changes": [dict(change) for change in found.changes],
        }
        for found in proposing.waiting(app, user_id)
    ]


def _reauthorise(app: App, user_id: str) -> list[dict[str, Any]]:
    return [
        {"what": "reauthorise", "service": c.service, "email": c.email}
        for c in people.all_connections(app.database)
        if c.state == "dead" and user_id in {"", c.user_id}
    ]


def record_id_in(text: str) -> str:
    """Return the record id in what a person pasted: an id, or a contact's link."""
    wanted = text.strip()
    if "contacts.google.com" in wanted or "/person/" in wanted:
        return f"people/{wanted.rstrip('/').rsplit('/', 1)[-1].split('?')[0]}"
    for page in ("/contacts/", "/activities/"):
        if page in wanted:
            return wanted.rsplit(page, 1)[-1].split("/")[0].split("?")[0]
    event = parse_qs(urlsplit(wanted).query).get("eid")
    return _event_id(event[0]) if event else wanted


def _event_id(eid: str) -> str:
    """Return the event's id in the `eid` of a Google Calendar link."""
    try:
        text = base64.urlsafe_b64decode(eid + "=" * (-len(eid) % 4)).decode()
    except ValueError:
        return eid
    return text.split(" ")[0] or eid


def trace(app: App, text: str, user: User | None = None) -> list[dict[str, Any]]:
    """Return the way of the record that a text names (HIS-7).

    Raises:
        UsageError: if nothing is known by this text; it says what can be pasted.
    """
    wanted = record_id_in(text)
    story: list[dict[str, Any]] = []
    for kind in KIND_TYPES:
        story = story or record_story(app, kind, wanted, user)
    if not story:
        raise UsageError(
            f"Nothing is known about {text!r}.",
            next_step="Paste the id or the link of a contact, an activity or a to-do, "
            "of the CRM or of Google.",
        )
    return story
