"""The unit of work loses no update, whoever else writes (ADR 7)."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, select, update

from crmsync.errors import ConfigError, StorageDown
from crmsync.storage.database import Database, make_database
from tests.conftest import NewUrl

_META = MetaData()
COUNTER = Table(
    "counter",
    _META,
    Column("id", Integer, primary_key=True),
    Column("n", Integer),
    Column("text", Text),
)
WRITERS, TIMES = 4, 500


@pytest.fixture
def url(new_url: NewUrl) -> str:
    """A database with two counters at zero."""
    made = new_url()
    database = make_database(made)
    _META.create_all(database.engine)
    with database.write() as connection:
        connection.execute(COUNTER.insert(), [{"id": i, "n": 0} for i in (1, 2)])
    database.close()
    return made


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    made = make_database(url)
    yield made
    made.close()


def count(database: Database, number: int = 1) -> int:
    with database.read() as connection:
        statement = select(COUNTER.c.n).where(COUNTER.c.id == number)
        return int(connection.execute(statement).scalar_one())


def _add(database: Database, *order: int) -> None:
    """Read and write counters as ordinary code does: no lock, no retry."""
    with database.write() as connection:
        for number in order:
            mine = COUNTER.c.id == number
            n = connection.execute(select(COUNTER.c.n).where(mine)).scalar_one()
            connection.execute(update(COUNTER).where(mine).values(n=n + 1))


def _write(url: str, order: tuple[int, ...]) -> None:
    database = make_database(url)
    for _ in range(TIMES):
        _add(database, *order)
    database.close()


@pytest.mark.rule("ENG-3")
@pytest.mark.timeout(120)
def test_four_writers_lose_no_update_meet_no_lock_and_no_deadlock(
    url: str, database: Database
) -> None:
    """Four processes; two of them take the rows in the other order."""
    context = multiprocessing.get_context("spawn")
    orders = [(1, 2), (2, 1)] * (WRITERS // 2)
    writers = [context.Process(target=_write, args=(url, order)) for order in orders]

    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    assert [count(database, n) for n in (1, 2)] == [WRITERS * TIMES] * 2


def test_a_failed_unit_of_work_is_rolled_back(database: Database) -> None:
    def fails() -> None:
        with database.write() as connection:
            connection.execute(COUNTER.insert().values(id=3, n=0))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()

    with database.read() as connection:
        found = connection.scalars(select(COUNTER.c.id).order_by(COUNTER.c.id))
        assert list(found) == [1, 2]


def test_a_reading_unit_sees_one_moment(database: Database) -> None:
    with database.read() as connection:
        before = connection.execute(select(COUNTER.c.n)).scalars().all()
        _add(database, 1, 2)
        after = connection.execute(select(COUNTER.c.n)).scalars().all()

    assert before == after == [0, 0]
    assert count(database) == 1


def test_readers_do_not_wait_for_a_writer(database: Database) -> None:
    with database.write() as connection:
        connection.execute(update(COUNTER).values(n=9))
        assert count(database) == 0

    assert count(database) == 9


@contextmanager
def writing(database: Database) -> Iterator[None]:
    """Somebody else is writing."""
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
def test_a_turn_that_does_not_come_is_a_sentence_and_stores_nothing(
    url: str, database: Database
) -> None:
    impatient = make_database(url, busy_seconds=0.1)

    with writing(database), pytest.raises(StorageDown, match="busy") as caught:
        _add(impatient, 1)

    assert caught.value.code == "storage_busy"
    assert "Try again" in caught.value.next_step
    assert count(database) == 0
    _add(impatient, 1)
    assert count(database) == 1
    impatient.close()


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://x/y", "sqlite+nope:///x"])
def test_a_wrong_url_is_one_sentence_with_the_variable(url: str) -> None:
    with pytest.raises(ConfigError, match="DATABASE_URL"):
        make_database(url)
