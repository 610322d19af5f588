"""Contacts: read, create, update, delete. Looking for them is in `crm.lookup`.

Writes check the whole batch before they change anything: a refusal leaves no trace.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from crm import accounts, feed, groups
from crm.accounts import AccountRow, AccountRule
from crm.common import EVERYONE, NOBODY, Author, chunks, new_id, visible
from crm.errors import BadValue, NotFound, VersionMismatch
from crm.fields import CUSTOM_LIMIT, FIELDS, LIMITS, limit_of
from crm.rows import (
    ContactEdit,
    ContactRow,
    NewContact,
    address_rows,
    addresses_of,
    contact_select,
    from_row,
    full_values,
    row_columns,
    shown_company,
    value_columns,
)
from crm.tables import Contact, ContactAddress

__all__ = [
    "CUSTOM_LIMIT",
    "LIMITS",
    "ContactEdit",
    "ContactRow",
    "NewContact",
    "create",
    "create_many",
    "delete",
    "delete_many",
    "get",
    "limit_of",
    "move",
    "read",
    "update",
    "update_many",
]


def read(
    conn: Connection, ids: Sequence[str], *, viewer: str | None = None
) -> list[ContactRow]:
    """Return contacts in the order of `ids`, tombstones too; unknown ids are left out.

    With `viewer`, contacts that this user does not see are left out (WEB-3).
    """
    found: dict[str, ContactRow] = {}
    for part in chunks(list(dict.fromkeys(ids))):
        statement = contact_select().where(
            Contact.id.in_(part), *visible(Contact.owner, viewer)
        )
        found.update((row[0], from_row(row)) for row in conn.execute(statement))
    return [found[item] for item in ids if item in found]


def get(conn: Connection, contact_id: str) -> ContactRow:
    """Return one live contact.

    Raises:
        NotFound: if there is none, or it is deleted.
    """
    return _live(conn, [contact_id])[contact_id]


def create(
    conn: Connection,
    values: Mapping[str, str],
    *,
    account: AccountRule | str,
    sync_key: str | None = None,
    owner: str = EVERYONE,
    by: Author = NOBODY,
) -> ContactRow:
    """Create one contact; see `create_many`."""
    person = NewContact(values, account, sync_key, owner)
    return create_many(conn, [person], by=by)[0]


def create_many(
    conn: Connection, people: Sequence[NewContact], *, by: Author = NOBODY
) -> list[ContactRow]:
    """Create contacts with their accounts; one row each, in order.

    A sync key that is there already answers with the contact that has it, as it is
    now, even a deleted one: that create has happened (ENG-2).

    Raises:
        BadValue: if the CRM cannot hold a value.
        AmbiguousAccount: if a rule says to ask (CON-9).
        NotFound: if an account given by id does not exist.
    """
    for person in people:
        full_values(person.values, "")
    feed.lock(conn)
    rows = _by_sync_key(conn, people)
    fresh: dict[object, NewContact] = {}
    for place, person in enumerate(people):
        if person.sync_key not in rows:
            fresh.setdefault(person.sync_key or place, person)
    placed = _accounts_of(conn, list(fresh.values()), by=by)
    made = {
        key: _made(person, account, by=by)
        for (key, person), account in zip(fresh.items(), placed, strict=True)
    }
    _insert(conn, list(made.values()))
    return [
        rows.get(person.sync_key) or made[person.sync_key or place]
        for place, person in enumerate(people)
    ]


def update(
    conn: Connection,
    contact_id: str,
    *,
    changes: Mapping[str, str],
    expected_version: int | None = None,
    by: Author = NOBODY,
) -> ContactRow:
    """Write fields of one contact; see `update_many`."""
    edit = ContactEdit(contact_id, changes, expected_version)
    return update_many(conn, [edit], by=by)[0]


def update_many(
    conn: Connection, edits: Sequence[ContactEdit], *, by: Author = NOBODY
) -> list[ContactRow]:
    """Write fields of contacts, each at most once; the rows as they are afterwards.

    Changes that change nothing leave the version and the feed alone (CON-19).

    Raises:
        NotFound: if one does not exist or is deleted.
        VersionMismatch: if one was changed since `expected_version`.
        BadValue: if the CRM cannot hold a value, or the company differs: it is
            written only at creation (CON-18).
    """
    ids = [edit.contact_id for edit in edits]
    if len(set(ids)) < len(ids):
        raise BadValue("contact", "is edited twice in one batch")
    feed.lock(conn)
    old = _live(conn, ids)
    new = {edit.contact_id: _edited(old[edit.contact_id], edit, by) for edit in edits}
    changed = [row for row in new.values() if row is not old[row.id]]
    _write(conn, changed)
    _refresh_addresses(
        conn,
        [
            row
            for row in changed
            if addresses_of(row.values) != addresses_of(old[row.id].values)
        ],
    )
    return [new[edit.contact_id] for edit in edits]


def delete(
    conn: Connection,
    contact_id: str,
    *,
    expected_version: int | None = None,
    by: Author = NOBODY,
) -> bool:
    """Delete a contact: values and memberships go, a tombstone stays in the feed.

    Returns:
        False if it was deleted before.

    Raises:
        NotFound: if it never existed.
        VersionMismatch: if it was changed since `expected_version`.
    """
    feed.lock(conn)
    rows = read(conn, [contact_id])
    if not rows:
        raise NotFound(f"there is no contact {contact_id}")
    if rows[0].deleted:
        return False
    if expected_version not in {None, rows[0].version}:
        raise VersionMismatch(rows[0])
    bury(conn, [contact_id], by=by)
    return True


def delete_many(
    conn: Connection, ids: Sequence[str], *, by: Author = NOBODY
) -> list[str]:
    """Delete contacts; returns those that were there."""
    feed.lock(conn)
    live = [row.id for row in read(conn, list(dict.fromkeys(ids))) if not row.deleted]
    bury(conn, live, by=by)
    return live


def move(
    conn: Connection, contact_id: str, *, account_id: str, by: Author = NOBODY
) -> ContactRow:
    """Move a contact to another account: a person's act, never the cycle's (CON-18).

    Raises:
        NotFound: if the contact or the account does not exist.
    """
    feed.lock(conn)
    account = accounts.get(conn, account_id)
    old = get(conn, contact_id)
    if old.account_id == account_id:
        return old
    values = old.values | {"company": shown_company(account)}
    new = replace(old, values=values, account_id=account_id)
    return rewrite(conn, new, by=by)


def rewrite(conn: Connection, contact: ContactRow, *, by: Author) -> ContactRow:
    """Store a live contact's values and account as they are given, as a new version.

    Only for operations of this package that have locked the feed.
    """
    new = replace(
        contact,
        version=contact.version + 1,
        modified_at=by.now(),
        modified_by=by.user_id,
    )
    _write(conn, [new])
    _refresh_addresses(conn, [new])
    return new


def bury(
    conn: Connection,
    ids: Sequence[str],
    *,
    merged_into: str | None = None,
    by: Author,
) -> None:
    """Make tombstones of live contacts. Only for operations of this package."""
    if not ids:
        return
    groups.drop_contacts(conn, ids)
    _drop_addresses(conn, ids)
    first = feed.take(conn, len(ids))
    at = by.now()
    blank = value_columns(dict.fromkeys(FIELDS, ""))
    conn.execute(
        sa.update(Contact)
        .where(Contact.id == bindparam("of"))
        .values(
            **blank,
            version=Contact.version + 1,
            change_seq=bindparam("seq"),
            deleted_at=at,
            modified_at=at,
            modified_by=by.user_id,
            merged_into=merged_into,
        ),
        [{"of": item, "seq": first + place} for place, item in enumerate(ids)],
    )


# ------------------------------------------------------------------ creating


def _by_sync_key(
    conn: Connection, people: Sequence[NewContact]
) -> dict[str | None, ContactRow]:
    keys = sorted({person.sync_key for person in people if person.sync_key})
    return {
        row[2]: from_row(row)
        for part in chunks(keys)
        for row in conn.execute(contact_select().where(Contact.sync_key.in_(part)))
    }


def _accounts_of(
    conn: Connection, people: Sequence[NewContact], *, by: Author
) -> list[AccountRow]:
    given = [item.account for item in people if isinstance(item.account, str)]
    known = {row.id: row for row in accounts.read(conn, given)}
    missing = set(given) - set(known)
    if missing:
        raise NotFound(f"there is no account {min(missing)}")
    by_rule = iter(
        accounts.place_many(
            conn,
            [
                (person.values, person.account)
                for person in people
                if isinstance(person.account, AccountRule)
            ],
            by=by,
        )
    )
    return [
        known[person.account]
        if isinstance(person.account, str)
        else next(by_rule).account
        for person in people
    ]


def _made(person: NewContact, account: AccountRow, *, by: Author) -> ContactRow:
    at = by.now()
    return ContactRow(
        id=new_id("C"),
        version=1,
        values=full_values(person.values, shown_company(account)),
        sync_key=person.sync_key or None,
        deleted=False,
        modified_at=at,
        modified_by=by.user_id,
        created_at=at,
        owner=person.owner,
        account_id=account.id,
        merged_into=None,
    )


def _insert(conn: Connection, contacts: Sequence[ContactRow]) -> None:
    if not contacts:
        return
    first = feed.take(conn, len(contacts))
    rows = [row_columns(item, seq=first + n) for n, item in enumerate(contacts)]
    conn.execute(sa.insert(Contact), rows)
    _add_addresses(conn, contacts)


# ------------------------------------------------------------------ updating


def _live(conn: Connection, ids: Sequence[str]) -> dict[str, ContactRow]:
    found = {row.id: row for row in read(conn, ids) if not row.deleted}
    missing = [item for item in ids if item not in found]
    if missing:
        raise NotFound(f"there is no contact {', '.join(missing[:5])}")
    return found


def _edited(old: ContactRow, edit: ContactEdit, by: Author) -> ContactRow:
    if edit.expected_version not in {None, old.version}:
        raise VersionMismatch(old)
    values = full_values({**old.values, **edit.changes}, old.values["company"])
    if edit.changes.get("company", values["company"]) != values["company"]:
        raise BadValue("company", "is written only when a contact is created")
    if values == old.values:
        return old
    return replace(
        old,
        version=old.version + 1,
        values=values,
        modified_at=by.now(),
        modified_by=by.user_id,
    )


_WRITTEN = tuple(value_columns(dict.fromkeys(FIELDS, "")))
_UPDATE = (
    sa.update(Contact)
    .where(Contact.id == bindparam("of"))
    .values(
        {name: bindparam(f"new_{name}") for name in _WRITTEN}
        | {
            "account_id": bindparam("new_account"),
            "version": bindparam("new_version"),
            "change_seq": bindparam("seq"),
            "modified_at": bindparam("at"),
            "modified_by": bindparam("who"),
        }
    )
)


def _write(conn: Connection, contacts: Sequence[ContactRow]) -> None:
    if not contacts:
        return
    first = feed.take(conn, len(contacts))
    conn.execute(
        _UPDATE,
        [_parameters(item, seq=first + n) for n, item in enumerate(contacts)],
    )


def _parameters(contact: ContactRow, *, seq: int) -> dict[str, Any]:
    columns = value_columns(contact.values)
    return {f"new_{name}": value for name, value in columns.items()} | {
        "of": contact.id,
        "new_account": contact.account_id,
        "new_version": contact.version,
        "seq": seq,
        "at": contact.modified_at,
        "who": contact.modified_by,
    }


# ------------------------------------------------------------------ addresses


def _refresh_addresses(conn: Connection, contacts: Sequence[ContactRow]) -> None:
    _drop_addresses(conn, [contact.id for contact in contacts])
    _add_addresses(conn, contacts)


def _drop_addresses(conn: Connection, ids: Sequence[str]) -> None:
    for part in chunks(ids):
        conn.execute(
            sa.delete(ContactAddress).where(ContactAddress.contact_id.in_(part))
        )


def _add_addresses(conn: Connection, contacts: Sequence[ContactRow]) -> None:
    rows = address_rows(contacts)
    if rows:
        conn.execute(sa.insert(ContactAddress), rows)
