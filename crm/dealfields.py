"""The fields of leads, opportunities and tickets: names, lengths, and what is refused.

All values are texts: an amount reads `1234.50`, a date yyyy-mm-dd, "" is none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

from crm.errors import BadValue
from crm.fields import EMAILS, LIMITS

_OF_CONTACTS = (
    "first",
    "last",
    "company",
    "title",
    *EMAILS,
    "work_phone",
    "home_phone",
    "mobile",
    "fax",
    "web",
    "work_street",
    "work_city",
    "work_region",
    "work_postal",
    "work_country",
    "notes",
)

LEAD_LIMITS: Mapping[str, int] = {name: LIMITS[name] for name in _OF_CONTACTS} | {
    "status": 64
}
OPPORTUNITY_LIMITS: Mapping[str, int] = {
    "name": 128,
    "account_id": 12,
    "contact_id": 12,
    "amount": 20,
    "stage": 64,
    "close_date": 10,
}
TICKET_LIMITS: Mapping[str, int] = {
    "subject": 128,
    "account_id": 12,
    "contact_id": 12,
    "status": 64,
    "notes": 32_000,
}

_AMOUNT = re.compile(r"(\d{1,12})(?:\.(\d{1,2}))?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def parse_amount(value: str) -> int | None:
    """Read an amount as hundredths; "" is none.

    Raises:
        BadValue: if it is no amount.
    """
    if not value:
        return None
    found = _AMOUNT.fullmatch(value)
    if found is None:
        raise BadValue("amount", "is not an amount, such as 1200 or 1200.50")
    return int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))


def amount_text(hundredths: int | None) -> str:
    """Write an amount as `parse_amount` reads it.

    >>> amount_text(120050)
    '1200.50'
    """
    if hundredths is None:
        return ""
    return f"{hundredths // 100}.{hundredths % 100:02}"


def check_day(field: str, value: str) -> None:
    """Refuse a text that is neither "" nor a full date.

    Raises:
        BadValue: if it is no full date of the calendar.
    """
    try:
        if not value or (_DATE.fullmatch(value) and date.fromisoformat(value)):
            return
    except ValueError:
        pass
    raise BadValue(field, "is not a date in the form yyyy-mm-dd")
