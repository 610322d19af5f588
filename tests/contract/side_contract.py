"""What every side promises (CRM-1): one suite for all adapters and for the fakes.

A test module subclasses `SideContract` (or `crm_contract.CrmSideContract`) and offers
a fixture `bench`: the side, and a hand that works on the same records as a person
would. For Google that hand is the sandbox's control interface:

    class TestGoogleContacts(SideContract):
        @pytest.fixture
        def bench(self, anna: Account) -> Bench: ...
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Protocol

import pytest

from crmsync.errors import CursorExpired, EtagMismatch, NotFound
from crmsync.ports import CrmSide, Edit, NewRecord, Outcome, Side
from crmsync.records.keys import SyncKey
from crmsync.records.remote import Remote
from crmsync.records.values import SideName, Values

INSTALLATION = "inst"
USER = "u"
_numbers = itertools.count(1)


class AnyBench(Protocol):
    """A side under test, and a person's hand on the same records."""

    @property
    def side(self) -> Side:
        """The side, opened."""
        ...

    @property
    def unknown_id(self) -> str:
        """An id as the side gives them, of a record that never was."""
        ...

    def put(self, values: Mapping[str, str]) -> str:
        """Make a record by hand; returns its id."""
        ...

    def edit(self, remote_id: str, values: Mapping[str, str]) -> None:
        """Change some fields by hand; "" clears."""
        ...

    def remove(self, remote_id: str) -> None:
        """Delete a record by hand."""
        ...

    def settle(self) -> None:
        """Wait until the side's feed shows everything that was done."""
        ...


class Bench(AnyBench, Protocol):
    """A side of contacts under test: they are selected by a label or group."""

    def put(self, values: Mapping[str, str], *, selected: bool = True) -> str:
        """Make a record by hand; returns its id."""
        ...

    def mark(self, remote_id: str, *, selected: bool) -> None:
        """Put a record in the label or group by hand, or take it out."""
        ...


class AnyCrmBench(AnyBench, Protocol):
    """A CRM's side under test."""

    @property
    def side(self) -> CrmSide:
        """The side, opened."""
        ...


class CrmBench(AnyCrmBench, Bench, Protocol):
    """A CRM's contacts under test."""

    def drop_collection(self) -> None:
        """Delete the Contact Sync Group by hand."""
        ...


def person(**values: str) -> dict[str, str]:
    """Return the values of an invented person, another one each time."""
    n = next(_numbers)
    return {
        "first": f"First{n}",
        "last": f"Last{n}",
        "email": f"p{n}@mail.example",
        "title": "Engineer",
        **values,
    }


def new_key(origin: str = "") -> str:
    n = next(_numbers)
    return SyncKey(INSTALLATION, USER, origin or f"o{n}", f"n{n}").text


def new_record(**values: str) -> NewRecord:
    return NewRecord(new_key(), person(**values))


def edit_of(remote: Remote, values: Values) -> Edit:
    """Return an edit that was planned from a record as it was read."""
    return Edit(remote.remote_id, remote.etag, remote.values, values, remote.values)


def remote_of(outcome: Outcome) -> Remote:
    assert outcome.error is None
    assert outcome.remote is not None
    return outcome.remote


def fetched(side: Side, remote_id: str) -> Remote:
    return side.fetch([remote_id])[remote_id]


def shown(side: Side, remote: Remote) -> dict[str, str]:
    return dict(side.project(remote, None))


class Reader:
    """Follows a side's feed, and looks at the shape of its pages."""

    def __init__(self, bench: AnyBench) -> None:
        self.bench = bench
        self.cursor: str | None = None

    def read(self) -> list[Remote]:
        self.bench.settle()
        pages = list(self.bench.side.read(self.cursor))
        assert all(page.cursor is None for page in pages[:-1])
        assert pages[-1].cursor is not None
        self.cursor = pages[-1].cursor
        return [remote for page in pages for remote in page.records]

    def read_by_id(self) -> dict[str, Remote]:
        """Read; of a record that is shown twice the last one counts."""
        return {remote.remote_id: remote for remote in self.read()}


class AnySideContract:
    """Behaviour of every side, of whatever kind its records are.

    Attributes:
        free: a text field that may be empty; `person` and its like fill it.
        main: another text field.
    """

    free = "title"
    main = "last"

    def values(self) -> dict[str, str]:
        """Return the values of another invented record each time."""
        return person()

    def record(self) -> NewRecord:
        """Return a record to create."""
        return NewRecord(new_key(), self.values())

    # ------------------------------------------------------------------ shape

    def test_a_side_says_who_it_is(self, bench: AnyBench) -> None:
        side = bench.side

        opened = side.open({}, verify=True, may_write=True)

        assert side.name in SideName
        assert side.batch_size >= 1
        assert side.requests >= 0
        assert not opened.was_restored

    def test_nothing_asked_is_nothing_answered(self, bench: AnyBench) -> None:
        side = bench.side

        assert dict(side.fetch([])) == {}
        for write in (side.create, side.update):
            assert list(write([])) == []
        for remove in (side.delete, side.select, side.deselect):
            assert list(remove([])) == []

    # ------------------------------------------------------------------ creating

    @pytest.mark.rule("CON-8", "CRM-1")
    def test_a_created_record_comes_back_by_fetch(self, bench: AnyBench) -> None:
        record = self.record()

        made = remote_of(bench.side.create([record])[0])

        now = fetched(bench.side, made.remote_id)
        assert shown(bench.side, now) == record.values
        assert shown(bench.side, made) == record.values
        assert (now.side, now.etag, now.key) == (
            bench.side.name,
            made.etag,
            record.key,
        )
        assert now.is_selected
        assert not now.is_gone

    @pytest.mark.rule("CON-8", "CRM-1")
    def test_a_created_record_comes_back_by_the_feed(self, bench: AnyBench) -> None:
        reader = Reader(bench)
        reader.read()
        record = self.record()

        made = remote_of(bench.side.create([record])[0])

        found = reader.read_by_id()
        assert set(found) == {made.remote_id}
        seen = found[made.remote_id]
        assert shown(bench.side, seen) == record.values
        assert (seen.is_selected, seen.is_gone) == (True, False)
        assert seen.stamp >= made.stamp

    def test_creates_are_answered_in_order(self, bench: AnyBench) -> None:
        records = [self.record() for _ in range(min(4, bench.side.batch_size))]

        made = [remote_of(outcome) for outcome in bench.side.create(records)]

        values = [shown(bench.side, remote) for remote in made]
        assert values == [record.values for record in records]
        assert len({remote.remote_id for remote in made}) == len(records)

    # ------------------------------------------------------------------ reading

    @pytest.mark.rule("CON-4")
    def test_a_full_read_shows_each_selected_record_once(self, bench: AnyBench) -> None:
        ids = [bench.put(self.values()) for _ in range(7)]

        found = [r.remote_id for r in Reader(bench).read() if r.is_selected]

        assert sorted(found) == sorted(ids)

    def test_a_full_read_shows_no_gone_record(self, bench: AnyBench) -> None:
        kept, lost = bench.put(self.values()), bench.put(self.values())
        bench.remove(lost)

        assert [r.remote_id for r in Reader(bench).read()] == [kept]

    @pytest.mark.rule("ENG-4")
    def test_each_change_is_shown_after_its_cursor_and_not_again(
        self, bench: AnyBench
    ) -> None:
        one, other = bench.put(self.values()), bench.put(self.values())
        reader = Reader(bench)
        reader.read()

        assert reader.read() == []
        bench.edit(one, {self.free: "Doctor"})
        assert [r.remote_id for r in reader.read()] == [one]
        bench.edit(other, {self.free: "Nurse"})
        assert [r.remote_id for r in reader.read()] == [other]
        assert reader.read() == []

    @pytest.mark.rule("ENG-4")
    def test_a_cursor_may_be_used_again(self, bench: AnyBench) -> None:
        one = bench.put(self.values())
        reader = Reader(bench)
        reader.read()
        before = reader.cursor
        bench.edit(one, {self.free: "Doctor"})
        assert set(reader.read_by_id()) == {one}

        reader.cursor = before

        again = reader.read_by_id()
        assert shown(bench.side, again[one])[self.free] == "Doctor"

    def test_a_record_changed_twice_is_shown_as_it_is(self, bench: AnyBench) -> None:
        one = bench.put(self.values())
        reader = Reader(bench)
        reader.read()

        bench.edit(one, {self.free: "Doctor"})
        bench.edit(one, {self.free: "Nurse"})

        seen = reader.read_by_id()[one]
        assert shown(bench.side, seen)[self.free] == "Nurse"
        assert seen.etag == fetched(bench.side, one).etag

    @pytest.mark.rule("ENG-4")
    @pytest.mark.parametrize("cursor", ["damaged", "", "-1", "x:y", "99:zz", "\x00"])
    def test_a_damaged_cursor_has_expired(self, bench: AnyBench, cursor: str) -> None:
        with pytest.raises(CursorExpired):
            list(bench.side.read(cursor))

    def test_every_asked_id_is_answered_and_an_unknown_one_is_gone(
        self, bench: AnyBench
    ) -> None:
        one = bench.put(self.values())

        found = bench.side.fetch([bench.unknown_id, one])

        assert set(found) == {bench.unknown_id, one}
        assert not found[one].is_gone
        unknown = found[bench.unknown_id]
        assert (unknown.is_gone, unknown.is_selected) == (True, False)
        assert unknown.remote_id == bench.unknown_id
        assert dict(unknown.values) == {}

    def test_a_person_s_edit_is_another_and_later_version(
        self, bench: AnyBench
    ) -> None:
        one = bench.put(self.values())
        before = fetched(bench.side, one)

        bench.edit(one, {self.free: "Doctor"})

        after = fetched(bench.side, one)
        assert after.etag != before.etag
        assert after.stamp > before.stamp
        assert shown(bench.side, after)[self.free] == "Doctor"

    # ------------------------------------------------------------------ updating

    @pytest.mark.rule("CON-16")
    def test_an_update_writes_its_fields_and_leaves_the_others(
        self, bench: AnyBench
    ) -> None:
        values = self.values()
        before = fetched(bench.side, bench.put(values))

        outcome = bench.side.update(
            [edit_of(before, {self.free: "", self.main: "New"})]
        )[0]

        now = fetched(bench.side, before.remote_id)
        # The CRM's section is the side's own, made of what else it knows (CAL-5).
        section = {n: v for n, v in shown(bench.side, before).items() if n == "context"}
        expected = {**values, **section, self.main: "New"}
        del expected[self.free]
        assert shown(bench.side, now) == expected
        assert shown(bench.side, remote_of(outcome)) == expected
        assert now.is_selected

    @pytest.mark.rule("ENG-3")
    def test_an_update_answers_with_the_version_it_made(self, bench: AnyBench) -> None:
        before = fetched(bench.side, bench.put(self.values()))

        first = remote_of(bench.side.update([edit_of(before, {self.free: "A"})])[0])
        second = remote_of(bench.side.update([edit_of(first, {self.free: "B"})])[0])

        assert len({before.etag, first.etag, second.etag}) == 3
        assert before.stamp < first.stamp < second.stamp
        assert second.etag == fetched(bench.side, before.remote_id).etag

    @pytest.mark.rule("ENG-3")
    def test_an_update_comes_back_by_the_feed(self, bench: AnyBench) -> None:
        before = fetched(bench.side, bench.put(self.values()))
        reader = Reader(bench)
        reader.read()

        made = remote_of(bench.side.update([edit_of(before, {self.free: "A"})])[0])

        seen = reader.read_by_id()[before.remote_id]
        assert (seen.etag, shown(bench.side, seen)[self.free]) == (made.etag, "A")

    @pytest.mark.rule("ENG-3")
    def test_a_stale_update_of_other_values_is_refused_with_the_record_as_it_is(
        self, bench: AnyBench
    ) -> None:
        before = fetched(bench.side, bench.put(self.values()))
        bench.edit(before.remote_id, {self.main: "Theirs"})

        outcome = bench.side.update([edit_of(before, {self.free: "Ours"})])[0]

        assert isinstance(outcome.error, EtagMismatch)
        now = fetched(bench.side, before.remote_id)
        assert shown(bench.side, now)[self.main] == "Theirs"
        assert shown(bench.side, now)[self.free] == shown(bench.side, before)[self.free]
        assert outcome.remote is not None
        assert outcome.remote.etag == now.etag
        assert shown(bench.side, outcome.remote) == shown(bench.side, now)

    @pytest.mark.rule("CON-19", "ENG-3")
    def test_a_stale_update_of_the_same_values_is_written(
        self, bench: AnyBench
    ) -> None:
        before = fetched(bench.side, bench.put(self.values()))
        bench.edit(before.remote_id, {self.main: "Theirs"})
        bench.edit(before.remote_id, {self.main: shown(bench.side, before)[self.main]})

        outcome = bench.side.update([edit_of(before, {self.free: "Ours"})])[0]

        assert shown(bench.side, remote_of(outcome))[self.free] == "Ours"

    def test_updates_are_answered_in_order_whatever_becomes_of_each(
        self, bench: AnyBench
    ) -> None:
        ids = [bench.put(self.values()) for _ in range(3)]
        found = bench.side.fetch(ids)
        bench.edit(ids[0], {self.main: "Theirs"})
        bench.remove(ids[1])

        outcomes = bench.side.update(
            [edit_of(found[i], {self.free: f"T{n}"}) for n, i in enumerate(ids)]
        )

        kinds = [type(outcome.error) for outcome in outcomes]
        assert kinds == [EtagMismatch, NotFound, type(None)]
        assert shown(bench.side, remote_of(outcomes[2]))[self.free] == "T2"

    def test_an_update_of_an_unknown_record_finds_none(self, bench: AnyBench) -> None:
        edit = Edit(bench.unknown_id, "1", {}, {self.free: "A"}, {})

        assert isinstance(bench.side.update([edit])[0].error, NotFound)

    # ------------------------------------------------------------------ removing

    @pytest.mark.rule("CON-14")
    def test_a_deleted_record_is_gone_by_fetch_and_by_the_feed(
        self, bench: AnyBench
    ) -> None:
        one = bench.put(self.values())
        reader = Reader(bench)
        reader.read()

        outcomes = bench.side.delete([one])

        assert [outcome.error for outcome in outcomes] == [None]
        for found in (fetched(bench.side, one), reader.read_by_id()[one]):
            assert (found.is_gone, found.is_selected) == (True, False)
            assert dict(found.values) == {}

    def test_a_record_deleted_by_hand_is_gone(self, bench: AnyBench) -> None:
        one = bench.put(self.values())
        reader = Reader(bench)
        reader.read()

        bench.remove(one)

        assert fetched(bench.side, one).is_gone
        assert reader.read_by_id()[one].is_gone

    def test_deleting_again_is_no_error(self, bench: AnyBench) -> None:
        one = bench.put(self.values())
        bench.side.delete([one])
        reader = Reader(bench)
        reader.read()

        assert [outcome.error for outcome in bench.side.delete([one])] == [None]
        assert reader.read() == []

    def test_deleting_an_unknown_record_is_no_error(self, bench: AnyBench) -> None:
        one = bench.put(self.values())

        outcomes = bench.side.delete([bench.unknown_id, one])

        assert [outcome.error for outcome in outcomes] == [None, None]
        assert fetched(bench.side, one).is_gone


class SideContract(AnySideContract):
    """Behaviour of every side of contacts: they are selected by a label or group."""

    @pytest.mark.rule("CON-4", "CON-12")
    def test_selecting_is_seen_by_fetch_and_by_the_feed(self, bench: Bench) -> None:
        one = bench.put(person(), selected=False)
        reader = Reader(bench)
        reader.read()
        assert not fetched(bench.side, one).is_selected

        for write, is_selected in (
            (bench.side.select, True),
            (bench.side.deselect, False),
        ):
            assert [outcome.error for outcome in write([one])] == [None]
            assert fetched(bench.side, one).is_selected is is_selected
            assert reader.read_by_id()[one].is_selected is is_selected

    @pytest.mark.rule("CON-4", "CON-13")
    def test_a_person_s_selection_is_seen_by_the_feed(self, bench: Bench) -> None:
        one = bench.put(person(), selected=False)
        reader = Reader(bench)
        reader.read()

        for is_selected in (True, False):
            bench.mark(one, selected=is_selected)
            assert reader.read_by_id()[one].is_selected is is_selected

    def test_selecting_again_changes_nothing(self, bench: Bench) -> None:
        inside = bench.put(person())
        outside = bench.put(person(), selected=False)
        reader = Reader(bench)
        reader.read()

        assert bench.side.select([inside])[0].error is None
        assert bench.side.deselect([outside])[0].error is None

        assert reader.read() == []

    def test_selecting_keeps_the_values(self, bench: Bench) -> None:
        values = person()
        one = bench.put(values)

        bench.side.deselect([one])
        bench.side.select([one])

        assert shown(bench.side, fetched(bench.side, one)) == values

    def test_a_gone_record_cannot_be_selected(self, bench: Bench) -> None:
        lost, kept = bench.put(person()), bench.put(person(), selected=False)
        bench.remove(lost)

        outcomes = bench.side.select([lost, kept])

        assert [type(o.error) for o in outcomes] == [NotFound, type(None)]
        assert fetched(bench.side, kept).is_selected

    def test_an_unknown_record_cannot_be_selected(self, bench: Bench) -> None:
        outcome = bench.side.select([bench.unknown_id])[0]

        assert isinstance(outcome.error, NotFound)

    def test_deselecting_a_gone_record_is_no_error(self, bench: Bench) -> None:
        lost, kept = bench.put(person()), bench.put(person())
        bench.remove(lost)

        outcomes = bench.side.deselect([lost, kept])

        assert [outcome.error for outcome in outcomes] == [None, None]
        assert not fetched(bench.side, kept).is_selected

    def test_deselecting_an_unknown_record_is_no_error(self, bench: Bench) -> None:
        assert bench.side.deselect([bench.unknown_id])[0].error is None
