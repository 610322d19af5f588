"""What was written is never hidden by a fault that comes after it."""

from __future__ import annotations

from typing import Any

import pytest

from crmsync.errors import (
    EtagMismatch,
    InvalidRecord,
    NotFound,
    OutcomeUnknown,
    ProviderDown,
    RateLimited,
    ReconnectNeeded,
)
from tests.unit.connectors.test_contacts_odd import (
    BAD,
    STALE,
    Fixture,
    Reply,
    box,
    edit,
    kinds,
    made,
    person,
    records,
    shown,
)

__all__ = ["box"]

DOWN: list[Reply] = [(503, {})] * 4
BUSY: list[Reply] = [(429, {})] * 4
DEAD: list[Reply] = [(401, {})] * 2


def edits(count: int) -> list[Any]:
    return [edit(f"people/c{n}", {"first": "A"}, {"last": "B"}) for n in range(count)]


def people(count: int) -> Reply:
    return shown(*(person(f"people/c{n}") for n in range(count)))


@pytest.mark.rule("ENG-3", "ENG-8")
@pytest.mark.parametrize("fault", [DOWN, BUSY, DEAD], ids=["down", "busy", "dead"])
def test_a_stale_record_that_can_not_be_read_again_costs_only_itself(
    box: Fixture, fault: list[Reply]
) -> None:
    box.when("batchGet", people(2), *fault)
    box.when("batchUpdateContacts", (400, STALE), (200, {}), (400, STALE))

    found = box.side.update(edits(2))

    assert kinds(found) == [None, EtagMismatch]
    assert found[0].remote is not None
    assert found[1].remote is None


def test_a_stale_record_that_makes_no_sense_now_costs_only_itself(box: Fixture) -> None:
    broken = {**person("people/c1"), "names": "A"}
    box.when("batchGet", people(2), shown(broken))
    box.when("batchUpdateContacts", (400, STALE), (200, {}), (400, STALE))

    assert kinds(box.side.update(edits(2))) == [None, EtagMismatch]


@pytest.mark.rule("ENG-8")
def test_what_an_update_did_not_come_to_has_the_fault_s_own_error(box: Fixture) -> None:
    box.when("batchGet", people(2))
    box.when("batchUpdateContacts", (400, STALE), (200, {}), *BUSY)

    assert kinds(box.side.update(edits(2))) == [None, RateLimited]


@pytest.mark.rule("ENG-2")
@pytest.mark.parametrize(
    "reply", [[], {"updateResult": []}, {"updateResult": {"people/c0": []}}]
)
def test_an_update_with_an_unreadable_answer_is_unknown(
    box: Fixture, reply: Any
) -> None:
    box.when("batchGet", people(1))
    box.when("batchUpdateContacts", (200, reply))

    assert kinds(box.side.update(edits(1))) == [OutcomeUnknown]


@pytest.mark.rule("ENG-2", "ENG-8")
@pytest.mark.parametrize(
    ("fault", "error"), [(BUSY, RateLimited), (DEAD, ReconnectNeeded)]
)
def test_contacts_that_were_made_survive_a_fault_of_the_second_try(
    box: Fixture, fault: list[Reply], error: type
) -> None:
    first = {"createdPeople": [made("people/c1", "k1"), BAD, BAD]}
    box.when("batchCreateContacts", (200, first), *fault)

    found = box.side.create(records(3))

    assert kinds(found) == [error, None, error]


@pytest.mark.rule("ENG-2")
def test_a_create_with_an_unreadable_answer_is_unknown(box: Fixture) -> None:
    broken = {"person": {**person("people/c1"), "clientData": "x"}}
    some = {"createdPeople": [made("people/c2", "k1"), broken, "x"]}
    box.when("batchCreateContacts", (200, []), (200, some))

    assert kinds(box.side.create(records(1))) == [OutcomeUnknown]
    assert kinds(box.side.create(records(2))) == [OutcomeUnknown, None]


@pytest.mark.rule("ENG-2", "ENG-8")
def test_a_lost_delete_is_not_hidden_by_the_next_fault(box: Fixture) -> None:
    box.when("batchDeleteContacts", (400, {}))
    box.when("deleteContact", "closed", *BUSY)

    found = box.side.delete(["people/c1", "people/c2"])

    assert kinds(found) == [OutcomeUnknown, RateLimited]


@pytest.mark.rule("ENG-8")
@pytest.mark.parametrize(
    ("fault", "error"),
    [(BUSY, RateLimited), (DEAD, ReconnectNeeded), ([(400, {})], InvalidRecord)],
)
def test_a_change_of_the_label_keeps_what_was_done_before_any_fault(
    box: Fixture, fault: list[Reply], error: type
) -> None:
    box.when("modify", (200, {}), *fault)

    found = kinds(box.side.select([f"people/c{n}" for n in range(1500)]))

    assert found == [None] * 1000 + [error] * 500


STUCK = {"canNotRemoveLastContactGroupResourceNames": ["people/c1"]}


@pytest.mark.rule("ENG-8")
@pytest.mark.parametrize(
    ("replies", "error"),
    [
        (BUSY, RateLimited),
        (DEAD, ReconnectNeeded),
        (["closed"], OutcomeUnknown),
        ([(404, {})], NotFound),
        ([(200, {}), *BUSY], RateLimited),
        ([(200, {}), (404, {})], None),
    ],
)
def test_who_left_the_label_at_once_has_left_it_whatever_comes_next(
    box: Fixture, replies: list[Reply], error: type | None
) -> None:
    box.when("modify", (200, STUCK), *replies)

    assert kinds(box.side.deselect(["people/c1", "people/c2"])) == [error, None]


def test_a_fault_before_anything_was_written_is_raised(box: Fixture) -> None:
    box.when("modify", *BUSY)
    box.when("batchGet", *DOWN)

    with pytest.raises(RateLimited):
        box.side.select(["people/c1"])
    with pytest.raises(ProviderDown):
        box.side.update(edits(1))
