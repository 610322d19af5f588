"""Times as Calendar takes, keeps and shows them (contract 5.1, 5.4.10).

Kept is `{"date": …}` or `{"dateTime": <the instant in UTC>, "timeZone"?: …}`, so that
two writings of one time are equal.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from sandbox.events.errors import empty_range, missing
from sandbox.legacy import invalid
from sandbox.messages import Json

_STAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d)(:\d\d)?(?:\.\d+)?([Zz]|[+-]\d\d:\d\d)?\Z"
)
_FRACTION = re.compile(r"T\d\d:\d\d:\d\d(\.\d+)", re.I)
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z")
EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
LATEST = datetime(9999, 12, 30, tzinfo=UTC)


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo | None:
    """The zone of an IANA name; None if there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def parse(text: str) -> datetime | None:
    """An RFC 3339 time, whole seconds; naive if it has no offset."""
    found = _STAMP.match(text)
    if found is None:
        return None
    day, clock, seconds, offset = found.groups()
    offset = "+00:00" if offset in ("Z", "z") else offset or ""
    try:
        return datetime.fromisoformat(f"{day}T{clock}{seconds or ':00'}{offset}")
    except ValueError:
        return None


def utc(moment: datetime) -> datetime:
    """The same instant in UTC; what UTC cannot hold is put at the edge."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return EARLIEST if moment.year < 5000 else LATEST


def text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def stamp(seconds: float) -> str:
    """`created` and `updated`: milliseconds (5.9)."""
    shown = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return shown.replace("+00:00", "Z")


def bound(value: str | None, name: str) -> datetime | None:
    """`timeMin`, `timeMax`, `updatedMin`: an offset is mandatory (5.4).

    Raises:
        ApiError: 400; it is no such time.
    """
    if value is None:
        return None
    moment = parse(value.replace(" ", "+"))
    if moment is None or moment.tzinfo is None:
        raise invalid("Bad Request", reason="badRequest", place=name)
    return utc(moment)


def exact(value: str | None, name: str) -> float | None:
    """`updatedMin`: unlike a window's bound its milliseconds count."""
    moment = bound(value, name)
    if moment is None or value is None:
        return None
    fraction = _FRACTION.search(value)
    return moment.timestamp() + (float(fraction[1]) if fraction else 0.0)


def stored(given: Json, which: str) -> Json:
    """One end of an event in its kept form.

    Raises:
        ApiError: 400; not exactly one of date and dateTime, or none of those.
    """
    day, moment, name = given.get("date"), given.get("dateTime"), given.get("timeZone")
    if day is None and moment is None:
        raise missing(f"{which} time")
    if day is not None and moment is not None:
        raise invalid(f"Invalid {which} time: both date and dateTime are set.")
    if name is not None and zone(name) is None:
        raise invalid(f"Invalid time zone definition for {which} time.")
    if moment is None:
        if not _is_date(str(day)):
            raise invalid(f"Invalid value for: Invalid format: {day!r}")
        return {"date": day}
    found = parse(moment)
    if found is None:
        raise invalid(f"Invalid value for: Invalid format: {moment!r}")
    if found.tzinfo is None:
        if name is None:
            raise missing(f"time zone definition for {which} time")
        found = found.replace(tzinfo=zone(name))
    kept: Json = {"dateTime": text(utc(found))}
    if name is not None:
        kept["timeZone"] = name
    return kept


def check_pair(start: Json, end: Json) -> None:
    """Both dates or both times, and the end not before the start.

    Raises:
        ApiError: 400; a day needs an end on the next day, it is exclusive.
    """
    if ("date" in start) != ("date" in end):
        raise invalid("The start and end times must either both be date or dateTime.")
    if "date" in start and end["date"] <= start["date"]:
        raise empty_range()
    if "dateTime" in start and end["dateTime"] < start["dateTime"]:
        raise empty_range()


def instant(kept: Json, home: tzinfo) -> datetime:
    """The instant in UTC; a day begins at midnight of the calendar's zone."""
    if "date" in kept:
        day = datetime.fromisoformat(kept["date"])
        return utc(day.replace(tzinfo=home))
    return datetime.fromisoformat(kept["dateTime"].replace("Z", "+00:00"))


def shown(kept: Json, home: tzinfo) -> Json:
    """As an answer shows it: the offset is that of the answer's zone."""
    if "date" in kept:
        return dict(kept)
    moment = instant(kept, home)
    try:
        local = moment.astimezone(home)
    except OverflowError:
        local = moment
    return {**kept, "dateTime": text(local)}


def days_between(start: str, end: str) -> int:
    return (date.fromisoformat(end) - date.fromisoformat(start)).days


def add_days(day: str, count: int) -> str:
    try:
        return (date.fromisoformat(day) + timedelta(days=count)).isoformat()
    except OverflowError:
        return "9999-12-31"


def _is_date(value: str) -> bool:
    if not _DATE.match(value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True
