"""The header of a message: who, when, about what (RFC 5322)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime

from crmsync.mime.texts import header_text, one_line
from crmsync.records.mail import Address

LONGEST_ID = 500
"""Characters of a Message-ID that are kept; a longer one is told by its hash."""

_ID = re.compile(r"<[^<>\s]+>")
_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]]+@[^\s@<>,;:\"()\[\]]+")
_ROBOTS = re.compile(
    r"^(?:(?:do|please)?[._-]?(?:no|not)[._-]?reply|mailer-daemon|postmaster|bounces?"
    r"|notifications?|newsletters?)(?:[+@._-]|$)",
    re.IGNORECASE,
)
_LIST_HEADERS = ("list-id", "list-unsubscribe", "list-post", "feedback-id")
_BULK = frozenset({"bulk", "list", "junk"})


def values(message: Message, name: str) -> Iterator[str]:
    """Yield the raw values of a header, however its name is written."""
    folded = name.casefold()
    for key, value in message.raw_items():
        if key.casefold() == folded:
            yield str(value)


def text(message: Message, name: str) -> str:
    """Return the first value of a header as one line, or ""."""
    return header_text(next(values(message, name), ""))


def addresses(message: Message, name: str) -> tuple[Address, ...]:
    """Return whom a header names, each address once; what is no address is left."""
    found: dict[str, Address] = {}
    for raw in values(message, name):
        for address in _parsed(raw):
            found.setdefault(address.key, address)
    return tuple(found.values())


def _parsed(raw: str) -> Iterator[Address]:
    # Names are decoded after the list is taken apart: they may hold commas.
    unfolded = raw.replace("\r", " ").replace("\n", " ")
    try:
        pairs = getaddresses([unfolded])
    except (ValueError, IndexError, RecursionError):
        pairs = []
    good = [(name, email) for name, email in pairs if _ADDRESS.fullmatch(email)]
    if not good:
        pairs = [("", email) for email in _ADDRESS.findall(header_text(unfolded))]
        good = [(name, email) for name, email in pairs if _ADDRESS.fullmatch(email)]
    for name, email in good:
        shown = header_text(name)
        yield Address(one_line(email), "" if shown == email else shown)


def date(message: Message) -> datetime | None:
    """Return when a message says it was written, in UTC."""
    try:
        found = parsedate_to_datetime(text(message, "Date"))
        return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def message_id(message: Message) -> str:
    """Return the Message-ID with its brackets, or ""."""
    raw = text(message, "Message-ID")
    found = _ID.search(raw)
    bare = (
        found[0] if found else f"<{''.join(raw.split())}>" if raw.strip("<> ") else ""
    )
    return _short(bare)


def references(message: Message) -> tuple[str, ...]:
    """Return the messages that this one answers, the oldest first."""
    names = ("References", "In-Reply-To")
    ids: Iterable[str] = (
        found
        for name in names
        for raw in values(message, name)
        for found in _ID.findall(header_text(raw))
    )
    return tuple(dict.fromkeys(_short(found) for found in ids))


def _short(message_id: str) -> str:
    if len(message_id) <= LONGEST_ID:
        return message_id
    return f"<{hashlib.sha256(message_id.encode()).hexdigest()}@long-id>"


def is_bulk(message: Message, sender: Address | None) -> bool:
    """Whether a list or a robot sent it: nobody asks to make a contact of them."""
    if any(next(values(message, name), "") for name in _LIST_HEADERS):
        return True
    if text(message, "Precedence").casefold() in _BULK:
        return True
    automatic = text(message, "Auto-Submitted").casefold()
    if automatic and not automatic.startswith("no"):
        return True
    return sender is not None and _ROBOTS.match(sender.email) is not None
