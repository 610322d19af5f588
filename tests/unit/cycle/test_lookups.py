"""How often a cycle asks the database: by the page, never by the record."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.memory_calendar import CalendarWorld, meeting, occurrence
from tests.support.sql_state import SqlBacked, fresh_database
from tests.support.statements import noted

WEEKLY = "RRULE:FREQ=WEEKLY;BYDAY=SU"
BATCH = 200


def _prepared(folder: Path, size: int) -> CalendarWorld:
    """Return a world with equal pairs, new records and occurrences to be paired."""
    world = CalendarWorld()
    url = f"sqlite:///{folder / f'{size}.db'}"
    database = fresh_database(url, world.clock.now())
    world.state = SqlBacked(database, world.clock)  # type: ignore[assignment]  # same face
    for side in (world.crm, world.google):
        side.page_size = side.batch_size = BATCH
    series = world.google.make(meeting(1, recurrence=WEEKLY, zone="Europe/Berlin"))
    world.cycle()
    for number in range(size):
        day = number % 28 + 1
        world.crm.make(meeting(day, subject=f"Same {number}"))
        world.google.make(meeting(day, subject=f"Same {number}"))
        world.google.make(meeting(day, subject=f"New {number}"))
        slot = f"20{26 + number // 28:02d}-04-{day:02d}T09:00:00Z"
        world.google.make(occurrence(slot), series=series.remote_id)
    return world


def _statements(world: CalendarWorld) -> int:
    database = world.state.database  # type: ignore[attr-defined]  # SqlBacked
    with noted(database.engine) as found:
        world.cycle()
    return len(found)


@pytest.mark.rule("ENG-3")
def test_a_cycle_asks_the_database_by_the_page_and_not_by_the_record(
    tmp_path: Path,
) -> None:
    few, many = _prepared(tmp_path, 10), _prepared(tmp_path, 50)

    asked = _statements(few), _statements(many)

    assert few.state.link_count() == 1 + 10 * 3
    assert many.state.link_count() == 1 + 50 * 3
    assert asked[0] == asked[1]
