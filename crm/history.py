"""The history of contacts and leads: what was done, and e-mail that was recorded.

It is seen by those who see the contact or lead (WEB-3).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, exists, func, or_, select

from crm.common import chunks, visible
from crm.errors import NotFound
from crm.listing import Place, leaf
from crm.tables import (
    Attachment,
    Contact,
    HistoryEntry,
    Lead,
    MailEntry,
)

EMAIL = "email"
PICTURE = "picture"
"""Kind of a file that belongs to a message's body and is no attachment (MAIL-14)."""

_OWNERS: Mapping[str, Any] = {
    "contact": HistoryEntry.contact_id,
    "lead": HistoryEntry.lead_id,
    "account": HistoryEntry.account_id,
    "opportunity": HistoryEntry.opportunity_id,
    "ticket": HistoryEntry.ticket_id,
}
_SHOWN = HistoryEntry.removed_at.is_(None)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a history.

    Attributes:
        at: when it was completed, or the message written.
        is_sent: whether a message was sent or received; None of what is no message.
        correspondents: of a message, whom it came from or went to.
        files: how many attachments it has.
    """

    id: str
    type: str
    subject: str
    at: datetime
    user_id: str
    notes: str
    is_sent: bool | None
    correspondents: str
    files: int
    place: Place


@dataclass(frozen=True, slots=True)
class File:
    """A file of a history record; without a digest it was not stored."""

    id: str
    history_id: str
    name: str
    content_type: str
    size: int
    digest: str
    kind: str
    content_id: str
    reason: str
    added_at: datetime
    added_by: str
    subject: str = ""

    @property
    def is_listed(self) -> bool:
        """Whether people see it as an attachment (MAIL-14)."""
        return self.kind != PICTURE


@dataclass(frozen=True, slots=True)
class MailRow:
    """A recorded message whole.

    Attributes:
        contact_id, lead_id: whose it is; one of them is "".
        is_removed: it was taken back.
    """

    history_id: str
    sync_key: str
    message_id: str
    thread_id: str
    is_sent: bool
    subject: str
    sender: str
    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    sent_at: datetime
    text: str
    html: str
    recorded_at: datetime
    recorded_by: str
    contact_id: str
    lead_id: str
    opportunity_id: str
    ticket_id: str
    is_removed: bool
    files: tuple[File, ...] = ()


def is_visible(viewer: str) -> ColumnElement[bool]:
    """Return the condition that a user sees a history record's contact or lead."""
    return or_(
        exists().where(
            Contact.id == HistoryEntry.contact_id,
            Contact.deleted_at.is_(None),
            *visible(Contact.owner, viewer),
        ),
        exists().where(
            Lead.id == HistoryEntry.lead_id,
            Lead.deleted_at.is_(None),
            *visible(_lead_owner(), viewer),
        ),
    )


def _lead_owner() -> Any:
    return Lead.owner


def counts(
    conn: Connection, kind: str, ids: Collection[str]
) -> dict[str, tuple[int, datetime]]:
    """Return how many history records persons have, of all users, and the latest date.

    Those without any are not there. One read of an index (MAIL-4).

    Args:
        conn: a connection.
        kind: `contact` or `lead`.
        ids: theirs.
    """
    owner, found = _OWNERS[kind], dict[str, tuple[int, datetime]]()
    for part in chunks(sorted(ids)):
        statement = (
            select(owner, func.count(), func.max(HistoryEntry.completed_at))
            .where(owner.in_(part), _SHOWN)
            .group_by(owner)
        )
        found |= {key: (n, latest) for key, n, latest in conn.execute(statement)}
    return found


def entries(
    conn: Connection,
    of: tuple[str, str],
    *,
    viewer: str,
    place: Place | None = None,
    backwards: bool = False,
    limit: int = 50,
) -> list[Entry]:
    """Return the history of a record, the newest first, behind a place or before it.

    Args:
        conn: a connection.
        of: `contact`, `lead`, `account`, `opportunity` or `ticket`, and its id.
        viewer: who looks; what is filed under a deal is seen with its person only.
        place: of an entry that was seen.
        backwards: what is before it.
        limit: at most so many.
    """
    kind, owner_id = of
    key = HistoryEntry.completed_at
    statement = _entry_select().where(
        _OWNERS[kind] == owner_id, _SHOWN, is_visible(viewer)
    )
    bound = None
    if place is not None:
        bound = (datetime.fromisoformat(str(place[0])), place[1])
    rows = leaf(
        conn,
        statement,
        (key, HistoryEntry.id),
        bound,  # type: ignore[arg-type]  # a time is compared as one
        falls=not backwards,
        limit=limit,
    )
    found = [_entry(row) for row in rows]
    return found[::-1] if backwards else found


def _entry_select() -> Any:
    files = (
        select(func.count())
        .where(Attachment.history_id == HistoryEntry.id, Attachment.kind != PICTURE)
        .scalar_subquery()
    )
    statement: Any = select(
        HistoryEntry.id,
        HistoryEntry.type,
        HistoryEntry.subject,
        HistoryEntry.completed_at,
        HistoryEntry.user_id,
        HistoryEntry.notes,
        MailEntry.subject.label("mail_subject"),
        MailEntry.is_sent,
        MailEntry.sender,
        MailEntry.to,
        files.label("files"),
    ).outerjoin(MailEntry, MailEntry.history_id == HistoryEntry.id)
    return statement


def _entry(row: Any) -> Entry:
    others = row.to.replace("\n", ", ") if row.is_sent else row.sender
    return Entry(
        row.id,
        row.type,
        row.subject if row.mail_subject is None else row.mail_subject,
        row.completed_at,
        row.user_id,
        row.notes,
        row.is_sent,
        others or "",
        row.files,
        (row.completed_at.isoformat(), row.id),
    )


# ------------------------------------------------------------------ one message


def mail(conn: Connection, history_id: str, *, viewer: str | None = None) -> MailRow:
    """Return a recorded message with all its files, also one that was taken back.

    Raises:
        NotFound: if there is none, or it is not the viewer's to see.
    """
    mine = [HistoryEntry.id == history_id]
    if viewer is not None:
        mine.append(is_visible(viewer))
    statement = (
        select(*MailEntry.__table__.c, *_ABOUT)
        .join(HistoryEntry, HistoryEntry.id == MailEntry.history_id)
        .where(*mine)
    )
    row = conn.execute(statement).first()
    if row is None:
        raise NotFound(f"there is no recorded message {history_id}")
    return _mail(row, _files_of(conn, history_id))


_ABOUT = (
    HistoryEntry.contact_id,
    HistoryEntry.lead_id,
    HistoryEntry.opportunity_id,
    HistoryEntry.ticket_id,
    HistoryEntry.removed_at,
)


def _mail(row: Any, files: tuple[File, ...]) -> MailRow:
    return MailRow(
        row.history_id,
        row.sync_key,
        row.message_id,
        row.thread_id,
        row.is_sent,
        row.subject,
        row.sender,
        tuple(row.to.splitlines()),
        tuple(row.cc.splitlines()),
        tuple(row.bcc.splitlines()),
        row.sent_at,
        row.text,
        row.html,
        row.recorded_at,
        row.recorded_by,
        row.contact_id or "",
        row.lead_id or "",
        row.opportunity_id or "",
        row.ticket_id or "",
        is_removed=row.removed_at is not None,
        files=files,
    )


# ------------------------------------------------------------------ files


_FILE = (
    Attachment.id,
    Attachment.history_id,
    Attachment.name,
    Attachment.content_type,
    Attachment.size,
    Attachment.digest,
    Attachment.kind,
    Attachment.content_id,
    Attachment.reason,
    Attachment.added_at,
    Attachment.added_by,
)


def _files_of(conn: Connection, history_id: str) -> tuple[File, ...]:
    statement = (
        select(*_FILE)
        .where(Attachment.history_id == history_id)
        .order_by(Attachment.place)
    )
    return tuple(File(*row) for row in conn.execute(statement))


def attachments(
    conn: Connection, of: tuple[str, str], *, viewer: str, limit: int = 500
) -> list[File]:
    """Return the attachments of a record's history, the newest first; no pictures."""
    kind, owner_id = of
    statement = (
        select(*_FILE, MailEntry.subject)
        .join(HistoryEntry, HistoryEntry.id == Attachment.history_id)
        .join(MailEntry, MailEntry.history_id == Attachment.history_id)
        .where(_OWNERS[kind] == owner_id, _SHOWN, is_visible(viewer))
        .where(Attachment.kind != PICTURE)
        .order_by(HistoryEntry.completed_at.desc(), Attachment.history_id)
        .order_by(Attachment.place)
        .limit(limit)
    )
    return [File(*row) for row in conn.execute(statement)]


def file(conn: Connection, file_id: str, *, viewer: str) -> File:
    """Return a file of a message that was not taken back.

    Raises:
        NotFound: if there is none, or it is not the viewer's to see.
    """
    statement = (
        select(*_FILE)
        .join(HistoryEntry, HistoryEntry.id == Attachment.history_id)
        .where(Attachment.id == file_id, _SHOWN, is_visible(viewer))
    )
    row = conn.execute(statement).first()
    if row is None:
        raise NotFound(f"there is no file {file_id}")
    return File(*row)


def move_contact(conn: Connection, lose_id: str, *, keep_id: str) -> None:
    """Give a contact's history to another one, into which it was merged."""
    conn.execute(
        sa.update(HistoryEntry)
        .where(HistoryEntry.contact_id == lose_id)
        .values(contact_id=keep_id)
    )
