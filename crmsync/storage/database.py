"""Connections: SQLite with WAL and BEGIN IMMEDIATE, or PostgreSQL through psycopg 3.

SQLAlchemy's defaults on SQLite lose updates silently (a deferred transaction that
reads and then writes); here every unit of work that may write begins as a writer.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from crmsync.errors import ConfigError

BUSY_SECONDS = 15
_WAL_PAUSE = 0.05
_READ_ONLY = "crmsync_read_only"


class Database:
    """Hands out units of work on one database."""

    def __init__(self, engine: Engine) -> None:
        """Wrap an engine made by `make_database`."""
        self.engine = engine

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Begin a unit of work that may write; commit at the end, else roll back."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Begin a unit of work that only reads."""
        with self.engine.connect() as connection:
            reading = connection.execution_options(**{_READ_ONLY: True})
            with reading.begin():
                yield reading

    def insert(self, table: Any) -> Any:
        """Return the dialect's INSERT, which knows ON CONFLICT."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    def upsert(
        self, connection: Connection, table: Any, rows: list[dict[str, Any]]
    ) -> None:
        """Insert rows, or replace those with the same primary key."""
        if not rows:
            return
        statement = self.insert(table)
        keys = [column.name for column in table.primary_key.columns]
        changed = {
            name: statement.excluded[name] for name in rows[0] if name not in keys
        }
        if changed:
            statement = statement.on_conflict_do_update(
                index_elements=keys, set_=changed
            )
        else:
            statement = statement.on_conflict_do_nothing()
        connection.execute(statement, rows)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()


def make_database(url: str) -> Database:
    """Return the database behind an SQLAlchemy URL.

    Raises:
        ConfigError: if the URL cannot be understood.
    """
    try:
        parsed = make_url(url)
        driver = parsed.get_backend_name()
        if driver not in {"sqlite", "postgresql"}:
            message = (
                "DATABASE_URL must begin with sqlite:/// or postgresql+psycopg://."
            )
            raise ConfigError(message)
        options: dict[str, Any] = {
            "json_serializer": _dumps,
            "json_deserializer": orjson.loads,
        }
        if driver == "sqlite":
            options["connect_args"] = {"timeout": BUSY_SECONDS}
        engine = create_engine(parsed, **options)
    except (ArgumentError, ModuleNotFoundError):
        raise ConfigError(
            "DATABASE_URL is not a database URL, e.g. sqlite:////srv/crm-sync/data.db "
            "or postgresql+psycopg://user:password@host/name."
        ) from None
    if driver == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return Database(engine)


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={BUSY_SECONDS * 1000}",
        "synchronous=NORMAL",
        "foreign_keys=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    _use_wal(cursor)
    cursor.close()


def _use_wal(cursor: Any) -> None:
    """Switch to WAL; while somebody writes, SQLite refuses that without waiting.

    Two processes that open a new database at once meet here; the mode is kept in the
    file, so only the very first connections have to wait.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_WAL_PAUSE)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    is_read_only = connection.get_execution_options().get(_READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if is_read_only else "BEGIN IMMEDIATE")
