"""Which events a list has: filters, deleted ones, windows (contract 5.4)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sandbox.clock import DAY
from sandbox.events import times
from sandbox.events.context import Context
from sandbox.events.errors import updated_min_too_long_ago
from sandbox.events.instances import expanded, span
from sandbox.events.model import Event
from sandbox.events.properties import selector
from sandbox.events.state import Shelf
from sandbox.legacy import invalid

Fits = Callable[[Event], bool]
Window = tuple[datetime | None, datetime | None]


def is_of_series(shelf: Shelf, event: Event) -> bool:
    """Whether an exception comes with its series; an orphan stands alone."""
    master = shelf.events.get(event.master or "")
    return master is not None and not master.cancelled


def shows_of(ctx: Context) -> Fits:
    """Which cancelled events a list has (5.4)."""
    params = ctx.params
    wanted, singles = bool(params.get("showDeleted")), bool(params.get("singleEvents"))
    updated_min = "updatedMin" in params
    oldest = ctx.desk.now() - ctx.desk.env.switches.tombstone_days * DAY
    shelf = ctx.shelf

    def shows(event: Event) -> bool:
        if not event.cancelled:
            return True
        if updated_min:
            return True
        if event.gone or (event.updated < oldest and not event.is_instance):
            return False
        is_hole = event.is_instance and is_of_series(shelf, event)
        if singles:
            return wanted and event.is_instance
        return wanted or is_hole

    return shows


def filter_of(ctx: Context) -> Fits:
    """The filters of a first call, as one question about an event."""
    params = ctx.params
    tests: list[Fits] = []
    types = params.get("eventTypes")
    if types:
        tests.append(lambda event: event.kind in types)
    uid = params.get("iCalUID")
    if uid is not None:
        tests.append(lambda event: event.uid == uid)
    words = params.get("q")
    if words:
        tests.append(lambda event: words.casefold() in _searchable(event))
    chosen = selector(params, ctx.desk.env.switches.property_filter)
    if chosen is not None:
        tests.append(chosen)
    oldest = times.exact(params.get("updatedMin"), "updatedMin")
    if oldest is not None:
        limit = ctx.desk.env.switches.updated_min_days * DAY
        if ctx.desk.now() - oldest > limit:
            raise updated_min_too_long_ago()
        tests.append(lambda event: event.updated >= oldest - 0.0005)
    return lambda event: all(test(event) for test in tests)


def _searchable(event: Event) -> str:
    words = [event.shared.get(n, "") for n in ("summary", "description", "location")]
    for guest in event.guests:
        words += [guest["email"], guest.get("displayName", "")]
    return "\n".join(words).casefold()


def window_of(low: str | None, high: str | None) -> Window:
    since, until = times.bound(low, "timeMin"), times.bound(high, "timeMax")
    if since is not None and until is not None and until <= since:
        raise invalid(
            "The specified time range is empty.",
            reason="timeRangeEmpty",
            place="timeMax",
        )
    return since, until


def is_within(
    event: Event, ctx: Context, window: Window, *, closed: bool = False
) -> bool:
    """`timeMin` bounds the end, `timeMax` the start, both exclusive (5.4).

    `closed`: the lower bound is inclusive, as `events.instances` has it.
    """
    since, until = window
    if event.is_series and not event.cancelled:
        return any(
            is_within(one, ctx, window)
            for one in expanded(ctx.shelf, event, ctx.desk, window)
            if one.seq == 0
        )
    start, end = span(event, ctx.shelf)
    if until is not None and start >= until:
        return False
    if since is None:
        return True
    if closed and end == since:
        return True
    return end > since or (start == end and start >= since)
