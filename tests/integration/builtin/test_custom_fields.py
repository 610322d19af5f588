"""The built-in CRM's side with a mapping that was narrowed or extended (CON-17)."""

from __future__ import annotations

import pytest

from crm import contacts
from crm.fields import FIELDS
from crmsync.errors import CursorExpired, InvalidRecord
from tests.contract.benches import BuiltinBench
from tests.contract.side_contract import (
    Reader,
    edit_of,
    fetched,
    new_record,
    remote_of,
)

SIZE = "custom:Shoe size"


@pytest.mark.rule("CON-17")
@pytest.mark.parametrize(
    "fields", [("last", "email"), ("last", "email", "title", SIZE)]
)
def test_a_cursor_of_other_fields_has_expired(
    bench: BuiltinBench, fields: tuple[str, ...]
) -> None:
    reader = Reader(bench)
    bench.side = bench.new_side(fields=("last", "email", "title"))
    reader.read()

    with pytest.raises(CursorExpired, match="these fields"):
        list(bench.new_side(fields=fields).read(reader.cursor))

    same = bench.new_side(fields=("title", "email", "last"))
    assert [page.records for page in same.read(reader.cursor)] == [()]


@pytest.mark.rule("CON-17")
def test_mapped_custom_fields_are_written_and_read_and_others_stay(
    bench: BuiltinBench,
) -> None:
    side = bench.new_side(fields=(*FIELDS, SIZE))
    (made,) = side.create([new_record(**{SIZE: "38"})])
    remote = remote_of(made)
    bench.edit(remote.remote_id, {"custom:Badge": "7"})

    (edited,) = side.update([edit_of(remote, {SIZE: "39"})])

    assert edited.error is None  # what is not mapped is no other version (ENG-3)
    shown = fetched(side, remote.remote_id)
    assert shown.values == {**remote.values, SIZE: "39"}
    assert SIZE not in fetched(bench.side, remote.remote_id).values
    with bench.database.read() as conn:
        assert contacts.get(conn, remote.remote_id).values["custom:Badge"] == "7"
    (cleared,) = side.update([edit_of(shown, {SIZE: ""})])
    assert SIZE not in remote_of(cleared).values


@pytest.mark.rule("CON-17", "CON-15")
def test_the_limits_are_those_of_the_mapped_fields(bench: BuiltinBench) -> None:
    side = bench.new_side(fields=("last", SIZE))

    assert side.limits == {"last": contacts.LIMITS["last"], SIZE: 255}


@pytest.mark.rule("CON-17", "ENG-8")
def test_a_refused_custom_value_names_its_field_as_people_know_it(
    bench: BuiltinBench,
) -> None:
    side = bench.new_side(fields=(*FIELDS, SIZE))

    bad, good = side.create([new_record(**{SIZE: "x" * 256}), new_record()])

    assert isinstance(bad.error, InvalidRecord)
    assert bad.error.fields == (SIZE,)
    assert "the contact: Shoe size takes 255 characters, not 256." in str(bad.error)
    assert good.error is None
