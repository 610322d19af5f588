"""Contacts as values: what operations take and return, and how they stand in rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, case, select

from crm.accounts import AccountRow, AccountRule
from crm.common import EVERYONE
from crm.fields import (
    CUSTOM_PREFIX,
    EMAILS,
    FIELDS,
    check,
    is_custom,
    parse_birthday,
)
from crm.folding import address_key, fold, person_key
from crm.tables import Account, Contact


@dataclass(frozen=True, slots=True)
class ContactRow:
    """A contact.

    Attributes:
        version: the etag; grows at each change of the values or of the owner.
        values: every field of `FIELDS`; "" is empty, the birthday yyyy-mm-dd, the
            company "" for a personal account (CON-9). All empty once deleted. Behind
            them the custom fields that have a value, by name.
        sync_key: the key it was created with, kept by the tombstone.
        deleted: the row is a tombstone.
        modified_at: aware UTC.
        owner: `Everyone` or a user's id.
        merged_into: id of the survivor, if it was deleted by a merge (CON-21).
    """

    id: str
    version: int
    values: dict[str, str]
    sync_key: str | None
    deleted: bool
    modified_at: datetime
    modified_by: str
    created_at: datetime
    owner: str
    account_id: str
    merged_into: str | None


@dataclass(frozen=True, slots=True)
class NewContact:
    """A contact to create.

    Attributes:
        values: any of `FIELDS`, and custom fields.
        account: the rule that finds or makes its account, or an account's id.
        sync_key: makes the create idempotent.
    """

    values: Mapping[str, str]
    account: AccountRule | str
    sync_key: str | None = None
    owner: str = EVERYONE


@dataclass(frozen=True, slots=True)
class ContactEdit:
    """Fields to write on one contact; `expected_version` None does not compare."""

    contact_id: str
    changes: Mapping[str, str]
    expected_version: int | None = None


def _value_column(name: str) -> Any:
    if name == "company":
        return case((Account.is_personal, ""), else_=Account.name)
    return getattr(Contact, name)


_HEAD = (
    Contact.id,
    Contact.version,
    Contact.sync_key,
    Contact.deleted_at,
    Contact.modified_at,
    Contact.modified_by,
    Contact.created_at,
    Contact.owner,
    Contact.account_id,
    Contact.merged_into,
    Contact.custom,
)
_BIRTHDAY = FIELDS.index("birthday")
_COMPANY = FIELDS.index("company")


def contact_select() -> Select[Any]:
    """Return the query whose rows `from_row` reads."""
    columns: list[Any] = [*_HEAD, *(_value_column(name) for name in FIELDS)]
    return select(*columns).join(Account, Account.id == Contact.account_id)


def from_row(row: Sequence[Any]) -> ContactRow:
    """Read a row of `contact_select`."""
    head, cells = row[: len(_HEAD)], list(row[len(_HEAD) :])
    birthday: date | None = cells[_BIRTHDAY]
    cells[_BIRTHDAY] = birthday.isoformat() if birthday else ""
    if head[3] is not None:
        cells[_COMPANY] = ""
    return ContactRow(
        id=head[0],
        version=head[1],
        values=dict(zip(FIELDS, cells, strict=True)) | _named(head[10]),
        sync_key=head[2],
        deleted=head[3] is not None,
        modified_at=head[4],
        modified_by=head[5],
        created_at=head[6],
        owner=head[7],
        account_id=head[8],
        merged_into=head[9],
    )


def _named(custom: Mapping[str, str]) -> dict[str, str]:
    """Return custom fields by name; a database does not keep their order."""
    return {f"{CUSTOM_PREFIX}{key}": custom[key] for key in sorted(custom)}


def full_values(values: Mapping[str, str], company: str) -> dict[str, str]:
    """Return all fields in order, the missing ones empty; empty custom ones go.

    Raises:
        BadValue: if the CRM cannot hold one of them.
    """
    check(values)
    custom = {n: values[n] for n in sorted(values) if is_custom(n) and values[n]}
    plain = {name: values.get(name, "") for name in FIELDS}
    return plain | {"company": company} | custom


def value_columns(values: Mapping[str, str]) -> dict[str, Any]:
    """Return the columns of `crm_contact` that hold full values."""
    columns: dict[str, Any] = {
        name: values[name] for name in FIELDS if name != "company"
    }
    columns["birthday"] = parse_birthday(values["birthday"])
    columns["custom"] = {
        name.removeprefix(CUSTOM_PREFIX): value
        for name, value in values.items()
        if is_custom(name)
    }
    columns["name_key"] = person_key(fold(values["first"]), fold(values["last"]))
    return columns


def row_columns(contact: ContactRow, *, seq: int) -> dict[str, Any]:
    """Return the whole row of a live contact, for an insert."""
    return {
        "id": contact.id,
        "account_id": contact.account_id,
        "owner": contact.owner,
        "version": contact.version,
        "sync_key": contact.sync_key,
        "change_seq": seq,
        "created_at": contact.created_at,
        "modified_at": contact.modified_at,
        "modified_by": contact.modified_by,
        "deleted_at": None,
        "merged_into": None,
        **value_columns(contact.values),
    }


def address_rows(contacts: Sequence[ContactRow]) -> list[dict[str, str]]:
    """Return the rows of `crm_contact_address` for contacts."""
    return [
        {"address": address, "contact_id": contact.id}
        for contact in contacts
        for address in addresses_of(contact.values)
    ]


def addresses_of(values: Mapping[str, str]) -> list[str]:
    """Return a contact's folded e-mail addresses, each once, in the order of slots."""
    folded = (address_key(values.get(slot, "")) for slot in EMAILS)
    return list(dict.fromkeys(item for item in folded if item))


def shown_name(values: Mapping[str, str]) -> str:
    """Return what a contact or lead is called in a list."""
    name = f"{values['first']} {values['last']}".strip()
    return name or values["company"] or values["email"] or "(no name)"


def shown_company(account: AccountRow) -> str:
    """Return what a contact of that account reads as its company (CON-9)."""
    return "" if account.is_personal else account.name
