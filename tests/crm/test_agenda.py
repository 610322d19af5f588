from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection

from crm import activities, activitylist, agenda, completion, participants
from crm.activitylist import ActivityQuery
from crm.agenda import Occurrence
from tests.crm.builders import make_activity, make_contact, make_series, member

BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2026, 3, 2)


def on(
    conn: Connection,
    day: date = DAY,
    *,
    user: str = "U1",
    viewer: str = "",
    zone: ZoneInfo = BERLIN,
) -> list[Occurrence]:
    return agenda.occurrences(conn, user, day, day, zone=zone, viewer=viewer)


def subjects(found: list[Occurrence]) -> list[str]:
    return [item.row.values["subject"] for item in found]


@pytest.mark.rule("WEB-3")
def test_a_day_begins_and_ends_where_the_person_is(conn: Connection) -> None:
    make_activity(conn, subject="Late", start="2026-03-01T23:30:00Z", duration="30")
    make_activity(conn, subject="Early", start="2026-03-02T22:59:00Z", duration="1")
    make_activity(conn, subject="Next", start="2026-03-02T23:00:00Z")

    assert subjects(on(conn)) == ["Late", "Early"]
    assert subjects(on(conn, zone=ZoneInfo("UTC"))) == ["Early", "Next"]


@pytest.mark.rule("CAL-17", "WEB-3")
def test_a_timeless_activity_is_on_its_dates_everywhere(conn: Connection) -> None:
    make_activity(conn, subject="Fair", start="2026-03-02", duration="2880")

    for zone in ("Pacific/Apia", "America/New_York", "UTC"):
        place = ZoneInfo(zone)
        days = [bool(on(conn, date(2026, 3, d), zone=place)) for d in (1, 2, 3, 4)]
        assert days == [False, True, True, False]


def test_what_began_days_ago_is_shown_while_it_lasts(conn: Connection) -> None:
    make_activity(conn, start="2026-02-27T08:00:00Z", duration="6000")
    make_series(conn, start="2026-02-23T20:00:00Z", duration="600", zone="UTC")

    assert len(on(conn, date(2026, 3, 3))) == 2


@pytest.mark.rule("CAL-13")
def test_a_declined_activity_is_not_in_that_member_s_calendar(
    conn: Connection,
) -> None:
    made = make_activity(conn, member("U2"))
    participants.answer(conn, made.id, "U2", "declined")

    assert on(conn, user="U2") == []
    assert len(on(conn, user="U1")) == 1


def test_done_to_dos_are_shown_and_other_completed_ones_not(conn: Connection) -> None:
    call = make_activity(conn, type="call")
    todo = make_activity(conn, type="todo", subject="Do")
    completion.complete(conn, [call.id, todo.id])

    assert subjects(on(conn)) == ["Do"]


@pytest.mark.rule("WEB-3")
def test_others_personal_activities_are_busy_and_nothing_else(
    conn: Connection,
) -> None:
    make_activity(
        conn, member("U2"), type="personal", subject="Doctor", location="Clinic"
    )
    make_activity(conn, subject="Offer")

    busy = next(item for item in on(conn, viewer="U3") if item.is_busy)

    assert busy.row.values["duration"] == "60"
    assert {busy.row.values[n] for n in ("subject", "location", "notes")} == {""}
    assert busy.row.participants == ()
    assert sorted(subjects(on(conn, viewer="U2"))) == ["Doctor", "Offer"]
    assert sorted(subjects(on(conn, viewer="U3"))) == ["", "Offer"]


@pytest.mark.rule("CAL-19")
def test_a_calendar_of_too_many_days_is_refused(conn: Connection) -> None:
    with pytest.raises(ValueError, match="1 to 400 days"):
        agenda.occurrences(conn, "U1", date(2026, 1, 1), date(2028, 1, 1), zone=BERLIN)


# ------------------------------------------------------------------ lists


@pytest.mark.rule("WEB-3")
@pytest.mark.parametrize("sort", activitylist.SORTS)
@pytest.mark.parametrize("falls", [False, True])
def test_pages_of_a_list_join_to_the_whole_both_ways(
    conn: Connection, sort: str, falls: bool
) -> None:
    for number in range(7):
        make_activity(
            conn,
            subject=f"s{number % 3}",
            start=f"2026-03-0{1 + number % 4}T08:00:00Z",
            type=("call", "meeting")[number % 2],
        )
    query = ActivityQuery("U1", sort=sort, is_descending=falls)

    whole = activitylist.page(conn, query)
    first = activitylist.page(conn, query, limit=3)
    second = activitylist.page(conn, query, first[-1].place, limit=4)
    back = activitylist.page(conn, query, second[0].place, backwards=True, limit=3)

    assert [*first, *second] == whole
    assert back == first
    assert activitylist.count(conn, query) == 7


@pytest.mark.rule("WEB-3")
def test_a_list_is_narrowed_by_words_type_state_person_and_contact(
    conn: Connection,
) -> None:
    contact = make_contact(conn)
    a = make_activity(conn, subject="Roof offer", location="Berlin")
    b = make_activity(conn, subject="Roof", type="call", contact_id=contact.id)
    c = make_activity(conn, leader="U2", subject="Theirs")
    completion.complete(conn, [c.id])

    def ids(**query: Any) -> set[str]:
        whole = ActivityQuery("U1", **query)
        return {item.row.id for item in activitylist.page(conn, whole)}

    assert ids() == {a.id, b.id}
    assert ids(text="ROOF berlin") == {a.id}
    assert ids(types=("call",)) == {b.id}
    assert ids(state="done") == {c.id}
    assert ids(state="all", user_id="U2") == {c.id}
    assert ids(contact_id=contact.id) == {b.id}


@pytest.mark.rule("WEB-3")
def test_a_list_leaves_out_others_personal_activities_and_deleted_ones(
    conn: Connection,
) -> None:
    make_activity(conn, type="personal", leader="U2")
    gone = make_activity(conn)
    activities.delete(conn, gone.id)

    assert activitylist.page(conn, ActivityQuery("U1")) == []
