"""Series survive event -> values -> event: they take place at the same times."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import recurring_ical_events
from icalendar import Calendar

from crmsync.connectors.google.mapping.activities import event_to_remote
from crmsync.connectors.google.mapping.activities_out import new_event
from crmsync.ports import NewRecord
from crmsync.records.expansion import expand
from crmsync.records.values import FieldTable, Values
from tests.unit.connectors.events import KEY, reading
from tests.unit.connectors.series_table import SERIES, Series

SINCE, UNTIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 12, 1, tzinfo=UTC)
by_name = pytest.mark.parametrize("series", SERIES, ids=lambda series: series.name)


def values_of(wire: Mapping[str, Any]) -> Values:
    remote = event_to_remote(wire, reading())
    assert "odd" not in remote.record
    return remote.values


def times(series: Values, changes: list[Values]) -> list[tuple[str, int]]:
    shown = expand(series, SINCE, UNTIL, changes)
    return [(one.start, one.minutes) for one in shown]


def icalendar_of(wire: Mapping[str, Any]) -> str:
    """Return an event as iCalendar, for a library that expands it by itself."""

    def line(name: str, moment: Mapping[str, str]) -> str:
        if "date" in moment:
            return f"{name};VALUE=DATE:{moment['date'].replace('-', '')}"
        local = moment["dateTime"][:19].replace("-", "").replace(":", "")
        zone = moment["timeZone"]
        return f"{name}:{local}Z" if zone == "UTC" else f"{name};TZID={zone}:{local}"

    lines = ["BEGIN:VEVENT", "UID:one", "DTSTAMP:20260101T000000Z"]
    lines += [line("DTSTART", wire["start"]), line("DTEND", wire["end"])]
    lines += wire.get("recurrence", [])
    if "originalStartTime" in wire:
        lines.append(line("RECURRENCE-ID", wire["originalStartTime"]))
    return "\r\n".join([*lines, "END:VEVENT"])


def expanded_by_another(wires: list[dict[str, Any]], gone: set[str]) -> list[str]:
    events = "\r\n".join(icalendar_of(wire) for wire in wires)
    text = (
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{events}\r\nEND:VCALENDAR\r\n"
    )
    found = recurring_ical_events.of(Calendar.from_ical(text)).between(SINCE, UNTIL)
    starts = []
    for one in found:
        at = one["DTSTART"].dt
        if isinstance(at, datetime):
            starts.append(f"{at.astimezone(UTC).replace(tzinfo=None).isoformat()}Z")
        else:
            starts.append(at.isoformat())
    return sorted(set(starts) - gone)


def test_there_are_enough_series() -> None:
    assert len(SERIES) >= 60
    assert len({series.name for series in SERIES}) == len(SERIES)


@pytest.mark.rule("CAL-17")
@by_name
def test_a_series_survives_the_round_trip(series: Series) -> None:
    master = values_of(series.wire())
    changes = [values_of(wire) for wire in series.wires_of_changes()]

    made = new_event(NewRecord(KEY, master), "other1", reading())
    again = values_of(made)

    assert times(again, changes) == times(master, changes)
    table = FieldTable(())
    assert table.are_same(again, master)
    assert {n: v for n, v in again.items() if v} == {
        n: v for n, v in master.items() if v
    }


@pytest.mark.rule("CAL-17")
@by_name
def test_a_series_takes_place_when_another_library_says(series: Series) -> None:
    master = values_of(series.wire())
    wires = series.wires_of_changes()
    changes = [values_of(wire) for wire in wires]
    gone = {c["slot"] for c in changes if c.get("cancelled")}

    ours = [start for start, _ in times(master, changes)]

    kept = [wire for wire in wires if wire["status"] != "cancelled"]
    assert ours == expanded_by_another([series.wire(), *kept], gone)


@pytest.mark.rule("CAL-17")
def test_nine_o_clock_stays_nine_o_clock_in_summer() -> None:
    series = Series(
        "s", "2026-03-27T09:00:00", 30, "Europe/Berlin", ("RRULE:FREQ=DAILY",)
    )

    shown = times(values_of(series.wire()), [])

    assert [start for start, _ in shown[:4]] == [
        "2026-03-27T08:00:00Z",
        "2026-03-28T08:00:00Z",
        "2026-03-29T07:00:00Z",
        "2026-03-30T07:00:00Z",
    ]


@pytest.mark.rule("CAL-17", "CAL-19")
@pytest.mark.timeout(8)  # a search till the year 9999 takes seconds for each of them
def test_a_rule_that_never_applies_is_not_searched_for_till_the_year_9999() -> None:
    rule = "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"

    for day, end in enumerate(("", ";COUNT=3", ";UNTIL=20260601T000000Z"), 1):
        start = f"2026-03-0{day}T09:00:00Z"
        never = {"start": start, "duration": "30", "zone": "UTC"}
        assert times(never | {"recurrence": rule + end}, []) == [(start, 30)]


@pytest.mark.rule("CAL-17")
def test_a_rare_rule_applies_when_it_does() -> None:
    leap = {
        "start": "2026-02-27T09:00:00Z",
        "duration": "30",
        "zone": "UTC",
        "recurrence": "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
    }

    assert [start[:10] for start, _ in times(leap, [])] == ["2026-02-27", "2028-02-29"]
