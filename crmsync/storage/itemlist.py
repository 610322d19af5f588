"""Reading items a page at a time, about a cycle, a record, or a person's questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, true, tuple_, union_all

from crmsync.storage import tables as t
from crmsync.storage.database import Database

_ITEM = t.items.c


@dataclass(frozen=True, slots=True)
class ItemQuery:
    """Which items of one cycle are shown; "" is any."""

    cycle_id: str
    action: str = ""
    state: str = ""
    has_conflict: bool = False


def page(
    database: Database,
    query: ItemQuery,
    *,
    after: str = "",
    before: str = "",
    limit: int = 50,
) -> list[Any]:
    """Return items in the order they were planned, behind `after` or up to `before`."""
    statement = select(t.items).where(_ITEM.cycle_id == query.cycle_id)
    if query.action:
        statement = statement.where(_ITEM.action == query.action)
    if query.state:
        statement = statement.where(_ITEM.state == query.state)
    if query.has_conflict:
        statement = statement.where(_ITEM.has_conflict == true())
    if after:
        statement = statement.where(_ITEM.id > after)
    if before:
        statement = statement.where(_ITEM.id < before)
    backwards = bool(before)
    order = _ITEM.id.desc() if backwards else _ITEM.id
    with database.read() as connection:
        rows = connection.execute(statement.order_by(order).limit(limit)).all()
    return list(rows[::-1] if backwards else rows)


def tallies(
    database: Database, cycle_ids: Sequence[str]
) -> Mapping[str, dict[str, int]]:
    """Return how many items of each cycle are in each state."""
    statement = (
        select(_ITEM.cycle_id, _ITEM.state, func.count())
        .where(_ITEM.cycle_id.in_(cycle_ids))
        .group_by(_ITEM.cycle_id, _ITEM.state)
    )
    found: dict[str, dict[str, int]] = {cycle_id: {} for cycle_id in cycle_ids}
    with database.read() as connection:
        for cycle_id, state, number in connection.execute(statement):
            found[cycle_id][state] = number
    return found


def about(
    database: Database,
    pair_ids: Sequence[str],
    *,
    crm_id: str = "",
    google_id: str = "",
    limit: int = 500,
) -> Sequence[Any]:
    """Return what was done to a record by some pairs, newest first (HIS-4)."""
    column, value = (_ITEM.crm_id, crm_id) if crm_id else (_ITEM.google_id, google_id)
    found: list[Any] = []
    with database.read() as connection:
        for pair_id in pair_ids:
            statement = (
                select(t.items, t.cycles.c.is_dry, t.cycles.c.kind, t.users.c.email)
                .join(t.cycles, t.cycles.c.id == _ITEM.cycle_id)
                .join(t.users, t.users.c.id == t.cycles.c.user_id)
                .where(_ITEM.pair_id == pair_id, column == value)
                .order_by(_ITEM.id.desc())
                .limit(limit)
            )
            found += connection.execute(statement).all()
    return sorted(found, key=lambda row: row.id, reverse=True)[:limit]


def links_of(
    database: Database, pair_ids: Sequence[str], crm_ids: Sequence[str]
) -> Sequence[Any]:
    """Return the links of CRM records in some pairs."""
    found: list[Any] = []
    with database.read() as connection:
        for pair_id in pair_ids:
            found += connection.execute(
                select(t.links).where(
                    t.links.c.pair_id == pair_id, t.links.c.crm_id.in_(crm_ids)
                )
            ).all()
    return found


def open_questions(database: Database, user_id: str = "") -> Sequence[Any]:
    """Return held items and told edits that wait for a person (HIS-6)."""
    return _waiting(database, (t.items, t.users.c.email, t.pairs.c.kind), user_id)


def open_places(database: Database, user_id: str) -> Sequence[Any]:
    """Return the places of what `open_questions` tells, and nothing else of it."""
    columns = (_ITEM.id, _ITEM.pair_id, _ITEM.crm_id, _ITEM.google_id)
    return _waiting(database, columns, user_id)


def _waiting(
    database: Database, columns: tuple[Any, ...], user_id: str
) -> Sequence[Any]:
    waiting = union_all(
        select(_ITEM.id).where(_ITEM.state == "held"),
        select(_ITEM.id).where(
            _ITEM.state == "skipped", _ITEM.reason == "company_edited"
        ),
    ).subquery()
    statement = (
        select(*columns)
        .select_from(t.items)
        .join(waiting, waiting.c.id == _ITEM.id)
        .join(t.cycles, t.cycles.c.id == _ITEM.cycle_id)
        .join(t.pairs, t.pairs.c.id == _ITEM.pair_id)
        .join(t.users, t.users.c.id == t.pairs.c.user_id)
        .where(t.cycles.c.is_dry.is_(False), t.cycles.c.state != "held")
        .order_by(_ITEM.id)
    )
    if user_id:
        statement = statement.where(t.pairs.c.user_id == user_id)
    with database.read() as connection:
        return connection.execute(statement).all()


def decided(database: Database, rows: Sequence[Any]) -> Mapping[str, Any]:
    """Return what persons have decided already about items, by item id.

    A decision stays until the next cycle has carried it out.
    """
    places = {
        (row.pair_id, "crm" if row.crm_id else "google", row.crm_id or row.google_id): (
            row.id
        )
        for row in rows
    }
    choice = t.choices.c
    key = tuple_(choice.pair_id, choice.side, choice.remote_id)
    found: dict[str, Any] = {}
    wanted = list(places)
    with database.read() as connection:
        for start in range(0, len(wanted), 200):
            part = wanted[start : start + 200]
            for row in connection.execute(select(t.choices).where(key.in_(part))):
                found[places[row.pair_id, row.side, row.remote_id]] = row
    return found
