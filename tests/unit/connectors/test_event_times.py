"""Start, end, zone and recurrence of Google's events."""

from __future__ import annotations

from typing import Any

import pytest

from crmsync.connectors.google.mapping.repeats import read_repeats
from crmsync.connectors.google.mapping.when import When, read_when, write_when
from crmsync.errors import InvalidRecord
from tests.unit.connectors.events import all_day, read, timed, written


@pytest.mark.rule("CAL-24", "CAL-17")
@pytest.mark.parametrize(
    ("wire", "start", "minutes"),
    [
        (all_day("2026-11-24", "2026-11-25"), "2026-11-24", 1440),
        (all_day("2026-11-24", "2026-11-27"), "2026-11-24", 3 * 1440),
        (timed("2026-11-24T09:00:00+01:00", "2026-11-24T10:30:00+01:00"),
         "2026-11-24T08:00:00Z", 90),
        (timed("2026-11-24T09:00:00", "2026-11-24T10:00:00", "Asia/Kathmandu"),
         "2026-11-24T03:15:00Z", 60),
        (timed("2026-11-24T09:00:00", "2026-11-24T10:00:00",
               "W. Europe Standard Time"), "2026-11-24T08:00:00Z", 60),
        (timed("2026-11-24T09:00:00.500Z", "2026-11-24T09:10:59Z"),
         "2026-11-24T09:00:00Z", 10),
        (all_day("0001-01-01", "0001-01-02"), "0001-01-01", 1440),
        (all_day("9999-12-31", "10000-01-01"), "9999-12-31", 1440),
        (timed("9999-12-31T23:00:00Z", "9999-12-31T23:30:00Z"),
         "9999-12-31T23:00:00Z", 30),
        (timed("0001-01-01T12:00:00Z", "0001-01-01T13:00:00Z"),
         "0001-01-01T12:00:00Z", 60),
    ],
)  # fmt: skip
def test_times_are_read(wire: dict[str, Any], start: str, minutes: int) -> None:
    found = read_when(wire)

    assert (found.start, found.minutes, found.odd) == (start, minutes, "")


@pytest.mark.parametrize(
    ("wire", "minutes"),
    [
        (timed("2026-11-24T09:00:00Z", "2026-11-24T09:00:00Z"), 0),
        (timed("2026-11-24T09:00:00Z", "2026-11-24T08:00:00Z"), 0),
        (all_day("2026-11-24", "2026-11-24"), 1440),
        (all_day("2026-11-24", "2026-11-20"), 1440),
        ({**timed("2026-11-24T09:00:00Z", "2026-11-24T10:00:00Z"),
          "endTimeUnspecified": True}, 0),
        ({"start": {"dateTime": "2026-11-24T09:00:00Z"}}, 0),
        ({"start": {"dateTime": "2026-11-24T09:00:00Z"},
          "end": {"date": "2026-11-25"}}, 0),
    ],
)  # fmt: skip
def test_zero_negative_and_missing_durations_are_normalised(
    wire: dict[str, Any], minutes: int
) -> None:
    found = read_when(wire)

    assert (found.minutes, found.odd) == (minutes, "")


@pytest.mark.parametrize(
    "wire",
    [
        {},
        {"start": "yesterday"},
        {"start": {"date": "2026-13-40"}},
        {"start": {"dateTime": "noon"}},
        {"start": {"dateTime": "0001-01-01T00:00:00+14:00"}},
        {"start": {"dateTime": "2026-11-24T09:00:00", "timeZone": "Mars/Olympus"}},
    ],
)
def test_times_that_can_not_be_told_are_named(wire: dict[str, Any]) -> None:
    assert read_when(wire).odd


def test_an_unknown_zone_leaves_the_instant_of_an_offset() -> None:
    wire = timed("2026-11-24T09:00:00+02:00", "2026-11-24T10:00:00+02:00", "Mars/O")

    assert read_when(wire) == When("2026-11-24T07:00:00Z", 60, "Mars/O")
    series = read(**wire, recurrence=["RRULE:FREQ=DAILY"])
    assert series.record["odd"] == "The time zone Mars/O is not known."
    assert series.values["start"] == "2026-11-24T07:00:00Z"
    assert "odd" not in read(**wire).record


@pytest.mark.rule("CAL-24")
def test_google_s_end_is_exclusive() -> None:
    body = write_when("2026-11-24", "2880")

    assert (body["start"]["date"], body["end"]["date"]) == ("2026-11-24", "2026-11-26")


@pytest.mark.rule("CAL-3")
def test_turning_all_day_clears_the_time_of_day() -> None:
    assert write_when("2026-11-24", "1440")["start"] == {
        "date": "2026-11-24",
        "dateTime": None,
        "timeZone": None,
    }
    assert write_when("2026-11-24T09:00:00Z", "60")["start"]["date"] is None


@pytest.mark.parametrize(
    ("start", "duration", "field"),
    [
        ("9999-12-31", "1440", "duration"),
        ("9999-12-31T23:00:00Z", "120", "duration"),
        ("2026-11-24", "long", "duration"),
        ("soon", "60", "start"),
        ("", "60", "start"),
    ],
)
def test_times_that_google_has_not_are_refused(
    start: str, duration: str, field: str
) -> None:
    with pytest.raises(InvalidRecord) as error:
        write_when(start, duration)

    assert error.value.fields == (field,)


def test_a_series_in_an_unknown_zone_is_refused() -> None:
    with pytest.raises(InvalidRecord) as error:
        write_when("2026-11-24T09:00:00Z", "60", "Mars/Olympus")

    assert error.value.fields == ("zone",)


# ------------------------------------------------------------------ recurrence

BERLIN = ("2026-11-24T08:00:00Z", "Europe/Berlin")


@pytest.mark.rule("CAL-17")
@pytest.mark.parametrize(
    ("lines", "neutral"),
    [
        (["RRULE:BYDAY=WE,MO;FREQ=WEEKLY;INTERVAL=1"], "RRULE:FREQ=WEEKLY;BYDAY=MO,WE"),
        (["RRULE:FREQ=DAILY;UNTIL=20270101T080000"],
         "RRULE:FREQ=DAILY;UNTIL=20270101T070000Z"),
        (["RRULE:FREQ=DAILY;UNTIL=20270701"],
         "RRULE:FREQ=DAILY;UNTIL=20270630T220000Z"),
        (["EXDATE:20261201T080000Z", "RRULE:FREQ=DAILY",
          "EXDATE;TZID=Europe/Berlin:20261130T090000"],
         "EXDATE:20261130T090000,20261201T090000\nRRULE:FREQ=DAILY"),
        (["DTSTART;TZID=Europe/Berlin:20261124T090000", "RRULE:FREQ=DAILY"],
         "RRULE:FREQ=DAILY"),
    ],
)  # fmt: skip
def test_lines_are_read_in_the_neutral_form(lines: list[str], neutral: str) -> None:
    found = read_repeats(lines, *BERLIN)

    assert (found.lines, found.odd) == (neutral, "")


@pytest.mark.rule("CAL-17")
@pytest.mark.parametrize(
    "lines",
    [
        ["RRULE:FREQ=DAILY", "RRULE:FREQ=WEEKLY"],
        ["RRULE:FREQ=DAILY", "EXRULE:FREQ=WEEKLY"],
        ["RRULE:FREQ=HOURLY"],
        ["RRULE:FREQ=MINUTELY;INTERVAL=90"],
        ["RRULE:FREQ=SECONDLY"],
        ["RRULE:FREQ=DAILY;BYHOUR=9,17"],
        ["RRULE:FREQ=DAILY;INTERVAL=0"],
        ["RRULE:FREQ=DAILY;BYMOON=FULL"],
        ["RRULE:COUNT=3"],
        ["RRULE:FREQ=DAILY;UNTIL=whenever"],
        ["RDATE;VALUE=PERIOD:20261201T080000Z/PT1H"],
        ["RRULE:FREQ=DAILY", "EXDATE;TZID=Mars/Olympus:20261201T080000"],
        ["RRULE:FREQ=DAILY", "EXDATE:tomorrow"],
        ["what is this"],
    ],
)
def test_what_the_form_has_no_words_for_is_named(lines: list[str]) -> None:
    wire = timed("2026-11-24T09:00:00+01:00", "2026-11-24T10:00:00+01:00", BERLIN[1])

    series = read(**wire, recurrence=lines)

    assert series.record["odd"]
    assert series.record["odd_in"] == "recurrence"
    assert series.values["start"] == BERLIN[0]
    assert series.values["subject"] == "Lunch"


def test_a_series_carries_its_zone_and_a_single_activity_none() -> None:
    wire = timed("2026-11-24T09:00:00+01:00", "2026-11-24T10:00:00+01:00", BERLIN[1])

    assert read(**wire, recurrence=["RRULE:FREQ=DAILY"]).values["zone"] == BERLIN[1]
    assert read(**wire).values["zone"] == ""
    day = all_day("2026-11-24", "2026-11-25")
    assert read(**day, recurrence=["RRULE:FREQ=DAILY"]).values["zone"] == ""


def test_a_series_without_a_zone_is_written_in_utc() -> None:
    body = written(
        {"start": "2026-11-24T09:00:00Z", "duration": "60",
         "recurrence": "RRULE:FREQ=DAILY\nEXDATE:20261125T090000"}
    )  # fmt: skip

    assert body["start"]["timeZone"] == "UTC"
    assert body["recurrence"] == ["EXDATE:20261125T090000Z", "RRULE:FREQ=DAILY"]
