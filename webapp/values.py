"""How the fields of activities and to-dos are written on pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

from flask import Flask
from flask_babel import format_date, format_datetime

from crmsync.records import activities, contacts, tasks
from webapp.formats import as_time

_ANSWERS = {
    "needsAction": "not answered",
    "tentative": "maybe",
    "accepted": "accepted",
    "declined": "declined",
}
_EVERY = {"DAILY": "day", "WEEKLY": "week", "MONTHLY": "month", "YEARLY": "year"}
_DAYS = {
    "MO": "Monday",
    "TU": "Tuesday",
    "WE": "Wednesday",
    "TH": "Thursday",
    "FR": "Friday",
    "SA": "Saturday",
    "SU": "Sunday",
}
_NTH = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", -1: "last"}
LABELS = {
    field.name: field.label
    for fields in (tasks.FIELDS, activities.FIELDS, contacts.FIELDS)
    for field in fields
}
"""What fields are called; where kinds share a name, contacts and activities win."""


def init(web: Flask) -> None:
    """Teach Jinja to write values by their field."""
    web.jinja_env.filters["field_value"] = write_value
    web.jinja_env.filters["google_place"] = google_place


def write_value(value: object, name: str) -> object:
    """Return a field's value as people read it; other fields stay as they are."""
    writer = _WRITERS.get(name)
    if writer is None or not isinstance(value, str) or not value:
        return value
    try:
        return writer(value)
    except (ValueError, OverflowError, KeyError):
        return value


def _moment(value: str) -> str:
    if "T" not in value:
        return str(format_date(date.fromisoformat(value), "full", rebase=False))
    if value.endswith("Z"):
        found = as_time(value)
        return str(format_datetime(found, "medium"))
    return str(format_datetime(datetime.fromisoformat(value), "medium", rebase=False))


def write_length(value: str) -> str:
    """Return minutes as people say them.

    >>> write_length("90"), write_length("2880")
    ('1 hour 30 minutes', '2 days')
    """
    minutes = int(value)
    parts = []
    for size, word in ((1440, "day"), (60, "hour"), (1, "minute")):
        number, minutes = divmod(minutes, size)
        if number:
            parts.append(f"{number} {word}{'' if number == 1 else 's'}")
    return " ".join(parts) or "no time"


def write_rule(value: str) -> str:
    """Return a series' lines in words; what is unusual stays as it is.

    >>> write_rule("RRULE:FREQ=WEEKLY;COUNT=10;BYDAY=MO,WE")
    'every week on Monday and Wednesday, 10 times'
    """
    lines = value.splitlines()
    rules = [line for line in lines if line.startswith("RRULE:")]
    words = [_rule(rule.removeprefix("RRULE:")) for rule in rules]
    left = [line for line in lines if line.startswith("EXDATE")]
    more = [line for line in lines if line.startswith("RDATE")]
    if left:
        words.append(f"without {_count(left)}")
    if more:
        words.append(f"with {_count(more)} more")
    return ", ".join(words)


def _count(lines: list[str]) -> str:
    number = sum(len(line.split(",")) for line in lines)
    return f"{number} day{'' if number == 1 else 's'}"


def _rule(text: str) -> str:
    parts = dict(part.split("=", 1) for part in text.split(";"))
    unit = _EVERY[parts.pop("FREQ")]
    interval = int(parts.pop("INTERVAL", "1"))
    words = f"every {unit}" if interval == 1 else f"every {interval} {unit}s"
    days = parts.pop("BYDAY", "")
    if days:
        words += f" on {_and([_day(day) for day in days.split(',')])}"
    month_days = parts.pop("BYMONTHDAY", "")
    if month_days:
        words += f" on day {_and(month_days.split(','))}"
    count, until = parts.pop("COUNT", ""), parts.pop("UNTIL", "")
    parts.pop("WKST", None)
    if count:
        words += f", {count} times"
    if until:
        end = date.fromisoformat(f"{until[:4]}-{until[4:6]}-{until[6:8]}")
        words += f", until {format_date(end, 'long', rebase=False)}"
    if parts:
        words += f" ({';'.join(f'{n}={v}' for n, v in parts.items())})"
    return words


def _guests(value: str) -> str:
    lines = []
    for line in value.splitlines():
        answer, address, *name = line.split(" ", 2)
        lines.append(f"{name[0] if name else address}: {_ANSWERS[answer]}")
    return "\n".join(lines)


def _day(text: str) -> str:
    name, nth = _DAYS[text[-2:]], text[:-2]
    return f"the {_NTH[int(nth)]} {name}" if nth else name


def _and(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


_WRITERS: dict[str, Callable[[str], str]] = {
    "start": _moment,
    "due": _moment,
    "slot": _moment,
    "duration": write_length,
    "recurrence": write_rule,
    "guest_list": _guests,
    "answer": lambda value: _ANSWERS[value],
}


_PLACES = {
    None: "Not there",
    "task": "A task of yours",
    "own": "An event of yours",
    "solo": "An event of your own, without guests",
    "invited": "Somebody else’s event, to which you are invited",
    "separate": "An event of your own, without guests",
    "copy": "Your copy of the leader’s event",
    "former": "Your event, until the new leader’s is there",
    "imported": "Only shown here, and never changed there",
}


def google_place(role: str | None) -> str:
    """Return where an activity stands in one's Google, for people."""
    return _PLACES.get(role, "An event")
