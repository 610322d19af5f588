"""What Google only shows: it comes into the CRM and is never written back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from crmsync.cycle.restoring import restore
from crmsync.engine.plan import ItemState
from crmsync.engine.policy import Direction, MemberEdit, Policy
from crmsync.engine.report import CycleState
from crmsync.errors import UsageError
from crmsync.records.activities import Role
from crmsync.records.values import SideName
from tests.support.memory_calendar import CalendarWorld, meeting, occurrence
from tests.support.memory_sides import Row
from tests.support.memory_state import Tables

SOURCE = "the calendar Team"
WEEKLY = "RRULE:FREQ=WEEKLY;BYDAY=SU"
SLOT = "2026-03-08T09:00:00Z"


@pytest.fixture
def world() -> CalendarWorld:
    return CalendarWorld()


def shown(world: CalendarWorld, number: int = 1, **values: str) -> Row:
    """Return an event that Google only shows."""
    whole = meeting(number, imported=SOURCE, **values)
    return world.google.make(whole, organizer=False, imported=SOURCE)


def imported(world: CalendarWorld, **values: str) -> tuple[Row, Row]:
    """Return an import and its event, linked."""
    google = shown(world, 1, **values)
    world.cycle()
    (crm,) = world.crm.live()
    return crm, google


@pytest.mark.rule("CAL-17", "CAL-23")
def test_what_google_only_shows_comes_in_and_says_where_from(
    world: CalendarWorld,
) -> None:
    crm, _ = imported(world, attendees="jo@example.com", location="Room 1")

    assert crm.values["imported"] == SOURCE
    assert crm.values["location"] == "Room 1"
    assert "attendees" not in crm.values
    (link,) = world.state.tables.links.values()
    assert link.role == Role.IMPORTED
    assert world.google.writes == 0


@pytest.mark.rule("CAL-23", "ENG-1")
def test_fifty_cycles_leave_an_import_alone(world: CalendarWorld) -> None:
    imported(world)
    before = world.writes()

    for _ in range(50):
        world.cycle()

    assert world.writes() == before


@pytest.mark.rule("CAL-23")
def test_an_edit_in_google_reaches_the_import(world: CalendarWorld) -> None:
    crm, google = imported(world)
    world.google.edit(google.remote_id, start="2026-03-01T10:00:00Z")

    world.cycle()

    assert crm.values["start"] == "2026-03-01T10:00:00Z"


@pytest.mark.rule("CAL-23", "CON-11")
@pytest.mark.parametrize("mode", list(MemberEdit))
def test_an_edit_in_the_crm_is_undone_and_kept_in_history(
    world: CalendarWorld, mode: MemberEdit
) -> None:
    crm, _ = imported(world, location="Room 1")
    world.policy = Policy(member_edit=mode)
    world.crm.edit(crm.remote_id, location="Room 2")

    world.cycle()

    assert crm.values["location"] == "Room 1"
    assert world.google.writes == 0
    (item,) = [i for i in world.state.cycle_items() if i.reason == "import_edited"]
    assert [c.lost for c in item.changes] == ["Room 2"]
    with pytest.raises(UsageError, match="only read"):
        restore(world.run(world.state), item, [])


LEAVING: dict[str, Callable[[CalendarWorld, Row], None]] = {
    "deleted": lambda world, row: world.crm.remove(row.remote_id),
    "completed": lambda world, row: world.crm.complete(row.remote_id),
}


@pytest.mark.rule("CAL-23", "CAL-14")
@pytest.mark.parametrize("direction", [Direction.BOTH, Direction.TO_CRM])
@pytest.mark.parametrize("how", LEAVING)
def test_what_leaves_the_crm_stays_in_google_and_does_not_come_back(
    world: CalendarWorld, how: str, direction: Direction
) -> None:
    crm, google = imported(world)
    world.policy = Policy(direction=direction)
    LEAVING[how](world, crm)
    world.cycle()
    world.google.edit(google.remote_id, subject="Edited later")

    world.cycle()

    assert [row.values["subject"] for row in world.google.live()] == ["Edited later"]
    assert world.crm.live() == []
    assert world.google.writes == 0
    assert world.state.link_count() == 0


@pytest.mark.rule("CAL-23")
@pytest.mark.parametrize("is_edited", [False, True])
def test_what_is_gone_in_google_leaves_the_crm(
    world: CalendarWorld, is_edited: bool
) -> None:
    crm, google = imported(world)
    if is_edited:
        world.crm.edit(crm.remote_id, location="Room 2")
    world.google.remove(google.remote_id)

    world.cycle()

    assert world.crm.live() == []
    assert world.google.writes == 0


@pytest.mark.rule("CAL-23", "CAL-2")
def test_an_equal_activity_of_the_users_own_is_not_linked_with_an_import(
    world: CalendarWorld,
) -> None:
    own = world.crm.make(meeting(1))
    shown(world)

    world.cycle()

    assert len(world.crm.live()) == 2
    assert "imported" not in own.values
    roles = {link.crm_id: link.role for link in world.state.tables.links.values()}
    assert roles[own.remote_id] == Role.OWN
    assert sorted(roles.values()) == [Role.IMPORTED, Role.OWN]


@pytest.mark.rule("CAL-23", "CON-20")
def test_with_lost_links_an_import_is_known_again(world: CalendarWorld) -> None:
    crm, google = imported(world)
    world.state.tables = Tables()
    world.google.edit(google.remote_id, subject="Edited meanwhile")

    world.cycle()

    assert crm.values["subject"] == "Edited meanwhile"
    assert len(world.crm.live()) == 1
    assert world.google.writes == 0
    (link,) = world.state.tables.links.values()
    assert link.role == Role.IMPORTED


@pytest.mark.rule("CAL-23")
def test_an_import_whose_event_is_unknown_makes_none(world: CalendarWorld) -> None:
    world.crm.make(meeting(1, imported=SOURCE))

    world.cycle()

    assert world.google.live() == []


@pytest.mark.rule("CAL-17", "CAL-23")
def test_an_imported_series_brings_its_occurrences(world: CalendarWorld) -> None:
    notes = {"organizer": False, "imported": SOURCE}
    _, google = imported(world, recurrence=WEEKLY, zone="Europe/Berlin")
    moved = {"start": "2026-03-08T15:00:00Z", "imported": SOURCE}
    world.google.make(occurrence(SLOT, **moved), series=google.remote_id, **notes)
    world.google.make(
        occurrence("2026-03-15T09:00:00Z", cancelled="yes"),
        series=google.remote_id,
        **notes,
    )

    world.cycle()

    found = {r.values["slot"]: r.values for r in world.crm.live() if "slot" in r.values}
    assert found[SLOT]["start"] == "2026-03-08T15:00:00Z"
    assert found["2026-03-15T09:00:00Z"]["cancelled"] == "yes"
    roles = {link.role for link in world.state.tables.links.values()}
    assert roles == {Role.IMPORTED.value}
    assert world.google.writes == 0


@pytest.mark.rule("CAL-17")
def test_a_series_that_came_to_be_inexpressible_is_replaced_by_single_activities(
    world: CalendarWorld,
) -> None:
    crm, google = world.link(recurrence=WEEKLY, zone="Europe/Berlin")
    before = world.google.writes
    world.crm.edit(crm.remote_id, location="Room 2")
    google.selected = False
    google.notes = {"imported": SOURCE}
    world.google.log_row(google)
    shown(world, 8)

    world.cycle()

    (single,) = world.crm.live()
    assert single.values["imported"] == SOURCE
    assert world.google.writes == before


@pytest.mark.rule("CAL-17")
def test_what_is_no_import_any_more_comes_in_as_what_it_is(
    world: CalendarWorld,
) -> None:
    _, google = imported(world)
    del google.values["imported"]
    google.notes = {"organizer": True}
    world.google.edit(google.remote_id, subject="Mine now")

    world.cycle()

    (crm,) = world.crm.live()
    assert crm.values["subject"] == "Mine now"
    assert "imported" not in crm.values
    (link,) = world.state.tables.links.values()
    assert link.role == Role.OWN


@pytest.mark.rule("CAL-17")
def test_an_occurrence_like_its_series_is_no_record_of_its_own(
    world: CalendarWorld,
) -> None:
    series = world.google.make(
        meeting(1, recurrence=WEEKLY, zone="Europe/Berlin"), organizer=True
    )
    world.google.make(occurrence(SLOT), series=series.remote_id, plain=True)

    world.cycle()

    assert [row.values.get("slot", "") for row in world.crm.live()] == [""]


@pytest.mark.rule("CAL-23")
def test_the_end_of_an_imported_occurrence_gives_the_series_its_own_back(
    world: CalendarWorld,
) -> None:
    _, google = imported(world, recurrence=WEEKLY, zone="Europe/Berlin")
    changed = world.google.make(
        occurrence(SLOT, imported=SOURCE),
        series=google.remote_id,
        organizer=False,
        imported=SOURCE,
    )
    world.cycle()
    world.google.remove(changed.remote_id)

    report = world.cycle()

    assert report.state is CycleState.SUCCEEDED
    assert [row.values.get("slot", "") for row in world.crm.live()] == [""]
    assert all(i.state is ItemState.DONE for i in world.state.cycle_items())
    assert not world.state.links_by(SideName.GOOGLE, [changed.remote_id])


@pytest.mark.rule("CAL-23", "HIS-5")
def test_what_is_set_aside_says_why_and_what_to_do(world: CalendarWorld) -> None:
    world.google.make(
        {"subject": "Team"},
        odd="Google does not show the calendar Team.",
        odd_reason="calendar_gone",
        odd_step="Remove it in Options.",
    )

    world.cycle()

    (item,) = world.state.cycle_items()
    assert (item.state, item.reason) == (ItemState.SKIPPED, "calendar_gone")
    assert item.error is not None
    assert item.error["next_step"] == "Remove it in Options."
    assert world.crm.live() == []
