"""The built-in CRM's people and their history, into which e-mail is recorded."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from crm import contacts, history, leads, lookup, mail
from crm.common import Author
from crm.errors import BadValue
from crm.errors import NotFound as NotInCrm
from crm.leads import LEADS
from crm.rows import shown_name
from crmsync.connectors.builtin.faults import Store, reading, writing
from crmsync.engine.recording import Person, PersonKind
from crmsync.errors import InvalidRecord, NotFound
from crmsync.mailports import Filed, NewMail, Recorded
from crmsync.ports import Clock
from crmsync.records.mail import Address

_Found = Mapping[str, Sequence[str]]
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_PERSON_GONE = "person_gone"


class BuiltinMail:
    """Contacts, leads and their history, as one user sees them (MailCrm)."""

    requests = 0
    """Nothing leaves the machine (interfaces.md)."""

    def __init__(self, store: Store, crm_user_id: str, *, clock: Clock) -> None:
        """Build it; nothing is read yet.

        Args:
            store: the database that holds the CRM's tables.
            crm_user_id: who looks and records.
            clock: dates what is written.
        """
        self._store = store
        self._user = crm_user_id
        self._clock = clock

    def find(self, addresses: Collection[str]) -> Sequence[Person]:
        """Return the contacts and leads that have one of these folded addresses."""
        with reading(self._store) as conn:
            viewer = self._user
            known = lookup.find_by_addresses(conn, addresses, viewer=viewer)
            new = leads.find_by_addresses(conn, addresses, viewer=viewer)
            return [
                *_persons(conn, PersonKind.CONTACT, known, _contacts(conn, known)),
                *_persons(conn, PersonKind.LEAD, new, _leads(conn, new)),
            ]

    def record(self, mails: Sequence[NewMail]) -> Sequence[Filed]:
        """Record messages; one outcome each, in order."""
        by = self._author()
        with writing(self._store) as conn:
            return [_filed(conn, item, by) for item in mails]

    def remove(self, history_id: str) -> None:
        """Take a recorded message back, with its attachments (MAIL-15).

        Raises:
            NotFound: if there is none that the user sees.
        """
        with writing(self._store) as conn:
            try:
                mail.remove(conn, history_id, viewer=self._user, by=self._author())
            except NotInCrm:
                raise NotFound("The message is not in the CRM's history.") from None

    def move(self, history_id: str, target: tuple[str, str]) -> None:
        """Move a recorded message, with its attachments (MAIL-15).

        Raises:
            NotFound: if there is no such message, or no such target, that the user
                sees.
            InvalidRecord: if messages cannot be moved to such a thing.
        """
        by = self._author()
        with writing(self._store) as conn:
            try:
                mail.move(conn, history_id, target, viewer=self._user, by=by)
            except NotInCrm as error:
                raise NotFound(_sentence(error)) from None
            except BadValue as error:
                raise InvalidRecord(_sentence(error)) from None

    def _author(self) -> Author:
        return Author(self._user, self._clock.now())


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


# ------------------------------------------------------------------ people


def _persons(
    conn: Connection,
    kind: PersonKind,
    found: _Found,
    shown: Mapping[str, tuple[str, str]],
) -> Iterable[Person]:
    done = history.counts(conn, kind.value, shown)
    nothing: tuple[int, datetime | None] = (0, None)
    for address, ids in found.items():
        for person_id in ids:
            count, latest = done.get(person_id, nothing)
            name, company = shown[person_id]
            yield Person(kind, person_id, name, company, address, count, latest)


def _contacts(conn: Connection, found: _Found) -> dict[str, tuple[str, str]]:
    ids = _once(found)
    return {row.id: _called(row.values) for row in contacts.read(conn, ids)}


def _leads(conn: Connection, found: _Found) -> dict[str, tuple[str, str]]:
    return {row.id: _called(row.values) for row in LEADS.read(conn, _once(found))}


def _once(found: _Found) -> list[str]:
    return sorted({person_id for ids in found.values() for person_id in ids})


def _called(values: Mapping[str, str]) -> tuple[str, str]:
    """Return somebody's name, and their company."""
    return shown_name(values), values["company"]


# ------------------------------------------------------------------ messages


def _filed(conn: Connection, item: NewMail, by: Author) -> Filed:
    try:
        done = mail.record(conn, _new_mail(item), by=by)
    except NotInCrm as error:
        gone = InvalidRecord(
            f"The CRM refuses the message: {error}.", code=_PERSON_GONE
        )
        gone.next_step = "It is tried again by itself, with whoever has the address."
        return Filed(error=gone)
    return Filed(Recorded(done.history_id, was_there=done.was_there))


def _new_mail(item: NewMail) -> mail.NewMail:
    message = item.mail
    kind, person_id = item.person
    return mail.NewMail(
        item.key,
        (kind.value, person_id),
        message_id=_text(message.message_id),
        thread_id=_text(item.thread_id),
        is_sent=item.is_sent,
        subject=_text(message.subject),
        sender=_text(str(message.sender or "")),
        sent_at=item.sent_at,
        to=_lines(message.to),
        cc=_lines(message.cc),
        bcc=_lines(message.bcc),
        text=_text(message.text),
        html=_text(message.html),
        files=tuple(
            mail.NewFile(
                _text(file.name),
                _text(file.content_type),
                file.size,
                file.digest,
                file.kind.value,
                _text(file.content_id),
                file.reason,
            )
            for file in item.files
        ),
        opportunity_id=item.opportunity_id,
        ticket_id=item.ticket_id,
    )


def _lines(addresses: Sequence[Address]) -> tuple[str, ...]:
    return tuple(" ".join(_text(str(address)).split()) for address in addresses)


def _text(text: str) -> str:
    """Return a text that every database takes."""
    return _UNSTORABLE.sub("\ufffd", text)
