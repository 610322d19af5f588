"""Who shares an event, over the links of all calendars (CAL-25)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select, update

from crmsync.ports import ChoiceKind
from crmsync.records.activities import Role
from crmsync.records.values import SideName
from crmsync.storage import tables as t
from crmsync.storage.database import Database

_SHARED = (Role.OWN.value, Role.FORMER.value)
_HOLDERS = (*_SHARED, Role.COPY.value)
_IN_CRM = SideName.CRM.value


def successors(database: Database, pair_id: str) -> Sequence[Any]:
    """Return activities of a pair's own events that others hold by another event.

    Events that were made in Google keep their organiser.
    """
    new, old = t.links.alias("new"), t.links.alias("old")
    statement = (
        select(new.c.crm_id, old.c.pair_id, old.c.google_id)
        .join(old, old.c.crm_id == new.c.crm_id)
        .where(
            new.c.pair_id == pair_id,
            new.c.role == Role.OWN.value,
            new.c.parent == "",
            new.c.created_in != _IN_CRM,
            old.c.pair_id != pair_id,
            old.c.role.in_(_HOLDERS),
            old.c.parent == "",
            old.c.created_in != _IN_CRM,
            old.c.google_id != new.c.google_id,
        )
    )
    with database.read() as connection:
        return connection.execute(statement).all()


def mark(
    database: Database, connection: Connection, places: Sequence[tuple[str, str]]
) -> None:
    """Mark events, by pair and id, as to be left for their successors."""
    rows = [
        {
            "pair_id": pair_id,
            "side": SideName.GOOGLE.value,
            "remote_id": google_id,
            "kind": ChoiceKind.OVER.value,
            "target": "",
        }
        for pair_id, google_id in places
    ]
    if rows:
        database.upsert(connection, t.choices, rows)


def _is_marked(links: Any) -> Any:
    choice = t.choices.c
    return (
        select(choice.kind)
        .where(
            choice.pair_id == links.c.pair_id,
            choice.side == SideName.GOOGLE.value,
            choice.remote_id == links.c.google_id,
            choice.kind == ChoiceKind.OVER.value,
        )
        .exists()
    )


def holders(database: Database, crm_id: str) -> Sequence[Any]:
    """Return links of an activity, with their users; not what is marked already."""
    statement = (
        select(t.links, t.users.c.email, t.users.c.name, t.pairs.c.user_id)
        .join(t.pairs, t.pairs.c.id == t.links.c.pair_id)
        .join(t.users, t.users.c.id == t.pairs.c.user_id)
        .where(t.links.c.crm_id == crm_id, ~_is_marked(t.links))
        .order_by(t.users.c.email)
    )
    with database.read() as connection:
        return connection.execute(statement).all()


def give_role(connection: Connection, link_id: str, role: Role) -> None:
    """Change the role of one link."""
    connection.execute(
        update(t.links).where(t.links.c.id == link_id).values(role=role.value)
    )


def copies(database: Database, pair_ids: Sequence[str]) -> Sequence[Any]:
    """Return the copies in some calendars, each with the pair of its organiser.

    `owner` is None if nobody's link holds the shared event any more.
    """
    copy, own = t.links.alias("copy"), t.links.alias("own")
    joined = copy.outerjoin(
        own, (own.c.crm_id == copy.c.crm_id) & (own.c.role == Role.OWN.value)
    )
    statement = (
        select(
            copy.c.pair_id, copy.c.crm_id, copy.c.crm_base, own.c.pair_id.label("owner")
        )
        .select_from(joined)
        .where(
            copy.c.pair_id.in_(pair_ids),
            copy.c.role == Role.COPY.value,
            copy.c.parent == "",
            ~_is_marked(copy),
        )
        .order_by(copy.c.crm_id)
    )
    with database.read() as connection:
        return connection.execute(statement).all()
