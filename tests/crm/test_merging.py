from __future__ import annotations

import pytest
from sqlalchemy import Connection

from crm import accounts, contacts, groups, lookup, merging
from crm.errors import BadValue, NotFound
from crm.fields import FIELDS
from crm.merging import merge_values
from tests.crm.builders import all_changes, make_contact


def _values(**given: str) -> dict[str, str]:
    return dict.fromkeys(FIELDS, "") | given


@pytest.mark.rule("WEB-3", "CON-21")
def test_the_survivor_takes_what_it_lacks_and_the_loser_is_gone(
    conn: Connection,
) -> None:
    keep = make_contact(conn, title="Countess")
    lose = make_contact(
        conn, email="ADA@mail.example", email2="a@home.example", mobile="1", title="Ms"
    )

    merged = merging.merge(conn, keep.id, lose_id=lose.id)

    assert merged.row == contacts.get(conn, keep.id)
    assert merged.row.values == keep.values | {
        "email2": "a@home.example",
        "mobile": "1",
    }
    assert merged.left_out == {"title": "Ms"}
    (tombstone,) = contacts.read(conn, [lose.id])
    assert tombstone.deleted
    assert tombstone.merged_into == keep.id
    assert lookup.find_by_addresses(conn, ["a@home.example"]) == {
        "a@home.example": [keep.id]
    }


@pytest.mark.rule("CON-17", "CON-21")
def test_custom_fields_are_taken_where_the_survivor_has_none(conn: Connection) -> None:
    keep = make_contact(conn, **{"custom:Size": "38"})
    lose = make_contact(conn, **{"custom:Size": "40", "custom:Badge": "7"})

    merged = merging.merge(conn, keep.id, lose_id=lose.id)

    assert merged.row == contacts.get(conn, keep.id)
    assert merged.row.values == keep.values | {"custom:Badge": "7"}
    assert merged.left_out == {"custom:Size": "40"}


@pytest.mark.rule("CON-21")
def test_memberships_move_to_the_survivor_and_the_feed_shows_it(
    conn: Connection,
) -> None:
    keep, lose = make_contact(conn), make_contact(conn)
    both, one = groups.create(conn, "Both"), groups.create(conn, "One")
    gone = groups.create(conn, "Gone")
    groups.add_members(conn, both.id, contact_ids=[keep.id, lose.id])
    groups.add_members(conn, one.id, contact_ids=[lose.id])
    groups.add_members(conn, gone.id, contact_ids=[lose.id])
    groups.delete(conn, gone.id)
    cursor = all_changes(conn)[-1].seq

    merging.merge(conn, keep.id, lose_id=lose.id)

    assert groups.members(conn, both.id) == [keep.id]
    assert groups.members(conn, one.id) == [keep.id]
    shown = {(c.contact_id, c.kind, c.is_member) for c in all_changes(conn, cursor)}
    assert shown == {
        (lose.id, "member", False),
        (lose.id, "delete", None),
        (keep.id, "member", True),
    }


@pytest.mark.rule("CON-21")
def test_a_survivor_without_a_company_takes_the_losers_account(
    conn: Connection,
) -> None:
    keep, lose = make_contact(conn), make_contact(conn, company="Engines Ltd")

    row = merging.merge(conn, keep.id, lose_id=lose.id).row

    assert row.account_id == lose.account_id
    assert contacts.get(conn, keep.id).values["company"] == "Engines Ltd"
    assert [a.id for a in accounts.find_by_name(conn, "Engines Ltd")] == [
        lose.account_id
    ]


def test_addresses_are_united_while_slots_last() -> None:
    keep = _values(email="a@x.example", email3="c@x.example")
    lose = _values(email="b@x.example", email2="C@x.example", email3="d@x.example")

    values, left_out = merge_values(keep, lose)

    assert [values[slot] for slot in ("email", "email2", "email3")] == [
        "a@x.example",
        "b@x.example",
        "c@x.example",
    ]
    assert left_out == {"email3": "d@x.example"}


def test_a_postal_address_is_taken_whole_or_not_at_all() -> None:
    keep = _values(work_city="Paris")
    lose = _values(work_street="1 High St", work_city="York", home_city="Leeds")

    values, left_out = merge_values(keep, lose)

    assert (values["work_street"], values["work_city"]) == ("", "Paris")
    assert values["home_city"] == "Leeds"
    assert left_out == {"work_street": "1 High St", "work_city": "York"}


def test_notes_are_put_one_after_the_other_while_they_fit() -> None:
    values, _ = merge_values(_values(notes="one"), _values(notes="two"))
    full, left_out = merge_values(_values(notes="x" * 32_000), _values(notes="two"))

    assert values["notes"] == "one\n\ntwo"
    assert full["notes"] == "x" * 32_000
    assert left_out == {"notes": "two"}


def test_a_contact_is_not_merged_with_itself_nor_with_a_deleted_one(
    conn: Connection,
) -> None:
    keep, lose = make_contact(conn), make_contact(conn)
    contacts.delete(conn, lose.id)

    with pytest.raises(BadValue):
        merging.merge(conn, keep.id, lose_id=keep.id)
    with pytest.raises(NotFound):
        merging.merge(conn, keep.id, lose_id=lose.id)
