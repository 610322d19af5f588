"""connections.list: pages, sync tokens, and what has propagated (contract 4.4)."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import SystemRandom
from typing import Any

import orjson

from sandbox.clock import DAY
from sandbox.errors import invalid
from sandbox.messages import Json, dumps
from sandbox.people.context import Context
from sandbox.people.errors import parameters_differ, sync_token_expired
from sandbox.people.masks import View, person_fields, view
from sandbox.people.model import Contact
from sandbox.people.render import person
from sandbox.people.state import Book
from sandbox.tokens import fingerprint, pack, unpack

_random = SystemRandom()
_ORDERS = ("LAST_MODIFIED_ASCENDING",)


@dataclass(slots=True)
class Listing:
    """One list from its first page to its last."""

    id: str
    contacts: list[Contact]
    horizon: int
    full_at: float
    stamp: str
    since: int | None


class Pages:
    """Lists under way, so that no page is sorted or filtered twice."""

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


def is_full_sync_start(params: Json) -> bool:
    """The call whose own quota cannot be raised (4.4.7)."""
    return (
        params.get("requestSyncToken", False)
        and not params.get("syncToken")
        and not params.get("pageToken")
    )


def list_connections(ctx: Context, pages: Pages) -> Json:
    """`GET people/me/connections`.

    Raises:
        ApiError: 400; a mask, a page size, an order or a token that does not fit.
    """
    params = ctx.params
    if params["resourceName"] != "people/me":
        raise invalid('Resource name must be "people/me".')
    fields = person_fields(params)
    size = params.get("pageSize", 0)
    if not 0 <= size <= 1000:
        raise invalid("Page size must be between 1 and 1000, inclusive.")
    _check_order(params)
    shown = view(fields, params.get("sources"), listing=True)
    shown = replace(shown, tokened=bool(params.get("syncToken")))
    listing, start = _listing(ctx, pages)
    return _page(ctx, pages, listing, (start, size or 100), shown)


def check_token(book: Book, token: str, kind: str) -> Json:
    """The state of a sync token that is still good.

    Raises:
        ApiError: 400; it is none of ours, or it has expired (2.3).
    """
    state = unpack(token)
    if state is None or state.get("k") != kind:
        raise invalid("Invalid sync token.")
    switches = book.env.switches
    born = state["i"] if switches.sync_token_chain_renews else state["t"]
    too_old = book.env.clock.now() - born > switches.sync_token_days * DAY
    dead = state["i"] <= book.tokens_dead_before
    if too_old or dead or state["b"] != book.epoch or state["q"] > book.seq:
        raise sync_token_expired(switches.sync_expired_status)
    return state


def _check_order(params: Json) -> None:
    """An order of one's own and a sync do not go together (4.4.3)."""
    syncing = params.get("requestSyncToken") or params.get("syncToken")
    if syncing and params.get("sortOrder", _ORDERS[0]) not in _ORDERS:
        raise invalid("sort_order can not be set when a sync is requested.")


def _listing(ctx: Context, pages: Pages) -> tuple[Listing, int]:
    """The list a call belongs to, and where in it the page starts."""
    params, book = ctx.params, ctx.book
    token = params.get("syncToken")
    stamp = fingerprint(
        params.get("personFields"),
        params.get("requestMask.includeField"),
        params.get("sources"),
        params.get("pageSize"),
        params.get("requestSyncToken"),
        params.get("sortOrder"),
    )
    page_stamp = fingerprint(stamp, token)
    if params.get("pageToken"):
        return _continued(ctx, pages, stamp, page_stamp)
    horizon = book.horizon()
    if token:
        state = check_token(book, token, "s")
        if state["f"] != stamp:
            raise parameters_differ("sync token")
        contacts = book.changed(state["q"], horizon)
        key, since, full_at = secrets.token_hex(8), state["q"], state["t"]
        return Listing(key, contacts, horizon, full_at, stamp, since), 0
    contacts = _sorted(book.snapshot(horizon), params.get("sortOrder"))
    return Listing(secrets.token_hex(8), contacts, horizon, ctx.now, stamp, None), 0


def _continued(
    ctx: Context, pages: Pages, stamp: str, page_stamp: str
) -> tuple[Listing, int]:
    state = unpack(ctx.params["pageToken"])
    if state is None or state.get("k") != "p" or state["b"] != ctx.book.epoch:
        raise invalid("Invalid page token.")
    if state["f"] != page_stamp:
        raise parameters_differ("page token")
    listing = pages.get(state["l"])
    if listing is not None:
        return listing, state["o"]
    # We were restarted in the middle of a list: go on behind what was served. What
    # has changed since then has a higher number and is served, perhaps again.
    book, since = ctx.book, state["q"]
    horizon = book.horizon()
    full = since is None
    contacts = book.snapshot(horizon) if full else book.changed(since, horizon)
    contacts = [c for c in contacts if c.seq > state["n"]]
    resumed = Listing(state["l"], contacts, state["h"], state["t"], stamp, since)
    pages.put(resumed)
    return resumed, 0


def _page(
    ctx: Context, pages: Pages, listing: Listing, span: tuple[int, int], shown: View
) -> Json:
    start, size = span
    if ctx.book.env.switches.short_pages:
        size = _random.choice((0, 1, max(1, size // 2)))
    contacts = listing.contacts[start : start + size]
    end, total = start + size, len(listing.contacts)
    answer: Json = {}
    if contacts:
        answer["connections"] = _persons(ctx, contacts, shown)
    if end < total:
        pages.put(listing)
        answer["nextPageToken"] = _page_token(ctx, listing, end)
    elif ctx.params.get("requestSyncToken"):
        answer["nextSyncToken"] = pack(
            {
                "k": "s",
                "b": ctx.book.epoch,
                "q": ctx.book.overlap_seq(listing.horizon),
                "t": listing.full_at,
                "i": ctx.now,
                "f": listing.stamp,
            }
        )
    answer["totalPeople"] = total
    answer["totalItems"] = total
    return answer


def _page_token(ctx: Context, listing: Listing, end: int) -> str:
    served = listing.contacts[:end]
    return pack(
        {
            "k": "p",
            "b": ctx.book.epoch,
            "l": listing.id,
            "o": end,
            "n": served[-1].seq if served else 0,
            "h": listing.horizon,
            "t": listing.full_at,
            "q": listing.since,
            "f": fingerprint(listing.stamp, ctx.params.get("syncToken")),
        }
    )


def _persons(ctx: Context, contacts: list[Contact], shown: View) -> list[Any]:
    """Persons as prepared bytes, unless a `fields` selection has to cut them."""
    shuffle = ctx.book.env.switches.shuffle_items
    if ctx.selected:
        return [person(contact, shown, shuffle=shuffle) for contact in contacts]
    variant = _random.getrandbits(1) if shuffle else 2
    key = (shown, ctx.pretty, variant)
    found = []
    for contact in contacts:
        prepared = contact.made.get(key)
        if prepared is None:
            prepared = _prepared(person(contact, shown, shuffle=shuffle), ctx.pretty)
            if len(contact.made) > 8:
                contact.made.clear()
            contact.made[key] = prepared
        found.append(prepared)
    return found


def _prepared(value: Json, pretty: bool) -> orjson.Fragment:
    """The bytes of one person, indented for its place in a list."""
    if not pretty:
        return orjson.Fragment(orjson.dumps(value))
    return orjson.Fragment(dumps(value).rstrip().replace(b"\n", b"\n    "))


def _sorted(contacts: list[Contact], order: str | None) -> list[Contact]:
    if order == "LAST_MODIFIED_DESCENDING":
        return contacts[::-1]
    keys: dict[str, Callable[[Contact], str]] = {
        "FIRST_NAME_ASCENDING": lambda c: _name_part(c, "givenName"),
        "LAST_NAME_ASCENDING": lambda c: _name_part(c, "familyName"),
    }
    return sorted(contacts, key=keys[order]) if order in keys else contacts


def _name_part(contact: Contact, part: str) -> str:
    names = contact.fields.get("names", [{}])
    return str(names[0].get(part, "")).casefold()
