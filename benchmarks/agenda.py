"""What cycles of the calendar and of tasks cost."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.ours import ANNA, Installation
from benchmarks.runs import PAIRS, run
from benchmarks.table import Figure
from crm import activities
from crm import users as crm_users
from crm.activityrows import NewActivity
from crm.common import Author
from crmsync.storage.people import User
from tests.sandbox.harness import CALENDAR, TASKS, SandboxServer
from tests.support.product import Product

FEW, PUSHED, EVENTS, LISTED = 1_000, 2_000, 10_000, 5_000
EVENTS_PER_PAGE, TASKS_PER_PAGE, PARTS = 2_500, 100, 50
_CHUNK = 500
_SCOPES = {"calendar": CALENDAR, "tasks": TASKS}
_LISTINGS = {
    "calendar": f"/calendar/v3/calendars/primary/events?maxResults={EVENTS_PER_PAGE}",
    "tasks": f"/tasks/v1/lists/@default/tasks?maxResults={TASKS_PER_PAGE}",
}


def _start(number: int) -> datetime:
    """Return one of many instants of the next 300 days."""
    first = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return first + timedelta(days=1 + number % 300, minutes=15 * (number % 32))


class Calendar(Installation):
    """Single events, or meetings."""

    kind = "calendar"

    def fill_google(self, box: SandboxServer, count: int) -> None:
        for first in range(0, count, _CHUNK):
            made = [
                self._event(number)
                for number in range(first, min(first + _CHUNK, count))
            ]
            box.create_event(ANNA, {"events": made})

    def fill_crm(self, product: Product, user: User, count: int) -> None:
        with product.app.database.write() as connection:
            me = crm_users.get_by_email(connection, user.email)
            leader = me.id if me is not None else ""
            new = [NewActivity(self._activity(n), leader) for n in range(count)]
            activities.create_many(connection, new, by=Author(leader))

    def _event(self, number: int) -> dict[str, Any]:
        start = _start(number)
        end = start + timedelta(minutes=30)
        return {
            "summary": f"Meeting {number} with Firma {number % 97}",
            "location": f"Hauptstr. {number}, Berlin",
            "description": "Delivery times and prices. " * 4,
            "start": {"dateTime": start.isoformat(), "timeZone": "UTC"},
            "end": {"dateTime": end.isoformat(), "timeZone": "UTC"},
        }

    def _activity(self, number: int) -> dict[str, str]:
        event = self._event(number)
        return {
            "type": "meeting",
            "subject": event["summary"],
            "location": event["location"],
            "notes": event["description"],
            "start": f"{_start(number):%Y-%m-%dT%H:%M:%SZ}",
            "duration": "30",
        }


class Tasks(Installation):
    """Open tasks of one list."""

    kind = "tasks"

    def fill_google(self, box: SandboxServer, count: int) -> None:
        for first in range(0, count, _CHUNK):
            made = [
                {
                    "title": f"Call Firma {number}",
                    "notes": "Ask for the order. " * 4,
                    "due": f"{_start(number):%Y-%m-%dT00:00:00.000Z}",
                }
                for number in range(first, min(first + _CHUNK, count))
            ]
            box.create_task(ANNA, {"tasks": made})


def read(made: Installation, count: int, per_page: int) -> Iterator[Figure]:
    """Compare the requests of a first pull with the fewest that pages allow."""
    with made.fresh() as box:
        first = made.cycle(box)
        # Tasks have no token: what is as new as the newest, within the overlap of five
        # minutes, is read again. All of these are, until a later one moves on.
        box.advance(600)
        made.fill_google(box, 1)
        made.cycle(box)
        rest = made.cycle(box)
    wrote = first.counts["crm"]["created"]
    if wrote != count:
        raise RuntimeError(f"{wrote} of {count} records came in")
    pages = ceil(count / per_page)
    what = f"{made.kind}: requests of a first pull of {count}"
    yield Figure(f"{what} ÷ {pages} pages", first.requests / pages, 1.25)
    yield Figure(
        f"{made.kind}: requests of a cycle without a change ÷ 1", rest.requests, 1.0
    )


def write(made: Installation, count: int) -> Iterator[Figure]:
    """Compare batches and their parts with the fewest there can be."""
    with made.fresh() as box:
        first = made.cycle(box)
        batches = box.requests(path="^/batch", method="POST")
        parts = box.requests(path="/events", method="POST", batch="true")
    if first.counts["google"]["created"] != count:
        raise RuntimeError(f"not all {count} events were made: {first.counts}")
    yield Figure(
        f"calendar: batches of a first push of {count} ÷ floor",
        len(batches) / ceil(count / PARTS),
        1.0,
    )
    yield Figure(f"calendar: parts of these batches ÷ {count}", len(parts) / count, 1.0)


def time_of(made: Installation, count: int) -> Iterator[Figure]:
    """Compare a first pull with a bare client's."""
    ratios: list[float] = []
    for _ in range(PAIRS):
        with made.fresh() as box:
            mine = made.cycle(box).cost
            token = box.token(ANNA, [_SCOPES[made.kind]])["access_token"]
            database = made.at_work / "floor.db"
            floor = run(
                [
                    sys.executable, "-m", "benchmarks.floor",
                    f"{box.url}{_LISTINGS[made.kind]}", token, str(database),
                ],
                {},
                Path(__file__).parents[1],
            )  # fmt: skip
        ratios.append(mine.wall / floor.wall)
    what = f"{made.kind}: {count}, first pull, wall clock ÷ floor's"
    yield Figure(what, median(ratios))


def growth(large: Installation, small: Installation) -> Iterator[Figure]:
    """Compare the memory that a first pull needs for many and for few."""

    def memory(which: Installation) -> float:
        with which.fresh() as box:
            return which.cycle(box).cost.memory

    ratio = median(memory(large) / memory(small) for _ in range(PAIRS))
    what = f"{large.kind}: peak memory of a first pull, {EVENTS} ÷ {FEW}"
    yield Figure(what, ratio, 1.5)


def measure(folder: Path) -> Iterator[Figure]:
    """Measure everything."""
    many = Calendar(folder / "events", EVENTS, in_google=True)
    few = Calendar(folder / "few-events", FEW, in_google=True)
    tasks = Tasks(folder / "tasks", LISTED, in_google=True)
    yield from read(many, EVENTS, EVENTS_PER_PAGE)
    yield from read(tasks, LISTED, TASKS_PER_PAGE)
    yield from write(Calendar(folder / "push", PUSHED, in_google=False), PUSHED)
    yield from growth(many, few)
    yield from time_of(many, EVENTS)
    yield from time_of(tasks, LISTED)
