"""Who is who."""

from __future__ import annotations

import pytest

from crmsync.engine.match import Decision, Identity, Verdict, decide, identity
from crmsync.engine.policy import WeakMatch
from crmsync.records.contacts import FIELDS
from crmsync.records.values import FieldTable
from tests.support.world import person

TABLE = FieldTable(FIELDS, {"first": 12, "last": 32, "company": 32})


def who(number: int, name: str = "", **values: str) -> Identity:
    return identity(name or f"r{number}", person(number, **values), TABLE)


def decided(
    me: Identity,
    selected: list[Identity],
    *,
    others: list[Identity] | None = None,
    rivals: list[Identity] | None = None,
    weak: WeakMatch = WeakMatch.HOLD,
) -> Decision:
    candidates = [*selected, *(others or [])]
    around = {c.record_id: [me, *(rivals or [])] for c in candidates}
    return decide(me, (selected, others or []), around, weak)


@pytest.mark.rule("CON-6")
def test_any_common_address_links() -> None:
    me = who(1, email2="Other@Example.com")
    other = who(1, "g1", email="other@example.com")

    assert decided(me, [other]) == Decision(Verdict.LINK, "address", ("g1",))


@pytest.mark.rule("CON-7")
def test_a_different_last_name_is_held() -> None:
    other = who(1, "g1", last="Jones")

    decision = decided(who(1), [other])

    assert (decision.verdict, decision.reason) == (Verdict.HOLD, "different_last_names")


@pytest.mark.rule("CON-7")
def test_of_several_the_one_with_the_same_name_is_taken() -> None:
    same = who(1, "g1")
    other = who(1, "g2", first="Mary")

    assert decided(who(1), [same, other]).candidates == ("g1",)


@pytest.mark.rule("CON-7")
def test_several_without_a_unique_name_are_held() -> None:
    twins = [who(1, "g1"), who(1, "g2")]

    assert decided(who(1), twins).reason == "several_candidates"


@pytest.mark.rule("CON-7")
def test_a_candidate_that_is_another_record_by_name_is_left_to_it() -> None:
    john = who(1, "g1", first="John")
    mary, rival = who(1, first="Mary"), who(1, "c2", first="John")

    decision = decided(mary, [john], rivals=[rival])

    assert (decision.verdict, decision.reason) == (Verdict.NONE, "address_of_another")


@pytest.mark.rule("CON-7")
def test_rivals_of_the_same_name_are_held() -> None:
    decision = decided(who(1), [who(1, "g1")], rivals=[who(1, "c2")])

    assert decision.reason == "several_candidates"


@pytest.mark.rule("CON-7")
def test_a_selected_candidate_is_preferred_to_an_unselected_one() -> None:
    selected, other = who(1, "g1"), who(1, "g2")

    assert decided(who(1), [selected], others=[other]).candidates == ("g1",)


@pytest.mark.rule("CON-7")
@pytest.mark.parametrize(
    "values",
    [
        {"mobile": "(212) 555-0012"},
        {"company": " ACME  inc"},
    ],
)
def test_without_an_address_phone_or_company_with_the_name_is_a_weak_match(
    values: dict[str, str],
) -> None:
    me = who(1, email="", **values)
    other = who(1, "g1", mobile="+12125550012", company="Acme Inc")

    held = decided(me, [other])
    linked = decided(me, [other], weak=WeakMatch.LINK)

    assert (held.verdict, held.reason) == (Verdict.HOLD, "weak_match")
    assert linked == Decision(Verdict.LINK, "weak_match", ("g1",))


@pytest.mark.rule("CON-7")
def test_namesakes_with_addresses_of_their_own_are_different_people() -> None:
    me = who(1, email="a@example.com", company="Acme")
    other = who(1, "g1", email="b@example.com", company="Acme")

    assert decided(me, [other]).verdict is Verdict.NONE


@pytest.mark.rule("CON-7")
def test_empty_keys_never_match() -> None:
    nobody = identity("c1", {}, TABLE)

    assert decided(nobody, [identity("g1", {}, TABLE)]).verdict is Verdict.NONE


@pytest.mark.rule("CON-7")
def test_several_weak_candidates_are_held_even_if_weak_ones_link() -> None:
    me = who(1, email="", company="Acme")
    others = [who(1, "g1", company="Acme"), who(1, "g2", company="Acme")]

    decision = decided(me, others, weak=WeakMatch.LINK)

    assert (decision.verdict, decision.reason) == (Verdict.HOLD, "several_candidates")


@pytest.mark.rule("CON-7")
def test_a_weak_candidate_with_a_strong_rival_is_left_to_it() -> None:
    me = who(1, email="", company="Acme")
    candidate = who(1, "g1", company="Acme")

    decision = decided(me, [candidate], rivals=[who(1, "c2")])

    assert decision.verdict is Verdict.NONE


@pytest.mark.rule("CON-7", "CON-15")
def test_names_are_compared_at_the_crms_length() -> None:
    me = who(1, email="", company="Acme", first="Maximiliana-")
    other = who(1, "g1", company="Acme", first="Maximiliana-Victoria")

    assert decided(me, [other]).reason == "weak_match"
