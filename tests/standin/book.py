"""One account's address book: contacts, labels, and the log of their changes."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from tests.standin.basics import (
    Clock,
    Json,
    Refusal,
    digest,
    invalid,
    not_found,
    written,
)

READABLE = frozenset(
    [
        "addresses",
        "ageRanges",
        "biographies",
        "birthdays",
        "calendarUrls",
        "clientData",
        "coverPhotos",
        "emailAddresses",
        "events",
        "externalIds",
        "genders",
        "imClients",
        "interests",
        "locales",
        "locations",
        "memberships",
        "metadata",
        "miscKeywords",
        "names",
        "nicknames",
        "occupations",
        "organizations",
        "phoneNumbers",
        "photos",
        "relations",
        "sipAddresses",
        "skills",
        "urls",
        "userDefined",
    ]
)
WRITABLE = READABLE - {"ageRanges", "coverPhotos", "metadata", "photos", "skills"}
SINGLETONS = frozenset({"biographies", "birthdays", "genders", "names"})
MY_CONTACTS = "contactGroups/myContacts"
OPEN_SYSTEM_GROUPS = frozenset({MY_CONTACTS, "contactGroups/starred"})
SYSTEM_GROUPS = {
    "starred": "Med stjerne",
    "myContacts": "Mine kontakter",
    "friends": "Venner",
    "family": "Familie",
    "coworkers": "Kolleger",
    "chatBuddies": "Chatkontakter",
    "blocked": "Blokerede",
    "all": "Samtlige",
}
OUTPUT_ONLY = frozenset({"canonicalForm", "formattedType", "futureField", "metadata"})
NAME_OUTPUT = frozenset({"displayName", "displayNameLastFirst", "unstructuredName"})


@dataclass(frozen=True)
class Person:
    name: str
    source_id: str
    stamp: int
    fields: Mapping[str, list[Json]]
    groups: tuple[str, ...]
    previous: tuple[str, ...] = ()

    def version(self) -> str:
        return digest("person", self.source_id, self.stamp)

    def etag(self, mask: Iterable[str]) -> str:
        """Different masks give different etags; a write looks at the version only."""
        return f'%{digest(sorted(mask))[:6]}%2F"{self.version()}"%3D%'

    def source_etag(self) -> str:
        return f'#%25"{digest("source", self.source_id, self.stamp)}"%'


@dataclass(frozen=True)
class Group:
    name: str
    title: str
    shown: str
    stamp: int
    system: bool = False
    client_data: tuple[Json, ...] = ()


@dataclass(frozen=True)
class Change:
    """What became of a person or a label; quiet ones give no tombstone."""

    number: int
    at: float
    name: str
    after: Person | Group | None
    quiet: bool = False


@dataclass
class Feed:
    """A log, read as the state or as the changes up to a place in it."""

    clock: Clock
    log: list[Change] = field(default_factory=list)

    def add(
        self, name: str, after: Person | Group | None, *, quiet: bool = False
    ) -> None:
        place = len(self.log) + 1
        self.log.append(Change(place, self.clock.now(), name, after, quiet))

    def end(self, delay: float) -> int:
        """The place a reader sees when writes take `delay` seconds to get here."""
        horizon = self.clock.now() - delay
        place = len(self.log)
        while place and self.log[place - 1].at > horizon:
            place -= 1
        return place

    def between(self, start: int, end: int) -> list[Change]:
        """The last change of each name, the latest first."""
        latest: dict[str, Change] = {}
        for change in self.log[start:end]:
            latest[change.name] = change
        return sorted(latest.values(), key=lambda c: c.number, reverse=True)


# ------------------------------------------------------------ what a write may hold
def without_defaults(value: Any) -> Any:
    """Empty text, zero, false, null and empty lists are not stored."""
    if isinstance(value, dict):
        kept = {k: without_defaults(v) for k, v in value.items() if k != "futureField"}
        return {k: v for k, v in kept.items() if v}
    if isinstance(value, list):
        return [v for v in (without_defaults(v) for v in value) if v]
    return value


def _check_date(item: Json) -> None:
    parts = item.get("date")
    if not isinstance(parts, dict):
        return
    try:
        year, month, day = (int(parts.get(k) or 0) for k in ("year", "month", "day"))
        date(year or 2000, month or 1, day or 1)
    except (TypeError, ValueError, OverflowError):
        raise invalid("A date does not exist in the calendar.")


def _name(item: Json) -> Json:
    """Components rule; free text is taken apart only where there are none."""
    free = str(item.get("unstructuredName") or "").split()
    parts = {k: v for k, v in item.items() if k not in NAME_OUTPUT}
    if not any(not k.startswith("phonetic") for k in parts) and free:
        parts["givenName"] = " ".join(free[:-1]) or free[0]
        if len(free) > 1:
            parts["familyName"] = free[-1]
    return parts


def clean_field(name: str, items: Any) -> list[Json]:
    if items is None:
        return []
    if not isinstance(items, list) or not all(isinstance(i, dict) for i in items):
        raise invalid(f"Expected a list of objects at person.{name}.")
    ours: list[tuple[Json, bool]] = []
    for item in items:
        metadata = item.get("metadata") or {}
        kind = (metadata.get("source") or {}).get("type", "CONTACT")
        if kind not in {"CONTACT", "SOURCE_TYPE_UNSPECIFIED"}:
            continue
        _check_date(item)
        stored: Json = {
            k: v for k, v in without_defaults(item).items() if k not in OUTPUT_ONLY
        }
        if name == "names":
            stored = _name(stored)
        ours.append((stored, bool(metadata.get("sourcePrimary"))))
    if name in SINGLETONS and len(ours) > 1:
        raise invalid(f"Cannot have more than one person.{name} per source.")
    if sum(primary for _, primary in ours) > 1:
        raise invalid(f"Several person.{name} claim to be the first of their source.")
    return [
        stored | ({"metadata": {"sourcePrimary": True}} if primary else {})
        for stored, primary in ours
        if stored
    ]


def clean_fields(person: Json, mask: Iterable[str]) -> dict[str, list[Json]]:
    cleaned = {f: clean_field(f, person.get(f)) for f in mask if f != "memberships"}
    return {f: items for f, items in cleaned.items() if items}


# ------------------------------------------------------------ what a reader is shown
def _shown_name(item: Json) -> None:
    words = [
        item.get(k)
        for k in ("honorificPrefix", "givenName", "middleName", "familyName")
    ]
    shown = " ".join(w for w in words if w)
    if suffix := item.get("honorificSuffix"):
        shown = f"{shown}, {suffix}" if shown else str(suffix)
    if not shown:
        return
    rest = " ".join(w for w in words[1:3] if w)
    item["displayName"] = item["unstructuredName"] = shown
    family = item.get("familyName")
    item["displayNameLastFirst"] = f"{family}, {rest}" if family and rest else shown


def _shown_address(item: Json) -> None:
    if item.get("formattedValue"):
        return
    lines = [item.get(k) for k in ("streetAddress", "extendedAddress", "poBox")]
    town = [item.get(k) for k in ("postalCode", "city", "region")]
    lines += [" ".join(p for p in town if p), item.get("country")]
    if text := "\n".join(line for line in lines if line):
        item["formattedValue"] = text


def _shown_item(name: str, stored: Json) -> Json:
    item = {k: v for k, v in stored.items() if k != "metadata"}
    if name == "names":
        _shown_name(item)
    elif name == "addresses":
        _shown_address(item)
    elif name == "biographies":
        item.setdefault("contentType", "TEXT_PLAIN")
    elif name == "phoneNumbers":
        digits = re.sub(r"[\s().\-/]", "", str(item.get("value", "")))
        if re.fullmatch(r"\+[1-9]\d{7,14}", digits):
            item["canonicalForm"] = digits
    if kind := item.get("type"):
        item["formattedType"] = f"{str(kind).capitalize()} (hér)"
    return item


def _shown_items(person: Person, name: str) -> list[Json]:
    stored: list[Json] = list(person.fields.get(name, []))
    if name == "memberships":
        stored = [
            {
                "contactGroupMembership": {
                    "contactGroupId": group.split("/", 1)[1],
                    "contactGroupResourceName": group,
                }
            }
            for group in person.groups
        ]
    first = next((i for i, s in enumerate(stored) if s.get("metadata")), 0)
    shown = []
    for place, item in enumerate(stored):
        metadata: Json = {"source": {"type": "CONTACT", "id": person.source_id}}
        if place == first:
            metadata["primary"] = True
        shown.append(
            _shown_item(name, item) | {"metadata": metadata | item.get("metadata", {})}
        )
    shown.reverse()
    return shown


def _shown_metadata(person: Person, *, profile: bool, feed: bool) -> Json:
    source: Json = {
        "type": "CONTACT",
        "id": person.source_id,
        "etag": person.source_etag(),
        "updateTime": written(person.stamp),
    }
    sources = [source]
    if profile:
        kind = {"objectType": "PERSON", "userTypes": ["GOOGLE_USER"]}
        other = {"type": "PROFILE", "id": "1" + person.name[-19:], "etag": "#pro%file"}
        sources.insert(0, other | {"profileMetadata": kind})
    metadata: Json = {"sources": sources}
    if feed and person.previous:
        metadata["previousResourceNames"] = list(person.previous)
    return metadata


def show_person(
    person: Person,
    mask: Iterable[str],
    *,
    profile: bool = False,
    feed: bool = False,
    most: int | None = None,
) -> Json:
    """Render what the mask asks for; `most` cuts addresses and numbers in lists."""
    mask = frozenset(mask)
    shown: Json = {"resourceName": person.name, "etag": person.etag(mask)}
    for name in sorted(mask - {"metadata"}, reverse=True):
        items = _shown_items(person, name)
        if most is not None and name in {"emailAddresses", "phoneNumbers"}:
            items = items[:most]
        if profile and name == "urls":
            source = {"type": "PROFILE", "id": "1" + person.name[-19:]}
            url = f"https://profiles.example/{person.name[-19:]}"
            items.append({"value": url, "metadata": {"source": source}})
        if items:
            shown[name] = items
    if "metadata" in mask:
        shown["metadata"] = _shown_metadata(person, profile=profile, feed=feed)
    return shown


# ------------------------------------------------------------ the book
class Book:
    """The state of one account; whoever calls holds the lock of the service."""

    def __init__(self, account: str, clock: Clock, dice: random.Random) -> None:
        self.account = account
        self.clock = clock
        self.dice = dice
        self.writing = threading.Lock()
        self.persons: dict[str, Person] = {}
        self.groups: dict[str, Group] = {}
        self.person_feed = Feed(clock)
        self.group_feed = Feed(clock)
        self._used: set[str] = set()
        for title, shown in SYSTEM_GROUPS.items():
            name = f"contactGroups/{title}"
            self._set_group(Group(name, title, shown, clock.stamp(), system=True))

    # --- persons
    def fresh_name(self) -> str:
        while True:
            name = f"people/c{self.dice.randrange(10**18, 10**19)}"
            if name not in self._used:
                self._used.add(name)
                return name

    def person(self, name: str) -> Person:
        try:
            return self.persons[name]
        except KeyError:
            raise not_found()

    def store(self, person: Person) -> Person:
        person = replace(person, stamp=self.clock.stamp())
        self.persons[person.name] = person
        self.person_feed.add(person.name, person)
        return person

    def create(
        self, fields: Mapping[str, list[Json]], groups: Iterable[str] = ()
    ) -> Person:
        source_id = f"{self.dice.getrandbits(63):x}"
        placed = tuple(dict.fromkeys(groups)) or (MY_CONTACTS,)
        return self.store(Person(self.fresh_name(), source_id, 0, fields, placed))

    def change(
        self,
        name: str,
        fields: Mapping[str, list[Json]],
        mask: Iterable[str],
        groups: Iterable[str] | None = None,
    ) -> Person:
        """Replace every field of the mask; one that is not given is cleared."""
        person, masked = self.person(name), frozenset(mask)
        kept = {f: v for f, v in person.fields.items() if f not in masked}
        placed = person.groups if groups is None else tuple(dict.fromkeys(groups))
        return self.store(replace(person, fields=kept | dict(fields), groups=placed))

    def delete(self, name: str) -> None:
        self.person(name)
        del self.persons[name]
        self.person_feed.add(name, None)

    def rename(self, name: str) -> str:
        """A verified address ties the contact to a profile: it gets another name."""
        person = self.person(name)
        del self.persons[name]
        self.person_feed.add(name, None, quiet=True)
        previous = (*person.previous, name)
        return self.store(
            replace(person, name=self.fresh_name(), previous=previous)
        ).name

    def memberships(self, person: Json, held: Iterable[str] = ()) -> list[str]:
        """Return the labels a request names, checked as a write must be."""
        found = []
        for item in person.get("memberships") or []:
            of_group = item.get("contactGroupMembership") or {}
            if name := str(of_group.get("contactGroupResourceName") or ""):
                if name not in held:
                    self.check_open(name)
                found.append(name)
        return found

    # --- labels
    def _set_group(self, group: Group) -> Group:
        self.groups[group.name] = group
        self.group_feed.add(group.name, group)
        return group

    def group(self, name: str) -> Group:
        try:
            return self.groups[name]
        except KeyError:
            raise not_found()

    def check_open(self, name: str) -> None:
        if name not in self.groups:
            raise invalid("A membership points at a contact group nobody knows.")
        if self.groups[name].system and name not in OPEN_SYSTEM_GROUPS:
            raise invalid("Nobody can be added to this system contact group.")

    def check_title(self, title: Any, but: str = "") -> str:
        if not isinstance(title, str) or not title.strip():
            raise invalid("A contact group needs a name.")
        if any(g.title == title and g.name != but for g in self.groups.values()):
            raise Refusal(409, "ALREADY_EXISTS", "That contact group is there already.")
        return title

    def create_group(self, title: Any, client_data: Iterable[Json] = ()) -> Group:
        title = self.check_title(title)
        name = f"contactGroups/{self.dice.getrandbits(60):015x}"
        stamp = self.clock.stamp()
        return self._set_group(
            Group(name, title, title, stamp, client_data=tuple(client_data))
        )

    def change_group(self, group: Group) -> Group:
        return self._set_group(replace(group, stamp=self.clock.stamp()))

    def delete_group(self, name: str, *, with_contacts: bool) -> None:
        for person in self.members(name):
            if with_contacts:
                self.delete(person.name)
            else:
                left = tuple(g for g in person.groups if g != name)
                self.store(replace(person, groups=left or (MY_CONTACTS,)))
        del self.groups[name]
        self.group_feed.add(name, None)

    def members(self, name: str) -> list[Person]:
        return [p for p in self.persons.values() if name in p.groups]

    def group_called(self, called: str) -> Group:
        """Return the label of this name or resource name, made where it is missing."""
        for group in self.groups.values():
            if called in {group.name, group.title}:
                return group
        return self.create_group(called)

    def show_group(
        self, group: Group, mask: Iterable[str], members: int | None = None
    ) -> Json:
        mask = frozenset(mask)
        etag = f'%"{digest(group.name, group.stamp)}"%3D'
        shown: Json = {"etag": etag, "resourceName": group.name}
        if "name" in mask:
            shown |= {"name": group.title, "formattedName": group.shown}
        if "groupType" in mask:
            kind = "SYSTEM_CONTACT_GROUP" if group.system else "USER_CONTACT_GROUP"
            shown["groupType"] = kind
        if "metadata" in mask and not group.system:
            shown["metadata"] = {"updateTime": written(group.stamp)}
        if "clientData" in mask and group.client_data:
            shown["clientData"] = list(group.client_data)
        inside = self.members(group.name)
        if "memberCount" in mask and inside:
            shown["memberCount"] = len(inside)
        if members and inside:
            shown["memberResourceNames"] = [p.name for p in inside[:members]]
        return shown
