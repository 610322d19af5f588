"""How something repeats, as people say it: in words, and as the fields of a form.

The form knows days, weeks, months and years with a step, week days, a day of the month
or its first to last week day, and an end. A rule beyond that is kept as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from flask_babel import format_date

DAYS = {
    "MO": "Monday",
    "TU": "Tuesday",
    "WE": "Wednesday",
    "TH": "Thursday",
    "FR": "Friday",
    "SA": "Saturday",
    "SU": "Sunday",
}
UNITS = {"DAILY": "day", "WEEKLY": "week", "MONTHLY": "month", "YEARLY": "year"}
CUSTOM = "custom"
_CODES = tuple(DAYS)
_PLACES = {1: "first", 2: "second", 3: "third", 4: "fourth", -1: "last"}
_PLACED = re.compile(r"(-?\d)([A-Z]{2})")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August",
    "September", "October", "November", "December",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Repeat:
    """What the form says.

    Attributes:
        freq: "" is never, `custom` keeps a rule that the form does not know.
        days: of a week, as RFC 5545 names them; none is the day of the start.
        by: of a month, `day` (the start's number) or `weekday` (its place there).
        until, count: where it ends; neither is never.
    """

    freq: str = ""
    interval: int = 1
    days: tuple[str, ...] = ()
    by: str = "day"
    until: date | None = None
    count: int = 0


@dataclass(frozen=True, slots=True)
class _Lines:
    rule: Mapping[str, str] = field(default_factory=dict)
    others: tuple[str, ...] = ()


def _lines(recurrence: str) -> _Lines:
    rule: dict[str, str] = {}
    others: list[str] = []
    for line in recurrence.splitlines():
        name, _, value = line.partition(":")
        if name == "RRULE":
            rule = dict(part.partition("=")[::2] for part in value.split(";"))
        else:
            others.append(line)
    return _Lines(rule, tuple(others))


def place_of(day: date) -> int:
    """Return which week day of its month a day is; the fifth is the last one."""
    number = (day.day - 1) // 7 + 1
    return -1 if number == 5 else number


def code_of(day: date) -> str:
    """Return a day of the week as RFC 5545 names it."""
    return _CODES[day.weekday()]


def read(recurrence: str, start: date, zone: ZoneInfo) -> Repeat:
    """Return the form's fields for a recurrence that begins on a local day."""
    if not recurrence:
        return Repeat()
    rule = _lines(recurrence).rule
    known = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY"}
    freq = rule.get("FREQ", "")
    days = tuple(filter(None, rule.get("BYDAY", "").split(",")))
    by = "day"
    if freq == "MONTHLY" and days == (f"{place_of(start)}{code_of(start)}",):
        by, days = "weekday", ()
    if rule.get("BYMONTHDAY") == str(start.day) and freq == "MONTHLY":
        known = known | {"BYMONTHDAY"}
    is_plain = set(days) <= set(DAYS) and (freq == "WEEKLY" or not days)
    if set(rule) - known or not is_plain or freq not in UNITS:
        return Repeat(CUSTOM)
    until = rule.get("UNTIL", "")
    return Repeat(
        freq,
        int(rule.get("INTERVAL", "1")),
        days,
        by,
        _local_day(until, zone) if until else None,
        int(rule.get("COUNT", "0")),
    )


def _local_day(until: str, zone: ZoneInfo) -> date:
    """Return the last day that an UNTIL allows, where the series is."""
    if "T" not in until:
        return date.fromisoformat(until)
    return datetime.fromisoformat(until).astimezone(zone).date()


def write(repeat: Repeat, start: date, old: str = "") -> str:
    """Return the recurrence that a form asks for; dates of an old one are kept."""
    if repeat.freq == CUSTOM:
        return old
    if not repeat.freq:
        return ""
    parts = {"FREQ": repeat.freq}
    if repeat.interval != 1:
        parts["INTERVAL"] = str(repeat.interval)
    if repeat.count:
        parts["COUNT"] = str(repeat.count)
    elif repeat.until is not None:
        parts["UNTIL"] = f"{repeat.until:%Y%m%d}"
    if repeat.freq == "WEEKLY" and set(repeat.days) - {code_of(start)}:
        parts["BYDAY"] = ",".join(code for code in _CODES if code in repeat.days)
    if repeat.freq == "MONTHLY" and repeat.by == "weekday":
        parts["BYDAY"] = f"{place_of(start)}{code_of(start)}"
    rule = ";".join(f"{name}={value}" for name, value in parts.items())
    return "\n".join([*_lines(old).others, f"RRULE:{rule}"])


def retimed(recurrence: str, clock: str) -> str:
    """Return a recurrence whose single dates have another time of day.

    Args:
        recurrence: its lines.
        clock: the local time as `090000`; "" for a timeless one.
    """
    lines = []
    for line in recurrence.splitlines():
        name, _, value = line.partition(":")
        if name == "RRULE":
            lines.append(line)
            continue
        dates = (
            f"{item[:8]}T{clock}" if clock else item[:8] for item in value.split(",")
        )
        lines.append(f"{name}:{','.join(dates)}")
    return "\n".join(lines)


# ------------------------------------------------------------------ in words


def describe(recurrence: str, start: date, zone: ZoneInfo) -> str:
    """Return how something repeats, as a phrase: "every 2 weeks on Monday".

    Args:
        recurrence: its lines.
        start: the local day on which it begins.
        zone: where that is.
    """
    if not recurrence:
        return ""
    lines = _lines(recurrence)
    rule = lines.rule
    interval = int(rule.get("INTERVAL", "1"))
    unit = UNITS.get(rule.get("FREQ", ""), "")
    every = f"every {unit}" if interval == 1 else f"every {interval} {unit}s"
    return f"{every}{_where(rule, start)}{_until(rule, zone)}{_exceptions(lines)}"


def _where(rule: Mapping[str, str], start: date) -> str:
    freq = rule.get("FREQ")
    days = [_day_words(item) for item in rule.get("BYDAY", "").split(",") if item]
    months = [_MONTHS[int(item) - 1] for item in _numbers(rule, "BYMONTH")]
    dates = [_date_words(item) for item in _numbers(rule, "BYMONTHDAY")]
    if freq == "WEEKLY" and not days:
        days = [DAYS[code_of(start)]]
    if freq == "MONTHLY" and not days and not dates:
        dates = [f"day {start.day}"]
    rare = [name for name in ("BYWEEKNO", "BYYEARDAY", "BYSETPOS") if name in rule]
    words = [*dates, *days]
    found = f" on {join(words)}" if words else ""
    if freq == "YEARLY" and not words and not months and not rare:
        found = f" on {start.day} {_MONTHS[start.month - 1]}"
    if months:
        found += f" in {join(months)}"
    if rare:
        found += " by a rule of its own"
    return found


def _numbers(rule: Mapping[str, str], name: str) -> list[int]:
    return [int(item) for item in rule.get(name, "").split(",") if item]


def _date_words(number: int) -> str:
    if number > 0:
        return f"day {number}"
    return "the last day" if number == -1 else f"day {-number} from the end"


def _day_words(item: str) -> str:
    placed = _PLACED.fullmatch(item)
    if placed is None:
        return DAYS.get(item, item)
    name = DAYS.get(placed[2], placed[2])
    return f"the {_PLACES.get(int(placed[1]), f'{placed[1]}th')} {name}"


def _until(rule: Mapping[str, str], zone: ZoneInfo) -> str:
    if count := rule.get("COUNT"):
        return ", once" if count == "1" else f", {count} times"
    if until := rule.get("UNTIL"):
        return f", until {format_date(_local_day(until, zone), 'long', rebase=False)}"
    return ""


def _exceptions(lines: _Lines) -> str:
    counts = {
        line.partition(":")[0]: line.count(",") + 1 for line in lines.others if line
    }
    found = []
    if number := counts.get("RDATE", 0):
        found.append(f"{number} more {'day' if number == 1 else 'days'}")
    words = f", and {found[0]}" if found else ""
    if number := counts.get("EXDATE", 0):
        words += f", but not on {number} {'day' if number == 1 else 'days'}"
    return words


def join(words: list[str]) -> str:
    """Return words as a phrase.

    >>> join(["a", "b", "c"])
    'a, b and c'
    """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
