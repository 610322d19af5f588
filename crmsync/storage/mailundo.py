"""What persons do to recorded messages afterwards, as rows (MAIL-15)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, exists, select, update

from crmsync.engine.plan import Item
from crmsync.storage import codec
from crmsync.storage import mailtables as m
from crmsync.storage import tables as t
from crmsync.storage.database import Database
from crmsync.storage.mail import RECORDED, REMOVED


def record_of(database: Database, history_id: str) -> Any | None:
    """Return the row of a recorded message; None if we did not record it."""
    table = m.records
    with database.read() as connection:
        mine = select(table).where(table.c.history_id == history_id)
        return connection.execute(mine).first()


def mark_removed(
    database: Database, record: Any, item: Item, now: datetime
) -> Sequence[str]:
    """Note that a message was taken back, with its part of the history.

    Its labels go in every mailbox that holds it, unless it stays recorded for somebody
    else.

    Returns:
        The pairs whose labels have to follow.
    """
    table, messages = m.records, m.messages
    with database.write() as connection:
        mine = table.c.key == record.key
        connection.execute(update(table).where(mine).values(removed_at=now))
        _add_item(database, connection, record, item, now)
        others = exists().where(
            table.c.identity == record.identity, table.c.removed_at.is_(None)
        )
        if connection.execute(select(others)).scalar():
            return ()
        held = and_(
            messages.c.identity == record.identity, messages.c.state == RECORDED
        )
        pairs = select(messages.c.pair_id).distinct().where(held)
        found = list(connection.execute(pairs).scalars())
        changed = update(messages).where(held)
        connection.execute(changed.values(state=REMOVED, wants_labels=True))
        return sorted(found)


def mark_moved(
    database: Database, record: Any, target: tuple[str, str], item: Item, now: datetime
) -> None:
    """Note where a message was moved, with its part of the history."""
    table, (kind, target_id) = m.records, target
    values = {"target": {"kind": kind, "id": target_id}}
    with database.write() as connection:
        mine = table.c.key == record.key
        connection.execute(update(table).where(mine).values(**values))
        _add_item(database, connection, record, item, now)


def _add_item(
    database: Database, connection: Connection, record: Any, item: Item, now: datetime
) -> None:
    """Put an item beside the one that recorded the message, if its cycle is kept."""
    kept = select(t.cycles.c.id).where(t.cycles.c.id == record.cycle_id)
    if connection.execute(kept).first() is not None:
        row = codec.item_to_row(record.pair_id, record.cycle_id, now, item)
        database.upsert(connection, t.items, [row])
