"""Contacts, story by story, over sides in memory."""

from __future__ import annotations

import pytest

from crmsync.engine.plan import Action, ItemState
from crmsync.engine.report import CycleState
from crmsync.errors import OutcomeUnknown
from tests.support.world import World, person

pytestmark = pytest.mark.rule("CON-4")


@pytest.fixture
def world() -> World:
    return World(delay=0)


@pytest.mark.rule("CON-8")
def test_selected_contacts_are_created_on_the_other_side(world: World) -> None:
    world.crm.put(person(1))
    world.google.put(person(2))

    report = world.cycle()

    assert report.state is CycleState.SUCCEEDED
    assert [row.values["email"] for row in world.google.live()] == [
        "p2@example.com", "p1@example.com",
    ]  # fmt: skip
    assert [row.values["email"] for row in world.crm.live()] == [
        "p1@example.com", "p2@example.com",
    ]  # fmt: skip


@pytest.mark.rule("ENG-1")
def test_a_second_cycle_writes_nothing(world: World) -> None:
    world.crm.put(person(1))
    world.google.put(person(2))
    world.cycle()
    before = world.writes()

    report = world.cycle()

    assert report.state is CycleState.SUCCEEDED
    assert world.writes() == before


@pytest.mark.rule("CON-6")
def test_contacts_with_a_common_address_are_linked(world: World) -> None:
    world.crm.put(person(1, email="A@Example.com"))
    world.google.put(person(1, email="a@example.com"))

    world.cycle()

    assert world.state.link_count() == 1
    assert len(world.crm.live()) == len(world.google.live()) == 1


@pytest.mark.rule("CON-7")
def test_an_unselected_counterpart_is_linked_and_not_doubled(world: World) -> None:
    world.crm.put(person(1))
    world.google.put(person(1), selected=False)

    world.cycle()

    assert len(world.google.live()) == 1
    assert world.google.live()[0].selected


@pytest.mark.rule("CON-7")
def test_same_address_with_different_last_names_is_held(world: World) -> None:
    world.crm.put(person(1, last="Smith"))
    world.google.put(person(1, last="Jones"))

    world.cycle()

    held = [i for i in world.state.cycle_items() if i.state is ItemState.HELD]
    assert len(held) == 2
    assert {item.reason for item in held} == {"different_last_names"}
    assert len(world.google.live()) == len(world.crm.live()) == 1


@pytest.mark.rule("CON-11")
def test_edits_of_different_fields_both_survive(world: World) -> None:
    row = world.crm.put(person(1))
    world.cycle()
    twin = world.google.live()[0]
    world.crm.edit(row.remote_id, title="Director")
    world.google.edit(twin.remote_id, notes="Tall")

    world.cycle()

    assert world.crm.rows[row.remote_id].values["notes"] == "Tall"
    assert world.google.rows[twin.remote_id].values["title"] == "Director"


@pytest.mark.rule("CON-11")
def test_the_losing_value_of_a_conflict_is_kept(world: World) -> None:
    row = world.crm.put(person(1))
    world.cycle()
    twin = world.google.live()[0]
    world.crm.edit(row.remote_id, title="Director")
    world.google.edit(twin.remote_id, title="Manager")

    world.cycle()

    assert world.crm.rows[row.remote_id].values["title"] == "Manager"
    changes = [c for i in world.state.cycle_items() for c in i.changes]
    assert [(c.field, c.lost) for c in changes] == [("title", "Director")]


@pytest.mark.rule("CON-12")
def test_a_contact_that_left_the_group_is_deleted_where_we_made_it(
    world: World,
) -> None:
    row = world.crm.put(person(1))
    world.cycle()
    world.crm.set_selected(row.remote_id, False)

    world.cycle()

    assert world.google.live() == []
    assert world.state.link_count() == 0


@pytest.mark.rule("CON-12")
def test_a_contact_with_other_data_is_only_taken_out_of_the_label(
    world: World,
) -> None:
    row = world.crm.put(person(1))
    world.cycle()
    world.google.live()[0].extras = ("photo",)
    world.crm.set_selected(row.remote_id, False)

    world.cycle()

    assert [r.selected for r in world.google.live()] == [False]


@pytest.mark.rule("CON-13")
def test_deleting_in_google_takes_the_contact_out_of_the_group(world: World) -> None:
    row = world.crm.put(person(1))
    world.cycle()
    world.google.remove(world.google.live()[0].remote_id)

    world.cycle()

    assert not world.crm.rows[row.remote_id].selected
    assert not world.crm.rows[row.remote_id].gone


@pytest.mark.rule("CON-14")
def test_deleting_in_the_crm_takes_the_contact_out_of_the_label(world: World) -> None:
    row = world.crm.put(person(1))
    world.cycle()
    world.crm.remove(row.remote_id)

    world.cycle()

    assert [r.selected for r in world.google.live()] == [False]
    assert world.state.link_count() == 0


@pytest.mark.rule("CON-19")
def test_a_touch_is_no_edit(world: World) -> None:
    world.crm.put(person(1))
    world.cycle()
    before = world.writes()
    world.google.touch(world.google.live()[0].remote_id)

    report = world.cycle()

    assert world.writes() == before
    assert report.unchanged >= 1


@pytest.mark.rule("CON-21")
def test_a_merge_in_the_crm_moves_the_link(world: World) -> None:
    row = world.crm.put(person(1))
    world.cycle()
    world.crm.put(person(2, email2="p1@example.com"), selected=True)
    world.crm.rows["C00002"].values["email"] = "p1@example.com"
    world.crm.remove(row.remote_id)

    world.cycle()

    assert len(world.google.live()) == 1
    assert world.google.live()[0].selected
    assert world.state.link_count() == 1


@pytest.mark.rule("ENG-7")
def test_a_dry_run_writes_nothing_and_plans_what_then_happens(world: World) -> None:
    world.crm.put(person(1))
    world.google.put(person(2))

    _, planned = world.dry_run()
    untouched = (
        world.writes(),
        world.state.tables.cycles,
        dict(world.state.tables.cursors),
    )
    world.cycle()

    def told(items: list) -> list[tuple[Action, str, str]]:  # type: ignore[type-arg]  # any items
        return sorted((i.action, i.name, i.direction) for i in items)

    assert untouched == (0, 0, {})
    assert told(planned) == told(world.state.cycle_items())


@pytest.mark.rule("ENG-8")
def test_a_refused_record_is_set_aside_and_tried_again_later(world: World) -> None:
    for number in range(5):
        world.google.put(person(number))
    world.crm.poison.add("Last3")

    first = world.cycle()
    failed = [i for i in world.state.cycle_items() if i.state is ItemState.FAILED]
    soon = world.cycle()
    tried = len(world.state.cycle_items())
    world.crm.poison.clear()
    world.clock.advance(301)
    world.cycle()

    assert first.state is CycleState.PARTIAL
    assert [item.name for item in failed] == ["First3 Last3"]
    assert failed[0].error is not None
    assert failed[0].error["next_step"]
    assert (soon.state, tried) == (CycleState.SUCCEEDED, 0)
    assert len(world.crm.live()) == 5


@pytest.mark.rule("ENG-2", "ENG-8")
def test_a_lost_batch_is_adopted_with_one_look_per_side(world: World) -> None:
    for number in range(4):
        world.crm.put(person(number))

    def lose(_: int, name: str) -> None:
        if name == "after google.create":
            raise OutcomeUnknown("No answer came.")

    world.cycle(at_effect=lose)
    looks: list[str] = []
    world.cycle(at_effect=lambda _, name: looks.append(name))

    assert world.state.link_count() == len(world.google.live()) == 4
    assert looks.count("before google.fetch") == 1
    assert looks.count("before crm.fetch") == 1


@pytest.mark.rule("CON-20")
def test_a_parted_contact_does_not_make_a_key_doubtful(world: World) -> None:
    row = world.crm.put(person(1))
    world.cycle()
    parted = world.google.live()[0]
    parted.extras = ("photo",)
    world.crm.set_selected(row.remote_id, False)
    world.cycle()
    copy = world.google.put(person(1))
    copy.key = parted.key
    world.google.touch(copy.remote_id)

    world.cycle()

    held = [i for i in world.state.cycle_items() if i.state is ItemState.HELD]
    linked = world.state.tables.links.values()
    assert held == []
    assert [(k.crm_id, k.google_id) for k in linked] == [
        (row.remote_id, copy.remote_id)
    ]


@pytest.mark.rule("CON-20")
def test_two_labelled_contacts_with_the_same_key_are_held(world: World) -> None:
    row = world.crm.put(person(1))
    world.cycle()
    parted = world.google.live()[0]
    parted.extras = ("photo",)
    world.crm.set_selected(row.remote_id, False)
    world.cycle()
    for number in (2, 3):
        copy = world.google.put(person(number))
        copy.key = parted.key
        world.google.touch(copy.remote_id)

    world.cycle()

    held = [i for i in world.state.cycle_items() if i.state is ItemState.HELD]
    assert {item.reason for item in held} == {"several_candidates"}
    assert len(held) == 2
    assert world.state.link_count() == 0
