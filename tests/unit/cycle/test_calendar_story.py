"""Activities of one user, story by story, over a calendar in memory."""

from __future__ import annotations

from typing import TypeVar

import pytest

from crmsync.engine.plan import Action, ItemState
from crmsync.engine.policy import Direction, MemberEdit, Policy
from crmsync.engine.report import CycleState
from crmsync.records.activities import Role
from crmsync.records.values import SideName
from tests.support.memory_calendar import CalendarWorld, meeting, occurrence
from tests.support.memory_sides import Row

WEEKLY = "RRULE:FREQ=WEEKLY;BYDAY=SU"
T = TypeVar("T")
SLOT = "2026-03-08T09:00:00Z"


@pytest.fixture
def world() -> CalendarWorld:
    return CalendarWorld()


def only(rows: list[T]) -> T:
    (row,) = rows
    return row


# ------------------------------------------------------------------ both ways


@pytest.mark.rule("CAL-1", "CAL-24")
def test_activities_and_events_are_made_on_the_other_side(world: CalendarWorld) -> None:
    world.crm.make(meeting(1, location="Room 1"))
    world.google.make(meeting(2, notes="Bring the offer"))

    report = world.cycle()

    assert report.state is CycleState.SUCCEEDED
    google = {row.values["subject"]: row.values for row in world.google.live()}
    assert google["Meeting 1"]["location"] == "Room 1"
    crm = {row.values["subject"]: row.values for row in world.crm.live()}
    assert crm["Meeting 2"]["notes"] == "Bring the offer"


@pytest.mark.rule("ENG-1")
def test_fifty_cycles_without_an_edit_write_nothing(world: CalendarWorld) -> None:
    world.crm.make(meeting(1, recurrence=WEEKLY, zone="Europe/Berlin"))
    world.google.make(meeting(2, attendees="jo@example.com"))
    world.cycle()
    world.cycle()
    before = world.writes()

    for _ in range(50):
        assert world.cycle().state is CycleState.SUCCEEDED

    assert world.writes() == before


@pytest.mark.rule("CAL-2")
def test_equal_records_are_linked_one_to_one(world: CalendarWorld) -> None:
    for _ in range(3):
        world.crm.make(meeting(1))
    for _ in range(2):
        world.google.make(meeting(1))

    world.cycle()

    assert world.state.link_count() == 3
    assert len(world.crm.live()) == 3
    assert len(world.google.live()) == 3


@pytest.mark.rule("CAL-2", "CAL-16")
def test_a_subject_is_compared_at_the_length_of_the_crm(world: CalendarWorld) -> None:
    world.crm.make(meeting(1, subject="x" * 64))
    world.google.make(meeting(1, subject="x" * 100))

    world.cycle()

    assert len(world.google.live()) == 1
    assert only(world.google.live()).values["subject"] == "x" * 100


@pytest.mark.rule("CAL-2")
@pytest.mark.parametrize(
    "other",
    [
        {"start": "2026-03-01T09:00:01Z"},
        {"duration": "61"},
        {"subject": "Meeting one"},
        {"start": "2026-03-01"},
        {"recurrence": WEEKLY},
    ],
)
def test_records_that_differ_in_one_thing_are_not_linked(
    world: CalendarWorld, other: dict[str, str]
) -> None:
    world.crm.make(meeting(1))
    world.google.make(meeting(1, **other))

    world.cycle()

    assert len(world.crm.live()) == len(world.google.live()) == 2


@pytest.mark.rule("CAL-1")
def test_edits_of_different_fields_are_both_kept(world: CalendarWorld) -> None:
    crm, google = world.link()
    world.crm.edit(crm.remote_id, location="Room 2")
    world.google.edit(google.remote_id, start="2026-03-01T10:00:00Z")

    world.cycle()

    assert crm.values["start"] == "2026-03-01T10:00:00Z"
    assert google.values["location"] == "Room 2"


@pytest.mark.rule("CAL-1", "CAL-4")
@pytest.mark.parametrize("side", SideName)
def test_a_deletion_goes_to_the_other_side(
    world: CalendarWorld, side: SideName
) -> None:
    rows = dict(zip(SideName, world.link(), strict=True))

    world.side(side).remove(rows[side].remote_id)
    world.cycle()

    assert rows[side.other].gone
    assert world.state.link_count() == 0


@pytest.mark.rule("ENG-11")
@pytest.mark.parametrize("side", SideName)
def test_an_edit_beats_a_deletion_and_is_shown(
    world: CalendarWorld, side: SideName
) -> None:
    rows = dict(zip(SideName, world.link(), strict=True))
    world.side(side).edit(rows[side].remote_id, location="Elsewhere")
    world.side(side.other).remove(rows[side.other].remote_id)

    world.cycle()
    world.cycle()

    made = only(world.side(side.other).live())
    assert made.values["location"] == "Elsewhere"
    item = next(i for i in world.state.all_items() if i.reason == "edit_beats_delete")
    assert item.has_conflict
    assert world.state.link_count() == 1


@pytest.mark.rule("ENG-6")
def test_many_deletions_at_once_wait_for_a_person(world: CalendarWorld) -> None:
    for number in range(1, 13):
        world.crm.make(meeting(number))
    world.cycle()
    for row in world.google.live():
        world.google.remove(row.remote_id)

    report = world.cycle()

    assert report.state is CycleState.HELD
    assert len(world.crm.live()) == 12


# ------------------------------------------------------------------ series


@pytest.mark.rule("CAL-17")
@pytest.mark.parametrize("side", SideName)
def test_a_series_and_its_occurrences_cross_in_one_cycle(
    world: CalendarWorld, side: SideName
) -> None:
    here = world.crm if side is SideName.CRM else world.google
    master = here.make(meeting(1, recurrence=WEEKLY, zone="Europe/Berlin"))
    here.make(occurrence(SLOT, location="Room 3"), series=master.remote_id)
    here.make(
        occurrence("2026-03-15T09:00:00Z", cancelled="yes"), series=master.remote_id
    )

    world.cycle()

    there = world.side(side.other).live()
    series = only([row for row in there if row.values.get("recurrence")])
    changed = {r.values["slot"]: r for r in there if r.values.get("slot")}
    assert changed[SLOT].values["location"] == "Room 3"
    assert changed["2026-03-15T09:00:00Z"].values["cancelled"] == "yes"
    assert {r.notes["series"] for r in changed.values()} == {series.remote_id}
    before = world.writes()
    world.cycle()
    assert world.writes() == before


@pytest.mark.rule("CAL-17", "CAL-2")
def test_equal_series_are_linked_with_their_occurrences(world: CalendarWorld) -> None:
    for side in (world.crm, world.google):
        master = side.make(meeting(1, recurrence=WEEKLY, zone="Europe/Berlin"))
        side.make(occurrence(SLOT), series=master.remote_id)

    world.cycle()
    world.cycle()

    assert world.state.link_count() == 2
    assert len(world.crm.live()) == len(world.google.live()) == 2


@pytest.mark.rule("CAL-17")
@pytest.mark.parametrize("side", SideName)
def test_the_end_of_a_series_ends_its_occurrences(
    world: CalendarWorld, side: SideName
) -> None:
    master = world.crm.make(meeting(1, recurrence=WEEKLY, zone="UTC"))
    world.crm.make(occurrence(SLOT), series=master.remote_id)
    world.crm.make(meeting(2))
    world.cycle()
    assert world.state.link_count() == 3
    series = {
        SideName.CRM: master.remote_id,
        SideName.GOOGLE: next(
            r.remote_id for r in world.google.live() if r.values.get("recurrence")
        ),
    }

    world.side(side).remove(series[side])
    for _ in range(3):
        world.cycle()

    assert only(world.crm.live()).values["subject"] == "Meeting 2"
    assert only(world.google.live()).values["subject"] == "Meeting 2"
    assert world.state.link_count() == 1


@pytest.mark.rule("CAL-17")
@pytest.mark.parametrize("side", SideName)
def test_an_occurrence_is_cancelled_and_comes_back(
    world: CalendarWorld, side: SideName
) -> None:
    master = world.crm.make(meeting(1, recurrence=WEEKLY, zone="UTC"))
    world.crm.make(occurrence(SLOT), series=master.remote_id)
    world.cycle()
    rows = {
        s: next(r for r in world.side(s).live() if r.values.get("slot"))
        for s in SideName
    }
    here, there = rows[side], rows[side.other]

    blank = dict.fromkeys(("subject", "start", "duration"), "")
    world.side(side).edit(here.remote_id, cancelled="yes", **blank)
    world.cycle()
    assert there.values == {"slot": SLOT, "cancelled": "yes"}

    world.side(side).edit(here.remote_id, **{**occurrence(SLOT), "cancelled": ""})
    world.cycle()
    assert there.values == occurrence(SLOT)


@pytest.mark.rule("CAL-17", "ENG-11")
def test_an_edited_occurrence_beats_its_cancellation(world: CalendarWorld) -> None:
    master = world.crm.make(meeting(1, recurrence=WEEKLY, zone="UTC"))
    world.crm.make(occurrence(SLOT), series=master.remote_id)
    world.cycle()
    crm = next(r for r in world.crm.live() if r.values.get("slot"))
    google = next(r for r in world.google.live() if r.values.get("slot"))
    blank = dict.fromkeys(("subject", "start", "duration"), "")
    world.crm.edit(crm.remote_id, cancelled="yes", **blank)
    world.google.edit(google.remote_id, location="Garden")

    world.cycle()

    assert crm.values == {**occurrence(SLOT), "location": "Garden"}
    assert google.values == crm.values


# ------------------------------------------------------------------ who organises


def invited(world: CalendarWorld) -> tuple[Row, Row]:
    """Link an event that somebody else organises."""
    google = world.google.make(
        meeting(1, answer="accepted", attendees="boss@example.com"), organizer=False
    )
    world.cycle()
    return only(world.crm.live()), google


@pytest.mark.rule("CAL-6")
def test_an_invitation_becomes_an_activity_of_ones_own(world: CalendarWorld) -> None:
    crm, _ = invited(world)

    assert crm.notes["organizer"]
    assert crm.values["attendees"] == "boss@example.com"
    assert only(list(world.state.tables.links.values())).role == Role.INVITED


@pytest.mark.rule("CAL-13")
@pytest.mark.parametrize("side", SideName)
def test_an_answer_goes_to_the_other_side(world: CalendarWorld, side: SideName) -> None:
    rows = dict(zip(SideName, invited(world), strict=True))

    world.side(side).edit(rows[side].remote_id, answer="declined")
    world.cycle()

    assert rows[side.other].values["answer"] == "declined"
    assert not rows[side.other].gone


@pytest.mark.rule("CAL-13")
def test_an_open_answer_never_overwrites_a_tentative_one(world: CalendarWorld) -> None:
    google = world.google.make(meeting(1, answer="tentative"), organizer=False)
    world.cycle()
    crm = only(world.crm.live())

    world.crm.edit(crm.remote_id, answer="needsAction")
    world.cycle()

    assert google.values["answer"] == "tentative"


@pytest.mark.rule("CAL-13")
def test_what_was_declined_is_not_made_on_the_other_side(world: CalendarWorld) -> None:
    world.google.make(meeting(1, answer="declined"), organizer=False)
    world.crm.make(meeting(2, answer="declined"), organizer=False)

    world.cycle()

    assert len(world.crm.live()) == len(world.google.live()) == 1
    assert world.state.link_count() == 0


@pytest.mark.rule("CAL-8")
def test_an_edit_of_anothers_event_forks_without_guests(world: CalendarWorld) -> None:
    crm, original = invited(world)
    world.crm.edit(crm.remote_id, start="2026-03-01T11:00:00Z")

    world.cycle()
    world.cycle()

    mine = only([row for row in world.google.live() if row is not original])
    assert mine.values["start"] == "2026-03-01T11:00:00Z"
    assert "attendees" not in mine.values
    assert original.values["start"] == "2026-03-01T09:00:00Z"
    assert world.google.told == []
    world.google.edit(original.remote_id, subject="Changed by the organiser")
    world.cycle()
    assert crm.values["subject"] == "Meeting 1"
    assert len(world.crm.live()) == 1


@pytest.mark.rule("CAL-8")
def test_links_and_answers_never_fork(world: CalendarWorld) -> None:
    crm, _ = invited(world)
    world.crm.edit(crm.remote_id, answer="declined")
    world.crm.scribble(crm.remote_id, opportunity="Big deal")

    world.cycle()

    assert len(world.google.live()) == 1


@pytest.mark.rule("CAL-8")
def test_a_proposal_returns_to_the_original_and_is_kept(world: CalendarWorld) -> None:
    world.with_policy(member_edit=MemberEdit.PROPOSE)
    crm, original = invited(world)
    world.crm.edit(crm.remote_id, location="My place")

    world.cycle()

    assert "location" not in crm.values
    assert len(world.google.live()) == 1
    item = next(i for i in world.state.all_items() if i.reason == "proposed")
    assert [change.lost for change in item.changes] == ["My place"]
    assert original.version == 2


@pytest.mark.rule("CAL-10")
def test_a_member_of_a_leader_who_does_not_sync_gets_an_own_event(
    world: CalendarWorld,
) -> None:
    crm = world.crm.make(
        meeting(1, attendees="jo@example.com"), organizer=False, leader_syncs=False
    )
    world.cycle()

    google = only(world.google.live())
    assert "attendees" not in google.values
    world.crm.edit(crm.remote_id, location="Room 5")
    world.cycle()
    assert google.values["location"] == "Room 5"
    assert world.google.told == []


@pytest.mark.rule("CAL-11")
@pytest.mark.parametrize("keeps", [False, True])
def test_a_members_edit_in_google_forks_and_takes_the_event_over(
    world: CalendarWorld, *, keeps: bool
) -> None:
    world.with_policy(keeps_original=keeps)
    original = world.crm.make(meeting(1), organizer=False, leader_syncs=False)
    world.cycle()
    google = only(world.google.live())

    world.google.edit(google.remote_id, subject="My own plan")
    for _ in range(3):
        world.cycle()

    mine = only([row for row in world.crm.live() if row is not original])
    assert mine.notes["organizer"]
    assert mine.values["subject"] == "My own plan"
    assert original.values["subject"] == "Meeting 1"
    assert not original.gone
    assert len(world.google.live()) == (2 if keeps else 1)


@pytest.mark.rule("CAL-4")
def test_a_member_who_deletes_their_event_declines(world: CalendarWorld) -> None:
    crm = world.crm.make(meeting(1), organizer=False, leader_syncs=False)
    world.cycle()

    world.google.remove(only(world.google.live()).remote_id)
    world.cycle()
    world.cycle()

    assert not crm.gone
    assert crm.values["answer"] == "declined"
    assert world.google.live() == []


@pytest.mark.rule("CAL-4")
def test_who_deletes_an_accepted_invitation_in_the_crm_declines(
    world: CalendarWorld,
) -> None:
    crm, google = invited(world)

    world.crm.remove(crm.remote_id)
    world.cycle()
    world.cycle()

    assert not google.gone
    assert google.values["answer"] == "declined"
    assert world.crm.live() == []


@pytest.mark.rule("CAL-9", "CAL-26")
def test_a_members_copy_is_linked_and_only_the_answer_crosses(
    world: CalendarWorld,
) -> None:
    crm = world.crm.make(meeting(1), organizer=False, leader_syncs=True)
    world.cycle()
    assert world.google.live() == []  # the leader's event brings it
    copy = world.google.make(
        meeting(1, answer="needsAction"), organizer=False, marker=crm.remote_id
    )

    world.cycle()
    world.google.edit(copy.remote_id, answer="accepted", subject="Renamed here")
    world.cycle()

    assert only(list(world.state.tables.links.values())).role == Role.COPY
    assert crm.values["answer"] == "accepted"
    assert crm.values["subject"] == "Meeting 1"


@pytest.mark.rule("CAL-26")
def test_a_copy_of_a_colleagues_activity_one_does_not_see_is_not_imported(
    world: CalendarWorld,
) -> None:
    hidden = world.crm.make(meeting(1), organizer=False)
    world.crm.set_selected(hidden.remote_id, False)
    world.google.make(meeting(1), organizer=False, marker=hidden.remote_id)

    world.cycle()

    assert world.state.link_count() == 0
    assert len(world.crm.live()) == 1


# ------------------------------------------------------------------ completion


@pytest.mark.rule("CAL-14")
def test_a_completed_activity_leaves_an_event_with_asterisks(
    world: CalendarWorld,
) -> None:
    crm, google = world.link()

    world.crm.complete(crm.remote_id)
    world.cycle()
    world.google.edit(google.remote_id, location="Later")
    world.cycle()
    world.google.remove(google.remote_id)
    world.cycle()

    assert google.values["subject"] == "*Meeting 1*"
    assert world.crm.live() == []
    assert world.state.link_count() == 0


@pytest.mark.rule("CAL-14")
def test_the_asterisks_are_not_put_on_anothers_event(world: CalendarWorld) -> None:
    crm, google = invited(world)

    world.crm.complete(crm.remote_id)
    world.cycle()
    world.cycle()

    assert google.values["subject"] == "Meeting 1"
    assert world.crm.live() == []


# ------------------------------------------------------------------ the firewall


@pytest.mark.rule("CAL-20")
def test_a_first_cycle_tells_no_guest(world: CalendarWorld) -> None:
    world.crm.make(meeting(1, attendees="jo@example.com"))

    world.cycle()

    assert only(world.google.live()).values["attendees"] == "jo@example.com"
    assert world.google.told == []


@pytest.mark.rule("CAL-20", "CAL-9")
def test_a_later_edit_tells_each_guest_once(world: CalendarWorld) -> None:
    crm, google = world.link(attendees="jo@example.com\nmo@example.com")

    world.crm.edit(crm.remote_id, location="Room 9")
    world.cycle()
    world.cycle()

    assert sorted(world.google.told) == [
        (google.remote_id, "jo@example.com"),
        (google.remote_id, "mo@example.com"),
    ]


@pytest.mark.rule("CAL-20")
def test_what_is_over_or_hidden_from_guests_tells_nobody(world: CalendarWorld) -> None:
    crm, _ = world.link(
        attendees="jo@example.com", start="2026-01-01T09:00:00Z", context="Acme"
    )

    world.crm.edit(crm.remote_id, location="Room 9")
    world.cycle()
    world.crm.edit(crm.remote_id, context="Acme, Jo Smith")
    world.cycle()

    assert world.google.told == []


@pytest.mark.rule("CAL-20")
def test_more_notices_than_the_budget_wait_for_a_person(world: CalendarWorld) -> None:
    guests = "\n".join(f"g{number:02d}@example.com" for number in range(21))
    crm, google = world.link(attendees=guests)

    world.crm.edit(crm.remote_id, location="Room 9")
    report = world.cycle()

    assert report.state is CycleState.HELD
    assert report.objection == "notification_budget"
    assert "location" not in google.values
    assert world.approve().state is CycleState.SUCCEEDED
    assert len(world.google.told) == 21


# ------------------------------------------------------------------ what is left out


@pytest.mark.rule("CAL-17", "ENG-8")
def test_what_the_crm_cannot_hold_is_told_once_and_left(world: CalendarWorld) -> None:
    world.google.make(meeting(1), odd="It repeats every hour.")
    world.google.make(meeting(2))

    world.cycle()
    world.cycle()

    assert len(world.crm.live()) == 1
    told = [i for i in world.state.all_items() if i.reason == "odd"]
    assert [(i.action, i.state) for i in told] == [(Action.SKIP, ItemState.SKIPPED)]


@pytest.mark.rule("CAL-1")
@pytest.mark.parametrize("direction", [Direction.TO_GOOGLE, Direction.TO_CRM])
def test_a_one_way_calendar_leaves_its_source_alone(direction: Direction) -> None:
    world = CalendarWorld(policy=Policy(direction=direction))
    crm, google = world.crm.make(meeting(1)), world.google.make(meeting(2))

    world.cycle()

    to_google = direction is Direction.TO_GOOGLE
    assert (len(world.google.live()), len(world.crm.live())) == (
        (2, 1) if to_google else (1, 2)
    )
    source, row = (world.google, google) if to_google else (world.crm, crm)
    source.remove(row.remote_id)
    world.cycle()
    assert len(world.crm.live()) + len(world.google.live()) == 2
