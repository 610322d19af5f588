"""The seeded simulation: thousands of stories, each told again by its number."""

from __future__ import annotations

import os

import pytest

from tests.support.simulation import simulate

STORIES = int(os.environ.get("SIMULATION_STORIES", "4000"))
PARTS = 8


@pytest.mark.timeout(600)
@pytest.mark.rule("ENG-1", "ENG-2", "ENG-3", "ENG-4", "ENG-6", "ENG-11")
@pytest.mark.parametrize("part", range(PARTS))
def test_no_simulated_story_breaks_an_invariant(part: int) -> None:
    for seed in range(part, STORIES, PARTS):
        simulate(seed)


@pytest.mark.rule("ENG-7")
@pytest.mark.parametrize("seed", range(0, 2000, 100))
def test_the_same_seed_tells_the_same_story(seed: int) -> None:
    assert simulate(seed).trace == simulate(seed).trace
