"""Field masks of People, and which fields they may name (contract 4.2)."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.messages import Json
from sandbox.people.errors import mask_invalid, mask_missing

UPDATABLE = frozenset(
    {
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
    }
)
READABLE = UPDATABLE | {"ageRanges", "coverPhotos", "metadata", "photos", "skills"}
GROUP_FIELDS = frozenset(["clientData", "groupType", "memberCount", "metadata", "name"])
SINGLETONS = ("names", "biographies", "birthdays", "genders")

CONTACT = "READ_SOURCE_TYPE_CONTACT"
PROFILE = "READ_SOURCE_TYPE_PROFILE"

# A mask is part of the top-level etag, so the fields need a fixed place each.
_PLACE = {name: 1 << place for place, name in enumerate(sorted(READABLE))}


@dataclass(frozen=True, slots=True)
class View:
    """What of a person an answer shows."""

    fields: frozenset[str]
    contact: bool = True
    profile: bool = True
    listing: bool = False  # lists cut e-mails and phones at 100 (4.2)
    tokened: bool = False  # previousResourceNames only with a sync token (4.3)

    @property
    def bits(self) -> int:
        """The mask and the sources as a number, for the top-level etag (4.3 [M])."""
        number = sum(_PLACE[name] for name in self.fields)
        return number << 2 | self.contact << 1 | self.profile


ALL = View(READABLE)
# What a hand in Google's own pages sees.
EVERYTHING = View(READABLE, profile=False, tokened=True)


def read_mask(
    given: str | None, name: str, *, known: frozenset[str] = READABLE
) -> frozenset[str]:
    """A mask that must name something.

    Raises:
        ApiError: 400; it is missing, or one of its paths is unknown.
    """
    if not given:
        raise mask_missing(name)
    return paths(given, name, known)


def paths(given: str, name: str, known: frozenset[str]) -> frozenset[str]:
    """The paths of a mask; an empty text is an empty mask."""
    found = given.split(",") if given else []
    for path in found:
        if path not in known:
            raise mask_invalid(name, path)
    return frozenset(found)


def person_fields(
    params: Json, *, default: frozenset[str] | None = None
) -> frozenset[str]:
    """`personFields`, or the older `requestMask.includeField` with `person.` paths."""
    given = params.get("personFields")
    if not given:
        older = params.get("requestMask.includeField", "")
        given = ",".join(
            part.removeprefix("person.") for part in older.split(",") if part
        )
    if not given and default is not None:
        return default
    return read_mask(given, "personFields")


def view(
    fields: frozenset[str], sources: list[str] | None, *, listing: bool = False
) -> View:
    """Default sources are CONTACT and PROFILE (4.2)."""
    wanted = set(sources or ()) - {"READ_SOURCE_TYPE_UNSPECIFIED"}
    if not wanted:
        wanted = {CONTACT, PROFILE}
    return View(fields, CONTACT in wanted, PROFILE in wanted, listing)
