"""Events <-> activities: fields, notes, guests, keys and what a PATCH carries."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmsync.connectors.google.mapping.activities import (
    EVENT_FIELDS,
    PrivateEvents,
    event_to_remote,
)
from crmsync.connectors.google.mapping.activities_out import new_event, patch_of
from crmsync.connectors.google.mapping.properties import KEY as KEY_NAME
from crmsync.connectors.google.mapping.properties import (
    read_marker,
    write_key,
    write_marker,
)
from crmsync.errors import InvalidRecord
from crmsync.ports import NewRecord
from crmsync.records.activities import FIELDS
from tests.unit.connectors.events import (
    KEY,
    OWN,
    all_day,
    edit_of,
    event,
    read,
    reading,
    sign,
    timed,
    written,
)

GUESTS = [
    {"email": OWN, "self": True, "organizer": True, "responseStatus": "accepted"},
    {"email": "Ben@X.example", "responseStatus": "declined", "comment": "ill",
     "displayName": "Ben B", "additionalGuests": 2},
    {"email": "room7@resource.calendar.google.com", "resource": True,
     "displayName": "Room 7", "responseStatus": "accepted"},
]  # fmt: skip
THEIRS = {
    "organizer": {"email": "boss@x.example"},
    "attendees": [
        {"email": "boss@x.example", "organizer": True, "responseStatus": "accepted"},
        {"email": OWN, "self": True, "responseStatus": "tentative", "comment": "late?"},
        {"email": "ben@x.example", "responseStatus": "needsAction"},
    ],
}


# ------------------------------------------------------------------ reading


@pytest.mark.rule("CAL-24")
def test_an_event_is_read_whole() -> None:
    remote = read(
        location="Room",
        description="Bring <b>cake</b>",
        attendees=GUESTS,
        visibility="private",
    )

    assert remote.values == {
        "subject": "Lunch",
        "start": "2026-11-24T09:00:00Z",
        "duration": "60",
        "location": "Room",
        "notes": "Bring cake",
        "recurrence": "",
        "zone": "",
        "attendees": "ben@x.example",
        "guest_list": "declined ben@x.example Ben B",
        "rooms": "Room 7",
        "answer": "",
        "cancelled": "",
        "slot": "",
        "visibility": "private",
        "context": "",
        "imported": "",
    }
    assert set(remote.values) == {field.name for field in FIELDS}
    assert remote.record == {
        "organizer": True,
        "series": "",
        "guests": 1,
        "marker": "",
        "uid": "e1@google.com",
        "locked": False,
    }
    assert (remote.remote_id, remote.etag) == ("e1", '"1"')
    assert remote.stamp == "2026-11-24T09:00:00.000Z"
    assert remote.modified_at is not None
    assert remote.is_selected


@pytest.mark.rule("CAL-24")
def test_an_event_without_a_summary_is_read() -> None:
    assert read(summary=None).values["subject"] == ""


@pytest.mark.rule("CAL-13", "CAL-6")
def test_an_invitation_shows_the_own_answer_and_the_organiser_among_the_others() -> (
    None
):
    remote = read(**THEIRS)

    assert remote.values["answer"] == "tentative"
    assert remote.values["attendees"] == "ben@x.example\nboss@x.example"
    assert remote.record["organizer"] is False
    assert remote.record["locked"] is True
    assert read(**THEIRS, guestsCanModify=True).record["locked"] is False


def test_the_own_entry_is_known_by_its_address_too() -> None:
    theirs = json.loads(json.dumps(THEIRS).replace('"self": true, ', ""))

    assert read(**theirs).values["answer"] == "tentative"


@pytest.mark.rule("CAL-4")
def test_a_cancelled_event_is_gone_and_a_cancelled_occurrence_is_not() -> None:
    gone = event_to_remote({"id": "e1", "status": "cancelled"}, reading())
    slot = {"dateTime": "2026-12-01T10:00:00+01:00"}
    occurrence = event_to_remote(
        {"id": "e1_20261201T090000Z", "status": "cancelled", "recurringEventId": "e1",
         "originalStartTime": slot}, reading(),
    )  # fmt: skip

    assert gone.is_gone
    assert not occurrence.is_gone
    assert occurrence.values == {"slot": "2026-12-01T09:00:00Z", "cancelled": "yes"}
    assert occurrence.record["series"] == "e1"


@pytest.mark.rule("CAL-17")
def test_an_occurrence_keeps_its_slot_when_it_is_moved() -> None:
    moved = read(
        id="e1_20261201", recurringEventId="e1", recurrence=None,
        originalStartTime={"date": "2026-12-01"},
        **all_day("2026-12-03", "2026-12-04"),
    )  # fmt: skip

    assert moved.values["slot"] == "2026-12-01"
    assert moved.values["start"] == "2026-12-03"
    assert moved.record["series"] == "e1"


def test_a_slot_that_google_leaves_out_is_read_from_the_id() -> None:
    lean = {"status": "cancelled", "recurringEventId": "e1"}

    found = event_to_remote({"id": "e1_20261201T090000Z", **lean}, reading())
    lost = event_to_remote({"id": "e1_x", **lean}, reading())

    assert found.values["slot"] == "2026-12-01T09:00:00Z"
    assert lost.record["odd"]


@pytest.mark.rule("CAL-18")
def test_other_kinds_of_events_are_set_aside() -> None:
    assert read(eventType="birthday").record["odd"]
    assert "odd" not in read(eventType="default").record


def test_details_that_google_hides_are_no_blanks() -> None:
    veiled = read(**THEIRS, summary=None, visibility="private")
    cut = read(attendees=GUESTS[:1], attendeesOmitted=True)

    assert "subject" in veiled.record["hidden"]
    assert cut.record["hidden"] == ["attendees", "guest_list", "rooms"]


@pytest.mark.rule("CAL-21")
@pytest.mark.parametrize(("choice", "shown"), [("busy", True), ("skip", False)])
def test_private_events_of_one_s_own_keep_to_themselves(
    choice: PrivateEvents, shown: bool
) -> None:
    options = reading(private_events=choice)
    wire = event(visibility="private", attendees=GUESTS, description="secret")

    remote = event_to_remote(wire, options)

    assert remote.values["subject"] == "Busy"
    assert remote.values["start"] == "2026-11-24T09:00:00Z"
    assert "secret" not in json.dumps([dict(remote.values), dict(remote.record)])
    assert "ben@" not in json.dumps([dict(remote.values), dict(remote.record)])
    assert remote.is_selected is shown
    with pytest.raises(InvalidRecord, match="private"):
        patch_of(edit_of(remote, subject="x"), wire, options)
    invited = event_to_remote(event(**THEIRS, visibility="private"), options)
    assert invited.values["subject"] == "Lunch"


@pytest.mark.rule("CAL-21", "CAL-3")
def test_a_personal_activity_of_the_crm_stays_readable() -> None:
    mine = {"shared": write_marker(KEY, "e1", sign)}
    wire = event(visibility="private", extendedProperties=mine)

    remote = event_to_remote(wire, reading(private_events="busy"))

    assert remote.values["subject"] == "Lunch"


# ------------------------------------------------------------------ key and marker


@pytest.mark.rule("ENG-2")
def test_a_key_counts_only_in_the_event_it_was_written_into() -> None:
    key = {"private": {KEY_NAME: KEY}}
    home = {"private": write_key(KEY, "e1")}

    assert read(extendedProperties=key).key == KEY
    assert read(extendedProperties=home).key == KEY
    assert read(extendedProperties=home, id="e1_R20261201T090000").key == ""
    assert read(extendedProperties=key, id="e1_R20261201T090000").key == ""
    assert read(extendedProperties=home, id="copy").key == ""
    inherited = {"recurringEventId": "e1", "id": "e1_20261201T090000Z"}
    assert read(extendedProperties=key, **inherited).key == ""
    own = {"private": write_key(KEY, "e1_20261201T090000Z")}
    assert read(extendedProperties=own, **inherited).key == KEY


@pytest.mark.rule("CAL-26")
def test_a_marker_counts_only_with_our_signature() -> None:
    genuine = write_marker(KEY, "e1", sign)
    wire = event(extendedProperties={"shared": genuine})

    assert read_marker(wire, "inst", sign) == "A7"
    assert read_marker(wire, "other", sign) == ""
    assert read_marker(wire, "inst", lambda text: "0" * 64) == ""
    assert read_marker(wire, "inst", None) == ""
    forged = {"crm-sync-activity": genuine["crm-sync-activity"].replace("A7", "A8")}
    assert read_marker(event(extendedProperties={"shared": forged}), "inst", sign) == ""
    assert event_to_remote(wire, reading()).record["marker"] == "A7"


@pytest.mark.rule("CAL-26", "CAL-17")
def test_a_marker_counts_in_copies_and_not_in_what_inherited_it() -> None:
    shared = {"extendedProperties": {"shared": write_marker(KEY, "e1", sign)}}

    def found(**fields: str) -> str:
        return read_marker(event(**shared, **fields), "inst", sign)

    assert found(id="other", iCalUID="e1@google.com") == "A7"
    assert found(id="e1_20261201", recurringEventId="e1", iCalUID="x") == "A7"
    assert found(id="e1_R20261201", iCalUID="e1_R20261201@google.com") == ""
    assert found(id="copy", iCalUID="copy@google.com") == ""


def test_without_a_signature_there_is_no_marker_and_the_key_tells_our_events() -> None:
    key = {"private": write_key(KEY, "e1")}
    options = reading(sign=None)

    body = new_event(NewRecord(KEY, VALUES), "e1", options)

    assert "shared" not in body["extendedProperties"]
    for properties, expected in ((key, True), ({}, False)):
        wire = event(extendedProperties=properties)
        remote = event_to_remote(wire, options)
        patch = patch_of(edit_of(remote, context="Account: B"), wire, options)
        assert ("description" in patch) is expected


@pytest.mark.rule("CAL-5")
def test_a_section_that_makes_a_description_too_long_is_left_out() -> None:
    values = {**VALUES, "notes": "n" * 8000, "context": "c" * 500}

    assert written(values)["description"] == "n" * 8000


def test_what_is_nobody_s_key_has_no_marker() -> None:
    assert write_marker("no key of ours", "e1", sign) == {}


def test_a_cancelled_occurrence_without_a_time_names_its_reason() -> None:
    lost = read(recurringEventId="e0", id="e0_x", originalStartTime=None)

    assert lost.record["odd"]


# ------------------------------------------------------------------ insert

VALUES = {"subject": "Visit", "start": "2026-11-24T09:00:00Z", "duration": "45"}


@pytest.mark.rule("CAL-24", "CAL-26")
def test_an_insert_carries_the_activity_our_key_and_the_marker() -> None:
    body = written({**VALUES, "attendees": "ben@x.example", "visibility": "private"})

    assert body == {
        "id": "made1",
        "summary": "Visit",
        "start": {"dateTime": "2026-11-24T09:00:00Z"},
        "end": {"dateTime": "2026-11-24T09:45:00Z"},
        "attendees": [{"email": "ben@x.example", "responseStatus": "needsAction"}],
        "visibility": "private",
        "extendedProperties": {
            "private": {"crm-sync-key": KEY, "crm-sync-id": "made1"},
            "shared": write_marker(KEY, "made1", sign),
        },
    }


@pytest.mark.rule("CAL-5")
@pytest.mark.parametrize(
    ("mode", "guests", "is_shown"),
    [
        ("always", "stranger@y.example", True),
        ("never", "", False),
        ("colleagues_only", "", True),
        ("colleagues_only", "ben@x.example", True),
        ("colleagues_only", "ben@x.example\nstranger@y.example", False),
    ],
)
def test_the_section_is_left_out_while_a_guest_is_no_colleague(
    mode: str, guests: str, is_shown: bool
) -> None:
    values = {**VALUES, "attendees": guests, "context": "Account: A"}

    body = written(values, context_section=mode)

    assert ("description" in body) is is_shown


def test_an_activity_without_a_start_is_no_event() -> None:
    with pytest.raises(InvalidRecord):
        written({"subject": "x"})


def test_two_hundred_guests_are_written_and_read() -> None:
    many = "\n".join(f"g{n:03}@x.example" for n in range(200))

    body = written({**VALUES, "attendees": many})

    assert len(body["attendees"]) == 200
    assert event_to_remote(event(**body), reading()).values["attendees"] == many


# ------------------------------------------------------------------ patch


def patched(wire: dict[str, Any], *, key: str = "", **values: str) -> dict[str, Any]:
    remote = event_to_remote(wire, reading())
    return patch_of(edit_of(remote, key=key, **values), wire, reading())


@pytest.mark.rule("CAL-18")
def test_a_patch_carries_changed_fields_only() -> None:
    assert patched(event(), subject="Dinner") == {"summary": "Dinner"}
    assert patched(event(), location="") == {"location": None}
    assert patched(event(), visibility="private") == {"visibility": "private"}
    assert set(patched(event(), duration="90")) == {"start", "end"}


@pytest.mark.rule("CAL-18", "CAL-20")
def test_other_guests_and_rooms_stay_as_they_are_when_one_comes_or_goes() -> None:
    wire = event(attendees=GUESTS)

    more = patched(wire, attendees="ben@x.example\nnew@x.example")["attendees"]
    fewer = patched(wire, attendees="")["attendees"]

    new = {"email": "new@x.example", "responseStatus": "needsAction"}
    assert more == [*GUESTS, new]
    assert fewer == [GUESTS[0], GUESTS[2]]
    assert "attendees" not in patched(wire, attendees="BEN@x.example")


@pytest.mark.rule("CAL-18")
def test_guests_that_google_does_not_show_are_not_changed() -> None:
    wire = event(attendees=GUESTS[:1], attendeesOmitted=True)

    with pytest.raises(InvalidRecord):
        patched(wire, attendees="new@x.example")


@pytest.mark.rule("CAL-8")
def test_only_the_organiser_changes_guests() -> None:
    with pytest.raises(InvalidRecord) as error:
        patched(event(**THEIRS), attendees="new@x.example")

    assert error.value.code == "not_organizer"


@pytest.mark.rule("CAL-13")
def test_an_answer_is_written_alone_and_keeps_its_comment() -> None:
    assert patched(event(**THEIRS), answer="accepted") == {
        "attendees": [{"email": OWN, "responseStatus": "accepted", "comment": "late?"}],
        "attendeesOmitted": True,
    }


@pytest.mark.rule("CAL-13")
def test_unconfirmed_never_overwrites_tentative() -> None:
    assert patched(event(**THEIRS), answer="") == {}
    assert patched(event(**THEIRS), answer="needsAction") == {}


@pytest.mark.rule("CAL-13")
def test_nobody_answers_their_own_event() -> None:
    assert patched(event(attendees=GUESTS), answer="declined") == {}


@pytest.mark.rule("CAL-22")
def test_an_edit_of_something_else_leaves_the_formatting() -> None:
    wire = event(description="a <b>bold</b> word")

    assert "description" not in patched(wire, subject="x")
    assert patched(wire, notes="new & old")["description"] == "new & old"
    assert patched(wire, notes="")["description"] is None


SHARED = {"shared": write_marker(KEY, "e1", sign)}
WITH_SECTION = "Hi\n\n— CRM —\nAccount: A\n— end of CRM details —"


@pytest.mark.rule("CAL-5")
def test_a_section_that_a_person_deleted_is_not_added_again() -> None:
    wire = event(description="Hi", extendedProperties=SHARED)
    remote = event_to_remote(wire, reading())
    lost = edit_of(remote, context="Account: B")
    lost = type(lost)(
        lost.remote_id, lost.etag, lost.seen, lost.values, {"context": "Account: A"}
    )

    assert patch_of(lost, wire, reading()) == {}
    assert "Account: B" in patched(wire, context="Account: B")["description"]


@pytest.mark.rule("CAL-5")
def test_an_event_born_in_google_gets_no_section() -> None:
    assert patched(event(description="Hi"), context="Account: B") == {}


@pytest.mark.rule("CAL-5")
def test_the_section_goes_when_a_stranger_is_invited() -> None:
    wire = event(description=WITH_SECTION, extendedProperties=SHARED)

    body = patched(wire, attendees="stranger@y.example")

    assert body["description"] == "Hi"


@pytest.mark.rule("CAL-5")
def test_the_section_is_refreshed_and_the_text_beside_it_stays() -> None:
    wire = event(description=WITH_SECTION, extendedProperties=SHARED)

    assert patched(wire, context="Account: A") == {}
    assert patched(wire, context="Account: B")["description"] == (
        WITH_SECTION.replace("Account: A", "Account: B")
    )


@pytest.mark.rule("CAL-17")
def test_an_occurrence_is_cancelled_and_brought_back() -> None:
    slot = {"originalStartTime": {"dateTime": "2026-11-24T09:00:00Z"}}
    wire = event(recurringEventId="e0", id="e0_20261124T090000Z", **slot)

    assert patched(wire, cancelled="yes", subject="") == {"status": "cancelled"}
    back = patched(
        {**wire, "status": "cancelled"},
        cancelled="",
        subject="Lunch",
        start="2026-11-24T09:00:00Z",
        duration="60",
    )
    assert back["status"] == "confirmed"
    assert back["summary"] == "Lunch"
    assert patched({**wire, "status": "cancelled"}, cancelled="yes") == {}


@pytest.mark.rule("CAL-17")
def test_a_single_activity_becomes_a_series_and_single_again() -> None:
    zone = "America/St_Johns"

    body = patched(event(), recurrence="RRULE:FREQ=WEEKLY", zone=zone)

    assert body["start"]["timeZone"] == zone
    assert body["start"]["dateTime"] == "2026-11-24T05:30:00-03:30"
    assert body["recurrence"] == ["RRULE:FREQ=WEEKLY"]
    series = event(
        **timed("2026-11-24T09:00:00Z", "2026-11-24T10:00:00Z", zone),
        recurrence=["RRULE:FREQ=WEEKLY"],
    )
    assert patched(series, recurrence="", zone="")["recurrence"] is None


@pytest.mark.rule("CAL-3", "CAL-17")
def test_a_series_that_becomes_all_day_leaves_out_days_by_date() -> None:
    series = event(
        **timed("2026-11-24T09:00:00Z", "2026-11-24T10:00:00Z", "Europe/Berlin"),
        recurrence=["RRULE:FREQ=DAILY", "EXDATE:20261125T090000Z"],
    )

    body = patched(
        series, start="2026-11-24", duration="1440", zone="",
        recurrence="EXDATE:20261125\nRRULE:FREQ=DAILY",
    )  # fmt: skip

    assert body["recurrence"] == ["EXDATE;VALUE=DATE:20261125", "RRULE:FREQ=DAILY"]
    assert body["start"] == {"date": "2026-11-24", "dateTime": None, "timeZone": None}


@pytest.mark.rule("ENG-2")
def test_a_missing_key_is_written_along_in_own_events_only() -> None:
    key = {"private": write_key(KEY, "e1")}

    assert patched(event(), key=KEY) == {"extendedProperties": key}
    assert patched(event(extendedProperties=key), key=KEY) == {}
    assert patched(event(**THEIRS), key=KEY) == {}


# ------------------------------------------------------------------ anything at all

_TEXTS = st.text(max_size=20) | st.sampled_from(
    ["cancelled", "2026-11-24", "2026-11-24T09:00:00Z", "RRULE:FREQ=DAILY", "private",
     "EXDATE:20261124", "a@b.example", "10000-01-01", "<b>— CRM —</b>", "\ud800\x00",
     "0001-01-01T00:00:00+23:00", "America/St_Johns", "RRULE:FREQ=YEARLY;COUNT=a"]
)  # fmt: skip
_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3)
    ),
    max_leaves=6,
)
_MOMENT = st.dictionaries(st.sampled_from(["date", "dateTime", "timeZone"]), _TEXTS)
_GUEST = st.fixed_dictionaries(
    {}, optional={"email": _TEXTS, "self": st.booleans(), "resource": st.booleans(),
                  "responseStatus": _TEXTS, "displayName": _TEXTS}
)  # fmt: skip
_SCHEMA = {
    **dict.fromkeys(EVENT_FIELDS.split(","), _TEXTS),
    "start": _MOMENT,
    "end": _MOMENT,
    "originalStartTime": _MOMENT,
    "recurrence": st.lists(_TEXTS, max_size=3),
    "attendees": st.lists(_GUEST, max_size=3),
    "organizer": _GUEST,
    "extendedProperties": st.fixed_dictionaries(
        {}, optional={"private": st.dictionaries(_TEXTS, _TEXTS, max_size=2),
                      "shared": st.just({"crm-sync-activity": "inst|A|b"})}
    ),
}  # fmt: skip


@given(
    st.fixed_dictionaries({}, optional=_SCHEMA),
    st.sampled_from(["full", "busy", "skip"]),
)
def test_any_event_of_the_schema_is_read(wire: dict[str, Any], choice: str) -> None:
    remote = event_to_remote(wire, reading(private_events=choice))

    assert all(isinstance(value, str) for value in remote.values.values())
    assert set(remote.values) <= {field.name for field in FIELDS}
    json.dumps(dict(remote.record)).encode()


@given(st.dictionaries(st.sampled_from(EVENT_FIELDS.split(",")), _ANY, max_size=8))
def test_an_event_that_is_not_even_of_the_schema_is_read(wire: dict[str, Any]) -> None:
    remote = event_to_remote(wire, reading())

    "".join(remote.values.values()).encode()
    assert all(isinstance(value, str) for value in remote.values.values())


@given(
    st.fixed_dictionaries({}, optional=_SCHEMA),
    st.dictionaries(
        st.sampled_from([field.name for field in FIELDS]), _TEXTS, max_size=5
    ),
)
def test_any_edit_of_any_event_is_written_or_refused(
    wire: dict[str, Any], values: dict[str, str]
) -> None:
    remote = event_to_remote(wire, reading())

    with suppress(InvalidRecord):
        json.dumps(patch_of(edit_of(remote, key=KEY, **values), wire, reading()))
