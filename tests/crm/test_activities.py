from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection

from crm import accounts, activities, contacts, merging
from crm.accounts import AccountRule
from crm.activityrows import ActivityEdit, Kind, NewActivity, Participant, other
from crm.common import Author
from crm.errors import BadValue, NotFound, TooLong, VersionMismatch
from tests.crm.builders import make_activity, make_contact, make_series, member

NINE = "2026-03-02T08:00:00Z"


def test_every_field_is_read_as_it_was_written(conn: Connection) -> None:
    contact = make_contact(conn)
    written = {
        "type": "call",
        "subject": "Ж" * 64,
        "start": NINE,
        "duration": "45",
        "zone": "Europe/Berlin",
        "recurrence": "RRULE:FREQ=WEEKLY;COUNT=4;BYDAY=MO",
        "location": "Room 1",
        "notes": "one\ntwo 🚀",
        "category": "Sales",
        "priority": "High",
        "phone": "+49 30 1",
        "alarm": "15",
        "contact_id": contact.id,
        "account_id": contact.account_id,
        "opportunity": "Roof",
        "ticket": "T-1",
        "lead": "Byron, Ada",
        "resources": "Beamer\nCar",
        "rooms": "Room 7",
        "guest_list": "accepted jo@x.example Jo",
    }
    people = (member("U2"), other("Guest@Mail.Example", "A guest"))

    made = activities.create(conn, written, leader="U1", participants=people)

    (row,) = activities.read(conn, [made.id])
    assert row.values == written
    assert row == made
    assert row.user_ids == {"U1", "U2"}
    assert [p.ref for p in row.participants if p.kind is Kind.OTHER] == [
        "guest@mail.example"
    ]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"start": ""}, "start is neither a date nor a time"),
        ({"start": "2026-02-30"}, "start is not a date of the calendar"),
        ({"start": "2026-03-02T08:00:00"}, "start is neither"),
        ({"start": "0001-01-01"}, "must lie between 1583 and 8999"),
        ({"start": "9999-12-31"}, "must lie between 1583 and 8999"),
        ({"duration": "-5"}, "duration is not a number of minutes"),
        ({"duration": "9999999"}, "duration is longer than 3660 days"),
        ({"start": "2026-03-02", "duration": "90"}, "in whole days"),
        ({"start": "2026-03-02", "duration": "0"}, "in whole days"),
        ({"type": "party"}, "type is none of meeting, call"),
        ({"alarm": "soon"}, "alarm is not a number of minutes"),
        ({"zone": "Mars/Base"}, "zone is not a time zone"),
        ({"color": "red"}, "color is not a field of an activity"),
        ({"notes": "a\x00b"}, "notes holds a character"),
    ],
)
def test_what_the_crm_cannot_hold_is_refused_with_a_sentence(
    conn: Connection, changes: dict[str, str], says: str
) -> None:
    with pytest.raises(BadValue, match=says):
        make_activity(conn, **changes)


@pytest.mark.rule("CAL-16")
def test_a_subject_over_64_characters_is_refused(conn: Connection) -> None:
    with pytest.raises(TooLong) as caught:
        make_activity(conn, subject="x" * 65)

    assert (caught.value.field, caught.value.limit) == ("subject", 64)


def test_a_zero_length_is_kept(conn: Connection) -> None:
    assert make_activity(conn, duration="0").values["duration"] == "0"


@pytest.mark.rule("CAL-24")
def test_turning_timeless_makes_whole_days_and_back_keeps_them(
    conn: Connection,
) -> None:
    made = make_activity(conn, duration="1500")

    timeless = activities.update(conn, made.id, changes={"start": "2026-03-02"})
    timed = activities.update(conn, made.id, changes={"start": NINE, "duration": "30"})

    assert timeless.values["duration"] == "2880"
    assert timed.values["duration"] == "30"


def test_what_it_names_must_exist(conn: Connection) -> None:
    with pytest.raises(NotFound, match="no contact CNOWHERE"):
        make_activity(conn, contact_id="CNOWHERE")
    with pytest.raises(NotFound, match="no account ANOWHERE"):
        make_activity(conn, account_id="ANOWHERE")
    with pytest.raises(NotFound, match="no contact CNOWHERE"):
        make_activity(conn, Participant(Kind.CONTACT, "CNOWHERE"))


def test_a_participant_needs_a_name_or_an_address(conn: Connection) -> None:
    with pytest.raises(BadValue, match="neither a name nor an address"):
        make_activity(conn, other(" "))
    with pytest.raises(BadValue, match="answer is none"):
        make_activity(conn, member("U2", "perhaps"))


@pytest.mark.rule("CAL-6")
def test_200_guests_are_held(conn: Connection) -> None:
    guests = [other(f"g{n}@mail.example") for n in range(200)]

    made = make_activity(conn, *guests)

    assert len(activities.get(conn, made.id).participants) == 201


# ------------------------------------------------------------------ sync keys, versions


@pytest.mark.rule("ENG-2")
def test_a_known_key_answers_with_its_activity_even_a_deleted_one(
    conn: Connection,
) -> None:
    made = make_activity(conn, sync_key="k")
    activities.delete(conn, made.id)
    values = {"type": "meeting", "subject": "Again", "start": NINE}

    again, fresh, twin = activities.create_many(
        conn, [NewActivity(values, sync_key=key) for key in ("k", "l", "l")]
    )

    assert (again.id, again.deleted) == (made.id, True)
    assert fresh == twin
    assert not fresh.deleted


@pytest.mark.rule("ENG-3")
def test_an_edit_of_an_older_version_is_refused(conn: Connection) -> None:
    made = make_activity(conn)
    activities.update(conn, made.id, changes={"subject": "Theirs"})

    with pytest.raises(VersionMismatch) as caught:
        activities.update(
            conn, made.id, changes={"subject": "Ours"}, expected_version=1
        )

    assert caught.value.current.values["subject"] == "Theirs"
    with pytest.raises(VersionMismatch):
        activities.delete(conn, made.id, expected_version=1)


@pytest.mark.rule("CON-19")
def test_what_changes_nothing_makes_no_version(conn: Connection) -> None:
    made = make_series(conn)

    same = activities.update_many(
        conn,
        [
            ActivityEdit(
                made.id,
                {
                    "subject": made.values["subject"],
                    "recurrence": made.values["recurrence"],
                },
                participants=made.participants,
                is_cancelled=False,
            )
        ],
    )[0]

    assert same == made


def test_an_edit_names_its_author_and_leaves_what_it_does_not_name(
    conn: Connection,
) -> None:
    made = make_activity(conn, member("U2"), location="Room 1")
    at = datetime(2026, 3, 1, tzinfo=UTC)

    now = activities.update(
        conn, made.id, changes={"subject": "New"}, by=Author("U2", at)
    )

    assert (now.version, now.modified_by, now.modified_at) == (2, "U2", at)
    assert now.values == {**made.values, "subject": "New"}
    assert now.participants == made.participants
    assert activities.get(conn, made.id) == now


def test_a_refused_batch_leaves_no_trace(conn: Connection) -> None:
    one, two = make_activity(conn), make_activity(conn)
    edits = [
        ActivityEdit(one.id, {"subject": "New"}),
        ActivityEdit(two.id, {"start": ""}),
    ]

    with pytest.raises(BadValue):
        activities.update_many(conn, edits)

    assert activities.read(conn, [one.id, two.id]) == [one, two]
    with pytest.raises(BadValue, match="twice"):
        activities.update_many(conn, [edits[0], edits[0]])


def test_another_leader_stays_a_member_if_listed_and_the_new_one_takes_part(
    conn: Connection,
) -> None:
    made = make_activity(conn, member("U2"))

    now = activities.update_many(conn, [ActivityEdit(made.id, leader="U2")])[0]

    assert now.leader == "U2"
    assert now.user_ids == {"U1", "U2"}


# ------------------------------------------------------------------ deleting


def test_a_deleted_activity_leaves_a_tombstone_without_its_texts(
    conn: Connection,
) -> None:
    made = make_activity(conn, notes="secret", sync_key="k")

    assert activities.delete(conn, made.id)
    assert not activities.delete(conn, made.id)

    (row,) = activities.read(conn, [made.id])
    assert (row.deleted, row.version, row.sync_key) == (True, 2, "k")
    assert set(row.values.values()) == {"", "meeting"}
    with pytest.raises(NotFound):
        activities.get(conn, made.id)
    with pytest.raises(NotFound, match="no activity VNOWHERE"):
        activities.delete(conn, "VNOWHERE")


@pytest.mark.rule("CON-21")
def test_a_merged_contact_brings_its_activities_along(conn: Connection) -> None:
    keep, lose = make_contact(conn), make_contact(conn)
    regarding = make_activity(conn, contact_id=lose.id)
    attended = make_activity(conn, Participant(Kind.CONTACT, lose.id, "Ada"))

    merging.merge(conn, keep.id, lose_id=lose.id)

    assert activities.get(conn, regarding.id).values["contact_id"] == keep.id
    people = activities.get(conn, attended.id).participants
    assert Participant(Kind.CONTACT, keep.id, "Ada") in people
    assert all(person.ref != lose.id for person in people)


def test_a_deleted_contact_leaves_its_activities(conn: Connection) -> None:
    account = accounts.create(conn, "Acme", rule=AccountRule())
    contact = make_contact(conn)
    made = make_activity(conn, contact_id=contact.id, account_id=account.id)

    contacts.delete(conn, contact.id)

    assert activities.get(conn, made.id) == made
