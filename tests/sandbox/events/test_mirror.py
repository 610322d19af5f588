"""Random edits of three people: mirrors built from sync tokens equal full lists."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from googleapiclient.errors import HttpError

from tests.sandbox.events.client import Diary, at, guests, meeting, weekly
from tests.sandbox.harness import Json, SandboxServer

STEPS = 120
_SHARED = ("summary", "start", "end", "recurrence", "status", "organizer", "sequence")


class Mirror:
    """What a careful client keeps: events by id, the deleted dropped."""

    def __init__(self, diary: Diary) -> None:
        self.diary = diary
        self.events: dict[str, Json] = {}
        events, self.token = diary.all(maxResults=7)
        self.take(events)

    def poll(self) -> None:
        changed, self.token = self.diary.all(maxResults=7, syncToken=self.token)
        self.take(changed)

    def take(self, events: list[Json]) -> None:
        for event in events:
            is_place = "recurringEventId" in event
            if event["status"] == "cancelled" and not is_place:
                self.events.pop(event["id"], None)
            else:
                self.events[event["id"]] = event

    def live(self) -> dict[str, Json]:
        """Without places of series that are gone."""
        known = self.events
        return {
            key: event
            for key, event in known.items()
            if event["status"] != "cancelled" or event["recurringEventId"] in known
        }


class Life:
    """One random story of some people's calendars."""

    def __init__(self, seed: int, people: list[Diary]) -> None:
        self.random = Random(seed)
        self.people = people
        self.keys: list[str] = []

    def step(self) -> None:
        diary = self.random.choice(self.people)
        move = self.random.choice(
            (self.create, self.edit, self.edit, self.answer, self.delete, self.occur)
        )
        try:
            move(diary)
        except HttpError as error:
            if error.status_code not in (400, 403, 404, 410):
                raise

    def create(self, diary: Diary) -> None:
        base = self.random.choice((meeting, weekly))
        chosen = self.random.sample(self.people, self.random.randint(0, 3))
        body = base(f"S{self.random.random()}", attendees=self._guests(chosen))
        self.keys.append(diary.insert(body)["id"])

    def edit(self, diary: Diary) -> None:
        chosen = self.random.sample(self.people, self.random.randint(0, 3))
        patch = self.random.choice(
            (
                {"summary": f"S{self.random.random()}"},
                {"attendees": self._guests(chosen)},
                {"colorId": str(self.random.randint(1, 11))},
                {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"]},
                {"reminders": {"useDefault": False}},
                {"guestsCanModify": True},
            )
        )
        diary.patch(self._key(), patch)

    def answer(self, diary: Diary) -> None:
        said = self.random.choice(("accepted", "declined", "tentative"))
        mine = [{"email": diary.email, "responseStatus": said}]
        diary.patch(self._key(), {"attendees": mine, "attendeesOmitted": True})

    def delete(self, diary: Diary) -> None:
        diary.delete(self._key())

    def occur(self, diary: Diary) -> None:
        """Something happens to one occurrence of a series."""
        day = self.random.choice(("02", "09", "16", "23"))
        key = f"{self._key()}_202603{day}T080000Z"
        if self.random.random() < 0.3:
            diary.delete(key)
            return
        hour = self.random.randint(0, 20)
        start, end = at(f"2026-03-{day}", hour), at(f"2026-03-{day}", hour + 1)
        diary.patch(key, {"start": start, "end": end})

    def _key(self) -> str:
        return self.random.choice(self.keys) if self.keys else "nobody1"

    def _guests(self, people: list[Diary]) -> list[Json]:
        return guests(*(diary.email for diary in people))


def shared(event: Json) -> dict[str, Any]:
    found = {name: event.get(name) for name in _SHARED}
    found["organizer"] = event["organizer"]["email"]
    people = event.get("attendees", [])
    found["attendees"] = {g["email"]: g["responseStatus"] for g in people}
    return found


@pytest.mark.point("C-37")
@pytest.mark.parametrize(("seed", "late"), [(n, n % 2 * 0.02) for n in range(6)])
@pytest.mark.timeout(120)
def test_mirrors_and_copies_stay_true(
    new_diary: Callable[..., Diary], box: SandboxServer, seed: int, late: float
) -> None:
    box.switch(calendar_delay=late, copy_delay=late)
    people = [new_diary() for _ in range(3)]
    mirrors = [Mirror(diary) for diary in people]
    life = Life(seed, people)

    for number in range(STEPS):
        life.step()
        if number % 5 == 0:
            mirrors[number % 3].poll()

    box.settle()
    for mirror in mirrors:
        mirror.poll()
        full = {event["id"]: event for event in mirror.diary.all()[0]}
        # Reminders move no feed, so a mirror may be behind with them (11.19).
        for event in (*full.values(), *mirror.events.values()):
            event.pop("reminders", None)
        assert mirror.live() == full
    _check_copies({diary.email: diary.all()[0] for diary in people})


def _check_copies(calendars: dict[str, list[Json]]) -> None:
    """Every copy says the same as the organizer's event of the same id."""
    originals = {
        event["id"]: event
        for owner, events in calendars.items()
        for event in events
        if event["status"] != "cancelled" and event["organizer"]["email"] == owner
    }
    for owner, events in calendars.items():
        for event in events:
            if event["status"] == "cancelled" or event["organizer"].get("self"):
                continue
            assert shared(event) == shared(originals[event["id"]])
            assert owner in {guest["email"] for guest in event["attendees"]}
