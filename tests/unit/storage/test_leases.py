"""Leases with fencing tokens, on a real database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from crmsync.engine.guard import Allowance
from crmsync.engine.report import Carried
from crmsync.errors import LeaseLost, LeaseTaken
from crmsync.ports import Unit
from crmsync.records.remote import Base, Link
from crmsync.records.values import SideName
from crmsync.storage import cycles
from crmsync.storage import tables as t
from crmsync.storage.database import Database
from crmsync.storage.leases import Lease, acquire, release
from crmsync.storage.state import SqlState
from tests.conftest import NewUrl
from tests.support.memory_state import VirtualClock
from tests.support.sql_state import PAIR, fresh_database

NOW = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)


@pytest.fixture
def database(new_url: NewUrl) -> Iterator[Database]:
    made = fresh_database(new_url(), NOW)
    yield made
    made.close()


def state(database: Database, clock: VirtualClock, account: str = "") -> SqlState:
    lease = acquire(database, PAIR, account, now=clock.now(), seconds=60)
    return SqlState(database, lease, "cycle", clock=clock)


@pytest.mark.rule("ENG-5")
def test_a_pair_is_leased_once(database: Database) -> None:
    acquire(database, PAIR, "", now=NOW, seconds=60)

    with pytest.raises(LeaseTaken):
        acquire(database, PAIR, "", now=NOW + timedelta(seconds=59), seconds=60)


@pytest.mark.rule("ENG-5")
def test_an_abandoned_lease_expires(database: Database) -> None:
    first = acquire(database, PAIR, "", now=NOW, seconds=60)

    second = acquire(database, PAIR, "", now=NOW + timedelta(seconds=61), seconds=60)

    assert second.token == first.token + 1


@pytest.mark.rule("ENG-5")
def test_the_old_holders_commit_fails_and_stores_nothing(database: Database) -> None:
    clock = VirtualClock(NOW)
    old = state(database, clock)
    clock.advance(61)
    new = state(database, clock)
    link = Link("1", "C1", "people/c1", Base())

    with pytest.raises(LeaseLost):
        old.commit(Unit(links=(link,)))

    assert new.link_count() == 0
    new.commit(Unit(links=(link,)))
    assert new.link_count() == 1


@pytest.mark.rule("ENG-5")
def test_a_commit_prolongs_the_lease(database: Database) -> None:
    clock = VirtualClock(NOW)
    holder = state(database, clock)
    clock.advance(50)
    holder.commit(Unit(cursors={SideName.CRM: "1"}))
    clock.advance(50)

    with pytest.raises(LeaseTaken):
        acquire(database, PAIR, "", now=clock.now(), seconds=60)


@pytest.mark.rule("ENG-5")
def test_a_google_account_has_one_writer(database: Database) -> None:
    from crmsync.storage import tables as t

    with database.write() as connection:
        connection.execute(
            t.pairs.insert().values(id="user1:tasks", user_id="user1", kind="tasks")
        )
    clock = VirtualClock(NOW)
    holder = state(database, clock, "sub-1")

    with pytest.raises(LeaseTaken):
        acquire(database, "user1:tasks", "sub-1", now=NOW, seconds=60)

    release(database, holder.lease)
    acquire(database, "user1:tasks", "sub-1", now=NOW, seconds=60)
    with pytest.raises(LeaseLost):
        holder.renew()


@pytest.mark.rule("ENG-5")
def test_releasing_a_lost_lease_leaves_the_new_one_alone(database: Database) -> None:
    old = acquire(database, PAIR, "", now=NOW, seconds=60)
    later = NOW + timedelta(seconds=61)
    acquire(database, PAIR, "", now=later, seconds=60)

    release(database, old)

    with pytest.raises(LeaseTaken):
        acquire(database, PAIR, "", now=later, seconds=60)


def opened(database: Database, lease: Lease, cycle_id: str) -> None:
    cycles.open_cycle(database, lease, cycle_id, now=NOW, is_dry=False)


def put_down(database: Database, lease: Lease, cycle_id: str) -> None:
    cycles.put_down(database, lease, cycle_id, Carried(), now=NOW)


def taken_up(database: Database, lease: Lease, cycle_id: str) -> None:
    cycles.take_up(database, lease, cycle_id, now=NOW)


def resumed(database: Database, lease: Lease, cycle_id: str) -> None:
    cycles.resume_cycle(database, lease, cycle_id, Allowance(), now=NOW)


@pytest.mark.rule("ENG-5")
@pytest.mark.parametrize("do", [opened, put_down, taken_up, resumed])
def test_an_old_holder_neither_opens_nor_moves_a_cycle(
    database: Database, do: Callable[[Database, Lease, str], None]
) -> None:
    old = acquire(database, PAIR, "", now=NOW, seconds=60)
    new = acquire(database, PAIR, "", now=NOW + timedelta(seconds=61), seconds=60)
    opened(database, new, "cycle1")
    put_down(database, new, "cycle1")
    before = everything(database)

    with pytest.raises(LeaseLost):
        do(database, old, "cycle2" if do is opened else "cycle1")

    assert everything(database) == before


def everything(database: Database) -> list[tuple[object, ...]]:
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(select(t.cycles)).all()]
