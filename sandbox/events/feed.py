"""events.list and events.instances: filters, pages, sync tokens (contract 5.4)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from sandbox.events import times
from sandbox.events.context import Context
from sandbox.events.errors import with_sync_token
from sandbox.events.filters import (
    Window,
    filter_of,
    is_of_series,
    is_within,
    shows_of,
    window_of,
)
from sandbox.events.instances import expanded, look_up, span
from sandbox.events.model import Event
from sandbox.events.paging import (
    Listing,
    Pages,
    asked,
    check_token,
    page,
    page_state,
    rank,
)
from sandbox.events.state import Shelf
from sandbox.legacy import invalid, not_found
from sandbox.messages import Json
from sandbox.tokens import fingerprint

_NOT_WITH_TOKEN = (
    "iCalUID",
    "orderBy",
    "privateExtendedProperty",
    "q",
    "sharedExtendedProperty",
    "timeMin",
    "timeMax",
    "updatedMin",
)
# A first call with one of these gives no sync token (5.4).
_NO_TOKEN = tuple(n for n in _NOT_WITH_TOKEN if n not in ("timeMin", "timeMax"))
_SIX_MONTHS = timedelta(days=183)


def list_events(ctx: Context, pages: Pages) -> Json:
    """`GET calendars/{id}/events`.

    Raises:
        ApiError: 400, parameters that do not go together; 410, a dead token.
    """
    params = ctx.params
    token = params.get("syncToken")
    if token is not None:
        for name in _NOT_WITH_TOKEN:
            if name in params:
                raise with_sync_token(name)
        if params.get("showDeleted") is False:
            raise with_sync_token("showDeleted")
    if params.get("orderBy") == "startTime" and not params.get("singleEvents"):
        raise invalid(
            "The requested ordering is not available for the particular query.",
            place="orderBy",
        )
    stamp = asked(params)
    listing, start = _listing(ctx, pages, (stamp, token))
    with_token = not any(name in params for name in _NO_TOKEN)
    return page(ctx, pages, listing, (start, with_token))


def instances(ctx: Context, pages: Pages) -> Json:
    """`GET …/events/{id}/instances`; a sync token is not given."""
    stamp = asked(ctx.params)
    state = page_state(ctx, stamp)
    listing = pages.get(state["l"]) if state else None
    if listing is None:
        found = sorted(_instances(ctx), key=_by_start(ctx.shelf))
        listing = Listing(secrets.token_hex(8), found, ctx.shelf.seq, (None, None))
    start = state["o"] if state else 0
    return page(ctx, pages, listing, (start, False), bare=stamp)


# ---------------------------------------------------------------- what to list


def _listing(
    ctx: Context, pages: Pages, bound: tuple[str, str | None]
) -> tuple[Listing, int]:
    """The list a call belongs to, and where in it the page starts."""
    stamp, token = bound
    shelf, params = ctx.shelf, ctx.params
    state = page_state(ctx, fingerprint(stamp, token))
    if state is not None:
        listing = pages.get(state["l"])
        if listing is not None:
            return listing, state["o"]
    window = (params.get("timeMin"), params.get("timeMax"))
    now = ctx.desk.horizon(shelf)
    if token is not None:
        known = check_token(ctx.desk, shelf, token, stamp)
        window = (known.get("min"), known.get("max"))
        events = _incremental(ctx, (known["q"], now), window)
    else:
        events = _full(ctx, now)
    horizon = state["h"] if state else now
    key = state["l"] if state else secrets.token_hex(8)
    listing = Listing(key, events, horizon, window)
    if state is not None:
        # We were restarted in the middle of a list: go on behind what was served;
        # what has changed since is newer than the token at the end.
        last = tuple(state["n"])
        ordered = "orderBy" in params
        listing.events = (
            events[state["o"] :] if ordered else [e for e in events if rank(e) > last]
        )
        pages.put(listing)
    return listing, 0


def _full(ctx: Context, horizon: int) -> list[Event]:
    params, shelf = ctx.params, ctx.shelf
    fits = filter_of(ctx)
    window = window_of(params.get("timeMin"), params.get("timeMax"))
    singles = bool(params.get("singleEvents"))
    seen = shelf.versions.seen(shelf.events.values(), horizon)
    source = _singles(ctx, window) if singles else seen
    shows = shows_of(ctx)
    found = [event for event in source if shows(event) and fits(event)]
    if window != (None, None):
        found = [event for event in found if is_within(event, ctx, window)]
    return sorted(found, key=_order(ctx))


def _incremental(
    ctx: Context, numbers: tuple[int, int], window: tuple[str | None, str | None]
) -> list[Event]:
    """Everything changed since a token, the deleted too (5.4)."""
    shelf = ctx.shelf
    changed = shelf.changed(*numbers)
    types = ctx.params.get("eventTypes")
    if types:
        changed = [event for event in changed if event.kind in types]
    if ctx.desk.env.switches.window_limits_incremental:
        bounds = window_of(*window)
        changed = [e for e in changed if e.cancelled or is_within(e, ctx, bounds)]
    if ctx.params.get("singleEvents"):
        changed = [e for event in changed for e in _burst(ctx, event)]
        changed = list({event.id: event for event in changed}.values())
    return sorted(changed, key=rank)


def _burst(ctx: Context, event: Event) -> Iterator[Event]:
    """A changed series as its occurrences; of a deleted one only a part (5.4.8)."""
    if not event.is_series:
        yield event
        return
    if not event.cancelled:
        yield from expanded(ctx.shelf, event, ctx.desk, (None, None))
        return
    now = datetime.fromtimestamp(ctx.desk.now(), UTC)
    nearby = (now - _SIX_MONTHS / 6, now + _SIX_MONTHS)
    yield from expanded(ctx.shelf, event, ctx.desk, nearby)


def _singles(ctx: Context, window: Window) -> Iterator[Event]:
    for event in list(ctx.shelf.events.values()):
        if event.is_series and not event.cancelled:
            yield from expanded(ctx.shelf, event, ctx.desk, window)
        elif not event.is_series and not is_of_series(ctx.shelf, event):
            yield event


def _instances(ctx: Context) -> list[Event]:
    master = look_up(ctx.shelf, ctx.params["eventId"])
    if master is None or master.cancelled:
        raise not_found()
    if not master.is_series:
        return []
    params = ctx.params
    window = window_of(params.get("timeMin"), params.get("timeMax"))
    found = list(expanded(ctx.shelf, master, ctx.desk, window))
    if not params.get("showDeleted"):
        found = [event for event in found if not event.cancelled]
    if window != (None, None):
        found = [e for e in found if is_within(e, ctx, window, closed=True)]
    original = params.get("originalStart")
    if original is not None:
        found = [e for e in found if _is_original(e, original, ctx.shelf)]
    return found


def _is_original(event: Event, wanted: str, shelf: Shelf) -> bool:
    kept = event.original or {}
    if "date" in kept:
        return bool(kept["date"] == wanted)
    moment = times.parse(wanted)
    if moment is None or moment.tzinfo is None:
        raise invalid("Invalid value for originalStart.", place="originalStart")
    return times.instant(kept, shelf.home) == times.utc(moment)


# ---------------------------------------------------------------- order, pages


def _by_start(shelf: Shelf) -> Callable[[Event], tuple[datetime, str]]:
    return lambda event: (span(event, shelf)[0], event.id)


def _order(ctx: Context) -> Callable[[Event], tuple[object, str]]:
    order = ctx.params.get("orderBy")
    if order == "startTime":
        return _by_start(ctx.shelf)
    if order == "updated":
        return lambda event: (event.updated, event.id)
    return rank
