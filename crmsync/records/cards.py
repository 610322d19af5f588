"""Cards: a contact with all entries of all its lists, neutral and JSON-able.

The flat fields that the engine works with are read from a card by `records.slots`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from crmsync.records.values import Values

NAMES, BIRTHDAYS, NOTES = "names", "birthdays", "notes"
EMAILS, PHONES, URLS = "emails", "phones", "urls"
ADDRESSES, ORGANIZATIONS, CUSTOM = "addresses", "organizations", "custom"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a list, with whatever the provider keeps in it besides.

    Attributes:
        values: the parts that the mapping knows, e.g. `value`, or `street`, `city`;
            empty parts are left out.
        kind: the provider's type of the entry, e.g. `work`; "" if untyped.
        is_primary, is_current: as the provider flags it.
        rest: further content of the provider's, opaque.
        trim: what accompanies the content and means nothing without it, opaque.
        changed: the parts that `place` has changed; not stored.
    """

    values: Values = field(default_factory=dict)
    kind: str = ""
    is_primary: bool = False
    is_current: bool = False
    rest: Mapping[str, Any] = field(default_factory=dict)
    trim: Mapping[str, Any] = field(default_factory=dict)
    changed: frozenset[str] = frozenset()

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as JSON keeps it."""
        whole: dict[str, Any] = {"values": dict(self.values)}
        if self.kind:
            whole["kind"] = self.kind
        if self.is_primary:
            whole["primary"] = True
        if self.is_current:
            whole["current"] = True
        if self.rest:
            whole["rest"] = dict(self.rest)
        if self.trim:
            whole["trim"] = dict(self.trim)
        return whole

    @classmethod
    def from_dict(cls, whole: Mapping[str, Any]) -> Entry:
        """Read what `to_dict` returned."""
        return cls(
            whole["values"],
            whole.get("kind", ""),
            whole.get("primary", False),
            whole.get("current", False),
            whole.get("rest", {}),
            whole.get("trim", {}),
        )

    def with_values(self, parts: Values) -> Entry:
        """Return the entry with some parts replaced; an empty text removes a part."""
        merged = {**self.values, **parts}
        values = {part: value for part, value in merged.items() if value}
        differing = {p for p in parts if parts[p] != self.values.get(p, "")}
        return replace(self, values=values, changed=self.changed | differing)


@dataclass(frozen=True, slots=True)
class Card:
    """A contact with all entries of all its lists, neutral and JSON-able.

    Attributes:
        lists: entries by list name (`EMAILS` and so on), in the provider's order.
        parked: short hashes of entries that must not move up into a slot that a
            person cleared; they stay where they are, as overflow.
    """

    lists: Mapping[str, tuple[Entry, ...]] = field(default_factory=dict)
    parked: frozenset[str] = frozenset()

    def of(self, name: str) -> tuple[Entry, ...]:
        """Return the entries of one list."""
        return self.lists.get(name, ())

    def to_dict(self) -> dict[str, Any]:
        """Return the card as JSON keeps it."""
        whole: dict[str, Any] = {
            name: [entry.to_dict() for entry in entries]
            for name, entries in self.lists.items()
            if entries
        }
        if self.parked:
            whole["parked"] = sorted(self.parked)
        return whole

    @classmethod
    def from_dict(cls, whole: Mapping[str, Any]) -> Card:
        """Read what `to_dict` returned."""
        lists = {
            name: tuple(Entry.from_dict(item) for item in items)
            for name, items in whole.items()
            if name != "parked"
        }
        return cls(lists, frozenset(whole.get("parked", ())))
