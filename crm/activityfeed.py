"""The change feed of activities, as one user sees it.

A user is shown what changes in activities they lead or are a member of, and once more
an activity in which they are neither any longer. The numbers are those of `crm.feed`.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy import Connection

from crm import feed
from crm.activityrows import Kind
from crm.tables import Activity, ActivityParticipant

_P = ActivityParticipant
_MANY = 500


def changes_since(
    conn: Connection, user_id: str, cursor: int, *, limit: int = 200
) -> tuple[list[str], int]:
    """Return the ids of up to `limit` changed activities, and the next cursor.

    Each is shown once, at its last place. The page is the last one if it is shorter
    than `limit`.
    """
    horizon = feed.current_cursor(conn)
    statement = (
        sa.select(_P.change_seq, _P.activity_id)
        .where(_P.kind == Kind.USER.value, _P.ref == user_id)
        .where(_P.change_seq > cursor, _P.change_seq <= horizon)
        .order_by(_P.change_seq)
        .limit(limit)
    )
    rows = conn.execute(statement).all()
    is_full = len(rows) == limit
    return [row[1] for row in rows], rows[-1][0] if is_full else max(horizon, cursor)


def ids_of(
    conn: Connection, user_id: str, *conditions: sa.ColumnElement[bool]
) -> Iterator[str]:
    """Yield the ids of a user's live activities that meet conditions, in order."""
    after = ""
    while True:
        statement = (
            sa.select(Activity.id)
            .join(_P, _P.activity_id == Activity.id)
            .where(_P.kind == Kind.USER.value, _P.ref == user_id, _P.is_present)
            .where(Activity.deleted_at.is_(None), Activity.id > after, *conditions)
            .order_by(Activity.id)
            .limit(_MANY)
        )
        ids = list(conn.scalars(statement))
        yield from ids
        if len(ids) < _MANY:
            return
        after = ids[-1]
