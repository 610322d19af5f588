"""A scratch copy of one pair's state, for a dry run (ENG-7).

The dry run reads both sides into the copy and plans there: the real links and cursors
are not touched, whatever happens.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import select

from crmsync.storage import tables as t
from crmsync.storage.database import Database, make_database

_ROWS = 500


@contextmanager
def scratch_copy(
    database: Database, pair_id: str, *, with_questions: bool = False
) -> Iterator[Database]:
    """Yield a throw-away database that holds a copy of one pair's state.

    A dry run asks all questions anew, so that its plan lists them; who only looks
    takes along what was asked already (`with_questions`).
    """
    with TemporaryDirectory(prefix="crm-sync-dry-") as folder:
        copy = make_database(f"sqlite:///{Path(folder) / 'scratch.db'}")
        try:
            t.metadata.create_all(copy.engine)
            with database.read() as connection:
                pair = connection.execute(
                    select(t.pairs).where(t.pairs.c.id == pair_id)
                ).one()
            _copy(database, copy, t.users, t.users.c.id == pair.user_id)
            _copy(database, copy, t.pairs, t.pairs.c.id == pair_id)
            for table in (t.collections, t.links, t.staged, t.directory):
                _copy(database, copy, table, table.c.pair_id == pair_id)
            for table in (t.directory_keys, t.choices):
                _copy(database, copy, table, table.c.pair_id == pair_id)
            _copy_open_items(database, copy, pair_id, with_questions)
            yield copy
        finally:
            copy.close()


def _copy_open_items(
    database: Database, copy: Database, pair_id: str, with_questions: bool
) -> None:
    states = ["unknown", "sent", *(["held"] if with_questions else [])]
    is_open = (t.items.c.pair_id == pair_id) & t.items.c.state.in_(states)
    theirs = select(t.items.c.cycle_id).where(is_open)
    _copy(database, copy, t.cycles, t.cycles.c.id.in_(theirs))
    _copy(database, copy, t.items, is_open)


def _copy(database: Database, copy: Database, table: Any, condition: Any) -> None:
    with database.read() as source:
        result = source.execution_options(yield_per=_ROWS).execute(
            select(table).where(condition)
        )
        for rows in result.mappings().partitions(_ROWS):
            with copy.write() as target:
                target.execute(table.insert(), [dict(row) for row in rows])


def bring_back(copy: Database, database: Database, cycle_id: str) -> None:
    """Store a dry run's cycle and plan in the real database."""
    _copy(copy, database, t.cycles, t.cycles.c.id == cycle_id)
    with copy.read() as source:
        rows = source.execute(
            select(t.items).where(t.items.c.cycle_id == cycle_id)
        ).mappings()
        for part in rows.partitions(_ROWS):
            # A create that waits for its outcome keeps its own row here.
            told = [{**row, "id": f"{row['id']}d", "sent_at": 0.0} for row in part]
            with database.write() as target:
                target.execute(t.items.insert(), told)
