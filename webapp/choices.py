"""Lists to choose from: time zones, countries."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import available_timezones

from babel import Locale

_AREAS = (
    "Africa/", "America/", "Antarctica/", "Asia/", "Atlantic/", "Australia/",
    "Europe/", "Indian/", "Pacific/",
)  # fmt: skip


@lru_cache(maxsize=1)
def time_zones() -> list[str]:
    """Return the names of the time zones of places, and UTC."""
    return ["UTC", *sorted(z for z in available_timezones() if z.startswith(_AREAS))]


@lru_cache(maxsize=32)
def regions(locale: Locale) -> list[tuple[str, str]]:
    """Return countries with telephone numbers, by name."""
    import phonenumbers

    names = locale.territories
    found = [(code, names.get(code, code)) for code in phonenumbers.SUPPORTED_REGIONS]
    return sorted(found, key=lambda pair: pair[1].casefold())
