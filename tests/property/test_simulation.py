"""The seeded simulation: thousands of stories, each told again by its number."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from crmsync.records.values import SideName
from tests.support import calendar_story
from tests.support.simulation import tell
from tests.support.story import Fault, Story

STORIES = int(os.environ.get("SIMULATION_STORIES", "20000"))
CALENDARS = int(os.environ.get("CALENDAR_STORIES", "3000"))
PARTS = 16

# What a story must be full of, on average, or it proves little.
LEAST = {
    "calls": 40,
    "crashed": 0.8,
    "lost": 0.4,
    "lost: did": 0.1,
    "lost: did not happen": 0.1,
    "on the wire": 0.2,
    "down": 0.5,
    "expired within": 0.5,
    "disorder": 0.8,
    "acts within": 0.5,
    "take-overs": 1.0,
    "leases lost": 0.3,
    "refusals": 0.05,
}


@pytest.mark.timeout(600)
@pytest.mark.rule("ENG-1", "ENG-2", "ENG-3", "ENG-4", "ENG-5", "ENG-6", "ENG-11")
@pytest.mark.parametrize("part", range(PARTS))
def test_no_simulated_story_breaks_an_invariant(part: int) -> None:
    seeds = range(part, STORIES, PARTS)

    broken, counts = tell(seeds)

    assert not broken, f"{len(broken)} stories broke; seed {broken[0]}"
    per_story = {name: counts[name] / max(len(seeds), 1) for name in LEAST}
    assert {n: v for n, v in per_story.items() if v < LEAST[n]} == {}


@pytest.mark.timeout(600)
@pytest.mark.rule("CAL-4", "CAL-8", "CAL-11", "CAL-14", "CAL-17", "CAL-20", "ENG-11")
@pytest.mark.parametrize("part", range(8))
def test_no_story_of_a_calendar_breaks_an_invariant(part: int) -> None:
    seeds = range(part, CALENDARS, 8)

    broken, counts = calendar_story.tell(seeds)

    assert not broken, f"{len(broken)} stories broke; seed {broken[0]}"
    per_story = {kind: counts[kind] / len(seeds) for kind in calendar_story.FAULTS}
    assert {kind: n for kind, n in per_story.items() if n < 0.3} == {}


@pytest.mark.rule("ENG-7")
@pytest.mark.parametrize("start", range(0, 2000, 100))
def test_the_same_seed_tells_the_same_story(start: int) -> None:
    for seed in range(start, start + 5):
        assert told(seed) == told(seed)


def told(seed: int) -> list[tuple[object, ...]]:
    story = Story()
    tell([seed], story)
    return story.trace


@pytest.mark.rule("ENG-5")
@pytest.mark.parametrize("effect", range(1, 60))
def test_two_workers_at_once_give_the_result_of_one(effect: int) -> None:
    alone, together = prepared(), prepared()

    alone.cycle([])
    together.cycle([Fault(effect, "rival", 1, 5)])

    assert ending(together) == ending(alone)


@pytest.mark.rule("ENG-5")
@pytest.mark.parametrize("effect", range(1, 60))
def test_a_worker_that_wakes_up_too_late_changes_nothing(effect: int) -> None:
    alone, together = prepared(), prepared()

    alone.cycle([])
    together.cycle([Fault(effect, "stop")])
    together.cycle([])
    together.go_on(0, 0)

    assert ending(together) == ending(alone)


def prepared() -> Story:
    """Return a story in which the next cycle has everything to do."""
    story = Story()
    for where in (5, 9, 13, 7, 11):
        story.put(where)
    story.cycle([])
    story.edit(0, 0, 0)
    story.edit(1, 1, 1)
    story.edit(0, 2, 0)
    story.edit(1, 2, 0)
    story.select(0, 1, selected=False)
    story.remove(1, 3)
    story.put(4)
    story.advance(30)
    return story


def ending(story: Story) -> Counter[tuple[str, str, bool]]:
    """Settle, check, and return what both sides hold in the end."""
    story.check_at_rest()
    return Counter(
        (side.value, str(sorted(row.values.items())), row.selected)
        for side in SideName
        for row in story.world.side(side).live()
    )
