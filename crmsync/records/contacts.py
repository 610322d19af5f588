"""Contacts: the mapping of CON-17 as data, and how a contact is named."""

from __future__ import annotations

from crmsync.records import equivalence
from crmsync.records.values import Field, FieldDirection, Values

_TEXT = equivalence.text

EMAIL_SLOTS = ("email", "email2", "email3")
PHONE_SLOTS = ("work_phone", "home_phone", "mobile", "fax")
WEB_SLOTS = ("web",)
ADDRESS_SLOTS = ("work", "home")
ADDRESS_PARTS = ("street", "city", "region", "postal", "country")


def _address(slot: str) -> tuple[Field, ...]:
    label = slot.capitalize()
    google = f"addresses[{slot}]"
    return (
        Field(
            f"{slot}_street", f"{label} street", f"{google}.streetAddress", _TEXT, 1024
        ),
        Field(f"{slot}_city", f"{label} city", f"{google}.city", _TEXT, 1024),
        Field(f"{slot}_region", f"{label} region", f"{google}.region", _TEXT, 1024),
        Field(
            f"{slot}_postal",
            f"{label} postal code",
            f"{google}.postalCode",
            _TEXT,
            1024,
        ),
        Field(f"{slot}_country", f"{label} country", f"{google}.country", _TEXT, 1024),
    )


def _email(name: str, label: str) -> Field:
    return Field(name, label, "emailAddresses", equivalence.email, 1024, is_cut=False)


def _phone(name: str, label: str, kind: str) -> Field:
    google = f"phoneNumbers[{kind}]"
    return Field(name, label, google, equivalence.phone, 1024, is_cut=False)


FIELDS: tuple[Field, ...] = (
    Field("prefix", "Prefix", "names.honorificPrefix", _TEXT, 1024),
    Field("first", "First name", "names.givenName", _TEXT, 1024),
    Field("middle", "Middle name", "names.middleName", _TEXT, 1024),
    Field("last", "Last name", "names.familyName", _TEXT, 1024),
    Field("suffix", "Suffix", "names.honorificSuffix", _TEXT, 1024),
    Field(
        "company",
        "Company",
        "organizations.name",
        _TEXT,
        1024,
        direction=FieldDirection.TO_GOOGLE,
        keeps_when_blank=True,
        tells_edits=True,
    ),
    Field("title", "Title", "organizations.title", _TEXT, 1024),
    Field("department", "Department", "organizations.department", _TEXT, 1024),
    _email("email", "E-mail"),
    _email("email2", "E-mail 2"),
    _email("email3", "E-mail 3"),
    _phone("work_phone", "Work phone", "work"),
    _phone("home_phone", "Home phone", "home"),
    _phone("mobile", "Mobile", "mobile"),
    _phone("fax", "Fax", "workFax"),
    Field("web", "Web address", "urls", equivalence.web, 2048, is_cut=False),
    *_address("work"),
    *_address("home"),
    Field("birthday", "Birthday", "birthdays.date", _TEXT, 10, is_cut=False),
    Field("notes", "Notes", "biographies.value", _TEXT, 65536),
)
"""The built-in table. Google publishes no lengths for People fields: the limits are
its observed ones, kept far above any CRM's, and a setting can narrow the table."""

CUSTOM_PREFIX = "custom:"
"""Fields that an admin maps to Google's `userDefined` are named `custom:<key>`."""


def custom_field(key: str) -> Field:
    """Return the field for a custom one of Google's (`userDefined`, CON-17)."""
    return Field(f"{CUSTOM_PREFIX}{key}", key, f"userDefined[{key}]", _TEXT, 1024)


def display_name(values: Values) -> str:
    """Return what a list shows for a contact: its name, else address, else company."""
    parts = (values.get("first", ""), values.get("last", ""))
    name = " ".join(part for part in parts if part)
    return (
        name
        or values.get("email", "")
        or values.get("company", "")
        or values.get("mobile", "")
        or values.get("work_phone", "")
        or "(no name)"
    )


def facts(values: Values) -> str:
    """Return what tells a contact from others of its name, in one line.

    >>> facts({"title": "Buyer", "company": "Acme", "email": "jo@acme.example"})
    'Buyer · Acme · jo@acme.example'
    """
    names = ("title", "company", *EMAIL_SLOTS, *PHONE_SLOTS, "work_city", "home_city")
    return " · ".join(values[name] for name in names if values.get(name))


def addresses_of(values: Values) -> tuple[str, ...]:
    """Return a contact's e-mail addresses in canonical form, without repeats."""
    filled = (values[slot] for slot in EMAIL_SLOTS if values.get(slot))
    found = (equivalence.email(value) for value in filled)
    return tuple(dict.fromkeys(item for item in found if item))
