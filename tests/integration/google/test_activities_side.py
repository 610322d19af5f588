"""The calendar's side over HTTP, against a stand-in written from the contract."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from crmsync.connectors.google.activities_writes import event_id
from crmsync.connectors.transport import Transport
from crmsync.errors import (
    AlreadyExists,
    CollectionGone,
    CursorExpired,
    EtagMismatch,
    InvalidRecord,
    NotFound,
    OutcomeUnknown,
    ProtocolBroken,
    RateLimited,
    ReconnectNeeded,
    Retryable,
)
from crmsync.ports import Edit, NewRecord
from tests.integration.google.conftest import Shifted
from tests.integration.google.planning import (
    AT_NINE,
    AT_TEN,
    OWN,
    Desk,
    edit_of,
    meeting,
    new_key,
    new_meeting,
    remote_of,
)
from tests.standin.agenda import Refused
from tests.standin.planner import Planner

RATE = Refused(403, "rateLimitExceeded", domain="usageLimits")
WEEKLY = {"recurrence": ["RRULE:FREQ=WEEKLY"]}
BERLIN = {
    "start": {"dateTime": "2026-11-24T09:00:00+01:00", "timeZone": "Europe/Berlin"},
    "end": {"dateTime": "2026-11-24T10:00:00+01:00", "timeZone": "Europe/Berlin"},
}
SLOT = "2026-12-01T08:00:00Z"
INVITED: dict[str, Any] = {
    "organizer": {"email": "boss@x.example"},
    "attendees": [
        {"email": "boss@x.example", "responseStatus": "accepted"},
        {"email": OWN, "responseStatus": "needsAction"},
    ],
}


@pytest.fixture
def desk(clock: Shifted, transport: Transport) -> Iterator[Desk]:
    with Planner(OWN) as planner:
        yield Desk(planner, clock, transport)


# ------------------------------------------------------------------ reading


@pytest.mark.rule("CAL-17", "ENG-10")
def test_a_full_read_shows_series_and_exceptions_page_by_page(desk: Desk) -> None:
    series = desk.put(**BERLIN, **WEEKLY)
    moved = f"{series}_20261201T080000Z"
    desk.planner.agenda.change(moved, start=AT_NINE, end=AT_TEN)
    desk.planner.agenda.change(f"{series}_20261208T080000Z", status="cancelled")
    singles = {desk.put() for _ in range(20)}

    found, cursor = desk.read()

    assert singles < found.keys()
    assert found[series].values["zone"] == "Europe/Berlin"
    assert found[moved].values["slot"] == SLOT
    assert found[moved].record["series"] == series
    assert found[f"{series}_20261208T080000Z"].values["cancelled"] == "yes"
    assert desk.read(cursor)[0] == {}


@pytest.mark.rule("ENG-1")
def test_a_read_without_changes_is_one_request(desk: Desk) -> None:
    desk.put()
    cursor = desk.read()[1]
    before = desk.side.requests

    desk.read(cursor)

    assert desk.side.requests == before + 1


def test_an_empty_calendar_is_read(desk: Desk) -> None:
    found, cursor = desk.read()

    assert found == {}
    name = desk.put()
    assert desk.read(cursor)[0].keys() == {name}


@pytest.mark.rule("CAL-4")
def test_a_deleted_event_is_a_tombstone(desk: Desk) -> None:
    name = desk.put()
    cursor = desk.read()[1]
    desk.planner.agenda.remove(name)

    found, _ = desk.read(cursor)

    assert found[name].is_gone
    assert desk.fetched(name).is_gone
    assert desk.fetched("neverwas").is_gone


@pytest.mark.rule("CAL-18")
def test_other_kinds_of_events_are_not_read(desk: Desk) -> None:
    desk.put(eventType="birthday")

    assert desk.read()[0] == {}


@pytest.mark.rule("CAL-19")
def test_the_window_bounds_the_full_read_only(desk: Desk) -> None:
    far = {"start": {"date": "2031-01-01"}, "end": {"date": "2031-01-02"}}
    desk.put(**far)

    found, cursor = desk.read()

    assert found == {}
    later = desk.put(**far)
    assert desk.read(cursor)[0].keys() == {later}


@pytest.mark.rule("CAL-19")
def test_what_comes_into_the_window_is_read_as_days_go_by(desk: Desk) -> None:
    day = (desk.clock.now() + timedelta(days=368)).date()
    name = desk.put(
        start={"date": day.isoformat()},
        end={"date": (day + timedelta(days=1)).isoformat()},
    )
    found, cursor = desk.read()
    assert found == {}

    desk.clock.by += timedelta(days=4)
    found, later = desk.read(cursor)

    assert found.keys() == {name}
    assert desk.read(later)[0] == {}


@pytest.mark.rule("ENG-4")
def test_a_cursor_expires_when_google_says_so_or_an_option_changes(desk: Desk) -> None:
    cursor = desk.read()[1]

    for side in (desk.new_side(future_days=20), desk.new_side(calendar_id=OWN)):
        with pytest.raises(CursorExpired):
            list(side.read(cursor))
    with pytest.raises(CursorExpired):
        list(desk.side.read("nonsense"))
    desk.clock.by += timedelta(days=9)
    with pytest.raises(CursorExpired):
        list(desk.side.read(cursor))
    desk.clock.by -= timedelta(days=9)
    desk.planner.agenda.oldest = 99
    with pytest.raises(CursorExpired):
        list(desk.side.read(cursor))


@pytest.mark.rule("ENG-4")
def test_a_missing_calendar_is_looked_for_twice(desk: Desk) -> None:
    desk.put()
    desk.planner.fail("GET /calendar", Refused(404, "notFound"))
    assert len(desk.read()[0]) == 1

    desk.planner.agenda.is_gone = True

    with pytest.raises(CollectionGone):
        desk.read()


def test_a_410_on_a_full_read_is_no_reason_to_read_fully_again(desk: Desk) -> None:
    desk.planner.fail("GET /calendar", Refused(410, "updatedMinTooLongAgo"))

    with pytest.raises(ProtocolBroken):
        desk.read()


def test_a_calendar_that_vanishes_between_two_pages_is_not_taken_for_empty(
    desk: Desk,
) -> None:
    for _ in range(9):
        desk.put()
    pages = desk.side.read(None)
    next(pages)
    desk.planner.agenda.is_gone = True

    with pytest.raises(ProtocolBroken):
        next(pages)


@pytest.mark.rule("CAL-24")
def test_guests_that_google_hides_are_no_blanks(desk: Desk) -> None:
    name = desk.put(attendees=[{"email": OWN}], attendeesOmitted=True)
    remote = desk.fetched(name)
    base = {**remote.values, "attendees": "ben@x.example"}

    assert desk.side.project(remote, base) == base
    assert desk.side.project(remote, None)["attendees"] == ""
    edit = Edit(name, "", base, {"notes": "new"}, base)
    assert remote_of(desk.side.update([edit])[0]).values["notes"] == "new"


def test_a_calendar_needs_no_opening_and_has_no_selection(desk: Desk) -> None:
    before = desk.side.requests

    assert desk.side.open({"a": "b"}, verify=True, may_write=True).memo == {"a": "b"}
    assert [o.error for o in desk.side.select(["x"])] == [None]
    assert [o.error for o in desk.side.deselect(["x", "y"])] == [None, None]
    assert desk.side.requests == before
    desk.read()
    assert timedelta(minutes=6) < desk.side.skew < timedelta(minutes=8)


@pytest.mark.rule("CAL-21")
def test_private_events_may_be_left_out(desk: Desk) -> None:
    private = desk.put(visibility="private")
    public = desk.put()
    desk.side = desk.new_side(private_events="skip")

    found, cursor = desk.read()

    assert {n: r.is_selected for n, r in found.items()} == {
        public: True,
        private: False,
    }
    assert not desk.fetched(private).is_selected
    desk.planner.agenda.change(public, visibility="private")
    turned = desk.read(cursor)[0][public]
    assert not turned.is_selected
    assert turned.values["subject"] == "Busy"


def test_many_events_are_fetched_in_batches_whatever_the_order_of_answers(
    desk: Desk,
) -> None:
    names = [desk.put(summary=f"s{n}") for n in range(70)]
    before = desk.side.requests

    found = desk.side.fetch(names)

    assert [found[n].values["subject"] for n in names] == [f"s{n}" for n in range(70)]
    assert desk.side.requests == before + 2
    assert desk.side.quota_units >= 70


@pytest.mark.rule("CAL-8", "CAL-17")
def test_a_cancelled_occurrence_is_organised_as_its_series_is(desk: Desk) -> None:
    series = desk.put(**BERLIN, **WEEKLY, **INVITED)
    own = desk.put(**BERLIN, **WEEKLY)
    cursor = desk.read()[1]
    for name in (series, own):
        desk.planner.agenda.change(f"{name}_20261201T080000Z", status="cancelled")

    found, _ = desk.read(cursor)

    theirs = f"{series}_20261201T080000Z"
    assert found[theirs].record["organizer"] is False
    assert found[f"{own}_20261201T080000Z"].record["organizer"] is True
    assert desk.fetched(theirs).record["organizer"] is False


# ------------------------------------------------------------------ create


@pytest.mark.rule("CAL-24", "CAL-20")
def test_creates_are_answered_in_order_and_notify_nobody(desk: Desk) -> None:
    records = [
        new_meeting(subject=f"s{n}", attendees="ben@x.example") for n in range(60)
    ]

    remotes = [remote_of(outcome) for outcome in desk.side.create(records)]

    assert [r.values["subject"] for r in remotes] == [f"s{n}" for n in range(60)]
    assert [r.key for r in remotes] == [record.key for record in records]
    assert len(desk.planner.requests) == 2
    assert desk.planner.agenda.mails == []
    assert all(query["sendUpdates"] == "none" for _, _, query in desk.planner.writes())
    assert desk.read()[0].keys() == {r.remote_id for r in remotes}


@pytest.mark.rule("CAL-20", "CAL-9")
def test_guests_are_told_only_where_the_record_says_so(desk: Desk) -> None:
    quiet = new_meeting(attendees="ben@x.example")
    loud = replace(new_meeting(attendees="ann@x.example"), notifies=True)

    desk.side.create([quiet, loud])

    assert [guest for _, guest in desk.planner.agenda.mails] == ["ann@x.example"]


@pytest.mark.rule("ENG-2")
def test_a_create_whose_answer_was_lost_is_adopted_when_it_comes_again(
    desk: Desk,
) -> None:
    record = new_meeting()
    desk.planner.lose("POST /batch")

    first = desk.side.create([record])[0]
    again = remote_of(desk.side.create([record])[0])

    assert isinstance(first.error, OutcomeUnknown)
    assert again.key == record.key
    assert len(desk.planner.agenda.events) == 1


@pytest.mark.rule("ENG-2")
def test_a_known_key_is_answered_as_it_is_even_if_deleted(desk: Desk) -> None:
    record = new_meeting()
    made = remote_of(desk.side.create([record])[0])
    desk.planner.agenda.change(made.remote_id, summary="Changed by hand")

    kept = remote_of(desk.side.create([record])[0])
    desk.planner.agenda.remove(made.remote_id)
    gone = remote_of(desk.side.create([record])[0])

    assert kept.values["subject"] == "Changed by hand"
    assert gone.is_gone
    assert gone.remote_id == made.remote_id


@pytest.mark.rule("ENG-2")
def test_an_id_that_is_somebody_else_s_is_left_alone(desk: Desk) -> None:
    record = new_meeting()
    desk.put(id=event_id(record.key), summary="Foreign")

    made = remote_of(desk.side.create([record])[0])

    assert made.remote_id == event_id(record.key, 1)
    assert desk.event(event_id(record.key))["summary"] == "Foreign"
    assert remote_of(desk.side.create([record])[0]).remote_id == made.remote_id


@pytest.mark.rule("ENG-2")
def test_ids_that_are_all_taken_end_in_an_error(desk: Desk) -> None:
    record = new_meeting()
    for generation in range(3):
        desk.put(id=event_id(record.key, generation))

    assert isinstance(desk.side.create([record])[0].error, AlreadyExists)
    assert len(desk.planner.agenda.events) == 3


@pytest.mark.rule("ENG-8")
def test_one_record_that_is_no_event_does_not_cost_the_others(desk: Desk) -> None:
    bad = NewRecord(new_key(), {"subject": "when?"})

    first, second, third = desk.side.create([new_meeting(), bad, new_meeting()])

    assert isinstance(second.error, InvalidRecord)
    assert remote_of(first).remote_id
    assert remote_of(third).remote_id


# ------------------------------------------------------------------ occurrences


def occurrence(series: str, **values: str) -> NewRecord:
    return NewRecord(new_key(), {"slot": SLOT, **values}, account=series)


@pytest.mark.rule("CAL-17")
def test_an_occurrence_is_changed_not_made(desk: Desk) -> None:
    series = desk.put(**BERLIN, **WEEKLY, location="Room", colorId="7")
    record = occurrence(
        series, **meeting(subject="Moved", start="2026-12-02T14:00:00Z")
    )

    made = remote_of(desk.side.create([record])[0])

    assert made.remote_id == f"{series}_20261201T080000Z"
    assert made.values["slot"] == SLOT
    assert made.values["start"] == "2026-12-02T14:00:00Z"
    assert made.key == record.key
    assert desk.event(made.remote_id)["location"] == "Room"
    assert remote_of(desk.side.create([record])[0]) == made
    assert not [path for method, path, _ in desk.planner.writes() if method == "POST"]


@pytest.mark.rule("CAL-17")
def test_an_occurrence_is_cancelled_and_brought_back(desk: Desk) -> None:
    series = desk.put(**BERLIN, **WEEKLY)

    cancelled = remote_of(desk.side.create([occurrence(series, cancelled="yes")])[0])
    back = remote_of(
        desk.side.update([edit_of(cancelled, cancelled="", **meeting(start=SLOT))])[0]
    )

    assert cancelled.values == {"slot": SLOT, "cancelled": "yes"}
    assert not cancelled.is_gone
    assert back.values["cancelled"] == ""
    assert back.values["start"] == SLOT
    assert desk.event(back.remote_id)["status"] == "confirmed"


@pytest.mark.rule("CAL-17")
def test_an_occurrence_that_a_person_cancelled_is_brought_back(desk: Desk) -> None:
    series = desk.put(**BERLIN, **WEEKLY)
    name = f"{series}_20261201T080000Z"
    desk.planner.agenda.change(name, status="cancelled")

    made = remote_of(desk.side.create([occurrence(series, **meeting(start=SLOT))])[0])

    assert made.values["start"] == SLOT
    assert desk.event(name)["status"] == "confirmed"


@pytest.mark.rule("CAL-17")
def test_an_occurrence_that_google_keeps_cancelled_says_so(desk: Desk) -> None:
    series = desk.put(**BERLIN, **WEEKLY)
    desk.planner.agenda.change(f"{series}_20261201T080000Z", status="cancelled")
    desk.planner.fail("PATCH /calendar", Refused(403, "forbidden"))

    outcome = desk.side.create([occurrence(series, **meeting(start=SLOT))])[0]

    assert isinstance(outcome.error, InvalidRecord)
    assert "bring this cancelled occurrence back" in outcome.error.message


@pytest.mark.rule("CAL-17", "ENG-8")
def test_an_occurrence_of_a_series_that_is_gone_is_refused(desk: Desk) -> None:
    outcome = desk.side.create([occurrence("neverwas", cancelled="yes")])[0]

    assert isinstance(outcome.error, InvalidRecord)


@pytest.mark.rule("CAL-17")
def test_an_all_day_occurrence_is_found_by_its_date(desk: Desk) -> None:
    day = {"start": {"date": "2026-11-24"}, "end": {"date": "2026-11-25"}}
    series = desk.put(**day, **WEEKLY)
    record = NewRecord(
        new_key(), {"slot": "2026-12-01", "cancelled": "yes"}, account=series
    )

    made = remote_of(desk.side.create([record])[0])

    assert made.remote_id == f"{series}_20261201"
    assert made.values["slot"] == "2026-12-01"


@pytest.mark.rule("CAL-17")
def test_an_occurrence_after_a_split_is_asked_for(desk: Desk) -> None:
    series = desk.put(id="abc_R20261124T080000", **BERLIN, **WEEKLY)

    made = remote_of(desk.side.create([occurrence(series, cancelled="yes")])[0])

    assert made.remote_id == f"{series}_20261201T080000Z"


@pytest.mark.rule("CAL-17", "ENG-8")
def test_an_occurrence_that_its_series_has_not_is_refused(desk: Desk) -> None:
    series = desk.put(**BERLIN, **WEEKLY)
    wrong = NewRecord(
        new_key(), {"slot": "2026-12-02T08:00:00Z", "cancelled": "yes"}, series
    )

    outcome = desk.side.create([wrong])[0]

    assert isinstance(outcome.error, InvalidRecord)


@pytest.mark.rule("CAL-4")
def test_a_deleted_occurrence_is_cancelled(desk: Desk) -> None:
    series = desk.put(**BERLIN, **WEEKLY)
    name = f"{series}_20261201T080000Z"

    assert desk.side.delete([name])[0].error is None

    assert desk.fetched(name).values == {"slot": SLOT, "cancelled": "yes"}


# ------------------------------------------------------------------ update


@pytest.mark.rule("CAL-18")
def test_an_update_leaves_everything_else_of_the_event(desk: Desk) -> None:
    rest = {
        "colorId": "7",
        "conferenceData": {"conferenceId": "c"},
        "attachments": [{"fileUrl": "https://x.example/f"}],
        "reminders": {"useDefault": False},
        "unknownField": {"a": 1},
        "attendees": [
            {"email": "ben@x.example", "responseStatus": "accepted", "comment": "yes"},
            {"email": "r@x.example", "resource": True, "responseStatus": "accepted"},
        ],
    }
    name = desk.put(**rest, description="a <b>bold</b> word")
    remote = desk.fetched(name)

    edit = edit_of(remote, subject="New", attendees="ben@x.example\nnew@x.example")
    after = remote_of(desk.side.update([edit])[0])

    event = desk.event(name)
    assert after.values["attendees"] == "ben@x.example\nnew@x.example"
    assert {k: event[k] for k in rest if k != "attendees"} == {
        k: v for k, v in rest.items() if k != "attendees"
    }
    assert event["attendees"][:2] == rest["attendees"]
    assert event["description"] == "a <b>bold</b> word"
    assert event["summary"] == "New"


@pytest.mark.rule("CAL-3")
def test_a_meeting_becomes_all_day_and_timed_again(desk: Desk) -> None:
    remote = desk.fetched(desk.put())

    day = remote_of(
        desk.side.update([edit_of(remote, start="2026-11-24", duration="2880")])[0]
    )
    timed = remote_of(
        desk.side.update([edit_of(day, start="2026-11-24T09:00:00Z", duration="30")])[0]
    )

    assert (day.values["start"], day.values["duration"]) == ("2026-11-24", "2880")
    assert timed.values["start"] == "2026-11-24T09:00:00Z"
    assert timed.values["duration"] == "30"


@pytest.mark.rule("CAL-20")
def test_an_update_notifies_only_where_it_says_so(desk: Desk) -> None:
    name = desk.put(attendees=[{"email": "ben@x.example"}])

    quiet = remote_of(desk.side.update([edit_of(desk.fetched(name), subject="a")])[0])
    assert desk.planner.agenda.mails == []
    desk.side.update([replace(edit_of(quiet, subject="b"), notifies=True)])

    assert desk.planner.agenda.mails == [(name, "ben@x.example")]


@pytest.mark.rule("ENG-3")
@pytest.mark.parametrize("field", ["subject", "notes"])
def test_an_edit_of_another_version_is_answered_with_it(desk: Desk, field: str) -> None:
    remote = desk.fetched(desk.put())
    desk.planner.agenda.change(remote.remote_id, location="Elsewhere")

    outcome = desk.side.update([edit_of(remote, **{field: "New"})])[0]

    assert isinstance(outcome.error, EtagMismatch)
    assert outcome.remote is not None
    assert outcome.remote.values["location"] == "Elsewhere"
    assert desk.event(remote.remote_id)["summary"] == "Lunch"


@pytest.mark.rule("ENG-3")
@pytest.mark.parametrize("field", ["subject", "notes"])
def test_a_change_of_what_is_not_ours_is_no_conflict(desk: Desk, field: str) -> None:
    remote = desk.fetched(desk.put())
    desk.planner.agenda.change(remote.remote_id, colorId="3")

    after = remote_of(desk.side.update([edit_of(remote, **{field: "New"})])[0])

    assert after.values[field] == "New"
    assert desk.event(remote.remote_id)["colorId"] == "3"


@pytest.mark.rule("ENG-2")
def test_an_update_whose_answer_was_lost_is_not_made_twice(desk: Desk) -> None:
    remote = desk.fetched(desk.put())
    desk.planner.lose("POST /batch")
    first = desk.side.update([edit_of(remote, subject="New")])[0]
    writes = len(desk.planner.writes())
    assert writes

    after = remote_of(desk.side.update([edit_of(remote, subject="New")])[0])

    assert isinstance(first.error, OutcomeUnknown)
    assert after.values["subject"] == "New"
    assert desk.event(remote.remote_id)["etag"] == after.etag


@pytest.mark.rule("CAL-13")
def test_the_own_answer_reaches_an_invitation_and_changes_no_other(desk: Desk) -> None:
    remote = desk.fetched(desk.put(**INVITED))

    after = remote_of(desk.side.update([edit_of(remote, answer="declined")])[0])

    assert after.values["answer"] == "declined"
    assert not after.is_gone
    guests = desk.event(remote.remote_id)["attendees"]
    assert [g["responseStatus"] for g in guests] == ["accepted", "declined"]


@pytest.mark.rule("CAL-8", "ENG-8")
def test_what_only_the_organiser_may_is_refused_with_a_plain_sentence(
    desk: Desk,
) -> None:
    remote = desk.fetched(desk.put(**INVITED))

    outcome = desk.side.update([edit_of(remote, subject="Mine")])[0]

    assert isinstance(outcome.error, InvalidRecord)
    assert outcome.error.code == "not_organizer"
    assert outcome.error.message == "Only the organiser of this event can change that."
    assert [m for m, _, _ in desk.planner.writes()] == ["PATCH"]


@pytest.mark.rule("CAL-18", "ENG-8")
def test_a_kind_of_event_that_nobody_may_change_is_refused(desk: Desk) -> None:
    remote = desk.fetched(desk.put(eventType="birthday"))

    outcome = desk.side.update([edit_of(remote, subject="x")])[0]

    assert isinstance(outcome.error, InvalidRecord)
    assert outcome.error.code == "event_type"


@pytest.mark.rule("ENG-3")
@pytest.mark.parametrize("field", ["subject", "notes"])
def test_an_update_of_a_deleted_event_finds_none(desk: Desk, field: str) -> None:
    remote = desk.fetched(desk.put())
    desk.planner.agenda.remove(remote.remote_id)
    unknown = replace(remote, remote_id="neverwas")

    outcomes = desk.side.update(
        [edit_of(remote, **{field: "x"}), edit_of(unknown, **{field: "x"})]
    )

    assert [type(outcome.error) for outcome in outcomes] == [NotFound, NotFound]


@pytest.mark.rule("CAL-17")
def test_a_series_is_changed_whole(desk: Desk) -> None:
    remote = desk.fetched(desk.put(**BERLIN, **WEEKLY, attendees=[{"email": OWN}]))

    lines = "EXDATE:20261201T090000\nRRULE:FREQ=WEEKLY;COUNT=9"
    after = remote_of(desk.side.update([edit_of(remote, recurrence=lines)])[0])

    assert after.values["recurrence"] == lines
    assert desk.event(remote.remote_id)["recurrence"] == [
        "EXDATE;TZID=Europe/Berlin:20261201T090000",
        "RRULE:FREQ=WEEKLY;COUNT=9",
    ]
    assert desk.event(remote.remote_id)["start"] == BERLIN["start"]


@pytest.mark.rule("CAL-17")
def test_a_series_is_written_before_its_occurrences(desk: Desk) -> None:
    series = desk.put(**BERLIN, **WEEKLY)
    days = (1, 8, 15, 22)
    names = [f"{series}_202612{day:02}T080000Z" for day in days]
    for name in names:
        desk.planner.agenda.change(name, summary="Changed")
    found = desk.side.fetch([*names, series])

    edits = [edit_of(remote, location="Here") for remote in found.values()]
    outcomes = [remote_of(outcome) for outcome in desk.side.update(edits)]

    assert [remote.remote_id for remote in outcomes] == [*names, series]
    assert desk.planner.writes()[0][1].endswith(f"/{series}")


@pytest.mark.rule("ENG-3")
def test_two_edits_of_one_event_in_a_call_do_not_both_pass(desk: Desk) -> None:
    remote = desk.fetched(desk.put())

    outcomes = desk.side.update(
        [edit_of(remote, subject="One"), edit_of(remote, subject="Two")]
    )

    kinds = sorted(type(outcome.error).__name__ for outcome in outcomes)
    assert kinds == ["EtagMismatch", "NoneType"]


# ------------------------------------------------------------------ delete


@pytest.mark.rule("CAL-4", "CAL-20")
def test_a_deletion_is_repeatable_and_tells_only_whom_it_may(desk: Desk) -> None:
    quiet, loud = (desk.put(attendees=[{"email": "b@x.example"}]) for _ in range(2))

    first = desk.side.delete([quiet, loud, "neverwas"], notifies=frozenset({loud}))
    again = desk.side.delete([quiet, loud])

    assert [outcome.error for outcome in (*first, *again)] == [None] * 5
    assert desk.planner.agenda.mails == [(loud, "b@x.example")]


@pytest.mark.rule("ENG-3", "ENG-11")
def test_only_the_version_that_was_looked_at_is_deleted(desk: Desk) -> None:
    remotes = [desk.fetched(desk.put()) for _ in range(3)]
    etags = {remote.remote_id: remote.etag for remote in remotes}
    edited, gone, plain = etags
    desk.planner.agenda.change(edited, summary="By hand")
    desk.planner.agenda.remove(gone)

    outcomes = desk.side.delete([edited, gone, plain], etags=etags)

    assert isinstance(outcomes[0].error, EtagMismatch)
    assert outcomes[0].remote is not None
    assert outcomes[0].remote.values["subject"] == "By hand"
    assert [outcome.error for outcome in outcomes[1:]] == [None, None]
    assert desk.event(edited)["status"] == "confirmed"
    assert desk.event(plain)["status"] == "cancelled"


@pytest.mark.rule("CAL-4")
def test_a_forbidden_deletion_of_what_is_cancelled_counts_as_done(desk: Desk) -> None:
    gone, live = desk.put(), desk.put()
    desk.planner.agenda.remove(gone)
    desk.planner.fail("DELETE /calendar", Refused(403, "forbidden"), times=2)

    first, second = desk.side.delete([gone, live])

    assert first.error is None
    assert isinstance(second.error, InvalidRecord)
    assert [m for m, _, _ in desk.planner.writes()] == ["DELETE", "DELETE"]


# ------------------------------------------------------------------ faults


@pytest.mark.rule("ENG-8")
def test_limited_parts_go_out_again_and_the_others_do_not(desk: Desk) -> None:
    desk.planner.fail("POST /calendar", RATE, times=3)

    outcomes = desk.side.create([new_meeting() for _ in range(10)])

    assert all(remote_of(outcome) for outcome in outcomes)
    assert len(desk.planner.writes()) == 13
    assert len(desk.planner.agenda.events) == 10


@pytest.mark.rule("ENG-8")
def test_a_used_up_quota_ends_the_call_and_keeps_what_was_done(desk: Desk) -> None:
    name = desk.put()
    desk.planner.fail("POST /calendar", RATE, times=9999)
    with pytest.raises(RateLimited):
        desk.side.create([new_meeting()])
    desk.planner.forgive()
    desk.planner.fail(f"DELETE /calendar/v3/calendars/primary/events/{name}", RATE, 99)

    other = desk.put()
    first, second = desk.side.delete([other, name])

    assert first.error is None
    assert isinstance(second.error, RateLimited)


@pytest.mark.rule("ENG-8")
def test_an_anti_abuse_limit_asks_for_hours(desk: Desk) -> None:
    desk.planner.fail("POST /calendar", Refused(403, "quotaExceeded"), times=9)

    with pytest.raises(RateLimited) as error:
        desk.side.create([new_meeting() for _ in range(9)])

    assert (error.value.retry_after or 0) >= 3600
    assert len(desk.planner.writes()) == 9


@pytest.mark.rule("ENG-8")
def test_a_conflict_between_parts_passes(desk: Desk) -> None:
    desk.planner.fail("POST /calendar", Refused(409, "conflict"))

    assert desk.made().values["subject"] == "Visit"


@pytest.mark.rule("ENG-2", "ENG-8")
def test_a_part_without_an_answer_goes_out_again(desk: Desk) -> None:
    desk.planner.drop_part("POST /calendar")
    records = [new_meeting() for _ in range(3)]

    remotes = [remote_of(outcome) for outcome in desk.side.create(records)]

    assert len({remote.remote_id for remote in remotes}) == 3
    assert len(desk.planner.agenda.events) == 3


@pytest.mark.parametrize("switch", ["has_batches", "names_parts"])
def test_other_habits_with_batches_are_coped_with(desk: Desk, switch: str) -> None:
    setattr(desk.planner, switch, False)
    names = [desk.put(summary=f"s{n}") for n in range(9)]

    found = desk.side.fetch([*names, "neverwas"])
    outcomes = desk.side.update([edit_of(found[n], location=n) for n in names])

    assert [found[n].values["subject"] for n in names] == [f"s{n}" for n in range(9)]
    assert found["neverwas"].is_gone
    assert [remote_of(o).values["location"] for o in outcomes] == names
    assert [o.error for o in desk.side.delete([*names, "neverwas"])] == [None] * 10


@pytest.mark.rule("ENG-2")
def test_a_part_that_went_out_again_and_was_lost_is_open(desk: Desk) -> None:
    record = new_meeting()
    desk.planner.fail("POST /calendar", RATE)
    desk.planner.lose_second("POST /batch")

    outcome = desk.side.create([record])[0]

    assert isinstance(outcome.error, OutcomeUnknown)
    assert desk.planner.agenda.events.keys() == {event_id(record.key)}


@pytest.mark.rule("ENG-2", "ENG-8")
def test_a_fault_of_google_s_leaves_a_write_open(desk: Desk) -> None:
    desk.planner.fail("POST /calendar", Refused(503, "backendError"), times=99)

    outcome = desk.side.create([new_meeting()])[0]

    assert isinstance(outcome.error, OutcomeUnknown)


def test_a_fault_of_google_s_passes_for_reads(desk: Desk) -> None:
    name = desk.put()
    desk.planner.fail("GET /calendar", Refused(503, "backendError"))

    assert desk.fetched(name).values["subject"] == "Lunch"


@pytest.mark.rule("AUTH-7")
def test_a_dead_grant_is_said_so(desk: Desk) -> None:
    desk.planner.tokens.clear()

    with pytest.raises(ReconnectNeeded):
        desk.read()
    with pytest.raises(ReconnectNeeded):
        desk.side.create([new_meeting()])


@pytest.mark.rule("AUTH-7")
def test_a_token_that_runs_out_within_a_batch_is_renewed(desk: Desk) -> None:
    desk.planner.fail("POST /calendar", Refused(401, "authError"))

    outcomes = desk.side.create([new_meeting() for _ in range(3)])

    assert len({remote_of(outcome).remote_id for outcome in outcomes}) == 3


def test_a_side_that_can_not_be_reached_says_so(desk: Desk) -> None:
    desk.planner.lose("GET /calendar")
    assert desk.read()[0] == {}

    for _ in range(9):
        desk.planner.lose("GET /calendar")
    with pytest.raises(Retryable):
        desk.read()
