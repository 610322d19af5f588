"""From a stored contact to the person an answer shows (contract 4.2, 4.3)."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from random import SystemRandom
from typing import Any

from sandbox.clock import rfc3339
from sandbox.messages import Json
from sandbox.people.masks import View
from sandbox.people.model import Contact, Profile

LIST_CAP = 100
_CAPPED = ("emailAddresses", "phoneNumbers")
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")
_shuffle = SystemRandom().shuffle


def person_etag(contact: Contact, view: View) -> str:
    """Opaque, always present, different for different masks (4.3 [M])."""
    return "%" + _pack(f"{contact.id}.{contact.seq}.{view.bits:x}")


def source_etag(contact: Contact) -> str:
    stamp = hashlib.sha256(f"{contact.id}.{contact.seq}".encode()).hexdigest()
    return "#" + _pack(stamp[:16])


def fits(etag: str, contact: Contact) -> bool:
    """Whether a top-level etag, read with any mask, is of the current version."""
    try:
        text = base64.urlsafe_b64decode(etag[1:] + "==").decode()
    except ValueError:
        return False
    return etag.startswith("%") and text.startswith(f"{contact.id}.{contact.seq}.")


def person(contact: Contact, view: View, *, shuffle: bool = False) -> Json:
    """The person as JSON; the shared inner items must not be changed."""
    answer: Json = {"resourceName": contact.name, "etag": person_etag(contact, view)}
    if contact.deleted is not None:
        if "metadata" in view.fields:
            answer["metadata"] = _tombstone(contact, view)
        return answer
    items = _own_items(contact, view.fields) if view.contact else {}
    if view.profile and contact.profile is not None:
        items = _merged(items, contact.profile)
    for name in view.fields:
        if name == "metadata":
            answer["metadata"] = _metadata(contact, view)
        elif name in items:
            listed = items[name]
            if view.listing and name in _CAPPED and len(listed) > LIST_CAP:
                listed = listed[:LIST_CAP]
            if shuffle and len(listed) > 1:
                listed = list(listed)
                _shuffle(listed)
            answer[name] = listed
    return answer


def _pack(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _tombstone(contact: Contact, view: View) -> Json:
    """Only the name and the fact are promised (4.4.4)."""
    metadata: Json = {"deleted": True, "objectType": "PERSON"}
    if view.tokened and contact.previous:
        metadata["previousResourceNames"] = list(contact.previous)
    return metadata


def _metadata(contact: Contact, view: View) -> Json:
    sources: list[Json] = []
    if view.contact:
        sources.append(
            {
                "type": "CONTACT",
                "id": contact.id,
                "etag": source_etag(contact),
                "updateTime": rfc3339(contact.updated),
            }
        )
    if view.profile and contact.profile is not None:
        sources.append(profile_source(contact.profile))
    metadata: Json = {"sources": sources, "objectType": "PERSON"}
    if view.tokened and contact.previous:
        metadata["previousResourceNames"] = list(contact.previous)
    return metadata


def profile_source(profile: Profile) -> Json:
    return {
        "type": "PROFILE",
        "id": profile.sub,
        "etag": "#" + _pack(profile.sub[-8:]),
        "profileMetadata": {"objectType": "PERSON", "userTypes": ["GOOGLE_USER"]},
    }


def _own_items(contact: Contact, names: Iterable[str]) -> dict[str, list[Json]]:
    """The items of some fields with their outputs; made once for each version."""
    made: dict[str, list[Json]] = contact.made.setdefault("items", {})
    source = {"type": "CONTACT", "id": contact.id}
    for name in names:
        if name in made:
            continue
        if name == "memberships":
            made[name] = [
                _membership(group, source, first=place == 0)
                for place, group in enumerate(contact.groups)
            ]
        elif name == "photos":
            made[name] = [_photo(contact, source)]
        elif name in contact.fields:
            made[name] = _items(name, contact.fields[name], source)
    return made


def _items(name: str, stored: list[Json], source: Json) -> list[Json]:
    derive = _OUTPUTS.get(name)
    first = next((i for i, item in enumerate(stored) if item.get("sourcePrimary")), 0)
    made = []
    for place, item in enumerate(stored):
        metadata: Json = {"source": source}
        if place == first:
            metadata = {"primary": True, "sourcePrimary": True, "source": source}
        shown = {"metadata": metadata, **item}
        shown.pop("sourcePrimary", None)
        if "type" in item:
            shown["formattedType"] = _formatted(item["type"])
        if derive is not None:
            derive(shown)
        made.append(shown)
    return made


def _membership(group: str, source: Json, *, first: bool) -> Json:
    metadata = {"primary": True, "source": source} if first else {"source": source}
    return {
        "metadata": metadata,
        "contactGroupMembership": {
            "contactGroupId": group,
            "contactGroupResourceName": f"contactGroups/{group}",
        },
    }


def _photo(contact: Contact, source: Json) -> Json:
    metadata = {"primary": True, "source": source}
    if contact.photo:
        return {"metadata": metadata, "url": contact.photo}
    letter = contact.id[-1]
    url = f"https://photos.sandbox.example/cm/default-{letter}=s100"
    return {"metadata": metadata, "url": url, "default": True}


def _merged(items: dict[str, list[Json]], profile: Profile) -> dict[str, list[Json]]:
    """Profile values appear as further items, which no write can change (4.2)."""
    source = {"type": "PROFILE", "id": profile.sub}
    extra: dict[str, Json] = {
        "names": {"givenName": profile.given, "familyName": profile.family},
        "emailAddresses": {"value": profile.email},
    }
    _display_name(extra["names"])
    merged = dict(items)
    for name, item in extra.items():
        own = items.get(name, [])
        metadata: Json = {"source": source, "verified": True, "sourcePrimary": True}
        if not own:
            metadata["primary"] = True
        merged[name] = [*own, {"metadata": metadata, **item}]
    return merged


def _display_name(item: Json) -> None:
    given = [item.get(k, "") for k in ("honorificPrefix", "givenName", "middleName")]
    parts = [p for p in (*given, item.get("familyName", "")) if p]
    shown = " ".join(parts)
    suffix = item.get("honorificSuffix", "")
    if suffix:
        shown = f"{shown}, {suffix}" if shown else suffix
    first = " ".join(p for p in given[1:] if p)
    family = item.get("familyName", "")
    last_first = f"{family}, {first}" if family and first else family or first
    item["displayName"] = shown
    item["displayNameLastFirst"] = last_first or shown
    item["unstructuredName"] = shown


def _canonical(item: Json) -> None:
    form = canonical_form(item.get("value", ""))
    if form:
        item["canonicalForm"] = form


@lru_cache(maxsize=65_536)
def canonical_form(value: str) -> str:
    """E.164 of an international number; nothing when it cannot be parsed (4.2)."""
    if not value.lstrip().startswith("+"):
        return ""
    import phonenumbers

    try:
        number = phonenumbers.parse(value, None)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_possible_number(number):
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _postal(item: Json) -> None:
    """Built from the parts only if the client set none (4.2)."""
    if item.get("formattedValue"):
        return
    city = " ".join(
        p for p in (item.get("region", ""), item.get("postalCode", "")) if p
    )
    line = ", ".join(p for p in (item.get("city", ""), city) if p)
    names = ("streetAddress", "extendedAddress", "poBox")
    lines = [*(item.get(n, "") for n in names), line, item.get("country", "")]
    text = "\n".join(part for part in lines if part)
    if text:
        item["formattedValue"] = text


def _biography(item: Json) -> None:
    item.setdefault("contentType", "TEXT_PLAIN")


def _im(item: Json) -> None:
    if "protocol" in item:
        item["formattedProtocol"] = _formatted(item["protocol"])


def _gender(item: Json) -> None:
    if "value" in item:
        item["formattedValue"] = _formatted(item["value"])


@lru_cache(maxsize=1024)
def _formatted(kind: str) -> str:
    """A predefined type in words; a custom one as it is."""
    if not kind.isascii() or not kind.isalpha() or kind[:1].isupper():
        return kind
    return " ".join(word[:1].upper() + word[1:] for word in _WORDS.split(kind))


_OUTPUTS: dict[str, Callable[[Any], None]] = {
    "names": _display_name,
    "phoneNumbers": _canonical,
    "addresses": _postal,
    "biographies": _biography,
    "imClients": _im,
    "genders": _gender,
}
