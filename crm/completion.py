"""Completing activities into the history, and reopening to-dos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from crm import activities, activitystore, feed, occurrences
from crm.activityfields import TODO
from crm.activityrows import ActivityRow
from crm.common import NOBODY, Author, new_id
from crm.errors import BadValue
from crm.tables import HistoryEntry


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """What was done, as it was when it was completed."""

    id: str
    activity_id: str | None
    type: str
    user_id: str
    contact_id: str | None
    account_id: str | None
    subject: str
    location: str
    notes: str
    category: str
    start_at: datetime
    is_timeless: bool
    duration: int
    completed_at: datetime
    completed_by: str


_NAMES = tuple(HistoryRow.__dataclass_fields__)
_SELECT = sa.select(*(getattr(HistoryEntry, name) for name in _NAMES))


def complete(
    conn: Connection, ids: Sequence[str], *, by: Author = NOBODY
) -> list[ActivityRow]:
    """Complete activities, series with all their occurrences, into the history.

    A to-do stays where it is, done; what is completed already stays as it is.

    Raises:
        NotFound: if one does not exist or is deleted.
    """
    feed.lock(conn)
    rows = activities.live(conn, list(dict.fromkeys(ids)))
    fresh = [row for row in rows.values() if row.completed_at is None]
    children = [
        child
        for child in activitystore.children_of(conn, [row.id for row in fresh])
        if child.completed_at is None
    ]
    at = by.now()
    both = [*fresh, *children]
    done = activitystore.rewrite(
        conn, [(row, replace(row, completed_at=at)) for row in both], by=by
    )
    _enter(conn, [row for row in fresh if not row.is_cancelled], by=by)
    after = {row.id: row for row in done}
    return [after.get(item, rows[item]) for item in ids]


def complete_one(
    conn: Connection, series_id: str, slot: str, *, by: Author = NOBODY
) -> ActivityRow:
    """Complete one occurrence of a series; the series goes on.

    Raises:
        NotFound: if there is no such occurrence.
        BadValue: if it is cancelled.
    """
    feed.lock(conn)
    series = activities.get(conn, series_id)
    child = occurrences.find(conn, series_id, slot)
    if child is not None and child.is_cancelled:
        raise BadValue("activity", "is cancelled, so it cannot be completed")
    if child is None or child.completed_at is None:
        # What is only shown here is completed here all the same.
        edit = occurrences.OccurrenceEdit(imported=series.imported or None)
        child = occurrences.change(conn, series_id, slot, edit, by=by)
    return complete(conn, [child.id], by=by)[0]


def reopen(conn: Connection, activity_id: str, *, by: Author = NOBODY) -> ActivityRow:
    """Make a completed to-do open again; it leaves the history (TSK-4).

    Raises:
        NotFound: if it does not exist or is deleted.
        BadValue: if it is no to-do.
    """
    feed.lock(conn)
    row = activities.get(conn, activity_id)
    if row.type != TODO:
        raise BadValue("activity", "is history; only a to-do can be opened again")
    if row.completed_at is None:
        return row
    conn.execute(sa.delete(HistoryEntry).where(HistoryEntry.activity_id == activity_id))
    new = replace(row, completed_at=None)
    return activitystore.rewrite(conn, [(row, new)], by=by)[0]


def history(
    conn: Connection,
    *,
    contact_id: str = "",
    account_id: str = "",
    user_id: str = "",
    limit: int = 200,
) -> list[HistoryRow]:
    """Return what was done, the newest first."""
    statement = (
        _SELECT.where(HistoryEntry.removed_at.is_(None))
        .order_by(HistoryEntry.completed_at.desc(), HistoryEntry.id.desc())
        .limit(limit)
    )
    given = (
        (HistoryEntry.contact_id, contact_id),
        (HistoryEntry.account_id, account_id),
        (HistoryEntry.user_id, user_id),
    )
    for column, value in given:
        if value:
            statement = statement.where(column == value)
    return [HistoryRow(*row) for row in conn.execute(statement)]


def _enter(conn: Connection, rows: Sequence[ActivityRow], *, by: Author) -> None:
    if not rows:
        return
    conn.execute(sa.insert(HistoryEntry), [_entry(row, by) for row in rows])


def _entry(row: ActivityRow, by: Author) -> dict[str, object]:
    values = row.values
    copied = ("type", "subject", "location", "notes", "category")
    return {name: values[name] for name in copied} | {
        "id": new_id("H"),
        "activity_id": row.id,
        "user_id": row.leader,
        "contact_id": values["contact_id"] or None,
        "account_id": values["account_id"] or None,
        "start_at": row.start_at,
        "is_timeless": "T" not in values["start"],
        "duration": int(values["duration"]),
        "completed_at": by.now(),
        "completed_by": by.user_id,
    }
