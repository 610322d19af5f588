"""Pages and tokens of event lists (contract 5.4)."""

from __future__ import annotations

import threading
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from random import SystemRandom

from sandbox.clock import DAY
from sandbox.events import render, times
from sandbox.events.context import Context
from sandbox.events.errors import full_sync_required
from sandbox.events.model import DEFAULT_REMINDERS, Event
from sandbox.events.reads import view
from sandbox.events.state import Desk, Shelf
from sandbox.legacy import invalid
from sandbox.messages import Json
from sandbox.tokens import fingerprint, pack, unpack

_random = SystemRandom()
# Parameters that may differ from one page, or one sync, to the next.
_FREE = ("syncToken", "pageToken", "fields", "prettyPrint", "showDeleted", "alt", "key")


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


def rank(event: Event) -> tuple[int, str]:
    """Stable, and no promise that a series comes before its exceptions (section 9)."""
    return zlib.crc32(event.id.encode()), event.id


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


def page_state(ctx: Context, stamp: str) -> Json | None:
    token = ctx.params.get("pageToken")
    if token is None:
        return None
    state = unpack(token)
    fits = state is not None and state.get("k") == "d" and state["f"] == stamp
    if state is None or not fits or state["b"] != ctx.shelf.info.epoch:
        raise invalid("Invalid page token value.", place="pageToken")
    return state


def page(
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
        stamp = bare or _asked(ctx)
        last = listing.events[end - 1] if end else None
        answer["nextPageToken"] = pack(
            {
                "k": "d",
                "b": ctx.shelf.info.epoch,
                "l": listing.id,
                "o": end,
                "n": rank(last) if last is not None else (-1, ""),
                "h": listing.horizon,
                "f": stamp,
            }
        )
    elif with_token:
        answer["nextSyncToken"] = _sync_token(ctx, listing)
    return answer


def asked(params: Json, without: tuple[str, ...] = ()) -> str:
    """A stamp of the parameters that must stay the same."""
    free = (*_FREE, *without)
    return fingerprint({k: v for k, v in sorted(params.items()) if k not in free})


def _asked(ctx: Context) -> str:
    return fingerprint(asked(ctx.params), ctx.params.get("syncToken"))


def _sync_token(ctx: Context, listing: Listing) -> str:
    """It stands for the state at the first page, so nothing is lost (5.4.1)."""
    state: Json = {
        "k": "c",
        "c": ctx.shelf.id,
        "b": ctx.shelf.info.epoch,
        "q": listing.horizon,
        "i": ctx.desk.now(),
        "f": asked(ctx.params, ("timeMin", "timeMax")),
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
