"""Halving batches until the record at fault is found."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from crmsync.connectors.google.batches import HALVINGS, Ledger
from crmsync.connectors.google.faults import CONTACTS_FULL
from crmsync.errors import (
    CrmSyncError,
    InvalidRecord,
    OutcomeUnknown,
    ProviderDown,
    RateLimited,
)
from crmsync.ports import Outcome


class Provider:
    """Takes batches whole or not at all; refuses those with a poisonous record."""

    def __init__(self, ledger: Ledger, poison: Sequence[int] = ()) -> None:
        self.ledger = ledger
        self.poison = set(poison)
        self.sent: list[list[int]] = []
        self.errors: dict[int, CrmSyncError] = {}

    def send(self, places: Sequence[int]) -> None:
        self.sent.append(list(places))
        if len(self.sent) in self.errors:
            raise self.errors[len(self.sent)]
        if self.poison.intersection(places):
            raise InvalidRecord("bad")
        self.ledger.found.update({at: Outcome() for at in places})


@pytest.mark.rule("ENG-8")
@pytest.mark.parametrize("poison", [[0], [199], [3, 150], []])
def test_only_the_records_at_fault_fail(poison: list[int]) -> None:
    ledger = Ledger(200)
    provider = Provider(ledger, poison)

    outcomes = ledger.send_all([range(200)], provider.send)

    assert [n for n, o in enumerate(outcomes) if o.error] == poison
    assert len(provider.sent) <= 1 + 16 * len(poison)


def test_the_search_for_faults_has_an_end() -> None:
    ledger = Ledger(200)
    provider = Provider(ledger, range(200))

    outcomes = ledger.send_all([range(200)], provider.send)

    assert all(isinstance(o.error, InvalidRecord) for o in outcomes)
    assert len(provider.sent) <= HALVINGS + 1


@pytest.mark.rule("ENG-2")
def test_a_refused_batch_that_may_be_half_done_is_unknown() -> None:
    ledger = Ledger(4)
    provider = Provider(ledger, [1])

    outcomes = ledger.send_all([range(4)], provider.send, is_atomic=False)

    assert all(isinstance(o.error, OutcomeUnknown) for o in outcomes)
    assert len(provider.sent) == 1


def test_a_fault_before_anything_was_done_is_raised() -> None:
    ledger = Ledger(4)
    provider = Provider(ledger)
    provider.errors[1] = ProviderDown("down")

    with pytest.raises(ProviderDown):
        ledger.send_all([range(4)], provider.send)


def test_a_fault_later_on_is_the_outcome_of_the_rest() -> None:
    ledger = Ledger(6)
    provider = Provider(ledger)
    provider.errors = {2: OutcomeUnknown("lost"), 3: RateLimited("slow")}

    outcomes = ledger.send_all([range(2), range(2, 4), range(4, 6)], provider.send)

    assert [type(o.error) for o in outcomes] == [
        type(None),
        type(None),
        OutcomeUnknown,
        OutcomeUnknown,
        RateLimited,
        RateLimited,
    ]


def test_a_full_address_book_ends_the_call() -> None:
    ledger = Ledger(6)
    provider = Provider(ledger)
    provider.errors[2] = InvalidRecord("full", code=CONTACTS_FULL)

    outcomes = ledger.send_all([range(2), range(2, 4), range(4, 6)], provider.send)

    codes = [o.error.code if o.error else "" for o in outcomes]
    assert codes == ["", "", *[CONTACTS_FULL] * 4]
    assert len(provider.sent) == 2
