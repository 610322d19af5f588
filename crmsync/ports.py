"""Ports: what the cycle needs from the outside, as Protocols and value types.

The cycle sees nothing but this module and what lies below it. Adapters live in
`connectors/` (sides) and `storage/` (state); tests use in-memory ones that pass the
same contract suites.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from crmsync.engine.guard import Allowance
from crmsync.engine.plan import Action, Item, ItemState
from crmsync.errors import CrmSyncError
from crmsync.records.remote import Link, Remote
from crmsync.records.values import SideName, Values

NO_ETAGS: Mapping[str, str] = {}


class Clock(Protocol):
    """Where "now" comes from."""

    def now(self) -> datetime:
        """Return the aware UTC time."""
        ...


class Ids(Protocol):
    """Where identifiers come from."""

    def new(self) -> str:
        """Return an identifier that was never returned before."""
        ...


# ------------------------------------------------------------------ sides


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a collection.

    Attributes:
        records: changes (incremental) or all records (full); gone ones are flagged.
        cursor: where the next incremental read starts; only on the last page.
    """

    records: tuple[Remote, ...]
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """What a side found when it was opened.

    Attributes:
        memo: what the side wants to be given next time (names, check times).
        was_restored: the label had been deleted and was made again (CON-3): no
            linked record counts as unselected.
    """

    memo: Mapping[str, str] = field(default_factory=dict)
    was_restored: bool = False


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record to create, selected from the start.

    Attributes:
        key: our key; a repeated create with the same key makes no second record
            where the side can see to it.
        values: the mapped fields.
        account: the CRM account that a person chose, or "" (CON-9); of an occurrence,
            the id of its series on this side.
        notifies: whether Google may tell the guests of it (CAL-20).
    """

    key: str
    values: Values
    account: str = ""
    notifies: bool = False


@dataclass(frozen=True, slots=True)
class Edit:
    """Fields to write on one record.

    Attributes:
        etag: the version that the plan was made from.
        seen: the values that the plan was made from; a side that finds other
            values there answers EtagMismatch.
        values: the fields to write.
        base: the mapped fields as last agreed on (lists are read with it).
        key: our key, to be written along where it is missing, or "".
        notifies: whether Google may tell the guests of it (CAL-20).
    """

    remote_id: str
    etag: str
    seen: Values
    values: Values
    base: Values
    key: str = ""
    notifies: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one write of a batch: the record as it is now, or an error.

    `OutcomeUnknown` as the error says that nobody knows whether it happened.
    """

    remote: Remote | None = None
    error: CrmSyncError | None = None


class Side(Protocol):
    """A collection as the cycle sees it.

    All calls may raise `Retryable` (nothing of the call happened, or only what its
    outcomes say), `OutcomeUnknown` (a write left us, no answer came),
    `ReconnectNeeded`, `PermissionMissing` and `ProtocolBroken`.
    """

    @property
    def name(self) -> SideName:
        """Which side this is."""
        ...

    @property
    def batch_size(self) -> int:
        """How many records one write call takes."""
        ...

    @property
    def requests(self) -> int:
        """How many requests were made to the provider so far."""
        ...

    @property
    def skew(self) -> timedelta:
        """How far the provider's clock is ahead of ours, as last seen."""
        ...

    def open(self, memo: Mapping[str, str], *, verify: bool, may_write: bool) -> Opened:
        """Make sure that the collection is there.

        Args:
            memo: what `Opened.memo` said last time.
            verify: look now, even if the last look is recent.
            may_write: whether a missing label may be made (not in a dry run).

        Raises:
            CollectionGone: if the Contact Sync Group is deleted or unreadable.
        """
        ...

    def read(self, cursor: str | None) -> Iterator[Page]:
        """Read all records, or the changes since a cursor, page by page.

        Raises:
            CursorExpired: if the cursor is too old; read again without one.
        """
        ...

    def fetch(self, remote_ids: Sequence[str]) -> Mapping[str, Remote]:
        """Read records as they are at this moment; each id is answered.

        A record that does not exist is answered as gone.
        """
        ...

    def project(self, remote: Remote, base: Values | None) -> Values:
        """Return a record's mapped fields, its lists read with a base (CON-16)."""
        ...

    def create(self, records: Sequence[NewRecord]) -> Sequence[Outcome]:
        """Create records, selected; one outcome each, in order.

        A record whose key is known already is answered as it is, even if deleted.
        """
        ...

    def update(self, edits: Sequence[Edit]) -> Sequence[Outcome]:
        """Write fields of records; one outcome each, in order."""
        ...

    def delete(
        self,
        remote_ids: Sequence[str],
        *,
        etags: Mapping[str, str] = NO_ETAGS,
        notifies: frozenset[str] = frozenset(),
    ) -> Sequence[Outcome]:
        """Delete records; one that is gone already counts as deleted.

        Args:
            remote_ids: which.
            etags: the versions that were looked at; a side that can see to it answers
                EtagMismatch, with the record, if there is another one.
            notifies: those of whose end Google may tell the guests (CAL-20).
        """
        ...

    def select(self, remote_ids: Sequence[str]) -> Sequence[Outcome]:
        """Put records in the label, or in the Contact Sync Group."""
        ...

    def deselect(self, remote_ids: Sequence[str]) -> Sequence[Outcome]:
        """Take records out of the label or group; one that is gone is no error."""
        ...


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for in the CRM: any of these matches.

    Attributes:
        addresses: e-mail addresses in canonical form.
        names: folded (first, last) names.
        origins: ids of Google records that a key names.
    """

    addresses: frozenset[str] = frozenset()
    names: frozenset[tuple[str, str]] = frozenset()
    origins: frozenset[str] = frozenset()


class CrmSide(Side, Protocol):
    """The CRM's side: it can be searched, Google's cannot (its directory is ours)."""

    @property
    def limits(self) -> Mapping[str, int]:
        """Characters the CRM takes per field."""
        ...

    def find(self, query: Query) -> Sequence[Remote]:
        """Return live records that share any part of the query, selected or not."""
        ...

    def lookup(self, keys: Sequence[str]) -> Mapping[str, Remote]:
        """Return the records that carry one of these keys, by key.

        Deleted ones too, as far as the CRM remembers them: what somebody deleted
        before we knew that it was made must not be made again.
        """
        ...


# ------------------------------------------------------------------ state


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """What we keep of each Google contact, selected or not: hashed match keys.

    Attributes:
        remote_id: the contact.
        is_selected: in the label.
        match_keys: addresses and weak keys; the state stores hashes only.
        key: our key inside the contact, or "".
        is_parted: its link ended and the feed has not shown that yet: a feed that
            still shows it labelled may be late.
        stamp: the version it was taken from; an older one is a late listing.
    """

    remote_id: str
    is_selected: bool
    match_keys: tuple[str, ...]
    key: str = ""
    is_parted: bool = False
    stamp: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """A link with what was read of it and not dealt with yet."""

    link: Link
    crm: Remote | None
    google: Remote | None


@dataclass(frozen=True, slots=True)
class Postponed:
    """A record to be tried again later (ENG-8)."""

    side: SideName
    remote_id: str
    tries: int
    not_before: datetime


class ChoiceKind(StrEnum):
    """What a person decided about a held record."""

    LINK = "link"
    NEW = "new"
    IGNORE = "ignore"
    ALONE = "alone"
    """Make an event without guests for it: somebody else organises the original."""
    OVER = "over"
    """Leave this event for its successor (CAL-25)."""


@dataclass(frozen=True, slots=True)
class PersonsChoice:
    """A person's decision about one record.

    Attributes:
        target: the record to link to, or the account of a new contact.
    """

    side: SideName
    remote_id: str
    kind: ChoiceKind
    target: str = ""


@dataclass(frozen=True, slots=True)
class Unit:
    """A set of changes to the state that is stored whole or not at all.

    Attributes:
        stage: records read and not dealt with yet; replaces older ones.
        unstage: records that are dealt with.
        seen: records that a full read showed.
        directory: entries of the Google directory to store.
        forget: Google records to drop from the directory.
        cursors, memos: per side.
        links: to insert or replace, by `link_id`.
        unlink: link ids to delete.
        items: to insert or replace, by `item_id`.
        drop_items: item ids to delete (a plan that is made anew).
        resolved: records whose open held item is settled by this unit.
        postponed: records to try again later.
        choices_done: choices of persons that were carried out.
        choices: what is decided for good about records (CAL-8, CAL-11, CAL-14).
    """

    stage: tuple[Remote, ...] = ()
    unstage: tuple[tuple[SideName, str], ...] = ()
    seen: tuple[tuple[SideName, str], ...] = ()
    directory: tuple[DirectoryEntry, ...] = ()
    forget: tuple[str, ...] = ()
    cursors: Mapping[SideName, str | None] = field(default_factory=dict)
    memos: Mapping[SideName, Mapping[str, str]] = field(default_factory=dict)
    links: tuple[Link, ...] = ()
    unlink: tuple[str, ...] = ()
    items: tuple[Item, ...] = ()
    drop_items: tuple[str, ...] = ()
    resolved: tuple[tuple[SideName, str], ...] = ()
    postponed: tuple[Postponed, ...] = ()
    choices_done: tuple[tuple[SideName, str], ...] = ()
    choices: tuple[PersonsChoice, ...] = ()


class SyncState(Protocol):
    """Our own state of one pair, during one cycle, under one lease.

    Each method is one transaction. `commit` raises `LeaseLost` if another worker has
    taken the pair over.
    """

    def renew(self) -> None:
        """Prolong the lease.

        Raises:
            LeaseLost: if another worker has taken the pair over.
        """
        ...

    def commit(self, unit: Unit) -> None:
        """Store a unit, whole or not at all."""
        ...

    def cursor(self, side: SideName) -> str | None:
        """Return where the next incremental read starts."""
        ...

    def memo(self, side: SideName) -> Mapping[str, str]:
        """Return what the side wanted to be given."""
        ...

    def start_full_read(self, side: SideName) -> None:
        """Forget which records the last full read showed."""
        ...

    def absent(self, side: SideName, after: str, limit: int) -> Sequence[str]:
        """Return linked, staged or listed records that the full read did not show."""
        ...

    def link_count(self) -> int:
        """Return the number of links."""
        ...

    def links_by(self, side: SideName, ids: Sequence[str]) -> Mapping[str, Link]:
        """Return links by the remote id on one side."""
        ...

    def links(self, after: str, limit: int) -> Sequence[Link]:
        """Return links in the order of their ids."""
        ...

    def subjects(self, after: str, limit: int) -> Sequence[Subject]:
        """Return links with news or unsettled sends, by link id.

        A link that was put off is left out, unless one of its records has news: then
        both are returned, or what waits on the other side would be overwritten.
        """
        ...

    def unlinked(self, side: SideName, after: str, limit: int) -> Sequence[Remote]:
        """Return staged, selected, due records without a link, by remote id."""
        ...

    def staged(self, side: SideName, ids: Sequence[str]) -> Mapping[str, Remote]:
        """Return staged records by id."""
        ...

    def tries(self, side: SideName, ids: Sequence[str]) -> Mapping[str, int]:
        """Return how often records were tried in vain."""
        ...

    def directory_find(self, match_keys: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return unlinked Google records per match key."""
        ...

    def directory_keys(self, keys: Sequence[str]) -> Mapping[str, str]:
        """Return the Google record that carries each of our keys."""
        ...

    def directory(self, ids: Sequence[str]) -> Mapping[str, DirectoryEntry]:
        """Return what we keep of Google records; their match keys are left out."""
        ...

    def items(
        self,
        states: Sequence[ItemState],
        actions: Sequence[Action],
        after: str,
        limit: int,
    ) -> Sequence[Item]:
        """Return items of the running cycle in the order of their ids.

        Their `changes` need not be loaded. Such an item is stored by `commit` as its
        row says, with a new state; as `sent` it may differ in `sent_at` only.
        """
        ...

    def planned(self, side: SideName, ids: Sequence[str]) -> frozenset[str]:
        """Return which of these records have a planned item in the running cycle."""
        ...

    def unsettled(self) -> Sequence[Item]:
        """Return items that were sent and have no outcome yet."""
        ...

    def held(self, side: SideName, ids: Sequence[str]) -> Mapping[str, Item]:
        """Return the open held items of this and earlier cycles, by record."""
        ...

    def shared(self, google_ids: Sequence[str]) -> frozenset[str]:
        """Return Google records that another pair of the same account links, too."""
        ...

    def children(self, crm_ids: Sequence[str]) -> Sequence[Link]:
        """Return the links of occurrences whose series is one of these."""
        ...

    def turned(self, after: str, limit: int) -> Sequence[Link]:
        """Return links whose event is to be left for its successor, by link id."""
        ...

    def elsewhere(self, crm_ids: Sequence[str]) -> Mapping[str, frozenset[str]]:
        """Return the roles in which other users' links hold CRM records (CAL-25)."""
        ...

    def choices(
        self, side: SideName, ids: Sequence[str]
    ) -> Mapping[str, PersonsChoice]:
        """Return what persons decided about records."""
        ...

    def allowance(self) -> Allowance | None:
        """Return what a person accepted for this cycle, or None."""
        ...
