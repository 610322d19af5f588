"""Records of the core to rows of the tables, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from crmsync.engine.merge import FieldChange, Note, Winner
from crmsync.engine.plan import (
    Action,
    Choice,
    Item,
    ItemDirection,
    ItemState,
    Steps,
)
from crmsync.records.remote import Base, Link, Remote, Sent
from crmsync.records.values import SideName, Values

_NO_STEPS = Steps()
_DONE = frozenset({ItemState.DONE, ItemState.SKIPPED})


def present(values: Values) -> dict[str, str]:
    """Return the fields that have a value."""
    return {name: value for name, value in values.items() if value}


# ------------------------------------------------------------------ remotes


def remote_to_json(remote: Remote) -> dict[str, Any]:
    """Return a staged record as JSON."""
    return {
        "etag": remote.etag,
        "values": dict(remote.values),
        "record": dict(remote.record),
        "key": remote.key,
        "stamp": remote.stamp,
        "modified_at": remote.modified_at.isoformat() if remote.modified_at else None,
        "previous_ids": list(remote.previous_ids),
        "extras": list(remote.extras),
        **({"is_backlog": True} if remote.is_backlog else {}),
    }


def remote_from_row(row: Any) -> Remote:
    """Return a staged record from its row."""
    data = row.remote
    modified = data.get("modified_at")
    return Remote(
        side=SideName(row.side),
        remote_id=row.remote_id,
        etag=data["etag"],
        values=data["values"],
        record=data["record"],
        key=data["key"],
        is_selected=row.is_selected,
        is_gone=row.is_gone,
        stamp=data["stamp"],
        modified_at=datetime.fromisoformat(modified) if modified else None,
        previous_ids=tuple(data["previous_ids"]),
        extras=tuple(data["extras"]),
        is_backlog=data.get("is_backlog", False),
    )


# ------------------------------------------------------------------ links


def link_to_row(pair_id: str, link: Link) -> dict[str, Any]:
    """Return a link as a row."""
    return {
        "id": link.link_id,
        "pair_id": pair_id,
        "crm_id": link.crm_id,
        "google_id": link.google_id,
        "crm_base": present(link.base.crm),
        "google_base": present(link.base.google),
        "crm_etag": link.crm_etag,
        "google_etag": link.google_etag,
        "crm_stamp": link.crm_stamp,
        "google_stamp": link.google_stamp,
        "created_in": link.created_in.value if link.created_in else "",
        "is_google_edited": link.is_google_edited,
        "has_key": link.has_key,
        "has_sends": bool(link.sends),
        "sends": [
            {
                "side": sent.side.value,
                "etag": sent.etag,
                "values": dict(sent.values),
                "other": dict(sent.other),
                "at": sent.at,
            }
            for sent in link.sends
        ],
        "dormant": link.dormant.value if link.dormant else "",
        "role": link.role,
        "parent": link.parent,
    }


def link_from_row(row: Any) -> Link:
    """Return a link from its row."""
    return Link(
        link_id=row.id,
        crm_id=row.crm_id,
        google_id=row.google_id,
        base=Base(row.crm_base, row.google_base),
        crm_etag=row.crm_etag,
        google_etag=row.google_etag,
        crm_stamp=row.crm_stamp,
        google_stamp=row.google_stamp,
        created_in=SideName(row.created_in) if row.created_in else None,
        is_google_edited=row.is_google_edited,
        has_key=row.has_key,
        sends=tuple(
            Sent(
                SideName(sent["side"]),
                sent["etag"],
                sent["values"],
                sent["other"],
                sent["at"],
            )
            for sent in row.sends
        ),
        dormant=SideName(row.dormant) if row.dormant else None,
        role=row.role,
        parent=row.parent,
    )


# ------------------------------------------------------------------ items


class _AsStored(tuple[FieldChange, ...]):
    """Changes that were not loaded, because nobody looks at them while applying."""

    __slots__ = ()


AS_STORED: tuple[FieldChange, ...] = _AsStored()
"""An item with these changes is as its row says; storing it leaves them there."""


def change_to_json(change: FieldChange) -> dict[str, Any]:
    """Return one field's change as JSON."""
    return {
        "field": change.field,
        "crm_before": change.crm_before,
        "crm_after": change.crm_after,
        "google_before": change.google_before,
        "google_after": change.google_after,
        "winner": change.winner,
        "lost": change.lost,
        "lost_side": change.lost_side,
        "note": change.note,
    }


def change_from_json(data: Mapping[str, Any]) -> FieldChange:
    """Return one field's change from JSON."""
    return FieldChange(
        field=data["field"],
        crm_before=data["crm_before"],
        crm_after=data["crm_after"],
        google_before=data["google_before"],
        google_after=data["google_after"],
        winner=Winner(data["winner"]) if data["winner"] else None,
        lost=data["lost"],
        lost_side=SideName(data["lost_side"]) if data["lost_side"] else None,
        note=Note(data["note"]) if data["note"] else None,
    )


def _plan_to_json(item: Item) -> dict[str, Any]:
    """Return what a later phase needs of an item; little once it is done."""
    plan: dict[str, Any] = {"steps": _steps(item.steps), "key": item.key}
    if item.choices:
        plan["choices"] = [asdict(choice) for choice in item.choices]
    if item.state in _DONE:
        return plan
    return plan | {
        "crm": dict(item.crm),
        "google": dict(item.google),
        "base": _base(item.base),
        **_base_before(item),
        "crm_etag": item.crm_etag,
        "google_etag": item.google_etag,
        "crm_stamp": item.crm_stamp,
        "google_stamp": item.google_stamp,
        "crm_seen": present(item.crm_seen),
        "google_seen": present(item.google_seen),
        "account": item.account,
        "clean_reads": item.clean_reads,
        **_of_activity(item),
    }


def _of_activity(item: Item) -> dict[str, Any]:
    found = {"role": item.role, "parent": item.parent, "guests": item.guests}
    return {name: value for name, value in found.items() if value}


def _steps(steps: Steps) -> dict[str, bool]:
    """Return the steps that are to be done."""
    if steps == _NO_STEPS:
        return {}
    return {name: True for name, is_set in asdict(steps).items() if is_set}


def _base_before(item: Item) -> dict[str, Any]:
    """Return the base before, where it differs: a create has none."""
    is_same = item.base_before is item.base or item.base_before == item.base
    return {} if is_same else {"base_before": _base(item.base_before)}


def _base(base: Base) -> list[dict[str, str]]:
    return [present(base.crm), present(base.google)]


def item_to_row(
    pair_id: str, cycle_id: str, at: datetime, item: Item
) -> dict[str, Any]:
    """Return an item as a row."""
    return item_progress(item) | {
        "pair_id": pair_id,
        "cycle_id": cycle_id,
        "at": at,
        "name": item.name,
        "is_crm_written": bool(item.crm),
        "is_google_written": bool(item.google),
        "has_conflict": item.has_conflict,
        "changes": [change_to_json(change) for change in item.changes],
    }


def item_progress(item: Item) -> dict[str, Any]:
    """Return the columns that change while an item is carried out."""
    return {
        "id": item.item_id,
        "action": item.action.value,
        "direction": item.direction.value,
        "state": item.state.value,
        "reason": item.reason,
        "link_id": item.link_id,
        "crm_id": item.crm_id,
        "google_id": item.google_id,
        "is_crm_deselected": item.steps.deselect_crm,
        "is_google_deselected": item.steps.deselect_google,
        "plan": _plan_to_json(item),
        "sent_at": item.sent_at,
        "error": dict(item.error) if item.error else None,
    }


def item_from_row(row: Any) -> Item:
    """Return an item from its row, which may lack the changes."""
    plan = row.plan
    base = plan.get("base", [{}, {}])
    before = plan.get("base_before", base)
    changes = getattr(row, "changes", None)
    return Item(
        item_id=row.id,
        action=Action(row.action),
        direction=ItemDirection(row.direction),
        state=ItemState(row.state),
        reason=row.reason,
        link_id=row.link_id,
        crm_id=row.crm_id,
        google_id=row.google_id,
        name=row.name,
        crm=plan.get("crm", {}),
        google=plan.get("google", {}),
        base=Base(base[0], base[1]),
        base_before=Base(before[0], before[1]),
        crm_etag=plan.get("crm_etag", ""),
        google_etag=plan.get("google_etag", ""),
        crm_stamp=plan.get("crm_stamp", ""),
        google_stamp=plan.get("google_stamp", ""),
        crm_seen=plan.get("crm_seen", {}),
        google_seen=plan.get("google_seen", {}),
        steps=Steps(**plan.get("steps", {})),
        changes=AS_STORED
        if changes is None
        else tuple([change_from_json(change) for change in changes]),
        choices=choices_from_json(plan.get("choices", ())),
        key=plan.get("key", ""),
        account=plan.get("account", ""),
        role=plan.get("role", ""),
        parent=plan.get("parent", ""),
        guests=plan.get("guests", 0),
        sent_at=row.sent_at,
        clean_reads=plan.get("clean_reads", 0),
        error=row.error,
    )


def choices_from_json(data: Sequence[Mapping[str, str]]) -> tuple[Choice, ...]:
    """Return a held item's candidates."""
    return tuple(Choice(c["record_id"], c["name"], c.get("facts", "")) for c in data)
