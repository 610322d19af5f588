"""The built-in CRM's activities beyond the contract: members, series, the window."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from crm import (
    activities,
    agenda,
    alarms,
    completion,
    contacts,
    occurrences,
    participants,
)
from crm.accounts import AccountRule
from crm.activityrows import Kind, Participant, other
from crm.occurrences import OccurrenceEdit
from crmsync.errors import CursorExpired, EtagMismatch, InvalidRecord, NotFound
from crmsync.ports import Edit, NewRecord
from crmsync.records.remote import Remote
from crmsync.storage.database import Database
from tests.contract.benches import ActivityBench, meeting
from tests.contract.side_contract import (
    Reader,
    edit_of,
    fetched,
    new_key,
    remote_of,
)

SLOT = "2026-01-14T08:00:00Z"


@pytest.fixture
def bench(database: Database) -> ActivityBench:
    return ActivityBench(database)


def weekly(**values: str) -> dict[str, str]:
    return meeting(
        **{
            "start": "2026-01-07T08:00:00Z",
            "recurrence": "RRULE:FREQ=WEEKLY",
            "zone": "Europe/Berlin",
            **values,
        }
    )


def new(**values: str) -> NewRecord:
    return NewRecord(new_key(), meeting(**values))


def made(bench: ActivityBench, **values: str) -> Remote:
    return remote_of(bench.side.create([new(**values)])[0])


def seen(bench: ActivityBench, remote_id: str) -> Remote:
    return fetched(bench.side, remote_id)


def put_contact(bench: ActivityBench, address: str, **values: str) -> str:
    with bench.database.write() as conn:
        person = {"first": "Ada", "last": "Byron", "email": address, **values}
        return contacts.create(conn, person, account=AccountRule()).id


# ------------------------------------------------------------------ kinds


@pytest.mark.rule("CAL-3", "CAL-24")
def test_an_event_comes_in_as_a_meeting_and_a_private_one_as_personal(
    bench: ActivityBench,
) -> None:
    plain, private = made(bench), made(bench, visibility="private")

    with bench.database.read() as conn:
        rows = activities.read(conn, [plain.remote_id, private.remote_id])
    assert [row.type for row in rows] == ["meeting", "personal"]
    assert [row.leader for row in rows] == [bench.anna, bench.anna]
    assert "visibility" not in plain.values
    assert private.values["visibility"] == "private"


@pytest.mark.rule("CAL-3")
def test_to_dos_and_events_of_the_crm_are_not_shown(bench: ActivityBench) -> None:
    call = bench.put_for(bench.anna, meeting(), type="call")
    for kind in ("todo", "event"):
        bench.put_for(bench.anna, meeting(), type=kind)

    assert [r.remote_id for r in Reader(bench).read()] == [call]


@pytest.mark.rule("CAL-3")
def test_an_update_leaves_the_type(bench: ActivityBench) -> None:
    call = seen(bench, bench.put_for(bench.anna, meeting(), type="call"))

    outcome = bench.side.update([edit_of(call, {"visibility": "private"})])[0]

    assert remote_of(outcome).record["type"] == "call"


@pytest.mark.rule("CAL-24")
def test_a_timeless_activity_is_a_date(bench: ActivityBench) -> None:
    remote = made(bench, start="2026-01-09", duration="2880")

    assert (remote.values["start"], remote.values["duration"]) == ("2026-01-09", "2880")


# ------------------------------------------------------------------ who takes part


@pytest.mark.rule("CAL-9")
def test_members_are_guests_at_their_google_address_if_they_have_one(
    bench: ActivityBench,
) -> None:
    one = bench.put_for(bench.anna, meeting(), bench.ben, bench.cleo)

    remote = seen(bench, one)

    assert remote.values["attendees"] == "ben@work.example"
    assert (remote.record["organizer"], remote.record["guests"]) == (True, 1)
    assert remote.record["leader_syncs"]


@pytest.mark.rule("CAL-10")
def test_a_member_of_one_who_does_not_synchronise_has_it_without_guests(
    bench: ActivityBench,
) -> None:
    one = bench.put_for(bench.ben, meeting(), bench.anna, bench.cleo)
    alone = seen(bench, one)
    bench.syncing.add(bench.ben)
    bench.addresses[bench.cleo] = "cleo@work.example"
    shared = seen(bench, one)

    assert "attendees" not in alone.values
    assert (alone.record["organizer"], alone.record["leader_syncs"]) == (False, False)
    assert shared.values["attendees"] == "cleo@work.example"
    assert shared.record["leader_syncs"]


@pytest.mark.rule("CAL-10")
def test_guests_of_a_leader_who_does_not_synchronise_are_none_of_a_member_s(
    bench: ActivityBench,
) -> None:
    one = bench.put_for(bench.ben, meeting(), bench.anna)
    with bench.database.write() as conn:
        participants.add(conn, one, [other("x@mail.example")])

    assert "attendees" not in seen(bench, one).values
    bench.syncing.add(bench.ben)
    assert seen(bench, one).values["attendees"] == "x@mail.example"


@pytest.mark.rule("CAL-9")
def test_contacts_are_guests_only_where_that_is_on(bench: ActivityBench) -> None:
    contact = put_contact(bench, "Ada@Mail.example")
    one = bench.put(meeting())
    with bench.database.write() as conn:
        participants.add(conn, one, [Participant(Kind.CONTACT, contact)])

    inviting = bench.new_side(invite_contacts=True)

    assert "attendees" not in seen(bench, one).values
    assert fetched(inviting, one).values["attendees"] == "ada@mail.example"


@pytest.mark.rule("CAL-6")
def test_guests_of_a_google_event_are_contacts_or_others_and_never_members(
    bench: ActivityBench,
) -> None:
    contact = put_contact(bench, "ada@mail.example")
    guests = "ada@mail.example\nben@work.example\nx@mail.example"

    remote = made(bench, attendees=guests, answer="accepted")

    assert remote.values["attendees"] == guests
    assert remote.values["answer"] == "accepted"
    with bench.database.read() as conn:
        row = activities.get(conn, remote.remote_id)
    assert {(p.kind, p.ref, p.name) for p in row.participants} == {
        (Kind.USER, bench.anna, ""),
        (Kind.CONTACT, contact, ""),
        (Kind.OTHER, "ben@work.example", "Ben"),
        (Kind.OTHER, "x@mail.example", ""),
    }


@pytest.mark.rule("CAL-9", "CAL-24")
def test_guests_added_in_google_to_a_crm_activity_become_members(
    bench: ActivityBench,
) -> None:
    one = bench.put_for(bench.anna, meeting(), bench.cleo)
    before = seen(bench, one)

    outcome = bench.side.update(
        [edit_of(before, {"attendees": "ben@work.example\nx@mail.example"})]
    )[0]

    assert remote_of(outcome).values["attendees"] == "ben@work.example\nx@mail.example"
    with bench.database.read() as conn:
        row = activities.get(conn, one)
    assert row.user_ids == {bench.anna, bench.ben, bench.cleo}
    removing = edit_of(seen(bench, one), {"attendees": "x@mail.example"})
    assert remote_of(bench.side.update([removing])[0]).values["attendees"] == (
        "x@mail.example"
    )
    with bench.database.read() as conn:
        assert activities.get(conn, one).user_ids == {bench.anna, bench.cleo}


@pytest.mark.rule("CAL-13")
def test_an_answer_is_written_for_the_user_only_and_the_rest_to_the_activity(
    bench: ActivityBench,
) -> None:
    one = bench.put_for(bench.ben, meeting(), bench.anna, bench.cleo)
    before = seen(bench, one)

    edit = edit_of(before, {"answer": "accepted", "subject": "Moved"})
    remote = remote_of(bench.side.update([edit])[0])

    assert (remote.values["answer"], remote.values["subject"]) == ("accepted", "Moved")
    with bench.database.read() as conn:
        row = activities.get(conn, one)
    assert {p.ref: p.answer for p in row.participants} == {
        bench.anna: "accepted",
        bench.ben: "",
        bench.cleo: "needsAction",
    }
    assert row.leader == bench.ben


@pytest.mark.rule("CAL-4", "CAL-13")
def test_deleting_removes_what_one_leads_and_declines_the_rest(
    bench: ActivityBench,
) -> None:
    mine = bench.put(meeting())
    theirs = bench.put_for(bench.ben, meeting(), bench.anna)

    outcomes = bench.side.delete([mine, theirs])

    assert [outcome.error for outcome in outcomes] == [None, None]
    assert seen(bench, mine).is_gone
    remote = seen(bench, theirs)
    assert (remote.is_gone, remote.values["answer"]) == (False, "declined")


@pytest.mark.rule("CAL-9", "CAL-10")
def test_who_is_taken_out_is_told_and_can_write_no_more(bench: ActivityBench) -> None:
    one = bench.put_for(bench.ben, meeting(), bench.anna)
    reader = Reader(bench)
    reader.read()
    before = seen(bench, one)

    with bench.database.write() as conn:
        participants.remove(conn, one, [(Kind.USER, bench.anna)])

    (remote,) = reader.read()
    assert (remote.is_selected, remote.is_gone) == (False, False)
    assert remote.record["left"]
    assert Reader(bench).read() == []
    outcome = bench.side.update([edit_of(before, {"subject": "X"})])[0]
    assert isinstance(outcome.error, NotFound)


@pytest.mark.rule("CAL-14")
def test_what_is_completed_is_gone_and_says_why(bench: ActivityBench) -> None:
    one = bench.put(meeting())
    reader = Reader(bench)
    reader.read()
    before = seen(bench, one)
    with bench.database.write() as conn:
        completion.complete(conn, [one])

    (remote,) = reader.read()

    assert (remote.is_gone, remote.record["done"]) == (True, True)
    assert dict(remote.values) == {}
    assert isinstance(
        bench.side.update([edit_of(before, {"subject": "X"})])[0].error, NotFound
    )
    bench.side.delete([one])
    with bench.database.read() as conn:
        assert activities.get(conn, one).completed_at is not None


@pytest.mark.rule("CAL-12")
def test_an_alarm_is_no_news(bench: ActivityBench) -> None:
    one = bench.put(meeting())
    reader = Reader(bench)
    reader.read()

    with bench.database.write() as conn:
        alarms.snooze(conn, one, bench.anna, until=bench.clock.now())

    assert reader.read() == []


# ------------------------------------------------------------------ the section


@pytest.mark.rule("CAL-5")
def test_the_section_names_what_a_crm_activity_is_about(bench: ActivityBench) -> None:
    contact = put_contact(bench, "ada@mail.example", company="Acme")
    one = bench.put_for(
        bench.anna,
        meeting(),
        contact_id=contact,
        opportunity="Roof",
        ticket="T-7",
        lead="Ida",
    )

    assert seen(bench, one).values["context"] == (
        "Contact: Ada Byron\nAccount: Acme\nLead: Ida\nOpportunity: Roof\n"
        "Ticket: T-7\nActivity leader: Anna"
    )
    assert "context" not in made(bench).values


@pytest.mark.rule("CAL-5")
def test_a_link_to_the_page_is_given_where_there_is_one(bench: ActivityBench) -> None:
    side = bench.new_side(url_prefix="https://crm.example/activities/")
    one = bench.put(meeting())

    assert fetched(side, one).record["url"] == f"https://crm.example/activities/{one}"
    assert seen(bench, one).record["url"] == ""


# ------------------------------------------------------------------ series


@pytest.mark.rule("CAL-17")
def test_a_series_is_read_as_it_was_written(bench: ActivityBench) -> None:
    values = weekly(recurrence="EXDATE:20260121T090000\nRRULE:FREQ=WEEKLY;BYDAY=WE")

    remote = remote_of(bench.side.create([NewRecord(new_key(), values)])[0])

    assert dict(remote.values) == values
    assert remote.record["series"] == ""


@pytest.mark.rule("CAL-17")
@pytest.mark.parametrize("cancelled", [False, True])
def test_an_occurrence_is_made_changed_and_cancelled(
    bench: ActivityBench, cancelled: bool
) -> None:
    series = bench.put(weekly())
    values = {"slot": SLOT, "cancelled": "yes"} if cancelled else meeting(slot=SLOT)
    record = NewRecord(new_key(), values, series)

    child = remote_of(bench.side.create([record])[0])

    again = remote_of(bench.side.create([record])[0])
    assert child.remote_id == again.remote_id
    assert child.record["series"] == series
    assert {n: child.values[n] for n in values} == values
    assert bench.side.lookup([record.key])[record.key].remote_id == child.remote_id
    changes = {**meeting(subject="Anew"), "cancelled": ""}
    if not cancelled:
        changes = {"cancelled": "yes"}
    now = remote_of(bench.side.update([edit_of(child, changes)])[0])
    assert now.values.get("cancelled", "") == changes["cancelled"]
    assert now.values.get("subject", "") == changes.get("subject", "")
    assert now.values["slot"] == SLOT


@pytest.mark.rule("CAL-17")
def test_an_occurrence_that_differs_already_takes_the_key_and_the_values(
    bench: ActivityBench,
) -> None:
    series = bench.put(weekly())
    with bench.database.write() as conn:
        theirs = occurrences.change(conn, series, SLOT, OccurrenceEdit({"notes": "n"}))
    record = NewRecord(new_key(), meeting(slot=SLOT, subject="Ours"), series)

    child = remote_of(bench.side.create([record])[0])

    assert (child.remote_id, child.values["subject"]) == (theirs.id, "Ours")
    assert list(bench.side.lookup([record.key])) == [record.key]


@pytest.mark.rule("CAL-17", "ENG-8")
def test_what_the_crm_cannot_express_fails_alone_and_says_why(
    bench: ActivityBench,
) -> None:
    hourly = NewRecord(new_key(), weekly(recurrence="RRULE:FREQ=HOURLY"))
    lost = NewRecord(new_key(), meeting(slot=SLOT), "VNEVERTHERE2")
    bad = NewRecord(new_key(), meeting(start="9999-12-31"))

    outcomes = bench.side.create([new(), hourly, lost, bad, new()])

    errors = [outcome.error for outcome in outcomes]
    assert [type(e) for e in (errors[0], errors[4])] == [type(None)] * 2
    refused = [e for e in errors if isinstance(e, InvalidRecord)]
    assert [e.code for e in refused] == ["series", "series_gone", "invalid_record"]
    assert "neither days, weeks, months nor years" in refused[0].message
    assert refused[0].fields == ("recurrence",)
    assert "Start must lie between" in refused[2].message


@pytest.mark.rule("CAL-17")
def test_a_changed_series_carries_no_occurrence_along(bench: ActivityBench) -> None:
    series = bench.put(weekly())
    record = NewRecord(new_key(), meeting(slot=SLOT, subject="Old"), series)
    child = remote_of(bench.side.create([record])[0])

    bench.side.update([edit_of(seen(bench, series), {"notes": "New notes"})])
    assert seen(bench, child.remote_id).etag == child.etag

    bench.side.update([edit_of(seen(bench, series), {"start": "2026-01-07T10:00:00Z"})])
    assert seen(bench, child.remote_id).is_gone


@pytest.mark.rule("CAL-4", "CAL-17")
def test_a_deleted_series_takes_its_occurrences_along(bench: ActivityBench) -> None:
    series = bench.put(weekly())
    record = NewRecord(new_key(), {"slot": SLOT, "cancelled": "yes"}, series)
    child = remote_of(bench.side.create([record])[0])
    reader = Reader(bench)
    reader.read()

    bench.side.delete([series])

    found = reader.read_by_id()
    assert {found[item].is_gone for item in (series, child.remote_id)} == {True}


@pytest.mark.rule("CAL-14", "CAL-17")
def test_a_completed_occurrence_of_a_series_that_goes_on_is_shown_once_more(
    bench: ActivityBench,
) -> None:
    series = bench.put(weekly())
    reader = Reader(bench)
    reader.read()
    with bench.database.write() as conn:
        completion.complete_one(conn, series, SLOT)

    (remote,) = reader.read()

    # Google shows it with its series: there is something to put asterisks around.
    assert not remote.is_gone
    assert remote.record["done"]
    assert remote.values["subject"].startswith("*")
    assert (remote.record["series"], remote.record["slot"]) == (series, SLOT)
    assert [shown.remote_id for shown in Reader(bench).read()] == [series]
    with bench.database.write() as conn:
        completion.complete(conn, [series])
    assert all(shown.is_gone for shown in reader.read())


# ------------------------------------------------------------------ the window


@pytest.mark.rule("CAL-19")
def test_a_full_read_shows_the_window_and_series_that_touch_it(
    bench: ActivityBench,
) -> None:
    inside = [
        bench.put(meeting(start="2025-12-06T09:00:00Z")),
        bench.put(meeting(start="2027-01-05T09:00:00Z")),
        bench.put(meeting(start="2025-11-01", duration="144000")),
        bench.put(weekly(start="1990-01-03T08:00:00Z")),
        bench.put(weekly(recurrence="RRULE:FREQ=WEEKLY;COUNT=3")),
    ]
    for start in ("2025-12-05T08:00:00Z", "2027-01-06T09:00:00Z", "2000-01-01"):
        bench.put(meeting(start=start, duration="1440" if "T" not in start else "60"))
    bench.put(
        weekly(start="1990-01-03T08:00:00Z", recurrence="RRULE:FREQ=DAILY;COUNT=9")
    )
    bench.put(weekly(start="2027-02-03T08:00:00Z"))

    assert sorted(r.remote_id for r in Reader(bench).read()) == sorted(inside)


@pytest.mark.rule("CAL-19")
def test_a_full_read_shows_all_occurrences_behind_their_series(
    bench: ActivityBench,
) -> None:
    series = bench.put(weekly(start="1990-01-03T08:00:00Z"))
    with bench.database.write() as conn:
        old = occurrences.cancel(conn, series, "1990-01-10T08:00:00Z")
        new_one = occurrences.change(
            conn, series, SLOT, OccurrenceEdit({"start": "2031-01-01T08:00:00Z"})
        )
    with bench.database.write() as conn:
        ended = activities.create(
            conn,
            {"type": "meeting", **weekly(start="1990-01-03T08:00:00Z")}
            | {"recurrence": "RRULE:FREQ=WEEKLY;COUNT=2"},
            leader=bench.anna,
        )
        moved = occurrences.change(
            conn, ended.id, "1990-01-10T08:00:00Z", OccurrenceEdit({"start": SLOT})
        )

    found = [remote.remote_id for remote in Reader(bench).read()]

    assert sorted(found) == sorted([series, old.id, new_one.id, ended.id, moved.id])
    for child, parent in ((old, series), (new_one, series), (moved, ended.id)):
        assert found.index(parent) < found.index(child.id)


@pytest.mark.rule("CAL-19")
def test_what_comes_into_the_window_is_shown_as_time_goes_by(
    bench: ActivityBench,
) -> None:
    reader = Reader(bench)
    late = bench.put(meeting(start="2027-01-10T09:00:00Z"))
    later = bench.put(weekly(start="2027-01-12T09:00:00Z"))
    beyond = bench.put(meeting(start="2027-03-01T09:00:00Z"))
    daily = bench.put(weekly())
    assert [r.remote_id for r in reader.read()] == [daily]

    bench.clock.advance(5 * 86_400)
    assert [r.remote_id for r in reader.read()] == [late]
    bench.clock.advance(5 * 86_400)
    assert [r.remote_id for r in reader.read()] == [later]
    bench.edit(beyond, {"subject": "New"})
    assert [r.remote_id for r in reader.read()] == [beyond]
    assert reader.read() == []


@pytest.mark.rule("ENG-4")
def test_a_cursor_of_another_user_or_of_other_fields_has_expired(
    bench: ActivityBench,
) -> None:
    reader = Reader(bench)
    reader.read()

    for side in (
        bench.new_side(crm_user_id=bench.ben),
        bench.new_side(fields=("subject", "start", "duration")),
    ):
        with pytest.raises(CursorExpired):
            list(side.read(reader.cursor))
    scope, edge = (reader.cursor or "").rsplit(":", 2)[::2]
    with pytest.raises(CursorExpired, match="older than our cursor"):
        list(bench.side.read(f"{scope}:99:{edge}"))


@pytest.mark.rule("ENG-10")
@pytest.mark.parametrize("count", [199, 200, 201])
def test_many_activities_come_in_pages(bench: ActivityBench, count: int) -> None:
    with bench.database.write() as conn:
        people = [
            activities.NewActivity({"type": "meeting", **meeting()}, bench.anna)
            for _ in range(count)
        ]
        ids = {row.id for row in activities.create_many(conn, people)}
    reader = Reader(bench)

    full = list(bench.side.read(None))
    reader.cursor = full[-1].cursor
    with bench.database.write() as conn:
        activities.update_many(
            conn, [activities.ActivityEdit(item, {"subject": "New"}) for item in ids]
        )
    news = list(bench.side.read(reader.cursor))

    for pages in (full, news):
        shown = [remote.remote_id for page in pages for remote in page.records]
        assert len(shown) == count
        assert set(shown) == ids
        assert max(len(page.records) for page in pages) <= 200


@pytest.mark.rule("CAL-17")
def test_the_crm_s_calendar_shows_what_was_written(bench: ActivityBench) -> None:
    series = bench.put(weekly())
    record = NewRecord(
        new_key(), meeting(slot=SLOT, start="2026-01-15T09:00:00Z"), series
    )
    bench.side.create([record])

    with bench.database.read() as conn:
        found = agenda.occurrences(
            conn,
            bench.anna,
            date(2026, 1, 7),
            date(2026, 1, 21),
            zone=ZoneInfo("UTC"),
        )
    assert [f"{item.start:%d %H}" for item in found] == ["07 08", "15 09", "21 08"]


# ------------------------------------------------------------------ writing


@pytest.mark.rule("ENG-3")
def test_an_edit_without_a_version_is_judged_by_what_it_saw(
    bench: ActivityBench,
) -> None:
    one = bench.put(meeting())
    values = dict(seen(bench, one).values)

    blind = bench.side.update([Edit(one, "", {}, {"subject": "A"}, {})])[0]
    seeing = bench.side.update([Edit(one, "", values, {"subject": "A"}, {})])[0]

    assert isinstance(blind.error, EtagMismatch)
    assert remote_of(seeing).values["subject"] == "A"


@pytest.mark.rule("CAL-26")
def test_what_is_written_names_its_author(bench: ActivityBench) -> None:
    one = bench.put(meeting())
    assert seen(bench, one).record["modified_by"] == bench.ben

    bench.side.update([edit_of(seen(bench, one), {"subject": "A"})])

    remote = seen(bench, one)
    assert remote.record["modified_by"] == bench.anna
    assert remote.modified_at == bench.clock.now()
    assert bench.side.requests == 0


def test_selecting_succeeds_and_does_nothing(bench: ActivityBench) -> None:
    one = bench.put(meeting())
    reader = Reader(bench)
    reader.read()

    assert bench.side.select([one])[0].error is None
    assert bench.side.deselect([one, bench.unknown_id])[1].error is None

    assert reader.read() == []


@pytest.mark.rule("CAL-16")
def test_limits_are_the_crm_s(bench: ActivityBench) -> None:
    limits = bench.side.limits

    assert (limits["subject"], limits["location"]) == (64, 255)
    assert isinstance(
        bench.side.create([new(subject="x" * 65)])[0].error, InvalidRecord
    )


@pytest.mark.rule("CAL-6")
def test_two_hundred_guests_are_kept(bench: ActivityBench) -> None:
    guests = "\n".join(sorted(f"g{n}@mail.example" for n in range(200)))

    remote = made(bench, attendees=guests)

    assert remote.values["attendees"] == guests
    with bench.database.read() as conn:
        row = activities.get(conn, remote.remote_id)
    assert other("g7@mail.example").ref in {p.ref for p in row.participants}


# ------------------------------------------------------------------ only shown


@pytest.mark.rule("CAL-17", "CAL-23")
def test_an_import_is_shown_and_written_with_its_source(bench: ActivityBench) -> None:
    remote = made(bench, imported="the calendar Team", answer="accepted")

    outcome = bench.side.update([edit_of(remote, {"location": "Room 2"})])[0]

    changed = remote_of(outcome)
    assert changed.values["imported"] == "the calendar Team"
    assert changed.values["location"] == "Room 2"
    assert changed.values["answer"] == "accepted"
    assert "attendees" not in changed.values


@pytest.mark.rule("CAL-17", "CAL-23")
def test_an_occurrence_of_an_imported_series_is_one_too(bench: ActivityBench) -> None:
    values = weekly(imported="the calendar Team")
    series = remote_of(bench.side.create([NewRecord(new_key(), values)])[0])
    changed = {"slot": SLOT, "start": SLOT, "location": "Room 2"}

    made_one = bench.side.create([NewRecord(new_key(), changed, series.remote_id)])

    child = remote_of(made_one[0])
    assert child.values["imported"] == "the calendar Team"
    assert child.values["location"] == "Room 2"
    bench.side.delete([child.remote_id])
    assert seen(bench, child.remote_id).is_gone
    assert not seen(bench, series.remote_id).is_gone
