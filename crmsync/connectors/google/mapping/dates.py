"""Birthdays: Google's year, month and day <-> `YYYY-MM-DD`."""

from __future__ import annotations

from datetime import date
from typing import Any

from crmsync.errors import InvalidRecord


def full_date(found: Any) -> str:
    """Return a date with all three parts as text, else "" (CON-17)."""
    if not isinstance(found, dict):
        return ""
    try:
        return date(
            int(found.get("year") or 0),
            int(found.get("month") or 0),
            int(found.get("day") or 0),
        ).isoformat()
    except ValueError:
        return ""


def date_parts(text: str) -> dict[str, Any]:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidRecord(
            f"The birthday {text!r} is no date (YYYY-MM-DD).", ("birthday",)
        ) from None
    return {"year": day.year, "month": day.month, "day": day.day}
