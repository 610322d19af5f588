"""The stored forms: a contact, a contact group, and the profile behind an address.

A contact is never changed: each write makes a new version, so that the feed can go on
showing the old one until the write has propagated (contract 4.4.8).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sandbox.messages import Json

SYSTEM_GROUPS = {
    "myContacts": "My Contacts",
    "starred": "Starred",
    "friends": "Friends",
    "family": "Family",
    "coworkers": "Coworkers",
    "chatBuddies": "Chat contacts",
    "all": "All Contacts",
    "blocked": "Blocked",
}
# Members can be added only to these of the system groups (4.7).
OPEN_GROUPS = ("myContacts", "starred")


@dataclass(frozen=True, slots=True)
class Profile:
    """A Google account's public profile."""

    sub: str
    email: str
    given: str
    family: str

    @property
    def name(self) -> str:
        return f"{self.given} {self.family}".strip()


@dataclass(frozen=True, slots=True)
class Contact:
    """One version of a contact."""

    id: str
    name: str
    fields: dict[str, list[Json]]
    groups: tuple[str, ...]
    seq: int
    updated: float
    photo: str | None = None
    previous: tuple[str, ...] = ()
    deleted: float | None = None
    profile: Profile | None = None
    made: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def document(self) -> Json:
        linked = self.profile
        return {
            "name": self.name,
            "fields": self.fields,
            "groups": self.groups,
            "seq": self.seq,
            "updated": self.updated,
            "photo": self.photo,
            "previous": self.previous,
            "deleted": self.deleted,
            "profile": linked
            and [linked.sub, linked.email, linked.given, linked.family],
        }


def contact_of(key: str, document: Json) -> Contact:
    linked = document["profile"]
    return Contact(
        id=key,
        name=document["name"],
        fields=document["fields"],
        groups=tuple(document["groups"]),
        seq=document["seq"],
        updated=document["updated"],
        photo=document["photo"],
        previous=tuple(document["previous"]),
        deleted=document["deleted"],
        profile=Profile(*linked) if linked else None,
    )


@dataclass(frozen=True, slots=True)
class Group:
    id: str
    name: str
    seq: int
    updated: float
    client_data: tuple[Json, ...] = ()
    deleted: bool = False

    @property
    def system(self) -> bool:
        return self.id in SYSTEM_GROUPS

    @property
    def resource(self) -> str:
        return f"contactGroups/{self.id}"

    def document(self) -> Json:
        return {
            "name": self.name,
            "seq": self.seq,
            "updated": self.updated,
            "client_data": self.client_data,
            "deleted": self.deleted,
        }


def group_of(key: str, document: Json) -> Group:
    return Group(
        id=key,
        name=document["name"],
        seq=document["seq"],
        updated=document["updated"],
        client_data=tuple(document["client_data"]),
        deleted=document["deleted"],
    )
