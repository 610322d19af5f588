"""What a CRM's side promises on top of `SideContract`: keys, searches, its group."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from crmsync.errors import CollectionGone
from crmsync.ports import NewRecord, Query
from crmsync.records.remote import Remote
from tests.contract.side_contract import (
    AnyCrmBench,
    AnySideContract,
    CrmBench,
    Reader,
    SideContract,
    fetched,
    new_key,
    new_record,
    person,
    remote_of,
    shown,
)


def ids(remotes: Sequence[Remote]) -> list[str]:
    return sorted(remote.remote_id for remote in remotes)


class AnyCrmSideContract(AnySideContract):
    """Behaviour of every CRM's side, of whatever kind its records are."""

    @pytest.mark.rule("CON-15")
    def test_limits_are_positive(self, bench: AnyCrmBench) -> None:
        assert all(limit > 0 for limit in bench.side.limits.values())

    @pytest.mark.rule("ENG-2")
    def test_a_repeated_create_makes_no_second_record(self, bench: AnyCrmBench) -> None:
        record = self.record()
        first = remote_of(bench.side.create([record])[0])
        bench.edit(first.remote_id, {self.free: "Doctor"})

        again = remote_of(bench.side.create([record])[0])

        assert again.remote_id == first.remote_id
        assert shown(bench.side, again)[self.free] == "Doctor"
        assert ids(Reader(bench).read()) == [first.remote_id]

    @pytest.mark.rule("ENG-2")
    def test_a_key_given_twice_in_a_batch_makes_one_record(
        self, bench: AnyCrmBench
    ) -> None:
        record, other = self.record(), self.record()

        outcomes = bench.side.create([record, other, record])

        made = [remote_of(outcome).remote_id for outcome in outcomes]
        assert made[0] == made[2] != made[1]
        assert ids(Reader(bench).read()) == sorted(set(made))

    @pytest.mark.rule("ENG-2")
    def test_what_was_deleted_is_not_made_again(self, bench: AnyCrmBench) -> None:
        record = self.record()
        made = remote_of(bench.side.create([record])[0])
        bench.remove(made.remote_id)

        again = remote_of(bench.side.create([record])[0])

        assert (again.remote_id, again.is_gone) == (made.remote_id, True)
        assert Reader(bench).read() == []

    @pytest.mark.rule("ENG-2")
    def test_a_key_finds_its_record_even_a_deleted_one(
        self, bench: AnyCrmBench
    ) -> None:
        live, lost = self.record(), self.record()
        made = [remote_of(outcome) for outcome in bench.side.create([live, lost])]
        bench.remove(made[1].remote_id)

        found = bench.side.lookup([lost.key, new_key(), live.key])

        assert {key: (r.remote_id, r.is_gone) for key, r in found.items()} == {
            live.key: (made[0].remote_id, False),
            lost.key: (made[1].remote_id, True),
        }
        assert dict(bench.side.lookup([])) == {}

    @pytest.mark.rule("CON-20")
    def test_the_origin_in_a_key_finds_its_record(self, bench: AnyCrmBench) -> None:
        record = NewRecord(new_key("people/c1"), self.values())
        other = NewRecord(new_key("people/c11"), self.values())
        one = remote_of(bench.side.create([record, other])[0]).remote_id

        assert ids(bench.side.find(Query(origins=frozenset({"people/c1"})))) == [one]

    def test_an_empty_query_finds_nothing(self, bench: AnyCrmBench) -> None:
        bench.put(self.values())

        assert list(bench.side.find(Query())) == []


class CrmSideContract(AnyCrmSideContract, SideContract):
    """Behaviour of every CRM's side of contacts."""

    @pytest.mark.rule("CON-4")
    def test_a_full_read_shows_the_group_only(self, bench: CrmBench) -> None:
        inside = bench.put(person())
        bench.put(person(), selected=False)

        assert ids(Reader(bench).read()) == [inside]

    @pytest.mark.rule("CON-2")
    def test_without_its_group_the_side_cannot_be_opened(self, bench: CrmBench) -> None:
        bench.drop_collection()

        with pytest.raises(CollectionGone):
            bench.side.open({}, verify=True, may_write=True)

    @pytest.mark.rule("CON-12", "ENG-2")
    def test_a_repeated_create_selects_nothing_anew(self, bench: CrmBench) -> None:
        record = new_record()
        made = remote_of(bench.side.create([record])[0])
        bench.mark(made.remote_id, selected=False)

        again = remote_of(bench.side.create([record])[0])

        assert not again.is_selected
        assert not fetched(bench.side, made.remote_id).is_selected

    # ------------------------------------------------------------------ searching

    @pytest.mark.rule("CON-6", "CON-7")
    @pytest.mark.parametrize("slot", ["email", "email2", "email3"])
    @pytest.mark.parametrize("selected", [True, False])
    def test_any_address_finds_its_record_in_any_case(
        self, bench: CrmBench, slot: str, selected: bool
    ) -> None:
        values = {**person(), slot: "Ada.Byron@MAIL.example"}
        one = bench.put(values, selected=selected)
        bench.put(person())

        query = Query(addresses=frozenset({"ada.byron@mail.example", "no@x.example"}))

        found = bench.side.find(query)
        assert ids(found) == [one]
        assert found[0].is_selected is selected
        assert shown(bench.side, found[0]) == values

    @pytest.mark.rule("CON-7")
    def test_a_name_finds_its_record_in_any_case(self, bench: CrmBench) -> None:
        one = bench.put(person(first="Émile", last="de  ZOLA"))
        bench.put(person(first="Émile"))

        found = bench.side.find(Query(names=frozenset({("émile", "de zola")})))

        assert ids(found) == [one]

    @pytest.mark.rule("CON-7")
    def test_a_record_that_fits_in_several_ways_is_found_once(
        self, bench: CrmBench
    ) -> None:
        one = bench.put(person(first="A", last="B", email="x@mail.example"))
        other = bench.put(person(first="A", last="B", email2="X@mail.example"))

        found = bench.side.find(
            Query(frozenset({"x@mail.example"}), frozenset({("a", "b")}))
        )

        assert ids(found) == sorted([one, other])

    def test_a_gone_record_is_not_found(self, bench: CrmBench) -> None:
        bench.remove(bench.put(person(email="x@mail.example")))

        assert list(bench.side.find(Query(frozenset({"x@mail.example"})))) == []
