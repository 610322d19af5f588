"""A contact's fields: names, lengths and what the CRM refuses (CON-17).

Lengths are Infor's and count code points. Two choices of our own: a street is one
text of up to three of Infor's lines (3 x 64 and two line ends), and notes, for which
Infor has no column, take 32,000. Besides these fields a contact has any number of
custom ones, each named `custom:<key>`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

from crm.errors import BadValue, TooLong
from crm.folding import ACCOUNT_NAME_LIMIT

_STREET = 3 * 64 + 2

LIMITS: dict[str, int] = {
    "prefix": 16,
    "first": 32,
    "middle": 32,
    "last": 32,
    "suffix": 16,
    "company": ACCOUNT_NAME_LIMIT,
    "title": 64,
    "department": 32,
    "email": 128,
    "email2": 128,
    "email3": 128,
    "work_phone": 32,
    "home_phone": 32,
    "mobile": 32,
    "fax": 32,
    "web": 128,
    "work_street": _STREET,
    "work_city": 32,
    "work_region": 32,
    "work_postal": 24,
    "work_country": 32,
    "home_street": _STREET,
    "home_city": 32,
    "home_region": 32,
    "home_postal": 24,
    "home_country": 32,
    "birthday": 10,
    "notes": 32_000,
}
FIELDS = tuple(LIMITS)
CUSTOM_PREFIX = "custom:"
CUSTOM_LIMIT = 255
CUSTOM_KEY_LIMIT = 64
EMAILS = ("email", "email2", "email3")
PHONES = ("work_phone", "home_phone", "mobile", "fax")
PLACES = ("work", "home")
PLACE_PARTS = ("street", "city", "region", "postal", "country")
NEVER_CUT = frozenset((*EMAILS, *PHONES, "web", "birthday"))
"""Half of one of these is worse than none (CON-15)."""

_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_NOT_IN_KEYS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def is_custom(name: str) -> bool:
    """Whether a name is one of a custom field; its key may still be refused."""
    return name.startswith(CUSTOM_PREFIX)


def limit_of(name: str) -> int:
    """Return the code points that a field takes, a custom one included.

    Raises:
        BadValue: if contacts have no such field.
    """
    if is_custom(name):
        _check_key(name)
        return CUSTOM_LIMIT
    if name not in LIMITS:
        raise BadValue(name, "is not a field of a contact")
    return LIMITS[name]


def _check_key(name: str) -> None:
    key = name.removeprefix(CUSTOM_PREFIX)
    if not key.strip():
        raise BadValue(name, "names no custom field")
    if len(key) > CUSTOM_KEY_LIMIT:
        raise BadValue(name, f"has a name of over {CUSTOM_KEY_LIMIT} characters")
    if _NOT_IN_KEYS.search(key):
        raise BadValue(name, "has a control character in its name")


def check_text(field: str, value: str, limit: int) -> None:
    """Refuse a text that its column cannot hold.

    Raises:
        TooLong: if it is longer than the limit, in code points.
        BadValue: if it holds NUL or half a surrogate pair, which no database takes.
    """
    if len(value) > limit:
        raise TooLong(field, limit, len(value))
    if _UNSTORABLE.search(value):
        raise BadValue(field, "holds a character that cannot be stored")


def parse_birthday(value: str) -> date | None:
    """Read an ISO date; "" is none.

    Raises:
        BadValue: if it is no full date of the calendar.
    """
    if not value:
        return None
    if not _ISO_DATE.fullmatch(value):
        raise BadValue("birthday", "is not a date in the form yyyy-mm-dd")
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise BadValue("birthday", "is not a date of the calendar") from error


def check(values: Mapping[str, str]) -> None:
    """Refuse values that the CRM cannot hold; it never truncates.

    Raises:
        BadValue: naming the first field at fault (`TooLong` with its limit).
    """
    for name, value in values.items():
        check_text(name, value, limit_of(name))
    parse_birthday(values.get("birthday", ""))
