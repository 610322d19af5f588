"""The real database state behind the small face that a `World` uses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import count
from typing import Any

from sqlalchemy import select

from crmsync.engine.guard import Allowance
from crmsync.engine.plan import Item
from crmsync.engine.report import Carried
from crmsync.ports import Unit
from crmsync.records.remote import Link
from crmsync.records.values import SideName
from crmsync.storage import codec, cycles
from crmsync.storage import tables as t
from crmsync.storage.database import Database, make_database
from crmsync.storage.leases import Lease, acquire, release
from crmsync.storage.state import SqlState
from tests.support.memory_sides import no_effect
from tests.support.memory_state import LEASE, VirtualClock
from tests.support.simulation import simulate
from tests.support.story import Story
from tests.support.world import World

PAIR = "user1:contacts"
ACCOUNT = "google-sub-1"


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
    """`SqlState` with `begin`, effects around commits, and a look inside."""

    def __init__(self, database: Database, clock: VirtualClock) -> None:
        self.effect: Callable[[str], None] = no_effect
        self.after_commit: Callable[[], None] = lambda: None
        self.numbers = count(1)
        super().__init__(database, Lease(PAIR, 0, "", 0, LEASE), "", clock=clock)

    def acquire(self) -> SqlBacked:
        """Take the pair over and return its state for the new holder.

        Raises:
            LeaseTaken: if somebody else holds it.
        """
        now = self.clock.now()
        taken = SqlBacked(self.database, self.clock)  # type: ignore[arg-type]  # the world's own clock
        taken.lease = acquire(self.database, PAIR, ACCOUNT, now=now, seconds=LEASE)
        taken.numbers = self.numbers
        return taken

    def release(self) -> None:
        self.effect("before release")
        release(self.database, self.lease)

    def begin(self, allowed: Allowance | None = None) -> str:
        self.effect("before commit")
        self.cycle_id = f"cycle{next(self.numbers):06d}"
        self._allowance = allowed
        cycles.open_cycle(
            self.database,
            self.lease,
            self.cycle_id,
            now=self.clock.now(),
            is_dry=False,
        )
        self.after_commit()
        return self.cycle_id

    def take_up(self) -> Carried | None:
        """Begin the next slice of a cycle that waits for it, if there is one."""
        waiting = cycles.carried_cycle(self.database, PAIR)
        if waiting is None:
            return None
        self.effect("before commit")
        carried = cycles.take_up(
            self.database, self.lease, waiting.id, now=self.clock.now()
        )
        self.cycle_id = waiting.id
        self.after_commit()
        return carried

    def put_down(self, carried: Carried) -> None:
        """End a slice."""
        self.effect("before commit")
        cycles.put_down(
            self.database,
            self.lease,
            self.cycle_id,
            carried,
            now=self.clock.now(),
        )
        self.after_commit()

    @property
    def cycle(self) -> str:
        return self.cycle_id

    @cycle.setter
    def cycle(self, cycle_id: str) -> None:
        self.cycle_id = cycle_id

    def renew(self) -> None:
        self.effect("before renew")
        super().renew()

    def start_full_read(self, side: SideName) -> None:
        self.effect("before commit")
        super().start_full_read(side)
        self.after_commit()

    def commit(self, unit: Unit) -> None:
        self.effect("before commit")
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


def simulate_in_database(seed: int, url: str, *, epochs: int = 1) -> Story:
    """Tell the story of one seed over an empty database."""
    world = World()
    database = fresh_database(url, world.clock.now())
    world.state = SqlBacked(database, world.clock)  # type: ignore[assignment]  # same face
    try:
        return simulate(seed, epochs=epochs, story=Story(world))
    finally:
        database.close()
