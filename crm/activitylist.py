"""Lists of activities, sorted by a column, a page at a time.

A page is reached by its keyset, as in `crm.listing`. A series is one row; occurrences
that differ are listed only where they were completed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Select

from crm import activitystore
from crm.activityfields import DECLINED, PERSONAL
from crm.activityrows import ActivityRow, Kind
from crm.folding import fold
from crm.tables import Activity, ActivityParticipant

SORTS = ("start", "subject", "type", "location", "changed")
STATES = ("open", "done", "all")
Place = tuple[Any, str]
"""What a row is sorted by, and its id."""

_P = ActivityParticipant


@dataclass(frozen=True, slots=True)
class ActivityQuery:
    """Which activities a list shows, and in which order.

    Attributes:
        viewer: id of the user who looks; others' personal activities are left out.
        user_id: only those of one leader or member; "" is any.
        text: words that all occur in subject or location.
        types: only these; none is any.
        state: `open`, `done` or `all`.
        contact_id, account_id: only those with it; "" is any.
    """

    viewer: str
    user_id: str = ""
    text: str = ""
    types: tuple[str, ...] = ()
    state: str = "open"
    contact_id: str = ""
    account_id: str = ""
    sort: str = "start"
    is_descending: bool = False


@dataclass(frozen=True, slots=True)
class ListedActivity:
    """An activity in a list, and its place there."""

    row: ActivityRow
    place: Place


def page(
    conn: Connection,
    query: ActivityQuery,
    place: Place | None = None,
    *,
    backwards: bool = False,
    limit: int = 50,
) -> list[ListedActivity]:
    """Return the activities behind a place, or before it, in the order of the list."""
    key = _sort_column(query.sort)
    falls = query.is_descending != backwards
    statement = _narrowed(sa.select(Activity.id, key), query)
    if place is not None:
        both = sa.tuple_(key, Activity.id)
        bound = sa.tuple_(*place, types=[key.type, Activity.id.type])
        statement = statement.where(both < bound if falls else both > bound)
    order = (key.desc(), Activity.id.desc()) if falls else (key, Activity.id)
    found = conn.execute(statement.order_by(*order).limit(limit)).all()
    rows = {row.id: row for row in activitystore.read(conn, [i for i, _ in found])}
    listed = [ListedActivity(rows[item], (value, item)) for item, value in found]
    return listed[::-1] if backwards else listed


def count(conn: Connection, query: ActivityQuery) -> int:
    """Return how many activities a list has."""
    ids = _narrowed(sa.select(Activity.id), query).subquery()
    return conn.scalar(sa.select(sa.func.count()).select_from(ids)) or 0


def _narrowed(statement: Select[Any], query: ActivityQuery) -> Select[Any]:
    statement = statement.where(
        Activity.deleted_at.is_(None),
        Activity.is_cancelled.is_(False),
        sa.or_(Activity.parent_id.is_(None), Activity.completed_at.is_not(None)),
        sa.or_(Activity.type != PERSONAL, _takes_part(query.viewer)),
    )
    if query.user_id:
        statement = statement.where(_takes_part(query.user_id))
    if query.types:
        statement = statement.where(Activity.type.in_(query.types))
    if query.state != "all":
        is_open = Activity.completed_at.is_(None)
        statement = statement.where(is_open if query.state == "open" else ~is_open)
    if query.contact_id:
        with_contact = sa.exists().where(
            _P.activity_id == Activity.id,
            _P.kind == Kind.CONTACT.value,
            _P.ref == query.contact_id,
        )
        statement = statement.where(
            sa.or_(Activity.contact_id == query.contact_id, with_contact)
        )
    if query.account_id:
        statement = statement.where(Activity.account_id == query.account_id)
    return statement.where(
        *(
            Activity.search_key.contains(word, autoescape=True)
            for word in fold(query.text).split()
        )
    )


def _takes_part(user_id: str) -> sa.ColumnElement[bool]:
    return sa.exists().where(
        _P.activity_id == Activity.id,
        _P.kind == Kind.USER.value,
        _P.ref == user_id,
        _P.is_present,
        _P.answer != DECLINED,
    )


def _sort_column(sort: str) -> Any:
    columns: dict[str, Any] = {
        "subject": sa.func.lower(Activity.subject),
        "type": Activity.type,
        "location": sa.func.lower(Activity.location),
        "changed": Activity.change_seq,
    }
    return columns.get(sort, Activity.start_at)
