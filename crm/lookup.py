"""Finding and listing contacts; every look-up by key is a read of an index.

Only live contacts are found, unless asked otherwise. With `viewer`, only those that
this user sees (WEB-3).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select, tuple_

from crm.common import chunks, visible
from crm.folding import address_key, fold, person_key
from crm.rows import ContactRow, contact_select, from_row
from crm.tables import Account, Contact, ContactAddress, GroupMember

_LIVE = Contact.deleted_at.is_(None)
_AFTER_ALL = "\U0010ffff"


def find_by_addresses(
    conn: Connection, addresses: Iterable[str], *, viewer: str | None = None
) -> dict[str, list[str]]:
    """Return the ids of contacts that have an address, by folded address (CON-6).

    Each of a contact's three addresses counts, whatever its case. A text that is no
    address matches nothing.
    """
    keys = sorted({address_key(item) for item in addresses} - {""})
    found: dict[str, list[str]] = {}
    for part in chunks(keys):
        statement = (
            select(ContactAddress.address, ContactAddress.contact_id)
            .join(Contact, Contact.id == ContactAddress.contact_id)
            .where(ContactAddress.address.in_(part), *visible(Contact.owner, viewer))
            .order_by(ContactAddress.address, ContactAddress.contact_id)
        )
        for address, contact_id in conn.execute(statement):
            found.setdefault(address, []).append(contact_id)
    return found


def find_by_names(
    conn: Connection, names: Iterable[tuple[str, str]], *, viewer: str | None = None
) -> dict[tuple[str, str], list[str]]:
    """Return the ids of contacts by (first, last) name, in whatever case (CON-7).

    The result's keys are the names as they were given. Empty names match nothing.
    """
    wanted: dict[str, list[tuple[str, str]]] = {}
    for first, last in set(names):
        if fold(first) or fold(last):
            key = person_key(fold(first), fold(last))
            wanted.setdefault(key, []).append((first, last))
    found: dict[tuple[str, str], list[str]] = {}
    for part in chunks(sorted(wanted)):
        statement = (
            select(Contact.name_key, Contact.id)
            .where(Contact.name_key.in_(part), _LIVE, *visible(Contact.owner, viewer))
            .order_by(Contact.id)
        )
        for key, contact_id in conn.execute(statement):
            for name in wanted[key]:
                found.setdefault(name, []).append(contact_id)
    return found


def find_by_sync_keys(
    conn: Connection, keys: Iterable[str], *, deleted: bool = False
) -> dict[str, str]:
    """Return the ids of live contacts by the sync key they were created with.

    With `deleted`, of tombstones too: they keep their key (ENG-2).
    """
    alive = [] if deleted else [_LIVE]
    return {
        key: contact_id
        for part in chunks(sorted(set(keys)))
        for contact_id, key in conn.execute(
            select(Contact.id, Contact.sync_key).where(
                Contact.sync_key.in_(part), *alive
            )
        )
        if key is not None
    }


def find_by_key_prefixes(
    conn: Connection, prefixes: Iterable[str]
) -> dict[str, list[str]]:
    """Return the ids of live contacts whose sync key begins with a text, by text."""
    wanted = sorted(set(prefixes))
    found: dict[str, list[str]] = {}
    for part in chunks(wanted, 100):
        ranges = [
            and_(Contact.sync_key >= item, Contact.sync_key < item + _AFTER_ALL)
            for item in part
        ]
        statement = select(Contact.sync_key, Contact.id).where(_LIVE, or_(*ranges))
        for key, contact_id in conn.execute(statement.order_by(Contact.id)):
            for prefix in part:
                if key is not None and key.startswith(prefix):
                    found.setdefault(prefix, []).append(contact_id)
    return found


def page(
    conn: Connection, *, after: str = "", limit: int = 200, viewer: str | None = None
) -> list[ContactRow]:
    """Return contacts in the order of ids; `after` is the last id that was seen."""
    statement = (
        visible_contacts(viewer)
        .where(Contact.id > after)
        .order_by(Contact.id)
        .limit(limit)
    )
    return [from_row(row) for row in conn.execute(statement)]


def page_of_group(
    conn: Connection, group_id: str, *, after: str = "", limit: int = 200
) -> list[ContactRow]:
    """Return the members of a group in the order of ids, whoever sees them."""
    statement = (
        contact_select()
        .join(GroupMember, GroupMember.contact_id == Contact.id)
        .where(GroupMember.group_id == group_id, GroupMember.is_member.is_(True))
        .where(GroupMember.contact_id > after)
        .order_by(GroupMember.contact_id)
        .limit(limit)
    )
    return [from_row(row) for row in conn.execute(statement)]


def search(
    conn: Connection,
    text: str = "",
    *,
    after: tuple[str, str] = ("", ""),
    limit: int = 200,
    viewer: str | None = None,
) -> list[ContactRow]:
    """Return contacts by last, then first name, in which every word occurs.

    Words are looked for in name, addresses and company. `after` is the `sort_key` of
    the last contact that was seen.
    """
    statement = (
        visible_contacts(viewer)
        .where(tuple_(Contact.name_key, Contact.id) > tuple_(*after))
        .where(*(has_word(word) for word in fold(text).split()))
        .order_by(Contact.name_key, Contact.id)
        .limit(limit)
    )
    return [from_row(row) for row in conn.execute(statement)]


def sort_key(contact: ContactRow) -> tuple[str, str]:
    """Return the place of a contact in `search`."""
    first, last = contact.values["first"], contact.values["last"]
    return person_key(fold(first), fold(last)), contact.id


def account_contacts(
    conn: Connection, account_id: str, *, viewer: str | None = None
) -> list[ContactRow]:
    """Return the contacts of an account by name."""
    statement = (
        visible_contacts(viewer)
        .where(Contact.account_id == account_id)
        .order_by(Contact.name_key, Contact.id)
    )
    return [from_row(row) for row in conn.execute(statement)]


def visible_contacts(viewer: str | None) -> Select[Any]:
    """Return the query of the live contacts that a user sees."""
    return contact_select().where(_LIVE, *visible(Contact.owner, viewer))


def has_word(word: str) -> ColumnElement[bool]:
    """Return the condition that a folded word occurs in what `search` looks at."""
    with_address = select(ContactAddress.contact_id).where(
        ContactAddress.address.contains(word, autoescape=True)
    )
    return or_(
        Contact.name_key.contains(word, autoescape=True),
        and_(
            Account.is_personal.is_(False),
            Account.name_key.contains(word, autoescape=True),
        ),
        Contact.id.in_(with_address),
    )
