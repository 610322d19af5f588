"""Storing one unit: everything of it, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, select, update

from crmsync.engine.plan import Item, ItemState
from crmsync.ports import DirectoryEntry, Unit
from crmsync.records.values import SideName
from crmsync.storage import codec
from crmsync.storage import tables as t
from crmsync.storage.database import Database

_CHUNK = 400
"""Bound parameters per IN list, below every database's limit."""


class UnitWriter:
    """Writes units of one pair and one cycle."""

    def __init__(
        self, database: Database, connection: Connection, pair_id: str, cycle_id: str
    ) -> None:
        """Write inside the open transaction of `connection`."""
        self.database = database
        self.connection = connection
        self.pair_id = pair_id
        self.cycle_id = cycle_id

    def store(self, unit: Unit, now: datetime) -> None:
        """Store everything of a unit."""
        self._store_links(self.connection, unit)
        self._store_staged(self.connection, unit)
        self._store_directory(self.connection, unit)
        self._store_cursors(self.connection, unit)
        self._store_items(self.connection, unit, now)

    def _of(self, table: Any, side: SideName) -> Any:
        return and_(table.c.pair_id == self.pair_id, table.c.side == side.value)

    def _hash(self, text: str) -> str:
        return match_hash(self.pair_id, text)

    def _store_links(self, connection: Connection, unit: Unit) -> None:
        if unit.unlink:
            table = t.links
            for part in parts(unit.unlink):
                connection.execute(delete(table).where(table.c.id.in_(part)))
        rows = [codec.link_to_row(self.pair_id, link) for link in unit.links]
        self.database.upsert(connection, t.links, rows)

    def _store_staged(self, connection: Connection, unit: Unit) -> None:
        table = t.staged
        for side, ids in by_side(unit.unstage).items():
            for part in parts(ids):
                connection.execute(
                    delete(table).where(
                        self._of(table, side), table.c.remote_id.in_(part)
                    )
                )
        self.database.upsert(
            connection,
            table,
            [
                {
                    "pair_id": self.pair_id,
                    "side": remote.side.value,
                    "remote_id": remote.remote_id,
                    "is_selected": remote.is_selected,
                    "is_gone": remote.is_gone,
                    "remote": codec.remote_to_json(remote),
                    "tries": 0,
                    "not_before": None,
                }
                for remote in unit.stage
            ],
        )
        for postponed in unit.postponed:
            connection.execute(
                update(table)
                .where(
                    self._of(table, postponed.side),
                    table.c.remote_id == postponed.remote_id,
                )
                .values(tries=postponed.tries, not_before=postponed.not_before)
            )
        self.database.upsert(
            connection,
            t.seen,
            [
                {"pair_id": self.pair_id, "side": side.value, "remote_id": remote_id}
                for side, remote_id in unit.seen
            ],
        )

    def _store_directory(self, connection: Connection, unit: Unit) -> None:
        keys, table = t.directory_keys, t.directory
        gone = [*unit.forget, *(entry.remote_id for entry in unit.directory)]
        for part in parts(gone):
            connection.execute(
                delete(keys).where(
                    keys.c.pair_id == self.pair_id, keys.c.remote_id.in_(part)
                )
            )
        for part in parts(unit.forget):
            connection.execute(
                delete(table).where(
                    table.c.pair_id == self.pair_id, table.c.remote_id.in_(part)
                )
            )
        rows = [self._directory_row(entry) for entry in unit.directory]
        self.database.upsert(connection, table, rows)
        key_rows = [
            {
                "pair_id": self.pair_id,
                "match_hash": self._hash(match_key),
                "remote_id": entry.remote_id,
            }
            for entry in unit.directory
            for match_key in dict.fromkeys(entry.match_keys)
        ]
        if key_rows:
            connection.execute(keys.insert(), key_rows)

    def _directory_row(self, entry: DirectoryEntry) -> dict[str, Any]:
        return {
            "pair_id": self.pair_id,
            "remote_id": entry.remote_id,
            "is_selected": entry.is_selected,
            "is_parted": entry.is_parted,
            "key": entry.key,
            "key_hash": self._hash(entry.key) if entry.key else "",
            "stamp": entry.stamp,
        }

    def _store_cursors(self, connection: Connection, unit: Unit) -> None:
        table = t.collections
        for side in SideName:
            if side not in unit.cursors and side not in unit.memos:
                continue
            found = connection.execute(
                select(table.c.cursor, table.c.memo).where(self._of(table, side))
            ).first()
            cursor = found.cursor if found else None
            memo = found.memo if found else {}
            row = {
                "pair_id": self.pair_id,
                "side": side.value,
                "cursor": unit.cursors.get(side, cursor),
                "memo": dict(unit.memos.get(side, memo)),
            }
            self.database.upsert(connection, table, [row])

    def _store_items(self, connection: Connection, unit: Unit, now: datetime) -> None:
        table = t.items
        for side, ids in by_side(unit.resolved).items():
            column = id_column(table, side)
            for part in parts(ids):
                connection.execute(
                    update(table)
                    .where(
                        table.c.pair_id == self.pair_id,
                        table.c.state == ItemState.HELD.value,
                        column.in_(part),
                        ~is_of_dry_run(),
                    )
                    .values(state=ItemState.SKIPPED.value, reason="superseded")
                )
        for part in parts(unit.drop_items):
            connection.execute(delete(table).where(table.c.id.in_(part)))
        self._upsert_items(
            connection, [i for i in unit.items if not _is_loaded(i)], now
        )
        self._move_items(connection, [i for i in unit.items if _is_loaded(i)])
        self._store_choices(connection, unit)

    def _store_choices(self, connection: Connection, unit: Unit) -> None:
        for side, ids in by_side(unit.choices_done).items():
            for part in parts(ids):
                connection.execute(
                    delete(t.choices).where(
                        self._of(t.choices, side), t.choices.c.remote_id.in_(part)
                    )
                )
        rows = [
            {
                "pair_id": self.pair_id,
                "side": choice.side.value,
                "remote_id": choice.remote_id,
                "kind": choice.kind.value,
                "target": choice.target,
            }
            for choice in unit.choices
        ]
        if rows:
            self.database.upsert(connection, t.choices, rows)

    def _upsert_items(
        self, connection: Connection, items: Sequence[Item], now: datetime
    ) -> None:
        """Store items; one of an earlier cycle stays there unless planned again."""
        if not items:
            return
        rows = [
            codec.item_to_row(self.pair_id, self.cycle_id, now, item) for item in items
        ]
        statement = self.database.insert(t.items)
        kept = {"id", "pair_id", "cycle_id", "at"}
        kept |= {"is_crm_written", "is_google_written"}
        changed = {n: statement.excluded[n] for n in rows[0] if n not in kept}
        plain = statement.on_conflict_do_update(index_elements=["id"], set_=changed)
        moved = statement.on_conflict_do_update(
            index_elements=["id"],
            set_=changed | {"cycle_id": statement.excluded.cycle_id},
        )
        planned = [r for r in rows if r["state"] == ItemState.PLANNED.value]
        others = [r for r in rows if r["state"] != ItemState.PLANNED.value]
        for chosen, batch in ((moved, planned), (plain, others)):
            if batch:
                connection.execute(chosen, batch)

    def _move_items(self, connection: Connection, items: Sequence[Item]) -> None:
        """Store how far planned items have come; what was planned stays as it is."""
        left = [
            {"key": item.item_id, "state": item.state.value, "sent_at": item.sent_at}
            for item in items
            if item.state is ItemState.SENT
        ]
        moved = [
            {"key": item.item_id, **codec.item_progress(item)}
            for item in items
            if item.state is not ItemState.SENT
        ]
        for rows in (left, moved):
            if rows:
                names = [name for name in rows[0] if name not in {"key", "id"}]
                statement = (
                    update(t.items)
                    .where(t.items.c.id == bindparam("key"))
                    .values({name: bindparam(name) for name in names})
                )
                connection.execute(statement, rows)


def _is_loaded(item: Item) -> bool:
    """Whether an item was loaded to be carried out, and so has its row."""
    return item.changes is codec.AS_STORED


def is_of_dry_run() -> Any:
    """Return the condition that an item belongs to a dry run: nobody is asked by it."""
    dry = select(t.cycles.c.id).where(
        t.cycles.c.id == t.items.c.cycle_id, t.cycles.c.is_dry
    )
    return dry.exists()


def match_hash(pair_id: str, text: str) -> str:
    """Return what the directory stores of a match key: nobody's address (MAIL-12)."""
    salt = pair_id.encode()[:64]
    return blake2b(text.encode(), key=salt, digest_size=16).hexdigest()


def id_column(table: Any, side: SideName) -> Any:
    """Return the column with the remote id of one side."""
    return table.c.crm_id if side is SideName.CRM else table.c.google_id


def parts(ids: Sequence[str]) -> Iterable[list[str]]:
    """Cut ids into pieces that fit an IN list."""
    for start in range(0, len(ids), _CHUNK):
        yield list(ids[start : start + _CHUNK])


def by_side(
    places: Sequence[tuple[SideName, str]],
) -> dict[SideName, list[str]]:
    found: dict[SideName, list[str]] = {}
    for side, remote_id in places:
        found.setdefault(side, []).append(remote_id)
    return found
