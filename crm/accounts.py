"""Accounts, and the rule that finds or makes one for a new contact (CON-9)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, cast

import sqlalchemy as sa
from sqlalchemy import Connection, Select, bindparam, insert, select, tuple_

from crm import feed
from crm.common import EVERYONE, NOBODY, Author, chunks, new_id, visible
from crm.errors import AmbiguousAccount, BadValue, NotFound
from crm.fields import check_text
from crm.folding import ACCOUNT_NAME_LIMIT, account_key
from crm.tables import Account, Contact

_TEXT_LIMITS = {
    "name": ACCOUNT_NAME_LIMIT,
    "type": 64,
    "status": 64,
    "owner": 12,
    "manager": 12,
}


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account.

    Attributes:
        owner: `Everyone` or a user's id.
        manager: id of the account manager, or "".
        is_personal: made for one person without a company; no name finds it.
    """

    id: str
    name: str
    type: str
    status: str
    owner: str
    manager: str
    is_personal: bool
    created_at: datetime
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class AccountRule:
    """How a new contact gets its account; the defaults are the settings' (CON-9).

    Attributes:
        manager: id of the user for whom the contact is made.
        ambiguous: `hold` raises AmbiguousAccount where several have the name.
    """

    manager: str = ""
    type: str = "Prospect"
    status: str = "Active"
    owner: str = EVERYONE
    ambiguous: Literal["first", "hold"] = "first"


@dataclass(frozen=True, slots=True)
class Placed:
    """The account for a contact, and whether it was made just now."""

    account: AccountRow
    is_new: bool


_COLUMNS = (
    Account.id,
    Account.name,
    Account.type,
    Account.status,
    Account.owner,
    Account.manager,
    Account.is_personal,
    Account.created_at,
    Account.modified_at,
)
_SELECT = select(*_COLUMNS)


def account_select() -> Select[Any]:
    """Return the query whose rows are the arguments of `AccountRow`."""
    statement: Any = _SELECT
    return cast("Select[Any]", statement)


def read(conn: Connection, ids: Sequence[str]) -> list[AccountRow]:
    """Return the accounts of these ids that exist, in no order."""
    return [
        AccountRow(*row)
        for part in chunks(list(dict.fromkeys(ids)))
        for row in conn.execute(_SELECT.where(Account.id.in_(part)))
    ]


def get(conn: Connection, account_id: str) -> AccountRow:
    """Return one account.

    Raises:
        NotFound: if there is none.
    """
    found = read(conn, [account_id])
    if not found:
        raise NotFound(f"there is no account {account_id}")
    return found[0]


def page(
    conn: Connection,
    *,
    after: tuple[str, str] = ("", ""),
    limit: int = 200,
    viewer: str | None = None,
) -> list[AccountRow]:
    """Return accounts by folded name; `after` is `sort_key` of the last one seen."""
    statement = (
        _SELECT.where(tuple_(Account.name_key, Account.id) > tuple_(*after))
        .where(*visible(Account.owner, viewer))
        .order_by(Account.name_key, Account.id)
        .limit(limit)
    )
    return [AccountRow(*row) for row in conn.execute(statement)]


def sort_key(account: AccountRow) -> tuple[str, str]:
    """Return the place of an account in `page`."""
    return account_key(account.name), account.id


def find_by_name(conn: Connection, name: str) -> list[AccountRow]:
    """Return the companies of that name, oldest first; never a personal account."""
    return find_by_names(conn, [name]).get(account_key(name), [])


def find_by_names(
    conn: Connection, names: Iterable[str]
) -> dict[str, list[AccountRow]]:
    """Return the companies of these names by `account_key`, oldest first."""
    keys = sorted({account_key(name) for name in names} - {""})
    found: dict[str, list[AccountRow]] = {}
    for part in chunks(keys):
        statement = (
            select(Account.name_key, *_COLUMNS)
            .where(Account.name_key.in_(part), Account.is_personal.is_(False))
            .order_by(Account.created_at, Account.id)
        )
        for key, *columns in conn.execute(statement):
            found.setdefault(key, []).append(AccountRow(*columns))
    return found


def create(
    conn: Connection, name: str, *, rule: AccountRule, by: Author = NOBODY
) -> AccountRow:
    """Make an account with the rule's type, status, owner and manager.

    Raises:
        BadValue: if a text is blank or too long.
    """
    if not name.strip():
        raise BadValue("name", "of an account must not be blank")
    account = _new(name.strip(), rule, is_personal=False, by=by)
    _insert(conn, [account])
    return account


def update(
    conn: Connection, account_id: str, *, changes: Mapping[str, str], by: Author
) -> AccountRow:
    """Change name, type, status, owner or manager; a new name shows on its contacts.

    A personal account that a person renames becomes an ordinary one.

    Raises:
        NotFound: if there is none.
        BadValue: if a field is unknown or a text too long.
    """
    unknown = set(changes) - set(_TEXT_LIMITS)
    if unknown:
        raise BadValue(min(unknown), "is not a field of an account")
    feed.lock(conn)
    old = get(conn, account_id)
    fields = {name: changes.get(name, getattr(old, name)) for name in _TEXT_LIMITS}
    renamed = fields["name"] != old.name
    new = AccountRow(
        id=old.id,
        **fields,
        is_personal=old.is_personal and not renamed,
        created_at=old.created_at,
        modified_at=by.now(),
    )
    _check(new)
    conn.execute(sa.update(Account).where(Account.id == old.id).values(_columns(new)))
    if renamed:
        _touch_contacts(conn, old.id, by=by)
    return new


def account_for(
    conn: Connection,
    values: Mapping[str, str],
    *,
    rule: AccountRule,
    by: Author = NOBODY,
) -> Placed:
    """Find or make the account of one new contact (CON-9), from its values.

    Raises:
        AmbiguousAccount: if several have the name and the rule says `hold`.
    """
    return place_many(conn, [(values, rule)], by=by)[0]


def place_many(
    conn: Connection,
    people: Sequence[tuple[Mapping[str, str], AccountRule]],
    *,
    by: Author = NOBODY,
) -> list[Placed]:
    """Find or make the accounts of new contacts, in order; whole or not at all.

    A company finds the oldest account of its name, else a new one is made. Without a
    company a personal account is made, which is never reused for another person.

    Raises:
        AmbiguousAccount: if several have the name and the rule says `hold`.
        BadValue: if a company's name cannot be stored.
    """
    feed.lock(conn)
    known = find_by_names(conn, (values.get("company", "") for values, _ in people))
    made: list[AccountRow] = []
    placed: list[Placed] = []
    for values, rule in people:
        company = values.get("company", "").strip()
        candidates = known.get(account_key(company), []) if company else []
        if len(candidates) > 1 and rule.ambiguous == "hold":
            raise AmbiguousAccount(candidates)
        if candidates:
            placed.append(Placed(candidates[0], is_new=False))
            continue
        account = _new(
            company or personal_name(values), rule, is_personal=not company, by=by
        )
        made.append(account)
        placed.append(Placed(account, is_new=True))
        if company:
            known[account_key(company)] = [account]
    _insert(conn, made)
    return placed


def personal_name(values: Mapping[str, str]) -> str:
    """Name the account of a person without a company (CON-9).

    "Last, First"; one part missing: the other alone; both: the e-mail address, or
    the first thing that is known of the person.
    """
    names = [values.get("last", "").strip(), values.get("first", "").strip()]
    others = ("email", "email2", "email3", "mobile", "work_phone", "home_phone")
    texts = [values.get(name, "").strip() for name in others]
    return ", ".join(filter(None, names)) or next(filter(None, texts), "(no name)")


def _new(name: str, rule: AccountRule, *, is_personal: bool, by: Author) -> AccountRow:
    account = AccountRow(
        id=new_id("A"),
        name=name,
        type=rule.type,
        status=rule.status,
        owner=rule.owner,
        manager=rule.manager,
        is_personal=is_personal,
        created_at=by.now(),
        modified_at=by.now(),
    )
    _check(account)
    return replace(account, modified_at=account.created_at)


def _check(account: AccountRow) -> None:
    for name, limit in _TEXT_LIMITS.items():
        check_text(f"account {name}", getattr(account, name), limit)


def _columns(account: AccountRow) -> dict[str, object]:
    columns = {column.key: getattr(account, column.key) for column in _COLUMNS}
    return {**columns, "name_key": account_key(account.name)}


def _insert(conn: Connection, accounts: Sequence[AccountRow]) -> None:
    if accounts:
        conn.execute(insert(Account), [_columns(account) for account in accounts])


def _touch_contacts(conn: Connection, account_id: str, *, by: Author) -> None:
    """Show in the feed that the company of an account's contacts reads differently."""
    wanted = (Contact.account_id == account_id, Contact.deleted_at.is_(None))
    ids = conn.scalars(select(Contact.id).where(*wanted).order_by(Contact.id)).all()
    if not ids:
        return
    first = feed.take(conn, len(ids))
    conn.execute(
        sa.update(Contact)
        .where(Contact.id == bindparam("of"))
        .values(
            version=Contact.version + 1,
            change_seq=bindparam("seq"),
            modified_at=by.now(),
            modified_by=by.user_id,
        ),
        [{"of": item, "seq": first + place} for place, item in enumerate(ids)],
    )
