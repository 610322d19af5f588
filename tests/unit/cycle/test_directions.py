"""One-way pairs (CON-5), over sides in memory."""

from __future__ import annotations

import pytest

from crmsync.engine.policy import Direction, Policy
from tests.support.world import World, person

pytestmark = pytest.mark.rule("CON-5")


def world(direction: Direction) -> World:
    return World(policy=Policy(direction=direction), delay=0)


def test_to_google_creates_in_google_and_nothing_in_the_crm() -> None:
    made = world(Direction.TO_GOOGLE)
    made.crm.put(person(1))
    made.google.put(person(2))

    made.cycle()

    assert len(made.google.live()) == 2
    assert len(made.crm.live()) == 1


def test_to_crm_creates_in_the_crm_and_nothing_in_google() -> None:
    made = world(Direction.TO_CRM)
    made.crm.put(person(1))
    made.google.put(person(2))

    made.cycle()

    assert len(made.google.live()) == 1
    assert len(made.crm.live()) == 2


def test_to_google_a_deletion_in_google_changes_nothing_in_the_crm() -> None:
    made = world(Direction.TO_GOOGLE)
    row = made.crm.put(person(1))
    made.cycle()
    made.google.remove(made.google.live()[0].remote_id)

    made.cycle()
    made.crm.edit(row.remote_id, title="CEO")
    made.cycle()

    assert made.crm.rows[row.remote_id].selected
    assert made.google.live() == []


def test_to_google_a_contact_unlabelled_in_google_is_still_written() -> None:
    made = world(Direction.TO_GOOGLE)
    row = made.crm.put(person(1))
    made.cycle()
    twin = made.google.live()[0]
    made.google.set_selected(twin.remote_id, False)
    made.crm.edit(row.remote_id, title="CEO")

    made.cycle()

    assert made.crm.rows[row.remote_id].selected
    assert made.google.rows[twin.remote_id].values["title"] == "CEO"


def test_to_google_a_contact_that_left_the_group_is_removed_in_google() -> None:
    made = world(Direction.TO_GOOGLE)
    row = made.crm.put(person(1))
    made.cycle()
    made.crm.set_selected(row.remote_id, False)

    made.cycle()

    assert made.google.live() == []


def test_to_crm_a_deletion_in_the_crm_changes_nothing_in_google() -> None:
    made = world(Direction.TO_CRM)
    made.google.put(person(1))
    made.cycle()
    made.crm.remove(made.crm.live()[0].remote_id)

    made.cycle()

    assert [row.selected for row in made.google.live()] == [True]
    assert len(made.crm.live()) == 0


def test_after_a_change_to_both_the_held_back_edits_cross() -> None:
    made = world(Direction.TO_GOOGLE)
    row = made.crm.put(person(1))
    made.cycle()
    made.google.edit(made.google.live()[0].remote_id, title="CFO")
    made.cycle()
    made.with_policy(direction=Direction.BOTH)
    made.google.epoch += 1

    made.cycle()

    assert made.crm.rows[row.remote_id].values["title"] == "CFO"
