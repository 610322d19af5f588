"""Leases with fencing tokens: one cycle per pair, one writer per Google account.

The rows live in the database, not in Redis. A token grows at each take-over; every
commit of a cycle proves its tokens, so an orphaned worker's next commit fails (ENG-5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select, update

from crmsync.errors import LeaseLost, LeaseTaken, UsageError
from crmsync.storage import tables as t
from crmsync.storage.database import Database


@dataclass(frozen=True, slots=True)
class Lease:
    """The time-limited right to run one pair and to write to one Google account.

    Attributes:
        token: of the pair; grows at each take-over.
        account: `sub` of the Google account, or "" if no account is concerned.
        account_token: of the account.
        seconds: how long it lasts after each proof.
    """

    pair_id: str
    token: int
    account: str
    account_token: int
    seconds: float


def acquire(
    database: Database, pair_id: str, account: str, *, now: datetime, seconds: float
) -> Lease:
    """Take the lease of a pair and of its Google account.

    Raises:
        LeaseTaken: if somebody else holds one of the two.
    """
    until = now + timedelta(seconds=seconds)
    with database.write() as connection:
        pair = connection.execute(
            select(t.pairs.c.lease_token, t.pairs.c.lease_until)
            .where(t.pairs.c.id == pair_id)
            .with_for_update()
        ).first()
        if pair is None:
            raise UsageError("There is no such pair of user and kind.")
        if is_running(pair.lease_until, now):
            raise LeaseTaken("A cycle of this kind is running for this user already.")
        token = pair.lease_token + 1
        connection.execute(
            update(t.pairs)
            .where(t.pairs.c.id == pair_id)
            .values(lease_token=token, lease_until=until)
        )
        account_token = _acquire_account(
            database, connection, (account, pair_id), (now, until)
        )
    return Lease(pair_id, token, account, account_token, seconds)


def _acquire_account(
    database: Database,
    connection: Connection,
    names: tuple[str, str],
    times: tuple[datetime, datetime],
) -> int:
    account, pair_id = names
    now, until = times
    if not account:
        return 0
    table = t.account_leases
    connection.execute(
        database.insert(table)
        .values(google_sub=account, pair_id=pair_id, lease_token=0)
        .on_conflict_do_nothing()
    )
    found = connection.execute(
        select(table).where(table.c.google_sub == account).with_for_update()
    ).one()
    if is_running(found.lease_until, now):
        raise LeaseTaken("Another cycle is writing to this Google account.")
    token = int(found.lease_token) + 1
    connection.execute(
        update(table)
        .where(table.c.google_sub == account)
        .values(pair_id=pair_id, lease_token=token, lease_until=until)
    )
    return token


def is_running(until: datetime | None, now: datetime) -> bool:
    """Whether a lease that ends at `until` is held."""
    return until is not None and until > now


def prove(connection: Connection, lease: Lease, now: datetime) -> None:
    """Prove and prolong a lease inside the caller's transaction.

    Raises:
        LeaseLost: if another worker has taken it over.
    """
    until = now + timedelta(seconds=lease.seconds)
    pair = connection.execute(
        update(t.pairs)
        .where(t.pairs.c.id == lease.pair_id, t.pairs.c.lease_token == lease.token)
        .values(lease_until=until)
    )
    if pair.rowcount != 1:
        raise LeaseLost("Another worker has taken over this synchronisation.")
    if not lease.account:
        return
    table = t.account_leases
    account = connection.execute(
        update(table)
        .where(
            table.c.google_sub == lease.account,
            table.c.lease_token == lease.account_token,
        )
        .values(lease_until=until)
    )
    if account.rowcount != 1:
        raise LeaseLost("Another worker has taken over this Google account.")


def release(database: Database, lease: Lease) -> None:
    """Give a lease back; one that was taken over is left alone."""
    with database.write() as connection:
        connection.execute(
            update(t.pairs)
            .where(t.pairs.c.id == lease.pair_id, t.pairs.c.lease_token == lease.token)
            .values(lease_until=None)
        )
        table = t.account_leases
        connection.execute(
            update(table)
            .where(
                table.c.google_sub == lease.account,
                table.c.lease_token == lease.account_token,
            )
            .values(lease_until=None)
        )


def fence(database: Database, pair_ids: Sequence[str], account: str) -> None:
    """End whoever holds these leases: the next commit of theirs fails (AUTH-8)."""
    with database.write() as connection:
        connection.execute(
            update(t.pairs)
            .where(t.pairs.c.id.in_(list(pair_ids)))
            .values(lease_token=t.pairs.c.lease_token + 1, lease_until=None)
        )
        if not account:
            return
        table = t.account_leases
        theirs = (table.c.google_sub == account) & table.c.pair_id.in_(list(pair_ids))
        connection.execute(
            update(table)
            .where(theirs)
            .values(lease_token=table.c.lease_token + 1, lease_until=None)
        )
