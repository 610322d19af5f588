"""Leads, opportunities and tickets: read, create, update, delete, list.

A shelf knows one kind of record; what they do alike is written once. Writes check
everything before they change anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy import Connection, select

from crm import feed
from crm.common import EVERYONE, NOBODY, Author, chunks, new_id, visible
from crm.dealtables import Kept
from crm.errors import BadValue, NotFound, VersionMismatch
from crm.fields import check_text
from crm.folding import fold
from crm.listing import Place, leaf
from crm.tables import Account, Contact

_MANY = 1000


@dataclass(frozen=True, slots=True)
class Record:
    """A lead, opportunity or ticket.

    Attributes:
        version: the etag; grows at each change.
        values: every field of its kind as text, "" is empty.
        owner: `Everyone` or a user's id.
        deleted: it is a tombstone.
    """

    id: str
    version: int
    values: dict[str, str]
    owner: str
    deleted: bool
    sync_key: str | None
    created_at: datetime
    modified_at: datetime
    modified_by: str


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record to create; the sync key makes the create idempotent."""

    values: Mapping[str, str]
    owner: str = EVERYONE
    sync_key: str | None = None


@dataclass(frozen=True, slots=True)
class RecordQuery:
    """Which records a list shows, and in which order.

    Attributes:
        viewer: id of the user who looks (WEB-3).
        text: words that all occur in what is searched.
    """

    viewer: str
    text: str = ""
    sort: str = ""
    is_descending: bool = False


@dataclass(frozen=True, slots=True)
class ListedRecord:
    """A record in a list, and its place there."""

    row: Record
    place: Place


class Shelf:
    """All records of one kind.

    Attributes:
        noun: what one is called.
        sorts: what a list can be sorted by; the first one is the usual.
    """

    noun: ClassVar[str]
    letter: ClassVar[str]
    table: ClassVar[type[Kept]]
    limits: ClassVar[Mapping[str, int]]
    sorts: ClassVar[tuple[str, ...]]

    # -------------------------------------------------------- what differs

    def columns(self, values: Mapping[str, str]) -> dict[str, Any]:
        """Return the columns that hold checked values.

        Raises:
            BadValue: if the CRM cannot hold one of them.
        """
        raise NotImplementedError

    def values(self, row: Any) -> dict[str, str]:
        """Return the values of a stored row."""
        raise NotImplementedError

    def sort_column(self, sort: str) -> Any:
        """Return what a list is sorted by."""
        raise NotImplementedError

    def stored(self, conn: Connection, rows: Sequence[Record]) -> None:
        """Keep up what hangs on records that were just written."""

    def numbers(self, conn: Connection, count: int) -> Sequence[Mapping[str, Any]]:
        """Return further columns of records that are about to be made."""
        return [{} for _ in range(count)]

    # -------------------------------------------------------- reading

    def read(
        self, conn: Connection, ids: Sequence[str], *, viewer: str | None = None
    ) -> list[Record]:
        """Return records in the order of `ids`, tombstones too; unknown ones not."""
        table, found = self.table, dict[str, Record]()
        for part in chunks(list(dict.fromkeys(ids))):
            mine = (table.id.in_(part), *visible(_owner(table), viewer))
            for row in conn.execute(select(*self._columns()).where(*mine)):
                found[row.id] = self._record(row)
        return [found[item] for item in ids if item in found]

    def get(
        self, conn: Connection, record_id: str, *, viewer: str | None = None
    ) -> Record:
        """Return one live record.

        Raises:
            NotFound: if there is none, it is deleted, or not the viewer's to see.
        """
        found = self.read(conn, [record_id], viewer=viewer)
        if not found or found[0].deleted:
            raise NotFound(f"there is no {self.noun} {record_id}")
        return found[0]

    def page(
        self,
        conn: Connection,
        query: RecordQuery,
        place: Place | None = None,
        *,
        backwards: bool = False,
        limit: int = 50,
    ) -> list[ListedRecord]:
        """Return the records behind a place, or before it, in the list's order."""
        key = self.sort_column(query.sort)
        statement = self._narrowed(select(*self._columns(), key.label("place")), query)
        falls = query.is_descending != backwards
        by = (key, self.table.id)
        rows = leaf(conn, statement, by, place, falls=falls, limit=limit)
        found = [ListedRecord(self._record(row), (row.place, row.id)) for row in rows]
        return found[::-1] if backwards else found

    def count(self, conn: Connection, query: RecordQuery) -> int:
        """Return how many records a list has."""
        ids = self._narrowed(select(self.table.id), query).subquery()
        return conn.scalar(select(sa.func.count()).select_from(ids)) or 0

    def of(
        self, conn: Connection, contact_id: str, *, viewer: str, limit: int = 200
    ) -> list[Record]:
        """Return the opportunities or tickets of a contact, the newest first."""
        table: Any = self.table
        statement = (
            select(*self._columns())
            .where(table.contact_id == contact_id, table.deleted_at.is_(None))
            .where(*visible(table.owner, viewer))
            .order_by(table.created_at.desc(), table.id)
        )
        return [self._record(row) for row in conn.execute(statement.limit(limit))]

    # -------------------------------------------------------- writing

    def create(
        self,
        conn: Connection,
        values: Mapping[str, str],
        *,
        owner: str = EVERYONE,
        sync_key: str | None = None,
        by: Author = NOBODY,
    ) -> Record:
        """Create one record; see `create_many`."""
        return self.create_many(conn, [NewRecord(values, owner, sync_key)], by=by)[0]

    def create_many(
        self, conn: Connection, new: Sequence[NewRecord], *, by: Author = NOBODY
    ) -> list[Record]:
        """Create records; one row each, in order.

        A sync key that is there already answers with the record that has it.

        Raises:
            BadValue: if the CRM cannot hold a value.
            NotFound: if an account or contact does not exist.
        """
        feed.lock(conn)
        known = self._by_sync_key(conn, new)
        fresh: dict[object, tuple[str, dict[str, Any]]] = {}
        rows: list[dict[str, Any]] = []
        for place, item in enumerate(new):
            key = item.sync_key or place
            if key in fresh or item.sync_key in known:
                continue
            columns = self._checked(conn, item.values, {}, by)
            row = self._new_row(item, columns, by)
            fresh[key] = (row["id"], row)
            rows.append(row)
        self._insert(conn, rows)
        made = {row.id: row for row in self.read(conn, [row["id"] for row in rows])}
        self.stored(conn, list(made.values()))
        return [
            known.get(item.sync_key) or made[fresh[item.sync_key or place][0]]
            for place, item in enumerate(new)
        ]

    def update(
        self,
        conn: Connection,
        record_id: str,
        *,
        changes: Mapping[str, str],
        owner: str | None = None,
        expected_version: int | None = None,
        by: Author = NOBODY,
    ) -> Record:
        """Write fields of a record; what changes nothing leaves it alone.

        Raises:
            NotFound: if it does not exist, or what it should point to.
            VersionMismatch: if it was changed since `expected_version`.
            BadValue: if the CRM cannot hold a value.
        """
        feed.lock(conn)
        old = self.get(conn, record_id)
        if expected_version not in {None, old.version}:
            raise VersionMismatch(old)
        columns = self._checked(conn, {**old.values, **changes}, old.values, by)
        is_same = all(old.values.get(n) == v for n, v in changes.items())
        if is_same and owner in {None, old.owner}:
            return old
        new = replace(old, owner=owner or old.owner)
        self._write(conn, record_id, {**columns, "owner": new.owner}, by)
        (row,) = self.read(conn, [record_id])
        self.stored(conn, [row])
        return row

    def delete(
        self,
        conn: Connection,
        record_id: str,
        *,
        expected_version: int | None = None,
        by: Author = NOBODY,
    ) -> None:
        """Delete a record; a tombstone stays.

        Raises:
            NotFound: if it does not exist or is deleted.
            VersionMismatch: if it was changed since `expected_version`.
        """
        feed.lock(conn)
        old = self.get(conn, record_id)
        if expected_version not in {None, old.version}:
            raise VersionMismatch(old)
        self._write(conn, record_id, {"deleted_at": by.now()}, by)
        self.stored(conn, [replace(old, deleted=True)])

    def move_contact(
        self, conn: Connection, lose_id: str, *, keep_id: str, by: Author = NOBODY
    ) -> None:
        """Give a contact's records to another one, into which it was merged."""
        table: Any = self.table
        for record_id in conn.scalars(
            select(table.id).where(table.contact_id == lose_id)
        ).all():
            self._write(conn, record_id, {"contact_id": keep_id}, by)

    # -------------------------------------------------------- helpers

    def _columns(self) -> Sequence[Any]:
        return list(sa.inspect(self.table).local_table.c)

    def _record(self, row: Any) -> Record:
        return Record(
            row.id,
            row.version,
            self.values(row),
            row.owner,
            row.deleted_at is not None,
            row.sync_key,
            row.created_at,
            row.modified_at,
            row.modified_by,
        )

    def _narrowed(self, statement: Any, query: RecordQuery) -> Any:
        table = self.table
        # What is seen is tested row by row, as `listing.page` does.
        seen = table.owner.concat("").in_([EVERYONE, query.viewer])
        words = fold(query.text).split()
        return statement.where(
            table.deleted_at.is_(None),
            seen,
            *(table.search_key.contains(word, autoescape=True) for word in words),
        )

    def _by_sync_key(
        self, conn: Connection, new: Sequence[NewRecord]
    ) -> dict[str | None, Record]:
        keys = sorted({item.sync_key for item in new if item.sync_key})
        return {
            row.sync_key: self._record(row)
            for part in chunks(keys)
            for row in conn.execute(
                select(*self._columns()).where(self.table.sync_key.in_(part))
            )
        }

    def _checked(
        self,
        conn: Connection,
        values: Mapping[str, str],
        old: Mapping[str, str],
        by: Author,
    ) -> dict[str, Any]:
        known = {n: v for n, v in values.items() if n in self.limits}
        unknown = set(values) - set(known) - set(old)
        if unknown:
            raise BadValue(min(unknown), f"is not a field of a {self.noun}")
        full = dict.fromkeys(self.limits, "") | known
        for name, value in full.items():
            check_text(name, value, self.limits[name])
        for name, table in (("account_id", Account), ("contact_id", Contact)):
            wanted = full.get(name, "")
            if wanted and wanted != old.get(name):
                _require(conn, table, wanted, by)
        return self.columns(full)

    def _new_row(
        self, item: NewRecord, columns: dict[str, Any], by: Author
    ) -> dict[str, Any]:
        at = by.now()
        return {
            "id": new_id(self.letter),
            "owner": item.owner,
            "version": 1,
            "sync_key": item.sync_key or None,
            "created_at": at,
            "modified_at": at,
            "modified_by": by.user_id,
            **columns,
        }

    def _insert(self, conn: Connection, rows: Sequence[dict[str, Any]]) -> None:
        if not rows:
            return
        first = feed.take(conn, len(rows))
        further = self.numbers(conn, len(rows))
        conn.execute(
            sa.insert(self.table),
            [
                {**row, **more, "change_seq": first + place}
                for place, (row, more) in enumerate(zip(rows, further, strict=True))
            ],
        )

    def _write(
        self, conn: Connection, record_id: str, columns: Mapping[str, Any], by: Author
    ) -> None:
        conn.execute(
            sa.update(self.table)
            .where(self.table.id == record_id)
            .values(
                **columns,
                version=self.table.version + 1,
                change_seq=feed.take(conn, 1),
                modified_at=by.now(),
                modified_by=by.user_id,
            )
        )


def _owner(table: type[Kept]) -> Any:
    return table.owner


def _require(conn: Connection, table: Any, wanted: str, by: Author) -> None:
    """Refuse to point to what is not there, or not the author's to see."""
    mine = [table.id == wanted, *visible(table.owner, by.user_id or None)]
    if table is Contact:
        mine.append(table.deleted_at.is_(None))
    if conn.execute(select(table.id).where(*mine)).first() is None:
        noun = "contact" if table is Contact else "account"
        raise NotFound(f"there is no {noun} {wanted}")
