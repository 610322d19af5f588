"""The built-in CRM's contacts as a side of a pair (CRM-1).

A `ports.CrmSide` over the package `crm`, which is treated as a foreign CRM: it is
called through its functions only, and no transaction spans it and our own state.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Literal

from sqlalchemy import Connection

from crm import accounts, contacts, feed, groups, lookup
from crm.accounts import AccountRule
from crm.common import EVERYONE, Author
from crm.fields import FIELDS, limit_of
from crm.rows import ContactEdit, ContactRow, NewContact
from crmsync.connectors.builtin.faults import (
    Store,
    in_parts,
    reading,
    refusal,
    writing,
)
from crmsync.errors import (
    CollectionGone,
    CursorExpired,
    EtagMismatch,
    NotFound,
    Retryable,
)
from crmsync.ports import NO_ETAGS, Clock, Edit, NewRecord, Opened, Outcome, Page, Query
from crmsync.records.keys import origin_prefix
from crmsync.records.remote import Remote
from crmsync.records.values import SideName, Values

_PAGE = 200
_STAMP_DIGITS = 12


@dataclass(frozen=True, slots=True)
class BuiltinOptions:
    """What differs between pairs.

    Attributes:
        group_id: the Contact Sync Group, "" if none is chosen (CON-2).
        crm_user_id: the person's id in the CRM: author of what is written, manager of
            new accounts.
        installation, user: named in our keys (CON-20).
        account_type, account_status, account_owner: of new accounts; new contacts get
            the same owner (CON-9).
        ambiguous_account: take the first of several accounts of a name, or ask.
        fields: the mapped fields, custom ones as `custom:<key>`; what an admin took out
            of the table is not read.
        batch_size: records per write call, and so per transaction.
    """

    group_id: str
    crm_user_id: str
    installation: str
    user: str
    account_type: str = "Prospect"
    account_status: str = "Active"
    account_owner: str = EVERYONE
    ambiguous_account: Literal["first", "hold"] = "first"
    fields: tuple[str, ...] = FIELDS
    batch_size: int = 200


class BuiltinContacts:
    """The contacts of the built-in CRM, selected by one ad hoc group."""

    name = SideName.CRM
    skew = timedelta()
    requests = 0
    """Nothing leaves the machine (interfaces.md)."""

    def __init__(self, store: Store, options: BuiltinOptions, *, clock: Clock) -> None:
        """Build the side; nothing is read yet.

        Args:
            store: the database that holds the CRM's tables.
            options: group, person and rules.
            clock: dates what is written.
        """
        self._store = store
        self._options = options
        self._clock = clock
        self._rule = AccountRule(
            manager=options.crm_user_id,
            type=options.account_type,
            status=options.account_status,
            owner=options.account_owner,
            ambiguous=options.ambiguous_account,
        )

    @property
    def batch_size(self) -> int:
        """How many records one write call takes."""
        return self._options.batch_size

    @property
    def limits(self) -> Mapping[str, int]:
        """Characters the CRM takes per mapped field, custom ones too (CON-15)."""
        return {name: limit_of(name) for name in self._options.fields}

    def open(self, memo: Mapping[str, str], *, verify: bool, may_write: bool) -> Opened:
        """Make sure that the Contact Sync Group is there and the person's to see.

        Raises:
            CollectionGone: if it is not chosen, deleted or somebody else's (CON-2).
            Retryable: the database is busy.
        """
        if not self._options.group_id:
            raise CollectionGone("No Contact Sync Group is chosen.")
        with reading(self._store) as conn:
            group = groups.get(conn, self._options.group_id)
        if group is None:
            raise CollectionGone("The Contact Sync Group does not exist any more.")
        if not self._sees(group.owner):
            raise CollectionGone("The Contact Sync Group belongs to another user.")
        return Opened(dict(memo))

    # ------------------------------------------------------------------ reading

    def read(self, cursor: str | None) -> Iterator[Page]:
        """Read the group's members, or what changed among them since a cursor.

        A contact that was put in, taken out or deleted is among the changes. The last
        page may be empty; it carries the next cursor.

        Raises:
            CursorExpired: if the cursor is not one of this group, was made for other
                fields, or lies ahead of the CRM (its database is an older copy).
            Retryable: the database is busy.
        """
        if cursor is None:
            return self._read_all()
        return self._read_changes(self._place_in_feed(cursor))

    def _read_all(self) -> Iterator[Page]:
        with reading(self._store) as conn:
            # First of all: what changes while we read is shown again by the feed.
            cursor = self._cursor(feed.current_cursor(conn))
        after = ""
        while True:
            with reading(self._store) as conn:
                rows = lookup.page_of_group(
                    conn, self._options.group_id, after=after, limit=_PAGE
                )
            is_last = len(rows) < _PAGE
            records = tuple(self._remote(row, is_selected=True) for row in rows)
            yield Page(records, cursor if is_last else None)
            if is_last:
                return
            after = rows[-1].id

    def _read_changes(self, place: int) -> Iterator[Page]:
        while True:
            with reading(self._store) as conn:
                if place > feed.current_cursor(conn):
                    raise CursorExpired("The CRM's database is older than our cursor.")
                changes, place = feed.changes_since(
                    conn, place, limit=_PAGE, group_id=self._options.group_id
                )
                ids = list(dict.fromkeys(change.contact_id for change in changes))
                records = tuple(self._shown(conn, contacts.read(conn, ids)))
            is_last = len(changes) < _PAGE
            yield Page(records, self._cursor(place) if is_last else None)
            if is_last:
                return

    def _cursor(self, place: int) -> str:
        """Name the scope too: what is new in another one are no changes of this one."""
        return f"{self._scope()}:{place}"

    def _scope(self) -> str:
        """Name the group and the mapped fields, so that a new field is read once."""
        fields = "\x1f".join(sorted(self._options.fields)).encode()
        digest = hashlib.blake2b(fields, digest_size=8).hexdigest()
        return f"{self._options.group_id}:{digest}"

    def _place_in_feed(self, cursor: str) -> int:
        scope, _, place = cursor.rpartition(":")
        is_ours = scope == self._scope()
        if not is_ours or not (place.isascii() and place.isdigit()):
            raise CursorExpired(
                "The cursor is not one of this Contact Sync Group and these fields."
            )
        return int(place)

    def fetch(self, remote_ids: Sequence[str]) -> Mapping[str, Remote]:
        """Read contacts as they are now; unknown and deleted ones are gone.

        Raises:
            Retryable: the database is busy.
        """
        with reading(self._store) as conn:
            shown = self._shown(
                conn, contacts.read(conn, list(dict.fromkeys(remote_ids)))
            )
        found = {remote.remote_id: remote for remote in shown}
        return {item: found.get(item) or _unknown(item) for item in remote_ids}

    def project(self, remote: Remote, base: Values | None) -> Values:
        """Return a contact's mapped fields: the CRM has slots, no lists to seat."""
        return remote.values

    def find(self, query: Query) -> Sequence[Remote]:
        """Return live contacts that share any part of the query (CON-6, CON-7, CON-20).

        Those that only other users see are left out, unless they are in the group.

        Raises:
            Retryable: the database is busy.
        """
        named = self._options
        prefixes = [
            origin_prefix(named.installation, named.user, origin)
            for origin in query.origins
        ]
        with reading(self._store) as conn:
            hits = (
                *lookup.find_by_addresses(conn, query.addresses).values(),
                *lookup.find_by_names(conn, query.names).values(),
                *lookup.find_by_key_prefixes(conn, prefixes).values(),
            )
            ids = sorted({contact_id for found in hits for contact_id in found})
            rows = contacts.read(conn, ids)
            shown = self._shown(conn, rows)
        return [
            remote
            for row, remote in zip(rows, shown, strict=True)
            if remote.is_selected or self._sees(row.owner)
        ]

    def lookup(self, keys: Sequence[str]) -> Mapping[str, Remote]:
        """Return the contacts created with these keys, deleted ones too (ENG-2).

        Raises:
            Retryable: the database is busy.
        """
        with reading(self._store) as conn:
            ids = lookup.find_by_sync_keys(conn, keys, deleted=True)
            shown = self._shown(conn, contacts.read(conn, list(ids.values())))
        return {remote.key: remote for remote in shown}

    # ------------------------------------------------------------------ writing

    def create(self, records: Sequence[NewRecord]) -> Sequence[Outcome]:
        """Create contacts with their accounts, in the group (CON-8, CON-9).

        A key that is known answers with its contact as it is, even a deleted one. A
        contact that the CRM refuses is answered with InvalidRecord (`ambiguous_account`
        if a person has to choose); the others are created.

        Raises:
            Retryable: the database is busy or the group is gone; nothing happened.
            OutcomeUnknown: the commit got no answer.
        """
        with self._writing() as conn:
            return in_parts(conn, records, partial(self._create, conn), refuse=refusal)

    def _create(self, conn: Connection, records: Sequence[NewRecord]) -> list[Outcome]:
        known = lookup.find_by_sync_keys(
            conn, [record.key for record in records], deleted=True
        )
        people = [self._new(conn, record) for record in records]
        rows = contacts.create_many(conn, people, by=self._author())
        fresh = [
            row.id
            for row, record in zip(rows, records, strict=True)
            if record.key not in known
        ]
        groups.add_members(conn, self._options.group_id, contact_ids=fresh)
        return [Outcome(remote) for remote in self._shown(conn, rows)]

    def _new(self, conn: Connection, record: NewRecord) -> NewContact:
        account: AccountRule | str = record.account or self._rule
        if record.account == "new":
            # A person wants an account of its own, although others have the name.
            name = record.values.get("company", "")
            made = accounts.create(conn, name, rule=self._rule, by=self._author())
            account = made.id
        return NewContact(
            record.values,
            account,
            sync_key=record.key or None,
            owner=self._options.account_owner,
        )

    def update(self, edits: Sequence[Edit]) -> Sequence[Outcome]:
        """Write fields of contacts, if they are as the plan saw them (ENG-3).

        A contact of another version with the very values that the plan saw is written;
        with other values it is answered with EtagMismatch and the contact as it is. A
        given company is left alone (CON-18), and so is the key, which is written only
        at creation. A deleted contact is answered with NotFound.

        Raises:
            Retryable: the database is busy or the group is gone; nothing happened.
            OutcomeUnknown: the commit got no answer.
        """
        with self._writing() as conn:
            return in_parts(conn, edits, partial(self._update, conn), refuse=refusal)

    def _update(self, conn: Connection, edits: Sequence[Edit]) -> list[Outcome]:
        ids = [edit.remote_id for edit in edits]
        rows = {row.id: row for row in contacts.read(conn, ids) if not row.deleted}
        ready = [
            ContactEdit(edit.remote_id, _written(edit), rows[edit.remote_id].version)
            for edit in edits
            if edit.remote_id in rows and self._is_as_seen(rows[edit.remote_id], edit)
        ]
        written = contacts.update_many(conn, ready, by=self._author())
        after = rows | {row.id: row for row in written}
        shown = {
            remote.remote_id: remote for remote in self._shown(conn, after.values())
        }
        done = {edit.contact_id for edit in ready}
        return [_updated(item, shown, done) for item in ids]

    def _is_as_seen(self, row: ContactRow, edit: Edit) -> bool:
        if edit.etag == str(row.version):
            return True
        return self._values(row) == {n: v for n, v in edit.seen.items() if v}

    def delete(
        self,
        remote_ids: Sequence[str],
        *,
        etags: Mapping[str, str] = NO_ETAGS,
        notifies: frozenset[str] = frozenset(),
    ) -> Sequence[Outcome]:
        """Delete contacts; one that is gone already counts as deleted.

        Raises:
            Retryable: the database is busy or the group is gone; nothing happened.
            OutcomeUnknown: the commit got no answer.
        """
        with self._writing() as conn:
            contacts.delete_many(conn, remote_ids, by=self._author())
        return [Outcome() for _ in remote_ids]

    def select(self, remote_ids: Sequence[str]) -> Sequence[Outcome]:
        """Put contacts in the group; one that is gone is answered with NotFound.

        Raises:
            Retryable: the database is busy or the group is gone; nothing happened.
            OutcomeUnknown: the commit got no answer.
        """
        with self._writing() as conn:
            rows = contacts.read(conn, list(dict.fromkeys(remote_ids)))
            live = {row.id for row in rows if not row.deleted}
            groups.add_members(conn, self._options.group_id, contact_ids=sorted(live))
        return [Outcome(error=None if item in live else _gone()) for item in remote_ids]

    def deselect(self, remote_ids: Sequence[str]) -> Sequence[Outcome]:
        """Take contacts out of the group; one that is gone is no error.

        Raises:
            Retryable: the database is busy or the group is gone; nothing happened.
            OutcomeUnknown: the commit got no answer.
        """
        with self._writing() as conn:
            groups.remove_members(conn, self._options.group_id, contact_ids=remote_ids)
        return [Outcome() for _ in remote_ids]

    # ------------------------------------------------------------------ helpers

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """Begin a unit of work in which nobody else writes to the CRM."""
        with writing(self._store) as conn:
            feed.lock(conn)
            if groups.get(conn, self._options.group_id) is None:
                # The next cycle finds it gone at its start, and pauses (CON-2).
                raise Retryable("The Contact Sync Group was deleted meanwhile.")
            yield conn

    def _author(self) -> Author:
        return Author(self._options.crm_user_id, self._clock.now())

    def _sees(self, owner: str) -> bool:
        return owner in {EVERYONE, self._options.crm_user_id}

    def _values(self, row: ContactRow) -> Values:
        mapped = self._options.fields
        return {n: row.values[n] for n in mapped if row.values.get(n)}

    def _shown(self, conn: Connection, rows: Iterable[ContactRow]) -> list[Remote]:
        """Return contacts as the cycle sees them, in order."""
        found = list(rows)
        members = groups.members_among(
            conn, self._options.group_id, contact_ids=[row.id for row in found]
        )
        return [self._remote(row, is_selected=row.id in members) for row in found]

    def _remote(self, row: ContactRow, *, is_selected: bool) -> Remote:
        return Remote(
            SideName.CRM,
            row.id,
            str(row.version),
            {} if row.deleted else self._values(row),
            key=row.sync_key or "",
            is_selected=is_selected and not row.deleted,
            is_gone=row.deleted,
            stamp=str(row.version).zfill(_STAMP_DIGITS),
            modified_at=row.modified_at,
        )


def _written(edit: Edit) -> dict[str, str]:
    """Return the fields to write, without the company (CON-18)."""
    return {name: value for name, value in edit.values.items() if name != "company"}


def _updated(item: str, shown: Mapping[str, Remote], done: set[str]) -> Outcome:
    if item not in shown:
        return Outcome(error=_gone())
    if item in done:
        return Outcome(shown[item])
    return Outcome(shown[item], EtagMismatch("The contact was changed in the CRM."))


def _gone() -> NotFound:
    return NotFound("The contact does not exist in the CRM any more.")


def _unknown(remote_id: str) -> Remote:
    return Remote(SideName.CRM, remote_id, is_selected=False, is_gone=True)
