"""The database's history: one line of revisions for our state and the built-in CRM.

A process of this version works only with a database at `head()`. Importing this
package does no work; Alembic comes in with the first call.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from crmsync.errors import ConfigError

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection, Engine

LOCATION = "crmsync:migrations"
"""A package, not a path: the same in a checkout and in an installed wheel."""

_VERSION = "alembic_version"
_REVISION = re.compile(r'^revision = "(.+)"$', re.MULTILINE)
_BEFORE = re.compile(r'^down_revision = "(.+)"$', re.MULTILINE)


def head() -> str:
    """Return the revision that this version works with.

    Raises:
        ConfigError: if the installation is not whole.
    """
    known = _revisions()
    last = known.keys() - known.values()
    if len(last) != 1:
        raise ConfigError("The installation's migrations are not whole; install again.")
    return last.pop()


def current(engine: Engine) -> str | None:
    """Return the revision of a database; None if it was never migrated."""
    from sqlalchemy import inspect, text

    from crmsync.storage.database import READ_ONLY

    with engine.connect() as connection:
        reading = connection.execution_options(**{READ_ONLY: True})
        if not inspect(reading).has_table(_VERSION):
            return None
        found = reading.scalar(text(f"SELECT version_num FROM {_VERSION}"))  # noqa: S608  our own name
        return None if found is None else str(found)


def is_current(engine: Engine) -> bool:
    """Whether a database is neither older nor newer than this version."""
    return current(engine) == head()


def is_newer(engine: Engine) -> bool:
    """Whether a later version than this one migrated the database."""
    found = current(engine)
    return found is not None and not _knows(found)


def upgrade(database: Engine | str) -> None:
    """Bring a database to this version: all missing revisions, or none of them.

    Several processes may do so at once; one of them does the work, and nobody writes
    meanwhile. The engine is one of `storage.database.make_database`.

    Args:
        database: an engine, or a URL.

    Raises:
        ConfigError: if a later version migrated the database, or the URL is wrong.
        StorageDown: if the database is busy, full or gone; nothing is changed.
    """
    from alembic import command

    with _engine(database) as engine:
        _migrate(engine, lambda config: command.upgrade(config, "head"))


def downgrade(database: Engine | str, revision: str = "base") -> None:
    """Take a database back to a revision; what that one cannot hold is lost.

    Raises:
        ConfigError: as `upgrade`.
    """
    from alembic import command

    with _engine(database) as engine:
        _migrate(engine, lambda config: command.downgrade(config, revision))


# ------------------------------------------------------------------ helpers


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", LOCATION)
    return config


def _knows(revision: str) -> bool:
    return revision in _revisions()


@cache
def _revisions() -> dict[str, str | None]:
    """Return each revision with the one before it.

    Read from the files: every process asks at its start, and Alembic alone takes
    longer to import than a cycle without a change.
    """
    known: dict[str, str | None] = {}
    for file in (Path(__file__).parent / "versions").glob("[0-9]*.py"):
        text = file.read_text(encoding="utf-8")
        mine = _REVISION.search(text)
        if mine is not None:
            before = _BEFORE.search(text)
            known[mine[1]] = before[1] if before is not None else None
    return known


@contextmanager
def _engine(database: Engine | str) -> Iterator[Engine]:
    if not isinstance(database, str):
        yield database
        return
    from crmsync.storage.database import make_database

    made = make_database(database)
    try:
        yield made.engine
    finally:
        made.close()


def _migrate(engine: Engine, run: Callable[[Config], None]) -> None:
    from crmsync.storage.faults import telling_faults

    with telling_faults(), _alone(engine) as connection:
        config = _config()
        config.attributes["connection"] = connection
        _refuse_newer(connection)
        run(config)


def _refuse_newer(connection: Connection) -> None:
    from alembic.migration import MigrationContext

    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and not _knows(found):
        raise ConfigError(
            f"DATABASE_URL: a later version of CRM Sync has changed the database "
            f"(revision {found}).",
            next_step="Install that version, or restore the backup made before it.",
        )


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """Begin one transaction for all revisions, in which nobody else writes."""
    if engine.dialect.name == "sqlite":
        with _alone_on_sqlite(engine) as connection:
            yield connection
        return
    with engine.begin() as connection:
        yield connection


@contextmanager
def _alone_on_sqlite(engine: Engine) -> Iterator[Connection]:
    """Begin as the only writer, with foreign keys checked at the end.

    SQLite alters a table by copying it and dropping the old one, which would delete
    whatever refers to it; the switch works outside of transactions only.
    """
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        if driver is None:
            raise ConfigError("DATABASE_URL: the database cannot be opened.")
        driver.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                yield connection
                _refuse_orphans(connection)
        finally:
            driver.execute("PRAGMA foreign_keys=ON")


def _refuse_orphans(connection: Connection) -> None:
    orphan = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if orphan is not None:
        raise ConfigError(
            f"DATABASE_URL: rows of {orphan[0]} refer to rows of {orphan[2]} that do "
            "not exist; nothing was changed.",
            next_step="Restore a backup, or ask the maintainers.",
        )
