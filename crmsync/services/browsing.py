"""What the pages of Sync History show, and to whom (HIS-1, HIS-2, HIS-6, HIS-8).

A user sees their own cycles, an admin everybody's. What somebody may not see is, for
them, not there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from crmsync.engine.report import CycleState
from crmsync.errors import UsageError
from crmsync.services import proposing, turning
from crmsync.services.app import App
from crmsync.services.reporting import item_json, record_id_in
from crmsync.services.settings_table import KINDS
from crmsync.services.telling import cycle_json
from crmsync.storage import cyclelist, history, itemlist, people
from crmsync.storage.cyclelist import CycleQuery, Place, Quiet
from crmsync.storage.people import User

PAGE = 50
_EXPORT_PAGE = 500
_WAITING = ("planned", "sent")
_STATES = tuple(sorted(state.value for state in CycleState))


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants to see of the list of cycles.

    Attributes:
        user_id: only this user's; everybody who may not see others gets their own.
        text: part of a job's name or of a user's address.
        folds: cycles without a change are told as one row.
    """

    user_id: str = ""
    kind: str = ""
    state: str = ""
    text: str = ""
    has_errors: bool = False
    has_conflicts: bool = False
    since: datetime | None = None
    until: datetime | None = None
    sort: str = "started"
    is_descending: bool = True
    folds: bool = True


@dataclass(frozen=True, slots=True)
class CyclePage:
    """One page of the list.

    Attributes:
        rows: cycles as dicts, and `Quiet` for those that are told as one.
        before, after: places of the neighbouring pages, or None at an end.
    """

    rows: Sequence[Mapping[str, Any] | tuple[Quiet, Place | None]]
    before: Place | None
    after: Place | None


def scope(viewer: User) -> str:
    """Return the id of the only user whose cycles a person sees; "" is everybody."""
    return "" if viewer.is_admin else viewer.user_id


def cycle_seen_by(app: App, viewer: User, cycle_id: str) -> Any:
    """Return a cycle's row if the viewer may see it, else None."""
    rows = history.list_cycles(app.database, cycle_id=cycle_id, limit=1)
    if not rows or scope(viewer) not in {"", rows[0].user_id}:
        return None
    return rows[0]


def item_seen_by(app: App, viewer: User, item_id: str) -> tuple[Any, Any] | None:
    """Return an item and its cycle if the viewer may see them, else None."""
    try:
        item = history.item_row(app.database, item_id)
    except UsageError:
        return None
    cycle = cycle_seen_by(app, viewer, item.cycle_id)
    return None if cycle is None else (item, cycle)


def knows_record(app: App, viewer: User, text: str) -> bool:
    """Whether synchronisation did something to the record that a text names."""
    return bool(story(app, viewer, record_id_in(text), limit=1))


def story(
    app: App, viewer: User, record_id: str, limit: int = 500
) -> list[dict[str, Any]]:
    """Return what synchronisation did to a record, newest first (HIS-4)."""
    if not record_id:
        return []
    who = scope(viewer)
    pairs = [i for kind in KINDS for i in people.pair_ids(app.database, kind, who)]
    names = {"crm_id": record_id}, {"google_id": record_id}
    found = (itemlist.about(app.database, pairs, limit=limit, **name) for name in names)
    rows = next((rows for rows in found if rows), ())
    return [
        item_json(row, row.kind)
        | {"cycle_id": row.cycle_id, "is_dry": row.is_dry, "user": row.email}
        for row in rows
    ]


def links_of(app: App, viewer: User, crm_id: str) -> list[dict[str, Any]]:
    """Return a contact's links: the viewer's own, or for an admin everybody's."""
    pairs = people.pair_ids(app.database, "contacts", scope(viewer))
    owners = {user.user_id: user for user in people.users(app.database)}
    return [
        {
            "user": owners[link.pair_id.partition(":")[0]],
            "google_id": link.google_id,
            "base": link.crm_base,
            "google_base": link.google_base,
            "made_by_sync": link.created_in,
            "waits": link.has_sends,
        }
        for link in itemlist.links_of(app.database, pairs, [crm_id])
    ]


def sync_marks(
    app: App, viewer: User, memberships: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """Return how contacts stand with the viewer's Google: `linked`, `waits` or "".

    Args:
        app: the wired process.
        viewer: who looks.
        memberships: the ids of their groups, by contact.
    """
    pair = people.seen_pair(app.database, viewer.user_id, "contacts")
    linked = {
        link.crm_id
        for link in itemlist.links_of(app.database, [pair.pair_id], [*memberships])
    }
    return {
        crm_id: "linked"
        if crm_id in linked
        else ("waits" if pair.group_id and pair.group_id in groups else "")
        for crm_id, groups in memberships.items()
    }


# ------------------------------------------------------------------ the list


def list_page(
    app: App, viewer: User, wish: Wish, place: Place | None, *, backwards: bool
) -> CyclePage:
    """Return a page of the list of cycles (HIS-1)."""
    query = _query(app, viewer, wish)
    folds = wish.folds and wish.sort == "started" and wish.state in {"", "succeeded"}
    if folds:
        query = replace(query, quiet=False)
    found = cyclelist.page(
        app.database, query, place, backwards=backwards, limit=PAGE + 1
    )
    has_more = len(found) > PAGE
    kept = found[-PAGE:] if backwards else found[:PAGE]
    has_earlier = has_more if backwards else place is not None
    has_later = place is not None if backwards else has_more
    rows: list[Any] = [row_json(app, row) for row in kept]
    places = [cyclelist.place_of(query, row) for row in kept]
    if folds:
        above = place if not backwards else None
        if backwards and has_more:
            above = cyclelist.place_of(query, found[0])
        rows = _folded(app, query, rows, (above, *places), has_later=has_later)
    return CyclePage(
        rows,
        places[0] if has_earlier and places else None,
        places[-1] if has_later and places else None,
    )


def _folded(
    app: App,
    query: CycleQuery,
    rows: list[Any],
    places: Sequence[Place | None],
    *,
    has_later: bool,
) -> list[Any]:
    """Put what is told as one row between the others; `places[0]` is above all."""
    found: list[Any] = []
    last = len(places) - 1
    for index, above in enumerate(places):
        if index == last and has_later:
            break
        below = places[index + 1] if index < last else None
        quiet = cyclelist.quiet_between(app.database, query, above, below)
        if quiet is not None:
            found.append((quiet, above))
        if index < last:
            found.append(rows[index])
    return found


def every_cycle(
    app: App, viewer: User, wish: Wish, limit: int
) -> Iterator[dict[str, Any]]:
    """Yield the list's cycles for an export, a page at a time."""
    query = _query(app, viewer, wish)
    place: Place | None = None
    told = 0
    while told < limit:
        size = min(_EXPORT_PAGE, limit - told)
        rows = cyclelist.page(app.database, query, place, limit=size)
        yield from (row_json(app, row) for row in rows)
        told += len(rows)
        if len(rows) < size:
            return
        place = cyclelist.place_of(query, rows[-1])


def row_json(app: App, row: Any) -> dict[str, Any]:
    """Return a cycle as the list shows it."""
    ended = row.finished_at or (
        app.clock.now() if row.state == CycleState.RUNNING.value else row.started_at
    )
    name = row.user_name or row.email
    return cycle_json(row) | {
        "job": f"{row.kind.capitalize()} – {name}",
        "user_name": name,
        "seconds": max(0.0, (ended - row.started_at).total_seconds()),
        "changes": row.changes,
        "objection": row.objection,
    }


def _query(app: App, viewer: User, wish: Wish) -> CycleQuery:
    user_id = scope(viewer) or wish.user_id
    shown = people.users(app.database)
    if user_id:
        shown = [user for user in shown if user.user_id == user_id]
    shown.sort(key=lambda user: ((user.name or user.email).casefold(), user.email))
    kinds = [wish.kind] if wish.kind else sorted(KINDS)
    pairs = [(user, kind) for kind in kinds for user in shown]
    buckets: dict[str, tuple[str, ...]] = {
        "job": tuple(f"{user.user_id}:{kind}" for user, kind in pairs),
        "user": tuple(user.user_id for user in shown),
        "kind": tuple(kinds),
        "state": _STATES,
    }
    return CycleQuery(
        user_id=user_id,
        kind=wish.kind,
        state=wish.state,
        pair_ids=_pairs_named(pairs, wish.text) if wish.text.strip() else None,
        has_errors=wish.has_errors,
        has_conflicts=wish.has_conflicts,
        since=wish.since,
        until=wish.until,
        sort=wish.sort if wish.sort in cyclelist.SORTS else "started",
        is_descending=wish.is_descending,
        buckets=buckets.get(wish.sort, ()),
    )


def _pairs_named(pairs: Sequence[tuple[User, str]], text: str) -> tuple[str, ...]:
    words = text.casefold().split()
    return tuple(
        f"{user.user_id}:{kind}"
        for user, kind in pairs
        if all(
            word in f"{kind} – {user.name} {user.email}".casefold() for word in words
        )
    )


# ------------------------------------------------------------------ while it runs


def progress(app: App, viewer: User, cycle_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return how far cycles are: done, planned, a second's rate, seconds left."""
    seen = [cycle_seen_by(app, viewer, cycle_id) for cycle_id in cycle_ids]
    rows = [row for row in seen if row is not None]
    tallies = itemlist.tallies(app.database, [row.id for row in rows])
    return [_progress(app, row, tallies[row.id]) for row in rows]


def _progress(app: App, row: Any, tally: Mapping[str, int]) -> dict[str, Any]:
    ended = row.finished_at or app.clock.now()
    seconds = max(0.0, (ended - row.started_at).total_seconds())
    left = sum(tally.get(state, 0) for state in _WAITING)
    done = tally.get("done", 0) + tally.get("failed", 0)
    rate = done / seconds if seconds else 0.0
    return {
        "id": row.id,
        "state": row.state,
        "seconds": seconds,
        "done": done,
        "total": done + left,
        "rate": round(rate, 1),
        "seconds_left": round(left / rate) if rate and left else None,
    }


# ------------------------------------------------------------------ the inbox


def inbox(app: App, viewer: User, *, everybody: bool) -> dict[str, list[Any]]:
    """Return what waits for a person, grouped (HIS-6).

    What has been decided and not yet carried out is in a group of its own.
    """
    user_id = "" if everybody and viewer.is_admin else viewer.user_id
    held = history.list_cycles(app.database, user_id=user_id, state="held", limit=200)
    rows = itemlist.open_questions(app.database, user_id)
    decided = itemlist.decided(app.database, rows)
    dead = [
        connection
        for connection in people.all_connections(app.database)
        if connection.state == "dead" and user_id in {"", connection.user_id}
    ]
    told = {
        row.id: item_json(row, row.kind)
        | {"user": row.email, "row": row, "choice": decided.get(row.id)}
        for row in rows
    }
    return {
        "cycles": [cycle_json(row) | {"objection": row.objection} for row in held],
        "questions": [
            told[row.id]
            for row in rows
            if row.state == "held" and row.id not in decided
        ],
        "companies": [told[row.id] for row in rows if row.state != "held"],
        "decided": [told[row.id] for row in rows if row.id in decided],
        "connections": dead,
        "stopped": turning.stopped(app, user_id),
        "proposals": proposing.waiting(app, user_id),
    }


def waiting_count(app: App, viewer: User) -> int:
    """Return how many things wait for a person, for the navigation bar."""
    mine = viewer.user_id
    held = history.list_cycles(app.database, user_id=mine, state="held", limit=100)
    places = itemlist.open_places(app.database, mine)
    decided = itemlist.decided(app.database, places)
    dead = [c for c in people.connections(app.database, mine) if c.state == "dead"]
    asked = proposing.waiting_count(app, mine)
    return len(held) + len(places) - len(decided) + len(dead) + asked
