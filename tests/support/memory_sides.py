"""Both sides in memory, as strict about versions as the real ones.

The Google side's feed is late (its horizon trails by `delay` seconds) while `fetch`
is current; the CRM's feed is current. Faults are decided by a hook that is asked
before and after each call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from crmsync.errors import (
    CollectionGone,
    CursorExpired,
    EtagMismatch,
    InvalidRecord,
    NotFound,
)
from crmsync.ports import Edit, NewRecord, Opened, Outcome, Page, Query
from crmsync.records.contacts import addresses_of
from crmsync.records.equivalence import name_key
from crmsync.records.keys import parse_key
from crmsync.records.remote import Remote
from crmsync.records.values import SideName, Values
from tests.support.memory_state import VirtualClock

PAGE = 3


@dataclass
class Row:
    """One record, with what synchronisation must never touch."""

    remote_id: str
    values: dict[str, str]
    selected: bool = True
    gone: bool = False
    key: str = ""
    version: int = 0
    modified_at: datetime | None = None
    unknown: dict[str, str] = field(default_factory=dict)
    extras: tuple[str, ...] = ()
    previous_ids: tuple[str, ...] = ()
    made_by_us: bool = False


@dataclass(frozen=True)
class Entry:
    at: datetime
    row: Row


class Memory:
    """What both sides have in common."""

    side: SideName
    prefix: str

    def __init__(self, clock: VirtualClock, *, delay: float = 0.0) -> None:
        self.clock = clock
        self.delay = delay
        self.rows: dict[str, Row] = {}
        self.log: list[Entry] = []
        self.count = 0
        self.calls = 0
        self.writes = 0
        self.epoch = 0
        self.limits_by_field: dict[str, int] = {}
        self.poison: set[str] = set()
        self.on_write: Callable[[SideName, Row, Values], None] = lambda s, r, v: None
        self.before_call: Callable[[str, str], None] = lambda side, name: None
        self.after_call: Callable[[str, str], None] = lambda side, name: None

    # ------------------------------------------------------------ a person's hand

    def log_row(self, row: Row) -> None:
        row.version += 1
        row.modified_at = self.clock.now()
        self.log.append(
            Entry(
                self.clock.now(),
                replace(row, values=dict(row.values), unknown=dict(row.unknown)),
            )
        )

    def put(self, values: Mapping[str, str], *, selected: bool = True) -> Row:
        self.count += 1
        row = Row(f"{self.prefix}{self.count:05d}", dict(values), selected)
        self.rows[row.remote_id] = row
        self.log_row(row)
        return row

    def edit(self, remote_id: str, **values: str) -> None:
        row = self.rows[remote_id]
        row.values.update(values)
        row.values = {k: v for k, v in row.values.items() if v}
        self.log_row(row)

    def touch(self, remote_id: str) -> None:
        self.log_row(self.rows[remote_id])

    def set_selected(self, remote_id: str, selected: bool) -> None:
        row = self.rows[remote_id]
        row.selected = selected
        self.log_row(row)

    def remove(self, remote_id: str) -> None:
        row = self.rows[remote_id]
        row.gone = True
        row.selected = False
        self.log_row(row)

    def live(self) -> list[Row]:
        return [row for row in self.rows.values() if not row.gone]

    # ------------------------------------------------------------ the port

    @property
    def name(self) -> SideName:
        return self.side

    @property
    def batch_size(self) -> int:
        return 4

    @property
    def requests(self) -> int:
        return self.calls

    @property
    def skew(self) -> timedelta:
        return timedelta()

    def _call(self, name: str) -> None:
        self.before_call(self.side.value, name)
        self.calls += 1

    def _done(self, name: str) -> None:
        self.after_call(self.side.value, name)

    def open(self, memo: Mapping[str, str], *, verify: bool, may_write: bool) -> Opened:
        return Opened(dict(memo))

    def remote(self, row: Row, *, full: bool = False) -> Remote:
        if row.gone:
            return Remote(
                self.side,
                row.remote_id,
                str(row.version),
                is_gone=True,
                is_selected=False,
                stamp=f"{row.version:08d}",
            )
        return Remote(
            self.side,
            row.remote_id,
            str(row.version),
            dict(row.values),
            key=row.key,
            is_selected=row.selected,
            stamp=f"{row.version:08d}",
            modified_at=row.modified_at,
            previous_ids=row.previous_ids,
            extras=row.extras if full else (),
        )

    def _horizon(self) -> int:
        now = self.clock.now()
        end = len(self.log)
        while end and (now - self.log[end - 1].at).total_seconds() < self.delay:
            end -= 1
        return end

    def read(self, cursor: str | None) -> Iterator[Page]:
        self._call("read")
        end = self._horizon()
        start = 0
        if cursor is not None:
            epoch, _, position = cursor.partition(":")
            if epoch != str(self.epoch) or not position.isdigit():
                raise CursorExpired("The cursor has expired.")
            start = int(position)
        latest = {entry.row.remote_id: entry.row for entry in self.log[start:end]}
        rows = list(latest.values())
        if cursor is None:
            rows = [row for row in rows if not row.gone and self._is_listed(row)]
        following = f"{self.epoch}:{end}"
        records = tuple(self.remote(row) for row in rows)
        starts = range(0, max(len(records), 1), PAGE)
        for begin in starts:
            is_last = begin == starts[-1]
            yield Page(records[begin : begin + PAGE], following if is_last else None)
            self._call("page")
        self._done("read")

    def _is_listed(self, row: Row) -> bool:
        return True

    def fetch(self, remote_ids: Sequence[str]) -> Mapping[str, Remote]:
        self._call("fetch")
        found: dict[str, Remote] = {}
        for remote_id in remote_ids:
            row = self.rows.get(remote_id)
            found[remote_id] = (
                self.remote(row, full=True)
                if row is not None
                else Remote(self.side, remote_id, is_gone=True, is_selected=False)
            )
        self._done("fetch")
        return found

    def project(self, remote: Remote, base: Values | None) -> Values:
        return remote.values

    def create(self, records: Sequence[NewRecord]) -> Sequence[Outcome]:
        self._call("create")
        outcomes = [self._create(record) for record in records]
        self._done("create")
        return outcomes

    def _create(self, record: NewRecord) -> Outcome:
        if self.poison & set(record.values.values()):
            return Outcome(error=InvalidRecord("The record is refused.", ("last",)))
        self.writes += 1
        row = self.put(record.values)
        row.key = record.key
        row.made_by_us = True
        self.log[-1].row.key = record.key
        return Outcome(self.remote(row))

    def update(self, edits: Sequence[Edit]) -> Sequence[Outcome]:
        self._call("update")
        outcomes = [self._update(edit) for edit in edits]
        self._done("update")
        return outcomes

    def _update(self, edit: Edit) -> Outcome:
        row = self.rows.get(edit.remote_id)
        if row is None or row.gone:
            return Outcome(error=NotFound("The record is gone."))
        is_stale = edit.etag not in {str(row.version), "*"}
        if is_stale and not self._is_as_seen(row, edit.seen):
            return Outcome(self.remote(row), EtagMismatch("It was changed."))
        if self.poison & set(edit.values.values()):
            return Outcome(error=InvalidRecord("The record is refused.", ("last",)))
        for name, value in edit.values.items():
            limit = self.limits_by_field.get(name)
            assert limit is None or len(value) <= limit, "an over-long value was sent"
        self.writes += 1
        self.on_write(self.side, row, edit.values)
        row.key = edit.key or row.key
        self.edit(row.remote_id, **edit.values)
        return Outcome(self.remote(row))

    def _is_as_seen(self, row: Row, seen: Values) -> bool:
        present = {name: value for name, value in seen.items() if value}
        return row.values == present

    def delete(self, remote_ids: Sequence[str]) -> Sequence[Outcome]:
        self._call("delete")
        for remote_id in remote_ids:
            if remote_id in self.rows and not self.rows[remote_id].gone:
                self.writes += 1
                self.remove(remote_id)
        self._done("delete")
        return [Outcome() for _ in remote_ids]

    def select(self, remote_ids: Sequence[str]) -> Sequence[Outcome]:
        return self._mark(remote_ids, selected=True)

    def deselect(self, remote_ids: Sequence[str]) -> Sequence[Outcome]:
        return self._mark(remote_ids, selected=False)

    def _mark(self, remote_ids: Sequence[str], *, selected: bool) -> list[Outcome]:
        self._call("mark")
        outcomes: list[Outcome] = []
        for remote_id in remote_ids:
            row = self.rows.get(remote_id)
            if row is None or row.gone:
                gone = NotFound("The record is gone.") if selected else None
                outcomes.append(Outcome(error=gone))
                continue
            if row.selected is not selected:
                self.writes += 1
                self.set_selected(remote_id, selected)
            outcomes.append(Outcome())
        self._done("mark")
        return outcomes


class MemoryGoogle(Memory):
    """Google: all contacts are listed, labelled or not; a key is never searchable."""

    side = SideName.GOOGLE
    prefix = "people/c"


class MemoryCrm(Memory):
    """The CRM: a full read lists the group only; creates are idempotent by key."""

    side = SideName.CRM
    prefix = "C"

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.group_is_gone = False

    @property
    def limits(self) -> Mapping[str, int]:
        return self.limits_by_field

    def open(self, memo: Mapping[str, str], *, verify: bool, may_write: bool) -> Opened:
        if self.group_is_gone:
            raise CollectionGone("The Contact Sync Group does not exist any more.")
        return Opened(dict(memo))

    def _is_listed(self, row: Row) -> bool:
        return row.selected

    def _create(self, record: NewRecord) -> Outcome:
        for row in self.rows.values():
            if row.key == record.key:
                return Outcome(self.remote(row))
        return super()._create(record)

    def find(self, query: Query) -> Sequence[Remote]:
        return [self.remote(row) for row in self.live() if self._fits(row, query)]

    def _fits(self, row: Row, query: Query) -> bool:
        name = (
            name_key(row.values.get("first", "")),
            name_key(row.values.get("last", "")),
        )
        key = parse_key(row.key)
        return (
            bool(query.addresses.intersection(addresses_of(row.values)))
            or name in query.names
            or (key is not None and key.origin in query.origins)
        )

    def lookup(self, keys: Sequence[str]) -> Mapping[str, Remote]:
        wanted = set(keys)
        return {
            row.key: self.remote(row) for row in self.rows.values() if row.key in wanted
        }
