"""What a user has to do between two days: activities, series expanded.

Series are expanded within the days that are asked for, never beyond. Personal
activities of others are shown as busy (WEB-3); what the user declined is not shown
(CAL-13), nor what is completed, but for to-dos.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy import Connection

from crm import activitystore
from crm.activityfeed import ids_of
from crm.activityfields import DECLINED, FIELDS, PERSONAL, TODO, end_of, parse_start
from crm.activityrows import ActivityRow
from crm.tables import Activity

MAX_DAYS = 400
MOST = 5000
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One thing in a calendar.

    Attributes:
        row: the activity, series or differing occurrence behind it.
        slot: of a series: which occurrence this is; else "".
        start, end: instants; of a timeless one, midnights in UTC.
        is_busy: only the time may be shown.
    """

    row: ActivityRow
    slot: str
    start: datetime
    end: datetime
    is_busy: bool = False

    @property
    def is_timeless(self) -> bool:
        """Whether it takes days, not hours."""
        return "T" not in self.row.values["start"]

    @property
    def series_id(self) -> str:
        """The id of its series, "" for a single activity."""
        return (self.row.parent_id or self.row.id) if self.slot else ""

    def days(self, zone: ZoneInfo) -> tuple[date, date]:
        """Return the first and the last local day that it touches."""
        place = UTC if self.is_timeless else zone
        first = self.start.astimezone(place)
        last = max(self.end.astimezone(place) - timedelta(seconds=1), first)
        return first.date(), last.date()


def occurrences(
    conn: Connection,
    user_id: str,
    first: date,
    last: date,
    *,
    zone: ZoneInfo,
    viewer: str = "",
) -> list[Occurrence]:
    """Return what touches the days from `first` to `last` in a zone, by time.

    Args:
        conn: the open unit of work.
        user_id: whose activities, as leader or member.
        first: the first day.
        last: the last day; at most `MAX_DAYS` later.
        zone: where the days begin and end.
        viewer: who looks; "" is the user.

    Raises:
        ValueError: if the span is too long or ends before it begins.
    """
    if not 0 <= (last - first).days <= MAX_DAYS:
        raise ValueError(f"a calendar shows 1 to {MAX_DAYS} days at once")
    begin = datetime.combine(first, time(), UTC) - _DAY
    end = datetime.combine(last, time(), UTC) + 2 * _DAY
    found = [
        item
        for item in islice(between(conn, user_id, begin, end), MOST)
        if _shows(item.row, user_id) and _touches(item, first, last, zone)
    ]
    found.sort(key=lambda item: (item.start, item.end, item.row.id, item.slot))
    if viewer in {"", user_id}:
        return found
    return [_seen(item, viewer) for item in found]


def between(
    conn: Connection, user_id: str, begin: datetime, end: datetime
) -> Iterator[Occurrence]:
    """Yield whatever of a user's overlaps a span of instants, in no order."""
    rows = activitystore.read(conn, ids_of(conn, user_id, *touching(begin, end)))
    series = [row for row in rows if row.is_series]
    taken = {
        (child.parent_id, child.slot)
        for child in activitystore.children_of(conn, [row.id for row in series])
    }
    for row in rows:
        if row.is_series:
            yield from _expanded(row, taken, begin, end)
        elif not row.is_cancelled:
            yield Occurrence(row, row.slot, row.start_at, row.end_at)


def touching(begin: datetime, end: datetime) -> list[sa.ColumnElement[bool]]:
    """Return the condition that an activity or series may overlap a span."""
    return [
        Activity.start_at < end,
        sa.or_(Activity.last_at.is_(None), Activity.last_at >= begin),
    ]


def touches(row: ActivityRow, begin: datetime, end: datetime) -> bool:
    """Whether a single activity or any occurrence of a series overlaps a span."""
    return any(_expanded(row, set(), begin, end)) if row.is_series else True


def _expanded(
    row: ActivityRow,
    taken: set[tuple[str | None, str]],
    begin: datetime,
    end: datetime,
) -> Iterator[Occurrence]:
    minutes = int(row.values["duration"])
    after = max(begin - timedelta(minutes=minutes), row.start_at)
    for slot in row.series.slots(after, end):
        if (row.id, slot) not in taken:
            start = parse_start(slot)
            yield Occurrence(row, slot, start, end_of(start, minutes))


def _shows(row: ActivityRow, user_id: str) -> bool:
    mine = row.participant(user_id)
    if mine is not None and mine.answer == DECLINED:
        return False
    return row.completed_at is None or row.type == TODO


def _touches(item: Occurrence, first: date, last: date, zone: ZoneInfo) -> bool:
    begin, end = item.days(zone)
    return begin <= last and end >= first


def _seen(item: Occurrence, viewer: str) -> Occurrence:
    if sees(item.row, viewer):
        return item
    return replace(item, row=veiled(item.row), is_busy=True)


def sees(row: ActivityRow, viewer: str) -> bool:
    """Whether a user sees more of an activity than that somebody is busy (WEB-3)."""
    return row.type != PERSONAL or viewer in row.user_ids


def veiled(row: ActivityRow) -> ActivityRow:
    """Return an activity without all but its time."""
    kept = {"type", "start", "duration", "zone", "recurrence"}
    values = {name: row.values[name] if name in kept else "" for name in FIELDS}
    return replace(row, values=values, participants=())


def visible_to(rows: Iterable[ActivityRow], viewer: str) -> list[ActivityRow]:
    """Return activities as a user sees them."""
    return [row if sees(row, viewer) else veiled(row) for row in rows]
