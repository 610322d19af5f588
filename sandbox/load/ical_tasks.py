"""To-dos of iCalendar into the default task list, each once."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from typing import Any

from sandbox.events.times import zone
from sandbox.load.icalendar_text import BrokenComponent, Part
from sandbox.load.moments import moment, value
from sandbox.tasks.lists import TITLE_MOST
from sandbox.tasks.model import Task
from sandbox.tasks.state import Board, new_id
from sandbox.tasks.writes import NOTES_MOST

_DAYS = {"DAILY": 1, "WEEKLY": 7}


def add(board: Board, part: Part, component: Any, home: str) -> bool:
    """Add one to-do; False if it is there already.

    Raises:
        BrokenComponent: it has no place in Google.
        ApiError: a limit is reached.
    """
    uid = str(value(component, "UID") or "") or _fingerprint(part)
    known = {t.uid: t for tasks in board.tasks.values() for t in tasks.values()}
    if uid in known:
        return False
    status = str(component.get("STATUS", "")).upper()
    if status == "CANCELLED":
        raise BrokenComponent("the to-do is cancelled")
    title = str(component.get("SUMMARY", ""))
    notes = str(component.get("DESCRIPTION", ""))
    if not title and not notes:
        raise BrokenComponent("the to-do is empty")
    completed = value(component, "COMPLETED")
    is_done = status == "COMPLETED" or completed is not None
    above = known.get(str(component.get("RELATED-TO", "")) or "-")
    every = _every(component)
    nested = above is not None and not above.parent and not above.is_fixed
    board.add(
        Task(
            id=new_id(),
            list_id=board.find_list("@default").id,
            title=title[:TITLE_MOST],
            notes=notes[:NOTES_MOST],
            due=_due(component, home),
            is_done=is_done,
            completed=_at(completed, board.env.clock.now()) if is_done else None,
            parent=above.id if above is not None and nested and not every else "",
            every=0 if is_done else every,
            uid=uid,
        )
    )
    return True


def _due(component: Any, home: str) -> str:
    """The day of DUE, else of DTSTART, as its own zone has it."""
    for name in ("DUE", "DTSTART"):
        if component.get(name) is None:
            continue
        given = moment(component, name, home, recurs=False)
        if "date" in given:
            return str(given["date"])
        at = datetime.fromisoformat(given["dateTime"].replace("Z", "+00:00"))
        local = at.astimezone(zone(given.get("timeZone", home)) or UTC)
        return (local if at.tzinfo else at).date().isoformat()
    return ""


def _every(component: Any) -> int:
    rule = component.get("RRULE")
    if rule is None:
        return 0
    if isinstance(rule, list) or not hasattr(rule, "get"):
        raise BrokenComponent("RRULE is not readable")
    frequency = str((rule.get("FREQ") or [""])[0]).upper()
    if frequency not in _DAYS:
        raise BrokenComponent("only days and weeks can repeat in a task list")
    return _DAYS[frequency] * int((rule.get("INTERVAL") or [1])[0])


def _at(completed: Any, now: float) -> float:
    if not isinstance(completed, date):
        return now
    if not isinstance(completed, datetime):
        completed = datetime(completed.year, completed.month, completed.day, tzinfo=UTC)
    at: datetime = completed if completed.tzinfo else completed.replace(tzinfo=UTC)
    return at.timestamp()


def _fingerprint(part: Part) -> str:
    bare = "\n".join(line.strip() for line in part.lines)
    return hashlib.sha256(bare.encode()).hexdigest()[:32]
