"""Messages that we were asked to record, as rows (MAIL)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, delete, func, or_, select, update

from crmsync.engine.plan import Item
from crmsync.storage import codec
from crmsync.storage import mailtables as m
from crmsync.storage import tables as t
from crmsync.storage.database import Database
from crmsync.storage.leases import Lease, prove
from crmsync.storage.unit import parts

RECORDED, MISSING, EXCLUDED = "recorded", "missing", "excluded"
FAILED, REMOVED = "failed", "removed"


@dataclass(frozen=True, slots=True)
class Message:
    """One message of one mailbox that we were asked to record.

    Attributes:
        state: see `mailtables.messages`.
        addresses: of people who are missing, folded.
    """

    message_id: str
    thread_id: str
    identity: str
    state: str
    subject: str
    sender: str
    sent_at: datetime | None
    tries: int = 0
    not_before: datetime | None = None
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """One message in the history of one contact or lead."""

    key: str
    message_id: str
    identity: str
    person_kind: str
    person_id: str
    person_name: str
    history_id: str
    rule: str
    runners_up: Sequence[Mapping[str, str]]
    files: int
    was_there: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one message; stored whole or not at all."""

    message: Message
    records: tuple[Record, ...]
    items: tuple[Item, ...]


def store(
    database: Database, lease: Lease, cycle_id: str, done: Settled, now: datetime
) -> None:
    """Store what became of a message, with its history.

    Raises:
        LeaseLost: if another worker has taken the pair over.
    """
    pair_id, message = lease.pair_id, done.message
    with database.write() as connection:
        prove(connection, lease, now)
        _store_message(database, connection, pair_id, message, now)
        _store_records(database, connection, (pair_id, cycle_id), done.records, now)
        items = [codec.item_to_row(pair_id, cycle_id, now, i) for i in done.items]
        database.upsert(connection, t.items, items)


def plan(
    database: Database,
    lease: Lease,
    cycle_id: str,
    items: Sequence[Item],
    now: datetime,
) -> None:
    """Store what would become of a message (ENG-7).

    Raises:
        LeaseLost: if another worker has taken the pair over.
    """
    rows = [codec.item_to_row(lease.pair_id, cycle_id, now, item) for item in items]
    with database.write() as connection:
        prove(connection, lease, now)
        database.upsert(connection, t.items, rows)


def _store_message(
    database: Database,
    connection: Connection,
    pair_id: str,
    message: Message,
    now: datetime,
) -> None:
    mine = and_(
        m.addresses.c.pair_id == pair_id,
        m.addresses.c.message_id == message.message_id,
    )
    connection.execute(delete(m.addresses).where(mine))
    row = {
        "pair_id": pair_id,
        "message_id": message.message_id,
        "thread_id": message.thread_id,
        "identity": message.identity,
        "state": message.state,
        "subject": message.subject,
        "sender": message.sender,
        "sent_at": message.sent_at,
        "seen_at": now,
        "settled_at": None if message.state == FAILED else now,
        "tries": message.tries,
        "not_before": message.not_before,
        "wants_labels": False,
    }
    database.upsert(connection, m.messages, [row])
    if message.state == MISSING:
        rows = [
            {"pair_id": pair_id, "address": a, "message_id": message.message_id}
            for a in message.addresses
        ]
        database.upsert(connection, m.addresses, rows)


def _store_records(
    database: Database,
    connection: Connection,
    place: tuple[str, str],
    records: Sequence[Record],
    now: datetime,
) -> None:
    """Store records; of one that was there before, who made it stays as it is."""
    new = [_record_row(r, *place, now) for r in records if not r.was_there]
    database.upsert(connection, m.records, new)
    known = [_record_row(r, *place, now) for r in records if r.was_there]
    if known:
        insert = database.insert(m.records).on_conflict_do_nothing()
        connection.execute(insert, known)


def _record_row(
    record: Record, pair_id: str, cycle_id: str, now: datetime
) -> dict[str, Any]:
    return {
        "key": record.key,
        "pair_id": pair_id,
        "message_id": record.message_id,
        "identity": record.identity,
        "person_kind": record.person_kind,
        "person_id": record.person_id,
        "person_name": record.person_name,
        "history_id": record.history_id,
        "rule": record.rule,
        "runners_up": list(record.runners_up),
        "files": record.files,
        "cycle_id": cycle_id,
        "recorded_at": now,
        "removed_at": None,
        "target": {},
    }


# ------------------------------------------------------------------ reading


def known(
    database: Database, pair_id: str, message_ids: Collection[str]
) -> Mapping[str, Message]:
    """Return messages by id."""
    table, found = m.messages, {}
    with database.read() as connection:
        for part in parts(sorted(message_ids)):
            mine = and_(table.c.pair_id == pair_id, table.c.message_id.in_(part))
            for row in connection.execute(select(table).where(mine)):
                found[row.message_id] = _message(row)
    return found


def _message(row: Any) -> Message:
    return Message(
        row.message_id,
        row.thread_id,
        row.identity,
        row.state,
        row.subject,
        row.sender,
        row.sent_at,
        row.tries,
        row.not_before,
    )


def has_due(database: Database, pair_id: str, now: datetime) -> bool:
    """Whether a message that failed is to be tried again."""
    table = m.messages
    due = or_(table.c.not_before.is_(None), table.c.not_before <= now)
    wanted = select(table.c.message_id).where(
        table.c.pair_id == pair_id, table.c.state == FAILED, due
    )
    with database.read() as connection:
        return connection.execute(wanted.limit(1)).first() is not None


def waiting_addresses(
    database: Database, pair_id: str, since: datetime, after: str, limit: int
) -> Sequence[str]:
    """Return addresses whose owners are missing, of messages since then, in order."""
    both = m.addresses.join(
        m.messages,
        and_(
            m.messages.c.pair_id == m.addresses.c.pair_id,
            m.messages.c.message_id == m.addresses.c.message_id,
        ),
    )
    wanted = (
        select(m.addresses.c.address)
        .distinct()
        .select_from(both)
        .where(
            m.addresses.c.pair_id == pair_id,
            m.addresses.c.address > after,
            m.messages.c.sent_at >= since,
        )
        .order_by(m.addresses.c.address)
        .limit(limit)
    )
    with database.read() as connection:
        return list(connection.execute(wanted).scalars())


def waiting_for(
    database: Database, pair_id: str, found: Collection[str], since: datetime
) -> Sequence[str]:
    """Return the messages since then that wait for one of these addresses."""
    table, ids = m.addresses, set[str]()
    with database.read() as connection:
        for part in parts(sorted(found)):
            wanted = (
                select(table.c.message_id)
                .join(
                    m.messages,
                    and_(
                        m.messages.c.pair_id == table.c.pair_id,
                        m.messages.c.message_id == table.c.message_id,
                    ),
                )
                .where(
                    table.c.pair_id == pair_id,
                    table.c.address.in_(part),
                    m.messages.c.sent_at >= since,
                )
            )
            ids |= set(connection.execute(wanted).scalars())
    return sorted(ids)


def told(database: Database, keys: Sequence[str]) -> frozenset[str]:
    """Return those of these records that a cycle has told of, and nobody took back."""
    table = m.records
    wanted = select(table.c.key).where(
        table.c.key.in_(keys), table.c.removed_at.is_(None)
    )
    with database.read() as connection:
        return frozenset(connection.execute(wanted).scalars())


def recorded_identities(database: Database) -> frozenset[str]:
    """Return which messages are in the CRM's history, whoever recorded them."""
    wanted = select(m.records.c.identity).where(m.records.c.removed_at.is_(None))
    with database.read() as connection:
        return frozenset(connection.execute(wanted).scalars())


def files_of(connection: Connection, cycle_id: str) -> int:
    """Return how many files the records have that a cycle made."""
    table = m.records
    total = func.coalesce(func.sum(table.c.files), 0)
    return int(
        connection.scalar(select(total).where(table.c.cycle_id == cycle_id)) or 0
    )


# ------------------------------------------------------------------ receipt


def note_read(
    database: Database,
    read_id: str,
    pair_id: str,
    message_id: str,
    why: str,
    at: datetime,
) -> None:
    """Note that a message's body is about to be read (MAIL-12)."""
    row = {
        "id": read_id,
        "pair_id": pair_id,
        "message_id": message_id,
        "why": why,
        "at": at,
    }
    with database.write() as connection:
        connection.execute(m.reads.insert().values(**row))


# ------------------------------------------------------------------ threads


def followed(database: Database, pair_id: str) -> frozenset[str]:
    """Return the conversations whose later messages are recorded (MAIL-10)."""
    table = m.threads
    wanted = select(table.c.thread_id).where(
        table.c.pair_id == pair_id, table.c.stopped_at.is_(None)
    )
    with database.read() as connection:
        return frozenset(connection.execute(wanted).scalars())


def follow(
    database: Database, pair_id: str, thread_id: str, subject: str, now: datetime
) -> None:
    """Begin to follow a conversation, or again."""
    row = {
        "pair_id": pair_id,
        "thread_id": thread_id,
        "subject": subject,
        "started_at": now,
        "stopped_at": None,
    }
    with database.write() as connection:
        database.upsert(connection, m.threads, [row])


def unfollow(database: Database, pair_id: str, thread_id: str, now: datetime) -> bool:
    """Stop following a conversation; returns whether it was followed."""
    table = m.threads
    mine = and_(
        table.c.pair_id == pair_id,
        table.c.thread_id == thread_id,
        table.c.stopped_at.is_(None),
    )
    with database.write() as connection:
        done = connection.execute(update(table).where(mine).values(stopped_at=now))
        return bool(done.rowcount)


# ------------------------------------------------------------------ labels


def relabelling(database: Database, pair_id: str) -> Sequence[Message]:
    """Return messages whose labels have to follow what a person did (MAIL-15)."""
    table = m.messages
    mine = and_(table.c.pair_id == pair_id, table.c.wants_labels)
    with database.read() as connection:
        rows = connection.execute(select(table).where(mine).limit(200))
        return [_message(row) for row in rows]


def relabelled(database: Database, pair_id: str, message_id: str) -> None:
    """Note that a message's labels have followed."""
    table = m.messages
    mine = and_(table.c.pair_id == pair_id, table.c.message_id == message_id)
    with database.write() as connection:
        connection.execute(update(table).where(mine).values(wants_labels=False))


def backoff(tries: int) -> timedelta:
    """Return how long a message that failed waits before it is tried again (ENG-8)."""
    return min(timedelta(minutes=5 * (1 << min(tries, 10))), timedelta(days=1))
