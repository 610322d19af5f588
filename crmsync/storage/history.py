"""Reading Sync History, and the rows that persons add to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select, update

from crmsync.engine.plan import ItemState
from crmsync.errors import UsageError
from crmsync.ports import ChoiceKind
from crmsync.storage import tables as t
from crmsync.storage.database import Database
from crmsync.storage.unit import is_of_dry_run, parts


def cycle_row(database: Database, cycle_id: str) -> Any:
    """Return one cycle with its user's address.

    Raises:
        UsageError: if there is none.
    """
    # Without an id, `list_cycles` would return the newest cycle of anybody.
    rows = list_cycles(database, cycle_id=cycle_id, limit=1) if cycle_id else ()
    if not rows:
        raise UsageError(
            f"There is no cycle {cycle_id}.",
            next_step="See the cycles with: crm-sync history list",
        )
    return rows[0]


def list_cycles(
    database: Database,
    *,
    cycle_id: str = "",
    user_id: str = "",
    pair_id: str = "",
    state: str = "",
    limit: int = 50,
) -> Sequence[Any]:
    """Return cycles, newest first."""
    statement = select(
        t.cycles, t.users.c.email, t.users.c.name.label("user_name")
    ).join(t.users, t.users.c.id == t.cycles.c.user_id)
    for column, value in (
        (t.cycles.c.id, cycle_id),
        (t.cycles.c.user_id, user_id),
        (t.cycles.c.pair_id, pair_id),
        (t.cycles.c.state, state),
    ):
        if value:
            statement = statement.where(column == value)
    # Cycles of a state have an index in the order of their start: without it, the few
    # held ones would be looked for among all.
    order = [t.cycles.c.id.desc()]
    if state:
        order.insert(0, t.cycles.c.started_at.desc())
    with database.read() as connection:
        return connection.execute(statement.order_by(*order).limit(limit)).all()


def items_of(
    database: Database, cycle_id: str, limit: int | None = None
) -> Sequence[Any]:
    """Return a cycle's items in the order they were planned."""
    with database.read() as connection:
        return connection.execute(
            select(t.items)
            .where(t.items.c.cycle_id == cycle_id)
            .order_by(t.items.c.id)
            .limit(limit)
        ).all()


def set_aside(
    database: Database, pair_id: str, google_ids: Sequence[str]
) -> frozenset[str]:
    """Return those Google records that were left out because of what they hold."""
    statement = select(t.items.c.google_id).where(
        t.items.c.pair_id == pair_id,
        t.items.c.state == ItemState.SKIPPED.value,
        t.items.c.reason == "odd",
        ~is_of_dry_run(),
    )
    found: set[str] = set()
    with database.read() as connection:
        for part in parts(google_ids):
            ids = statement.where(t.items.c.google_id.in_(part))
            found.update(connection.scalars(ids))
    return frozenset(found)


def item_row(database: Database, item_id: str) -> Any:
    """Return one item.

    Raises:
        UsageError: if there is none.
    """
    with database.read() as connection:
        row = connection.execute(select(t.items).where(t.items.c.id == item_id)).first()
    if row is None:
        raise UsageError(
            f"There is no item {item_id}.",
            next_step="See a cycle's items with: crm-sync history show CYCLE",
        )
    return row


def choose(
    database: Database,
    place: tuple[str, str, str],
    kind: ChoiceKind,
    target: str,
) -> None:
    """Store a person's decision about (pair, side, record)."""
    pair_id, side, remote_id = place
    with database.write() as connection:
        row = {
            "pair_id": pair_id,
            "side": side,
            "remote_id": remote_id,
            "kind": kind.value,
            "target": target,
        }
        database.upsert(connection, t.choices, [row])


def hurry(database: Database, pair_id: str, places: Sequence[tuple[str, str]]) -> None:
    """Let postponed records be tried in the next cycle (retry, HIS-3)."""
    with database.write() as connection:
        for side, remote_id in places:
            connection.execute(
                update(t.staged)
                .where(
                    t.staged.c.pair_id == pair_id,
                    t.staged.c.side == side,
                    t.staged.c.remote_id == remote_id,
                )
                .values(not_before=None)
            )


def forget_choices(
    database: Database, pair_id: str, places: Sequence[tuple[str, str]]
) -> None:
    """Forget what persons decided about records, so that they are asked again."""
    with database.write() as connection:
        for side, remote_id in places:
            connection.execute(
                delete(t.choices).where(
                    t.choices.c.pair_id == pair_id,
                    t.choices.c.side == side,
                    t.choices.c.remote_id == remote_id,
                )
            )


def close_item(database: Database, item_id: str, state: str, reason: str) -> None:
    """Close an item that a person dealt with."""
    with database.write() as connection:
        connection.execute(
            update(t.items)
            .where(t.items.c.id == item_id)
            .values(state=state, reason=reason)
        )
