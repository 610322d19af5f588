"""Opening a database that others are opening, too."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from crmsync.storage.database import make_database


@pytest.mark.rule("ENG-5")
def test_a_new_database_is_opened_although_another_process_writes_to_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "new.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE a (x)")
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO a VALUES (1)")
    threading.Timer(0.3, lambda: other.execute("COMMIT")).start()
    database = make_database(f"sqlite:///{path}")

    with database.read() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM a").scalar()

    assert count == 1
    database.close()
    other.close()
