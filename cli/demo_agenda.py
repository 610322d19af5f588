"""The demo company's own activities and to-dos, around today."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from cli.builtin import refusals
from crm import activities, completion, lookup, occurrences, users
from crm.activityrows import ActivityRow, Kind, Participant
from crm.common import Author
from crm.occurrences import OccurrenceEdit

ANNA, BEN = "anna.miller@ostervik.example", "ben.ortiz@ostervik.example"
ZONE = ZoneInfo("Europe/Oslo")
_REUTER, _VOSS = "t.reuter@krummwasser.example", "m.voss@krummwasser.example"
_OSTERKAMP = "h.osterkamp@krummwasser.example"
_HURLEY = "declan.hurley@hollowbrook.example"


@dataclass(frozen=True, slots=True)
class _Plan:
    """One activity.

    Attributes:
        leader: address of the user who leads.
        days: working days from today.
        clock: local time of day; "" for a timeless activity.
        contact: address of the contact that it is about.
    """

    leader: str
    type: str
    subject: str
    days: int
    clock: str = ""
    contact: str = ""
    members: tuple[str, ...] = ()
    more: dict[str, str] = field(default_factory=dict)
    is_done: bool = False


_ACTIVITIES = (
    _Plan(
        ANNA, "meeting", "Tender for the new pumping station", 4, "10:00", _OSTERKAMP,
        (BEN,), {"duration": "90", "location": "Am Wasserturm 4, Berlin",
                 "notes": "Bring the drawings.\nAsk who decides.", "ticket": "T-1042"},
    ),
    _Plan(
        ANNA, "call", "Framework order: what is still open?", 1, "09:30", _REUTER,
        more={"duration": "30", "phone": "+49 30 5550144"},
    ),
    _Plan(ANNA, "meeting", "Prepare the trade fair", 6, more={"duration": "2880"}),
    _Plan(ANNA, "personal", "Parents' evening", 3, "18:30", more={"duration": "90"}),
    _Plan(
        ANNA, "call", "Thank Declan Hurley for the order", -1, "15:00", _HURLEY,
        more={"duration": "15"}, is_done=True,
    ),
    _Plan(
        BEN, "meeting", "Delivery dates for the second site", 2, "11:00", _VOSS,
        more={"duration": "60", "location": "By video"},
    ),
    _Plan(BEN, "call", "Prices for spare parts", 5, "14:15", more={"duration": "20"}),
    _Plan(ANNA, "todo", "Send the revised offer", 2, "", _OSTERKAMP),
    _Plan(ANNA, "todo", "Collect references for the tender", 5, "", _OSTERKAMP),
    _Plan(ANNA, "todo", "Order name badges", -2, is_done=True),
    _Plan(BEN, "todo", "Check the stock of DN 80 valves", 1),
    _Plan(BEN, "todo", "Ask the forwarder for a slot", 3, "", _VOSS),
)  # fmt: skip
_OPEN_CALL, _OPEN_TODO = _ACTIVITIES[1].subject, _ACTIVITIES[7].subject


def fill(wired: Any) -> dict[str, int]:
    """Plan everybody's activities in the built-in CRM; return how many of each type."""
    counts = {"activity": 0, "todo": 0}
    with refusals(), wired.database.write() as connection:
        for plan in _ACTIVITIES:
            row = _planned(connection, plan)
            if plan.is_done:
                completion.complete(connection, [row.id], by=Author(row.leader))
            counts["todo" if plan.type == "todo" else "activity"] += 1
        _fill_series(connection)
        counts["activity"] += 1
    return counts


def complete_some(wired: Any) -> tuple[str, str]:
    """Let Anna complete a call and a to-do; return their subjects."""
    with refusals(), wired.database.write() as connection:
        anna = _user(connection, ANNA)
        rows = activities.read(connection, _ids(connection, anna))
        wanted = {_OPEN_CALL, _OPEN_TODO}
        found = [row.id for row in rows if row.values["subject"] in wanted]
        completion.complete(connection, found, by=Author(anna))
    return _OPEN_CALL, _OPEN_TODO


def _ids(connection: Any, user_id: str) -> list[str]:
    from crm.activitylist import ActivityQuery, page

    listed = page(connection, ActivityQuery(user_id, user_id), limit=200)
    return [item.row.id for item in listed]


def _planned(connection: Any, plan: _Plan, **more: str) -> ActivityRow:
    leader = _user(connection, plan.leader)
    day = _working_day(_today(), plan.days)
    values = {"type": plan.type, "subject": plan.subject, "start": day.isoformat()}
    if plan.clock:
        values |= {"start": _at(day, plan.clock), "zone": ZONE.key}
    if plan.contact:
        found = lookup.find_by_addresses(connection, [plan.contact])
        (values["contact_id"],) = found[plan.contact][:1]
    members = tuple(
        Participant(Kind.USER, _user(connection, email), answer="needsAction")
        for email in plan.members
    )
    return activities.create(
        connection,
        values | plan.more | more,
        leader=leader,
        participants=members,
        by=Author(leader),
    )


def _fill_series(connection: Any) -> None:
    """Plan a weekly review: next week's is later, the one after does not take place."""
    plan = _Plan(
        ANNA, "meeting", "Pipeline review", -8, "13:00", "", (BEN,), {"duration": "45"}
    )
    row = _planned(connection, plan, recurrence="RRULE:FREQ=WEEKLY;COUNT=12")
    by = Author(row.leader)
    now = datetime.now(UTC)
    ahead = row.series.slots(now + timedelta(days=1), now + timedelta(days=30))
    moved, cancelled = next(ahead), next(ahead)
    later = _later(moved, minutes=90)
    change = OccurrenceEdit({"start": later, "location": "Large meeting room"})
    occurrences.change(connection, row.id, moved, change, by=by)
    occurrences.cancel(connection, row.id, cancelled, by=by)


def _user(connection: Any, email: str) -> str:
    found = users.get_by_email(connection, email)
    return found.id if found is not None else ""


def _today() -> date:
    return datetime.now(ZONE).date()


def _working_day(day: date, count: int) -> date:
    """Return the day so many working days from another one."""
    step = timedelta(days=1 if count >= 0 else -1)
    while count or day.weekday() > 4:
        day += step
        if day.weekday() <= 4 and count:
            count -= step.days
    return day


def _at(day: date, clock: str) -> str:
    local = datetime.combine(day, time.fromisoformat(clock), ZONE)
    return f"{local.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _later(start: str, *, minutes: int) -> str:
    at = datetime.fromisoformat(start) + timedelta(minutes=minutes)
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
