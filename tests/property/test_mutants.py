"""The simulation finds every known bug: one that finds nothing proves nothing."""

from __future__ import annotations

import pytest

from tests.support.mutants import MUTANTS, hunt

SCHEDULES = 10_000


@pytest.mark.timeout(900)
@pytest.mark.rule("ENG-2", "ENG-3", "ENG-4", "ENG-5", "ENG-8", "ENG-11")
@pytest.mark.parametrize("name", MUTANTS)
def test_a_known_bug_is_found(name: str) -> None:
    assert hunt(name, SCHEDULES).startswith(name)
