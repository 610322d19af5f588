"""What happens to a database is told in a sentence with a way on, never as a trace."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, event, select, text
from sqlalchemy.exc import IntegrityError

from crmsync.errors import Retryable, StorageDown, describe
from crmsync.storage.database import Database, make_database
from tests.conftest import NewUrl
from tests.support import postgres

_META = MetaData()
NOTES = Table(
    "note", _META, Column("id", Integer, primary_key=True), Column("text", Text)
)

HOLD = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "notes.db"


@pytest.fixture
def notes(path: Path) -> Iterator[Database]:
    made = make_database(f"sqlite:///{path}", busy_seconds=0.1)
    _META.create_all(made.engine)
    yield made
    made.close()


def add(database: Database, words: str = "x") -> None:
    with database.write() as connection:
        connection.execute(NOTES.insert().values(text=words))


def size(database: Database) -> int:
    with database.read() as connection:
        return len(connection.execute(select(NOTES)).all())


def told(caught: pytest.ExceptionInfo[StorageDown]) -> str:
    """Return the code; the words are those of a person."""
    said = describe(caught.value)
    for sentence in (said["message"], said["next_step"]):
        assert sentence[0].isupper()
        assert "Error" not in sentence
        assert "SQL" not in sentence
    return str(said["code"])


def test_a_database_that_another_process_has_locked_is_busy(
    notes: Database, path: Path
) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"

    with pytest.raises(StorageDown) as caught:
        add(notes)
    holder.communicate(b"\n")

    assert told(caught) == "storage_busy"
    add(notes)
    assert size(notes) == 1


def test_a_full_database_is_told_and_keeps_what_it_has(notes: Database) -> None:
    add(notes)

    def be_small(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA max_page_count=4")

    notes.engine.dispose()
    event.listen(notes.engine, "connect", be_small)

    with pytest.raises(StorageDown) as caught:
        add(notes, "x" * 100_000)

    assert told(caught) == "storage_full"
    assert size(notes) == 1


def test_a_read_only_database_is_told(path: Path, notes: Database) -> None:
    add(notes)
    reader = make_database(f"sqlite:///file:{path}?mode=ro&uri=true")

    with pytest.raises(StorageDown) as caught:
        add(reader)

    assert told(caught) == "storage_read_only"
    reader.close()


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear all, " * 500)
    database = make_database(f"sqlite:///{path}")

    with pytest.raises(StorageDown) as caught:
        size(database)

    assert told(caught) == "storage_damaged"
    database.close()


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    database = make_database(f"sqlite:///{tmp_path / 'nowhere' / 'x.db'}")

    with pytest.raises(StorageDown) as caught:
        size(database)

    assert told(caught) == "storage_gone"
    database.close()


@pytest.mark.parametrize("missing", ["DROP TABLE note", "ALTER TABLE note DROP text"])
def test_a_database_older_than_the_code_is_told(new_url: NewUrl, missing: str) -> None:
    database = make_database(new_url())
    _META.create_all(database.engine)
    with database.write() as connection:
        connection.execute(text(missing))

    with pytest.raises(StorageDown) as caught:
        size(database)

    assert told(caught) == "storage_outdated"
    assert caught.value.next_step == "Run: crm-sync db upgrade"
    database.close()


def test_a_broken_rule_is_no_fault_of_the_database(new_url: NewUrl) -> None:
    database = make_database(new_url())
    _META.create_all(database.engine)

    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(NOTES.insert(), [{"id": 1}, {"id": 1}])

    assert size(database) == 0
    database.close()


def test_a_pool_that_is_used_up_is_busy(postgresql: postgres.Server) -> None:
    url = postgresql.create()
    database = make_database(url, busy_seconds=0.1)
    held = [database.engine.connect() for _ in range(15)]

    with pytest.raises(StorageDown) as caught, database.read():
        pass

    assert told(caught) == "storage_busy"
    for connection in held:
        connection.close()
    database.close()
    postgresql.drop(url)


def test_a_read_only_server_is_told(postgresql: postgres.Server) -> None:
    url = postgresql.create()
    database = make_database(url)
    _META.create_all(database.engine)

    with pytest.raises(StorageDown) as caught, database.read() as connection:
        connection.execute(NOTES.insert().values(text="x"))

    assert told(caught) == "storage_read_only"
    database.close()
    postgresql.drop(url)


def test_faults_are_passing_ones() -> None:
    """A cycle that meets one ends, and the next one goes on."""
    assert issubclass(StorageDown, Retryable)


@pytest.mark.timeout(60)
def test_a_server_that_stops_is_told_and_one_that_is_back_is_used_again() -> None:
    server = postgres.launch(os.getpid())
    try:
        database = make_database(server.create(template="template0"))
        _META.create_all(database.engine)
        add(database)
        with pytest.raises(StorageDown) as caught:
            _cut_off(database, server)
        assert told(caught) == "storage_gone"
        with pytest.raises(StorageDown) as caught:
            add(database)
        assert told(caught) == "storage_gone"

        server.start()

        assert size(database) == 1
        add(database)
        assert size(database) == 2
        database.close()
    finally:
        server.end()


def _cut_off(database: Database, server: postgres.Server) -> None:
    with database.write() as connection:
        connection.execute(NOTES.insert().values(text="cut off"))
        server.stop()
        connection.execute(NOTES.insert().values(text="never"))
