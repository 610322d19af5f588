"""Completing, answering, alarms, and the feed that tells of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection

from crm import (
    activities,
    activityfeed,
    alarms,
    completion,
    occurrences,
    participants,
)
from crm.activityrows import ActivityEdit, Kind, Participant
from crm.common import Author
from crm.errors import BadValue, NotFound
from tests.crm.builders import make_activity, make_contact, make_series, member

NINE = datetime(2026, 3, 2, 8, tzinfo=UTC)


class Follower:
    """One user's view of the feed."""

    def __init__(self, conn: Connection, user_id: str) -> None:
        self.conn = conn
        self.user_id = user_id
        self.cursor = 0

    def news(self, limit: int = 2) -> list[str]:
        found: list[str] = []
        while True:
            page, self.cursor = activityfeed.changes_since(
                self.conn, self.user_id, self.cursor, limit=limit
            )
            found += page
            if len(page) < limit:
                return found


# ------------------------------------------------------------------ completing


@pytest.mark.rule("CAL-14")
def test_a_completed_meeting_is_in_the_history_as_it_was(conn: Connection) -> None:
    contact = make_contact(conn)
    made = make_activity(conn, contact_id=contact.id, notes="n", type="call")
    at = datetime(2026, 3, 3, tzinfo=UTC)

    done = completion.complete(conn, [made.id], by=Author("U2", at))[0]

    (entry,) = completion.history(conn, contact_id=contact.id)
    assert (entry.type, entry.subject, entry.notes) == ("call", "Offer", "n")
    assert (entry.user_id, entry.completed_by) == ("U1", "U2")
    assert (entry.start_at, entry.duration, entry.completed_at) == (NINE, 60, at)
    assert (done.completed_at, done.version) == (at, 2)
    assert completion.history(conn, user_id="U2") == []
    assert completion.complete(conn, [made.id])[0] == done


@pytest.mark.rule("CAL-14")
def test_history_is_not_edited_and_not_opened_again(conn: Connection) -> None:
    made = make_activity(conn)
    completion.complete(conn, [made.id])

    with pytest.raises(BadValue, match="history is not changed"):
        activities.update(conn, made.id, changes={"subject": "New"})
    with pytest.raises(BadValue, match="only a to-do"):
        completion.reopen(conn, made.id)


@pytest.mark.rule("TSK-4")
def test_a_completed_to_do_is_edited_and_opened_again(conn: Connection) -> None:
    made = make_activity(conn, type="todo", start="2026-03-02", duration="")
    completion.complete(conn, [made.id])
    activities.update(conn, made.id, changes={"subject": "Renamed"})

    again = completion.reopen(conn, made.id)

    assert (again.id, again.completed_at) == (made.id, None)
    assert again.values["subject"] == "Renamed"
    assert completion.history(conn) == []
    assert completion.reopen(conn, made.id) == again


def test_a_series_is_completed_with_its_occurrences_and_once(conn: Connection) -> None:
    series = make_series(conn)
    child = occurrences.change(
        conn, series.id, "2026-03-04T08:00:00Z", occurrences.OccurrenceEdit()
    )

    completion.complete(conn, [series.id])

    rows = activities.read(conn, [series.id, child.id])
    assert all(row.completed_at is not None for row in rows)
    assert [entry.activity_id for entry in completion.history(conn)] == [series.id]


@pytest.mark.rule("TSK-2")
def test_a_to_do_without_a_date_has_one_once_somebody_gives_it(
    conn: Connection,
) -> None:
    new = activities.NewActivity(
        {"type": "todo", "start": "2026-03-02"}, "U1", is_undated=True
    )
    made = activities.create_many(conn, [new])[0]

    renamed = activities.update(conn, made.id, changes={"subject": "New"})
    dated = activities.update(conn, made.id, changes={"start": "2026-03-03"})

    assert (made.is_undated, renamed.is_undated, dated.is_undated) == (
        True,
        True,
        False,
    )
    with pytest.raises(BadValue, match="only a to-do may have no date"):
        activities.create_many(
            conn,
            [
                activities.NewActivity(
                    {"type": "call", "start": "2026-03-02"}, is_undated=True
                )
            ],
        )


# ------------------------------------------------------------------ taking part


@pytest.mark.rule("CAL-13")
def test_an_answer_is_that_member_s_own(conn: Connection) -> None:
    made = make_activity(conn, member("U2"), member("U3"))

    now = participants.answer(conn, made.id, "U2", "declined")

    answers = {p.ref: p.answer for p in now.participants}
    assert answers == {"U1": "", "U2": "declined", "U3": "needsAction"}
    assert now.version == 2
    with pytest.raises(NotFound, match="does not take part"):
        participants.answer(conn, made.id, "U4", "accepted")
    with pytest.raises(BadValue, match="answer is none"):
        participants.answer(conn, made.id, "U2", "perhaps")


def test_participants_come_and_go_and_the_leader_stays(conn: Connection) -> None:
    contact = make_contact(conn)
    made = make_activity(conn)
    guest = Participant(Kind.CONTACT, contact.id)

    more = participants.add(conn, made.id, [member("U2", ""), guest])
    less = participants.remove(conn, made.id, [(Kind.USER, "U1"), guest.key])

    assert {p.ref: p.answer for p in more.participants} == {
        "U1": "",
        "U2": "needsAction",
        contact.id: "",
    }
    assert less.user_ids == {"U1", "U2"}
    assert guest not in less.participants
    assert activities.get(conn, made.id) == less


@pytest.mark.rule("CAL-6")
def test_guests_are_contacts_that_one_sees_else_others(conn: Connection) -> None:
    contact = make_contact(conn, email="Ada@mail.example")

    found = participants.named(
        conn, ["ada@mail.example", "x@mail.example", "no address"], viewer="U1"
    )

    assert [(p.kind, p.ref, p.is_guest) for p in found] == [
        (Kind.CONTACT, contact.id, True),
        (Kind.OTHER, "x@mail.example", True),
    ]


# ------------------------------------------------------------------ the feed


def test_each_change_is_told_to_all_who_take_part_and_to_nobody_else(
    conn: Connection,
) -> None:
    leader, mate, stranger = (Follower(conn, user) for user in ("U1", "U2", "U3"))
    made = make_activity(conn, member("U2"))
    other_one = make_activity(conn)

    assert leader.news() == [made.id, other_one.id]
    assert mate.news() == [made.id]
    assert stranger.news() == []
    activities.update(conn, made.id, changes={"subject": "New"})
    assert leader.news() == mate.news() == [made.id]
    assert leader.news() == mate.news() == stranger.news() == []
    activities.delete(conn, made.id)
    assert leader.news() == mate.news() == [made.id]


@pytest.mark.rule("CAL-9")
def test_who_stops_taking_part_is_told_once_and_who_starts_from_then_on(
    conn: Connection,
) -> None:
    made = make_activity(conn, member("U2"))
    mate, new = Follower(conn, "U2"), Follower(conn, "U3")
    mate.news(), new.news()

    participants.remove(conn, made.id, [(Kind.USER, "U2")])
    participants.add(conn, made.id, [member("U3")])

    assert mate.news() == [made.id]
    assert new.news() == [made.id]
    assert "U2" not in activities.get(conn, made.id).user_ids
    activities.update(conn, made.id, changes={"subject": "New"})
    assert mate.news() == []
    assert new.news() == [made.id]
    participants.add(conn, made.id, [member("U2")])
    assert mate.news() == [made.id]


def test_a_leader_who_hands_over_and_leaves_is_told(conn: Connection) -> None:
    made = make_activity(conn)
    leader, new = Follower(conn, "U1"), Follower(conn, "U2")
    leader.news(), new.news()

    edit = ActivityEdit(made.id, leader="U2", participants=())
    activities.update_many(conn, [edit])

    assert leader.news() == [made.id]
    assert new.news() == [made.id]


def test_an_activity_changed_often_is_told_at_its_last_place(conn: Connection) -> None:
    one, two = make_activity(conn), make_activity(conn)
    for number in range(5):
        activities.update(conn, one.id, changes={"subject": str(number)})

    assert Follower(conn, "U1").news() == [two.id, one.id]


def test_pages_of_the_feed_miss_nothing(conn: Connection) -> None:
    made = [make_activity(conn).id for _ in range(9)]

    for limit in (1, 2, 3, 9, 10):
        assert Follower(conn, "U1").news(limit) == made


# ------------------------------------------------------------------ alarms


@pytest.mark.rule("CAL-12")
def test_snoozing_and_dismissing_are_no_edits(conn: Connection) -> None:
    made = make_activity(conn, member("U2"), alarm="15")
    mate = Follower(conn, "U2")
    mate.news()

    alarms.snooze(conn, made.id, "U2", until=NINE)
    alarms.dismiss(conn, made.id, "U2", by=Author("U2", NINE))
    alarms.set_alarm(conn, made.id, "U2", 30)

    assert mate.news() == []
    assert activities.get(conn, made.id) == made


@pytest.mark.rule("CAL-12")
def test_an_alarm_is_due_at_its_minute_and_silent_once_dismissed(
    conn: Connection,
) -> None:
    made = make_activity(conn, member("U2"), alarm="15")
    quarter = NINE - timedelta(minutes=15)

    assert alarms.due(conn, "U2", quarter - timedelta(seconds=1)) == []
    (alarm,) = alarms.due(conn, "U2", quarter)
    assert (alarm.row.id, alarm.due, alarm.start) == (made.id, quarter, NINE)
    alarms.snooze(conn, made.id, "U2", until=NINE)
    assert alarms.due(conn, "U2", quarter) == []
    assert len(alarms.due(conn, "U2", NINE)) == 1
    alarms.dismiss(conn, made.id, "U2", by=Author("U2", NINE))
    assert alarms.due(conn, "U2", NINE) == []
    assert len(alarms.due(conn, "U1", NINE)) == 1


@pytest.mark.rule("CAL-13")
def test_what_was_declined_does_not_ring(conn: Connection) -> None:
    made = make_activity(conn, member("U2"), alarm="0")

    participants.answer(conn, made.id, "U2", "declined")

    assert alarms.due(conn, "U2", NINE) == []
    assert len(alarms.due(conn, "U1", NINE)) == 1


@pytest.mark.rule("CAL-12")
def test_each_occurrence_of_a_series_rings_anew(conn: Connection) -> None:
    series = make_series(conn, alarm="0")
    alarms.dismiss(conn, series.id, "U1", by=Author("U1", NINE))

    assert alarms.due(conn, "U1", NINE) == []
    (alarm,) = alarms.due(conn, "U1", NINE + timedelta(days=2))

    assert alarm.slot == "2026-03-04T08:00:00Z"


def test_a_participant_s_own_alarm_comes_before_the_activity_s(
    conn: Connection,
) -> None:
    made = make_activity(conn, member("U2"), alarm="15")
    alarms.set_alarm(conn, made.id, "U2", 60)

    hour = NINE - timedelta(minutes=60)

    assert len(alarms.due(conn, "U2", hour)) == 1
    assert alarms.due(conn, "U1", hour) == []
    with pytest.raises(NotFound, match="does not take part"):
        alarms.set_alarm(conn, made.id, "U9", 5)
    with pytest.raises(BadValue, match="alarm must be"):
        alarms.set_alarm(conn, made.id, "U2", -1)
