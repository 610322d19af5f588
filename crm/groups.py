"""Ad hoc groups of contacts (CON-1, CON-2) and their members."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, insert, select, update

from crm import feed
from crm.common import EVERYONE, NOBODY, Author, chunks, new_id, visible
from crm.errors import AlreadyThere, BadValue, NotFound
from crm.fields import check_text
from crm.folding import fold
from crm.tables import Contact, Group, GroupMember

NAME_LIMIT = 64
_FORBIDDEN = re.compile(r"""["'/\\*:?<>\n]""")
"""Infor refuses these in the names of groups."""


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group; `owner` is `Everyone` or a user's id."""

    id: str
    name: str
    owner: str
    created_at: datetime
    modified_at: datetime


_SELECT = select(
    Group.id, Group.name, Group.owner, Group.created_at, Group.modified_at
).where(Group.deleted_at.is_(None))


def create(
    conn: Connection, name: str, *, owner: str = EVERYONE, by: Author = NOBODY
) -> GroupRow:
    """Make a group.

    Raises:
        BadValue: if the name is blank, too long or holds a forbidden character.
        AlreadyThere: if its owner has a group of that name, whatever its case.
    """
    name = _checked(name)
    feed.lock(conn)
    _refuse_twin(conn, name, owner=owner)
    group = GroupRow(new_id("p"), name, owner, by.now(), by.now())
    conn.execute(
        insert(Group).values(
            id=group.id,
            name=name,
            name_key=fold(name),
            owner=owner,
            created_at=group.created_at,
            modified_at=group.modified_at,
        )
    )
    return group


def rename(
    conn: Connection, group_id: str, *, name: str, by: Author = NOBODY
) -> GroupRow:
    """Rename a group; its id and members stay.

    Raises:
        NotFound: if there is none.
        BadValue, AlreadyThere: as `create`.
    """
    name = _checked(name)
    feed.lock(conn)
    group = require(conn, group_id)
    if fold(name) != fold(group.name):
        _refuse_twin(conn, name, owner=group.owner)
    at = by.now()
    conn.execute(
        update(Group)
        .where(Group.id == group_id)
        .values(name=name, name_key=fold(name), modified_at=at)
    )
    return GroupRow(group.id, name, group.owner, group.created_at, at)


def delete(conn: Connection, group_id: str, *, by: Author = NOBODY) -> None:
    """Delete a group; its contacts stay, and the feed shows nobody leaving (CON-2).

    Raises:
        NotFound: if there is none.
    """
    feed.lock(conn)
    require(conn, group_id)
    at = by.now()
    conn.execute(
        update(Group).where(Group.id == group_id).values(deleted_at=at, modified_at=at)
    )


def get(conn: Connection, group_id: str) -> GroupRow | None:
    """Return a group by id; None if it does not exist or is deleted."""
    found = conn.execute(_SELECT.where(Group.id == group_id)).one_or_none()
    return None if found is None else GroupRow(*found)


def require(conn: Connection, group_id: str) -> GroupRow:
    """Return a group by id.

    Raises:
        NotFound: if it does not exist or is deleted.
    """
    group = get(conn, group_id)
    if group is None:
        raise NotFound(f"there is no group {group_id}")
    return group


def get_by_name(
    conn: Connection, name: str, *, viewer: str | None = None
) -> GroupRow | None:
    """Return a group by name, whatever its case: the viewer's own before others."""
    statement = (
        _SELECT.where(Group.name_key == fold(name), *visible(Group.owner, viewer))
        .order_by((Group.owner == (viewer or EVERYONE)).desc(), Group.created_at)
        .limit(1)
    )
    found = conn.execute(statement).one_or_none()
    return None if found is None else GroupRow(*found)


def list_all(conn: Connection, *, viewer: str | None = None) -> list[GroupRow]:
    """Return the groups that a user sees, by name."""
    statement = _SELECT.where(*visible(Group.owner, viewer)).order_by(
        Group.name_key, Group.id
    )
    return [GroupRow(*row) for row in conn.execute(statement)]


def add_members(
    conn: Connection, group_id: str, *, contact_ids: Iterable[str]
) -> list[str]:
    """Put contacts in a group; returns those that were not in it before.

    Raises:
        NotFound: if the group or one of the contacts does not exist.
    """
    ids = list(dict.fromkeys(contact_ids))
    feed.lock(conn)
    require(conn, group_id)
    _require_contacts(conn, ids)
    rows = _rows(conn, group_id, ids)
    changed = [item for item in ids if not rows.get(item, False)]
    first = feed.take(conn, len(changed))
    numbered = {item: first + place for place, item in enumerate(changed)}
    new = [
        {"group_id": group_id, "contact_id": item, "is_member": True, "change_seq": seq}
        for item, seq in numbered.items()
        if item not in rows
    ]
    if new:
        conn.execute(insert(GroupMember), new)
    again = {item: seq for item, seq in numbered.items() if item in rows}
    _set(conn, {(group_id, item): seq for item, seq in again.items()}, is_member=True)
    return changed


def remove_members(
    conn: Connection, group_id: str, *, contact_ids: Iterable[str]
) -> list[str]:
    """Take contacts out of a group; returns those that were in it before.

    Raises:
        NotFound: if the group does not exist.
    """
    ids = list(dict.fromkeys(contact_ids))
    feed.lock(conn)
    require(conn, group_id)
    rows = _rows(conn, group_id, ids)
    changed = [item for item in ids if rows.get(item, False)]
    first = feed.take(conn, len(changed))
    numbers = {(group_id, item): first + n for n, item in enumerate(changed)}
    _set(conn, numbers, is_member=False)
    return changed


def members(
    conn: Connection, group_id: str, *, after: str = "", limit: int = 200
) -> list[str]:
    """Return a page of member ids in the order of ids.

    Raises:
        NotFound: if the group does not exist.
    """
    require(conn, group_id)
    statement = (
        select(GroupMember.contact_id)
        .where(GroupMember.group_id == group_id, GroupMember.is_member.is_(True))
        .where(GroupMember.contact_id > after)
        .order_by(GroupMember.contact_id)
        .limit(limit)
    )
    return list(conn.scalars(statement))


def member_count(conn: Connection, group_id: str) -> int:
    """Return how many contacts are in a group."""
    statement = select(func.count()).where(
        GroupMember.group_id == group_id, GroupMember.is_member.is_(True)
    )
    return conn.scalar(statement) or 0


def members_among(
    conn: Connection, group_id: str, *, contact_ids: Sequence[str]
) -> set[str]:
    """Return which of these contacts are in a group."""
    rows = _rows(conn, group_id, contact_ids)
    return {item for item, is_member in rows.items() if is_member}


def groups_of(conn: Connection, contact_ids: Sequence[str]) -> dict[str, list[str]]:
    """Return the ids of the groups, deleted ones too, that contacts are in."""
    found: dict[str, list[str]] = {}
    for part in chunks(contact_ids):
        statement = (
            select(GroupMember.contact_id, GroupMember.group_id)
            .where(GroupMember.contact_id.in_(part), GroupMember.is_member.is_(True))
            .order_by(GroupMember.group_id)
        )
        for contact_id, group_id in conn.execute(statement):
            found.setdefault(contact_id, []).append(group_id)
    return found


def drop_contacts(conn: Connection, contact_ids: Sequence[str]) -> None:
    """End all memberships of contacts that are being deleted; the feed shows it."""
    pairs = [
        (group_id, contact_id)
        for contact_id, group_ids in groups_of(conn, contact_ids).items()
        for group_id in group_ids
    ]
    first = feed.take(conn, len(pairs))
    _set(conn, {pair: first + n for n, pair in enumerate(pairs)}, is_member=False)


def _checked(name: str) -> str:
    name = name.strip()
    check_text("group name", name, NAME_LIMIT)
    if not name:
        raise BadValue("group name", "must not be blank")
    if _FORBIDDEN.search(name):
        raise BadValue("group name", "must not hold quotes, slashes or * : ? < >")
    return name


def _refuse_twin(conn: Connection, name: str, *, owner: str) -> None:
    twin = _SELECT.where(Group.name_key == fold(name), Group.owner == owner)
    if conn.execute(twin).first() is not None:
        raise AlreadyThere(f"there is a group named {name}")


def _require_contacts(conn: Connection, ids: Sequence[str]) -> None:
    found: set[str] = set()
    for part in chunks(ids):
        live = select(Contact.id).where(
            Contact.id.in_(part), Contact.deleted_at.is_(None)
        )
        found.update(conn.scalars(live))
    missing = [item for item in ids if item not in found]
    if missing:
        raise NotFound(f"there is no contact {', '.join(missing[:5])}")


def _rows(conn: Connection, group_id: str, ids: Sequence[str]) -> dict[str, bool]:
    found: dict[str, bool] = {}
    for part in chunks(ids):
        statement = select(GroupMember.contact_id, GroupMember.is_member).where(
            GroupMember.group_id == group_id, GroupMember.contact_id.in_(part)
        )
        found.update((item, is_member) for item, is_member in conn.execute(statement))
    return found


def _set(
    conn: Connection, numbers: dict[tuple[str, str], int], *, is_member: bool
) -> None:
    if not numbers:
        return
    conn.execute(
        update(GroupMember)
        .where(
            GroupMember.group_id == bindparam("in_group"),
            GroupMember.contact_id == bindparam("of"),
        )
        .values(is_member=is_member, change_seq=bindparam("seq")),
        [
            {"in_group": group_id, "of": contact_id, "seq": seq}
            for (group_id, contact_id), seq in numbers.items()
        ],
    )
