"""The three-way merge, field by field."""

from __future__ import annotations

import pytest

from crmsync.engine.merge import Context, Merged, Note, Winner, merge
from crmsync.engine.policy import Conflict, Direction, Granularity, Policy
from crmsync.records.contacts import FIELDS
from crmsync.records.remote import Base
from crmsync.records.values import FieldTable, SideName, Values

TABLE = FieldTable(FIELDS, {"notes": 5, "title": 10, "email": 20, "company": 10})


def merged(
    base: tuple[Values, Values] | None,
    crm: Values,
    google: Values,
    policy: Policy | None = None,
    newest: SideName = SideName.GOOGLE,
) -> Merged:
    stored = Base(*base) if base is not None else None
    return merge(stored, crm, google, Context(TABLE, policy or Policy(), newest))


@pytest.mark.rule("CON-11", "ENG-1")
def test_nothing_changed_writes_nothing() -> None:
    same = {"first": "Ada", "mobile": "+1 212 555 0100"}

    result = merged((same, same), same, {**same, "mobile": "(212) 555-0100"})

    assert result.is_quiet
    assert result.changes == ()


@pytest.mark.rule("CON-11")
def test_changes_to_different_fields_are_all_kept() -> None:
    base = {"title": "CTO"}

    result = merged(
        (base, base), {"title": "CEO"}, {"title": "CTO", "department": "IT"}
    )

    assert result.google == {"title": "CEO"}
    assert result.crm == {"department": "IT"}
    assert not result.has_conflict


@pytest.mark.rule("CON-11")
@pytest.mark.parametrize(
    ("conflict", "newest", "winner"),
    [
        (Conflict.GOOGLE, SideName.CRM, SideName.GOOGLE),
        (Conflict.CRM, SideName.GOOGLE, SideName.CRM),
        (Conflict.NEWEST, SideName.CRM, SideName.CRM),
        (Conflict.NEWEST, SideName.GOOGLE, SideName.GOOGLE),
    ],
)
def test_the_rule_decides_a_field_that_both_changed(
    conflict: Conflict, newest: SideName, winner: SideName
) -> None:
    base = {"title": "CTO"}

    result = merged(
        (base, base),
        {"title": "CEO"},
        {"title": "CFO"},
        Policy(conflict=conflict),
        newest,
    )

    change = result.changes[0]
    assert change.winner == winner.value
    assert change.lost == ("CEO" if winner is SideName.GOOGLE else "CFO")
    assert change.lost_side is winner.other


@pytest.mark.rule("CON-11")
def test_with_record_granularity_the_whole_record_goes_to_the_winner() -> None:
    base = {"title": "CTO", "department": "IT"}

    result = merged(
        (base, base),
        {"title": "CEO", "department": "Sales"},
        {"title": "CFO", "department": "IT"},
        Policy(granularity=Granularity.RECORD),
    )

    assert result.crm == {"title": "CFO", "department": "IT"}
    assert {c.lost for c in result.changes} == {"CEO", "Sales"}


@pytest.mark.rule("CON-11")
def test_both_sides_changing_to_the_same_value_is_no_conflict() -> None:
    base = {"mobile": "1"}

    result = merged(
        (base, base), {"mobile": "212 555 0100"}, {"mobile": "+1 (212) 555-0100"}
    )

    assert result.is_quiet
    assert not result.has_conflict
    assert result.base.crm == {"mobile": "212 555 0100"}


@pytest.mark.rule("CON-15")
def test_a_long_value_is_cut_in_the_crm_and_stays_long_in_google() -> None:
    result = merged(({}, {}), {}, {"notes": "a long story"})

    assert result.crm == {"notes": "a lon"}
    assert result.google == {}
    assert result.truncated == ("notes",)
    again = merged(
        (result.base.crm, result.base.google), {"notes": "a lon"},
        {"notes": "a long story"},
    )  # fmt: skip
    assert again.is_quiet


@pytest.mark.rule("CON-15")
def test_editing_the_cut_value_replaces_the_long_one_and_keeps_it_as_lost() -> None:
    base = ({"notes": "a lon"}, {"notes": "a long story"})

    result = merged(base, {"notes": "short"}, {"notes": "a long story"})

    assert result.google == {"notes": "short"}
    assert result.changes[0].lost == "a long story"


@pytest.mark.rule("CON-15")
def test_an_address_is_never_cut_but_skipped_with_a_warning() -> None:
    long = "somebody-with-a-long-name@example.com"

    result = merged(({}, {}), {}, {"email": long})

    assert result.is_quiet
    assert result.changes[0].note is Note.TOO_LONG
    assert merged(({}, result.base.google), {}, {"email": long}).changes == ()


@pytest.mark.rule("CON-18")
def test_a_company_edited_in_google_stays_there_and_is_told_once() -> None:
    base = {"company": "Acme"}

    result = merged((base, base), {"company": "Acme"}, {"company": "Umbrella"})

    assert result.is_quiet
    assert result.changes[0].note is Note.COMPANY_EDITED
    told = (result.base.crm, result.base.google)
    again = merged(told, {"company": "Acme"}, {"company": "Umbrella"})
    assert again.changes == ()


@pytest.mark.rule("CON-18")
def test_a_missing_account_never_blanks_the_company() -> None:
    base = {"company": "Acme"}

    result = merged((base, base), {}, {"company": "Acme"})

    assert result.is_quiet


@pytest.mark.rule("CON-18")
def test_a_company_edited_in_the_crm_goes_to_google() -> None:
    base = {"company": "Acme"}

    result = merged((base, base), {"company": "Umbrella"}, {"company": "Acme"})

    assert result.google == {"company": "Umbrella"}


@pytest.mark.rule("CON-5")
def test_to_google_leaves_google_edits_until_the_crm_field_changes() -> None:
    policy = Policy(direction=Direction.TO_GOOGLE)
    base = {"title": "CTO"}

    left = merged((base, base), {"title": "CTO"}, {"title": "CFO"}, policy)
    then = merged(
        (left.base.crm, left.base.google), {"title": "CEO"}, {"title": "CFO"}, policy
    )

    assert left.is_quiet
    assert then.google == {"title": "CEO"}
    assert then.changes[0].lost == "CFO"


@pytest.mark.rule("CON-5")
def test_to_crm_mirrors_this() -> None:
    policy = Policy(direction=Direction.TO_CRM)
    base = {"title": "CTO"}

    result = merged((base, base), {"title": "CEO"}, {"title": "CTO"}, policy)

    assert result.is_quiet
    assert result.base.crm == base


@pytest.mark.rule("CON-22")
def test_linking_fills_empty_fields_and_keeps_the_loser() -> None:
    result = merged(None, {"title": "CEO", "web": "a.example"}, {"title": "CFO"})

    assert result.google == {"web": "a.example"}
    assert result.crm == {"title": "CFO"}
    assert [c.lost for c in result.changes if c.is_conflict] == ["CEO"]


@pytest.mark.rule("CON-22", "CON-15")
def test_linking_a_cut_value_with_its_long_one_is_no_conflict() -> None:
    result = merged(None, {"notes": "a lon"}, {"notes": "a long story"})

    assert result.is_quiet
    assert not result.has_conflict


@pytest.mark.rule("CON-11")
def test_blanking_one_side_blanks_the_other() -> None:
    base = {"title": "CTO"}

    result = merged((base, base), {}, {"title": "CTO"})

    assert result.google == {"title": ""}
    assert result.changes[0].winner is Winner.CRM
