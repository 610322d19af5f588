"""The real database state behind the small face that a `World` uses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import select

from crmsync.engine.guard import Allowance
from crmsync.engine.plan import Item
from crmsync.ports import Unit
from crmsync.records.remote import Link
from crmsync.storage import codec, cycles
from crmsync.storage import tables as t
from crmsync.storage.database import Database, make_database
from crmsync.storage.leases import acquire
from crmsync.storage.state import SqlState
from tests.support.memory_state import VirtualClock

PAIR = "user1:contacts"


def fresh_database(url: str, now: datetime) -> Database:
    """Return the database of a URL, with one user and one pair."""
    database = make_database(url)
    t.metadata.create_all(database.engine)
    with database.write() as connection:
        connection.execute(
            t.users.insert().values(id="user1", email="a@example.com", created_at=now)
        )
        connection.execute(
            t.pairs.insert().values(id=PAIR, user_id="user1", kind="contacts")
        )
    return database


class SqlBacked(SqlState):
    """`SqlState` with `begin`, hooks around commits, and a look inside."""

    def __init__(self, database: Database, clock: VirtualClock) -> None:
        self.cycles = 0
        self.before_commit: Callable[[], None] = lambda: None
        self.after_commit: Callable[[], None] = lambda: None
        lease = acquire(database, PAIR, "", now=clock.now(), seconds=1e6)
        super().__init__(database, lease, "", clock=clock)

    def begin(self, allowed: Allowance | None = None) -> str:
        self.cycles += 1
        self.cycle_id = f"cycle{self.cycles:06d}"
        self._allowance = allowed
        cycles.open_cycle(
            self.database, self.cycle_id, PAIR, now=self.clock.now(), is_dry=False
        )
        return self.cycle_id

    @property
    def cycle(self) -> str:
        return self.cycle_id

    def commit(self, unit: Unit) -> None:
        self.before_commit()
        super().commit(unit)
        self.after_commit()

    def _select(self, table: Any) -> list[Any]:
        with self.database.read() as connection:
            return list(connection.execute(select(table)))

    def all_items(self) -> list[Item]:
        return [codec.item_from_row(row) for row in self._select(t.items)]

    def cycle_items(self) -> list[Item]:
        rows = self._select(t.items)
        return [codec.item_from_row(r) for r in rows if r.cycle_id == self.cycle_id]

    @property
    def tables(self) -> SqlBacked:
        return self

    @property
    def links(self) -> Any:
        """Both the port's method and the dictionary that the oracle reads."""
        return _Links(self)


class _Links:
    def __init__(self, state: SqlBacked) -> None:
        self.state = state

    def __call__(self, after: str, limit: int) -> Any:
        return SqlState.links(self.state, after, limit)

    def values(self) -> list[Link]:
        return [codec.link_from_row(row) for row in self.state._select(t.links)]
