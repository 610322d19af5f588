"""When an event takes place: Google's start and end <-> start, minutes and zone.

Google's `end` is exclusive, and a date and a time of day are never mixed (contract,
5.1). Reading never fails: what can not be told is named in `When.odd`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from crmsync.errors import InvalidRecord
from crmsync.records.activities import DAY, is_timeless

Wire = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class When:
    """What an event's times say.

    Attributes:
        start: as `records.activities` has it, "" if it can not be told.
        minutes: how long it takes.
        zone: the zone that Google names, "" for all-day events.
        odd: why it can not be synchronised, "" if it can.
    """

    start: str = ""
    minutes: int = 0
    zone: str = ""
    odd: str = ""


@lru_cache(maxsize=512)
def zone_of(name: str) -> tzinfo | None:
    """Return a time zone by its IANA or Windows name; None if there is none.

    >>> zone_of("Europe/Berlin"), zone_of("Mars/Olympus")
    (zoneinfo.ZoneInfo(key='Europe/Berlin'), None)
    """
    if name in {"UTC", "Z"}:
        return UTC
    try:
        return ZoneInfo(zone_name(name))
    except (KeyError, ValueError, OSError):
        return None


@lru_cache(maxsize=512)
def zone_name(name: str) -> str:
    """Return the IANA name of a zone that Windows names otherwise.

    >>> zone_name("W. Europe Standard Time")
    'Europe/Berlin'
    """
    if "/" in name or " " not in name:
        return name
    from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

    return WINDOWS_TO_OLSON.get(name, name)


def stamp(at: datetime) -> str:
    """Return an instant as our records have it; years before 1000 keep four digits."""
    moment = at.astimezone(UTC).replace(microsecond=0, tzinfo=None)
    return f"{moment.isoformat()}Z"


def instant(text: str) -> datetime:
    """Return the instant that a record's text names.

    Raises:
        ValueError: it names none.
    """
    found = datetime.fromisoformat(text)
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


# ------------------------------------------------------------------ reading


def read_moment(wire: Any) -> tuple[str, str, str]:
    """Return start, zone and what is odd about one of Google's times.

    >>> read_moment({"dateTime": "2026-03-29T02:30:00+01:00", "timeZone": "UTC"})
    ('2026-03-29T01:30:00Z', 'UTC', '')
    >>> read_moment({"date": "2026-03-29"})
    ('2026-03-29', '', '')
    """
    if not isinstance(wire, Mapping):
        return "", "", "Google shows no start."
    if wire.get("date"):
        try:
            return date.fromisoformat(str(wire["date"])[:10]).isoformat(), "", ""
        except ValueError:
            return "", "", f"{wire['date']} is no date."
    name = zone_name(str(wire.get("timeZone") or ""))
    zone = zone_of(name) if name else UTC
    text = str(wire.get("dateTime") or "")
    try:
        found = datetime.fromisoformat(text)
        at = found if found.tzinfo else found.replace(tzinfo=zone or UTC)
        start = stamp(at)
    except (ValueError, OverflowError):
        return "", name, f"{text or 'Nothing'} is no time of day."
    if zone is None and found.tzinfo is None:
        return start, name, f"The time zone {name} is not known."
    return start, name, ""


def read_when(event: Wire) -> When:
    """Return when an event takes place.

    Zero and negative durations are normalised: a time of day lasts 0 minutes, an
    all-day event one day.
    """
    start, zone, odd = read_moment(event.get("start"))
    end = "" if event.get("endTimeUnspecified") else read_moment(event.get("end"))[0]
    if not start:
        return When("", 0, zone, odd)
    if is_timeless(start):
        return When(start, _days(start, end) * DAY, "", odd)
    return When(start, _minutes(start, end), zone, odd)


def _days(start: str, end: str) -> int:
    try:
        length = date.fromisoformat(end[:10]) - date.fromisoformat(start)
    except ValueError:
        return 1
    return max(1, length.days)


def _minutes(start: str, end: str) -> int:
    if not end or is_timeless(end):
        return 0
    return max(0, int((instant(end) - instant(start)).total_seconds()) // 60)


# ------------------------------------------------------------------ writing


def write_moment(start: str, zone: str = "") -> dict[str, Any]:
    """Return one of Google's times for a PATCH: what is null is cleared.

    >>> write_moment("2026-07-01T07:00:00Z", "Europe/Berlin")["dateTime"]
    '2026-07-01T09:00:00+02:00'

    Raises:
        InvalidRecord: the text names no time.
    """
    try:
        if is_timeless(start):
            day = date.fromisoformat(start).isoformat()
            return {"date": day, "dateTime": None, "timeZone": None}
        at = instant(start)
    except (ValueError, OverflowError):
        raise InvalidRecord(f"The start {start!r} is no time.", ("start",)) from None
    if not zone:
        return {"date": None, "dateTime": stamp(at)}
    where = zone_of(zone)
    if where is None:
        raise InvalidRecord(f"The time zone {zone!r} is not known.", ("zone",))
    try:
        local = at.astimezone(where).isoformat()
    except OverflowError:
        local = stamp(at)
    return {"date": None, "dateTime": local, "timeZone": zone}


def write_when(start: str, duration: str, zone: str = "") -> dict[str, Any]:
    """Return Google's `start` and `end`.

    >>> write_when("2026-11-24", "1440")["end"]["date"]
    '2026-11-25'

    Raises:
        InvalidRecord: the times are none, or outside the calendar.
    """
    first = write_moment(start, zone)
    try:
        minutes = max(0, int(duration or "0"))
        if is_timeless(start):
            days = max(1, -(-minutes // DAY))
            end = (date.fromisoformat(start) + timedelta(days=days)).isoformat()
        else:
            end = stamp(instant(start) + timedelta(minutes=minutes))
    except (ValueError, OverflowError):
        raise InvalidRecord(
            f"The duration of {duration!r} minutes is not possible.", ("duration",)
        ) from None
    return {"start": first, "end": write_moment(end, zone)}


def without_nulls(wire: Any) -> Any:
    """Return a body for an insert: there is nothing yet that could be cleared."""
    if isinstance(wire, Mapping):
        return {k: without_nulls(v) for k, v in wire.items() if v is not None}
    return wire


# ------------------------------------------------------------------ instances


def instance_suffix(slot: str) -> str:
    """Return what Google appends to a series' id for one of its instances.

    >>> instance_suffix("2026-11-24T09:00:00Z"), instance_suffix("2026-11-24")
    ('20261124T090000Z', '20261124')
    """
    return slot.replace("-", "").replace(":", "")


def slot_of_suffix(remote_id: str) -> str:
    """Return the slot that an instance's id names, or "".

    >>> slot_of_suffix("abc_20261124T090000Z"), slot_of_suffix("abc")
    ('2026-11-24T09:00:00Z', '')
    """
    suffix = remote_id.rpartition("_")[2]
    try:
        if len(suffix) == 8 and suffix.isdigit():
            return date.fromisoformat(suffix).isoformat()
        return stamp(datetime.strptime(suffix, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC))
    except ValueError:
        return ""
