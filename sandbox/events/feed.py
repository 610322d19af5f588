"""events.list and events.instances: filters, pages, sync tokens (contract 5.4)."""

from __future__ import annotations

import secrets
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import SystemRandom

from sandbox.clock import DAY
from sandbox.events import render, times
from sandbox.events.context import Context
from sandbox.events.errors import (
    full_sync_required,
    updated_min_too_long_ago,
    with_sync_token,
)
from sandbox.events.instances import expanded, look_up, span
from sandbox.events.model import DEFAULT_REMINDERS, Event
from sandbox.events.properties import selector
from sandbox.events.reads import view
from sandbox.events.state import Desk, Shelf
from sandbox.legacy import invalid, not_found
from sandbox.messages import Json
from sandbox.tokens import fingerprint, pack, unpack

_random = SystemRandom()
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
_FREE = ("syncToken", "pageToken", "fields", "prettyPrint", "showDeleted", "alt", "key")
_SIX_MONTHS = timedelta(days=183)
Fits = Callable[[Event], bool]


@dataclass(slots=True)
class Listing:
    """One list from its first page to its last."""

    id: str
    events: list[Event]
    horizon: int
    window: tuple[str | None, str | None]


class Pages:
    """Lists under way; a page is a slice of what the first call found."""

    def __init__(self, kept: int = 64) -> None:
        self._kept = kept
        self._listings: OrderedDict[str, Listing] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, listing: Listing) -> None:
        with self._lock:
            self._listings[listing.id] = listing
            while len(self._listings) > self._kept:
                self._listings.popitem(last=False)

    def get(self, key: str) -> Listing | None:
        with self._lock:
            return self._listings.get(key)


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
    stamp = fingerprint({k: v for k, v in sorted(params.items()) if k not in _FREE})
    listing, start = _listing(ctx, pages, (stamp, token))
    with_token = not any(name in params for name in _NO_TOKEN)
    return _page(ctx, pages, listing, (start, with_token))


def instances(ctx: Context, pages: Pages) -> Json:
    """`GET …/events/{id}/instances`; a sync token is not given."""
    stamp = fingerprint({k: v for k, v in sorted(ctx.params.items()) if k not in _FREE})
    state = _page_state(ctx, stamp)
    listing = pages.get(state["l"]) if state else None
    if listing is None:
        found = sorted(_instances(ctx), key=_by_start(ctx.shelf))
        listing = Listing(secrets.token_hex(8), found, ctx.shelf.seq, (None, None))
    start = state["o"] if state else 0
    return _page(ctx, pages, listing, (start, False), bare=stamp)


# ---------------------------------------------------------------- what to list


def _listing(
    ctx: Context, pages: Pages, asked: tuple[str, str | None]
) -> tuple[Listing, int]:
    """The list a call belongs to, and where in it the page starts."""
    stamp, token = asked
    shelf, params = ctx.shelf, ctx.params
    state = _page_state(ctx, fingerprint(stamp, token))
    if state is not None:
        listing = pages.get(state["l"])
        if listing is not None:
            return listing, state["o"]
    window = (params.get("timeMin"), params.get("timeMax"))
    if token is not None:
        known = check_token(ctx.desk, shelf, token, stamp)
        window = (known.get("min"), known.get("max"))
        events = _incremental(ctx, known["q"], window)
    else:
        events = _full(ctx)
    horizon = state["h"] if state else shelf.seq
    key = state["l"] if state else secrets.token_hex(8)
    listing = Listing(key, events, horizon, window)
    if state is not None:
        # We were restarted in the middle of a list: go on behind what was served;
        # what has changed since is newer than the token at the end.
        last = tuple(state["n"])
        ordered = "orderBy" in params
        listing.events = (
            events[state["o"] :] if ordered else [e for e in events if _rank(e) > last]
        )
        pages.put(listing)
    return listing, 0


def _full(ctx: Context) -> list[Event]:
    params, shelf = ctx.params, ctx.shelf
    fits = _filter(ctx)
    window = _window(params.get("timeMin"), params.get("timeMax"))
    singles = bool(params.get("singleEvents"))
    source = _singles(ctx, window) if singles else iter(shelf.events.values())
    shows = _shows(ctx)
    found = [event for event in source if shows(event) and fits(event)]
    if window != (None, None):
        found = [event for event in found if _is_within(event, ctx, window)]
    return sorted(found, key=_order(ctx))


def _incremental(
    ctx: Context, since: int, window: tuple[str | None, str | None]
) -> list[Event]:
    """Everything changed since a token, the deleted too (5.4)."""
    shelf = ctx.shelf
    changed = shelf.changed(since, shelf.seq)
    types = ctx.params.get("eventTypes")
    if types:
        changed = [event for event in changed if event.kind in types]
    if ctx.desk.env.switches.window_limits_incremental:
        bounds = _window(*window)
        changed = [e for e in changed if e.cancelled or _is_within(e, ctx, bounds)]
    if ctx.params.get("singleEvents"):
        changed = [e for event in changed for e in _burst(ctx, event)]
        changed = list({event.id: event for event in changed}.values())
    return sorted(changed, key=_rank)


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


def _singles(
    ctx: Context, window: tuple[datetime | None, datetime | None]
) -> Iterator[Event]:
    for event in list(ctx.shelf.events.values()):
        if event.is_series and not event.cancelled:
            yield from expanded(ctx.shelf, event, ctx.desk, window)
        elif not event.is_series and not _is_of_series(ctx.shelf, event):
            yield event


def _is_of_series(shelf: Shelf, event: Event) -> bool:
    """Whether an exception comes with its series; an orphan stands alone."""
    master = shelf.events.get(event.master or "")
    return master is not None and not master.cancelled


def _instances(ctx: Context) -> list[Event]:
    master = look_up(ctx.shelf, ctx.params["eventId"])
    if master is None or master.cancelled:
        raise not_found()
    if not master.is_series:
        return []
    params = ctx.params
    window = _window(params.get("timeMin"), params.get("timeMax"))
    found = list(expanded(ctx.shelf, master, ctx.desk, window))
    if not params.get("showDeleted"):
        found = [event for event in found if not event.cancelled]
    if window != (None, None):
        found = [event for event in found if _is_within(event, ctx, window)]
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


# ---------------------------------------------------------------- filters


def _shows(ctx: Context) -> Fits:
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
        is_hole = event.is_instance and _is_of_series(shelf, event)
        if singles:
            return wanted and event.is_instance
        return wanted or is_hole

    return shows


def _filter(ctx: Context) -> Fits:
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


def _window(
    low: str | None, high: str | None
) -> tuple[datetime | None, datetime | None]:
    since, until = times.bound(low, "timeMin"), times.bound(high, "timeMax")
    if since is not None and until is not None and until <= since:
        raise invalid(
            "The specified time range is empty.",
            reason="timeRangeEmpty",
            place="timeMax",
        )
    return since, until


def _is_within(
    event: Event, ctx: Context, window: tuple[datetime | None, datetime | None]
) -> bool:
    """`timeMin` bounds the end, `timeMax` the start, both exclusive (5.4)."""
    since, until = window
    if event.is_series and not event.cancelled:
        return any(
            _is_within(one, ctx, window)
            for one in expanded(ctx.shelf, event, ctx.desk, window)
            if one.seq == 0
        )
    start, end = span(event, ctx.shelf)
    if until is not None and start >= until:
        return False
    if since is None:
        return True
    return end > since or (start == end and start >= since)


# ---------------------------------------------------------------- order, pages


def _rank(event: Event) -> tuple[int, str]:
    """Stable, and no promise that a series comes before its exceptions (section 9)."""
    return zlib.crc32(event.id.encode()), event.id


def _by_start(shelf: Shelf) -> Callable[[Event], tuple[datetime, str]]:
    return lambda event: (span(event, shelf)[0], event.id)


def _order(ctx: Context) -> Callable[[Event], tuple[object, str]]:
    order = ctx.params.get("orderBy")
    if order == "startTime":
        return _by_start(ctx.shelf)
    if order == "updated":
        return lambda event: (event.updated, event.id)
    return _rank


def check_token(desk: Desk, shelf: Shelf, token: str, stamp: str) -> Json:
    """The state of a sync token that is still good.

    Raises:
        ApiError: 410, it is dead; 400, it is none, or the parameters differ.
    """
    state = unpack(token)
    if state is None or state.get("k") != "c" or state["c"] != shelf.id:
        raise invalid("Invalid sync token value.", place="syncToken")
    days = desk.env.switches.calendar_token_days
    too_old = days > 0 and desk.now() - state["i"] > days * DAY
    dead = state["i"] <= shelf.info.dead_before
    if too_old or dead or state["b"] != shelf.info.epoch or state["q"] > shelf.seq:
        raise full_sync_required()
    if state["f"] != stamp:
        raise invalid(
            "The parameters differ from those of the call that gave the sync token.",
            place="syncToken",
        )
    return state


def _page_state(ctx: Context, stamp: str) -> Json | None:
    token = ctx.params.get("pageToken")
    if token is None:
        return None
    state = unpack(token)
    fits = state is not None and state.get("k") == "d" and state["f"] == stamp
    if state is None or not fits or state["b"] != ctx.shelf.info.epoch:
        raise invalid("Invalid page token value.", place="pageToken")
    return state


def _page(
    ctx: Context,
    pages: Pages,
    listing: Listing,
    place: tuple[int, bool],
    *,
    bare: str = "",
) -> Json:
    start, with_token = place
    size = ctx.params.get("maxResults", 250)
    if size < 1:
        raise invalid("Invalid value for maxResults.", place="maxResults")
    size = min(size, 2500)
    if ctx.desk.env.switches.short_pages:
        size = _random.choice((0, 1, max(1, size // 2)))
    shown = view(ctx, full_tombstones=ctx.desk.env.switches.tombstone_details)
    items = [render.event(e, shown) for e in listing.events[start : start + size]]
    answer = _envelope(ctx)
    if items:
        answer["items"] = items
    end = start + size
    if end < len(listing.events):
        pages.put(listing)
        asked = bare or _asked(ctx)
        last = listing.events[end - 1] if end else None
        answer["nextPageToken"] = pack(
            {
                "k": "d",
                "b": ctx.shelf.info.epoch,
                "l": listing.id,
                "o": end,
                "n": _rank(last) if last is not None else (-1, ""),
                "h": listing.horizon,
                "f": asked,
            }
        )
    elif with_token:
        answer["nextSyncToken"] = _sync_token(ctx, listing)
    return answer


def _asked(ctx: Context) -> str:
    params = {k: v for k, v in sorted(ctx.params.items()) if k not in _FREE}
    return fingerprint(fingerprint(params), ctx.params.get("syncToken"))


def _sync_token(ctx: Context, listing: Listing) -> str:
    """It stands for the state at the first page, so nothing is lost (5.4.1)."""
    params = {
        k: v
        for k, v in sorted(ctx.params.items())
        if k not in _FREE and k not in ("timeMin", "timeMax")
    }
    state: Json = {
        "k": "c",
        "c": ctx.shelf.id,
        "b": ctx.shelf.info.epoch,
        "q": listing.horizon,
        "i": ctx.desk.now(),
        "f": fingerprint(params),
    }
    low, high = listing.window
    if low is not None:
        state["min"] = low
    if high is not None:
        state["max"] = high
    return pack(state)


def _envelope(ctx: Context) -> Json:
    info = ctx.shelf.info
    answer: Json = {
        "kind": "calendar#events",
        "etag": f'"p{ctx.shelf.seq}"',
        "summary": info.summary,
        "updated": times.stamp(_last_change(ctx.shelf)),
        "timeZone": info.zone,
        "accessRole": ctx.role,
    }
    if info.description:
        answer["description"] = info.description
    if info.primary:
        answer["defaultReminders"] = DEFAULT_REMINDERS
    return answer


def _last_change(shelf: Shelf) -> float:
    last = next(reversed(shelf.events.values()), None)
    return last.updated if last is not None else 0.0
