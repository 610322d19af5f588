"""Lists of contacts and accounts, sorted by a column, a page at a time.

A page is reached by its keyset: the value it is sorted by, and the id, of a row that
was seen. Nothing is counted unless `count` is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, case, func, select, tuple_

from crm.accounts import AccountRow, account_select
from crm.common import EVERYONE, visible
from crm.folding import fold
from crm.lookup import has_word, visible_contacts
from crm.rows import ContactRow, from_row
from crm.tables import Account, Contact, GroupMember

SORTS = ("name", "company", "title", "email", "phone", "changed")
_MANY = 1000

Place = tuple[str | int, str]
"""What a row is sorted by, and its id."""


@dataclass(frozen=True, slots=True)
class ContactQuery:
    """Which contacts a list shows, and in which order.

    Attributes:
        text: words that all occur in name, addresses or company.
        group_id, account_id: only the members of one; "" is any.
        viewer: id of the user who looks (WEB-3).
    """

    viewer: str
    text: str = ""
    group_id: str = ""
    account_id: str = ""
    sort: str = "name"
    is_descending: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """A contact in a list, and its place there."""

    row: ContactRow
    place: Place


def page(
    conn: Connection,
    query: ContactQuery,
    place: Place | None = None,
    *,
    backwards: bool = False,
    limit: int = 50,
) -> list[Listed]:
    """Return the contacts behind a place, or before it, in the order of the list."""
    key = _sort_column(query.sort)
    falls = query.is_descending != backwards
    # What is seen is tested row by row: by the owner's index everybody's contacts would
    # be gathered, and sorted, for each page.
    seen = Contact.owner.concat("").in_([EVERYONE, query.viewer])
    statement = _narrowed(visible_contacts(None).where(seen), query).add_columns(key)
    rows = leaf(conn, statement, (key, Contact.id), place, falls=falls, limit=limit)
    found = [Listed(from_row(row[:-1]), (row[-1], row[0])) for row in rows]
    return found[::-1] if backwards else found


def leaf(
    conn: Connection,
    statement: Select[Any],
    by: tuple[Any, Any],
    place: Place | None,
    *,
    falls: bool,
    limit: int,
) -> Sequence[Row[Any]]:
    """Return the rows behind a place, in the order of a column and the id."""
    key, own = by
    if place is not None:
        bound = tuple_(*place, types=[key.type, own.type])
        both = tuple_(key, own)
        statement = statement.where(both < bound if falls else both > bound)
    order = (key.desc(), own.desc()) if falls else (key, own)
    return conn.execute(statement.order_by(*order).limit(limit)).all()


def count(conn: Connection, query: ContactQuery) -> int:
    """Return how many contacts a list has."""
    ids = _ids(query).subquery()
    return conn.scalar(select(func.count()).select_from(ids)) or 0


def every_id(conn: Connection, query: ContactQuery) -> Iterator[str]:
    """Yield the ids of all contacts of a list, in no order that people see."""
    after = ""
    while True:
        statement = _ids(query).where(Contact.id > after).order_by(Contact.id)
        ids = list(conn.scalars(statement.limit(_MANY)))
        yield from ids
        if len(ids) < _MANY:
            return
        after = ids[-1]


def accounts_page(
    conn: Connection,
    *,
    viewer: str,
    text: str = "",
    place: tuple[str, str] | None = None,
    backwards: bool = False,
    limit: int = 50,
) -> list[AccountRow]:
    """Return accounts by name behind a place (`accounts.sort_key`), or before it."""
    key = tuple_(Account.name_key, Account.id)
    statement = account_select().where(*visible(Account.owner, viewer))
    for word in fold(text).split():
        statement = statement.where(Account.name_key.contains(word, autoescape=True))
    if place is not None:
        bound = tuple_(*place)
        statement = statement.where(key < bound if backwards else key > bound)
    columns = (Account.name_key, Account.id)
    order = [column.desc() if backwards else column.asc() for column in columns]
    rows = conn.execute(statement.order_by(*order).limit(limit)).all()
    found = [AccountRow(*row) for row in rows]
    return found[::-1] if backwards else found


def _ids(query: ContactQuery) -> Select[Any]:
    statement = visible_contacts(query.viewer).with_only_columns(
        Contact.id, maintain_column_froms=True
    )
    return _narrowed(statement, query)


def _narrowed(statement: Select[Any], query: ContactQuery) -> Select[Any]:
    if query.group_id:
        statement = statement.join(
            GroupMember, GroupMember.contact_id == Contact.id
        ).where(GroupMember.group_id == query.group_id, GroupMember.is_member.is_(True))
    if query.account_id:
        statement = statement.where(Contact.account_id == query.account_id)
    return statement.where(*(has_word(word) for word in fold(query.text).split()))


def _sort_column(sort: str) -> Any:
    """Return what a list is sorted by; only the name and the change have an index."""
    columns = {
        "company": case((Account.is_personal, ""), else_=Account.name_key),
        "title": func.lower(Contact.title),
        "email": func.lower(Contact.email),
        "phone": case(
            (Contact.work_phone != "", Contact.work_phone), else_=Contact.mobile
        ),
        "changed": Contact.change_seq,
    }
    return columns.get(sort, Contact.name_key)
