from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

import hypothesis.strategies as st
import icalendar
import pytest
import recurring_ical_events
from hypothesis import given, settings

from crm import series
from crm.errors import BadValue
from crm.recurrence import NotExpressible
from crm.series import Series

BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def a_series(
    recurrence: str, *, start: str = "2026-03-02T08:00:00Z", zone: str = BERLIN
) -> Series:
    return series.parse({"start": start, "zone": zone, "recurrence": recurrence})


def some(found: Series, begin: str, end: str) -> list[str]:
    return list(found.slots(at(begin), at(end)))


@pytest.mark.rule("CAL-17")
def test_a_meeting_at_nine_stays_at_nine_over_both_changes_of_the_clock() -> None:
    weekly = a_series("RRULE:FREQ=WEEKLY")

    spring = some(weekly, "2026-03-23", "2026-03-31")
    autumn = some(weekly, "2026-10-19", "2026-10-27")

    assert spring == ["2026-03-23T08:00:00Z", "2026-03-30T07:00:00Z"]
    assert autumn == ["2026-10-19T07:00:00Z", "2026-10-26T08:00:00Z"]


@pytest.mark.rule("CAL-17")
def test_a_time_that_the_clock_skips_is_an_hour_later_on_that_day_only() -> None:
    daily = a_series("RRULE:FREQ=DAILY", start="2026-03-27T01:30:00Z")

    found = some(daily, "2026-03-28", "2026-03-31")

    assert found == [
        "2026-03-28T01:30:00Z",
        "2026-03-29T01:30:00Z",
        "2026-03-30T00:30:00Z",
    ]


@pytest.mark.rule("CAL-17")
def test_a_timeless_series_goes_by_dates_wherever_it_is() -> None:
    yearly = a_series("RRULE:FREQ=YEARLY", start="1604-02-29", zone="Pacific/Apia")

    assert some(yearly, "2027-01-01", "2029-01-01") == ["2028-02-29"]


@pytest.mark.rule("CAL-17", "CAL-19")
def test_a_series_without_end_is_expanded_within_the_span_only() -> None:
    daily = a_series("RRULE:FREQ=DAILY", start="1700-01-01T08:00:00Z", zone="UTC")

    assert len(some(daily, "2026-01-01", "2026-01-08")) == 7
    assert daily.last() is None


def test_a_count_and_an_end_bound_a_series() -> None:
    counted = a_series("RRULE:FREQ=DAILY;COUNT=3")
    ended = a_series("RRULE:FREQ=DAILY;UNTIL=20260304T080000Z")

    wanted = [f"2026-03-0{day}T08:00:00Z" for day in (2, 3, 4)]
    assert some(counted, "2026-01-01", "2027-01-01") == wanted
    assert some(ended, "2026-01-01", "2027-01-01") == wanted
    assert counted.last() == ended.last() == at("2026-03-04T08:00")


def test_an_end_that_is_a_date_covers_the_whole_local_day() -> None:
    ended = a_series("RRULE:FREQ=DAILY;UNTIL=20260304")

    assert some(ended, "2026-03-04", "2026-04-01") == ["2026-03-04T08:00:00Z"]
    assert ended.text == "RRULE:FREQ=DAILY;UNTIL=20260304T225959Z"


def test_dates_are_added_and_left_out() -> None:
    found = a_series(
        "RRULE:FREQ=DAILY;COUNT=3\n"
        "EXDATE;TZID=Europe/London:20260303T080000\n"
        "RDATE:20260310T140000,20260311T120000Z"
    )

    assert some(found, "2026-01-01", "2027-01-01") == [
        "2026-03-02T08:00:00Z",
        "2026-03-04T08:00:00Z",
        "2026-03-10T13:00:00Z",
        "2026-03-11T12:00:00Z",
    ]
    assert found.text == (
        "EXDATE:20260303T090000\n"
        "RDATE:20260310T140000,20260311T130000\n"
        "RRULE:FREQ=DAILY;COUNT=3"
    )
    assert found.last() == at("2026-03-11T12:00")


def test_the_first_occurrence_counts_even_if_the_rule_does_not_hit_it() -> None:
    found = a_series("RRULE:FREQ=WEEKLY;BYDAY=TU")

    assert some(found, "2026-03-01", "2026-03-11") == [
        "2026-03-02T08:00:00Z",
        "2026-03-03T08:00:00Z",
        "2026-03-10T08:00:00Z",
    ]


@pytest.mark.rule("CAL-17")
@pytest.mark.parametrize(
    ("recurrence", "says"),
    [
        ("RRULE:FREQ=HOURLY", "neither days, weeks, months nor years"),
        ("RRULE:FREQ=DAILY;BYHOUR=8,9", "does not know: BYHOUR"),
        ("RRULE:RSCALE=CHINESE;FREQ=YEARLY", "does not know: RSCALE"),
        ("RRULE:FREQ=DAILY\nRRULE:FREQ=WEEKLY", "more than one rule"),
        ("RDATE:20260310T140000", "no rule, only single dates"),
        ("EXRULE:FREQ=DAILY", "does not know: EXRULE"),
        (
            "RRULE:FREQ=DAILY\nRDATE;VALUE=PERIOD:20260310T140000/PT1H",
            "a length of its own",
        ),
        ("RRULE:FREQ=DAILY\nEXDATE:20260310", "without a time of day"),
    ],
)
def test_what_the_crm_cannot_express_is_refused_with_the_reason(
    recurrence: str, says: str
) -> None:
    with pytest.raises(NotExpressible, match=says) as caught:
        a_series(recurrence)

    assert caught.value.field == "recurrence"


@pytest.mark.parametrize(
    "recurrence",
    [
        "RRULE:FREQ=DAILY;COUNT=0",
        "RRULE:FREQ=DAILY;COUNT=x",
        "RRULE:FREQ=DAILY;INTERVAL=-1",
        "RRULE:FREQ=DAILY;COUNT=2;UNTIL=20270101T000000Z",
        "RRULE:FREQ=WEEKLY;BYDAY=XX",
        "RRULE:FREQ=MONTHLY;BYSETPOS=0",
        "RRULE:FREQ=DAILY;UNTIL=20261399T000000Z",
        "RRULE:FREQ=DAILY\nEXDATE:tomorrow",
    ],
)
def test_a_rule_without_sense_is_refused(recurrence: str) -> None:
    with pytest.raises(BadValue, match=r"^recurrence "):
        a_series(recurrence)


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(BadValue, match=r"not a time zone .*Mars/Base"):
        a_series("RRULE:FREQ=DAILY", zone="Mars/Base")


def test_a_slot_is_known_by_its_very_time() -> None:
    found = a_series("RRULE:FREQ=WEEKLY\nEXDATE:20260309T090000")

    assert found.has("2026-03-30T07:00:00Z")
    assert not found.has("2026-03-30T08:00:00Z")
    assert not found.has("2026-03-09T08:00:00Z")
    assert not found.has("2026-03-30")
    assert not found.has("")
    assert found.slot_on(date(2026, 3, 30)) == "2026-03-30T07:00:00Z"
    assert found.slot_on(date(2026, 3, 31)) == ""


@pytest.mark.rule("CAL-17")
@pytest.mark.parametrize(
    "recurrence",
    [
        "RRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=30",
        "RRULE:FREQ=WEEKLY;BYDAY=MO,WE\nEXDATE:20260311T090000,20260408T090000",
        "RRULE:FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20260601T000000Z\nRDATE:20260421T080000",
    ],
)
def test_the_two_parts_of_a_split_series_are_the_whole(recurrence: str) -> None:
    whole = a_series(recurrence)
    slot = "2026-04-01T07:00:00Z"

    before, after = whole.ended(slot), whole.following(slot)

    span = ("2026-01-01", "2026-12-31")
    assert some(before, *span) + some(after, *span) == some(whole, *span)
    assert max(some(before, *span)) < slot == min(some(after, *span))


def test_a_rule_that_never_hits_costs_little_and_has_its_first_date() -> None:
    never = a_series("RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=3")

    assert never.first_slot(at("2026-01-01")) == "2026-03-02T08:00:00Z"
    assert never.first_slot(at("2026-03-03")) == ""
    assert never.last() is None


# ------------------------------------------------------------------ against a library

_DAYS = st.lists(
    st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"]),
    min_size=1,
    max_size=3,
    unique=True,
)


@st.composite
def rules(draw: st.DrawFn) -> str:
    freq = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    parts = [f"FREQ={freq}", f"INTERVAL={draw(st.integers(1, 4))}"]
    if freq == "WEEKLY":
        parts.append(f"BYDAY={','.join(draw(_DAYS))}")
        parts.append(f"WKST={draw(st.sampled_from(['MO', 'SU', 'TH']))}")
    if freq == "MONTHLY":
        nth = draw(st.sampled_from(["1", "2", "-1"]))
        parts.append(
            draw(
                st.sampled_from(
                    [f"BYDAY={nth}TU", f"BYMONTHDAY={nth}", "BYMONTHDAY=31"]
                )
            )
        )
    if freq == "YEARLY" and draw(st.booleans()):
        parts.append("BYMONTH=3,10;BYDAY=-1SU")
    end = draw(st.sampled_from(["", "UNTIL=20270315T120000Z"]))
    return ";".join(filter(None, [*parts, end]))


def by_library(start: datetime, zone: str, rule: str) -> list[str]:
    event = icalendar.Event()
    event.add("uid", "x")
    local = start.astimezone(series.parse(_values(start, zone, rule)).zone)
    event.add("dtstart", local)
    event.add("dtend", local + timedelta(hours=1))
    event["RRULE"] = icalendar.vRecur.from_ical(rule)
    whole = icalendar.Calendar()
    whole.add_component(event)
    found: Any = recurring_ical_events.of(whole)
    begins = [
        item["DTSTART"].dt for item in found.between(at("2026-01-01"), at("2028-01-01"))
    ]
    return sorted(f"{b.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for b in begins)


def _values(start: datetime, zone: str, rule: str) -> dict[str, str]:
    return {
        "start": f"{start:%Y-%m-%dT%H:%M:%SZ}",
        "zone": zone,
        "recurrence": f"RRULE:{rule}",
    }


@pytest.mark.rule("CAL-17")
@settings(max_examples=60, deadline=None)
@given(
    rule=rules(),
    zone=st.sampled_from([BERLIN, "America/New_York", "Asia/Kolkata", "UTC"]),
    days=st.integers(0, 364),
)
def test_expansions_agree_with_those_of_a_calendar_library(
    rule: str, zone: str, days: int
) -> None:
    begin = at("2026-01-01T10:00") + timedelta(days=days)

    ours = series.parse(_values(begin, zone, rule))

    expected = by_library(begin, zone, rule)
    assert some(ours, "2026-01-01", "2028-01-01") == expected


@settings(max_examples=40, deadline=None)
@given(rule=rules(), days=st.integers(0, 1500))
def test_a_late_look_at_a_series_sees_what_a_look_at_all_of_it_sees(
    rule: str, days: int
) -> None:
    found = a_series(f"RRULE:{rule}")
    begin = at("2026-03-02T08:00") + timedelta(days=days)
    end = begin + timedelta(days=60)

    whole = [
        slot
        for slot in islice(found.slots(at("2026-01-01"), at("2031-01-01")), 4000)
        if begin <= at(slot[:-1]) < end
    ]

    assert list(found.slots(begin, end)) == whole
