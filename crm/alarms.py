"""Alarms: each participant's own. Snoozing and dismissing are no edits (CAL-12).

They change neither an activity's version nor the change feed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from crm import agenda, feed
from crm.activityfields import DECLINED, MAX_ALARM
from crm.activityrows import ActivityRow, Kind
from crm.common import NOBODY, Author
from crm.errors import BadValue, NotFound
from crm.tables import Activity, ActivityParticipant

_P = ActivityParticipant
_SHOWN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm that is due."""

    row: ActivityRow
    slot: str
    start: datetime
    due: datetime


@dataclass(frozen=True, slots=True)
class _State:
    minutes: int
    snoozed_until: datetime | None
    dismissed_at: datetime | None


def set_alarm(
    conn: Connection, activity_id: str, user_id: str, minutes: int | None
) -> None:
    """Set a participant's own alarm; None takes the activity's.

    Raises:
        NotFound: if the user does not take part.
        BadValue: if it is no number of minutes that the CRM knows.
    """
    if minutes is not None and not 0 <= minutes <= MAX_ALARM:
        raise BadValue("alarm", f"must be 0 to {MAX_ALARM} minutes")
    _write(conn, activity_id, user_id, alarm=minutes)


def snooze(
    conn: Connection, activity_id: str, user_id: str, *, until: datetime
) -> None:
    """Let an alarm come again later, for this user.

    Raises:
        NotFound: if the user does not take part.
    """
    _write(conn, activity_id, user_id, snoozed_until=until)


def dismiss(
    conn: Connection, activity_id: str, user_id: str, *, by: Author = NOBODY
) -> None:
    """Silence an alarm for this user; a series' next occurrence has its own.

    Raises:
        NotFound: if the user does not take part.
    """
    _write(conn, activity_id, user_id, dismissed_at=by.now(), snoozed_until=None)


def due(conn: Connection, user_id: str, now: datetime) -> list[Alarm]:
    """Return the alarms that a user should hear now, by time."""
    mine = _states(conn, user_id)
    if not mine:
        return []
    furthest = max(state.minutes for state in mine.values())
    end = now + timedelta(minutes=furthest, seconds=1)
    found = [
        Alarm(item.row, item.slot, item.start, at)
        for item in agenda.between(conn, user_id, now - _SHOWN, end)
        if (at := _due(mine.get(item.row.id), item.start)) is not None
        and now - _SHOWN <= at <= now
        and item.row.completed_at is None
    ]
    return sorted(found, key=lambda alarm: (alarm.due, alarm.row.id))


def _due(state: _State | None, start: datetime) -> datetime | None:
    if state is None:
        return None
    at = start - timedelta(minutes=state.minutes)
    if state.dismissed_at is not None and state.dismissed_at >= at:
        return None
    return max(at, state.snoozed_until) if state.snoozed_until else at


def _states(conn: Connection, user_id: str) -> dict[str, _State]:
    statement = (
        sa.select(
            _P.activity_id, _P.alarm, Activity.alarm, _P.snoozed_until, _P.dismissed_at
        )
        .join(Activity, Activity.id == _P.activity_id)
        .where(_P.kind == Kind.USER.value, _P.ref == user_id, _P.is_present)
        .where(Activity.deleted_at.is_(None), Activity.completed_at.is_(None))
        .where(sa.or_(_P.alarm.is_not(None), Activity.alarm.is_not(None)))
        .where(_P.answer != DECLINED)
    )
    return {
        activity_id: _State((common or 0) if own is None else own, snoozed, dismissed)
        for activity_id, own, common, snoozed, dismissed in conn.execute(statement)
    }


def _write(conn: Connection, activity_id: str, user_id: str, **columns: object) -> None:
    feed.lock(conn)
    written = conn.execute(
        sa.update(_P)
        .where(_P.activity_id == activity_id, _P.kind == Kind.USER.value)
        .where(_P.ref == user_id, _P.is_present)
        .values(columns)
    )
    if not written.rowcount:
        raise NotFound(f"{user_id} does not take part in {activity_id}")
