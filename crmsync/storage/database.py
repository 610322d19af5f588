"""Connections: SQLite or PostgreSQL, with the same promise on both (ADR 7).

Units of work that may write run one after another: each sees everything that was
committed before it, so ordinary code that reads and then writes loses no update, meets
no deadlock and is never asked to start again. SQLAlchemy's defaults promise none of
this: on SQLite a deferred transaction loses updates silently, on PostgreSQL READ
COMMITTED does.
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
from crmsync.storage.faults import telling_faults

BUSY_SECONDS = 15.0
"""How long a unit of work waits for its turn."""

_IDLE_SECONDS = 60.0
"""A writer that stops in the middle (a suspended process) loses its turn after that."""

_WRITERS = 7_246_302_118
"""The number of the writers' advisory lock on PostgreSQL; any other one would do."""

_WAL_PAUSE = 0.05
_CHECKPOINT_PAGES = 8000
_CACHE_KIB = 16_000

READ_ONLY = "crmsync_read_only"
"""The execution option of a connection that will not write."""


class Database:
    """Hands out units of work on one database."""

    def __init__(self, engine: Engine) -> None:
        """Wrap an engine made by `make_database`."""
        self.engine = engine
        self._reading: dict[str, Any] = {READ_ONLY: True}
        if not self.is_sqlite:
            # One moment for the whole unit, as on SQLite.
            self._reading["isolation_level"] = "REPEATABLE READ"
            self._reading["postgresql_readonly"] = True

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Begin a unit of work that may write; commit at the end, else roll back.

        No other unit of work writes meanwhile: keep it short, and call nobody in it.

        Raises:
            StorageDown: the turn did not come in time, or the database is full,
                read-only, damaged or gone; nothing of the unit is stored, unless the
                commit itself got no answer.
        """
        with telling_faults(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Begin a unit of work that only reads, all of it as of one moment.

        Raises:
            StorageDown: the database is damaged or gone.
        """
        with telling_faults(), self.engine.connect() as connection:
            reading = connection.execution_options(**self._reading)
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


def make_database(url: str, *, busy_seconds: float = BUSY_SECONDS) -> Database:
    """Return the database behind an SQLAlchemy URL.

    Args:
        url: of SQLite or PostgreSQL.
        busy_seconds: how long a unit of work waits for its turn.

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
        if driver == "postgresql":
            options |= _postgresql_options(dict(parsed.query), busy_seconds)
        engine = create_engine(parsed, **options)
    except (ArgumentError, ModuleNotFoundError):
        raise ConfigError(
            "DATABASE_URL is not a database URL, e.g. sqlite:////srv/crm-sync/data.db "
            "or postgresql+psycopg://user:password@host/name."
        ) from None
    if driver == "sqlite":
        _set_up_sqlite(engine, busy_seconds)
    else:
        _set_up_postgresql(engine, busy_seconds)
    return Database(engine)


# ------------------------------------------------------------------ SQLite


def _set_up_sqlite(engine: Engine, busy_seconds: float) -> None:
    pragmas = (
        f"busy_timeout={int(busy_seconds * 1000)}",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        # A first cycle writes a hundred megabytes: fewer and larger check points.
        f"wal_autocheckpoint={_CHECKPOINT_PAGES}",
        f"cache_size=-{_CACHE_KIB}",
    )

    def connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        _use_wal(cursor, busy_seconds)
        cursor.close()

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", _begin_sqlite)


def _use_wal(cursor: Any, busy_seconds: float) -> None:
    """Switch to WAL; while somebody writes, SQLite refuses that without waiting.

    Two processes that open a new database at once meet here; the mode is kept in the
    file, so only the very first connections have to wait.
    """
    deadline = time.monotonic() + busy_seconds
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
    connection.exec_driver_sql(
        "BEGIN" if _is_reading(connection) else "BEGIN IMMEDIATE"
    )


def _is_reading(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get(READ_ONLY, False))


# ------------------------------------------------------------------ PostgreSQL


def _postgresql_options(given: dict[str, Any], busy_seconds: float) -> dict[str, Any]:
    """Return options that notice a server that is gone; the URL's own count more."""
    wanted = {
        "connect_timeout": 10,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
        "application_name": "crm-sync",
    }
    return {
        "connect_args": {n: v for n, v in wanted.items() if n not in given},
        # A server that was restarted is no fault of the next unit of work.
        "pool_pre_ping": True,
        "pool_timeout": busy_seconds,
        # A stricter default of the server's would look before the turn has come.
        "isolation_level": "READ COMMITTED",
    }


def _set_up_postgresql(engine: Engine, busy_seconds: float) -> None:
    busy, idle = int(busy_seconds * 1000), int(_IDLE_SECONDS * 1000)

    def connected(connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SET lock_timeout = {busy}; "
                f"SET idle_in_transaction_session_timeout = {idle}"
            )
        connection.commit()

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", _begin_postgresql)


def _begin_postgresql(connection: Connection) -> None:
    if not _is_reading(connection):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS})")
