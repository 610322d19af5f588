"""Recurring events: rules, zones, exceptions, splits (contract 5.4.5 to 5.4.7)."""

from __future__ import annotations

import pytest

from tests.sandbox.events.client import Diary, at, meeting, weekly, whole_day
from tests.sandbox.harness import Json, SandboxServer


def starts(diary: Diary, **more: str) -> list[str]:
    """The starts of all occurrences."""
    query: Json = {"singleEvents": True, "orderBy": "startTime", **more}
    items = diary.page(maxResults=2500, **query).get("items", [])
    return [e["start"].get("date") or e["start"]["dateTime"] for e in items]


@pytest.mark.point("C-20")
def test_nine_stays_nine_when_the_clocks_change(anna: Diary) -> None:
    anna.box.set_zone(anna.email, "Europe/Berlin")
    anna.insert(weekly())

    found = starts(anna)

    assert found[3] == "2026-03-23T09:00:00+01:00"
    assert found[4] == "2026-03-30T09:00:00+02:00"
    assert len(found) == 10


@pytest.mark.point("C-20")
@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["RRULE:FREQ=DAILY;UNTIL=20260304"], ["02", "03", "04"]),
        (["RRULE:FREQ=DAILY;UNTIL=20260304T080000Z"], ["02", "03", "04"]),
        (["RRULE:FREQ=DAILY;UNTIL=20260304T075959Z"], ["02", "03"]),
        (["RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20260303T080000Z"], ["02", "04"]),
        (
            ["RRULE:FREQ=DAILY;COUNT=2", "RDATE;TZID=Europe/Berlin:20260310T090000"],
            ["02", "03", "10"],
        ),
        (["RDATE;VALUE=PERIOD:20260310T080000Z/PT1H"], ["02", "10"]),
        (["RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=2"], ["02", "03", "10"]),
        (
            ["RRULE:FREQ=DAILY;COUNT=4", "EXRULE:FREQ=WEEKLY;BYDAY=WE"],
            ["02", "03", "05"],
        ),
    ],
)
def test_rules_dates_and_exceptions(
    anna: Diary, lines: list[str], expected: list[str]
) -> None:
    anna.insert(weekly(recurrence=lines))

    assert [start[8:10] for start in starts(anna)] == expected


@pytest.mark.point("C-20")
def test_whole_days_recur_by_date(anna: Diary) -> None:
    anna.box.set_zone(anna.email, "Pacific/Auckland")
    body = whole_day("Day", "2026-03-30", "2026-04-01")
    made = anna.insert({**body, "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"]})

    assert starts(anna) == ["2026-03-30", "2026-04-06", "2026-04-13"]
    one = anna.get(f"{made['id']}_20260406")
    assert one["end"] == {"date": "2026-04-08"}
    assert one["originalStartTime"] == {"date": "2026-04-06"}


@pytest.mark.point("C-20")
@pytest.mark.parametrize(
    "lines",
    [
        ["DTSTART:20260302T090000Z"],
        ["RRULE:FREQ=HOURLY"],
        ["RRULE:FREQ=DAILY;COUNT=0"],
        ["RRULE:FREQ=DAILY;COUNT=2;UNTIL=20260401"],
        ["RRULE:FREQ=DAILY;NONSENSE=1"],
        ["RRULE:FREQ=WEEKLY;BYDAY=XX"],
        ["RRULE:INTERVAL=2"],
        ["FREQ=DAILY"],
        ["EXDATE:tomorrow"],
        ["EXDATE;TZID=Mars/Base:20260302T090000"],
    ],
)
def test_broken_rules_are_refused(anna: Diary, lines: list[str]) -> None:
    assert anna.refused("insert", weekly(recurrence=lines)) == (400, "invalid")


@pytest.mark.point("C-20")
@pytest.mark.parametrize("end", ["", ";COUNT=3"])
def test_a_rule_that_never_applies_leaves_the_first_time(anna: Diary, end: str) -> None:
    rule = f"RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30{end}"

    anna.insert(weekly(recurrence=[rule]))

    assert len(starts(anna)) == 1


@pytest.mark.point("C-21")
def test_an_occurrence_is_named_by_its_original_start(anna: Diary) -> None:
    series = anna.insert(weekly())["id"]
    key = f"{series}_20260330T070000Z"

    one = anna.get(key)

    assert one["recurringEventId"] == series
    assert one["originalStartTime"]["dateTime"] == "2026-03-30T07:00:00Z"
    assert anna.refused("get", f"{series}_20260330T080000Z") == (404, "notFound")
    assert anna.refused("get", f"{series}_20260330") == (404, "notFound")
    assert anna.refused("get", f"{series}_20360330T070000Z") == (404, "notFound")


@pytest.mark.point("C-21")
def test_a_moved_occurrence_keeps_its_name_and_place(anna: Diary) -> None:
    series = anna.insert(weekly())["id"]
    key = f"{series}_20260309T080000Z"
    token = anna.token()

    moved = anna.patch(
        key, {"start": at("2026-03-10", 14), "end": at("2026-03-10", 15)}
    )

    assert moved["id"] == key
    assert moved["originalStartTime"]["dateTime"] == "2026-03-09T08:00:00Z"
    assert list(anna.changes(token)) == [key]
    listed = {event["id"]: event for event in anna.page()["items"]}
    assert listed.keys() == {series, key}
    assert listed[series]["recurrence"] == ["RRULE:FREQ=WEEKLY;COUNT=10"]
    assert "2026-03-10T14:00:00Z" in starts(anna)
    assert len(starts(anna)) == 10


@pytest.mark.point("C-21")
def test_an_occurrence_has_no_rule_and_no_other_master(anna: Diary) -> None:
    series = anna.insert(weekly())["id"]
    key = f"{series}_20260309T080000Z"

    lines = {"recurrence": ["RRULE:FREQ=DAILY"]}
    assert anna.refused("patch", key, lines) == (400, "invalid")
    assert anna.refused("patch", key, {"recurringEventId": "x"}) == (400, "invalid")
    whole = anna.get(key)
    assert anna.update(key, {**whole, "summary": "Put"})["summary"] == "Put"


@pytest.mark.point("C-22")
def test_a_changed_series_cancels_exceptions_without_a_place(anna: Diary) -> None:
    series = anna.insert(weekly())["id"]
    kept, lost = f"{series}_20260309T080000Z", f"{series}_20260504T070000Z"
    anna.patch(kept, {"summary": "Kept"})
    anna.patch(lost, {"summary": "Lost"})
    token = anna.token()

    anna.patch(series, {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"]})

    changed = anna.changes(token)
    assert changed[lost]["status"] == "cancelled"
    assert kept not in changed
    assert anna.ids() == sorted([series, kept])
    assert anna.refused("get", lost) == (404, "notFound")


@pytest.mark.point("C-22")
def test_deleting_a_series_takes_its_exceptions_along(anna: Diary) -> None:
    series = anna.insert(weekly())["id"]
    moved, hole = f"{series}_20260309T080000Z", f"{series}_20260316T080000Z"
    anna.patch(moved, {"summary": "Moved"})
    anna.delete(hole)
    token = anna.token()

    anna.delete(series)

    changed = anna.changes(token)
    assert changed[series]["status"] == changed[moved]["status"] == "cancelled"
    assert anna.ids() == []
    assert starts(anna) == []
    assert anna.refused("get", f"{series}_20260323T080000Z") == (404, "notFound")


@pytest.mark.point("C-22")
def test_a_cancelled_occurrence_is_gone_like_an_event(
    anna: Diary, box: SandboxServer
) -> None:
    hole = anna.insert(weekly())["id"] + "_20260316T080000Z"
    anna.delete(hole)

    assert anna.get(hole)["status"] == "cancelled"
    assert anna.refused("delete", hole) == (410, "deleted")
    assert anna.refused("patch", hole, {"status": "confirmed"}) == (403, "forbidden")
    box.switch(undelete=True)
    assert anna.patch(hole, {"status": "confirmed"})["summary"] == "Weekly"
    assert len(starts(anna)) == 10


@pytest.mark.point("C-23")
def test_this_and_following_is_two_series(anna: Diary, box: SandboxServer) -> None:
    series = anna.insert(weekly())["id"]
    later = f"{series}_20260330T070000Z"
    start = at("2026-03-30", 11, zone="Europe/Berlin")
    end = at("2026-03-30", 12, zone="Europe/Berlin")

    made = box.split_event(
        anna.email, series, later, summary="From April", start=start, end=end
    )

    assert made["id"] == f"{series}_R20260330T070000"
    assert anna.get(series)["recurrence"] == [
        "RRULE:FREQ=WEEKLY;UNTIL=20260330T065959Z"
    ]
    assert made["recurrence"] == ["RRULE:FREQ=WEEKLY;COUNT=6"]
    found = starts(anna)
    assert len(found) == 10
    assert found[4] == "2026-03-30T09:00:00Z"


@pytest.mark.point("C-24")
def test_visibility_of_an_occurrence_only_tightens_and_spreads(anna: Diary) -> None:
    series = anna.insert(weekly())["id"]
    key = f"{series}_20260309T080000Z"

    anna.patch(key, {"visibility": "private"})

    assert anna.get(series)["visibility"] == "private"
    assert anna.patch(key, {"visibility": "public"})["visibility"] == "private"


@pytest.mark.point("C-20")
def test_a_series_of_five_thousand_and_an_endless_one(anna: Diary) -> None:
    long: Json = weekly(recurrence=["RRULE:FREQ=DAILY;COUNT=5000"])
    anna.insert(long)
    endless = anna.insert(weekly(recurrence=["RRULE:FREQ=WEEKLY"]))["id"]

    events, _ = anna.all(singleEvents=True, maxResults=2500)

    assert 5_100 < len(events) < 5_400
    assert anna.get(f"{endless}_20360303T080000Z")["recurringEventId"] == endless
    assert anna.insert(meeting())["id"]
