"""Google's person <-> our card and remote; pure.

Every entry of a list keeps what Google holds in it, so that a list that is written
back differs in the changed entries only (CON-16). Output-only keys are dropped: they
depend on the reader's language (contract, 4.2).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from crmsync.connectors.google.mapping.dates import date_parts, full_date
from crmsync.connectors.google.mapping.texts import UnfitEntry, clean, is_clean
from crmsync.errors import ProtocolBroken
from crmsync.records import cards
from crmsync.records.cards import Card, Entry
from crmsync.records.keys import parse_key
from crmsync.records.remote import Remote
from crmsync.records.slots import assign, overflow
from crmsync.records.values import FieldTable, SideName

Wire = dict[str, Any]

KEY_NAME = "crm-sync-key"
PARKED_NAME = "crm-sync-parked"
"""Our entries in `clientData`: the record's key, and what must stay overflow."""

MY_CONTACTS, STARRED = "contactGroups/myContacts", "contactGroups/starred"

_OUTPUT_ONLY = frozenset({"formattedType", "canonicalForm", "metadata"})
_EDITABLE = (
    "addresses",
    "biographies",
    "birthdays",
    "calendarUrls",
    "clientData",
    "emailAddresses",
    "events",
    "externalIds",
    "genders",
    "imClients",
    "interests",
    "locales",
    "locations",
    "memberships",
    "miscKeywords",
    "names",
    "nicknames",
    "occupations",
    "organizations",
    "phoneNumbers",
    "relations",
    "sipAddresses",
    "urls",
    "userDefined",
)
"""What `updatePersonFields` may name (contract, 4.2)."""


@dataclass(frozen=True, slots=True)
class _List:
    """How one list of a person is translated.

    Attributes:
        wire_name: Google's name of it.
        parts: our name of each of Google's keys.
        is_typed: whether its entries have a type.
        output_only: further keys that Google only shows.
        trim: keys that mean nothing without the parts; each with the parts whose
            change makes it wrong (none named: any).
        known: all keys but further content.
    """

    wire_name: str
    parts: Mapping[str, str]
    is_typed: bool = True
    output_only: frozenset[str] = frozenset()
    trim: Mapping[str, frozenset[str]] = field(default_factory=dict)
    known: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        """Collect the keys that are not further content."""
        named = _OUTPUT_ONLY | self.output_only | self.parts.keys() | self.trim.keys()
        object.__setattr__(self, "known", named | {"type"})


_ANY: frozenset[str] = frozenset()
_VALUE = {"value": "value"}
_LISTS: Mapping[str, _List] = {
    cards.NAMES: _List(
        "names",
        {
            "honorificPrefix": "prefix",
            "givenName": "first",
            "middleName": "middle",
            "familyName": "last",
            "honorificSuffix": "suffix",
        },
        is_typed=False,
        output_only=frozenset({"displayName", "displayNameLastFirst"}),
        trim={"unstructuredName": _ANY},
    ),
    cards.EMAILS: _List("emailAddresses", _VALUE),
    cards.PHONES: _List("phoneNumbers", _VALUE),
    cards.URLS: _List("urls", _VALUE),
    cards.ADDRESSES: _List(
        "addresses",
        {
            "streetAddress": "street",
            "city": "city",
            "region": "region",
            "postalCode": "postal",
            "country": "country",
        },
        trim={"formattedValue": _ANY, "countryCode": frozenset({"country"})},
    ),
    cards.ORGANIZATIONS: _List(
        "organizations",
        {"name": "name", "title": "title", "department": "department"},
        trim={"current": frozenset({"-"}), "phoneticName": frozenset({"name"})},
    ),
    cards.BIRTHDAYS: _List(
        "birthdays", {}, is_typed=False, trim={"date": _ANY, "text": _ANY}
    ),
    cards.NOTES: _List(
        "biographies", _VALUE, is_typed=False, trim={"contentType": _ANY}
    ),
    cards.CUSTOM: _List(
        "userDefined", {"key": "key", "value": "value"}, is_typed=False
    ),
}

MAPPED = tuple(item.wire_name for item in _LISTS.values())
LIST_FIELDS = ",".join(sorted({*MAPPED, "clientData", "memberships", "metadata"}))
"""Person fields of every listing; changing them forces a full read."""

FULL_FIELDS = ",".join(sorted({*_EDITABLE, "metadata", "photos"}))
"""Person fields that show whether a contact holds more than we wrote (CON-12)."""


# ------------------------------------------------------------------ reading


def _items(person: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """Return a list's entries that a contact owns; profile data is not ours."""
    found = person.get(name) or []
    if not isinstance(found, list) or not all(isinstance(i, dict) for i in found):
        raise ProtocolBroken(f"Google's person has a malformed list {name!r}.")
    return [item for item in found if _source_of(item) in {"", "CONTACT"}]


def _source_of(item: Mapping[str, Any]) -> str:
    source = (item.get("metadata") or {}).get("source") or {}
    return str(source.get("type", ""))


def person_to_card(person: Mapping[str, Any]) -> Card:
    """Return a person's lists as a card.

    >>> card = person_to_card({"emailAddresses": [{"value": "a@x", "type": "work"}]})
    >>> card.of("emails")[0].kind
    'work'
    """
    has_unfit = not is_clean(person)
    lists = {
        name: tuple([_entry(spec, item, has_unfit) for item in items])
        for name, spec in _LISTS.items()
        if (items := _items(person, spec.wire_name))
    }
    parked = _client_data(person).get(PARKED_NAME, "")
    return Card(
        {name: entries for name, entries in lists.items() if entries},
        frozenset(mark for mark in parked.split(",") if mark),
    )


def _entry(spec: _List, wire: Mapping[str, Any], has_unfit: bool) -> Entry:
    item: Wire = clean(wire) if has_unfit else dict(wire)
    metadata = item.get("metadata") or {}
    values = {
        part: text
        for key, part in spec.parts.items()
        if (text := str(item.get(key) or ""))
    }
    if spec.wire_name == "birthdays" and (day := full_date(item.get("date"))):
        values["date"] = day
    trim = {key: item[key] for key in spec.trim if key in item}
    if metadata.get("sourcePrimary"):
        trim["metadata"] = {"sourcePrimary": True}
    entry = Entry(
        values,
        str(item.get("type", "")) if spec.is_typed else "",
        bool(metadata.get("primary") or metadata.get("sourcePrimary")),
        bool(item.get("current")),
        {k: v for k, v in item.items() if k not in spec.known},
        trim,
    )
    return UnfitEntry.of(entry, wire) if has_unfit and item != wire else entry


def _client_data(person: Mapping[str, Any]) -> dict[str, str]:
    """Return client data by key; the first of equal keys counts."""
    found: dict[str, str] = {}
    for item in _items(person, "clientData"):
        key, value = str(item.get("key", "")), str(item.get("value", ""))
        found.setdefault(clean(key), clean(value))
    return found


def key_of(person: Mapping[str, Any], installation: str = "") -> str:
    """Return our key, preferring this installation's where there are several."""
    keys = [
        str(clean(item.get("value", "")))
        for item in _items(person, "clientData")
        if item.get("key") == KEY_NAME
    ]
    for key in keys:
        parsed = parse_key(key)
        if parsed is not None and parsed.installation == installation:
            return key
    return keys[0] if keys else ""


def contact_source(person: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the CONTACT source of a person's metadata, or an empty mapping."""
    for source in (person.get("metadata") or {}).get("sources") or []:
        if source.get("type") == "CONTACT":
            return dict(source)
    return {}


def version_of(person: Mapping[str, Any]) -> str:
    """Return the version that `Remote.etag` carries.

    Not the person's own etag: that one also depends on the fields that were asked
    for (4.3), so that equal versions would look different. Writes carry the etag of
    the read right before them.
    """
    source = contact_source(person)
    return str(source.get("etag") or person.get("etag", ""))


def stamp_of(person: Mapping[str, Any]) -> str:
    """Return the contact's update time so that texts sort as times do, or "".

    >>> stamp_of(
    ...     {
    ...         "metadata": {
    ...             "sources": [
    ...                 {"type": "CONTACT", "updateTime": "2026-01-02T03:04:05.5Z"}
    ...             ]
    ...         }
    ...     }
    ... )
    '2026-01-02T03:04:05.500000000Z'
    """
    text = str(contact_source(person).get("updateTime", ""))
    head, _, fraction = text.removesuffix("Z").partition(".")
    return f"{head}.{fraction:0<9}Z" if text.endswith("Z") else text


def _modified_at(person: Mapping[str, Any]) -> datetime | None:
    stamp = stamp_of(person)
    try:
        # Nanoseconds are cut: datetime knows microseconds.
        return datetime.fromisoformat(stamp[:26]).replace(tzinfo=UTC)
    except ValueError:
        return None


def groups_of(person: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the resource names of the contact groups that a person is in."""
    found: list[str] = []
    for item in person.get("memberships") or []:
        member = item.get("contactGroupMembership") or {}
        name = member.get("contactGroupResourceName")
        if not name and member.get("contactGroupId"):
            name = f"contactGroups/{member['contactGroupId']}"
        if name:
            found.append(str(name))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a person is read with.

    Attributes:
        table: the mapped fields.
        label: resource name of the label, "" if there is none yet.
        installation: whose keys are ours.
    """

    table: FieldTable
    label: str = ""
    installation: str = ""


def person_to_remote(
    person: Mapping[str, Any], reading: Reading, *, is_full: bool = False
) -> Remote:
    """Return a person as the cycle sees it.

    Args:
        person: the wire form.
        reading: table, label and installation.
        is_full: it was read with `FULL_FIELDS`, so that `extras` can be told.

    Raises:
        ProtocolBroken: it has no resource name, or a malformed list.
    """
    name = str(person.get("resourceName", ""))
    if not name:
        raise ProtocolBroken("Google's person has no resource name.")
    metadata = person.get("metadata") or {}
    previous = tuple(str(old) for old in metadata.get("previousResourceNames") or ())
    if metadata.get("deleted"):
        return gone(name, previous)
    card = person_to_card(person)
    return Remote(
        side=SideName.GOOGLE,
        remote_id=name,
        etag=version_of(person),
        values=assign(card, None, reading.table),
        record=card.to_dict(),
        key=key_of(person, reading.installation),
        is_selected=bool(reading.label) and reading.label in groups_of(person),
        stamp=stamp_of(person),
        modified_at=_modified_at(person),
        previous_ids=previous,
        extras=_extras(person, card, reading) if is_full else (),
    )


def gone(name: str, previous: tuple[str, ...] = ()) -> Remote:
    """Return a person that does not exist any more."""
    return Remote(
        SideName.GOOGLE, name, is_selected=False, is_gone=True, previous_ids=previous
    )


def _extras(person: Mapping[str, Any], card: Card, reading: Reading) -> tuple[str, ...]:
    """Name what a person holds beyond what a create of ours writes (CON-12)."""
    found = [
        "starred" if name == STARRED else f"label:{name}"
        for name in groups_of(person)
        if name not in {reading.label, MY_CONTACTS}
    ]
    if any(not photo.get("default") for photo in _items(person, "photos")):
        found.append("photo")
    plain = {*MAPPED, "clientData", "memberships"}
    found += [f"field:{n}" for n in _EDITABLE if n not in plain and person.get(n)]
    if _client_data(person).keys() - {KEY_NAME, PARKED_NAME}:
        found.append("field:clientData")
    found += [f"more:{name}" for name in overflow(card, reading.table)]
    found += [f"detail:{n}" for n, es in card.lists.items() if any(e.rest for e in es)]
    return tuple(dict.fromkeys(found))


# ------------------------------------------------------------------ writing


def card_to_person(card: Card) -> Wire:
    """Return a card's lists as Google takes them; empty lists are left out.

    Raises:
        InvalidRecord: a value can not be written, e.g. a birthday that is no date.
    """
    return {
        spec.wire_name: [_item(spec, entry) for entry in entries]
        for name, spec in _LISTS.items()
        if (entries := card.of(name))
    }


def _item(spec: _List, entry: Entry) -> Wire:
    item: Wire = {**entry.rest, **_kept(spec, entry)}
    for key, part in spec.parts.items():
        if entry.values.get(part):
            item[key] = entry.values[part]
    if spec.wire_name == "birthdays" and "date" in entry.values:
        item["date"] = date_parts(entry.values["date"])
    if spec.wire_name == "biographies" and entry.changed:
        item["contentType"] = "TEXT_PLAIN"
    if spec.is_typed and entry.kind:
        item["type"] = entry.kind
    return entry.restored(item, spec.parts) if isinstance(entry, UnfitEntry) else item


def _kept(spec: _List, entry: Entry) -> Wire:
    """Return what still holds of an entry's trimmings after it was changed."""
    return {
        key: value
        for key, value in entry.trim.items()
        if not entry.changed
        or key == "metadata"
        or ((wrong := spec.trim.get(key)) and wrong.isdisjoint(entry.changed))
    }


def new_person(card: Card, key: str, groups: Sequence[str]) -> Wire:
    """Return the body of a create: the card, our key, and its groups.

    `myContacts` has to be named: a contact made with groups is in no other (4.5).

    Raises:
        InvalidRecord: a value can not be written.
    """
    return {
        **card_to_person(card),
        "clientData": [{"key": KEY_NAME, "value": key}],
        "memberships": [
            {"contactGroupMembership": {"contactGroupResourceName": name}}
            for name in groups
        ],
    }


@dataclass(frozen=True, slots=True)
class Patch:
    """What an update sends for one person.

    Attributes:
        mask: the person fields to replace, sorted; empty if nothing has to be sent.
        body: resource name, etag, source and the masked fields.
    """

    mask: tuple[str, ...]
    body: Wire


def patch_of(person: Mapping[str, Any], after: Card, key: str) -> Patch:
    """Return what turns a person, as just read, into a changed card.

    Fields that do not change are never in the mask; memberships never are.

    Args:
        person: the wire form, read a moment ago.
        after: its card with the changes placed.
        key: our key, added where the person has none of ours; "" adds none.

    Raises:
        InvalidRecord: a value can not be written.
    """
    before = card_to_person(person_to_card(person))
    wanted = card_to_person(after)
    fields: Wire = {
        name: wanted.get(name, [])
        for name in MAPPED
        if wanted.get(name, []) != before.get(name, [])
    }
    data = _client_data_after(person, after.parked, key)
    if data is not None:
        fields["clientData"] = data
    source = contact_source(person)
    body: Wire = {
        "resourceName": person.get("resourceName"),
        "etag": person.get("etag"),
        "metadata": {"sources": [source] if source else [{"type": "CONTACT"}]},
        **fields,
    }
    return Patch(tuple(sorted(fields)), body)


def _client_data_after(
    person: Mapping[str, Any], parked: Collection[str], key: str
) -> list[Wire] | None:
    """Return the client data with our entries brought up to date; None if it is."""
    before = [
        {k: item[k] for k in ("key", "value") if k in item}
        for item in _items(person, "clientData")
    ]
    after = [item for item in before if item.get("key") != PARKED_NAME]
    if parked:
        after.append({"key": PARKED_NAME, "value": ",".join(sorted(parked))})
    ours = [clean(i.get("value")) for i in before if i.get("key") == KEY_NAME]
    if key and key not in ours:
        after.append({"key": KEY_NAME, "value": key})
    return after if clean(after) != clean(before) else None
