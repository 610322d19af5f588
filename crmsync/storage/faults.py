"""What a database refuses, as errors of ours: one sentence and a way on.

Faults of a statement (a broken rule, a wrong name) are bugs and pass through as they
are; what happens to the database itself is told here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from sqlite3 import Error as SqliteError

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from crmsync.errors import StorageDown

_GOES_ON = "an interrupted synchronisation goes on with its next cycle."

_SENTENCES = {
    "storage_busy": (
        "The database is busy: somebody else has been writing to it for too long.",
        f"Try again in a moment; {_GOES_ON}",
    ),
    "storage_full": (
        "The database is full: there is no room left on its disk.",
        f"Free some space on the disk that holds the database; {_GOES_ON}",
    ),
    "storage_read_only": (
        "The database can be read but not written.",
        "Let this program write the database: see who owns its file and folder, or "
        "whether its server is a read-only copy.",
    ),
    "storage_gone": (
        "The database does not answer.",
        f"See that its server runs and DATABASE_URL names it; {_GOES_ON}",
    ),
    "storage_damaged": (
        "The database is damaged, or its disk is.",
        "Stop CRM Sync, look at the disk, and restore the last backup.",
    ),
    "storage_outdated": (
        "The database lacks a table or column that this version needs.",
        "Run: crm-sync db upgrade",
    ),
}

_SQLITE = {
    5: "storage_busy",  # SQLITE_BUSY
    6: "storage_busy",  # SQLITE_LOCKED
    8: "storage_read_only",  # SQLITE_READONLY
    10: "storage_damaged",  # SQLITE_IOERR
    11: "storage_damaged",  # SQLITE_CORRUPT
    13: "storage_full",  # SQLITE_FULL
    14: "storage_gone",  # SQLITE_CANTOPEN
    26: "storage_damaged",  # SQLITE_NOTADB
}
"""By primary result code (sqlite.org/rescode.html)."""

_POSTGRESQL = {
    "08": "storage_gone",  # connection exceptions
    "25006": "storage_read_only",
    "40": "storage_busy",  # serialization failures and deadlocks
    "42703": "storage_outdated",  # undefined column
    "42P01": "storage_outdated",  # undefined table
    "53100": "storage_full",
    "53": "storage_busy",  # too many connections, out of memory
    "55P03": "storage_busy",  # the lock time-out
    "57": "storage_gone",  # shut down, starting up, idle for too long
    "58": "storage_damaged",
    "XX": "storage_damaged",
}
"""By SQLSTATE, or its class (appendix A of PostgreSQL's manual)."""


def storage_down(code: str) -> StorageDown:
    """Return the error with that code."""
    message, next_step = _SENTENCES[code]
    return StorageDown(message, code=code, next_step=next_step)


def fault_of(error: DBAPIError | PoolTimeout) -> StorageDown | None:
    """Return what happened to the database; None if it was the statement's fault."""
    code = _code(_first(error))
    return storage_down(code) if code else None


def _first(error: DBAPIError | PoolTimeout) -> DBAPIError | PoolTimeout:
    """Return the error that mattered.

    A full SQLite rolls back by itself; going back to a savepoint then fails as well.
    """
    if "no such savepoint" not in str(error):
        return error
    earlier: BaseException | None = error
    while earlier is not None:
        if isinstance(earlier, DBAPIError) and _code(earlier):
            return earlier
        earlier = earlier.__cause__ or earlier.__context__
    return error


def _code(error: DBAPIError | PoolTimeout) -> str | None:
    if isinstance(error, PoolTimeout):
        return "storage_busy"
    if isinstance(error.orig, SqliteError):
        return _sqlite(error.orig)
    state = getattr(error.orig, "sqlstate", None)
    if state:
        return _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:2])
    # A connection that was refused or cut has no state to tell.
    is_refused = isinstance(error, OperationalError | InterfaceError)
    return "storage_gone" if is_refused or error.connection_invalidated else None


def _sqlite(error: SqliteError) -> str | None:
    number = getattr(error, "sqlite_errorcode", 0) & 0xFF
    is_unfit = str(error).startswith(("no such table", "no such column"))
    return "storage_outdated" if is_unfit else _SQLITE.get(number)


@contextmanager
def telling_faults() -> Iterator[None]:
    """Translate what happens to the database within.

    Raises:
        StorageDown: the database is locked, full, read-only, damaged or gone.
    """
    try:
        yield
    except (DBAPIError, PoolTimeout) as error:
        told = fault_of(error)
        if told is None:
            raise
        raise told from error
