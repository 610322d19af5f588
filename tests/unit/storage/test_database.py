"""The unit of work loses no update, whoever else writes (architecture, section 6)."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, select, update

from crmsync.errors import ConfigError
from crmsync.storage.database import make_database

_META = MetaData()
COUNTER = Table(
    "counter", _META, Column("id", Integer, primary_key=True), Column("n", Integer)
)
WRITERS, TIMES = 4, 250


def _write(url: str) -> None:
    database = make_database(url)
    for _ in range(TIMES):
        with database.write() as connection:
            n = connection.execute(select(COUNTER.c.n)).scalar_one()
            connection.execute(update(COUNTER).values(n=n + 1))
    database.close()


@pytest.mark.rule("ENG-3")
@pytest.mark.timeout(120)
def test_four_writers_lose_no_update_and_meet_no_lock(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'race.db'}"
    database = make_database(url)
    _META.create_all(database.engine)
    with database.write() as connection:
        connection.execute(COUNTER.insert().values(id=1, n=0))
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(url,)) for _ in range(WRITERS)]

    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    with database.read() as connection:
        assert connection.execute(select(COUNTER.c.n)).scalar_one() == WRITERS * TIMES
    database.close()


def test_a_failed_unit_of_work_is_rolled_back(tmp_path: Path) -> None:
    database = make_database(f"sqlite:///{tmp_path / 'x.db'}")
    _META.create_all(database.engine)

    def fails() -> None:
        with database.write() as connection:
            connection.execute(COUNTER.insert().values(id=1, n=0))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()

    with database.read() as connection:
        assert connection.execute(select(COUNTER)).all() == []
    database.close()


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://x/y", "sqlite+nope:///x"])
def test_a_wrong_url_is_one_sentence_with_the_variable(url: str) -> None:
    with pytest.raises(ConfigError, match="DATABASE_URL"):
        make_database(url)
