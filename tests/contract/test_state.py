"""The database state does what the one in memory does: same story, same ending."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from crmsync.ports import Postponed, Unit
from crmsync.records.remote import Base, Link, Remote, Sent
from crmsync.records.values import SideName
from tests.conftest import NewUrl
from tests.support.memory_state import MemoryState, VirtualClock
from tests.support.simulation import simulate
from tests.support.sql_state import SqlBacked, fresh_database, simulate_in_database
from tests.support.story import Story


def _rows(story: Story) -> dict[str, Any]:
    return {
        f"{side}:{row.remote_id}": (dict(row.values), row.selected, row.gone)
        for side in SideName
        for row in story.world.side(side).rows.values()
    }


@pytest.mark.rule("ENG-2", "ENG-3", "ENG-4", "ENG-5")
@pytest.mark.parametrize("seed", range(24))
def test_both_states_tell_the_same_story(seed: int, new_url: NewUrl) -> None:
    in_memory = simulate(seed, epochs=1)

    in_database = simulate_in_database(seed, new_url())

    assert in_database.trace == in_memory.trace
    assert _rows(in_database) == _rows(in_memory)


@pytest.fixture
def memory() -> MemoryState:
    return MemoryState(VirtualClock())


@pytest.fixture
def database(new_url: NewUrl) -> Iterator[SqlBacked]:
    clock = VirtualClock()
    made = fresh_database(new_url(), clock.now())
    yield SqlBacked(made, clock)
    made.close()


def is_put_off_and_comes_back_whole(state: Any) -> bool:
    state = state.acquire()
    state.begin()
    crm = Remote(SideName.CRM, "C1", "1", {"title": "refused"})
    google = Remote(SideName.GOOGLE, "G1", "1", {"title": "old"})
    sends = (Sent(SideName.CRM, "", {}, {}),)
    later = state.clock.now() + timedelta(minutes=5)
    state.commit(
        Unit(
            stage=(crm,),
            links=(Link("L1", "C1", "G1", Base(), sends=sends),),
            postponed=(Postponed(SideName.CRM, "C1", 1, later),),
        )
    )
    put_off = state.subjects("", 10)
    state.commit(Unit(stage=(google,)))
    (with_news,) = state.subjects("", 10)
    return not put_off and (with_news.crm, with_news.google) == (crm, google)


@pytest.mark.rule("ENG-3", "ENG-8")
def test_a_link_that_was_put_off_comes_back_whole_with_any_news(
    memory: MemoryState, database: SqlBacked
) -> None:
    assert is_put_off_and_comes_back_whole(memory)
    assert is_put_off_and_comes_back_whole(database)
