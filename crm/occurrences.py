"""One occurrence of a series, or all from one on: change, cancel, split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from crm import activities, activitystore, feed
from crm.activities import checked_people, checked_values
from crm.activityrows import ActivityEdit, ActivityRow, NewActivity, Participant
from crm.common import NOBODY, Author, new_id
from crm.errors import BadValue, NotFound


def find(conn: Connection, series_id: str, slot: str) -> ActivityRow | None:
    """Return the row of an occurrence that differs; None if it is as its series."""
    rows = activitystore.children_of(conn, [series_id])
    return next((row for row in rows if row.slot == slot), None)


def require(conn: Connection, series_id: str, slot: str) -> ActivityRow:
    """Return the series that has an occurrence.

    Raises:
        NotFound: if there is no such series, or it has no such occurrence.
    """
    series = activities.get(conn, series_id)
    if not series.is_series or not series.series.has(slot):
        raise NotFound(f"there is no occurrence {slot} of {series_id}")
    return series


@dataclass(frozen=True, slots=True)
class OccurrenceEdit:
    """What to write on one occurrence; None leaves it as it is.

    Attributes:
        sync_key: makes the write idempotent.
        imported: see `ActivityEdit`.
    """

    changes: Mapping[str, str] = field(default_factory=dict)
    participants: tuple[Participant, ...] | None = None
    is_cancelled: bool = False
    sync_key: str | None = None
    imported: str | None = None


def change(
    conn: Connection,
    series_id: str,
    slot: str,
    edit: OccurrenceEdit,
    *,
    by: Author = NOBODY,
) -> ActivityRow:
    """Change one occurrence, or cancel it; the others stay as they are.

    A sync key that is there already answers with the record that has it (ENG-2).

    Raises:
        NotFound: if there is no such occurrence.
        BadValue: if the CRM cannot hold a value; `Imported` if it is only shown here.
    """
    feed.lock(conn)
    known = activitystore.by_sync_key(conn, [edit.sync_key])
    if known:
        return activities.read(conn, known.values())[0]
    series = require(conn, series_id, slot)
    activities.check_source(series, edit.imported)
    changes = _own(edit.changes)
    child = find(conn, series_id, slot)
    if child is not None:
        whole = ActivityEdit(
            child.id,
            changes,
            participants=edit.participants,
            is_cancelled=edit.is_cancelled,
            sync_key=edit.sync_key,
            imported=edit.imported,
        )
        return activities.update_many(conn, [whole], by=by)[0]
    fresh = _new(series, slot, edit.sync_key, by)
    people = fresh.participants if edit.participants is None else edit.participants
    fresh = replace(
        fresh,
        values=checked_values(changes, fresh.values),
        participants=checked_people(people, fresh.leader),
        is_cancelled=edit.is_cancelled,
    )
    activities.check_references(conn, [fresh])
    activitystore.insert(conn, [fresh])
    return fresh


def cancel(
    conn: Connection, series_id: str, slot: str, *, by: Author = NOBODY
) -> ActivityRow:
    """Let one occurrence not take place.

    Raises:
        NotFound: if there is no such occurrence.
    """
    return change(conn, series_id, slot, OccurrenceEdit(is_cancelled=True), by=by)


def _own(changes: Mapping[str, str]) -> dict[str, str]:
    if changes.get("recurrence"):
        raise BadValue("recurrence", "belongs to the series, not to one occurrence")
    return {n: v for n, v in changes.items() if n not in {"recurrence", "type"}}


def _new(
    series: ActivityRow, slot: str, sync_key: str | None, by: Author
) -> ActivityRow:
    at = by.now()
    return replace(
        series,
        id=new_id("V"),
        version=1,
        values={**series.values, "start": slot, "recurrence": ""},
        parent_id=series.id,
        slot=slot,
        sync_key=sync_key or None,
        created_at=at,
        created_by=by.user_id,
        modified_at=at,
        modified_by=by.user_id,
    )


def split(
    conn: Connection,
    series_id: str,
    slot: str,
    *,
    edit: ActivityEdit | None = None,
    by: Author = NOBODY,
) -> ActivityRow:
    """Change an occurrence and all that follow: they become a series of their own.

    Occurrences that differ go along. From the first occurrence on, it is the whole
    series that changes.

    Args:
        conn: the open unit of work.
        series_id: the series.
        slot: the first occurrence that changes.
        edit: what to write on the new series; its id is ignored.
        by: who writes.

    Returns:
        The series that begins with the slot.

    Raises:
        NotFound: if there is no such occurrence.
        BadValue: if the CRM cannot hold a value, or express the series.
    """
    feed.lock(conn)
    series = require(conn, series_id, slot)
    activities.check_source(series, None)
    wanted = replace(edit or ActivityEdit(series_id), activity_id=series_id)
    if _is_first(series, slot):
        return activities.update_many(conn, [wanted], by=by)[0]
    rest = {
        **series.values,
        "start": slot,
        "recurrence": series.series.following(slot).text,
    }
    leader = series.leader if wanted.leader is None else wanted.leader
    people = wanted.participants
    new = NewActivity(
        {**rest, **wanted.changes},
        leader,
        series.participants if people is None else people,
    )
    children = activitystore.children_of(conn, [series.id])
    later = [child for child in children if child.slot >= slot]
    made = activities.create_many(conn, [new], by=by)[0]
    _end(conn, series, slot, by=by)
    followers = [activities.carried(child, series, made) for child in later]
    moved = [
        row
        for child in followers
        if child.completed_at is None and made.is_series
        for row in activities.moved_to(child, made, by=by)
    ]
    activitystore.insert(conn, moved)
    return made


def delete_following(
    conn: Connection, series_id: str, slot: str, *, by: Author = NOBODY
) -> None:
    """Delete an occurrence and all that follow.

    Raises:
        NotFound: if there is no such occurrence.
    """
    feed.lock(conn)
    series = require(conn, series_id, slot)
    activities.check_source(series, None)
    if _is_first(series, slot):
        activities.delete_many(conn, [series_id], by=by)
        return
    _end(conn, series, slot, by=by)


def _is_first(series: ActivityRow, slot: str) -> bool:
    return slot <= series.series.first_slot(series.start_at)


def _end(conn: Connection, series: ActivityRow, slot: str, *, by: Author) -> None:
    """Let a series end before a slot; what differs from it later goes along."""
    ended = ActivityEdit(series.id, {"recurrence": series.series.ended(slot).text})
    activities.update_many(conn, [ended], by=by)
