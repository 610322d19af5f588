"""Records that are refused, listed in disorder, or changed while a cycle runs."""

from __future__ import annotations

import pytest

from crmsync.engine.plan import ItemState
from crmsync.engine.report import CycleState
from crmsync.errors import OutcomeUnknown
from crmsync.records.values import SideName
from tests.support.memory_sides import Disorder, NotYet
from tests.support.workers import AtEffect
from tests.support.world import World, person

MINUTE = 60.0


@pytest.fixture
def world() -> World:
    return World(delay=0)


def linked(world: World, **values: str) -> tuple[str, str]:
    """Link one person on both sides; return the ids."""
    crm = world.crm.put(person(1, **values)).remote_id
    world.cycle()
    (google,) = (row.remote_id for row in world.google.live())
    return crm, google


def once(name: str, do: object) -> AtEffect:
    """Return a hook that does something at the first effect of that name."""
    waiting = [do]

    def at_effect(_number: int, effect: str) -> None:
        if effect == name and waiting:
            waiting.pop()()  # type: ignore[operator]  # a plain function

    return at_effect


# ------------------------------------------------------------------ disorder


@pytest.mark.rule("ENG-4")
@pytest.mark.parametrize("disorder", Disorder)
@pytest.mark.parametrize("side", SideName)
def test_a_listing_in_disorder_makes_no_edit_of_an_old_version(
    world: World, side: SideName, disorder: Disorder
) -> None:
    ids = dict(zip(SideName, linked(world, title="old"), strict=True))
    world.side(side).edit(ids[side], title="new")
    world.cycle()
    world.side(side).epoch += 1
    before = world.writes()

    world.side(side).disorder = disorder
    world.cycle()

    assert world.writes() == before
    for name in SideName:
        assert world.side(name).rows[ids[name]].values["title"] == "new"


@pytest.mark.rule("ENG-2")
@pytest.mark.parametrize("disorder", Disorder)
def test_a_record_that_is_listed_twice_is_created_once(
    world: World, disorder: Disorder
) -> None:
    for number in range(5):
        world.google.put(person(number))
    world.google.disorder = disorder

    world.cycle()

    assert len(world.crm.live()) == 5


@pytest.mark.rule("ENG-4")
def test_a_cursor_that_expires_between_two_pages_starts_a_full_read(
    world: World,
) -> None:
    linked(world)
    for number in range(2, 9):
        world.google.put(person(number))

    def expire() -> None:
        world.google.epoch += 1

    report = world.cycle(at_effect=once("before google.page", expire))

    assert report.state is CycleState.SUCCEEDED
    assert len(world.crm.live()) == 8


# ------------------------------------------------------------------ refused


@pytest.mark.rule("ENG-3", "ENG-8")
def test_an_edit_that_was_refused_is_not_overwritten_silently(world: World) -> None:
    crm, google = linked(world, title="old")
    world.crm.edit(crm, title="bad")
    world.google.poison.add("bad")
    world.cycle()
    world.google.edit(google, title="better")

    world.cycle()

    (change,) = (
        change
        for item in world.state.all_items()
        for change in item.changes
        if change.lost is not None
    )
    assert world.crm.rows[crm].values["title"] == "better"
    assert (change.field, change.lost) == ("title", "bad")


@pytest.mark.rule("ENG-8")
def test_what_was_put_off_stays_so_when_it_is_listed_again(world: World) -> None:
    crm, _ = linked(world)
    world.crm.edit(crm, title="bad")
    world.google.poison.add("bad")
    refused: list[str] = []
    world.google.on_refusal = lambda _side, ident, _values: refused.append(ident)
    world.cycle()

    world.crm.epoch += 1
    world.cycle()
    world.clock.advance(6 * MINUTE)
    world.cycle()

    assert len(refused) == 2


@pytest.mark.rule("ENG-8")
def test_half_of_a_write_that_was_refused_waits_with_it(world: World) -> None:
    crm, google = linked(world)
    world.crm.edit(crm, title="bad")
    world.google.edit(google, department="Sales")
    world.google.poison.add("bad")
    refused: list[str] = []
    world.google.on_refusal = lambda _side, ident, _values: refused.append(ident)

    for _ in range(6):
        world.cycle()

    assert world.crm.rows[crm].values["department"] == "Sales"
    assert len(refused) <= 2  # once more, for the half that arrived is news


@pytest.mark.rule("ENG-8")
def test_a_correction_frees_what_waited_on_the_other_side(world: World) -> None:
    crm, google = linked(world)
    world.google.edit(google, department="bad")
    world.crm.poison.add("bad")
    world.crm.edit(crm, title="new")
    world.cycle()
    world.google.edit(google, department="")

    world.cycle()

    assert world.google.rows[google].values["title"] == "new"


@pytest.mark.rule("ENG-3", "ENG-8")
def test_a_correction_that_comes_while_it_is_refused_is_merged_at_once(
    world: World,
) -> None:
    crm, google = linked(world)
    world.google.edit(google, department="bad")
    world.crm.edit(crm, title="new")
    world.crm.poison.add("bad")

    def correct() -> None:
        world.google.edit(google, department="good")

    report = world.cycle(at_effect=once("before crm.update", correct))

    assert report.state is CycleState.SUCCEEDED
    assert world.crm.rows[crm].values["department"] == "good"


# ------------------------------------------------------------------ sent twice


def not_yet() -> None:
    raise NotYet


@pytest.mark.rule("ENG-2", "ENG-3")
def test_a_create_is_sent_again_word_for_word_and_later_edits_are_merged(
    world: World,
) -> None:
    google = world.google.put(person(1, title="first")).remote_id
    world.cycle(at_effect=once("before crm.create", not_yet))
    world.google.edit(google, title="second")
    world.cycle(at_effect=once("before crm.create", not_yet))

    world.crm.land()
    world.cycle()
    world.cycle()

    (crm,) = world.crm.live()
    assert crm.values["title"] == "second"
    assert world.google.rows[google].values["title"] == "second"


@pytest.mark.rule("ENG-2", "ENG-3")
def test_a_record_that_turns_out_to_be_there_is_merged_with_what_became_of_it(
    world: World,
) -> None:
    google = world.google.put(person(1, title="first")).remote_id
    world.cycle(at_effect=once("before crm.create", not_yet))

    def land_and_edit() -> None:
        world.crm.land()
        world.crm.edit(world.crm.live()[0].remote_id, title="edited")

    world.cycle(at_effect=once("before crm.create", land_and_edit))
    world.cycle()

    assert len(world.crm.live()) == 1
    assert world.google.rows[google].values["title"] == "edited"


@pytest.mark.rule("ENG-2")
def test_a_later_slice_that_plans_again_lets_an_unknown_create_wait() -> None:
    world = World()  # whose Google feed does not show the create yet
    crm, google = linked(world)
    world.crm.put(person(2))

    def lose() -> None:
        raise OutcomeUnknown("No answer came.")

    world.cycle(at_effect=once("after google.create", lose))
    world.crm.edit(crm, title="mine")
    world.crm.put(person(3))
    first = world.start(
        at_effect=once(
            "before google.update", lambda: world.google.edit(google, department="hers")
        )
    )
    first.is_sliced = True
    world.let(first)
    assert first.report is not None
    assert first.report.state is CycleState.RUNNING

    world.cycle()

    assert sorted(row.values["first"] for row in world.google.live()) == [
        "First1", "First2", "First3",
    ]  # fmt: skip


@pytest.mark.rule("ENG-2")
def test_a_create_on_its_way_is_not_made_anew_when_it_is_wanted_again(
    world: World,
) -> None:
    google = world.google.put(person(1)).remote_id
    world.cycle(at_effect=once("before crm.create", not_yet))
    world.google.set_selected(google, False)
    world.cycle()
    world.google.set_selected(google, True)
    world.cycle()

    world.crm.land()
    world.cycle()

    assert len(world.crm.live()) == 1
    assert len(world.google.live()) == 1


# ------------------------------------------------------------------ late listings


@pytest.mark.rule("ENG-4", "CON-4")
def test_an_old_version_on_a_later_page_selects_nobody(world: World) -> None:
    for number in range(1, 5):
        world.google.put(person(number))
    world.cycle()
    for row in world.crm.live():
        world.crm.remove(row.remote_id)
    assert world.cycle().state is CycleState.HELD
    world.approve()
    assert world.state.link_count() == 0

    world.google.disorder = Disorder.OLD_AFTER_NEW
    world.cycle()

    assert world.crm.live() == []


# ------------------------------------------------------------------ deletes


@pytest.mark.rule("CON-12")
def test_what_somebody_adds_beyond_our_fields_keeps_a_contact_alive(
    world: World,
) -> None:
    crm, google = linked(world)
    world.crm.set_selected(crm, False)

    def star() -> None:
        world.google.scribble(google, starred="yes")

    world.cycle(at_effect=once("before google.fetch", lambda: None))
    assert world.google.rows[google].gone

    crm = world.crm.put(person(2)).remote_id
    world.cycle()
    google = world.google.live()[0].remote_id
    world.crm.set_selected(crm, False)
    planned = ItemState.SENT

    def at_effect(_number: int, effect: str) -> None:
        states = {item.state for item in world.state.cycle_items()}
        if effect == "after commit" and planned in states:
            star()

    world.cycle(at_effect=at_effect)

    assert not world.google.rows[google].gone


@pytest.mark.rule("ENG-5")
def test_a_worker_that_was_taken_over_deletes_nothing(world: World) -> None:
    crm, google = linked(world)
    world.crm.set_selected(crm, False)

    def take_over() -> None:
        if any(i.state is ItemState.SENT for i in world.state.cycle_items()):
            world.clock.advance(MINUTE)
            world.crm.set_selected(crm, True)
            world.let(world.start())

    world.let(
        world.start(
            at_effect=lambda _n, name: (
                take_over() if name == "after google.fetch" else None
            )
        )
    )

    assert not world.google.rows[google].gone
