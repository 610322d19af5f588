"""The slots of a contact's lists, as data (CON-16, CON-17).

A *group* is one list; its slots are tried in the order given here when an entry of no
telling type looks for a place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import lru_cache

from crmsync.records.cards import (
    ADDRESSES,
    BIRTHDAYS,
    CUSTOM,
    EMAILS,
    NAMES,
    NOTES,
    ORGANIZATIONS,
    PHONES,
    URLS,
    Entry,
)
from crmsync.records.contacts import ADDRESS_PARTS, CUSTOM_PREFIX

_SINGLE = frozenset({"value", "date"})


class Fit(IntEnum):
    """How well an entry's type suits a slot."""

    NO = 0
    OPEN = 1
    OWN = 2


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot of a list.

    Attributes:
        fields: our field for each part of the entry.
        kind: the type of an entry that is made for the slot.
        own: types that belong in this slot and in no other; None: the list has none.
        takes_untyped: whether entries without a telling type may stand here.
        key: the key of a custom entry, which is all that counts.
    """

    fields: Mapping[str, str]
    kind: str = ""
    own: frozenset[str] | None = None
    takes_untyped: bool = True
    key: str | None = None

    @property
    def is_single(self) -> bool:
        """Whether an entry is nothing without its one value."""
        return not _SINGLE.isdisjoint(self.fields)


@dataclass(frozen=True, slots=True)
class Group:
    """One list with its slots, in the order in which untyped entries fill them.

    Attributes:
        typed: types that belong to some slot, or to none.
        ranks: types in the order of preference for new entries.
        is_united: linking closes slots that the other side has a value for (CON-22).
        is_singleton: the provider takes one entry at most.
        alike: equal parts that make an entry the one from the base.
        names: the fields of all slots.
    """

    name: str
    slots: tuple[Slot, ...]
    typed: frozenset[str] = frozenset()
    ranks: tuple[str, ...] = ()
    is_united: bool = False
    is_singleton: bool = False
    alike: int = 1
    names: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        """Collect the fields of all slots."""
        found = frozenset(n for slot in self.slots for n in slot.fields.values())
        object.__setattr__(self, "names", found)

    def fit(self, slot: Slot, entry: Entry) -> Fit:
        """Return how well an entry suits a slot."""
        if slot.key is not None:
            return Fit.OWN if entry.values.get("key") == slot.key else Fit.NO
        if slot.own is None:
            return Fit.OPEN
        kind = entry.kind.casefold()
        if kind in slot.own:
            return Fit.OWN
        is_open = slot.takes_untyped and kind not in self.typed
        return Fit.OPEN if is_open else Fit.NO


_NAME_PARTS = ("prefix", "first", "middle", "last", "suffix")
_WEB_RANKS = ("homepage", "work", "blog", "home", "", "other")
_WEB_LAST = ("profile", "ftp", "reservations", "appinstallpage")
_PHONES = (
    Slot({"value": "work_phone"}, "work", frozenset({"work", "main"})),
    Slot({"value": "mobile"}, "mobile", frozenset({"mobile", "workmobile"})),
    Slot({"value": "home_phone"}, "home", frozenset({"home"})),
    Slot(
        {"value": "fax"},
        "workFax",
        frozenset({"workfax", "homefax", "otherfax"}),
        takes_untyped=False,
    ),
)
_NO_SLOT = frozenset({"pager", "workpager", "googlevoice"})


def _address_slot(name: str) -> Slot:
    parts = {part: f"{name}_{part}" for part in ADDRESS_PARTS}
    return Slot(parts, name, frozenset({name}))


GROUPS = (
    Group(NAMES, (Slot({p: p for p in _NAME_PARTS}),), is_singleton=True),
    Group(
        ORGANIZATIONS,
        (
            Slot(
                {"name": "company", "title": "title", "department": "department"},
                "work",
            ),
        ),
    ),
    Group(
        EMAILS,
        (
            Slot({"value": "email"}, "work"),
            Slot({"value": "email2"}, "other"),
            Slot({"value": "email3"}, "other"),
        ),
        is_united=True,
    ),
    Group(
        PHONES,
        _PHONES,
        frozenset().union(_NO_SLOT, *(slot.own or () for slot in _PHONES)),
        is_united=True,
    ),
    Group(
        URLS,
        (Slot({"value": "web"}, "work"),),
        ranks=(*_WEB_RANKS, *_WEB_LAST),
        is_united=True,
    ),
    Group(
        ADDRESSES,
        (_address_slot("work"), _address_slot("home")),
        frozenset({"work", "home"}),
        is_united=True,
        alike=2,
    ),
    Group(BIRTHDAYS, (Slot({"date": "birthday"}),), is_singleton=True),
    Group(NOTES, (Slot({"value": "notes"}),), is_singleton=True),
)


@lru_cache(maxsize=64)
def groups(names: tuple[str, ...]) -> tuple[Group, ...]:
    """Return the groups, narrowed to the mapped fields and with the custom ones."""
    mapped = frozenset(names)
    found: list[Group] = []
    for group in GROUPS:
        slots = tuple(
            replace(slot, fields=fields)
            for slot in group.slots
            if (fields := {p: f for p, f in slot.fields.items() if f in mapped})
        )
        if slots:
            found.append(replace(group, slots=slots))
    custom = tuple(
        Slot({"value": name}, key=name.removeprefix(CUSTOM_PREFIX))
        for name in names
        if name.startswith(CUSTOM_PREFIX)
    )
    if custom:
        found.append(Group(CUSTOM, custom))
    return tuple(found)
