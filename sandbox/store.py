"""Where state survives a restart: one SQLite file, or nothing at all in memory.

Every row is one JSON document under (kind, account, id). A request's rows are written
in one transaction before its answer is sent, so that a process killed at any moment
comes back with all it has answered for (architecture.md, decision 11).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

Row = tuple[str, str, str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    kind TEXT NOT NULL, account TEXT NOT NULL, id TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (kind, account, id)
) WITHOUT ROWID
"""


class Store:
    def __init__(self, folder: Path | None) -> None:
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                folder / "sandbox.sqlite3",
                check_same_thread=False,
                isolation_level=None,
            )
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute(_SCHEMA)

    @property
    def persistent(self) -> bool:
        return self._db is not None

    def put(self, rows: Iterable[Row]) -> None:
        """Write the rows in one transaction; a value of None removes the row."""
        if self._db is None:
            return
        kept, gone = [], []
        for kind, account, key, value in rows:
            if value is None:
                gone.append((kind, account, key))
            else:
                kept.append((kind, account, key, orjson.dumps(value)))
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany(
                    "INSERT INTO documents VALUES (?, ?, ?, ?) "
                    "ON CONFLICT DO UPDATE SET value = excluded.value",
                    kept,
                )
                self._db.executemany(
                    "DELETE FROM documents WHERE kind=? AND account=? AND id=?", gone
                )
            except sqlite3.Error:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def load(
        self, kind: str, account: str | None = None
    ) -> Iterator[tuple[str, str, Any]]:
        """All rows of a kind as (account, id, document)."""
        if self._db is None:
            return
        where, values = "kind=?", [kind]
        if account is not None:
            where, values = "kind=? AND account=?", [kind, account]
        query = f"SELECT account, id, value FROM documents WHERE {where}"  # noqa: S608 - both texts are above
        with self._lock:
            rows = self._db.execute(query, values).fetchall()
        for owner, key, value in rows:
            yield owner, key, orjson.loads(value)

    def close(self) -> None:
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None
