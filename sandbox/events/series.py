"""Recurrence: which occurrences a series has, by python-dateutil.

Expansion is in the wall time of the series' zone, so that nine o'clock stays nine
o'clock; an all-day series has dates only. The first start is always an occurrence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import islice
from typing import Any

from dateutil.rrule import rruleset, rrulestr

from sandbox.events.times import utc, zone
from sandbox.legacy import invalid
from sandbox.messages import Json

MOST = 100_000  # occurrences looked at, however endless the rule
_LINE = re.compile(r"(RRULE|EXRULE|RDATE|EXDATE)((?:;[^:]*)?):(.+)\Z", re.I)
_MOMENT = re.compile(r"(\d{8})(?:T(\d{6})(Z)?)?\Z")
_PARTS = frozenset(
    {
        "FREQ",
        "UNTIL",
        "COUNT",
        "INTERVAL",
        "BYSECOND",
        "BYMINUTE",
        "BYHOUR",
        "BYDAY",
        "BYMONTHDAY",
        "BYYEARDAY",
        "BYWEEKNO",
        "BYMONTH",
        "BYSETPOS",
        "WKST",
    }
)
_FREQUENCIES = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
_SUFFIX = re.compile(r"(.+)_(\d{8}(?:T\d{6}Z)?)\Z")


@dataclass(frozen=True, slots=True)
class Series:
    """The starts of a series, naive in its zone; no zone for whole days."""

    first: datetime
    rules: Any
    zone: tzinfo | None

    def starts(self) -> Iterator[datetime]:
        return islice(iter(self.rules), MOST)

    def instant(self, start: datetime, home: tzinfo) -> datetime:
        return utc(start.replace(tzinfo=self.zone or home))

    def has(self, start: datetime) -> bool:
        for found in self.starts():
            if found >= start:
                return found == start
        return False


def split_id(key: str) -> tuple[str, str] | None:
    """The master's id and the suffix of an instance's id (5.4.7)."""
    found = _SUFFIX.match(key)
    return (found[1], found[2]) if found else None


def instance_suffix(start: datetime, zone_of: tzinfo | None) -> str:
    if zone_of is None:
        return start.strftime("%Y%m%d").zfill(8)
    moment = utc(start.replace(tzinfo=zone_of))
    return f"{moment.year:04d}{moment:%m%dT%H%M%SZ}"


def start_of(suffix: str, zone_of: tzinfo | None) -> datetime | None:
    """The naive start that an instance's suffix names; None if it cannot be one."""
    is_day = len(suffix) == 8
    if is_day != (zone_of is None):
        return None
    try:
        if is_day:
            return datetime.strptime(suffix, "%Y%m%d")  # noqa: DTZ007 - wall time
        moment = datetime.strptime(suffix, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        return moment.astimezone(zone_of).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None


def series_of(shared: Json) -> Series:
    """The series of a stored event.

    Raises:
        ApiError: 400; a line is none that Calendar takes.
    """
    start = shared["start"]
    lines = tuple(shared["recurrence"])
    moment = start.get("date") or start["dateTime"]
    return _series(lines, moment, "" if "date" in start else start["timeZone"])


@lru_cache(maxsize=4096)
def _series(lines: tuple[str, ...], moment: str, name: str) -> Series:
    home = zone(name) if name else None
    first = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    if home is not None:
        first = first.astimezone(home).replace(tzinfo=None)
    rules = rruleset()
    rules.rdate(first)
    for line in lines:
        _take(rules, line, first, home)
    return Series(first, rules, home)


def _take(rules: Any, line: str, first: datetime, home: tzinfo | None) -> None:
    found = _LINE.match(line.strip())
    if found is None:
        raise invalid("Invalid recurrence rule.")
    name, params, value = found[1].upper(), found[2].upper(), found[3]
    if name in ("RRULE", "EXRULE"):
        rule = _rule(value, first, home)
        if rule is not None:
            (rules.rrule if name == "RRULE" else rules.exrule)(rule)
        return
    line_zone = _line_zone(found[2]) or home
    for part in value.split(","):
        text = part.split("/")[0] if "PERIOD" in params else part
        moment = _moment(text.strip(), first, (home, line_zone))
        (rules.rdate if name == "RDATE" else rules.exdate)(moment)


def _line_zone(params: str) -> tzinfo | None:
    found = re.search(r"TZID=([^;:]+)", params, re.I)
    if found is None:
        return None
    named = zone(found[1].strip('"'))
    if named is None:
        raise invalid("Invalid recurrence rule.")
    return named


def _moment(
    text: str, first: datetime, zones: tuple[tzinfo | None, tzinfo | None]
) -> datetime:
    """One date or time of a line, naive in the zone of the series."""
    found = _MOMENT.match(text)
    home, line_zone = zones
    if found is None:
        raise invalid("Invalid recurrence rule.")
    try:
        day = datetime.strptime(found[1], "%Y%m%d")  # noqa: DTZ007 - wall time
        if home is None:
            return day
        if found[2] is None:
            return datetime.combine(day, first.time())
        moment = datetime.strptime(text[:15], "%Y%m%dT%H%M%S")  # noqa: DTZ007 - as above
        from_zone = UTC if found[3] else line_zone
        moment = moment.replace(tzinfo=from_zone).astimezone(home)
    except (ValueError, OverflowError):
        raise invalid("Invalid recurrence rule.")
    return moment.replace(tzinfo=None)


def _rule(value: str, first: datetime, home: tzinfo | None) -> Any:
    parts = dict(_part(text) for text in value.strip().strip(";").split(";"))
    counts = [parts[name] for name in ("COUNT", "INTERVAL") if name in parts]
    if (
        parts.get("FREQ", "").upper() not in _FREQUENCIES
        or ("COUNT" in parts and "UNTIL" in parts)
        or not all(text.isdecimal() and 0 < int(text) < 100_000 for text in counts)
    ):
        raise invalid("Invalid recurrence rule.")
    if "UNTIL" in parts:
        parts["UNTIL"] = _until(parts["UNTIL"], first, home)
    try:
        rule = rrulestr(_text(parts), dtstart=first)
        applies = _applies(parts, first)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError):
        raise invalid("Invalid recurrence rule.")
    return rule if applies else None


def _applies(parts: dict[str, str], first: datetime) -> bool:
    """Whether a rule ever applies; the library would look until the year 9999.

    The calendar repeats every 400 years, so the same rule near the end of time tells.
    """
    late = first.replace(year=9200 + first.year % 400)
    bare = {name: part for name, part in parts.items() if name != "UNTIL"}
    return next(iter(rrulestr(_text(bare), dtstart=late)), None) is not None


def _text(parts: dict[str, str]) -> str:
    text = ";".join(f"{name}={part}" for name, part in parts.items())
    return f"RRULE:{text.upper()}"


def _part(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not value or name.strip().upper() not in _PARTS:
        raise invalid("Invalid recurrence rule.")
    return name.strip().upper(), value.strip()


def _until(text: str, first: datetime, home: tzinfo | None) -> str:
    """The last moment in wall time; a bare date includes its whole day."""
    found = _MOMENT.match(text.upper())
    if found is None:
        raise invalid("Invalid recurrence rule.")
    if home is not None and found[2] is None:
        return f"{found[1]}T235959"
    moment = _moment(text.upper(), first, (home, home))
    return f"{moment.year:04d}{moment:%m%dT%H%M%S}"


def is_endless(lines: list[str]) -> bool:
    rules = [line.upper() for line in lines if line.upper().startswith("RRULE")]
    return any("COUNT=" not in rule and "UNTIL=" not in rule for rule in rules)


def bounded(
    series: Series, home: tzinfo, until: datetime, since: datetime | None
) -> Iterator[datetime]:
    """The starts up to a moment, from a little before another one on."""
    first = None if since is None else since.astimezone(series.zone or home)
    floor = None if first is None else first.replace(tzinfo=None) - timedelta(days=1)
    for start in series.starts():
        if series.instant(start, home) >= until:
            return
        if floor is None or start >= floor:
            yield start
