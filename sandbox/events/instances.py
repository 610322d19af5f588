"""Occurrences of a series: made on demand, stored once they differ (5.4.5, 5.4.7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from sandbox.events import times
from sandbox.events.model import Event
from sandbox.events.series import (
    Series,
    bounded,
    instance_suffix,
    is_endless,
    series_of,
    split_id,
    start_of,
)
from sandbox.events.state import Desk, Shelf
from sandbox.messages import Json

YEARS_AHEAD = timedelta(days=732)


def look_up(shelf: Shelf, key: str) -> Event | None:
    """A stored event, or an occurrence of a live series that nobody has changed."""
    found = shelf.events.get(key)
    if found is not None:
        return None if found.gone else found
    parts = split_id(key)
    master = shelf.events.get(parts[0]) if parts else None
    if parts is None or master is None or master.cancelled or not master.is_series:
        return None
    series = series_of(master.shared)
    start = start_of(parts[1], series.zone)
    if start is None or not series.has(start):
        return None
    return occurrence(master, series, start)


def occurrence(master: Event, series: Series, start: datetime) -> Event:
    """One occurrence as the series has it; not stored, so its number is 0."""
    original, end = _place(master, series, start)
    shared = {k: v for k, v in master.shared.items() if k != "recurrence"}
    return replace(
        master,
        id=f"{master.id}_{instance_suffix(start, series.zone)}",
        shared={**shared, "start": original, "end": end},
        master=master.id,
        original=original,
        seq=0,
    )


def _place(master: Event, series: Series, start: datetime) -> tuple[Json, Json]:
    first, last = master.shared["start"], master.shared["end"]
    if series.zone is None:
        day = f"{start.year:04d}-{start:%m-%d}"
        length = times.days_between(first["date"], last["date"])
        return {"date": day}, {"date": times.add_days(day, length)}
    moment = times.utc(start.replace(tzinfo=series.zone))
    duration = times.instant(last, series.zone) - times.instant(first, series.zone)
    try:
        until = moment + duration
    except OverflowError:
        until = times.LATEST
    return (
        {**first, "dateTime": times.text(moment)},
        {**last, "dateTime": times.text(until)},
    )


def expanded(
    shelf: Shelf,
    master: Event,
    desk: Desk,
    window: tuple[datetime | None, datetime | None],
) -> Iterator[Event]:
    """All occurrences of a series that may lie in a window, exceptions in place.

    An endless series without an end of the window is followed for two years from now.
    """
    since, until = window
    ahead = datetime.fromtimestamp(desk.now(), tz=times.EARLIEST.tzinfo) + YEARS_AHEAD
    series = series_of(master.shared)
    begin = series.instant(series.first, shelf.home)
    last = until
    if last is None:
        endless = is_endless(master.shared["recurrence"])
        last = _horizon(ahead, begin, since) if endless else times.LATEST
    exceptions = shelf.exceptions(master.id)
    if since is not None:
        since = _earlier(since, length(master, shelf))
    for start in bounded(series, shelf.home, last, since):
        key = f"{master.id}_{instance_suffix(start, series.zone)}"
        if key not in exceptions:
            yield occurrence(master, series, start)
    yield from exceptions.values()


def _earlier(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment - by
    except OverflowError:
        return times.EARLIEST


def _horizon(ahead: datetime, begin: datetime, since: datetime | None) -> datetime:
    latest = max(begin, since) if since is not None else begin
    try:
        return max(ahead, latest + YEARS_AHEAD)
    except OverflowError:
        return times.LATEST


def length(event: Event, shelf: Shelf) -> timedelta:
    home = shelf.home
    start, end = event.shared["start"], event.shared["end"]
    return times.instant(end, home) - times.instant(start, home)


def span(event: Event, shelf: Shelf) -> tuple[datetime, datetime]:
    """From when to when; a cancelled occurrence stands where it would have been."""
    home = shelf.home
    if event.cancelled and event.original is not None:
        at = times.instant(event.original, home)
        return at, at + length(event, shelf)
    start = times.instant(event.shared["start"], home)
    return start, times.instant(event.shared["end"], home)


def drop_displaced(desk: Desk, master: Event) -> list[Event]:
    """Cancel the exceptions that a changed series has no place for any more."""
    shelf = desk.shelves[master.calendar]
    series = series_of(master.shared) if master.is_series else None
    dropped = []
    for found in shelf.exceptions(master.id).values():
        parts = split_id(found.id)
        start = start_of(parts[1], series.zone) if parts and series else None
        if series is None or start is None or not series.has(start):
            dropped.append(desk.put(replace(found, cancelled=True, gone=True)))
    return dropped
