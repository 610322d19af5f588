"""Dates, times and rules of iCalendar in Calendar's form."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

from icalendar.timezone import tzid_from_dt
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from sandbox.events.times import zone
from sandbox.load.icalendar_text import BrokenComponent
from sandbox.messages import Json


def value(component: Any, name: str) -> Any:
    """The decoded value of a property; None if it is not there.

    Raises:
        BrokenComponent: it is there twice, or cannot be read.
    """
    found = component.get(name)
    for field, reason in getattr(component, "errors", ()):
        if field == name:
            raise BrokenComponent(f"{name} is not readable: {str(reason)[:100]}")
    if isinstance(found, list):
        raise BrokenComponent(f"{name} is there more than once")
    if found is None:
        return None
    return getattr(found, "dt", getattr(found, "td", found))


@lru_cache(maxsize=512)
def iana(name: str) -> str | None:
    """The IANA name behind the many ways of writing a time zone."""
    if zone(name) is not None:
        return name
    if name in WINDOWS_TO_OLSON:
        return str(WINDOWS_TO_OLSON[name])
    pieces = name.strip("/").split("/")
    for start in range(1, len(pieces)):
        tail = "/".join(pieces[start:])
        if "/" in tail and zone(tail) is not None:
            return tail
    return None


def zone_name(component: Any, name: str, moment: datetime) -> str | None:
    """The zone of a time; None if it is in UTC, floating or in no known zone."""
    given = str(component[name].params.get("TZID", ""))
    known = iana(given) if given else None
    if known is None and moment.tzinfo is not None and moment.tzinfo is not UTC:
        found = tzid_from_dt(moment)
        known = iana(found) if found else None
    return known


def moment(component: Any, name: str, home: str, *, recurs: bool) -> Json:
    """DTSTART and the like as `date` or `dateTime`; a floating time is at home.

    Raises:
        BrokenComponent: the time zone is unknown, or the property is missing.
    """
    at = value(component, name)
    if at is None:
        raise BrokenComponent(f"{name} is missing")
    if not isinstance(at, date):
        raise BrokenComponent(f"{name} is no date and no time")
    if not isinstance(at, datetime):
        return {"date": f"{at.year:04d}-{at:%m-%d}"}
    given = str(component[name].params.get("TZID", ""))
    known = zone_name(component, name, at)
    if at.tzinfo is None:
        if given and known is None:
            raise BrokenComponent(f"the time zone {given!r} is not known")
        known = known or home
        return {"dateTime": _wall(at), "timeZone": known}
    shown: Json = {"dateTime": _wall(at.astimezone(UTC)) + "Z"}
    if known is None and given and given.upper() not in ("UTC", "GMT", "Z") and recurs:
        raise BrokenComponent(f"the time zone {given!r} has no name that Google knows")
    if known is not None and known != "UTC":
        local = at.astimezone(zone(known))
        return {"dateTime": local.isoformat(timespec="seconds"), "timeZone": known}
    return {**shown, "timeZone": "UTC"} if recurs else shown


def end_of(component: Any, start: Json, home: str, *, recurs: bool) -> Json:
    """DTEND, or what the duration gives; a day without an end is one day."""
    if component.get("DTEND") is not None:
        end = moment(component, "DTEND", home, recurs=recurs)
        if "date" in end and end == start:
            return shifted(start, timedelta(days=1))
        return end
    duration = value(component, "DURATION")
    if duration is None:
        return shifted(start, timedelta(days=1)) if "date" in start else dict(start)
    if not isinstance(duration, timedelta):
        raise BrokenComponent("DURATION is not readable")
    if "date" in start:
        return shifted(start, max(timedelta(days=1), duration))
    return shifted(start, duration)


def shifted(start: Json, by: timedelta) -> Json:
    try:
        if "date" in start:
            day = date.fromisoformat(start["date"]) + timedelta(days=by.days)
            return {"date": f"{day.year:04d}-{day:%m-%d}"}
        at = datetime.fromisoformat(start["dateTime"].replace("Z", "+00:00"))
        if at.tzinfo is None:
            at = at.replace(tzinfo=zone(start["timeZone"]))
        later = (at.astimezone(UTC) + by).isoformat(timespec="seconds")
    except OverflowError:
        raise BrokenComponent("the event ends after the end of time")
    return {**start, "dateTime": later.replace("+00:00", "Z")}


def recurrence(component: Any, home: str) -> list[str]:
    """RRULE, EXRULE, RDATE and EXDATE as lines; times in UTC.

    Raises:
        BrokenComponent: one cannot be read.
    """
    lines: list[str] = []
    for field, reason in getattr(component, "errors", ()):
        if field in ("RRULE", "RDATE", "EXDATE", "EXRULE"):
            raise BrokenComponent(f"{field} is not readable: {str(reason)[:100]}")
    for name in ("RRULE", "EXRULE"):
        for rule in _listed(component, name):
            text = rule.to_ical().decode() if hasattr(rule, "to_ical") else str(rule)
            lines.append(f"{name}:{text}")
    for name in ("RDATE", "EXDATE"):
        for one in _listed(component, name):
            lines += [_dated(name, at, one, home) for at in _dates(one)]
    return lines


def _listed(component: Any, name: str) -> list[Any]:
    found = component.get(name)
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def _dates(one: Any) -> list[Any]:
    return [each.dt for each in getattr(one, "dts", [one])]


def _dated(name: str, at: Any, one: Any, home: str) -> str:
    if isinstance(at, tuple):
        at = at[0]
    if isinstance(at, datetime):
        if at.tzinfo is None:
            given = str(one.params.get("TZID", ""))
            known = iana(given) if given else home
            if known is None:
                raise BrokenComponent(f"the time zone {given!r} is not known")
            at = at.replace(tzinfo=zone(known))
        at = at.astimezone(UTC)
        return f"{name}:{at.year:04d}{at:%m%dT%H%M%SZ}"
    if not isinstance(at, date):
        raise BrokenComponent(f"{name} is not readable")
    return f"{name};VALUE=DATE:{at.year:04d}{at:%m%d}"


def _wall(at: datetime) -> str:
    return at.replace(tzinfo=None).isoformat(timespec="seconds")
