"""When a plan waits for a person."""

from __future__ import annotations

import pytest

from crmsync.engine.guard import Allowance, Totals, count, objection
from crmsync.engine.plan import Action, Item, ItemDirection
from crmsync.engine.policy import Policy
from crmsync.records.values import SideName


def objected(
    totals: Totals,
    *,
    links: int = 100,
    allowed: Totals | None = None,
    emptied: SideName | None = None,
) -> str | None:
    allowance = Allowance(allowed or Totals())
    return objection(totals, links, Policy(), allowance, emptied)


@pytest.mark.rule("ENG-6")
@pytest.mark.parametrize(
    ("links", "removals", "expected"),
    [
        (5, 10, None),
        (5, 11, "mass_deletion"),
        (200, 10, None),
        (200, 11, "mass_deletion"),
        (1000, 50, None),
        (1000, 51, "mass_deletion"),
    ],
)
def test_more_than_ten_or_five_per_cent_is_held(
    links: int, removals: int, expected: str | None
) -> None:
    assert objected(Totals(removals=removals), links=links) == expected


@pytest.mark.rule("ENG-6")
def test_blanking_counts_like_deleting() -> None:
    assert objected(Totals(removals=6, blanked=5)) == "mass_deletion"


@pytest.mark.rule("ENG-6")
def test_what_was_accepted_is_let_through_and_not_more() -> None:
    accepted = Totals(removals=30)

    assert objected(Totals(removals=30), allowed=accepted) is None
    assert objected(Totals(removals=31), allowed=accepted) == "mass_deletion"


@pytest.mark.rule("ENG-6")
def test_a_side_that_is_suddenly_empty_is_held() -> None:
    few = Totals(removals=3)

    assert objected(few, links=3, emptied=SideName.GOOGLE) == "side_emptied"
    assert objected(few, links=3, emptied=SideName.GOOGLE, allowed=few) is None


@pytest.mark.rule("ENG-6")
def test_many_more_creates_than_announced_are_held() -> None:
    assert objected(Totals(creates=500)) is None
    assert objected(Totals(creates=501)) == "mass_creation"
    assert objected(Totals(creates=1501), allowed=Totals(creates=1000)) is not None


@pytest.mark.rule("ENG-6")
def test_moving_a_value_between_fields_blanks_nothing() -> None:
    moved = Item(
        "1", Action.UPDATE, ItemDirection.TO_CRM,
        crm={"email": "", "email2": "a@example.com"},
        crm_seen={"email": "a@example.com"},
    )  # fmt: skip
    emptied = Item(
        "2", Action.UPDATE, ItemDirection.TO_CRM,
        crm={"email": ""}, crm_seen={"email": "a@example.com"},
    )  # fmt: skip

    assert count(moved).blanked == 0
    assert count(emptied).blanked == 1
