"""From the body of a write to the fields that are stored (contract 4.2, 4.5)."""

from __future__ import annotations

from sandbox.errors import ApiError, invalid
from sandbox.messages import Json
from sandbox.people.errors import more_than_one
from sandbox.people.masks import SINGLETONS, UPDATABLE

_STORED = UPDATABLE - {"memberships"}


def stored_fields(person: Json) -> dict[str, list[Json]]:
    """The contact's own items, cleaned.

    Raises:
        ApiError: 400; a singleton twice, an impossible date, two source primaries.
    """
    fields: dict[str, list[Json]] = {}
    for name in _STORED & person.keys():
        items = [item for item in map(_item, person[name]) if item is not None]
        if name in SINGLETONS and len(items) > 1:
            raise more_than_one(name)
        if sum(1 for item in items if item.get("sourcePrimary")) > 1:
            raise invalid(
                f"Each source must have at most one field with source_primary set to "
                f"true: person.{name}."
            )
        for item in items:
            _check_dates(name, item)
        items = [item for item in items if item.keys() - {"sourcePrimary", "type"}]
        if name == "names":
            items = [item for item in map(_name, items) if item]
        if items:
            fields[name] = items
    return fields


def group_names(person: Json) -> list[str] | None:
    """The contact groups a body names; None when it has no memberships at all."""
    if "memberships" not in person:
        return None
    found = []
    for membership in person["memberships"]:
        inner = membership.get("contactGroupMembership", {})
        name = inner.get("contactGroupResourceName", "")
        if name:
            found.append(name.removeprefix("contactGroups/"))
    return list(dict.fromkeys(found))


def _item(given: Json) -> Json | None:
    """An item without its metadata; None if it belongs to another source (4.2)."""
    metadata = given.get("metadata", {})
    source = metadata.get("source", {}).get("type", "CONTACT")
    if source not in ("CONTACT", "SOURCE_TYPE_UNSPECIFIED"):
        return None
    item = {k: v for k, v in given.items() if k != "metadata" and v not in ("", {}, [])}
    if metadata.get("sourcePrimary"):
        item["sourcePrimary"] = True
    return item


def _name(item: Json) -> Json:
    """Components win; a free-form name is split when it stands alone."""
    parts = {k: v for k, v in item.items() if k not in ("unstructuredName",)}
    has_part = parts.keys() - {"sourcePrimary"}
    if not has_part and item.get("unstructuredName"):
        words = item["unstructuredName"].split()
        if words:
            parts["givenName"] = " ".join(words[:-1]) if len(words) > 1 else words[0]
        if len(words) > 1:
            parts["familyName"] = words[-1]
    return parts if parts.keys() - {"sourcePrimary"} else {}


_DATED = {
    "birthdays": ("date",),
    "events": ("date",),
    "organizations": ("startDate", "endDate"),
}
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def _check_dates(field: str, item: Json) -> None:
    for name in _DATED.get(field, ()):
        date = item.get(name)
        if date is not None and not _possible(date):
            raise _impossible(field, name)


def _impossible(field: str, name: str) -> ApiError:
    return invalid(f"Invalid date in person.{field}.{name}.")


def _possible(date: Json) -> bool:
    """Year 0, or day 0, or month and day 0 mean "not known" (schema Date)."""
    year, month, day = (date.get(part, 0) for part in ("year", "month", "day"))
    if not (0 <= year <= 9999 and 0 <= month <= 12 and 0 <= day <= 31):
        return False
    if month == 0:
        return bool(day == 0 and year > 0)
    if day > _DAYS[month - 1]:
        return False
    leap = year == 0 or (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0))
    return not (month == 2 and day == 29 and not leap)
