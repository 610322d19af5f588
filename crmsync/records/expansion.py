"""When a series takes place: its neutral form, expanded between two instants.

Only what asks for it is expanded: open-ended series have no end (CAL-19).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import islice
from typing import cast
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rruleset, rrulestr

from crmsync.records.activities import CANCELLED, is_timeless
from crmsync.records.values import Values

LONGEST = 100_000
"""So many occurrences of one series are looked at, and no more."""


@dataclass(frozen=True, slots=True, order=True)
class Occurrence:
    """One time that a series takes place.

    Attributes:
        start: as an activity's start.
        minutes: how long.
        slot: when it would have been, by the series alone.
    """

    start: str
    minutes: int
    slot: str


def expand(
    series: Values,
    since: datetime,
    until: datetime,
    changes: Iterable[Values] = (),
) -> tuple[Occurrence, ...]:
    """Return when a series, or a single activity, takes place, in order.

    Args:
        series: its values.
        since: the first instant; dates count as midnight in UTC.
        until: the first instant after.
        changes: values of the occurrences that differ from the series.

    Raises:
        ValueError: the recurrence is not in the neutral form.
    """
    minutes = int(series.get("duration") or 0)
    changed = {values.get("slot", ""): values for values in changes}
    found = []
    for slot in _slots(series, since, until):
        if slot not in changed:
            found.append(Occurrence(slot, minutes, slot))
    for slot, values in changed.items():
        start = values.get("start", "")
        if values.get("cancelled") != CANCELLED and since <= _at(start) < until:
            found.append(Occurrence(start, int(values.get("duration") or 0), slot))
    return tuple(sorted(found))


def _at(start: str) -> datetime:
    if is_timeless(start):
        return datetime.combine(date.fromisoformat(start), datetime.min.time(), UTC)
    return datetime.fromisoformat(start).astimezone(UTC)


def _slots(series: Values, since: datetime, until: datetime) -> Iterator[str]:
    """Yield the slots of a series; its own start always is one."""
    start = series.get("start", "")
    zone = ZoneInfo(series.get("zone") or "UTC")
    is_dated = is_timeless(start)
    first = _at(start).astimezone(UTC if is_dated else zone).replace(tzinfo=None)
    last = min(until, _at("9998-12-31")) + timedelta(days=2)
    rules = _rules(series.get("recurrence", ""), first, zone, last)
    for local in islice(rules, LONGEST):
        at = _instant(local, UTC if is_dated else zone)
        if since <= at < until:
            text = at.replace(tzinfo=None).isoformat()
            yield text[:10] if is_dated else f"{text}Z"


def _instant(local: datetime, zone: tzinfo) -> datetime:
    """Return the instant; one that a clock skips is told by the offset before."""
    return local.replace(tzinfo=zone).astimezone(UTC)


def _rules(lines: str, first: datetime, zone: tzinfo, last: datetime) -> rruleset:
    """Return the library's form of neutral lines, in local times.

    Args:
        lines: in the neutral form.
        first: the local start.
        zone: turns UNTIL into a local time.
        last: nothing after it is asked for.
    """
    rules = rruleset()
    rules.rdate(first)
    for line in lines.splitlines():
        name, _, value = line.partition(":")
        if name == "RRULE":
            parts = _parts(value)
            if _applies(_text(parts), first):
                _bound(parts, zone, last)
                rules.rrule(cast("rrule", rrulestr(_text(parts), dtstart=first)))
        elif name in {"EXDATE", "RDATE"}:
            for part in value.split(","):
                at = datetime.fromisoformat(part)
                if "T" not in part:
                    at = datetime.combine(at, first.time())
                (rules.exdate if name == "EXDATE" else rules.rdate)(at)
        else:
            raise ValueError(f"{name} is no line of the neutral form.")
    return rules


def _parts(rule: str) -> dict[str, str]:
    parts = dict(part.partition("=")[::2] for part in rule.split(";"))
    if int(parts.get("INTERVAL", "1")) < 1:
        raise ValueError("A rule repeats after at least one day.")
    return parts


def _text(parts: Mapping[str, str]) -> str:
    return ";".join(f"{name}={value}" for name, value in parts.items())


@lru_cache(maxsize=1024)
def _applies(rule: str, first: datetime) -> bool:
    """Whether a rule applies in the 400 years after which the calendar repeats.

    The library looks for a rule's next date until the year 9999, whatever its end; so
    the same rule is asked late, where these years are all that is left.
    """
    bare = {n: v for n, v in _parts(rule).items() if n not in {"COUNT", "UNTIL"}}
    late = first.replace(year=9200 + first.year % 400)
    return next(iter(rrulestr(_text(bare), dtstart=late)), None) is not None


def _bound(parts: dict[str, str], zone: tzinfo, last: datetime) -> None:
    """Let a rule end with what is asked for, in local time as its start is."""
    ends = [last.astimezone(zone).replace(tzinfo=None)]
    if "UNTIL" in parts:
        until = datetime.fromisoformat(parts["UNTIL"])
        ends.append(
            until.astimezone(zone).replace(tzinfo=None) if until.tzinfo else until
        )
    if "COUNT" not in parts:
        parts["UNTIL"] = min(ends).isoformat().replace("-", "").replace(":", "")
