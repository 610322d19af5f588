"""Ports of recording: a mailbox, the CRM's people and history, and a store of files.

The recording service sees nothing else of the outside, whether a label, a followed
thread or the add-on asks for a message to be recorded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from crmsync.engine.recording import Person, PersonKind
from crmsync.errors import CrmSyncError
from crmsync.records.mail import FileKind, Mail

LABEL_GONE = "label_gone"
"""Code of the error that says that a label is no more: the labels are read again."""

# ------------------------------------------------------------------ the mailbox


@dataclass(frozen=True, slots=True)
class Label:
    """A label of the user's."""

    label_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Profile:
    """Whose mailbox it is, and where its history stands.

    Attributes:
        addresses: the primary one first, then aliases and send-as addresses.
        history_id: where changes after now begin.
    """

    addresses: tuple[str, ...]
    history_id: str


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to a message: it came, or got labels.

    Attributes:
        labels: those it was given, or came with.
        is_new: it came into the mailbox.
    """

    message_id: str
    thread_id: str
    labels: frozenset[str]
    is_new: bool


@dataclass(frozen=True, slots=True)
class RawMessage:
    """A message as it is, bytes and all.

    Attributes:
        received_at: when Google took it in.
    """

    message_id: str
    thread_id: str
    labels: frozenset[str]
    received_at: datetime | None
    raw: bytes


class Mailbox(Protocol):
    """One user's mailbox.

    All calls may raise `Retryable`, `ReconnectNeeded`, `PermissionMissing` and
    `ProtocolBroken`.
    """

    @property
    def requests(self) -> int:
        """How many requests were made so far."""
        ...

    def profile(self) -> Profile:
        """Return whose mailbox it is, and where its history stands."""
        ...

    def history_id(self) -> str:
        """Return where the history stands now: one cheap request."""
        ...

    def labels(self) -> Sequence[Label]:
        """Return the user's labels."""
        ...

    def create_label(self, name: str, *, is_shown: bool = True) -> Label:
        """Create a label, or return the one that has the name in whatever case."""
        ...

    def changes(self, since: str) -> Iterator[tuple[Sequence[Change], str]]:
        """Yield what happened since a history id, page by page.

        The second value is where the history stands, on the last page; else "".

        Raises:
            CursorExpired: the history does not go back so far.
        """
        ...

    def labelled(self, label_id: str) -> Iterator[str]:
        """Yield the ids of all messages that carry a label now."""
        ...

    def in_thread(self, thread_id: str) -> Sequence[str]:
        """Return the ids of a thread's messages without drafts; none if it is gone."""
        ...

    def read(self, message_id: str) -> RawMessage | None:
        """Return a message whole, in one request; None if it is gone."""
        ...

    def relabel(
        self, message_id: str, *, add: Collection[str], remove: Collection[str]
    ) -> None:
        """Add and remove labels of a message in one step; a gone one is no error.

        Raises:
            InvalidRecord: with code `label_gone`, if a label is no more.
        """
        ...

    def watch(self, topic: str, label_ids: Sequence[str]) -> datetime:
        """Ask for push notifications; returns until when they come."""
        ...

    def stop(self) -> None:
        """Ask for no more notifications."""
        ...


# ------------------------------------------------------------------ the CRM


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a message whose bytes are in the store.

    Attributes:
        digest: by which the store has it.
        reason: why an `unread` one is kept as it came; else "".
    """

    digest: str
    name: str
    content_type: str
    size: int
    kind: FileKind
    content_id: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class NewMail:
    """A message to be recorded for one person.

    Attributes:
        key: the same one makes no second record (MAIL-7).
        person: whose record it becomes part of.
        is_sent: the user wrote it.
        thread_id: the mailbox's thread.
        sent_at: when it was written, else when it was taken in.
    """

    key: str
    person: tuple[PersonKind, str]
    mail: Mail
    is_sent: bool
    thread_id: str
    sent_at: datetime
    files: tuple[StoredFile, ...] = ()
    opportunity_id: str = ""
    ticket_id: str = ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A message in the CRM's history.

    Attributes:
        history_id: the history record.
        was_there: it had been recorded before, by whomever.
    """

    history_id: str
    was_there: bool = False


@dataclass(frozen=True, slots=True)
class Filed:
    """What became of one message: in the history, or an error."""

    recorded: Recorded | None = None
    error: CrmSyncError | None = None


class MailCrm(Protocol):
    """The CRM's people and their history, as one user sees them.

    All calls may raise `Retryable` and `OutcomeUnknown`; a repeat does no harm.
    """

    @property
    def requests(self) -> int:
        """How many requests were made so far."""
        ...

    def find(self, addresses: Collection[str]) -> Sequence[Person]:
        """Return the contacts and leads that have one of these folded addresses."""
        ...

    def record(self, mails: Sequence[NewMail]) -> Sequence[Filed]:
        """Record messages; one outcome each, in order.

        A known key answers with what is there; one that was taken back is there anew,
        for who labels a message again wants it recorded (MAIL-15).
        """
        ...

    def remove(self, history_id: str) -> None:
        """Take a recorded message back, with its attachments (MAIL-15)."""
        ...

    def move(self, history_id: str, target: tuple[str, str]) -> None:
        """Move a recorded message, with its attachments (MAIL-15).

        Args:
            history_id: of the record.
            target: `contact`, `lead`, `opportunity` or `ticket`, and its id.
        """
        ...


# ------------------------------------------------------------------ files


class FileStore(Protocol):
    """Bytes by their SHA-256: equal ones are kept once (MAIL-14)."""

    def put(self, digest: str, data: bytes) -> bool:
        """Keep bytes; returns whether they were new.

        Raises:
            Retryable: the store is down or full.
        """
        ...

    def get(self, digest: str) -> bytes:
        """Return bytes.

        Raises:
            NotFound: if there are none.
            Retryable: the store is down.
        """
        ...

    def missing(self, digests: Collection[str]) -> Mapping[str, bool]:
        """Return for each digest whether the store lacks it."""
        ...
