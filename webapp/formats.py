"""How times, durations, counts and states are written on pages."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache
from importlib.metadata import version
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask, g, request
from flask_babel import (
    Babel,
    format_date,
    format_datetime,
    format_decimal,
    format_time,
    format_timedelta,
)

from crmsync.records.contacts import CUSTOM_PREFIX
from crmsync.services import settings
from webapp.wiring import core

THEMES = ("light", "dark")
KINDS = {
    "contacts": "Contacts",
    "calendar": "Calendar",
    "tasks": "Tasks",
    "mail": "Mail",
}
TONES = {
    "succeeded": "good",
    "done": "good",
    "active": "good",
    "running": "busy",
    "queued": "busy",
    "waiting": "busy",
    "sent": "busy",
    "planned": "calm",
    "partial": "warn",
    "held": "ask",
    "paused": "warn",
    "unknown": "warn",
    "failed": "bad",
    "dead": "bad",
    "rejected": "calm",
    "skipped": "calm",
    "undone": "calm",
}
"""The colour of a state; a state is always written out as well."""


def init(web: Flask) -> None:
    """Teach Jinja the filters, and Flask-Babel the visitor's zone and language."""
    Babel(web, locale_selector=_locale, timezone_selector=time_zone)
    web.jinja_env.filters.update(
        time=write_time, day=write_day, date=write_date, duration=write_duration,
        count=format_decimal,
        ago=write_ago, span=write_span, field_name=field_name,
        tone=lambda state: TONES.get(state, "calm"),
        kind=lambda kind: KINDS.get(kind, str(kind).capitalize()),
    )  # fmt: skip
    web.jinja_env.globals["assets"] = version("crm-sync-for-gmail")
    web.context_processor(lambda: {"theme": _theme(), "now": core().clock.now()})


def _setting(name: str) -> str:
    """Return a setting of the visitor; read once a request."""
    known: dict[str, str] = g.setdefault("formats", {})
    if name not in known:
        session = g.get("web_session")
        user_id = session.user.user_id if session else ""
        known[name] = settings.get(core(), name, user_id=user_id)
    return known[name]


def _locale() -> str:
    return _setting("language")


def time_zone() -> ZoneInfo:
    """Return the visitor's zone."""
    return ZoneInfo(_setting("time_zone"))


def _theme() -> str:
    """Return the scheme that the visitor chose, or "" for the system's."""
    given = request.cookies.get("theme", "")
    return given if given in THEMES else ""


def as_time(value: Any) -> datetime | None:
    """Return an aware time for a datetime or for ISO 8601 text."""
    if not value:
        return None
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def write_time(value: Any, style: str = "medium") -> str:
    """Return a date and time in the visitor's zone; an em dash for none."""
    found = as_time(value)
    return format_datetime(found, style) if found else "—"


def field_name(name: str) -> str:
    """Return what a field is called on pages."""
    if name.startswith(CUSTOM_PREFIX):
        return name.removeprefix(CUSTOM_PREFIX)
    return _field_labels().get(name, name.replace("_", " ").capitalize())


@lru_cache(maxsize=1)
def _field_labels() -> dict[str, str]:
    from webapp.values import LABELS

    return LABELS


def write_day(value: Any) -> str:
    """Return a date in the visitor's zone."""
    found = as_time(value)
    # Flask-Babel's own conversion knows no zones of the standard library.
    local = found.astimezone(time_zone()).date() if found else None
    return format_date(local, rebase=False) if local else "—"


def write_date(value: str) -> str:
    """Return a calendar's day, e.g. a birthday, which is the same in every zone.

    A text that is none is returned as it is.
    """
    try:
        return str(format_date(date.fromisoformat(value), "long", rebase=False))
    except ValueError:
        return value


def write_ago(value: Any) -> str:
    """Return how long ago, or in how long, a time is."""
    found = as_time(value)
    if found is None:
        return "—"
    return str(format_timedelta(found - core().clock.now(), add_direction=True))


def write_span(first: datetime, last: datetime) -> str:
    """Return from when to when, the day said once if it is the same."""
    zone = time_zone()
    if first.astimezone(zone).date() == last.astimezone(zone).date():
        return f"{format_datetime(first, 'medium')} – {format_time(last, 'short')}"
    return f"{format_datetime(first, 'short')} – {format_datetime(last, 'short')}"


def write_duration(seconds: float | None) -> str:
    """Return a duration: 0.4 s, 12 s, 3 min 05 s, 2 h 10 min."""
    if seconds is None:
        return "—"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
