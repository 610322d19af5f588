"""Custom fields of contacts, named `custom:<key>` (CON-17)."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, event, select

from crm import contacts, groups, lookup
from crm.errors import BadValue, TooLong
from crm.fields import FIELDS
from crm.tables import Contact
from tests.crm.builders import RULE, all_changes, make_contact, make_contacts

SIZE = "custom:Shoe size"
BADGE = "custom:Ausweis №\u202f7"


def custom_of(values: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if name not in FIELDS}


@pytest.mark.rule("CON-17")
def test_custom_fields_are_read_as_they_were_written(conn: Connection) -> None:
    given = {SIZE: "38", BADGE: "Ж 🚀\nline two", "custom:shoe size": "39"}
    made = contacts.create(conn, {"last": "Byron", **given}, account=RULE)

    (row,) = contacts.read(conn, [made.id])

    assert row == made
    assert custom_of(row.values) == given
    assert list(row.values) == [*FIELDS, *sorted(given)]


def test_a_contact_has_no_custom_fields_by_itself(conn: Connection) -> None:
    made = contacts.create(conn, {"last": "Byron", SIZE: ""}, account=RULE)

    assert custom_of(contacts.get(conn, made.id).values) == {}


@pytest.mark.rule("CON-17", "CON-19")
def test_an_edit_moves_version_and_feed_and_an_empty_value_removes(
    conn: Connection,
) -> None:
    made = make_contact(conn, **{SIZE: "38", BADGE: "7"})
    cursor = all_changes(conn)[-1].seq

    edited = contacts.update(conn, made.id, changes={SIZE: ""})

    assert custom_of(edited.values) == {BADGE: "7"}
    assert edited == contacts.get(conn, made.id)
    assert edited.version == made.version + 1
    assert [c.contact_id for c in all_changes(conn, cursor)] == [made.id]


@pytest.mark.rule("CON-19")
@pytest.mark.parametrize("changes", [{SIZE: "38"}, {BADGE: ""}])
def test_an_edit_that_changes_nothing_leaves_version_and_feed(
    conn: Connection, changes: dict[str, str]
) -> None:
    made = make_contact(conn, **{SIZE: "38"})
    cursor = all_changes(conn)[-1].seq

    edited = contacts.update(conn, made.id, changes=changes)

    assert edited == made
    assert all_changes(conn, cursor) == []


def test_other_edits_leave_custom_fields_alone(conn: Connection) -> None:
    made = make_contact(conn, **{SIZE: "38"})

    contacts.update(conn, made.id, changes={"title": "Countess"})

    assert contacts.get(conn, made.id).values[SIZE] == "38"


@pytest.mark.rule("CON-17")
def test_a_value_over_the_limit_is_refused_by_name(conn: Connection) -> None:
    limit = contacts.CUSTOM_LIMIT
    make_contact(conn, **{SIZE: "é" * limit})

    with pytest.raises(TooLong) as caught:
        make_contact(conn, **{SIZE: "é" * (limit + 1)})

    assert (caught.value.field, caught.value.limit) == (SIZE, 255)
    assert contacts.limit_of(SIZE) == 255
    assert contacts.limit_of("title") == contacts.LIMITS["title"]


@pytest.mark.rule("CON-17")
@pytest.mark.parametrize(
    "key", ["", "  ", "x" * 65, "a\x00b", "a\nb", "a\x7fb", "half \ud83d pair"]
)
def test_a_key_that_is_no_name_is_refused(conn: Connection, key: str) -> None:
    make_contact(conn, **{f"custom:{'x' * 64}": "1"})

    with pytest.raises(BadValue) as caught:
        make_contact(conn, **{f"custom:{key}": "1"})

    assert caught.value.field == f"custom:{key}"


def test_a_character_that_no_database_stores_is_refused(conn: Connection) -> None:
    with pytest.raises(BadValue, match="Shoe size"):
        make_contact(conn, **{SIZE: "a\x00b"})


@pytest.mark.rule("CON-17")
def test_a_tombstone_keeps_no_custom_field(conn: Connection) -> None:
    made = make_contact(conn, **{SIZE: "38"})

    contacts.delete(conn, made.id)

    (row,) = contacts.read(conn, [made.id])
    assert custom_of(row.values) == {}
    assert conn.scalar(select(Contact.custom)) == {}


@pytest.mark.rule("CON-17")
def test_a_page_with_custom_fields_is_one_query(conn: Connection) -> None:
    made = make_contacts(conn, 50)
    edits = [contacts.ContactEdit(row.id, {SIZE: row.id}) for row in made]
    contacts.update_many(conn, edits)
    group = groups.create(conn, "All")
    groups.add_members(conn, group.id, contact_ids=[row.id for row in made])
    statements: list[object] = []
    event.listen(
        conn, "before_cursor_execute", lambda *args: statements.append(args[2])
    )

    rows = lookup.page_of_group(conn, group.id, limit=200)

    assert {row.values[SIZE] for row in rows} == {row.id for row in made}
    assert len(statements) == 1
