"""The built-in CRM's activities as iCalendar, for a library that expands them.

Nothing of the product's own expansion is used here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import recurring_ical_events
from icalendar import Calendar

from crm.activityrows import ActivityRow

Shown = Counter[tuple[str, int, str]]
"""Start (a date, or an instant in UTC), minutes and subject of what takes place."""


def calendar_of(rows: Iterable[ActivityRow]) -> Calendar:
    """Return live activities as a calendar."""
    listed = list(rows)
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:crm"]
    for row in listed:
        if not row.is_cancelled:
            lines += _event(row, listed)
    return Calendar.from_ical("\r\n".join([*lines, "END:VCALENDAR", ""]))


def shown_by_crm(
    rows: Iterable[ActivityRow], since: datetime, until: datetime
) -> Shown:
    """Return what takes place between two instants."""
    found = recurring_ical_events.of(calendar_of(rows)).between(since, until)
    shown: Shown = Counter()
    for one in found:
        start, end = one["DTSTART"].dt, one["DTEND"].dt
        if since <= _instant(start) < until:
            key = (_text(start), _minutes(start, end), str(one.get("SUMMARY", "")))
            shown[key] += 1
    return shown


def shown_by_google(
    events: Iterable[dict[str, Any]], since: datetime, until: datetime
) -> Shown:
    """Return what a listing of single events shows between two instants."""
    shown: Shown = Counter()
    for event in events:
        start, end = _moment(event["start"]), _moment(event["end"])
        if since <= _instant(start) < until:
            key = (_text(start), _minutes(start, end), event.get("summary", ""))
            shown[key] += 1
    return shown


def _event(row: ActivityRow, rows: Iterable[ActivityRow]) -> Iterator[str]:
    zone = row.values["zone"] or "UTC"
    start = row.values["start"]
    end = datetime.fromisoformat(start) + timedelta(minutes=int(row.values["duration"]))
    last = end.date().isoformat() if "T" not in start else end.isoformat()
    yield from ("BEGIN:VEVENT", "DTSTAMP:20260101T000000Z")
    yield f"UID:{row.parent_id or row.id}"
    yield f"SUMMARY:{row.values['subject']}"
    yield _line("DTSTART", start, zone)
    yield _line("DTEND", last, zone)
    if row.parent_id:
        yield _line("RECURRENCE-ID", row.slot, zone)
    for line in row.values["recurrence"].splitlines():
        name, _, value = line.partition(":")
        if name == "RRULE":
            yield line
        else:
            kind = ";VALUE=DATE" if "T" not in start else f";TZID={zone}"
            yield f"{name}{kind}:{value}"
    for child in rows:
        if child.parent_id == row.id and child.is_cancelled:
            yield _line("EXDATE", child.slot, zone)
    yield "END:VEVENT"


def _line(name: str, start: str, zone: str) -> str:
    if "T" not in start:
        return f"{name};VALUE=DATE:{date.fromisoformat(start):%Y%m%d}"
    local = datetime.fromisoformat(start).astimezone(ZoneInfo(zone))
    return f"{name};TZID={zone}:{local:%Y%m%dT%H%M%S}"


def _moment(moment: dict[str, str]) -> date:
    if "date" in moment:
        return date.fromisoformat(moment["date"])
    return datetime.fromisoformat(moment["dateTime"])


def _instant(at: date) -> datetime:
    if isinstance(at, datetime):
        return at.astimezone(UTC)
    return datetime(at.year, at.month, at.day, tzinfo=UTC)


def _text(at: date) -> str:
    if isinstance(at, datetime):
        return f"{at.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
    return at.isoformat()


def _minutes(start: date, end: date) -> int:
    return int((_instant(end) - _instant(start)).total_seconds()) // 60
