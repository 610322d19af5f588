"""Put the cards of a file into an account, each of them once.

The loader remembers by UID (or by the card's text, if it has none) what it has put in;
so a second load of the same file adds nothing, not even what the user has deleted.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from sandbox.errors import ApiError
from sandbox.load.vcard import BrokenCard, Card, read, split
from sandbox.people.groups import group_named, make_group
from sandbox.people.normalise import stored_fields
from sandbox.people.state import Book, Draft

KIND = "loaded"


@dataclass(slots=True)
class Report:
    added: int = 0
    known: int = 0
    refused: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return {"added": self.added, "known": self.known, "refused": self.refused}

    def lines(self, name: str) -> list[str]:
        first = (
            f"{name}: {self.added} added, {self.known} already there, "
            f"{len(self.refused)} refused"
        )
        return [first, *(f"  line {r['line']}: {r['reason']}" for r in self.refused)]


def load_text(book: Book, data: bytes, label: str | None = None) -> Report:
    """Load all cards; a broken one is reported with its line and its reason."""
    report = Report()
    with book.lock:
        known = {key for _, key, _ in book.env.store.load(KIND, book.owner)}
        known |= book.loaded
        drafts: list[Draft] = []
        fresh: list[str] = []
        for line, text in split(data):
            try:
                card = read(text)
                key = _key(card, text)
                if key in known:
                    report.known += 1
                    continue
                drafts.append(_draft(book, card, label))
                fresh.append(key)
                known.add(key)
            except (BrokenCard, ApiError) as error:
                report.refused.append({"line": line, "reason": str(error)})
        made = book.create(drafts)
        book.settle()
        book.loaded |= set(fresh)
        rows = zip(fresh, made, strict=True)
        book.env.store.put([(KIND, book.owner, key, c.id) for key, c in rows])
        report.added = len(made)
    return report


def _key(card: Card, text: bytes) -> str:
    if card.uid:
        return f"uid:{card.uid}"
    bare = b"\n".join(line.strip() for line in text.splitlines())
    return "sha256:" + hashlib.sha256(bare).hexdigest()


def _draft(book: Book, card: Card, label: str | None) -> Draft:
    fields = stored_fields(card.person)
    if not fields:
        raise BrokenCard("the card is empty")
    names = [*card.labels, label] if label else card.labels
    groups = ["myContacts"]
    for name in names:
        group = group_named(book, name) or make_group(book, name, [])
        groups.append(group.id)
    photo = None
    if card.photo:
        stamp = hashlib.sha256(repr(card.person).encode()).hexdigest()[:16]
        photo = f"https://photos.sandbox.example/card/{stamp}=s100"
    return Draft(fields, tuple(dict.fromkeys(groups)), photo)
