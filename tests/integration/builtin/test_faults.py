"""A database that is busy or dies: the cycle learns what it may repeat (ENG-2)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import pytest
from sqlalchemy import Connection

from crmsync.connectors.builtin.contacts import BuiltinContacts, BuiltinOptions
from crmsync.errors import OutcomeUnknown, ProviderDown
from crmsync.ports import NewRecord, Outcome, Query
from crmsync.storage.database import Database, make_database
from crmsync.storage.faults import storage_down
from tests.conftest import NewUrl
from tests.contract.benches import (
    ActivityBench,
    BuiltinBench,
    TodoBench,
    meeting,
    todo,
)
from tests.contract.side_contract import (
    edit_of,
    fetched,
    new_key,
    new_record,
    person,
)

Write = Callable[[BuiltinBench, str], Sequence[Outcome]]

WRITES: dict[str, Write] = {
    "create": lambda bench, _: bench.side.create([new_record()]),
    "update": lambda bench, one: bench.side.update(
        [edit_of(fetched(bench.side, one), {"title": "New"})]
    ),
    "delete": lambda bench, one: bench.side.delete([one]),
    "select": lambda bench, one: bench.side.select([one]),
    "deselect": lambda bench, one: bench.side.deselect([one]),
}


class Unanswered:
    """A database whose commits happen, or not, and are never answered."""

    def __init__(self, database: Database, *, happens: bool) -> None:
        self.database = database
        self.happens = happens

    def read(self) -> AbstractContextManager[Connection]:
        return self.database.read()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        with self.database.engine.connect() as connection:
            work = connection.begin()
            yield connection
            if self.happens:
                work.commit()
            else:
                work.rollback()
        raise storage_down("storage_gone")


def unanswered(bench: BuiltinBench, *, happens: bool) -> BuiltinContacts:
    options = BuiltinOptions(bench.group_id, "U1", "inst", "u")
    store = Unanswered(bench.database, happens=happens)
    return BuiltinContacts(store, options, clock=bench.clock)


@pytest.fixture
def impatient(new_url: NewUrl) -> Iterator[BuiltinBench]:
    """Waits 50 ms for a locked database, not 15 s."""
    database = make_database(new_url(), busy_seconds=0.05)
    yield BuiltinBench(database)
    database.close()


@contextmanager
def held(database: Database) -> Iterator[None]:
    """Another process is writing."""
    has_begun, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with database.write():
            has_begun.set()
            may_end.wait(20)

    writer = threading.Thread(target=hold)
    writer.start()
    has_begun.wait(20)
    try:
        yield
    finally:
        may_end.set()
        writer.join()


@pytest.mark.rule("ENG-8")
@pytest.mark.parametrize("name", list(WRITES))
def test_a_locked_database_is_a_passing_fault_of_the_whole_call(
    impatient: BuiltinBench, name: str
) -> None:
    one = impatient.put(person())
    before = fetched(impatient.side, one)

    with held(impatient.database), pytest.raises(ProviderDown, match="busy"):
        WRITES[name](impatient, one)

    assert fetched(impatient.side, one) == before
    WRITES[name](impatient, one)


def test_a_locked_database_can_be_read(impatient: BuiltinBench) -> None:
    one = impatient.put(person())

    with held(impatient.database):
        assert not fetched(impatient.side, one).is_gone
        assert len(list(impatient.side.read(None))) == 1


@pytest.mark.rule("ENG-8")
def test_a_database_without_tables_is_a_passing_fault_of_reading(
    bench: BuiltinBench,
) -> None:
    with bench.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE crm_contact RENAME TO away")

    with pytest.raises(ProviderDown):
        bench.side.fetch(["C1"])
    with pytest.raises(ProviderDown):
        list(bench.side.read(None))
    with pytest.raises(ProviderDown):
        bench.side.find(Query(names=frozenset({("a", "b")})))
    with pytest.raises(ProviderDown):
        bench.side.lookup(["k"])


@pytest.mark.rule("ENG-2")
@pytest.mark.parametrize("happens", [True, False])
def test_a_create_without_an_answer_is_unknown_and_safely_repeated(
    bench: BuiltinBench, happens: bool
) -> None:
    record = new_record()

    with pytest.raises(OutcomeUnknown, match="did not say"):
        unanswered(bench, happens=happens).create([record])

    assert (record.key in bench.side.lookup([record.key])) is happens
    bench.side.create([record])
    shown = [r for page in bench.side.read(None) for r in page.records]
    assert [remote.key for remote in shown] == [record.key]


@pytest.mark.rule("ENG-2")
@pytest.mark.parametrize("happens", [True, False])
@pytest.mark.parametrize("kind", [ActivityBench, TodoBench])
def test_an_unanswered_create_of_an_activity_or_to_do_is_safely_repeated(
    database: Database, kind: type[ActivityBench] | type[TodoBench], happens: bool
) -> None:
    bench = kind(database)
    values = meeting() if kind is ActivityBench else todo()
    record = NewRecord(new_key(), values)
    store = Unanswered(database, happens=happens)

    with pytest.raises(OutcomeUnknown, match="did not say"):
        bench.new_side(store=store).create([record])

    assert (record.key in bench.side.lookup([record.key])) is happens
    bench.side.create([record])
    shown = [r for page in bench.side.read(None) for r in page.records]
    assert [remote.key for remote in shown] == [record.key]


@pytest.mark.rule("ENG-8")
@pytest.mark.parametrize("kind", [ActivityBench, TodoBench])
def test_a_crm_without_activities_is_a_passing_fault(
    database: Database, kind: type[ActivityBench] | type[TodoBench]
) -> None:
    bench = kind(database)
    with database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE crm_activity RENAME TO away")

    with pytest.raises(ProviderDown):
        bench.side.fetch(["V1"])
    with pytest.raises(ProviderDown):
        list(bench.side.read(None))
    with pytest.raises(ProviderDown):
        bench.side.lookup(["k"])
