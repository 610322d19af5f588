"""Series survive the built-in CRM: they are read, and repeat, as they were written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import pytest
import recurring_ical_events

from crm import agenda
from crmsync.ports import NewRecord
from crmsync.records.activities import FIELDS
from crmsync.records.remote import Remote
from crmsync.records.values import FieldTable
from crmsync.storage.database import Database
from tests.contract.benches import ActivityBench
from tests.contract.side_contract import new_key, remote_of

TABLE = FieldTable(FIELDS)
ZONES = (
    "UTC", "Europe/Berlin", "Europe/London", "America/New_York", "America/Sao_Paulo",
    "America/St_Johns", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe",
    "Pacific/Apia", "Africa/Casablanca", "Asia/Tokyo",
)  # fmt: skip
RULES = (
    "FREQ=DAILY",
    "FREQ=DAILY;INTERVAL=3;COUNT=50",
    "FREQ=WEEKLY",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE,FR",
    "FREQ=WEEKLY;WKST=SU;INTERVAL=2;BYDAY=SU,TU",
    "FREQ=WEEKLY;COUNT=30;BYDAY=TH",
    "FREQ=MONTHLY",
    "FREQ=MONTHLY;BYMONTHDAY=31",
    "FREQ=MONTHLY;BYMONTHDAY=-1",
    "FREQ=MONTHLY;BYDAY=-1SU",
    "FREQ=MONTHLY;BYDAY=2TU;INTERVAL=2",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    "FREQ=YEARLY",
    "FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU",
    "FREQ=YEARLY;BYYEARDAY=100,200",
    "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
)
CLOCKS = ("00:15", "02:30", "09:00", "23:45")
"""Hours at which clocks change, and hours at the edge of a day."""

BEGIN, END = date(2026, 1, 1), date(2027, 12, 31)
LAST = "2027-12-29"
"""Up to here they are compared: the library ends its days in each series' zone."""


def timed() -> Iterator[dict[str, str]]:
    """Yield one series per rule and zone, at hours in turn."""
    for number, (rule, zone) in enumerate(product(RULES, ZONES)):
        hour, minute = map(int, CLOCKS[number % len(CLOCKS)].split(":"))
        local = datetime(2026, 1, 3 + number % 26, hour, minute, tzinfo=ZoneInfo(zone))
        yield {
            "subject": f"{rule} in {zone}"[:64],
            "start": f"{local.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "duration": "45",
            "zone": zone,
            "recurrence": f"RRULE:{rule}",
        }


def timeless() -> Iterator[dict[str, str]]:
    for number, rule in enumerate(RULES):
        yield {
            "subject": rule[:64],
            "start": f"2026-01-{1 + number:02d}",
            "duration": "1440",
            "recurrence": f"EXDATE:202601{2 + number:02d}\nRRULE:{rule}",
        }


def by_library(values: dict[str, str]) -> list[str]:
    """Return the starts of a series within two years, as a calendar library sees it."""
    event = icalendar.Event()
    event.add("uid", "x")
    is_timed = "T" in values["start"]
    start: Any = date.fromisoformat(values["start"][:10])
    if is_timed:
        at = datetime.fromisoformat(values["start"])
        start = at.astimezone(ZoneInfo(values["zone"]))
    event.add("dtstart", start)
    event.add("duration", timedelta(minutes=int(values["duration"])))
    for line in values["recurrence"].splitlines():
        name, _, value = line.partition(":")
        if name == "RRULE":
            event["RRULE"] = icalendar.vRecur.from_ical(value)
        else:
            event.add(name, [date.fromisoformat(item) for item in value.split(",")])
    whole = icalendar.Calendar()
    whole.add_component(event)
    found: Any = recurring_ical_events.of(whole)
    begins = [item["DTSTART"].dt for item in found.between(BEGIN, END)]
    if is_timed:
        return sorted(f"{item.astimezone(UTC):%Y-%m-%dT%H:%M}" for item in begins)
    return sorted(item.isoformat() for item in begins)


def by_the_crm(bench: ActivityBench, remote: Remote) -> list[str]:
    """Return the same from the CRM's own calendar, a year and a bit at a time."""
    found: set[str] = set()
    for year in (2026, 2027):
        span = date(year, 1, 1), date(year, 12, 31)
        with bench.database.read() as conn:
            shown = agenda.occurrences(conn, bench.anna, *span, zone=ZoneInfo("UTC"))
        found |= {item.slot for item in shown if item.row.id == remote.remote_id}
    return sorted(slot[:16] for slot in found if slot < LAST)


@pytest.mark.rule("CAL-17")
@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", [timed, timeless])
def test_series_of_all_kinds_survive_a_round_trip(
    database: Database, kind: Any
) -> None:
    bench = ActivityBench(database)
    fixtures = list(kind())

    outcomes = bench.side.create([NewRecord(new_key(), item) for item in fixtures])

    assert len(fixtures) >= len(RULES)
    for values, outcome in zip(fixtures, outcomes, strict=True):
        remote = remote_of(outcome)
        assert TABLE.are_same(remote.values, values), values
    whole = bench.side.fetch([remote_of(outcome).remote_id for outcome in outcomes])
    assert [r.values for r in whole.values()] == [remote_of(o).values for o in outcomes]


@pytest.mark.rule("CAL-17")
@pytest.mark.timeout(120)
@pytest.mark.parametrize("rule", RULES)
def test_the_crm_s_calendar_repeats_as_a_library_says_in_every_zone(
    database: Database, rule: str
) -> None:
    bench = ActivityBench(database)
    fixtures = [item for item in timed() if item["recurrence"] == f"RRULE:{rule}"]
    fixtures += [i for i in timeless() if i["recurrence"].endswith(f"RRULE:{rule}")]

    outcomes = bench.side.create([NewRecord(new_key(), item) for item in fixtures])

    assert len(fixtures) == len(ZONES) + 1
    for values, outcome in zip(fixtures, outcomes, strict=True):
        expected = [item for item in by_library(values) if item < LAST]
        assert by_the_crm(bench, remote_of(outcome)) == expected, values
