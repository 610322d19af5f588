"""The built-in CRM's activities of one user as a side of a pair (CAL, CRM-1).

Meetings, phone calls and personal activities in which the user is leader or member. As
for contacts, the package `crm` is treated as a foreign CRM.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import islice

from sqlalchemy import ColumnElement, Connection

from crm import activities, activityfeed, activitystore, agenda, feed, occurrences
from crm import participants as taking_part
from crm.activityfields import CALENDAR_TYPES, DECLINED, LIMITS
from crm.activityrows import ActivityEdit, ActivityRow, NewActivity, Participant
from crm.common import Author
from crm.errors import BadValue
from crm.occurrences import OccurrenceEdit
from crm.recurrence import NotExpressible
from crm.tables import Activity
from crmsync.connectors.builtin.activityvalues import (
    ActivityOptions,
    View,
    changes_of,
    is_mapped,
    new_guests,
    read_names,
    type_of,
    with_answer,
    with_guests,
)
from crmsync.connectors.builtin.answers import (
    is_as_seen,
    is_other_version,
    meanwhile,
    unknown,
    updated,
)
from crmsync.connectors.builtin.faults import (
    Refusal,
    Store,
    in_parts,
    reading,
    writing,
)
from crmsync.errors import CursorExpired, InvalidRecord
from crmsync.ports import NO_ETAGS, Clock, Edit, NewRecord, Opened, Outcome, Page, Query
from crmsync.records.activities import CANCELLED, FIELDS
from crmsync.records.keys import origin_prefix
from crmsync.records.remote import Remote
from crmsync.records.values import SideName, Values

__all__ = ["ActivityOptions", "BuiltinActivities"]

_PAGE = 200
_LABELS = {item.name: item.label for item in FIELDS}
_TYPES = Activity.type.in_(sorted(CALENDAR_TYPES))


class BuiltinActivities:
    """The activities of the built-in CRM that have, or may have, an event."""

    name = SideName.CRM
    skew = timedelta()
    requests = 0
    """Nothing leaves the machine (interfaces.md)."""

    def __init__(self, store: Store, options: ActivityOptions, *, clock: Clock) -> None:
        """Build the side; nothing is read yet.

        Args:
            store: the database that holds the CRM's tables.
            options: person, window and rules.
            clock: dates what is written, and places the window.
        """
        self._store = store
        self._options = options
        self._clock = clock

    @property
    def batch_size(self) -> int:
        """How many records one write call takes."""
        return self._options.batch_size

    @property
    def limits(self) -> Mapping[str, int]:
        """Characters the CRM takes per mapped field (CAL-16)."""
        return {name: LIMITS[name] for name in self._options.fields if name in LIMITS}

    def open(self, memo: Mapping[str, str], *, verify: bool, may_write: bool) -> Opened:
        """Return the memo: a user's activities are always there."""
        return Opened(dict(memo))

    # ------------------------------------------------------------------ reading

    def read(self, cursor: str | None) -> Iterator[Page]:
        """Read what touches the window, or what changed since a cursor.

        A full read shows series before their occurrences, and all of these (CAL-19).
        An incremental one also shows what came into the window since the last read.

        Raises:
            CursorExpired: if the cursor is not one of this user and these fields, or
                lies ahead of the CRM (its database is an older copy).
            Retryable: the database is busy.
        """
        if cursor is None:
            return self._read_all()
        place, edge = self._parsed(cursor)
        return self._read_changes(place, edge)

    def _window(self) -> tuple[datetime, datetime]:
        today = self._clock.now().astimezone(UTC).date()
        options = self._options
        return (
            _midnight(today - timedelta(days=options.past_days)),
            _midnight(today + timedelta(days=options.future_days + 1)),
        )

    def _read_all(self) -> Iterator[Page]:
        begin, end = self._window()
        with reading(self._store) as conn:
            # First of all: what changes while we read is shown again by the feed.
            cursor = self._cursor(feed.current_cursor(conn))
        ids = self._in_window(begin, end, first_at=None)
        yield from self._pages(ids, cursor)

    def _read_changes(self, place: int, edge: date) -> Iterator[Page]:
        begin, end = self._window()
        while True:
            with reading(self._store) as conn:
                if place > feed.current_cursor(conn):
                    raise CursorExpired("The CRM's database is older than our cursor.")
                ids, place = activityfeed.changes_since(
                    conn, self._options.crm_user_id, place, limit=_PAGE
                )
                records = self._shown(conn, activities.read(conn, ids))
            if len(ids) < _PAGE:
                break
            yield Page(tuple(records))
        if _midnight(edge) >= end:
            yield Page(tuple(records), self._cursor(place))
            return
        yield Page(tuple(records))
        ids_entered = self._in_window(begin, end, first_at=_midnight(edge))
        yield from self._pages(ids_entered, self._cursor(place))

    def _in_window(
        self, begin: datetime, end: datetime, *, first_at: datetime | None
    ) -> Iterator[str]:
        """Yield ids of what touches the window, occurrences behind their series.

        With `first_at`, only what touches it from there on, and not before.
        """
        touching = agenda.touching(begin, end)
        shown: set[str] = set()
        for row in self._rows(*touching, Activity.parent_id.is_(None)):
            if not agenda.touches(row, begin, end):
                continue
            if first_at is not None and _touched_before(row, begin, first_at):
                continue
            yield row.id
            if row.is_series:
                shown.add(row.id)
                with reading(self._store) as conn:
                    children = activitystore.children_of(conn, [row.id])
                yield from (child.id for child in children)
        for row in self._rows(*touching, Activity.parent_id.is_not(None)):
            if row.parent_id in shown:
                continue
            if first_at is None or row.start_at >= first_at:
                yield row.parent_id or ""
                yield row.id

    def _rows(self, *conditions: ColumnElement[bool]) -> Iterator[ActivityRow]:
        is_open = Activity.completed_at.is_(None)
        with reading(self._store) as conn:
            ids = list(
                activityfeed.ids_of(
                    conn, self._options.crm_user_id, _TYPES, is_open, *conditions
                )
            )
        for start in range(0, len(ids), _PAGE):
            with reading(self._store) as conn:
                rows = activities.read(conn, ids[start : start + _PAGE])
            yield from rows

    def _pages(self, ids: Iterator[str], cursor: str) -> Iterator[Page]:
        unique = iter(dict.fromkeys(ids))
        while True:
            part = list(islice(unique, _PAGE))
            with reading(self._store) as conn:
                rows = activities.read(conn, part)
                records = [
                    remote
                    for remote in self._shown(conn, rows)
                    if remote.is_selected
                    and not remote.is_gone
                    and not remote.record["done"]
                ]
            is_last = len(part) < _PAGE
            yield Page(tuple(records), cursor if is_last else None)
            if is_last:
                return

    def _cursor(self, place: int) -> str:
        return f"{self._scope()}:{place}:{self._window()[1].date()}"

    def _scope(self) -> str:
        """Name the user and the mapped fields, so that a new field is read once."""
        fields = "\x1f".join(sorted(self._options.fields)).encode()
        digest = hashlib.blake2b(fields, digest_size=8).hexdigest()
        return f"{self._options.crm_user_id}:{digest}"

    def _parsed(self, cursor: str) -> tuple[int, date]:
        scope, _, rest = cursor.rpartition(":")
        scope, _, place = scope.rpartition(":")
        try:
            edge = date.fromisoformat(rest)
        except ValueError:
            edge = None
        is_number = place.isascii() and place.isdigit()
        if scope != self._scope() or not is_number or edge is None:
            raise CursorExpired("The cursor is not one of this user and these fields.")
        return int(place), edge

    def fetch(self, remote_ids: Sequence[str]) -> Mapping[str, Remote]:
        """Read activities as they are now; unknown and deleted ones are gone.

        Raises:
            Retryable: the database is busy.
        """
        with reading(self._store) as conn:
            shown = self._shown(conn, activities.read(conn, remote_ids))
        found = {remote.remote_id: remote for remote in shown}
        return {item: found.get(item) or unknown(item) for item in remote_ids}

    def project(self, remote: Remote, base: Values | None) -> Values:
        """Return an activity's mapped fields: its values are plain."""
        return remote.values

    def find(self, query: Query) -> Sequence[Remote]:
        """Return live activities whose key names one of the query's origins (CON-20).

        Addresses and names say nothing about activities.

        Raises:
            Retryable: the database is busy.
        """
        named = self._options
        prefixes = [
            origin_prefix(named.installation, named.user, origin)
            for origin in query.origins
        ]
        with reading(self._store) as conn:
            ids = activitystore.by_key_prefixes(conn, prefixes)
            shown = self._shown(conn, activities.read(conn, ids))
        return [remote for remote in shown if remote.is_selected]

    def lookup(self, keys: Sequence[str]) -> Mapping[str, Remote]:
        """Return the activities created with these keys, deleted ones too (ENG-2).

        Raises:
            Retryable: the database is busy.
        """
        with reading(self._store) as conn:
            ids = activitystore.by_sync_key(conn, keys)
            shown = self._shown(conn, activities.read(conn, ids.values()))
        return {remote.key: remote for remote in shown}

    # ------------------------------------------------------------------ writing

    def create(self, records: Sequence[NewRecord]) -> Sequence[Outcome]:
        """Create activities that the user leads, or change occurrences of series.

        A key that is known answers with its activity as it is, even a deleted one. One
        that the CRM refuses is answered with InvalidRecord (`series` if the CRM cannot
        express how it repeats, `series_gone` if an occurrence has none).

        Raises:
            Retryable: the database is busy; nothing happened.
            OutcomeUnknown: the commit got no answer.
        """
        with self._writing() as conn:
            return in_parts(conn, records, partial(self._create, conn), refuse=refusal)

    def _create(self, conn: Connection, records: Sequence[NewRecord]) -> list[Outcome]:
        singles = [record for record in records if not record.values.get("slot")]
        new = [self._new(conn, record) for record in singles]
        made = iter(activities.create_many(conn, new, by=self._author()))
        rows = [
            self._changed(conn, record) if record.values.get("slot") else next(made)
            for record in records
        ]
        return [Outcome(remote) for remote in self._shown(conn, rows)]

    def _new(self, conn: Connection, record: NewRecord) -> NewActivity:
        values, me = record.values, self._options.crm_user_id
        people = new_guests(conn, _addresses(values), self._options)
        return NewActivity(
            changes_of(values) | {"type": type_of(values)},
            me,
            with_answer(people, me, values.get("answer", "")),
            record.key or None,
            imported=values.get("imported", ""),
        )

    def _changed(self, conn: Connection, record: NewRecord) -> ActivityRow:
        series = activities.get(conn, record.account)
        people = self._people(conn, series, record.values)
        edit = OccurrenceEdit(
            changes_of(record.values),
            people,
            record.values.get("cancelled") == CANCELLED,
            record.key or None,
            imported=series.imported or None,
        )
        slot = record.values["slot"]
        return occurrences.change(conn, series.id, slot, edit, by=self._author())

    def _people(
        self, conn: Connection, row: ActivityRow, values: Values
    ) -> tuple[Participant, ...] | None:
        """Return the participants that values ask for; None if they name none."""
        people: tuple[Participant, ...] | None = None
        if "attendees" in values:
            view = View(self._options, read_names(conn, [row]))
            people = with_guests(conn, row, view, _addresses(values), self._options)
        if "answer" in values:
            me = self._options.crm_user_id
            people = with_answer(people or row.participants, me, values["answer"])
        return people

    def update(self, edits: Sequence[Edit]) -> Sequence[Outcome]:
        """Write fields of activities, if they are as the plan saw them (ENG-3).

        The answer is the user's own; all else is written to the activity, whoever leads
        it (CAL-10). What is never written: type, section, slot. An activity that is
        deleted, completed or not the user's any more is answered with NotFound.

        Raises:
            Retryable: the database is busy; nothing happened.
            OutcomeUnknown: the commit got no answer.
        """
        with self._writing() as conn:
            return in_parts(conn, edits, partial(self._update, conn), refuse=refusal)

    def _update(self, conn: Connection, edits: Sequence[Edit]) -> list[Outcome]:
        rows = activities.read(conn, [edit.remote_id for edit in edits])
        by_id = {row.id: row for row in rows}
        seen = {remote.remote_id: remote for remote in self._shown(conn, rows)}
        ready = [
            self._whole(conn, by_id[edit.remote_id], edit)
            for edit in edits
            if edit.remote_id in seen
            and by_id[edit.remote_id].completed_at is None
            and is_as_seen(seen[edit.remote_id], edit)
        ]
        # Google tells of each occurrence by itself: none is carried along here.
        done = activities.update_many(conn, ready, carries=False, by=self._author())
        after = {remote.remote_id: remote for remote in self._shown(conn, done)}
        return [updated(edit.remote_id, seen, after, noun="activity") for edit in edits]

    def _whole(self, conn: Connection, row: ActivityRow, edit: Edit) -> ActivityEdit:
        is_cancelled = None
        if row.parent_id is not None and "cancelled" in edit.values:
            is_cancelled = edit.values["cancelled"] == CANCELLED
        return ActivityEdit(
            row.id,
            changes_of(edit.values),
            row.version,
            participants=self._people(conn, row, edit.values),
            is_cancelled=is_cancelled,
            imported=edit.values.get("imported", row.imported) or None,
        )

    def delete(
        self,
        remote_ids: Sequence[str],
        *,
        etags: Mapping[str, str] = NO_ETAGS,
        notifies: frozenset[str] = frozenset(),
    ) -> Sequence[Outcome]:
        """Delete what the user leads; decline what somebody else leads (CAL-4).

        History stays as it is; one that is gone already counts as deleted.

        Raises:
            Retryable: the database is busy; nothing happened.
            OutcomeUnknown: the commit got no answer.
        """
        me = self._options.crm_user_id
        with self._writing() as conn:
            alive = [
                row
                for row in activities.read(conn, remote_ids)
                if not row.deleted and row.completed_at is None and me in row.user_ids
            ]
            edited = [row for row in alive if is_other_version(row, etags)]
            rows = [row for row in alive if row not in edited]
            led = [row.id for row in rows if row.leader == me]
            activities.delete_many(conn, led, by=self._author())
            for row in rows:
                if row.leader != me:
                    taking_part.answer(conn, row.id, me, DECLINED, by=self._author())
            changed = {remote.remote_id: remote for remote in self._shown(conn, edited)}
        return [meanwhile(changed.get(remote_id)) for remote_id in remote_ids]

    def select(self, remote_ids: Sequence[str]) -> Sequence[Outcome]:
        """Do nothing: a user's activities are in no group."""
        return [Outcome() for _ in remote_ids]

    def deselect(self, remote_ids: Sequence[str]) -> Sequence[Outcome]:
        """Do nothing: a user's activities are in no group."""
        return [Outcome() for _ in remote_ids]

    # ------------------------------------------------------------------ helpers

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """Begin a unit of work in which nobody else writes to the CRM."""
        with writing(self._store) as conn:
            feed.lock(conn)
            yield conn

    def _author(self) -> Author:
        return Author(self._options.crm_user_id, self._clock.now())

    def _shown(self, conn: Connection, rows: Sequence[ActivityRow]) -> list[Remote]:
        """Return activities as the cycle sees them; other kinds are left out."""
        mapped = [row for row in rows if is_mapped(row)]
        view = View(self._options, read_names(conn, mapped))
        return [view.remote(row) for row in mapped]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _touched_before(row: ActivityRow, begin: datetime, edge: datetime) -> bool:
    if not row.is_series:
        return row.start_at < edge
    return agenda.touches(row, begin, edge)


def _addresses(values: Values) -> list[str]:
    return values.get("attendees", "").splitlines()


def refusal(error: Refusal) -> InvalidRecord:
    """Return what a person reads about an activity that the CRM refuses."""
    if isinstance(error, BadValue):
        label = _LABELS.get(error.field, error.field.capitalize())
        reason = str(error).removeprefix(f"{error.field} ")
        known = (error.field,) if error.field in _LABELS else ()
        if isinstance(error, NotExpressible):
            return InvalidRecord(
                f"The CRM cannot express how this repeats: {label} {reason}.",
                known,
                code="series",
            )
        return InvalidRecord(f"The CRM refuses the activity: {label} {reason}.", known)
    return InvalidRecord(
        f"The CRM refuses the activity: {error}.", ("slot",), code="series_gone"
    )
