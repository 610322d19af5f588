"""Listing cycles in any order, a page at a time, by reads of indexes only (HIS-1).

A page is reached by its keyset: no row before it is looked at, however many there are.
Orders by a column of few values (state, kind, user) go from *bucket* to bucket; within
one the newest comes first. tests/web/test_history_list.py asks the database for its
plans.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import and_, false, func, select, true, tuple_
from sqlalchemy.sql import Select

from crmsync.storage import tables as t
from crmsync.storage.database import Database

_COLUMNS = {
    "started": t.cycles.c.started_at,
    "duration": t.cycles.c.duration_ms,
    "changes": t.cycles.c.changes,
}
BUCKETS = ("job", "user", "kind", "state")
SORTS = (*_COLUMNS, *BUCKETS)
MANY = 40
"""So many pairs are merged; more are so dense that they are met on the way."""
UNCOUNTED = 1000
"""Quiet cycles are counted up to here."""


@dataclass(frozen=True, slots=True)
class Place:
    """A row's place in an order: its bucket, the value it is sorted by, its id."""

    bucket: str
    value: Any
    cycle_id: str


@dataclass(frozen=True, slots=True)
class CycleQuery:
    """What a list shows and in which order.

    Attributes:
        pair_ids: only these pairs; None: any.
        since, until: bounds of the start; `until` is outside.
        quiet: False leaves cycles without a change out, True shows only them.
        buckets: pairs, users, kinds or states in the order of the list, if the sort
            is one of `BUCKETS`.
    """

    user_id: str = ""
    kind: str = ""
    state: str = ""
    pair_ids: tuple[str, ...] | None = None
    has_errors: bool = False
    has_conflicts: bool = False
    quiet: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    sort: str = "started"
    is_descending: bool = True
    buckets: tuple[str, ...] = ()


def page(
    database: Database,
    query: CycleQuery,
    place: Place | None = None,
    *,
    backwards: bool = False,
    limit: int = 50,
) -> list[Any]:
    """Return the rows behind a place, or before it; always in the list's order."""
    rows: list[Any] = []
    with database.read() as connection:
        for bucket in _buckets_from(query, place, backwards=backwards):
            here = place if place is not None and place.bucket == bucket else None
            statements = _statements(query, bucket, here, backwards=backwards)
            found = [
                connection.execute(statement.limit(limit - len(rows))).all()
                for statement in statements
            ]
            rows += _merged(found, query, backwards=backwards)[: limit - len(rows)]
            if len(rows) >= limit:
                break
    return rows[::-1] if backwards else rows


def place_of(query: CycleQuery, row: Any) -> Place:
    """Return a row's place."""
    column = _COLUMNS.get(query.sort)
    bucket = "" if column is not None else _bucket_of(query.sort, row)
    value = getattr(row, (t.cycles.c.started_at if column is None else column).name)
    return Place(bucket, value, row.id)


def explain(
    database: Database,
    query: CycleQuery,
    place: Place | None = None,
    *,
    backwards: bool = False,
) -> list[Select[Any]]:
    """Return the statements of `page`, for whoever wants to see their plans."""
    return [
        statement.limit(50)
        for bucket in _buckets_from(query, place, backwards=backwards)
        for statement in _statements(
            query,
            bucket,
            place if place and place.bucket == bucket else None,
            backwards=backwards,
        )
    ]


@dataclass(frozen=True, slots=True)
class Quiet:
    """A run of cycles without a change: how many, and from when to when."""

    count: int
    first_at: datetime
    last_at: datetime


def quiet_between(
    database: Database, query: CycleQuery, one: Place | None, other: Place | None
) -> Quiet | None:
    """Count cycles without a change between two places of the order `started`."""
    wanted = replace(query, quiet=True, sort="started", buckets=())
    newer, older = (one, other) if query.is_descending else (other, one)
    started = select(t.cycles.c.started_at).where(*_conditions(wanted))
    if newer is not None:
        started = started.where(_key("started") < _bound(newer))
    if older is not None:
        started = started.where(_key("started") > _bound(older))
    few = (
        started.order_by(t.cycles.c.started_at.desc(), t.cycles.c.id.desc())
        .limit(UNCOUNTED + 1)
        .subquery()
    )
    statement = select(
        func.count(), func.min(few.c.started_at), func.max(few.c.started_at)
    )
    with database.read() as connection:
        count, first, last = connection.execute(statement).one()
    return Quiet(count, first, last) if count else None


# ------------------------------------------------------------------ statements


def _buckets_from(
    query: CycleQuery, place: Place | None, *, backwards: bool
) -> list[str]:
    if query.sort in _COLUMNS:
        return [""]
    buckets = list(query.buckets)
    if query.is_descending != backwards:
        buckets.reverse()
    if place is None:
        return buckets
    if place.bucket not in buckets:
        return []
    return buckets[buckets.index(place.bucket) :]


def _bucket_of(sort: str, row: Any) -> str:
    names = {"job": "pair_id", "user": "user_id", "kind": "kind", "state": "state"}
    return str(getattr(row, names[sort]))


def _statements(
    query: CycleQuery, bucket: str, place: Place | None, *, backwards: bool
) -> list[Select[Any]]:
    """Return one statement, or one a pair where few pairs are wanted."""
    narrowed = _narrowed(query, bucket)
    if narrowed is None:
        return []
    pairs = narrowed.pair_ids
    if pairs is None or len(pairs) > MANY:
        return [_statement(narrowed, place, backwards=backwards)]
    return [
        _statement(replace(narrowed, pair_ids=(pair,)), place, backwards=backwards)
        for pair in pairs
    ]


def _narrowed(query: CycleQuery, bucket: str) -> CycleQuery | None:
    """Return the query within a bucket, or None if nothing of it is wanted."""
    if query.sort in _COLUMNS:
        return query
    if query.sort == "job":
        if query.pair_ids is not None and bucket not in query.pair_ids:
            return None
        return replace(query, pair_ids=(bucket,))
    name = {"user": "user_id", "kind": "kind", "state": "state"}[query.sort]
    if getattr(query, name) not in {"", bucket}:
        return None
    changes: dict[str, Any] = {name: bucket}
    return replace(query, **changes)


def _key(sort: str) -> Any:
    return tuple_(_COLUMNS.get(sort, t.cycles.c.started_at), t.cycles.c.id)


def _bound(place: Place) -> Any:
    is_time = isinstance(place.value, datetime)
    kind = t.cycles.c.started_at.type if is_time else t.cycles.c.changes.type
    return tuple_(place.value, place.cycle_id, types=[kind, t.cycles.c.id.type])


def _statement(
    query: CycleQuery, place: Place | None, *, backwards: bool
) -> Select[Any]:
    statement = (
        select(t.cycles, t.users.c.email, t.users.c.name.label("user_name"))
        .join(t.users, t.users.c.id == t.cycles.c.user_id)
        .where(*_conditions(query))
    )
    falls = _falls(query, backwards=backwards)
    key = _key(query.sort)
    if place is not None:
        bound = _bound(place)
        statement = statement.where(key < bound if falls else key > bound)
    column = _COLUMNS.get(query.sort, t.cycles.c.started_at)
    order = (column, t.cycles.c.id)
    return statement.order_by(*(part.desc() if falls else part for part in order))


def _falls(query: CycleQuery, *, backwards: bool) -> bool:
    """Whether values get smaller; within a bucket the newest is always first."""
    is_descending = query.is_descending if query.sort in _COLUMNS else True
    return is_descending != backwards


def _conditions(query: CycleQuery) -> list[Any]:
    cycle = t.cycles.c
    pairs = query.pair_ids
    found: list[Any] = []
    if pairs is None and query.user_id and query.kind:
        pairs = (f"{query.user_id}:{query.kind}",)
    if pairs is not None:
        is_one = len(pairs) == 1
        found.append(cycle.pair_id == pairs[0] if is_one else cycle.pair_id.in_(pairs))
    is_derived = pairs is not None and query.pair_ids is None
    for column, value in (
        (cycle.user_id, "" if is_derived else query.user_id),
        (cycle.kind, "" if is_derived else query.kind),
        (cycle.state, query.state),
    ):
        if value:
            found.append(column == value)
    if query.has_errors:
        found.append(cycle.has_errors == true())
    if query.has_conflicts:
        found.append(cycle.has_conflicts == true())
    if query.quiet is not None:
        found.append(cycle.is_quiet == (true() if query.quiet else false()))
    if query.since is not None:
        found.append(cycle.started_at >= query.since)
    if query.until is not None:
        found.append(cycle.started_at < query.until)
    return [and_(*found)] if found else []


def _merged(
    found: Sequence[Sequence[Any]], query: CycleQuery, *, backwards: bool
) -> list[Any]:
    if len(found) == 1:
        return list(found[0])
    name = _COLUMNS.get(query.sort, t.cycles.c.started_at).name
    key: Callable[[Any], Any] = lambda row: (getattr(row, name), row.id)  # noqa: E731 - a key to two calls
    falls = _falls(query, backwards=backwards)
    merged: Iterable[Any] = heapq.merge(*found, key=key, reverse=falls)
    return list(merged)
