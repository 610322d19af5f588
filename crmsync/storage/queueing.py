"""What is due, computed from the database (architecture, section 6).

`next_due_at` says when a pair wants a cycle, `queued_until` that a job was put into the
queue for it and until when nobody need do so again: a job that was lost with the queue
is made up by then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, case, or_, select, update

from crmsync.storage import tables as t
from crmsync.storage.database import Database

QUEUED_SECONDS = 60.0


def set_next_due(
    database: Database, pair_id: str, started_at: datetime, due: datetime
) -> None:
    """Store when a pair is due, unless somebody asked for sooner since `started_at`."""
    column = t.pairs.c.next_due_at
    asked = and_(column.is_not(None), column > started_at, column < due)
    with database.write() as connection:
        connection.execute(
            update(t.pairs)
            .where(t.pairs.c.id == pair_id)
            .values(next_due_at=case((asked, column), else_=due))
        )


def wants_work(
    database: Database, services: Mapping[str, str], now: datetime, limit: int = 500
) -> Sequence[Any]:
    """Return pairs that want a worker: due, or with an order that is not over.

    Args:
        database: where.
        services: the service that each kind needs, for the kinds that can run.
        now: the time.
        limit: pairs at most; the rest comes with the next tick.
    """
    free = and_(
        or_(t.pairs.c.queued_until.is_(None), t.pairs.c.queued_until <= now),
        or_(t.pairs.c.lease_until.is_(None), t.pairs.c.lease_until <= now),
    )
    statement = (
        select(t.pairs.c.id, t.pairs.c.user_id, t.pairs.c.kind)
        .where(free, or_(_is_due(services, now), _has_order(), _is_carried()))
        .order_by(t.pairs.c.next_due_at, t.pairs.c.id)
        .limit(limit)
    )
    with database.read() as connection:
        return connection.execute(statement).all()


def _has_order() -> Any:
    order = t.placed_orders
    return (
        select(order.c.id)
        .where(
            order.c.pair_id == t.pairs.c.id, order.c.state.in_(["waiting", "running"])
        )
        .exists()
    )


def _is_carried() -> Any:
    """Whether a cycle waits for its next slice, even if only to be given up."""
    cycle = t.cycles
    return (
        select(cycle.c.id)
        .where(
            cycle.c.pair_id == t.pairs.c.id,
            cycle.c.state == "running",
            cycle.c.carried.is_not(None),
        )
        .exists()
    )


def _is_due(services: Mapping[str, str], now: datetime) -> Any:
    held = select(t.cycles.c.id).where(
        t.cycles.c.pair_id == t.pairs.c.id, t.cycles.c.state == "held"
    )
    connected = or_(
        *(
            and_(
                t.pairs.c.kind == kind,
                select(t.connections.c.id)
                .where(
                    t.connections.c.user_id == t.pairs.c.user_id,
                    t.connections.c.service == service,
                    t.connections.c.state == "active",
                )
                .exists(),
            )
            for kind, service in services.items()
        )
    )
    # A cycle that runs while nobody has the lease waits for its next slice, or its
    # process died: it wants a worker, whenever the next cycle is due.
    left = select(t.cycles.c.id).where(
        t.cycles.c.pair_id == t.pairs.c.id, t.cycles.c.state == "running"
    )
    disabled = select(t.users.c.id).where(
        t.users.c.id == t.pairs.c.user_id, t.users.c.is_disabled
    )
    return and_(
        ~disabled.exists(),
        or_(
            t.pairs.c.next_due_at.is_(None),
            t.pairs.c.next_due_at <= now,
            left.exists(),
        ),
        t.pairs.c.is_paused.is_(False),
        or_(t.pairs.c.kind != "contacts", t.pairs.c.group_id != ""),
        connected,
        ~held.exists(),
    )


def is_due(
    database: Database, services: Mapping[str, str], pair_id: str, now: datetime
) -> bool:
    """Whether a pair wants a cycle now, whoever is queued for it."""
    statement = select(t.pairs.c.id).where(
        t.pairs.c.id == pair_id, _is_due(services, now)
    )
    with database.read() as connection:
        return connection.execute(statement).first() is not None


def claim(database: Database, pair_id: str, now: datetime) -> bool:
    """Note that a job is about to be queued; False if somebody else did already."""
    free = or_(t.pairs.c.queued_until.is_(None), t.pairs.c.queued_until <= now)
    until = now + timedelta(seconds=QUEUED_SECONDS)
    with database.write() as connection:
        done = connection.execute(
            update(t.pairs)
            .where(t.pairs.c.id == pair_id, free)
            .values(queued_until=until)
        )
        return done.rowcount == 1


def unclaim(database: Database, pair_id: str) -> None:
    """Note that nothing is queued for a pair (any more)."""
    with database.write() as connection:
        connection.execute(
            update(t.pairs).where(t.pairs.c.id == pair_id).values(queued_until=None)
        )


# ------------------------------------------------------------------ the scheduler


def take_scheduler(
    database: Database, holder: str, now: datetime, seconds: float
) -> bool:
    """Become, or stay, the one scheduler; False if another one is at work."""
    until = now + timedelta(seconds=seconds)
    table = t.schedulers
    with database.write() as connection:
        connection.execute(
            database.insert(table)
            .values(id=1, holder=holder, until=until)
            .on_conflict_do_nothing()
        )
        done = connection.execute(
            update(table)
            .where(table.c.id == 1, or_(table.c.holder == holder, table.c.until <= now))
            .values(holder=holder, until=until)
        )
        return done.rowcount == 1


def scheduler(database: Database) -> Any:
    """Return who schedules, and until when that is known; None if nobody ever did."""
    with database.read() as connection:
        return connection.execute(select(t.schedulers)).first()
