"""When activities are, in the words of pages: in the visitor's zone, dates as dates."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from babel import dates
from flask import Flask
from flask_babel import format_date, format_time, get_locale

from crm.activityfields import is_timeless, parse_start
from crm.activityrows import ActivityRow
from crm.agenda import Occurrence
from webapp import repeats
from webapp.activityform import TYPES
from webapp.formats import time_zone

ANSWERS = {
    "": "",
    "needsAction": "No answer yet",
    "tentative": "Perhaps",
    "accepted": "Accepted",
    "declined": "Declined",
}
ANSWER_TONES = {"accepted": "good", "declined": "bad", "tentative": "warn"}


def init(web: Flask) -> None:
    """Teach Jinja these words."""
    web.jinja_env.filters.update(
        activity_when=write_when,
        activity_repeats=write_repeats,
        activity_type=lambda name: TYPES.get(name, name),
        answer_words=lambda answer: ANSWERS.get(answer, answer),
        answer_tone=lambda answer: ANSWER_TONES.get(answer, "calm"),
        clock=write_clock,
        short_clock=write_short_clock,
        long_day=lambda day: format_date(day, "full", rebase=False),
        short_day=lambda day: format_date(day, "EEE d MMM", rebase=False),
        week_day=lambda day: format_date(day, "EEE", rebase=False),
        month_name=lambda day: format_date(day, "MMMM y", rebase=False),
        length_words=write_length,
    )


def place_of(row: ActivityRow) -> Any:
    """Return the zone in which an activity is told: dates have none."""
    return UTC if is_timeless(row.values["start"]) else time_zone()


def write_when(row: ActivityRow, *, short: bool = False) -> str:
    """Return from when to when an activity lasts; `short` is for tables."""
    if row.is_undated:
        return "No date"
    place = place_of(row)
    write = _write_short_day if short else _write_full_day
    start, end = row.start_at.astimezone(place), row.end_at.astimezone(place)
    if place is UTC:
        last = end.date() - timedelta(days=1)
        first = write(start.date())
        return first if last == start.date() else f"{first} – {write(last)}"
    begin = f"{write(start.date())}, {write_clock(start)}"
    if row.start_at == row.end_at:
        return begin
    if start.date() == end.date():
        return f"{begin} – {write_clock(end)}"
    return f"{begin} – {write(end.date())}, {write_clock(end)}"


def _write_full_day(day: date) -> str:
    return str(format_date(day, "full", rebase=False))


def _write_short_day(day: date) -> str:
    at = datetime.combine(day, time())
    return str(dates.format_skeleton("yMMMEd", at, locale=get_locale()))


def write_clock(at: datetime) -> str:
    """Return a time of day in the visitor's zone."""
    # Flask-Babel's own conversion knows no zones of the standard library.
    local = at.astimezone(time_zone()).time()
    return str(format_time(local, "short", rebase=False))


def write_short_clock(at: datetime) -> str:
    """Return a time of day in as few letters as the language allows: 9am, 9:15am."""
    return short_clock(at.astimezone(time_zone()).time())


def short_clock(local: time) -> str:
    """Return a local time of day in as few letters as the language allows."""
    if "a" not in dates.get_time_format("short", locale=get_locale()).pattern:
        return str(format_time(local, "short", rebase=False))
    half = "am" if local.hour < 12 else "pm"
    minutes = f":{local.minute:02d}" if local.minute else ""
    return f"{local.hour % 12 or 12}{minutes}{half}"


def write_repeats(row: ActivityRow) -> str:
    """Return how a series repeats, as a phrase, and where its hours are kept."""
    values = row.values
    if not values["recurrence"]:
        return ""
    timeless = is_timeless(values["start"])
    zone = ZoneInfo("UTC" if timeless else values["zone"] or "UTC")
    start = parse_start(values["start"]).astimezone(zone)
    words = repeats.describe(values["recurrence"], start.date(), zone)
    if timeless or zone.key == time_zone().key:
        return words
    clock = format_time(start.time(), "short", rebase=False)
    return f"{words}, at {clock} in {zone.key}"


def write_length(minutes: str) -> str:
    """Return a length as people say it.

    >>> write_length("90"), write_length("2880"), write_length("0")
    ('1 h 30 min', '2 days', 'no length')
    """
    whole = int(minutes)
    days, rest = divmod(whole, 1440)
    parts = (
        (days, "day" if days == 1 else "days"),
        (rest // 60, "h"),
        (rest % 60, "min"),
    )
    return " ".join(f"{n} {word}" for n, word in parts if n) or "no length"


def local_days(item: Occurrence) -> list[date]:
    """Return the days that an occurrence touches, in the visitor's zone."""
    first, last = item.days(time_zone())
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
