from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection

from crm import activities, activitystore, agenda, completion, occurrences, participants
from crm.activityrows import ActivityEdit, ActivityRow, other
from crm.errors import BadValue, NotFound
from crm.occurrences import OccurrenceEdit
from tests.crm.builders import make_series, member

BERLIN = ZoneInfo("Europe/Berlin")
MON, WED, MON2 = (f"2026-03-{day}T08:00:00Z" for day in ("02", "04", "09"))
SPRING = "2026-03-30T07:00:00Z"


def shown(
    conn: Connection, first: str = "2026-03-01", last: str = "2026-03-15"
) -> list[tuple[str, str]]:
    found = agenda.occurrences(
        conn,
        "U1",
        date.fromisoformat(first),
        date.fromisoformat(last),
        zone=BERLIN,
    )
    return [
        (f"{item.start.astimezone(BERLIN):%d %H:%M}", item.row.values["subject"])
        for item in found
    ]


def children(conn: Connection, series: ActivityRow) -> list[ActivityRow]:
    return activitystore.children_of(conn, [series.id])


@pytest.mark.rule("CAL-17")
def test_one_changed_occurrence_leaves_the_others(conn: Connection) -> None:
    series = make_series(conn)

    occurrences.change(
        conn,
        series.id,
        WED,
        OccurrenceEdit({"start": "2026-03-05T13:00:00Z", "subject": "Moved"}),
    )

    assert shown(conn) == [
        ("02 09:00", "Offer"),
        ("05 14:00", "Moved"),
        ("09 09:00", "Offer"),
        ("11 09:00", "Offer"),
    ]
    assert activities.get(conn, series.id) == series


@pytest.mark.rule("CAL-17")
def test_a_cancelled_occurrence_does_not_take_place_until_it_is_restored(
    conn: Connection,
) -> None:
    series = make_series(conn)

    cancelled = occurrences.cancel(conn, series.id, WED)
    assert [at for at, _ in shown(conn)] == ["02 09:00", "09 09:00", "11 09:00"]
    occurrences.change(conn, series.id, WED, OccurrenceEdit())

    assert [at for at, _ in shown(conn)][1] == "04 09:00"
    (child,) = children(conn, series)
    assert (child.id, child.is_cancelled) == (cancelled.id, False)


def test_a_deleted_occurrence_is_as_its_series_has_it_again(conn: Connection) -> None:
    series = make_series(conn)
    child = occurrences.change(conn, series.id, WED, OccurrenceEdit({"subject": "X"}))

    activities.delete(conn, child.id)
    assert ("04 09:00", "Offer") in shown(conn)

    again = occurrences.change(conn, series.id, WED, OccurrenceEdit({"subject": "Y"}))
    assert again.id != child.id


@pytest.mark.rule("ENG-2")
def test_a_known_key_answers_with_its_occurrence(conn: Connection) -> None:
    series = make_series(conn)
    edit = OccurrenceEdit({"subject": "X"}, sync_key="k")

    once = occurrences.change(conn, series.id, WED, edit)
    again = occurrences.change(conn, series.id, MON, edit)

    assert again == once


def test_only_occurrences_that_exist_are_changed(conn: Connection) -> None:
    series = make_series(conn)

    with pytest.raises(NotFound, match="no occurrence"):
        occurrences.cancel(conn, series.id, "2026-03-03T08:00:00Z")
    with pytest.raises(BadValue, match="belongs to the series"):
        occurrences.change(
            conn, series.id, WED, OccurrenceEdit({"recurrence": "RRULE:FREQ=DAILY"})
        )
    with pytest.raises(BadValue, match="is no occurrence of a series"):
        activities.update_many(conn, [ActivityEdit(series.id, is_cancelled=True)])


def test_a_deleted_series_takes_its_occurrences_with_it(conn: Connection) -> None:
    series = make_series(conn)
    child = occurrences.cancel(conn, series.id, WED)

    activities.delete(conn, series.id)

    assert all(row.deleted for row in activities.read(conn, [series.id, child.id]))
    assert shown(conn) == []


# ------------------------------------------------------------------ changed series


def test_occurrences_follow_their_series_in_what_they_have_in_common(
    conn: Connection,
) -> None:
    series = make_series(conn, member("U2"), location="Room 1")
    occurrences.change(conn, series.id, WED, OccurrenceEdit({"subject": "Special"}))

    activities.update(
        conn, series.id, changes={"subject": "Demo", "location": "Room 2"}
    )
    participants.add(conn, series.id, [other("g@mail.example")])
    participants.answer(conn, series.id, "U2", "accepted")

    (child,) = children(conn, series)
    assert child.values["subject"] == "Special"
    assert child.values["location"] == "Room 2"
    assert [p.answer for p in child.participants if p.ref == "U2"] == ["accepted"]
    assert "g@mail.example" in {p.ref for p in child.participants}


@pytest.mark.rule("CAL-17")
def test_occurrences_move_along_when_their_series_has_another_hour(
    conn: Connection,
) -> None:
    series = make_series(conn)
    occurrences.cancel(conn, series.id, MON2)
    occurrences.change(conn, series.id, WED, OccurrenceEdit({"subject": "Special"}))

    activities.update(conn, series.id, changes={"start": "2026-03-02T09:00:00Z"})

    assert shown(conn) == [
        ("02 10:00", "Offer"),
        ("04 10:00", "Special"),
        ("11 10:00", "Offer"),
    ]
    assert [child.slot for child in children(conn, series)] == [
        "2026-03-04T09:00:00Z",
        "2026-03-09T09:00:00Z",
    ]


def test_occurrences_without_a_day_in_the_changed_series_go(conn: Connection) -> None:
    series = make_series(conn)
    occurrences.change(conn, series.id, WED, OccurrenceEdit({"subject": "Special"}))

    activities.update(
        conn, series.id, changes={"recurrence": "RRULE:FREQ=WEEKLY;BYDAY=MO"}
    )
    assert children(conn, series) == []

    occurrences.cancel(conn, series.id, MON)
    single = activities.update(conn, series.id, changes={"recurrence": ""})
    assert children(conn, series) == []
    assert not single.is_series


def test_without_carrying_only_slots_that_are_no_more_go(conn: Connection) -> None:
    series = make_series(conn)
    kept = occurrences.change(conn, series.id, MON, OccurrenceEdit({"notes": "n"}))
    occurrences.cancel(conn, series.id, WED)

    edit = ActivityEdit(
        series.id, {"subject": "New", "recurrence": "RRULE:FREQ=WEEKLY;BYDAY=MO"}
    )
    activities.update_many(conn, [edit], carries=False)

    assert children(conn, series) == [kept]


# ------------------------------------------------------------------ splitting


@pytest.mark.rule("CAL-17")
def test_this_and_following_makes_a_series_of_its_own(conn: Connection) -> None:
    series = make_series(conn, member("U2"))
    occurrences.cancel(conn, series.id, MON)
    occurrences.change(conn, series.id, SPRING, OccurrenceEdit({"notes": "n"}))

    rest = occurrences.split(
        conn,
        series.id,
        MON2,
        edit=ActivityEdit("", {"start": "2026-03-09T13:00:00Z", "subject": "Late"}),
    )

    assert shown(conn) == [
        ("04 09:00", "Offer"),
        ("09 14:00", "Late"),
        ("11 14:00", "Late"),
    ]
    assert rest.user_ids == {"U1", "U2"}
    assert [child.slot for child in children(conn, series)] == [MON]
    (moved,) = children(conn, rest)
    assert (moved.slot, moved.values["notes"]) == ("2026-03-30T12:00:00Z", "n")
    assert moved.values["subject"] == "Late"


def test_from_the_first_occurrence_on_it_is_the_whole_series(conn: Connection) -> None:
    series = make_series(conn)

    same = occurrences.split(
        conn, series.id, MON, edit=ActivityEdit("", {"subject": "New"})
    )

    assert same.id == series.id
    assert {subject for _, subject in shown(conn)} == {"New"}


@pytest.mark.rule("CAL-17")
def test_deleting_from_one_on_ends_the_series_before_it(conn: Connection) -> None:
    series = make_series(conn)
    occurrences.change(conn, series.id, SPRING, OccurrenceEdit({"notes": "n"}))

    occurrences.delete_following(conn, series.id, MON2)

    assert [at for at, _ in shown(conn)] == ["02 09:00", "04 09:00"]
    assert shown(conn, "2026-03-15", "2026-12-31") == []
    assert children(conn, series) == []
    occurrences.delete_following(conn, series.id, MON)
    assert activities.read(conn, [series.id])[0].deleted


# ------------------------------------------------------------------ completing


@pytest.mark.rule("CAL-14")
def test_one_completed_occurrence_is_history_and_the_series_goes_on(
    conn: Connection,
) -> None:
    series = make_series(conn)

    done = completion.complete_one(conn, series.id, WED)

    assert done.completed_at is not None
    assert done.slot == WED
    assert [at for at, _ in shown(conn)] == ["02 09:00", "09 09:00", "11 09:00"]
    assert [entry.activity_id for entry in completion.history(conn)] == [done.id]
    again = completion.complete_one(conn, series.id, WED)
    assert again == done
    occurrences.cancel(conn, series.id, MON)
    with pytest.raises(BadValue, match="is cancelled"):
        completion.complete_one(conn, series.id, MON)


def test_a_completed_occurrence_survives_a_change_of_its_series(
    conn: Connection,
) -> None:
    series = make_series(conn)
    done = completion.complete_one(conn, series.id, WED)

    activities.update(conn, series.id, changes={"start": "2026-03-02T09:00:00Z"})

    assert activities.get(conn, done.id).completed_at is not None
