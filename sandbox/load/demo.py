"""The demo company's calendars and to-dos, around the sandbox's own today."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.control.hand_events import EventsHand
from sandbox.control.hand_tasks import TasksHand
from sandbox.events.times import zone
from sandbox.messages import Json

if TYPE_CHECKING:
    from sandbox.app import Sandbox

ANNA = "anna.miller@ostervik.example"
BEN = "ben.ortiz@ostervik.example"
CLARA = "clara.novak@ostervik.example"
ZONE = "Europe/Oslo"
_DAILY_MEETING = "demo01standup"


def fill(sandbox: Sandbox) -> None:
    """Give the three accounts their events and tasks, once."""
    hand = EventsHand(sandbox)
    if _DAILY_MEETING in sandbox.events.desk.primary(ANNA).events:
        return
    today = datetime.fromtimestamp(sandbox.clock.now(), UTC).astimezone(zone(ZONE))
    days = Days(today.date())
    for email in (ANNA, BEN, CLARA):
        place = {"email": email, "id": "primary"}
        hand.edit_calendar(place, {"timeZone": ZONE})
    for email, events in (
        (ANNA, _annas(days)),
        (BEN, _bens(days)),
        (CLARA, _claras(days)),
    ):
        hand.create({"email": email}, {"events": events})
    _change_the_series(hand, days)
    for email, key, answer in (
        (BEN, _DAILY_MEETING, "accepted"),
        (CLARA, _DAILY_MEETING, "accepted"),
        (BEN, "demo02quote", "accepted"),
        (CLARA, "demo04plan", "tentative"),
        (ANNA, "demo21route", "accepted"),
    ):
        hand.answer({"email": email, "id": key}, {"answer": answer})
    _tasks(TasksHand(sandbox), days)


class Days:
    """Days around today; weekdays are looked up, so that nobody meets on Sundays."""

    def __init__(self, today: date) -> None:
        self.today = today
        self.monday = today - timedelta(days=today.weekday())

    def of_week(self, week: int, weekday: int) -> str:
        """A weekday (0 is Monday) so many weeks from this one."""
        return (self.monday + timedelta(days=7 * week + weekday)).isoformat()

    def ahead(self, count: int) -> str:
        return (self.today + timedelta(days=count)).isoformat()


def timed(day: str, start: str, end: str) -> Json:
    return {
        "start": {"dateTime": f"{day}T{start}:00", "timeZone": ZONE},
        "end": {"dateTime": f"{day}T{end}:00", "timeZone": ZONE},
    }


def _whole(first: str, days: int) -> Json:
    end = (date.fromisoformat(first) + timedelta(days=days)).isoformat()
    return {"start": {"date": first}, "end": {"date": end}}


def _guests(*addresses: str) -> list[Json]:
    return [{"email": address} for address in addresses]


def _meet(code: str) -> Json:
    link = f"https://meet.sandbox.example/{code}"
    return {
        "hangoutLink": link,
        "conferenceData": {
            "conferenceId": code,
            "conferenceSolution": {
                "key": {"type": "hangoutsMeet"},
                "name": "Google Meet",
            },
            "entryPoints": [{"entryPointType": "video", "uri": link}],
        },
    }


def _popup(*minutes: int) -> Json:
    overrides = [{"method": "popup", "minutes": m} for m in minutes]
    return {"useDefault": False, "overrides": overrides}


def _annas(days: Days) -> list[Json]:
    return [
        {
            "id": _DAILY_MEETING,
            "summary": "Sales stand-up",
            "location": "Small meeting room",
            **timed(days.of_week(-4, 0), "09:00", "09:20"),
            "recurrence": ["RRULE:FREQ=WEEKLY;BYDAY=MO"],
            "attendees": _guests(ANNA, BEN, CLARA),
        },
        {
            "id": "demo02quote",
            "summary": "Review the quote for Krummwasser",
            "description": "Delivery times and the second option.",
            "location": "Krummwasser, Hafenstr. 4",
            **timed(days.of_week(1, 2), "14:00", "15:30"),
            "attendees": _guests(ANNA, BEN, "h.osterkamp@krummwasser.example"),
        },
        {
            "id": "demo03fair",
            "summary": "Trade fair in Hamburg",
            "location": "Hamburg",
            **_whole(days.of_week(2, 1), 3),
            "transparency": "opaque",
        },
        {
            "id": "demo04plan",
            "summary": "Quarterly planning",
            "description": "<b>Bring</b> your numbers.<br><ul><li>pipeline</li></ul>",
            **timed(days.of_week(1, 3), "10:00", "12:00"),
            "attendees": _guests(ANNA, BEN, CLARA),
            "colorId": "9",
            **_meet("abc-defg-hij"),
        },
        {
            "id": "demo05dentist",
            "summary": "Dentist",
            "visibility": "private",
            **timed(days.of_week(1, 4), "08:00", "09:00"),
        },
        {
            "id": "demo06call",
            "summary": "Call Declan Hurley about the spring order",
            **timed(days.of_week(0, 4), "11:00", "11:30"),
            "colorId": "5",
            "reminders": _popup(10, 60),
        },
        *_annas_more(days),
    ]


def _annas_more(days: Days) -> list[Json]:
    return [
        {
            "id": "demo07kick",
            "summary": "Kick-off Hollowbrook Dairy",
            "description": "Went well; they want a second site.",
            **timed(days.of_week(-1, 1), "13:00", "14:00"),
            "attendees": _guests(ANNA, "aoife.brennan@hollowbrook.example"),
        },
        {
            "id": "demo08one",
            "summary": "Anna / Ben",
            **timed(days.of_week(0, 3), "15:00", "15:30"),
            "recurrence": ["RRULE:FREQ=MONTHLY;COUNT=6"],
            "attendees": _guests(ANNA, BEN),
        },
        {
            "id": "demo09lunch",
            "summary": "Lunch with Maren Voss",
            "location": "Fish market",
            "transparency": "transparent",
            **timed(days.of_week(1, 1), "12:00", "13:00"),
        },
        {
            "id": "demo10stock",
            "summary": "Stocktaking",
            **_whole(days.of_week(3, 4), 1),
        },
        {
            "id": "demo11focus",
            "summary": "Quiet hours",
            "eventType": "focusTime",
            "focusTimeProperties": {"chatStatus": "doNotDisturb"},
            **timed(days.of_week(0, 2), "13:00", "15:00"),
        },
        {
            "id": "demo12demo",
            "summary": "Show the pump line to Talavera Riegos",
            **timed(days.of_week(2, 0), "16:00", "17:00"),
            "attendees": _guests(ANNA, "inigo@talavera-riegos.example"),
            "guestsCanInviteOthers": False,
            **_meet("klm-nopq-rst"),
        },
    ]


def _bens(days: Days) -> list[Json]:
    return [
        {
            "id": "demo21route",
            "summary": "Plan the delivery route",
            **timed(days.of_week(1, 0), "13:00", "14:00"),
            "attendees": _guests(BEN, ANNA),
        },
        {
            "id": "demo22sport",
            "summary": "Gym",
            "visibility": "private",
            **timed(days.of_week(-2, 2), "18:00", "19:00"),
            "recurrence": ["RRULE:FREQ=WEEKLY;BYDAY=WE"],
        },
        {
            "id": "demo23leave",
            "summary": "Leave",
            **_whole(days.of_week(4, 0), 5),
        },
        {
            "id": "demo24truck",
            "summary": "Truck inspection",
            "location": "Garage Lund",
            **timed(days.of_week(1, 2), "08:30", "09:30"),
            "reminders": _popup(30),
        },
    ]


def _claras(days: Days) -> list[Json]:
    return [
        {
            "id": "demo31books",
            "summary": "Month-end closing",
            **timed(days.of_week(0, 0), "09:30", "11:30"),
            "recurrence": ["RRULE:FREQ=MONTHLY;BYDAY=-1FR"],
        },
        {
            "id": "demo32bank",
            "summary": "Bank",
            "visibility": "private",
            **timed(days.of_week(1, 1), "10:00", "11:00"),
        },
        {
            "id": "demo33dues",
            "summary": "Tax adviser",
            "location": "Office of Dahl & Partner",
            **timed(days.of_week(2, 3), "14:00", "15:00"),
            "attendees": _guests(CLARA, "dahl@dahl-partner.example"),
        },
    ]


def _change_the_series(hand: EventsHand, days: Days) -> None:
    """One stand-up is moved to Tuesday, another one is cancelled."""

    def occurrence(week: int) -> str:
        listed = hand.list({"email": ANNA, "expand": "true"}, {})["events"]
        wanted = days.of_week(week, 0)
        (found,) = [
            str(event["id"])
            for event in listed
            if event.get("recurringEventId") == _DAILY_MEETING
            and event["originalStartTime"]["dateTime"].startswith(wanted)
        ]
        return found

    moved = timed(days.of_week(1, 1), "09:30", "09:50")
    hand.move({"email": ANNA, "id": occurrence(1)}, moved)
    hand.delete({"email": ANNA, "id": occurrence(2)}, {})


def _tasks(hand: TasksHand, days: Days) -> None:
    def due(count: int) -> str:
        return f"{days.ahead(count)}T00:00:00.000Z"

    listed: dict[str, list[dict[str, Any]]] = {
        ANNA: [
            {"title": "Send the quote to Krummwasser", "due": due(1)},
            {"title": "Order samples", "notes": "Two of each size.", "due": due(3)},
            {"title": "Update the price list"},
            {"title": "Book the hotel in Hamburg", "due": due(-2)},
            {"title": "Water the plants", "due": due(2), "every": 7},
            {"title": "Thank Aoife Brennan", "due": due(-5), "status": "completed"},
        ],
        BEN: [
            {"title": "Renew the truck's insurance", "due": due(9)},
            {"title": "Call the garage", "due": due(0)},
            {"title": "Return the pallets", "status": "completed"},
        ],
        CLARA: [
            {"title": "Remind Hollowbrook of the invoice", "due": due(1)},
            {"title": "File the receipts"},
        ],
    }
    for email, tasks in listed.items():
        hand.create({"email": email}, {"tasks": tasks[::-1]})
    parent = hand.list({"email": ANNA}, {})["tasks"][1]["id"]
    hand.create({"email": ANNA}, {"title": "Ask for colours", "parent": parent})
