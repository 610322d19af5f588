"""Whole cycles between the built-in CRM and Google in memory."""

from __future__ import annotations

import pytest

from crm import accounts
from crm.accounts import AccountRule
from crmsync.cycle import CycleReport, Run, run_cycle
from crmsync.engine.plan import ItemState
from crmsync.engine.policy import Policy
from crmsync.engine.report import CycleState
from crmsync.records.contacts import FIELDS
from crmsync.records.values import FieldTable
from tests.contract.benches import BuiltinBench
from tests.contract.side_contract import INSTALLATION, USER, fetched, person
from tests.support.memory_sides import MemoryGoogle
from tests.support.memory_state import CountingIds, MemoryState


class Pair:
    """One user's contacts on both sides."""

    def __init__(self, bench: BuiltinBench) -> None:
        self.bench = bench
        self.google = MemoryGoogle(bench.clock)
        self.state = MemoryState(bench.clock)
        self.ids = CountingIds()

    def cycle(self) -> CycleReport:
        self.bench.clock.advance(60)
        self.state.begin(None)
        return run_cycle(
            Run(
                self.bench.side,
                self.google,
                self.state,
                FieldTable(FIELDS, self.bench.side.limits),
                Policy(),
                self.bench.clock,
                self.ids,
                installation=INSTALLATION,
                user=USER,
            )
        )

    def links(self) -> dict[str, str]:
        return {k.crm_id: k.google_id for k in self.state.tables.links.values()}


@pytest.fixture
def pair(bench: BuiltinBench) -> Pair:
    return Pair(bench)


def assert_equal_sides(pair: Pair) -> None:
    for crm_id, google_id in pair.links().items():
        here = dict(fetched(pair.bench.side, crm_id).values)
        there = dict(pair.google.rows[google_id].values)
        assert here == there


@pytest.mark.rule("CON-6", "CON-8", "ENG-1", "ENG-2")
def test_both_sides_come_together_and_stay_so(pair: Pair) -> None:
    here = [pair.bench.put(person(company="Acme")) for _ in range(5)]
    there = [pair.google.put(person(company="Else")).remote_id for _ in range(5)]
    same = person()
    known = pair.bench.put(same)
    twin = pair.google.put({**same, "email": same["email"].upper()}).remote_id

    first = pair.cycle()
    again = [pair.cycle() for _ in range(2)]

    assert first.state is CycleState.SUCCEEDED
    assert len(pair.links()) == 11
    assert pair.links()[known] == twin
    assert set(here) < set(pair.links())
    assert set(there) < set(pair.links().values())
    assert [report.state for report in again] == [CycleState.SUCCEEDED] * 2
    assert pair.state.cycle_items() == []
    for crm_id, google_id in pair.links().items():
        if crm_id != known:
            values = dict(fetched(pair.bench.side, crm_id).values)
            assert values == pair.google.rows[google_id].values


@pytest.mark.rule("ENG-1", "ENG-3", "CON-11")
def test_edits_on_both_sides_are_merged_per_field(pair: Pair) -> None:
    crm_id = pair.bench.put(person())
    pair.cycle()
    google_id = pair.links()[crm_id]

    pair.bench.edit(crm_id, {"title": "Doctor"})
    pair.google.edit(google_id, last="Newly")
    pair.cycle()

    now = fetched(pair.bench.side, crm_id).values
    assert (now["title"], now["last"]) == ("Doctor", "Newly")
    assert_equal_sides(pair)


@pytest.mark.rule("CON-12", "CON-13", "CON-14")
def test_leaving_the_selection_ends_the_link_and_keeps_the_contact(
    pair: Pair,
) -> None:
    left, lost, parted = (pair.bench.put(person()) for _ in range(3))
    pair.cycle()
    google = pair.links()

    pair.bench.mark(left, selected=False)
    pair.bench.remove(lost)
    pair.google.remove(google[parted])
    pair.cycle()

    assert pair.links() == {}
    assert not fetched(pair.bench.side, left).is_gone
    assert pair.google.rows[google[left]].gone
    assert not pair.google.rows[google[lost]].gone
    assert not pair.google.rows[google[lost]].selected
    assert not fetched(pair.bench.side, parted).is_gone
    assert not fetched(pair.bench.side, parted).is_selected


@pytest.mark.rule("CON-9")
def test_an_ambiguous_company_is_held_and_nothing_is_made(pair: Pair) -> None:
    with pair.bench.database.write() as conn:
        for _ in range(2):
            accounts.create(conn, "Acme", rule=AccountRule())
    pair.bench.side = pair.bench.new_side(ambiguous_account="hold")
    pair.google.put(person(company="Acme"))

    pair.cycle()

    items = pair.state.cycle_items()
    assert [(i.state, i.reason) for i in items] == [
        (ItemState.HELD, "ambiguous_account")
    ]
    assert pair.links() == {}
