"""An activity's fields: names, lengths, and what the CRM refuses.

All are texts. `start` is a date (timeless) or an instant in UTC with seconds;
`duration` and `alarm` are minutes; `recurrence` are lines of RFC 5545, whose times are
local to `zone`; `resources` are names, one per line. Of an event elsewhere,
`rooms` are names, and `guest_list` answer, address and name of each guest, one per
line (`participants.guest_facts`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from crm.errors import BadValue
from crm.fields import check_text

TYPES = ("meeting", "call", "personal", "todo", "event")
CALENDAR_TYPES = frozenset({"meeting", "call", "personal"})
"""What becomes an event in other calendars; only these turn into each other."""

TODO = "todo"
PERSONAL = "personal"
ANSWERS = ("", "needsAction", "tentative", "accepted", "declined")
DECLINED = "declined"
DAY = 1440

LIMITS: dict[str, int] = {
    "type": 16,
    "subject": 64,
    "start": 20,
    "duration": 12,
    "zone": 64,
    "recurrence": 4096,
    "location": 255,
    "notes": 32_000,
    "category": 64,
    "priority": 16,
    "phone": 32,
    "alarm": 6,
    "contact_id": 12,
    "account_id": 12,
    "opportunity": 128,
    "ticket": 64,
    "lead": 128,
    "resources": 4096,
    "rooms": 4096,
    "guest_list": 16_000,
    "participant": 255,
    "address": 254,
    "imported": 300,
}
_NO_FIELDS = frozenset({"participant", "address", "imported"})
FIELDS = tuple(name for name in LIMITS if name not in _NO_FIELDS)
MAX_MINUTES = 10 * 366 * DAY
MAX_ALARM = 365 * DAY
YEARS = range(1583, 9000)
"""From the first whole year of our calendar; far ends are for arithmetic."""

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?Z")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone; "" is UTC.

    Raises:
        BadValue: if there is none of that name.
    """
    if name and name not in _zones():
        raise BadValue("zone", f"is not a time zone that is known here: {name}")
    return ZoneInfo(name or "UTC")


def is_timeless(start: str) -> bool:
    """Whether a start is a date without a time of day."""
    return "T" not in start


def parse_start(value: str, field: str = "start") -> datetime:
    """Read a start as an instant; a date is its midnight in UTC.

    Raises:
        BadValue: if it is neither, or lies in no year that the CRM knows.
    """
    if not (_DATE.fullmatch(value) or _INSTANT.fullmatch(value)):
        raise BadValue(field, "is neither a date nor a time in UTC")
    try:
        found = (
            datetime.combine(date.fromisoformat(value), time(), UTC)
            if is_timeless(value)
            else datetime.fromisoformat(value)
        )
    except ValueError:
        raise BadValue(field, "is not a date of the calendar") from None
    if found.year not in YEARS:
        raise BadValue(field, f"must lie between {YEARS[0]} and {YEARS[-1]}")
    return found


def start_text(at: datetime, *, timeless: bool) -> str:
    """Return an instant in the form of a start."""
    plain = at.astimezone(UTC)
    if timeless:
        return plain.date().isoformat()
    return f"{plain.replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def end_of(start: datetime, minutes: int) -> datetime:
    """Return when something of that length ends."""
    return start + timedelta(minutes=minutes)


def _minutes(field: str, value: str, limit: int) -> int:
    if not (value.isascii() and value.isdigit()):
        raise BadValue(field, "is not a number of minutes, 0 or more")
    if int(value) > limit:
        raise BadValue(field, f"is longer than {limit // DAY} days")
    return int(value)


def completed(values: Mapping[str, str], *, old: Mapping[str, str]) -> dict[str, str]:
    """Return all fields with `values` over `old`, times made to fit each other.

    Raises:
        BadValue: if the CRM cannot hold one of them.
    """
    for name, value in values.items():
        if name not in FIELDS:
            raise BadValue(name, "is not a field of an activity")
        check_text(name, value, LIMITS[name])
    full = dict.fromkeys(FIELDS, "") | dict(old) | dict(values)
    if full["type"] not in TYPES:
        raise BadValue("type", f"is none of {', '.join(TYPES)}")
    parse_start(full["start"])
    zone_of(full["zone"])
    if full["alarm"]:
        full["alarm"] = str(_minutes("alarm", full["alarm"], MAX_ALARM))
    full["duration"] = _duration(full, is_given="duration" in values)
    lines = (line.strip() for line in full["resources"].splitlines())
    full["resources"] = "\n".join(dict.fromkeys(filter(None, lines)))
    return full


def _duration(full: Mapping[str, str], *, is_given: bool) -> str:
    timeless = is_timeless(full["start"])
    minutes = _minutes(
        "duration", full["duration"] or ("1440" if timeless else "0"), MAX_MINUTES
    )
    if not timeless:
        return str(minutes)
    if is_given and (minutes % DAY or not minutes):
        raise BadValue("duration", "of a timeless activity is counted in whole days")
    return str(max(-(-minutes // DAY), 1) * DAY)


def columns(values: Mapping[str, str]) -> dict[str, Any]:
    """Return the columns of `crm_activity` that hold full values, times aside."""
    plain: dict[str, Any] = {
        name: values[name] for name in FIELDS if name not in {"start", "duration"}
    }
    plain["duration"] = int(values["duration"])
    plain["is_timeless"] = is_timeless(values["start"])
    plain["start_at"] = parse_start(values["start"])
    plain["end_at"] = end_of(plain["start_at"], plain["duration"])
    plain["alarm"] = int(values["alarm"]) if values["alarm"] else None
    plain["contact_id"] = values["contact_id"] or None
    plain["account_id"] = values["account_id"] or None
    return plain
