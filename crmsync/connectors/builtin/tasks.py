"""The built-in CRM's to-dos of one user as a side of a pair (TSK, CRM-1).

To-dos that the user leads and that do not recur; done ones stay, as done. One that
recurs or has another leader now is shown as not selected: it keeps its task, unlinked
(TSK-3).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from crm import activities, activityfeed, activitystore, completion, feed
from crm.activityfields import LIMITS, TODO, is_timeless, parse_start, start_text
from crm.activityrows import ActivityEdit, ActivityRow, NewActivity
from crm.common import Author
from crm.errors import BadValue
from crm.tables import Activity
from crmsync.connectors.builtin.activityvalues import Names, read_names, section
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
from crmsync.records.keys import origin_prefix
from crmsync.records.remote import Remote
from crmsync.records.tasks import DONE, FIELDS
from crmsync.records.values import SideName, Values

_PAGE = 200
_STAMP_DIGITS = 12
_LABELS = {item.name: item.label for item in FIELDS}
_OURS = {"title": "subject", "notes": "notes"}


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """What differs between pairs.

    Attributes:
        crm_user_id: the person's id in the CRM.
        installation, user: named in our keys (CON-20).
        zone: the person's time zone: in it a timed to-do has its date (TSK-2).
        url_prefix: what a to-do's id is put behind to make a link to its page.
        fields: the mapped fields.
        batch_size: records per write call, and so per transaction.
    """

    crm_user_id: str
    installation: str
    user: str
    zone: str = "UTC"
    url_prefix: str = ""
    fields: tuple[str, ...] = tuple(item.name for item in FIELDS)
    batch_size: int = 200


class BuiltinTasks:
    """The to-dos of the built-in CRM that have, or may have, a task."""

    name = SideName.CRM
    skew = timedelta()
    requests = 0
    """Nothing leaves the machine (interfaces.md)."""

    def __init__(self, store: Store, options: TaskOptions, *, clock: Clock) -> None:
        """Build the side; nothing is read yet.

        Args:
            store: the database that holds the CRM's tables.
            options: person and rules.
            clock: dates what is written.
        """
        self._store = store
        self._options = options
        self._clock = clock
        self._zone = ZoneInfo(options.zone)

    @property
    def batch_size(self) -> int:
        """How many records one write call takes."""
        return self._options.batch_size

    @property
    def limits(self) -> Mapping[str, int]:
        """Characters the CRM takes per mapped field."""
        return {
            name: LIMITS[_OURS[name]] for name in self._options.fields if name in _OURS
        }

    def open(self, memo: Mapping[str, str], *, verify: bool, may_write: bool) -> Opened:
        """Return the memo: a user's to-dos are always there."""
        return Opened(dict(memo))

    # ------------------------------------------------------------------ reading

    def read(self, cursor: str | None) -> Iterator[Page]:
        """Read all to-dos of the user, or what changed since a cursor.

        Raises:
            CursorExpired: if the cursor is not one of this user, or lies ahead of the
                CRM (its database is an older copy).
            Retryable: the database is busy.
        """
        if cursor is None:
            return self._read_all()
        return self._read_changes(self._parsed(cursor))

    def _read_all(self) -> Iterator[Page]:
        with reading(self._store) as conn:
            # First of all: what changes while we read is shown again by the feed.
            cursor = self._cursor(feed.current_cursor(conn))
            ids = list(
                activityfeed.ids_of(
                    conn, self._options.crm_user_id, Activity.type == TODO
                )
            )
        for start in range(0, len(ids) + 1, _PAGE):
            with reading(self._store) as conn:
                rows = activities.read(conn, ids[start : start + _PAGE])
                shown = self._shown(conn, rows)
            is_last = start + _PAGE > len(ids)
            records = tuple(remote for remote in shown if remote.is_selected)
            yield Page(records, cursor if is_last else None)

    def _read_changes(self, place: int) -> Iterator[Page]:
        while True:
            with reading(self._store) as conn:
                if place > feed.current_cursor(conn):
                    raise CursorExpired("The CRM's database is older than our cursor.")
                ids, place = activityfeed.changes_since(
                    conn, self._options.crm_user_id, place, limit=_PAGE
                )
                records = tuple(self._shown(conn, activities.read(conn, ids)))
            is_last = len(ids) < _PAGE
            yield Page(records, self._cursor(place) if is_last else None)
            if is_last:
                return

    def _cursor(self, place: int) -> str:
        return f"{self._scope()}:{place}"

    def _scope(self) -> str:
        return f"{self._options.crm_user_id}:{'+'.join(sorted(self._options.fields))}"

    def _parsed(self, cursor: str) -> int:
        scope, _, place = cursor.rpartition(":")
        if scope != self._scope() or not (place.isascii() and place.isdigit()):
            raise CursorExpired("The cursor is not one of this user and these fields.")
        return int(place)

    def fetch(self, remote_ids: Sequence[str]) -> Mapping[str, Remote]:
        """Read to-dos as they are now; unknown and deleted ones are gone.

        Raises:
            Retryable: the database is busy.
        """
        with reading(self._store) as conn:
            shown = self._shown(conn, activities.read(conn, remote_ids))
        found = {remote.remote_id: remote for remote in shown}
        return {item: found.get(item) or unknown(item) for item in remote_ids}

    def project(self, remote: Remote, base: Values | None) -> Values:
        """Return a to-do's mapped fields: its values are plain."""
        return remote.values

    def find(self, query: Query) -> Sequence[Remote]:
        """Return live to-dos whose key names one of the query's origins (CON-20).

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
        """Return the to-dos created with these keys, deleted ones too (ENG-2).

        Raises:
            Retryable: the database is busy.
        """
        with reading(self._store) as conn:
            ids = activitystore.by_sync_key(conn, keys)
            shown = self._shown(conn, activities.read(conn, ids.values()))
        return {remote.key: remote for remote in shown}

    # ------------------------------------------------------------------ writing

    def create(self, records: Sequence[NewRecord]) -> Sequence[Outcome]:
        """Create to-dos that the user leads, timeless, done ones as done.

        A key that is known answers with its to-do as it is, even a deleted one.

        Raises:
            Retryable: the database is busy; nothing happened.
            OutcomeUnknown: the commit got no answer.
        """
        with self._writing() as conn:
            return in_parts(conn, records, partial(self._create, conn), refuse=refusal)

    def _create(self, conn: Connection, records: Sequence[NewRecord]) -> list[Outcome]:
        known = activitystore.by_sync_key(conn, [record.key for record in records])
        new = [self._new(record) for record in records]
        rows = activities.create_many(conn, new, by=self._author())
        done = {
            row.id
            for row, record in zip(rows, records, strict=True)
            if record.key not in known and record.values.get("done") == DONE
        }
        completion.complete(conn, sorted(done), by=self._author())
        after = activities.read(conn, [row.id for row in rows])
        shown = {remote.remote_id: remote for remote in self._shown(conn, after)}
        return [Outcome(shown[row.id]) for row in rows]

    def _new(self, record: NewRecord) -> NewActivity:
        due = record.values.get("due", "")
        values = {ours: record.values.get(name, "") for name, ours in _OURS.items()}
        return NewActivity(
            values | {"type": TODO, "start": due[:10] or self._today()},
            self._options.crm_user_id,
            sync_key=record.key or None,
            is_undated=not due,
        )

    def update(self, edits: Sequence[Edit]) -> Sequence[Outcome]:
        """Write fields of to-dos, if they are as the plan saw them (ENG-3).

        A new date moves a timed to-do by whole days and keeps its hour (TSK-2). A
        deleted one is answered with NotFound.

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
            edit
            for edit in edits
            if edit.remote_id in seen and is_as_seen(seen[edit.remote_id], edit)
        ]
        whole = [self._whole(by_id[edit.remote_id], edit) for edit in ready]
        activities.update_many(conn, whole, by=self._author())
        for edit in ready:
            self._finish(conn, edit)
        ids = [edit.remote_id for edit in ready]
        done = self._shown(conn, activities.read(conn, ids))
        after = {remote.remote_id: remote for remote in done}
        return [updated(edit.remote_id, seen, after, noun="to-do") for edit in edits]

    def _whole(self, row: ActivityRow, edit: Edit) -> ActivityEdit:
        changes = {
            ours: edit.values[name]
            for name, ours in _OURS.items()
            if name in edit.values
        }
        is_undated = None
        if "due" in edit.values:
            is_undated = not edit.values["due"]
            changes |= self._moved(row, edit.values["due"][:10])
        return ActivityEdit(row.id, changes, row.version, is_undated=is_undated)

    def _moved(self, row: ActivityRow, due: str) -> dict[str, str]:
        if not due:
            return {"start": self._local(row.created_at).date().isoformat()}
        if is_timeless(row.values["start"]):
            return {"start": due}
        day = _day(due)
        hour = self._local(row.start_at).time()
        at = datetime.combine(day, hour, self._zone)
        return {"start": start_text(at, timeless=False)}

    def _finish(self, conn: Connection, edit: Edit) -> None:
        if "done" not in edit.values:
            return
        if edit.values["done"] == DONE:
            completion.complete(conn, [edit.remote_id], by=self._author())
        else:
            completion.reopen(conn, edit.remote_id, by=self._author())

    def delete(
        self,
        remote_ids: Sequence[str],
        *,
        etags: Mapping[str, str] = NO_ETAGS,
        notifies: frozenset[str] = frozenset(),
    ) -> Sequence[Outcome]:
        """Delete to-dos that the user leads; one that is gone counts as deleted.

        Raises:
            Retryable: the database is busy; nothing happened.
            OutcomeUnknown: the commit got no answer.
        """
        me = self._options.crm_user_id
        with self._writing() as conn:
            rows = activities.read(conn, remote_ids)
            led = [
                row
                for row in rows
                if row.leader == me and row.type == TODO and not row.deleted
            ]
            edited = [row for row in led if is_other_version(row, etags)]
            rest = [row.id for row in led if row not in edited]
            activities.delete_many(conn, rest, by=self._author())
            changed = {remote.remote_id: remote for remote in self._shown(conn, edited)}
        return [meanwhile(changed.get(remote_id)) for remote_id in remote_ids]

    def select(self, remote_ids: Sequence[str]) -> Sequence[Outcome]:
        """Do nothing: a user's to-dos are in no group."""
        return [Outcome() for _ in remote_ids]

    def deselect(self, remote_ids: Sequence[str]) -> Sequence[Outcome]:
        """Do nothing: a user's to-dos are in no group."""
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

    def _local(self, at: datetime) -> datetime:
        return at.astimezone(self._zone)

    def _today(self) -> str:
        return self._local(self._clock.now()).date().isoformat()

    def _shown(self, conn: Connection, rows: Sequence[ActivityRow]) -> list[Remote]:
        """Return to-dos as the cycle sees them; other kinds are left out."""
        todos = [row for row in rows if row.type == TODO]
        names = read_names(conn, todos)
        return [self._remote(row, names) for row in todos]

    def _remote(self, row: ActivityRow, names: Names) -> Remote:
        options = self._options
        is_mine = (
            row.leader == options.crm_user_id and options.crm_user_id in row.user_ids
        )
        recurs = row.is_series or row.parent_id is not None
        return Remote(
            SideName.CRM,
            row.id,
            str(row.version),
            {} if row.deleted else self._values(row, names),
            {
                "left": not is_mine,
                "recurs": recurs,
                "url": f"{options.url_prefix}{row.id}" if options.url_prefix else "",
                "modified_by": row.modified_by,
            },
            key=row.sync_key or "",
            is_selected=is_mine and not recurs and not row.deleted,
            is_gone=row.deleted,
            stamp=str(row.version).zfill(_STAMP_DIGITS),
            modified_at=row.modified_at,
        )

    def _values(self, row: ActivityRow, names: Names) -> Values:
        values = {
            "title": row.values["subject"],
            "due": "" if row.is_undated else self._due(row),
            "done": DONE if row.completed_at is not None else "",
            "notes": row.values["notes"],
            "context": section(row, names),
        }
        return {n: values[n] for n in self._options.fields if values.get(n)}

    def _due(self, row: ActivityRow) -> str:
        start = row.values["start"]
        if is_timeless(start):
            return start
        return f"{self._local(parse_start(start)):%Y-%m-%dT%H:%M:%S}"


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadValue("due", "is not a date of the calendar") from None


def refusal(error: Refusal) -> InvalidRecord:
    """Return what a person reads about a to-do that the CRM refuses."""
    if not isinstance(error, BadValue):
        return InvalidRecord(f"The CRM refuses the to-do: {error}.")
    name = {"subject": "title", "start": "due"}.get(error.field, error.field)
    label = _LABELS.get(name, name.capitalize())
    reason = str(error).removeprefix(f"{error.field} ")
    known = (name,) if name in _LABELS else ()
    return InvalidRecord(f"The CRM refuses the to-do: {label} {reason}.", known)
