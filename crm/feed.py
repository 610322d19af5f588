"""The change feed: who changed since a cursor, in order, skipping no commit.

Every write takes its numbers from one counter row inside its own transaction. The row
stays locked until the commit, so numbers become visible in order (a sequence would
show late commits behind a reader's cursor). Writers take the counter before anything
else: that also makes them wait for each other in one order, so they never deadlock.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, exists, or_, select, update

from crm.common import insert_missing
from crm.tables import Contact, Counter, GroupMember

_NAME = "change"


class ChangeKind(StrEnum):
    """What happened to a contact."""

    UPSERT = "upsert"
    DELETE = "delete"
    MEMBER = "member"


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """The last change of a contact, or of one of its memberships.

    Attributes:
        seq: its place in the feed; grows, with gaps.
        group_id, is_member: of a MEMBER change: the group, and whether the contact
            is in it now.
    """

    seq: int
    contact_id: str
    kind: ChangeKind
    group_id: str | None = None
    is_member: bool | None = None


def take(conn: Connection, count: int) -> int:
    """Reserve `count` numbers, lock the feed till the commit, return the first one."""
    statement = (
        update(Counter)
        .where(Counter.name == _NAME)
        .values(value=Counter.value + count)
        .returning(Counter.value)
    )
    last = conn.execute(statement).scalar_one_or_none()
    if last is None:
        insert_missing(conn, Counter, [{"name": _NAME, "value": 0}])
        last = conn.execute(statement).scalar_one()
    return last - count + 1


def lock(conn: Connection) -> None:
    """Wait for other writers; what is read after this stays true until the commit."""
    take(conn, 0)


def current_cursor(conn: Connection) -> int:
    """Return the cursor behind everything that is committed now."""
    return conn.scalar(select(Counter.value).where(Counter.name == _NAME)) or 0


def changes_since(
    conn: Connection, cursor: int, *, limit: int = 200, group_id: str | None = None
) -> tuple[list[Change], int]:
    """Return up to `limit` changes after a cursor, oldest first, and the next cursor.

    A record that changed several times is shown once, at its last place. With
    `group_id`: memberships of that group, and contacts that are in it or were deleted
    out of it. The page is the last one if it is shorter than `limit`.
    """
    horizon = current_cursor(conn)
    merged = heapq.merge(
        _contact_changes(conn, (cursor, horizon), limit=limit, group_id=group_id),
        _member_changes(conn, (cursor, horizon), limit=limit, group_id=group_id),
    )
    page = [change for change, _ in zip(merged, range(limit), strict=False)]
    is_full = len(page) == limit
    return page, page[-1].seq if page and is_full else max(horizon, cursor)


def _contact_changes(
    conn: Connection, span: tuple[int, int], *, limit: int, group_id: str | None
) -> Iterator[Change]:
    statement = (
        select(Contact.change_seq, Contact.id, Contact.deleted_at)
        .where(Contact.change_seq > span[0], Contact.change_seq <= span[1])
        .order_by(Contact.change_seq)
        .limit(limit)
    )
    if group_id is not None:
        statement = statement.where(
            exists().where(
                GroupMember.group_id == group_id,
                GroupMember.contact_id == Contact.id,
                or_(GroupMember.is_member, Contact.deleted_at.is_not(None)),
            )
        )
    for seq, contact_id, deleted_at in conn.execute(statement):
        kind = ChangeKind.UPSERT if deleted_at is None else ChangeKind.DELETE
        yield Change(seq, contact_id, kind)


def _member_changes(
    conn: Connection, span: tuple[int, int], *, limit: int, group_id: str | None
) -> Iterator[Change]:
    statement = (
        select(
            GroupMember.change_seq,
            GroupMember.contact_id,
            GroupMember.group_id,
            GroupMember.is_member,
        )
        .where(GroupMember.change_seq > span[0], GroupMember.change_seq <= span[1])
        .order_by(GroupMember.change_seq)
        .limit(limit)
    )
    if group_id is not None:
        statement = statement.where(GroupMember.group_id == group_id)
    for seq, contact_id, group, is_member in conn.execute(statement):
        yield Change(seq, contact_id, ChangeKind.MEMBER, group, is_member)
