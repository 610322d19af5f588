"""Reading the lines of a recurrence, and refusing what the CRM cannot express."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from functools import lru_cache
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from crm.activityfields import YEARS, zone_of
from crm.errors import BadValue

FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_PARTS = (
    "FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYMONTH", "BYWEEKNO", "BYYEARDAY",
    "BYMONTHDAY", "BYDAY", "BYSETPOS",
)  # fmt: skip
_TIME = re.compile(r"(\d{8})(?:T(\d{6})(Z?))?")
_MAX_INTERVAL = 10_000
_MAX_COUNT = 100_000
_MAX_DATES = 2000
_FIELD = "recurrence"


class NotExpressible(BadValue):
    """A series is sound, but the CRM has no form for it (CAL-17)."""

    def __init__(self, reason: str) -> None:
        """Complete the sentence "recurrence …"."""
        super().__init__(_FIELD, reason)


@dataclass(frozen=True, slots=True)
class Recurrence:
    """What repeats.

    Attributes:
        parts: of the rule, without COUNT and UNTIL.
        until: the last instant at which an occurrence may begin.
        added, left_out: dates, local to the zone, without a name of it.
    """

    zone: ZoneInfo
    timeless: bool
    parts: Mapping[str, str]
    count: int | None
    until: datetime | None
    added: tuple[datetime, ...]
    left_out: tuple[datetime, ...]

    @property
    def rule(self) -> str:
        """The rule without its end."""
        return ";".join(f"{name}={value}" for name, value in self.parts.items())

    @property
    def text(self) -> str:
        """The lines in one form: UNTIL in UTC, other times local to the zone."""
        parts = dict(self.parts)
        if self.count is not None:
            parts["COUNT"] = str(self.count)
        if self.until is not None:
            shape = "%Y%m%d" if self.timeless else "%Y%m%dT%H%M%SZ"
            parts["UNTIL"] = f"{self.until:{shape}}"
        rule = ";".join(f"{name}={parts[name]}" for name in _PARTS if name in parts)
        left_out = self._dates("EXDATE", self.left_out)
        added = self._dates("RDATE", self.added)
        return "\n".join([*left_out, *added, f"RRULE:{rule}"])

    def _dates(self, name: str, dates: Iterable[datetime]) -> list[str]:
        shape = "%Y%m%d" if self.timeless else "%Y%m%dT%H%M%S"
        texts = [f"{item:{shape}}" for item in sorted(set(dates))]
        return [f"{name}:{','.join(texts)}"] if texts else []


@lru_cache(maxsize=4096)
def parse_lines(text: str, zone: str, *, timeless: bool) -> Recurrence:
    """Read the lines of a recurrence.

    Raises:
        BadValue: if they make no sense; `NotExpressible` if the CRM has no form for
            them.
    """
    place = zone_of("" if timeless else zone)
    rules: list[str] = []
    dates: dict[str, list[datetime]] = {"RDATE": [], "EXDATE": []}
    for line in filter(None, map(str.strip, text.splitlines())):
        head, _, value = line.partition(":")
        name, *parameters = head.upper().split(";")
        if name == "RRULE":
            rules.append(value.upper())
        elif name in dates:
            place_of_line = _zone_of_line(head, place)
            dates[name] += _dates(value, parameters, place_of_line, timeless=timeless)
        else:
            raise NotExpressible(f"has a line that the CRM does not know: {name[:20]}")
    if len(rules) != 1:
        raise NotExpressible(
            "has more than one rule" if rules else "has no rule, only single dates"
        )
    if sum(map(len, dates.values())) > _MAX_DATES:
        raise NotExpressible(f"lists more than {_MAX_DATES} single dates")
    parts = dict(_parts(rules[0]))
    count, until = parts.pop("COUNT", None), parts.pop("UNTIL", None)
    if count and until:
        raise BadValue(_FIELD, "ends by a count and by a date; give one of them")
    local = {
        name: tuple(
            d.astimezone(UTC if timeless else place).replace(tzinfo=None) for d in found
        )
        for name, found in dates.items()
    }
    return Recurrence(
        place,
        timeless,
        parts,
        _number("COUNT", count, _MAX_COUNT) if count else None,
        _until(until, place, timeless=timeless) if until else None,
        local["RDATE"],
        local["EXDATE"],
    )


def _zone_of_line(head: str, place: ZoneInfo) -> ZoneInfo:
    found = re.search(r';TZID="?([^";:]+)', head, re.IGNORECASE)
    return zone_of(found[1]) if found else place


def _dates(
    value: str, parameters: list[str], place: ZoneInfo, *, timeless: bool
) -> list[datetime]:
    if "VALUE=PERIOD" in parameters:
        raise NotExpressible("has an added date with a length of its own")
    return [_instant(item, place, timeless=timeless) for item in value.split(",")]


def _instant(text: str, place: ZoneInfo, *, timeless: bool) -> datetime:
    found = _TIME.fullmatch(text.strip().upper())
    if found is None:
        raise BadValue(_FIELD, f"has a date that cannot be read: {text[:40]}")
    if not timeless and not found[2]:
        raise NotExpressible(f"has a date without a time of day: {text[:40]}")
    try:
        day = datetime.strptime(found[1], "%Y%m%d").replace(tzinfo=UTC)
        clock = time.fromisoformat(found[2] or "000000")
    except ValueError:
        raise BadValue(_FIELD, f"has a date that does not exist: {text[:40]}") from None
    if day.year not in YEARS:
        raise BadValue(_FIELD, f"has a date outside of {YEARS[0]} to {YEARS[-1]}")
    if timeless:
        return day
    zone = UTC if found[3] else place
    return datetime.combine(day.date(), clock, zone).astimezone(UTC)


def _until(text: str, place: ZoneInfo, *, timeless: bool) -> datetime:
    """Return the end; a date alone is the whole local day."""
    found = _TIME.fullmatch(text)
    if found is not None and int(text[:4]) >= YEARS[-1]:
        text = f"{YEARS[-1]}1231{'T000000Z' if 'T' in text else ''}"
    if not timeless and found is not None and not found[2]:
        day = _instant(text, place, timeless=True).date()
        return datetime.combine(day, time(23, 59, 59), place).astimezone(UTC)
    return _instant(text, place, timeless=timeless)


@lru_cache(maxsize=4096)
def _parts(rule: str) -> dict[str, str]:
    pairs = dict(part.partition("=")[::2] for part in rule.split(";") if part.strip())
    if pairs.get("FREQ") not in FREQUENCIES:
        raise NotExpressible("repeats by neither days, weeks, months nor years")
    strange = sorted(set(pairs) - set(_PARTS))
    if strange:
        raise NotExpressible(
            f"has a part that the CRM does not know: {strange[0][:20]}"
        )
    if "INTERVAL" in pairs:
        _number("INTERVAL", pairs["INTERVAL"], _MAX_INTERVAL)
    ordered = {name: pairs[name] for name in _PARTS if name in pairs}
    bare = ";".join(
        f"{n}={v}" for n, v in ordered.items() if n not in {"COUNT", "UNTIL"}
    )
    try:
        first = datetime(2026, 1, 1)  # noqa: DTZ001 - local times have no zone here
        list(rrulestr(f"{bare};UNTIL=20280101T000000", dtstart=first))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        raise BadValue(_FIELD, f"has a rule that cannot be read: {rule[:80]}") from None
    return ordered


def _number(name: str, text: str, limit: int) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= limit:
        raise BadValue(_FIELD, f"has an {name} that is no number from 1 to {limit}")
    return int(text)
