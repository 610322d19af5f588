"""The built-in CRM's activities: month, week and list, filtered by type and person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import Blueprint, render_template, request
from flask import url_for as to
from sqlalchemy import Connection

from crm import activitylist, agenda, alarms, users
from crm.activitylist import ActivityQuery, ListedActivity, Place
from crm.agenda import Occurrence
from crmsync.services import browsing
from webapp import activitytimes, builtin, session
from webapp.activityform import TYPES
from webapp.formats import as_time, time_zone
from webapp.pages.contact import full_name
from webapp.pages.contact import pages as contact_pages
from webapp.paths import pack, unpack
from webapp.tables import TableState, table_state
from webapp.wiring import core

pages = Blueprint("activities", __name__, url_prefix="/activities")

PAGE = 50
VIEWS = {"month": "Month", "week": "Week", "list": "List"}
_LONGEST_SEARCH = 200
_FIRST_HOUR, _LAST_HOUR = 8, 18
_SLOT = 30
_REMINDERS = 5
_DAYS = range(2, 8998)
EVERYONE = "everyone"


@pages.before_request
def _require_builtin() -> None:
    builtin.require()


@dataclass(frozen=True, slots=True)
class Frame:
    """What the URL says about the calendar.

    Attributes:
        day: a day in what is shown.
        whose: id of a CRM user; "" is the visitor.
    """

    view: str
    day: date
    today: date
    type: str = ""
    whose: str = ""

    def url(self, **changed: Any) -> str:
        """Return the URL of another frame."""
        frame = replace(self, **changed)
        given = {
            "view": frame.view if frame.view != "month" else "",
            "day": frame.day.isoformat() if frame.day != frame.today else "",
            "type": frame.type,
            "whose": frame.whose,
        }
        words = urlencode({name: value for name, value in given.items() if value})
        return f"{to('activities.listing')}{'?' if words else ''}{words}"

    @property
    def span(self) -> tuple[date, date]:
        """The first and the last day that are shown."""
        if self.view == "week":
            first = self.day - timedelta(days=self.day.weekday())
            return first, first + timedelta(days=6)
        first = self.day.replace(day=1)
        last = _next_month(first) - timedelta(days=1)
        return (
            first - timedelta(days=first.weekday()),
            last + timedelta(days=6 - last.weekday()),
        )

    @property
    def earlier(self) -> str:
        """The URL of the month or week before."""
        if self.view == "week":
            return self.url(day=self.day - timedelta(days=7))
        return self.url(
            day=(self.day.replace(day=1) - timedelta(days=1)).replace(day=1)
        )

    @property
    def later(self) -> str:
        """The URL of the month or week after."""
        if self.view == "week":
            return self.url(day=self.day + timedelta(days=7))
        return self.url(day=_next_month(self.day.replace(day=1)))


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def today() -> date:
    """Return the visitor's day."""
    return core().clock.now().astimezone(time_zone()).date()


def read_frame(people: Sequence[users.UserRow]) -> Frame:
    """Return the frame that the URL names; what is unknown is left out."""
    now = today()
    view = request.args.get("view", "")
    type_ = request.args.get("type", "")
    whose = request.args.get("whose", "")
    known = {row.id for row in people} | {EVERYONE}
    return Frame(
        view if view in VIEWS else "month",
        read_day(request.args.get("day", ""), now),
        now,
        type_ if type_ in TYPES else "",
        whose if whose in known else "",
    )


def read_day(text: str, otherwise: date) -> date:
    """Return the day that a text means, within what a calendar can turn to."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return otherwise
    return day if day.year in _DAYS else otherwise


@pages.get("")
def listing() -> Any:
    """Show the month, the week or the list."""
    with builtin.reading() as (connection, viewer):
        people = users.list_all(connection)
        frame = read_frame(people)
        due = alarms.due(connection, viewer, core().clock.now())[:_REMINDERS]
        if frame.view == "list":
            return _show_list(connection, viewer, frame, people, due)
        whose = viewer if frame.whose in {"", EVERYONE} else frame.whose
        found = agenda.occurrences(
            connection, whose, *frame.span, zone=time_zone(), viewer=viewer
        )
    if frame.type:
        found = [item for item in found if item.row.type == frame.type]
    shape = _month(frame, found) if frame.view == "month" else _week(frame, found)
    return render_template(
        f"activities/{frame.view}.html",
        frame=frame,
        views=VIEWS,
        types=TYPES,
        people=[row for row in people if row.id != viewer],
        has_any=bool(found),
        due=due,
        **shape,
    )


# ------------------------------------------------------------------ month and week


def _month(frame: Frame, found: list[Occurrence]) -> dict[str, Any]:
    first, last = frame.span
    per_day: dict[date, list[Occurrence]] = {}
    for item in found:
        for day in activitytimes.local_days(item):
            per_day.setdefault(day, []).append(item)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    weeks = [
        [
            {
                "day": day,
                "items": sorted(per_day.get(day, []), key=_order),
                "is_outside": day.month != frame.day.month,
            }
            for day in days[start : start + 7]
        ]
        for start in range(0, len(days), 7)
    ]
    return {"weeks": weeks, "shown_per_day": 4}


def _order(item: Occurrence) -> tuple[bool, datetime, str]:
    return not item.is_timeless, item.start, item.row.id


@dataclass(slots=True)
class _Block:
    """A timed occurrence in one day of the week view, in half hours."""

    item: Occurrence
    row: int
    size: int
    lane: int = 0
    lanes: int = 1
    key: str = ""


@dataclass(slots=True)
class _Day:
    day: date
    whole: list[Occurrence] = field(default_factory=list)
    blocks: list[_Block] = field(default_factory=list)

    @property
    def lanes(self) -> int:
        """How many columns stand side by side."""
        return max((block.lanes for block in self.blocks), default=1)


def _week(frame: Frame, found: list[Occurrence]) -> dict[str, Any]:
    first, last = frame.span
    zone = time_zone()
    days = [_Day(first + timedelta(days=n)) for n in range((last - first).days + 1)]
    lowest, highest = _hours(found, zone)
    number = 0
    for shown in days:
        for item in found:
            if shown.day not in activitytimes.local_days(item):
                continue
            if item.is_timeless or item.end - item.start >= timedelta(days=1):
                shown.whole.append(item)
                continue
            block = _block(item, shown.day, lowest, zone)
            block.key = f"b{(number := number + 1)}"
            shown.blocks.append(block)
        _lanes(shown.blocks)
    hours = [activitytimes.short_clock(time(hour)) for hour in range(lowest, highest)]
    return {"days": days, "hours": hours, "rows": len(hours) * 60 // _SLOT}


def _hours(found: list[Occurrence], zone: ZoneInfo) -> tuple[int, int]:
    """Return from which to which hour the week is shown: the day's work, and more."""
    timed = [item for item in found if not item.is_timeless]
    timed = [item for item in timed if item.end - item.start < timedelta(days=1)]
    starts = [item.start.astimezone(zone) for item in timed]
    ends = [item.end.astimezone(zone) for item in timed]
    if any(a.date() != b.date() for a, b in zip(starts, ends, strict=True)):
        return 0, 24
    lowest = min([_FIRST_HOUR, *(at.hour for at in starts)])
    highest = max([_LAST_HOUR, *(at.hour + 1 for at in ends)])
    return lowest, min(highest, 24)


def _block(item: Occurrence, day: date, lowest: int, zone: ZoneInfo) -> _Block:
    start, end = item.start.astimezone(zone), item.end.astimezone(zone)
    begins = start.hour * 60 + start.minute if start.date() == day else 0
    ends = end.hour * 60 + end.minute if end.date() == day else 24 * 60
    top = (begins - lowest * 60) // _SLOT
    bottom = -(-(ends - lowest * 60) // _SLOT)
    return _Block(item, top + 1, max(bottom - top, 1))


def _lanes(blocks: list[_Block]) -> None:
    """Put what overlaps side by side."""
    blocks.sort(key=lambda block: (block.row, -block.size, block.item.row.id))
    cluster: list[_Block] = []
    for block in [*blocks, None]:
        bottom = max((b.row + b.size for b in cluster), default=0)
        if block is None or block.row >= bottom:
            lanes = max((b.lane for b in cluster), default=0) + 1
            for member in cluster:
                member.lanes = lanes
            cluster = []
        if block is not None:
            taken = {b.lane for b in cluster if b.row + b.size > block.row}
            block.lane = min(set(range(len(taken) + 1)) - taken)
            cluster.append(block)


# ------------------------------------------------------------------ the list


def read_state() -> TableState:
    """Return what the URL says about the list."""
    names = ("q", "state", "type", "whose", "view")
    state = table_state(activitylist.SORTS, names, default="start")
    kept = {name: value[:_LONGEST_SEARCH] for name, value in state.filters.items()}
    return replace(state, filters=kept)


def _show_list(
    connection: Connection,
    viewer: str,
    frame: Frame,
    people: Sequence[users.UserRow],
    due: Sequence[alarms.Alarm],
) -> Any:
    state = read_state()
    wanted = state.filters.get("state", "open")
    # Who is no CRM user yet has no activities, and not everybody's.
    whose = {"": viewer or "nobody", EVERYONE: ""}.get(frame.whose, frame.whose)
    query = ActivityQuery(
        viewer,
        whose,
        state.filters.get("q", ""),
        types=(frame.type,) if frame.type else (),
        state=wanted if wanted in activitylist.STATES else "open",
        sort=state.sort,
        is_descending=state.is_descending,
    )
    rows, previous, following = _page(connection, query, state)
    return render_template(
        "activities/list.html",
        frame=frame,
        views=VIEWS,
        types=TYPES,
        people=[row for row in people if row.id != viewer],
        names={row.id: row.name or row.email for row in people},
        state=state,
        wanted=query.state,
        viewer=viewer,
        due=due,
        rows=[item.row for item in rows],
        previous=previous,
        next=following,
    )


@contact_pages.get("/contacts/<contact_id>/activities")
def of_contact(contact_id: str) -> Any:
    """Show a contact's tab *Activities*: what is planned, and what was done."""
    with builtin.reading() as (connection, viewer):
        contact = builtin.contact_or_404(connection, viewer, contact_id)
        found = {
            state: activitylist.page(
                connection,
                ActivityQuery(
                    viewer,
                    state=state,
                    contact_id=contact.id,
                    is_descending=state == "done",
                ),
                limit=PAGE,
            )
            for state in ("open", "done")
        }
        names = {row.id: row.name or row.email for row in users.list_all(connection)}
    return render_template(
        "contacts/activities.html",
        contact=contact,
        name=full_name(contact),
        links=browsing.links_of(core(), session.user(), contact.id),
        open_ones=[item.row for item in found["open"]],
        done_ones=[item.row for item in found["done"]],
        names=names,
        viewer=viewer,
    )


def _page(
    connection: Connection, query: ActivityQuery, state: TableState
) -> tuple[list[ListedActivity], str, str]:
    """Return the activities of a page, and the addresses of its neighbours."""
    place = _read_place(state.before or state.after, state.sort)
    is_back = bool(state.before) and place is not None
    found = activitylist.page(
        connection, query, place, backwards=is_back, limit=PAGE + 1
    )
    has_more = len(found) > PAGE
    found = found[-PAGE:] if is_back else found[:PAGE]
    if not found:
        return [], "", ""
    has_previous = has_more if is_back else place is not None
    has_next = is_back or has_more
    previous = state.page(before=_write_place(found[0].place)) if has_previous else ""
    following = state.page(after=_write_place(found[-1].place)) if has_next else ""
    return found, previous, following


def _write_place(place: Place) -> str:
    value, row_id = place
    return pack(value.isoformat() if isinstance(value, datetime) else value, row_id)


def _read_place(word: str, sort: str) -> Place | None:
    match unpack(word):
        case [str(value), str(row_id)] if sort != "changed" and _is_clean(row_id):
            if sort != "start":
                return (value, row_id) if _is_clean(value) else None
            try:
                at = as_time(value)
            except ValueError:
                return None
            return (at, row_id) if at is not None else None
        case [int(value), str(row_id)] if sort == "changed" and _is_clean(row_id):
            return (value, row_id) if abs(value) < 1 << 62 else None
    return None


def _is_clean(text: str) -> bool:
    return "\x00" not in text and not any("\ud800" <= c <= "\udfff" for c in text)
