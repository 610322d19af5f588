"""What was read, and which messages wait for their people, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, select, update

from crmsync.storage import mailtables as m
from crmsync.storage.database import Database
from crmsync.storage.mail import EXCLUDED, MISSING


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that nobody in the CRM has an address of (MAIL-9)."""

    message_id: str
    subject: str
    sender: str
    sent_at: datetime | None
    addresses: tuple[str, ...]


def reads(
    database: Database, pair_id: str, before: str = "", limit: int = 50
) -> Sequence[Any]:
    """Return which bodies were read, when and why, the newest first (MAIL-12)."""
    table, messages = m.reads, m.messages
    same = and_(
        messages.c.pair_id == table.c.pair_id,
        messages.c.message_id == table.c.message_id,
    )
    wanted = (
        select(table, messages.c.subject, messages.c.sender)
        .select_from(table.outerjoin(messages, same))
        .where(table.c.pair_id == pair_id)
        .order_by(table.c.id.desc())
        .limit(limit)
    )
    if before:
        wanted = wanted.where(table.c.id < before)
    with database.read() as connection:
        return connection.execute(wanted).all()


def missing(
    database: Database, pair_id: str, after: str = "", limit: int = 50
) -> Sequence[Waiting]:
    """Return the messages that wait for their people, however old (MAIL-9)."""
    table = m.messages
    mine = (table.c.pair_id == pair_id, table.c.state == MISSING)
    wanted = select(table).where(*mine, table.c.message_id > after)
    with database.read() as connection:
        rows = connection.execute(
            wanted.order_by(table.c.message_id).limit(limit)
        ).all()
        of_page = m.addresses.c.message_id.in_([row.message_id for row in rows])
        known: dict[str, list[str]] = {}
        for row in connection.execute(
            select(m.addresses)
            .where(m.addresses.c.pair_id == pair_id, of_page)
            .order_by(m.addresses.c.address)
        ):
            known.setdefault(row.message_id, []).append(row.address)
    return [
        Waiting(
            row.message_id,
            row.subject,
            row.sender,
            row.sent_at,
            tuple(known.get(row.message_id, ())),
        )
        for row in rows
    ]


def ignore(database: Database, pair_id: str, message_id: str) -> bool:
    """Let a message wait no more; returns whether it did."""
    table, addresses = m.messages, m.addresses
    mine = and_(
        table.c.pair_id == pair_id,
        table.c.message_id == message_id,
        table.c.state == MISSING,
    )
    with database.write() as connection:
        done = connection.execute(update(table).where(mine).values(state=EXCLUDED))
        if done.rowcount:
            connection.execute(
                delete(addresses).where(
                    addresses.c.pair_id == pair_id,
                    addresses.c.message_id == message_id,
                )
            )
        return bool(done.rowcount)
