"""Google's recurrence lines <-> the neutral form of `records.recurrence` (CAL-17).

In the neutral form the times of EXDATE and RDATE are local to the series' zone, UNTIL
is in UTC, and of timeless series all are dates. What the form has no words for is
named, so that the cycle sets the series aside.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from functools import lru_cache

from crmsync.connectors.google.mapping.when import instant, zone_of
from crmsync.records.activities import is_timeless
from crmsync.records.recurrence import canonical_rule

_KNOWN = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
_TIMES = ("BYHOUR", "BYMINUTE", "BYSECOND")
_SKIPPED = frozenset({"DTSTART", "DTEND", "DURATION"})


class _OddError(ValueError):
    """A line that the neutral form does not know."""


@dataclass(frozen=True, slots=True)
class Repeats:
    """What an event's recurrence says.

    Attributes:
        lines: in the neutral form; as they came where they are odd.
        odd: why the series can not be synchronised, "" if it can.
    """

    lines: str = ""
    odd: str = ""


@dataclass(frozen=True, slots=True)
class _Frame:
    """What times in the lines are relative to.

    Attributes:
        zone: of the series.
        start: local, of the first occurrence; None for timeless series.
    """

    zone: tzinfo
    start: datetime | None

    @classmethod
    def of(cls, start: str, zone: str) -> _Frame:
        where = zone_of(zone or "UTC") or UTC
        if is_timeless(start):
            return cls(where, None)
        return cls(where, instant(start).astimezone(where).replace(tzinfo=None))


def read_repeats(lines: object, start: str, zone: str) -> Repeats:
    """Return what an event's `recurrence` says; never fails.

    Args:
        lines: as Google shows them.
        start: of the series, as our records have it.
        zone: in which it repeats.
    """
    if not isinstance(lines, list):
        return Repeats(odd="Its recurrence is malformed.") if lines else Repeats()
    texts = tuple(str(line).strip() for line in lines if str(line).strip())
    return _read_lines(texts, start, zone)


@lru_cache(maxsize=4096)
def _read_lines(texts: tuple[str, ...], start: str, zone: str) -> Repeats:
    """Return what the lines say; a page's series are asked about twice."""
    try:
        return Repeats(_read(texts, _Frame.of(start, zone)))
    except _OddError as error:
        return Repeats("\n".join(texts), str(error))
    except (ValueError, OverflowError):
        return Repeats("\n".join(texts), "Its recurrence can not be read.")


def _read(texts: Iterable[str], frame: _Frame) -> str:
    rules: list[str] = []
    dates: list[str] = []
    for text in texts:
        head, _, value = text.partition(":")
        name, *options = head.split(";")
        name = name.upper()
        if name == "RRULE":
            rules.append(f"RRULE:{_read_rule(value.upper(), frame)}")
        elif name in {"EXDATE", "RDATE"}:
            found = [_read_date(part, options, frame) for part in value.split(",")]
            dates.append(f"{name}:{','.join(found)}")
        elif name not in _SKIPPED:
            raise _OddError(f"Its recurrence has a line of the kind {name[:20]}.")
    if len(rules) > 1:
        raise _OddError("It repeats by more than one rule.")
    found_lines = canonical_rule("\n".join([*rules, *dates]))
    _check(found_lines, frame)
    return found_lines


def _check(lines: str, frame: _Frame) -> None:
    """Let the library that expands series say whether it can expand this one."""
    from dateutil.rrule import rrulestr

    rule = next((x for x in lines.splitlines() if x.startswith("RRULE:")), "")
    if rule:
        start = frame.start or datetime(2026, 1, 1)  # noqa: DTZ001  local times have no zone
        rrulestr(rule.replace("Z", ""), dtstart=start)


def _read_rule(value: str, frame: _Frame) -> str:
    parts = dict(part.partition("=")[::2] for part in value.split(";") if part)
    if parts.get("FREQ") not in _KNOWN:
        raise _OddError(f"It repeats {parts.get('FREQ', 'somehow').lower()[:20]}.")
    if any("," in parts.get(name, "") for name in _TIMES):
        raise _OddError("It takes place several times a day.")
    if int(parts.get("INTERVAL", "1")) < 1:
        raise _OddError("It repeats without any time between.")
    if "UNTIL" in parts:
        parts["UNTIL"] = _read_until(parts["UNTIL"], frame)
    return ";".join(f"{name}={text}" for name, text in parts.items())


def _read_until(text: str, frame: _Frame) -> str:
    """Return the end of a rule: in UTC, or as a date for timeless series.

    For a series with a time of day, a date is that day's first instant, as the
    libraries read it that expand series.
    """
    if frame.start is None:
        return _basic_day(date.fromisoformat(text[:8]))
    if "T" not in text:
        last = datetime.combine(date.fromisoformat(text), time())
        at = last.replace(tzinfo=frame.zone)
    else:
        local = datetime.fromisoformat(text.rstrip("Z"))
        at = local.replace(tzinfo=UTC if text.endswith("Z") else frame.zone)
    return f"{_basic(at.astimezone(UTC).replace(tzinfo=None))}Z"


def _read_date(text: str, options: list[str], frame: _Frame) -> str:
    text = text.strip().upper()
    if "/" in text or "VALUE=PERIOD" in map(str.upper, options):
        raise _OddError("It has dates with durations of their own.")
    if frame.start is None:
        return _basic_day(date.fromisoformat(text[:8]))
    if "T" not in text:
        return _basic(datetime.combine(date.fromisoformat(text), frame.start.time()))
    local = datetime.fromisoformat(text.rstrip("Z"))
    where = UTC if text.endswith("Z") else _zone_in(options) or frame.zone
    if where is not frame.zone:
        local = local.replace(tzinfo=where).astimezone(frame.zone).replace(tzinfo=None)
    return _basic(local)


def _zone_in(options: list[str]) -> tzinfo | None:
    for option in options:
        name, _, value = option.partition("=")
        if name.upper() == "TZID":
            found = zone_of(value.strip('"'))
            if found is None:
                raise _OddError(f"The time zone {value[:40]} is not known.")
            return found
    return None


def _basic(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("-", "").replace(":", "")


def _basic_day(day: date) -> str:
    return day.isoformat().replace("-", "")


# ------------------------------------------------------------------ writing


def write_repeats(lines: str, start: str, zone: str) -> list[str]:
    r"""Return Google's recurrence lines for the neutral form.

    >>> write_repeats("RRULE:FREQ=DAILY\nEXDATE:20261124T090000", "T", "Asia/Tokyo")
    ['EXDATE;TZID=Asia/Tokyo:20261124T090000', 'RRULE:FREQ=DAILY']
    """
    return [_write(line, start, zone) for line in canonical_rule(lines).splitlines()]


def _write(line: str, start: str, zone: str) -> str:
    name, _, value = line.partition(":")
    if name not in {"EXDATE", "RDATE"}:
        return line
    if is_timeless(start):
        return f"{name};VALUE=DATE:{value}"
    if zone in {"", "UTC"}:
        return f"{name}:" + ",".join(f"{part}Z" for part in value.split(","))
    return f"{name};TZID={zone}:{value}"
