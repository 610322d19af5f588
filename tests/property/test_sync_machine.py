"""The engine and the cycle, held to I1 … I13 by a state machine.

Persons create, edit, delete and select on both sides between and within cycles; cycles
crash or stop at any effect, other workers take over, answers to writes are lost or come
late, providers are down or refuse, listings come late and in disorder, cursors expire.
Hypothesis chooses; the story's oracle judges.

The examples are spread over several tests so that two cores share them; together they
are at least 5,000 of up to 50 steps.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)

from crmsync.engine.policy import Conflict, Granularity, Policy
from tests.support.story import FAULTS, Fault, Story
from tests.support.world import World

PARTS = 8
EXAMPLES = int(os.environ.get("MACHINE_EXAMPLES", "5000"))
SMALL = st.integers(0, 5)
A_FAULT = st.builds(Fault, st.integers(1, 40), st.sampled_from(FAULTS), SMALL, SMALL)
POLICIES = (
    Policy(),
    Policy(conflict=Conflict.CRM),
    Policy(conflict=Conflict.NEWEST),
    Policy(granularity=Granularity.RECORD),
)


class SyncMachine(RuleBasedStateMachine):
    """One story at a time."""

    policy = Policy()

    def __init__(self) -> None:
        super().__init__()
        self.story = Story(World(policy=self.policy))

    @precondition(lambda self: self.story.people < 6)
    @rule(where=st.integers(0, 104))
    def a_person_is_put_in(self, where: int) -> None:
        self.story.put(where)

    @rule(which=SMALL, index=SMALL, name=SMALL)
    def a_field_is_edited(self, which: int, index: int, name: int) -> None:
        self.story.edit(which, index, name)

    @rule(which=SMALL, index=SMALL, name=SMALL)
    def the_same_field_is_edited_on_both_sides(
        self, which: int, index: int, name: int
    ) -> None:
        self.story.edit(which, index, name)
        self.story.edit(which + 1, index, name)

    @rule(which=SMALL, index=SMALL, name=SMALL)
    def a_field_is_blanked(self, which: int, index: int, name: int) -> None:
        self.story.blank(which, index, name)

    @rule(which=SMALL, index=SMALL)
    def a_record_is_deleted(self, which: int, index: int) -> None:
        self.story.remove(which, index)

    @rule(which=SMALL, index=SMALL, selected=st.booleans())
    def a_record_is_selected_or_not(
        self, which: int, index: int, selected: bool
    ) -> None:
        self.story.select(which, index, selected)

    @rule(index=SMALL)
    def a_contact_is_touched(self, index: int) -> None:
        self.story.touch(index)

    @rule(which=SMALL, index=SMALL)
    def something_unknown_is_filled_in(self, which: int, index: int) -> None:
        self.story.scribble(which, index)

    @rule(which=SMALL, index=SMALL)
    def something_is_typed_that_the_other_side_refuses(
        self, which: int, index: int
    ) -> None:
        self.story.poison(which, index)

    @rule()
    def what_was_refused_is_healed(self) -> None:
        self.story.heal()

    @precondition(lambda self: self.story.stopped)
    @rule(index=SMALL, effects=SMALL)
    def a_stopped_worker_goes_on(self, index: int, effects: int) -> None:
        self.story.go_on(index, effects)
        self.story.check_always()

    @rule(which=SMALL)
    def a_cursor_expires(self, which: int) -> None:
        self.story.expire(which)

    @rule(seconds=st.sampled_from((1, 5, 15, 30, 90)))
    def time_passes(self, seconds: int) -> None:
        self.story.advance(seconds)

    @rule(faults=st.lists(A_FAULT, max_size=3))
    def a_cycle_runs(self, faults: list[Fault]) -> None:
        self.story.cycle(faults)
        self.story.check_always()

    @rule()
    def a_cycle_runs_again(self) -> None:
        self.story.twice()

    @rule(faults=st.lists(A_FAULT, min_size=1, max_size=2))
    def two_cycles_run(self, faults: list[Fault]) -> None:
        self.story.cycle(faults)
        self.story.cycle(faults)
        self.story.check_always()

    def teardown(self) -> None:
        self.story.check_at_rest()


@pytest.mark.timeout(600)
@pytest.mark.rule("ENG-1", "ENG-2", "ENG-3", "ENG-4", "ENG-6", "CON-11", "CON-20")
@pytest.mark.parametrize("part", range(PARTS))
def test_no_story_breaks_an_invariant(part: int) -> None:
    machine = type(
        "Machine", (SyncMachine,), {"policy": POLICIES[part % len(POLICIES)]}
    )

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES // PARTS,
            stateful_step_count=50,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )
