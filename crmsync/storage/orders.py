"""Placed orders as rows; see `services.ordering`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.sql import Select

from crmsync.storage import tables as t
from crmsync.storage.database import Database

_OPEN = ("waiting", "running")


def _orders() -> Select[Any]:
    return select(t.placed_orders, t.pairs.c.user_id, t.pairs.c.kind).join(
        t.pairs, t.pairs.c.id == t.placed_orders.c.pair_id
    )


def add(database: Database, row: Mapping[str, Any]) -> None:
    """Store a new order."""
    with database.write() as connection:
        connection.execute(t.placed_orders.insert().values(**row))


def get(database: Database, order_id: str) -> Any:
    """Return an order with its user and kind, or None."""
    with database.read() as connection:
        return connection.execute(
            _orders().where(t.placed_orders.c.id == order_id)
        ).first()


def first_open(database: Database, pair_id: str) -> Any:
    """Return the oldest order of a pair that is not over, or None.

    One that is `running` was left by a worker that died: whoever holds the lease now
    carries it out again.
    """
    table = t.placed_orders
    statement = _orders().where(table.c.pair_id == pair_id, table.c.state.in_(_OPEN))
    with database.read() as connection:
        return connection.execute(statement.order_by(table.c.id).limit(1)).first()


def move(
    database: Database,
    order_id: str,
    state: str,
    *,
    cycle_id: str = "",
    error: Mapping[str, Any] | None = None,
    now: datetime | None = None,
) -> None:
    """Store how far an order is."""
    values: dict[str, Any] = {"state": state, "finished_at": now}
    if cycle_id:
        values["cycle_id"] = cycle_id
    if error is not None:
        values["error"] = dict(error)
    with database.write() as connection:
        connection.execute(
            update(t.placed_orders)
            .where(t.placed_orders.c.id == order_id)
            .values(**values)
        )


def finish_with(database: Database, cycle_id: str, now: datetime) -> None:
    """Finish the orders whose cycle has ended."""
    table = t.placed_orders
    with database.write() as connection:
        connection.execute(
            update(table)
            .where(table.c.cycle_id == cycle_id, table.c.state == "running")
            .values(state="done", finished_at=now)
        )


def forget_before(database: Database, before: datetime) -> int:
    """Delete orders that were finished before a time; return how many."""
    table = t.placed_orders
    with database.write() as connection:
        return connection.execute(
            delete(table).where(table.c.finished_at < before)
        ).rowcount
