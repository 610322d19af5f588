"""Proposals as rows; see `services.proposing`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.sql import Select

from crmsync.storage import tables as t
from crmsync.storage.database import Database

OPEN, TAKEN = "open", "taken"
UNHEARD = "proposed"
"""The reason of items that nobody was asked about yet."""

_ROW = t.proposals.c


def unheard(database: Database, pair_id: str, limit: int = 500) -> Sequence[Any]:
    """Return what a pair's cycles proposed and nobody was asked about yet."""
    item = t.items.c
    statement = (
        select(t.items)
        .where(item.state == "done", item.reason == UNHEARD, item.pair_id == pair_id)
        .where(~select(_ROW.id).where(_ROW.item_id == item.id).exists())
        .order_by(item.id)
        .limit(limit)
    )
    with database.read() as connection:
        return connection.execute(statement).all()


def add(database: Database, row: Mapping[str, Any]) -> None:
    """Store a proposal; it takes the place of the same member's older one."""
    older = (
        (_ROW.pair_id == row["pair_id"])
        & (_ROW.crm_id == row["crm_id"])
        & (_ROW.state == OPEN)
    )
    with database.write() as connection:
        found = connection.scalars(select(_ROW.item_id).where(older)).all()
        connection.execute(
            update(t.proposals)
            .where(older)
            .values(state="replaced", decided_at=row["made_at"])
        )
        connection.execute(t.proposals.insert().values(state=OPEN, **row))
        for item_id in found:
            _tell(connection, item_id, "proposal_replaced")


def tell(database: Database, item_id: str, reason: str) -> None:
    """Say in Sync History what became of a proposed edit."""
    with database.write() as connection:
        _tell(connection, item_id, reason)


def _tell(connection: Any, item_id: str, reason: str) -> None:
    connection.execute(
        update(t.items).where(t.items.c.id == item_id).values(reason=reason)
    )


def _whole() -> Select[Any]:
    return (
        select(t.proposals, t.users.c.email, t.users.c.name.label("proposer"))
        .join(t.pairs, t.pairs.c.id == _ROW.pair_id)
        .join(t.users, t.users.c.id == t.pairs.c.user_id)
    )


def get(database: Database, proposal_id: str) -> Any:
    """Return a proposal with its proposer's address and name, or None."""
    with database.read() as connection:
        return connection.execute(_whole().where(_ROW.id == proposal_id)).first()


def waiting(database: Database, asked_id: str = "") -> Sequence[Any]:
    """Return open proposals, oldest first; one person's, or everybody's."""
    statement = _whole().where(_ROW.state == OPEN).order_by(_ROW.id)
    if asked_id:
        statement = statement.where(_ROW.asked_id == asked_id)
    with database.read() as connection:
        return connection.execute(statement).all()


def unfinished(database: Database, pair_id: str, user_id: str) -> Sequence[Any]:
    """Return what a pair proposed, or its user is asked, and is not decided."""
    statement = _whole().where(
        _ROW.state.in_((OPEN, TAKEN)),
        or_(_ROW.pair_id == pair_id, _ROW.asked_id == user_id),
    )
    with database.read() as connection:
        return connection.execute(statement.order_by(_ROW.id)).all()


def take(database: Database, proposal_id: str, by: str, now: datetime) -> bool:
    """Begin to accept a proposal; return whether nobody else was faster."""
    return _move(database, proposal_id, (OPEN,), TAKEN, by, now)


def give_back(database: Database, proposal_id: str, now: datetime) -> None:
    """Let a proposal that could not be carried out wait again."""
    _move(database, proposal_id, (TAKEN,), OPEN, "", now)


def close(
    database: Database,
    proposal_id: str,
    state: str,
    by: str,
    now: datetime,
    *,
    before: Sequence[str] = (OPEN,),
) -> bool:
    """End a proposal and say so in history; return whether nobody was faster."""
    return _move(database, proposal_id, before, state, by, now)


def _move(
    database: Database,
    proposal_id: str,
    before: Sequence[str],
    state: str,
    by: str,
    now: datetime,
) -> bool:
    with database.write() as connection:
        moved = connection.execute(
            update(t.proposals)
            .where(_ROW.id == proposal_id, _ROW.state.in_(before))
            .values(state=state, decided_by=by, decided_at=now)
        ).rowcount
        if moved and state not in {OPEN, TAKEN}:
            item = select(_ROW.item_id).where(_ROW.id == proposal_id)
            item_id = connection.scalars(item).one()
            _tell(connection, item_id, f"proposal_{state}")
    return bool(moved)


def linked_in(
    database: Database, google_id: str, pair_ids: Sequence[str], roles: Sequence[str]
) -> Any:
    """Return the link of an event in the pair of whoever organises it, or None."""
    statement = (
        select(t.links.c.crm_id, t.pairs.c.user_id)
        .join(t.pairs, t.pairs.c.id == t.links.c.pair_id)
        .where(
            t.links.c.pair_id.in_(pair_ids),
            t.links.c.google_id == google_id,
            t.links.c.role.in_(roles),
        )
    )
    with database.read() as connection:
        return connection.execute(statement).first()


def pairs_with(database: Database, crm_id: str) -> Sequence[str]:
    """Return the pairs in which a CRM activity is linked."""
    statement = select(t.links.c.pair_id).where(t.links.c.crm_id == crm_id)
    with database.read() as connection:
        return connection.scalars(statement.distinct()).all()
