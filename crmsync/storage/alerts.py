"""What persons were told by e-mail already, and what to tell them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select

from crmsync.storage import tables as t
from crmsync.storage.database import Database


def is_told(database: Database, key: str) -> bool:
    """Whether a trouble was told."""
    with database.read() as connection:
        found = connection.execute(select(t.alerts.c.key).where(t.alerts.c.key == key))
        return found.first() is not None


def note(database: Database, key: str, now: datetime) -> None:
    """Note that a trouble was told."""
    with database.write() as connection:
        database.upsert(connection, t.alerts, [{"key": key, "told_at": now}])


def troubled_pairs(
    database: Database, since: datetime, states: Sequence[str]
) -> list[str]:
    """Return pairs with a cycle that ended in one of `states` since a time."""
    table = t.cycles
    with database.read() as connection:
        return list(
            connection.execute(
                select(table.c.pair_id)
                .where(
                    table.c.finished_at >= since,
                    table.c.state.in_(states),
                    table.c.is_dry.is_(False),
                )
                .distinct()
                .order_by(table.c.pair_id)
            ).scalars()
        )
