"""One pair's state in the database, during one cycle (the port `SyncState`).

Every commit first proves that the lease is still ours: a holder that was taken over
gets `LeaseLost` and nothing of its unit is stored (ENG-5).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import and_, delete, func, or_, select
from sqlalchemy.sql import Select

from crmsync.engine.guard import Allowance
from crmsync.engine.plan import Action, Item, ItemState
from crmsync.ports import (
    ChoiceKind,
    Clock,
    DirectoryEntry,
    PersonsChoice,
    Subject,
    Unit,
)
from crmsync.records.remote import Link, Remote
from crmsync.records.values import SideName
from crmsync.storage import codec
from crmsync.storage import tables as t
from crmsync.storage.database import Database
from crmsync.storage.leases import Lease, prove
from crmsync.storage.unit import (
    UnitWriter,
    id_column,
    is_of_dry_run,
    match_hash,
    parts,
)


class SqlState:
    """The state of one pair under one lease, for one cycle."""

    def __init__(
        self,
        database: Database,
        lease: Lease,
        cycle_id: str,
        *,
        clock: Clock,
        allowance: Allowance | None = None,
    ) -> None:
        """Work on behalf of `lease`; `cycle_id` is the running cycle's row."""
        self.database = database
        self.lease = lease
        self.pair_id = lease.pair_id
        self.cycle_id = cycle_id
        self.clock = clock
        self._allowance = allowance

    # ------------------------------------------------------------ writing

    def renew(self) -> None:
        """Prolong the lease."""
        with self.database.write() as connection:
            prove(connection, self.lease, self.clock.now())

    def commit(self, unit: Unit) -> None:
        """Store a unit, whole or not at all."""
        with self.database.write() as connection:
            prove(connection, self.lease, self.clock.now())
            writer = UnitWriter(self.database, connection, self.pair_id, self.cycle_id)
            writer.store(unit, self.clock.now())

    # ------------------------------------------------------------ reading

    def _hash(self, text: str) -> str:
        return match_hash(self.pair_id, text)

    def _of(self, table: Any, side: SideName) -> Any:
        return and_(table.c.pair_id == self.pair_id, table.c.side == side.value)

    def _rows(self, statement: Select[Any]) -> Sequence[Any]:
        with self.database.read() as connection:
            return connection.execute(statement).all()

    def _rows_in(
        self, statement: Select[Any], column: Any, ids: Iterable[str]
    ) -> list[Any]:
        found: list[Any] = []
        with self.database.read() as connection:
            for part in parts(list(ids)):
                found += connection.execute(statement.where(column.in_(part))).all()
        return found

    def _collection(self, side: SideName) -> Any:
        rows = self._rows(select(t.collections).where(self._of(t.collections, side)))
        return rows[0] if rows else None

    def cursor(self, side: SideName) -> str | None:
        """Return where the next incremental read starts."""
        row = self._collection(side)
        return row.cursor if row is not None else None

    def memo(self, side: SideName) -> Mapping[str, str]:
        """Return what the side wanted to be given."""
        row = self._collection(side)
        return row.memo if row is not None else {}

    def start_full_read(self, side: SideName) -> None:
        """Forget which records the last full read showed."""
        with self.database.write() as connection:
            prove(connection, self.lease, self.clock.now())
            connection.execute(delete(t.seen).where(self._of(t.seen, side)))

    def absent(self, side: SideName, after: str, limit: int) -> Sequence[str]:
        """Return linked, staged or listed records that the full read did not show."""
        column = id_column(t.links, side)
        known = [
            select(column.label("rid")).where(t.links.c.pair_id == self.pair_id),
            select(t.staged.c.remote_id.label("rid")).where(self._of(t.staged, side)),
        ]
        if side is SideName.GOOGLE:
            listed = select(t.directory.c.remote_id.label("rid"))
            known.append(listed.where(t.directory.c.pair_id == self.pair_id))
        every = known[0].union(*known[1:]).subquery()
        seen = select(t.seen.c.remote_id).where(
            self._of(t.seen, side), t.seen.c.remote_id == every.c.rid
        )
        statement = (
            select(every.c.rid)
            .where(every.c.rid > after, ~seen.exists())
            .order_by(every.c.rid)
            .limit(limit)
        )
        return [row.rid for row in self._rows(statement)]

    def link_count(self) -> int:
        """Return the number of links."""
        statement = select(func.count()).select_from(t.links)
        rows = self._rows(statement.where(t.links.c.pair_id == self.pair_id))
        return int(rows[0][0])

    def links_by(self, side: SideName, ids: Sequence[str]) -> Mapping[str, Link]:
        """Return links by the remote id on one side."""
        statement = select(t.links).where(t.links.c.pair_id == self.pair_id)
        rows = self._rows_in(statement, id_column(t.links, side), ids)
        found = (codec.link_from_row(row) for row in rows)
        return {link.remote_id(side): link for link in found}

    def links(self, after: str, limit: int) -> Sequence[Link]:
        """Return links in the order of their ids."""
        statement = (
            select(t.links)
            .where(t.links.c.pair_id == self.pair_id, t.links.c.id > after)
            .order_by(t.links.c.id)
            .limit(limit)
        )
        return [codec.link_from_row(row) for row in self._rows(statement)]

    def _due(self) -> Any:
        later = t.staged.c.not_before
        return or_(later.is_(None), later <= self.clock.now())

    def subjects(self, after: str, limit: int) -> Sequence[Subject]:
        """Return links with due news or unsettled sends, by link id."""
        due = or_(*(self._staged_of_link(side, self._due()) for side in SideName))
        is_late = t.staged.c.not_before > self.clock.now()
        late = or_(*(self._staged_of_link(side, is_late) for side in SideName))
        statement = (
            select(t.links)
            .where(
                t.links.c.pair_id == self.pair_id,
                t.links.c.id > after,
                or_(due, and_(t.links.c.has_sends, ~late)),
            )
            .order_by(t.links.c.id)
            .limit(limit)
        )
        links = [codec.link_from_row(row) for row in self._rows(statement)]
        crm = self.staged(SideName.CRM, [link.crm_id for link in links])
        google = self.staged(SideName.GOOGLE, [link.google_id for link in links])
        return [
            Subject(link, crm.get(link.crm_id), google.get(link.google_id))
            for link in links
        ]

    def _staged_of_link(self, side: SideName, condition: Any) -> Any:
        staged = select(t.staged.c.remote_id).where(
            self._of(t.staged, side),
            t.staged.c.remote_id == id_column(t.links, side),
            condition,
        )
        return staged.exists()

    def unlinked(self, side: SideName, after: str, limit: int) -> Sequence[Remote]:
        """Return staged, selected, due records without a link, by remote id."""
        linked = select(t.links.c.id).where(
            t.links.c.pair_id == self.pair_id,
            id_column(t.links, side) == t.staged.c.remote_id,
        )
        statement = (
            select(t.staged)
            .where(
                self._of(t.staged, side),
                t.staged.c.remote_id > after,
                t.staged.c.is_selected,
                ~t.staged.c.is_gone,
                self._due(),
                ~linked.exists(),
            )
            .order_by(t.staged.c.remote_id)
            .limit(limit)
        )
        return [codec.remote_from_row(row) for row in self._rows(statement)]

    def staged(self, side: SideName, ids: Sequence[str]) -> Mapping[str, Remote]:
        """Return staged records by id."""
        statement = select(t.staged).where(self._of(t.staged, side))
        rows = self._rows_in(statement, t.staged.c.remote_id, ids)
        return {row.remote_id: codec.remote_from_row(row) for row in rows}

    def tries(self, side: SideName, ids: Sequence[str]) -> Mapping[str, int]:
        """Return how often records were tried in vain."""
        statement = select(t.staged.c.remote_id, t.staged.c.tries)
        statement = statement.where(self._of(t.staged, side), t.staged.c.tries > 0)
        rows = self._rows_in(statement, t.staged.c.remote_id, ids)
        return {row.remote_id: row.tries for row in rows}

    def directory_find(self, match_keys: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return unlinked Google records per match key."""
        hashes = {self._hash(key): key for key in match_keys}
        linked = select(t.links.c.id).where(
            t.links.c.pair_id == self.pair_id,
            t.links.c.google_id == t.directory_keys.c.remote_id,
        )
        statement = select(
            t.directory_keys.c.match_hash, t.directory_keys.c.remote_id
        ).where(t.directory_keys.c.pair_id == self.pair_id, ~linked.exists())
        found: dict[str, list[str]] = {}
        for row in self._rows_in(statement, t.directory_keys.c.match_hash, hashes):
            found.setdefault(hashes[row.match_hash], []).append(row.remote_id)
        return found

    def directory_keys(self, keys: Sequence[str]) -> Mapping[str, str]:
        """Return the Google record that carries each of our keys."""
        wanted = {self._hash(key): key for key in keys}
        statement = select(t.directory).where(t.directory.c.pair_id == self.pair_id)
        rows = self._rows_in(statement, t.directory.c.key_hash, wanted)
        return {row.key: row.remote_id for row in rows if row.key in set(keys)}

    def directory(self, ids: Sequence[str]) -> Mapping[str, DirectoryEntry]:
        """Return what we keep of Google records; their match keys are left out."""
        statement = select(t.directory).where(t.directory.c.pair_id == self.pair_id)
        rows = self._rows_in(statement, t.directory.c.remote_id, ids)
        return {
            row.remote_id: DirectoryEntry(
                row.remote_id,
                row.is_selected,
                (),
                key=row.key,
                is_parted=row.is_parted,
                stamp=row.stamp,
            )
            for row in rows
        }

    def items(
        self,
        states: Sequence[ItemState],
        actions: Sequence[Action],
        after: str,
        limit: int,
    ) -> Sequence[Item]:
        """Return items of the running cycle in the order of their ids.

        Their changes stay in the database, most of what there is to read of them.
        """
        columns = [column for column in t.items.c if column is not t.items.c.changes]
        statement = (
            select(*columns)
            .where(
                t.items.c.cycle_id == self.cycle_id,
                t.items.c.state.in_([state.value for state in states]),
                t.items.c.action.in_([action.value for action in actions]),
                t.items.c.id > after,
            )
            .order_by(t.items.c.id)
            .limit(limit)
        )
        return [codec.item_from_row(row) for row in self._rows(statement)]

    def planned(self, side: SideName, ids: Sequence[str]) -> frozenset[str]:
        """Return which of these records have a planned item in the running cycle."""
        column = id_column(t.items, side)
        statement = select(column.label("rid")).where(
            t.items.c.pair_id == self.pair_id,
            t.items.c.cycle_id == self.cycle_id,
            t.items.c.state == ItemState.PLANNED.value,
        )
        return frozenset(row.rid for row in self._rows_in(statement, column, ids))

    def unsettled(self) -> Sequence[Item]:
        """Return items of earlier cycles that were sent and have no outcome."""
        statement = select(t.items).where(
            t.items.c.pair_id == self.pair_id,
            t.items.c.state == ItemState.UNKNOWN.value,
            ~is_of_dry_run(),
        )
        return [codec.item_from_row(row) for row in self._rows(statement)]

    def held(self, side: SideName, ids: Sequence[str]) -> Mapping[str, Item]:
        """Return the open held items of this and earlier cycles, by record."""
        column = id_column(t.items, side)
        statement = select(t.items).where(
            t.items.c.pair_id == self.pair_id,
            t.items.c.state == ItemState.HELD.value,
            ~is_of_dry_run(),
        )
        rows = self._rows_in(statement, column, ids)
        found = (codec.item_from_row(row) for row in rows)
        return {item.remote_id(side): item for item in found}

    def shared(self, google_ids: Sequence[str]) -> frozenset[str]:
        """Return Google records that another pair of the same account links, too."""
        mine, other = t.pairs.alias("mine"), t.pairs.alias("other")
        statement = (
            select(t.links.c.google_id)
            .join(other, other.c.id == t.links.c.pair_id)
            .join(mine, mine.c.google_sub == other.c.google_sub)
            .where(
                mine.c.id == self.pair_id,
                other.c.id != self.pair_id,
                other.c.kind == mine.c.kind,
                other.c.google_sub != "",
            )
        )
        rows = self._rows_in(statement, t.links.c.google_id, google_ids)
        return frozenset(row.google_id for row in rows)

    def children(self, crm_ids: Sequence[str]) -> Sequence[Link]:
        """Return the links of occurrences whose series is one of these."""
        statement = select(t.links).where(t.links.c.pair_id == self.pair_id)
        rows = self._rows_in(statement, t.links.c.parent, crm_ids)
        return [codec.link_from_row(row) for row in rows]

    def turned(self, after: str, limit: int) -> Sequence[Link]:
        """Return links whose event is to be left for its successor, by link id."""
        statement = (
            select(t.links)
            .join(
                t.choices,
                and_(
                    self._of(t.choices, SideName.GOOGLE),
                    t.choices.c.remote_id == t.links.c.google_id,
                    t.choices.c.kind == ChoiceKind.OVER.value,
                ),
            )
            .where(t.links.c.pair_id == self.pair_id, t.links.c.id > after)
            .order_by(t.links.c.id)
            .limit(limit)
        )
        return [codec.link_from_row(row) for row in self._rows(statement)]

    def elsewhere(self, crm_ids: Sequence[str]) -> Mapping[str, frozenset[str]]:
        """Return the roles in which other users' links hold CRM records (CAL-25)."""
        mine, other = t.pairs.alias("mine"), t.pairs.alias("other")
        statement = (
            select(t.links.c.crm_id, t.links.c.role)
            .join(other, other.c.id == t.links.c.pair_id)
            .join(mine, mine.c.kind == other.c.kind)
            .where(mine.c.id == self.pair_id, other.c.id != self.pair_id)
        )
        found: dict[str, set[str]] = {}
        for row in self._rows_in(statement, t.links.c.crm_id, crm_ids):
            found.setdefault(row.crm_id, set()).add(row.role)
        return {crm_id: frozenset(roles) for crm_id, roles in found.items()}

    def choices(
        self, side: SideName, ids: Sequence[str]
    ) -> Mapping[str, PersonsChoice]:
        """Return what persons decided about records."""
        statement = select(t.choices).where(self._of(t.choices, side))
        rows = self._rows_in(statement, t.choices.c.remote_id, ids)
        return {
            row.remote_id: PersonsChoice(
                side, row.remote_id, ChoiceKind(row.kind), row.target
            )
            for row in rows
        }

    def allowance(self) -> Allowance | None:
        """Return what a person accepted for this cycle, or None."""
        return self._allowance
