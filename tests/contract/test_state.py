"""The database state does what the one in memory does: same story, same ending."""

from __future__ import annotations

import random
from typing import Any

import pytest

from crmsync.records.values import SideName
from tests.conftest import NewUrl
from tests.support import simulation
from tests.support.sql_state import SqlBacked, fresh_database
from tests.support.story import FAULTS, Story


def _ending(story: Story) -> dict[str, Any]:
    world = story.world
    rows = {
        f"{side}:{row.remote_id}": (dict(row.values), row.selected, row.gone)
        for side in SideName
        for row in world.side(side).rows.values()
    }
    links = sorted(
        (link.crm_id, link.google_id) for link in world.state.tables.links.values()
    )
    return {"rows": rows, "links": links}


def _tell(seed: int, story: Story) -> Story:
    chance = random.Random(seed)
    kinds = tuple(kind for kind in FAULTS if chance.random() < 0.7) or ("edit",)
    for _ in range(25):
        simulation.step(story, chance, kinds)
    story.check_at_rest()
    return story


@pytest.mark.rule("ENG-2", "ENG-3", "ENG-4")
@pytest.mark.parametrize("seed", range(24))
def test_both_states_tell_the_same_story(seed: int, new_url: NewUrl) -> None:
    in_memory = _tell(seed, Story())
    story = Story()
    database = fresh_database(new_url(), story.world.clock.now())
    state = SqlBacked(database, story.world.clock)
    state.before_commit = story.world.state.before_commit
    state.after_commit = story.world.state.after_commit
    story.world.state = state  # type: ignore[assignment]  # same face

    in_database = _ending(_tell(seed, story))
    database.close()

    assert in_database == _ending(in_memory)
