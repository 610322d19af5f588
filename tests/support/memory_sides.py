"""Both sides in memory, as strict about versions as the real ones.

The Google side's feed is late (its horizon trails by `delay` seconds) while `fetch`
is current; the CRM's feed is current. Listings may come in disorder (`Disorder`).
Faults are decided by a hook that is told of each call before, within and after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import TypeVar

from crmsync.errors import (
    CollectionGone,
    CursorExpired,
    EtagMismatch,
    InvalidRecord,
    NotFound,
    OutcomeUnknown,
)
from crmsync.ports import (
    NO_ETAGS,
    Edit,
    NewRecord,
    Opened,
    Outcome,
    Page,
    Query,
)
from crmsync.records.contacts import addresses_of
from crmsync.records.equivalence import name_key
from crmsync.records.keys import parse_key
from crmsync.records.remote import Remote
from crmsync.records.values import SideName, Values
from tests.support.memory_state import VirtualClock

PAGE = 3

T = TypeVar("T")


class Disorder(IntEnum):
    """How a listing may come that is right and yet not as one expects it.

    The CRM never shows an older version after a newer one (its feed is in order);
    Google may, and its versions say which is newer.
    """

    NONE = 0
    REVERSED = 1
    ROTATED = 2
    DOUBLED = 3
    REPEATED = 4
    OLD_BEFORE_NEW = 5
    OLD_AFTER_NEW = 6


def no_effect(name: str) -> None:
    """Nothing goes wrong."""


class NotYet(Exception):
    """Raised by the hook before a write: it stays on the wire and lands later."""


@dataclass(slots=True)
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
    notes: dict[str, object] = field(default_factory=dict)

    def copy(self) -> Row:
        return Row(
            self.remote_id,
            dict(self.values),
            self.selected,
            self.gone,
            self.key,
            self.version,
            self.modified_at,
            self.unknown,
            self.extras,
            self.previous_ids,
            self.made_by_us,
            self.notes,
        )


@dataclass(frozen=True, slots=True)
class Entry:
    at: datetime
    row: Row


def _effects(side: SideName) -> Mapping[tuple[str, str], str]:
    reads = ("open", "read", "page", "fetch", "find", "lookup")
    calls = (*reads, "create", "update", "delete", "mark")
    whens = ("before", "within", "after")
    return {(w, call): f"{w} {side}.{call}" for w in whens for call in calls}


class Memory:
    """What both sides have in common."""

    side: SideName
    prefix: str
    proves_deletes = False
    """Whether a delete may carry the version that was looked at; People's cannot."""
    page_size = PAGE
    batch_size = 4
    _names: Mapping[tuple[str, str], str]

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
        self.disorder = Disorder.NONE
        self.on_wire: list[Callable[[], object]] = []
        self.is_strict = False
        self.looked_at: Mapping[str, str] = NO_ETAGS
        self.on_write: Callable[[SideName, Row, Values], None] = lambda s, r, v: None
        self.on_create: Callable[[SideName, Row], None] = lambda s, r: None
        self.on_leave: Callable[[SideName, Row], None] = lambda s, r: None
        self.on_refusal: Callable[[SideName, str, Values], None] = lambda s, i, v: None
        self.effect: Callable[[str], None] = no_effect

    # ------------------------------------------------------------ a person's hand

    def log_row(self, row: Row) -> None:
        row.version += 1
        row.modified_at = self.clock.now()
        self.log.append(Entry(self.clock.now(), row.copy()))

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

    def scribble(self, remote_id: str, **unknown: str) -> None:
        """Fill in what synchronisation does not know."""
        row = self.rows[remote_id]
        row.unknown = {**row.unknown, **unknown}
        self.log_row(row)

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
    def requests(self) -> int:
        return self.calls

    @property
    def skew(self) -> timedelta:
        return timedelta()

    def _before(self, name: str) -> None:
        self.effect(self._names["before", name])
        self.calls += 1

    def _within(self, name: str, done: int) -> None:
        """Between two records of one batch: the half may be done, and no more."""
        if done:
            self.effect(self._names["within", name])

    def _after(self, name: str) -> None:
        self.effect(self._names["after", name])

    def land(self) -> None:
        """Let arrive what was on the wire; the provider knows its condition only."""
        waiting, self.on_wire = self.on_wire, []
        self.is_strict = True
        for write in waiting:
            write()
        self.is_strict = False

    def open(self, memo: Mapping[str, str], *, verify: bool, may_write: bool) -> Opened:
        if verify:
            self._before("open")
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
                record=row.notes,
            )
        return Remote(
            self.side,
            row.remote_id,
            str(row.version),
            dict(row.values),
            row.notes,
            row.key,
            is_selected=row.selected,
            stamp=f"{row.version:08d}",
            modified_at=row.modified_at,
            previous_ids=row.previous_ids,
            extras=(*row.extras, *row.unknown) if full else (),
        )

    def _horizon(self) -> int:
        now = self.clock.now()
        end = len(self.log)
        while end and (now - self.log[end - 1].at).total_seconds() < self.delay:
            end -= 1
        return end

    def read(self, cursor: str | None) -> Iterator[Page]:
        self._before("read")
        end, epoch = self._horizon(), self.epoch
        start = 0
        if cursor is not None:
            known, _, position = cursor.partition(":")
            if known != str(epoch) or not position.isdigit():
                raise CursorExpired("The cursor has expired.")
            start = int(position)
        latest = {entry.row.remote_id: entry.row for entry in self.log[start:end]}
        rows = list(latest.values())
        if cursor is None:
            rows = [row for row in rows if not row.gone and self._is_listed(row)]
        if self.disorder:
            rows = self._in_disorder(rows, end)
        following = f"{epoch}:{end}"
        records = tuple(self.remote(row) for row in rows)
        starts = range(0, max(len(records), 1), self.page_size)
        for begin in starts:
            if begin:
                self._before("page")
                if self.epoch != epoch:
                    raise CursorExpired("The cursor has expired.")
            is_last = begin == starts[-1]
            yield Page(
                records[begin : begin + self.page_size], following if is_last else None
            )
        self._after("read")

    def _in_disorder(self, rows: list[Row], end: int) -> list[Row]:
        kind = self.disorder
        if kind is Disorder.REVERSED:
            return rows[::-1]
        if kind is Disorder.ROTATED:
            half = len(rows) // 2
            return rows[half:] + rows[:half]
        if kind is Disorder.DOUBLED:
            return [row for row in rows for _ in range(2)]
        if kind is Disorder.REPEATED:
            return rows + rows
        older = self._older(rows, end)
        news_first = kind is Disorder.OLD_AFTER_NEW and self.side is SideName.GOOGLE
        found: list[Row] = []
        for row in rows:
            pair = [older[row.remote_id]] if row.remote_id in older else []
            found += [row, *pair] if news_first else [*pair, row]
        return found

    def _older(self, rows: list[Row], end: int) -> dict[str, Row]:
        """Return of each row the version before the one that is listed."""
        wanted = {row.remote_id: row.version for row in rows}
        return {
            entry.row.remote_id: entry.row
            for entry in self.log[:end]
            if entry.row.version < wanted.get(entry.row.remote_id, 0)
        }

    def _is_listed(self, row: Row) -> bool:
        return True

    def fetch(self, remote_ids: Sequence[str]) -> Mapping[str, Remote]:
        self._before("fetch")
        found: dict[str, Remote] = {}
        for remote_id in remote_ids:
            row = self.rows.get(remote_id)
            found[remote_id] = (
                self.remote(row, full=True)
                if row is not None
                else Remote(self.side, remote_id, is_gone=True, is_selected=False)
            )
        self._after("fetch")
        return found

    def project(self, remote: Remote, base: Values | None) -> Values:
        return remote.values

    def create(self, records: Sequence[NewRecord]) -> Sequence[Outcome]:
        return self._write("create", self._create, records)

    def _write(
        self, name: str, do: Callable[[T], Outcome], parts: Sequence[T]
    ) -> list[Outcome]:
        try:
            self._before(name)
        except NotYet:
            self.on_wire.append(lambda: [do(part) for part in parts])
            raise OutcomeUnknown("No answer came.") from None
        outcomes: list[Outcome] = []
        for part in parts:
            self._within(name, len(outcomes))
            outcomes.append(do(part))
        self._after(name)
        return outcomes

    def _create(self, record: NewRecord) -> Outcome:
        if self.poison & set(record.values.values()):
            self.on_refusal(self.side, record.key, record.values)
            return Outcome(error=InvalidRecord("The record is refused.", ("last",)))
        self.writes += 1
        row = self.put(record.values)
        row.key = record.key
        row.made_by_us = True
        self.log[-1].row.key = record.key
        self.on_create(self.side, row)
        return Outcome(self.remote(row))

    def update(self, edits: Sequence[Edit]) -> Sequence[Outcome]:
        return self._write("update", self._update, edits)

    def _update(self, edit: Edit) -> Outcome:
        row = self.rows.get(edit.remote_id)
        if row is None or row.gone:
            return Outcome(error=NotFound("The record is gone."))
        is_stale = edit.etag not in {str(row.version), "*"}
        if is_stale and (self.is_strict or not self._is_as_seen(row, edit.seen)):
            return Outcome(self.remote(row), EtagMismatch("It was changed."))
        if self.poison & set(edit.values.values()):
            self.on_refusal(self.side, edit.remote_id, edit.values)
            return Outcome(error=InvalidRecord("The record is refused.", ("last",)))
        for name, value in edit.values.items():
            limit = self.limits_by_field.get(name)
            assert limit is None or len(value) <= limit, "an over-long value was sent"
        self.writes += 1
        self.on_write(self.side, row, edit.values)
        row.key = edit.key or row.key
        strange = {n: v for n, v in edit.values.items() if n in row.unknown}
        row.unknown = {**row.unknown, **strange} if strange else row.unknown
        self.edit(row.remote_id, **edit.values)
        return Outcome(self.remote(row))

    def _is_as_seen(self, row: Row, seen: Values) -> bool:
        present = {name: value for name, value in seen.items() if value}
        return row.values == present

    def delete(
        self,
        remote_ids: Sequence[str],
        *,
        etags: Mapping[str, str] = NO_ETAGS,
        notifies: frozenset[str] = frozenset(),
    ) -> Sequence[Outcome]:
        self.looked_at = etags if self.proves_deletes else NO_ETAGS
        return self._write("delete", self._delete, remote_ids)

    def _delete(self, remote_id: str) -> Outcome:
        row = self.rows.get(remote_id)
        if row is not None and not row.gone:
            if self.looked_at.get(remote_id, str(row.version)) != str(row.version):
                return Outcome(self.remote(row), EtagMismatch("It was changed."))
            self.writes += 1
            self.on_leave(self.side, row)
            self.remove(remote_id)
        return Outcome()

    def select(self, remote_ids: Sequence[str]) -> Sequence[Outcome]:
        return self._write("mark", self._select, remote_ids)

    def _select(self, remote_id: str) -> Outcome:
        row = self.rows.get(remote_id)
        if row is None or row.gone:
            return Outcome(error=NotFound("The record is gone."))
        if not row.selected:
            self.writes += 1
            self.set_selected(remote_id, True)
        return Outcome()

    def deselect(self, remote_ids: Sequence[str]) -> Sequence[Outcome]:
        return self._write("mark", self._deselect, remote_ids)

    def _deselect(self, remote_id: str) -> Outcome:
        row = self.rows.get(remote_id)
        if row is not None and row.selected:
            self.writes += 1
            self.on_leave(self.side, row)
            self.set_selected(remote_id, False)
        return Outcome()


class MemoryGoogle(Memory):
    """Google: all contacts are listed, labelled or not; a key is never searchable."""

    side = SideName.GOOGLE
    _names = _effects(side)
    prefix = "people/c"


class MemoryCrm(Memory):
    """The CRM: a full read lists the group only; creates are idempotent by key."""

    side = SideName.CRM
    _names = _effects(side)
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
        self._before("find")
        found = [self.remote(row) for row in self.live() if self._fits(row, query)]
        self._after("find")
        return found

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
        self._before("lookup")
        wanted = set(keys)
        found = {r.key: self.remote(r) for r in self.rows.values() if r.key in wanted}
        self._after("lookup")
        return found
