"""Places in lists as texts for URLs, and frames of time as people name them."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from crmsync.storage.cyclelist import Place

FRAMES = {
    "": "All time",
    "today": "Today",
    "yesterday": "Yesterday",
    "week": "Last 7 days",
    "month": "Last 30 days",
}


def pack(*parts: Any) -> str:
    """Return values as one opaque word.

    >>> unpack(pack("a", 1))
    ['a', 1]
    """
    text = json.dumps(parts, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def unpack(word: str) -> list[Any]:
    """Return the values in an opaque word; none if it is not one of ours."""
    try:
        padded = word.encode("ascii") + b"=" * (-len(word) % 4)
        found = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        return []
    return found if isinstance(found, list) else []


def write_place(place: Place | None) -> str:
    """Return a place in the list of cycles as a word."""
    if place is None:
        return ""
    is_time = isinstance(place.value, datetime)
    value = place.value.isoformat() if is_time else place.value
    return pack(place.bucket, value, place.cycle_id)


def read_place(word: str, *, is_time: bool) -> Place | None:
    """Return the place that a word means, or None if it means none."""
    match unpack(word):
        case [str(bucket), str(value), str(cycle_id)] if is_time:
            try:
                at = datetime.fromisoformat(value)
            except ValueError:
                return None
            is_good = at.tzinfo is not None and _is_text(bucket, cycle_id)
            return Place(bucket, at, cycle_id) if is_good else None
        case [str(bucket), int(value), str(cycle_id)] if not is_time:
            is_good = abs(value) < 1 << 31 and _is_text(bucket, cycle_id)
            return Place(bucket, value, cycle_id) if is_good else None
    return None


def _is_text(*parts: str) -> bool:
    return all(part.isprintable() and len(part) < 200 for part in parts)


def frame_bounds(
    frame: str, now: datetime, zone: ZoneInfo
) -> tuple[datetime | None, datetime | None]:
    """Return from when and until when a named frame of time lasts."""
    local = now.astimezone(zone)
    today = local.replace(hour=0, minute=0, second=0, microsecond=0)
    bounds: dict[str, tuple[datetime | None, datetime | None]] = {
        "today": (today, None),
        "yesterday": (today - timedelta(days=1), today),
        "week": (today - timedelta(days=6), None),
        "month": (today - timedelta(days=29), None),
    }
    return bounds.get(frame, (None, None))
