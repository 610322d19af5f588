"""E-mail as it is recorded: the neutral form of one message (MAIL-7, MAIL-8)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Address:
    """One correspondent.

    Attributes:
        email: as written; compare by `key`.
        name: the display name, or "".
    """

    email: str
    name: str = ""

    @property
    def key(self) -> str:
        """The address for comparing."""
        return self.email.casefold()

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>" if self.name else self.email


class FileKind(StrEnum):
    """What a file of a message is.

    An `attachment` was attached by the sender, a `picture` belongs to the body and is
    shown in it, and `unread` is a part that could not be read and is kept as it came.
    """

    ATTACHMENT = "attachment"
    PICTURE = "picture"
    UNREAD = "unread"


@dataclass(frozen=True, slots=True)
class MailFile:
    """A part of a message that is stored as a file.

    Attributes:
        name: never empty, without folders or control characters.
        content_type: lower case, `type/subtype`.
        data: its bytes.
        kind: see there.
        content_id: by which the HTML body refers to it, or "".
        reason: why an `unread` part is kept, as a sentence; else "".
    """

    name: str
    content_type: str
    data: bytes
    kind: FileKind = FileKind.ATTACHMENT
    content_id: str = ""
    reason: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes: equal files are stored once (MAIL-14)."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class Mail:
    """One message, read.

    Attributes:
        message_id: with its angle brackets, or "".
        subject: one line.
        date: when it was written, in UTC, or None.
        sender: or None.
        to, cc, bcc: in their order, each address once per list.
        references: Message-IDs that it answers, the oldest first.
        text: the body as plain text; made from the HTML body if there is no other.
        html: the body as sanitised HTML, or "".
        files: everything else.
        is_bulk: it was sent by a list, a robot, or from a no-reply address.
    """

    message_id: str = ""
    subject: str = ""
    date: datetime | None = None
    sender: Address | None = None
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    references: tuple[str, ...] = ()
    text: str = ""
    html: str = ""
    files: tuple[MailFile, ...] = ()
    is_bulk: bool = False

    @property
    def identity(self) -> str:
        """By what a message is the same one in two mailboxes (MAIL-7).

        The Message-ID, else a fingerprint of date, sender, subject and body.
        """
        if self.message_id:
            return f"id:{self.message_id}"
        when = self.date.astimezone(UTC).isoformat() if self.date else ""
        sender = self.sender.key if self.sender else ""
        words = " ".join(self.text.split())
        whole = "\x1f".join((when, sender, " ".join(self.subject.split()), words))
        return f"fp:{hashlib.sha256(whole.encode()).hexdigest()}"

    @property
    def recipients(self) -> tuple[Address, ...]:
        """Everybody it was sent to."""
        return self.to + self.cc + self.bcc
