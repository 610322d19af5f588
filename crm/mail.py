"""Recorded e-mail: into somebody's history once, out of it, and elsewhere (MAIL-7).

A message is part of the history of exactly one contact or lead, and may be filed under
an opportunity or ticket. Its attachments hang on the history record, so they go
wherever it goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, select

from crm import contacts, feed
from crm.activityfields import LIMITS
from crm.common import NOBODY, Author, new_id
from crm.deals import OPPORTUNITIES, TICKETS
from crm.errors import BadValue, NotFound
from crm.history import EMAIL, is_visible
from crm.leads import LEADS
from crm.tables import Attachment, HistoryEntry, MailEntry
from crm.tidy import cut

CONTACT, LEAD = "contact", "lead"


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file of a message; its bytes are in the store already, if it has a digest."""

    name: str
    content_type: str
    size: int
    digest: str
    kind: str
    content_id: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class NewMail:
    """A message to record.

    Attributes:
        sync_key: the same one makes no second record.
        person: `contact` or `lead`, and its id.
        to, cc, bcc: correspondents as they are shown.
        html: made safe already.
    """

    sync_key: str
    person: tuple[str, str]
    message_id: str
    thread_id: str
    is_sent: bool
    subject: str
    sender: str
    sent_at: datetime
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    text: str = ""
    html: str = ""
    files: tuple[NewFile, ...] = ()
    opportunity_id: str = ""
    ticket_id: str = ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A message in the history, and whether it had been there before."""

    history_id: str
    was_there: bool


def record(conn: Connection, mail: NewMail, *, by: Author = NOBODY) -> Recorded:
    """Record a message; a known key answers with what is there.

    One that was taken back is put back where it is wanted now: somebody asked for it
    again.

    Raises:
        NotFound: if the person, opportunity or ticket does not exist.
    """
    feed.lock(conn)
    known = conn.execute(
        select(MailEntry.history_id, HistoryEntry.removed_at)
        .join(HistoryEntry, HistoryEntry.id == MailEntry.history_id)
        .where(MailEntry.sync_key == mail.sync_key)
    ).first()
    if known is not None and known.removed_at is None:
        return Recorded(known.history_id, was_there=True)
    place = _person(conn, mail.person, by) | _filed(conn, mail, by)
    if known is not None:
        _change(conn, known.history_id, {**place, "removed_at": None})
        return Recorded(known.history_id, was_there=False)
    history_id = new_id("H")
    conn.execute(
        sa.insert(HistoryEntry).values(**_entry(mail, by), **place, id=history_id)
    )
    conn.execute(sa.insert(MailEntry).values(**_mail(mail, by), history_id=history_id))
    if mail.files:
        conn.execute(sa.insert(Attachment), _files(mail, history_id, by))
    return Recorded(history_id, was_there=False)


def remove(
    conn: Connection, history_id: str, *, viewer: str | None = None, by: Author = NOBODY
) -> bool:
    """Take a recorded message back, with its attachments; its key remembers it.

    Returns:
        Whether it was there still.

    Raises:
        NotFound: if there is none, or it is not the viewer's to see.
    """
    feed.lock(conn)
    if _require(conn, history_id, viewer).removed_at is not None:
        return False
    _change(conn, history_id, {"removed_at": by.now()})
    return True


def move(
    conn: Connection,
    history_id: str,
    target: tuple[str, str],
    *,
    viewer: str | None = None,
    by: Author = NOBODY,
) -> None:
    """Give a recorded message to another contact or lead, or file it elsewhere.

    Raises:
        NotFound: if it or the target does not exist, or is not the viewer's to see.
        BadValue: if messages cannot be moved to such a thing.
    """
    feed.lock(conn)
    if _require(conn, history_id, viewer).removed_at is not None:
        raise NotFound(f"there is no recorded message {history_id}")
    who = Author(viewer or "", by.at)
    kind, target_id = target
    if kind in {CONTACT, LEAD}:
        place = _person(conn, target, who)
    elif kind == OPPORTUNITIES.noun:
        OPPORTUNITIES.get(conn, target_id, viewer=viewer)
        place = {"opportunity_id": target_id, "ticket_id": None}
    elif kind == TICKETS.noun:
        TICKETS.get(conn, target_id, viewer=viewer)
        place = {"opportunity_id": None, "ticket_id": target_id}
    else:
        raise BadValue("target", "is no contact, lead, opportunity or ticket")
    _change(conn, history_id, place)


# ------------------------------------------------------------------ helpers


def _require(conn: Connection, history_id: str, viewer: str | None) -> Any:
    mine = [HistoryEntry.id == history_id, HistoryEntry.type == EMAIL]
    if viewer is not None:
        mine.append(is_visible(viewer))
    found = conn.execute(select(HistoryEntry.removed_at).where(*mine)).first()
    if found is None:
        raise NotFound(f"there is no recorded message {history_id}")
    return found


def _person(conn: Connection, person: tuple[str, str], by: Author) -> dict[str, Any]:
    """Return the columns that say whose a message is."""
    kind, person_id = person
    viewer = by.user_id or None
    if kind == LEAD:
        LEADS.get(conn, person_id, viewer=viewer)
        return {"contact_id": None, "account_id": None, "lead_id": person_id}
    found = contacts.read(conn, [person_id], viewer=viewer)
    if not found or found[0].deleted:
        raise NotFound(f"there is no contact {person_id}")
    account_id = found[0].account_id
    return {"contact_id": person_id, "account_id": account_id, "lead_id": None}


def _filed(conn: Connection, mail: NewMail, by: Author) -> dict[str, Any]:
    viewer = by.user_id or None
    if mail.opportunity_id:
        OPPORTUNITIES.get(conn, mail.opportunity_id, viewer=viewer)
    if mail.ticket_id:
        TICKETS.get(conn, mail.ticket_id, viewer=viewer)
    return {
        "opportunity_id": mail.opportunity_id or None,
        "ticket_id": mail.ticket_id or None,
    }


def _change(conn: Connection, history_id: str, values: Mapping[str, Any]) -> None:
    mine = HistoryEntry.id == history_id
    conn.execute(sa.update(HistoryEntry).where(mine).values(**values))


def _entry(mail: NewMail, by: Author) -> dict[str, Any]:
    return {
        "type": EMAIL,
        "user_id": by.user_id,
        "subject": cut(mail.subject, LIMITS["subject"]),
        "start_at": mail.sent_at,
        "is_timeless": False,
        "duration": 0,
        "completed_at": mail.sent_at,
        "completed_by": by.user_id,
    }


def _mail(mail: NewMail, by: Author) -> dict[str, Any]:
    return {
        "sync_key": mail.sync_key,
        "message_id": mail.message_id,
        "thread_id": mail.thread_id,
        "is_sent": mail.is_sent,
        "subject": mail.subject,
        "sender": mail.sender,
        "to": "\n".join(mail.to),
        "cc": "\n".join(mail.cc),
        "bcc": "\n".join(mail.bcc),
        "sent_at": mail.sent_at,
        "text": mail.text,
        "html": mail.html,
        "recorded_at": by.now(),
        "recorded_by": by.user_id,
    }


def _files(mail: NewMail, history_id: str, by: Author) -> list[dict[str, Any]]:
    return [
        {
            "id": new_id("F"),
            "history_id": history_id,
            "place": place,
            "name": file.name,
            "content_type": file.content_type,
            "size": file.size,
            "digest": file.digest,
            "kind": file.kind,
            "content_id": file.content_id,
            "reason": file.reason,
            "added_at": by.now(),
            "added_by": by.user_id,
        }
        for place, file in enumerate(mail.files)
    ]
