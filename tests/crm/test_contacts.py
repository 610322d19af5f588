from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Connection, select

from crm import accounts, contacts, groups, lookup
from crm.common import Author
from crm.errors import BadValue, NotFound, TooLong, VersionMismatch
from crm.fields import FIELDS
from crm.tables import Contact
from tests.crm.builders import RULE, all_changes, make_contact, make_contacts

EVERY_FIELD = {
    name: f"{name}@mail.example" if "email" in name else f"{name} Ж 🚀"[:16]
    for name in FIELDS
} | {
    "work_street": "12 High Street\nBack entrance\n3rd floor",
    "birthday": "1815-12-10",
    "notes": "line one\nline two 👩‍👩‍👧",
    "company": "Ада & Söhne",
}


@pytest.mark.rule("CON-17")
def test_every_field_is_read_as_it_was_written(conn: Connection) -> None:
    made = contacts.create(conn, EVERY_FIELD, account=RULE)

    (row,) = contacts.read(conn, [made.id])

    assert row.values == EVERY_FIELD
    assert row == made
    assert list(row.values) == list(FIELDS)


def test_missing_fields_read_as_empty_text(conn: Connection) -> None:
    made = contacts.create(conn, {"last": "Byron"}, account=RULE)

    values = contacts.get(conn, made.id).values

    assert set(values) == set(FIELDS)
    assert {name for name, value in values.items() if value} == {"last"}


def test_rows_are_read_in_the_order_asked_and_unknown_ids_left_out(
    conn: Connection,
) -> None:
    one, two, three = make_contacts(conn, 3)

    rows = contacts.read(conn, [three.id, "Cnowhere", one.id, two.id])

    assert [row.id for row in rows] == [three.id, one.id, two.id]


@pytest.mark.rule("CON-17")
@pytest.mark.parametrize(
    ("field", "limit"),
    [(name, limit) for name, limit in contacts.LIMITS.items() if name != "birthday"],
)
def test_a_value_over_the_limit_is_refused_by_name_and_limit(
    conn: Connection, field: str, limit: int
) -> None:
    contacts.create(conn, {field: "é" * limit}, account=RULE)

    with pytest.raises(TooLong) as caught:
        contacts.create(conn, {field: "é" * (limit + 1)}, account=RULE)

    assert caught.value.field == field
    assert caught.value.limit == limit
    assert str(limit) in str(caught.value)


@pytest.mark.parametrize("text", ["a\x00b", "half \ud83d pair"])
def test_characters_that_no_database_stores_are_refused(
    conn: Connection, text: str
) -> None:
    with pytest.raises(BadValue, match="notes"):
        contacts.create(conn, {"notes": text}, account=RULE)


@pytest.mark.parametrize(
    "text", ["1815-02-30", "18151210", "--12-10", "1815-12-1", "x"]
)
def test_a_birthday_that_is_no_full_date_is_refused(
    conn: Connection, text: str
) -> None:
    with pytest.raises(BadValue, match="birthday"):
        contacts.create(conn, {"birthday": text}, account=RULE)


def test_an_unknown_field_is_refused(conn: Connection) -> None:
    with pytest.raises(BadValue, match="shoe_size"):
        contacts.create(conn, {"shoe_size": "42"}, account=RULE)


def test_a_refused_batch_leaves_no_trace(conn: Connection) -> None:
    people = [
        contacts.NewContact({"last": "Fine", "company": "New Ltd"}, RULE),
        contacts.NewContact({"last": "x" * 33}, RULE),
    ]

    with pytest.raises(TooLong):
        contacts.create_many(conn, people)

    assert lookup.page(conn) == []
    assert accounts.page(conn) == []


@pytest.mark.rule("ENG-2")
def test_a_repeated_create_with_the_same_sync_key_makes_no_second_contact(
    conn: Connection,
) -> None:
    first = contacts.create(conn, {"last": "Byron"}, account=RULE, sync_key="k1")

    again = contacts.create(conn, {"last": "Byron"}, account=RULE, sync_key="k1")

    assert again == first
    assert len(lookup.page(conn)) == 1
    assert len(accounts.page(conn)) == 1


@pytest.mark.rule("ENG-2")
def test_a_sync_key_twice_in_one_batch_makes_one_contact(conn: Connection) -> None:
    twin = contacts.NewContact({"last": "Byron"}, RULE, sync_key="k1")

    one, other = contacts.create_many(conn, [twin, twin])

    assert one == other
    assert len(lookup.page(conn)) == 1


@pytest.mark.rule("ENG-2")
def test_a_repeated_create_of_a_deleted_contact_answers_with_its_tombstone(
    conn: Connection,
) -> None:
    made = contacts.create(conn, {"last": "Byron"}, account=RULE, sync_key="k1")
    contacts.delete(conn, made.id)

    again = contacts.create(conn, {"last": "Byron"}, account=RULE, sync_key="k1")

    assert again.id == made.id
    assert again.deleted


def test_an_update_writes_only_what_changed_and_makes_a_new_version(
    conn: Connection,
) -> None:
    made = make_contact(conn, title="Countess")

    row = contacts.update(
        conn, made.id, changes={"mobile": "+1 212 555 0012"}, expected_version=1
    )

    assert row.version == 2
    assert row.values == made.values | {"mobile": "+1 212 555 0012"}
    assert contacts.get(conn, made.id) == row


@pytest.mark.rule("ENG-3")
def test_an_update_from_a_stale_read_is_refused_with_the_current_row(
    conn: Connection,
) -> None:
    made = make_contact(conn)
    current = contacts.update(conn, made.id, changes={"title": "Countess"})

    with pytest.raises(VersionMismatch) as caught:
        contacts.update(
            conn, made.id, changes={"title": "Lady"}, expected_version=made.version
        )

    assert caught.value.current == current
    assert contacts.get(conn, made.id) == current


@pytest.mark.rule("CON-19")
def test_an_update_that_changes_nothing_leaves_version_and_feed_alone(
    conn: Connection,
) -> None:
    made = make_contact(conn)
    before = all_changes(conn)

    row = contacts.update(conn, made.id, changes={"last": "Byron"})

    assert row == made
    assert all_changes(conn) == before


@pytest.mark.rule("CON-18")
def test_the_company_is_written_only_at_creation(conn: Connection) -> None:
    made = make_contact(conn, company="Engines Ltd")

    contacts.update(conn, made.id, changes={"company": "Engines Ltd"})
    with pytest.raises(BadValue, match="company"):
        contacts.update(conn, made.id, changes={"company": "Other Ltd"})

    assert contacts.get(conn, made.id).values["company"] == "Engines Ltd"


def test_a_batch_of_updates_with_one_stale_edit_writes_nothing(
    conn: Connection,
) -> None:
    one, two = make_contacts(conn, 2)
    edits = [
        contacts.ContactEdit(one.id, {"title": "x"}, one.version),
        contacts.ContactEdit(two.id, {"title": "x"}, two.version + 1),
    ]

    with pytest.raises(VersionMismatch):
        contacts.update_many(conn, edits)

    assert contacts.read(conn, [one.id, two.id]) == [one, two]


def test_one_contact_twice_in_a_batch_of_updates_is_refused(conn: Connection) -> None:
    made = make_contact(conn)
    edit = contacts.ContactEdit(made.id, {"title": "x"})

    with pytest.raises(BadValue, match="twice"):
        contacts.update_many(conn, [edit, edit])


def test_updating_a_deleted_or_unknown_contact_is_refused(conn: Connection) -> None:
    made = make_contact(conn)
    contacts.delete(conn, made.id)

    for contact_id in (made.id, "Cnowhere"):
        with pytest.raises(NotFound):
            contacts.update(conn, contact_id, changes={"title": "x"})


@pytest.mark.rule("CON-14")
def test_a_deleted_contact_leaves_a_tombstone_without_values(conn: Connection) -> None:
    made = make_contact(conn, company="Engines Ltd", notes="secret")

    assert contacts.delete(conn, made.id, expected_version=1)
    assert not contacts.delete(conn, made.id)

    (row,) = contacts.read(conn, [made.id])
    assert row.deleted
    assert row.version == 2
    assert not any(row.values.values())
    assert lookup.page(conn) == []
    assert lookup.find_by_addresses(conn, ["ada@mail.example"]) == {}
    with pytest.raises(NotFound):
        contacts.get(conn, made.id)


def test_deleting_from_a_stale_read_is_refused(conn: Connection) -> None:
    made = make_contact(conn)
    contacts.update(conn, made.id, changes={"title": "x"})

    with pytest.raises(VersionMismatch):
        contacts.delete(conn, made.id, expected_version=made.version)
    with pytest.raises(NotFound):
        contacts.delete(conn, "Cnowhere")


def test_many_contacts_are_deleted_at_once_and_each_only_once(
    conn: Connection,
) -> None:
    one, two, three = make_contacts(conn, 3)
    contacts.delete(conn, two.id)

    gone = contacts.delete_many(conn, [one.id, two.id, one.id, "Cnowhere"])

    assert gone == [one.id]
    assert [row.id for row in lookup.page(conn)] == [three.id]


def test_times_are_utc_whatever_zone_they_were_given_in(conn: Connection) -> None:
    noon = datetime(2026, 7, 1, 12, tzinfo=timezone(timedelta(hours=5)))

    made = contacts.create(conn, {"last": "B"}, account=RULE, by=Author("U7", noon))

    row = contacts.get(conn, made.id)
    assert row.created_at == row.modified_at == datetime(2026, 7, 1, 7, tzinfo=UTC)
    assert row.created_at.tzinfo is UTC
    assert row.modified_by == "U7"


@pytest.mark.rule("WEB-3")
def test_records_are_seen_by_their_owner_and_those_of_everyone_by_all(
    conn: Connection,
) -> None:
    shared = make_contact(conn)
    values = {"first": "Ada", "last": "Byron", "email": "ada@mail.example"}
    own = contacts.create(conn, values, account=RULE, owner="U1")
    ids = [shared.id, own.id]

    assert [row.id for row in contacts.read(conn, ids, viewer="U1")] == ids
    assert [row.id for row in contacts.read(conn, ids, viewer="U2")] == [shared.id]
    assert lookup.find_by_addresses(conn, ["ada@mail.example"], viewer="U2") == {
        "ada@mail.example": [shared.id]
    }
    assert lookup.find_by_names(conn, [("Ada", "Byron")], viewer="U2") == {
        ("Ada", "Byron"): [shared.id]
    }
    assert [row.id for row in lookup.search(conn, "ada", viewer="U2")] == [shared.id]
    assert [row.id for row in lookup.page(conn, viewer="U2")] == [shared.id]


@pytest.mark.rule("CON-18")
def test_a_person_moves_a_contact_to_another_account(conn: Connection) -> None:
    made = make_contact(conn)
    account = accounts.create(conn, "Engines Ltd", rule=RULE)

    row = contacts.move(conn, made.id, account_id=account.id)

    assert row.values["company"] == "Engines Ltd"
    assert row.version == 2
    assert contacts.get(conn, made.id) == row
    assert contacts.move(conn, made.id, account_id=account.id) == row


def test_a_contact_is_created_in_a_given_account(conn: Connection) -> None:
    account = accounts.create(conn, "Engines Ltd", rule=RULE)

    row = contacts.create(conn, {"last": "Byron"}, account=account.id)

    assert row.values["company"] == "Engines Ltd"
    with pytest.raises(NotFound):
        contacts.create(conn, {"last": "Byron"}, account="Anowhere")


def test_deleting_a_contact_ends_its_memberships(conn: Connection) -> None:
    made = make_contact(conn)
    group = groups.create(conn, "Sync")
    groups.add_members(conn, group.id, contact_ids=[made.id])

    contacts.delete(conn, made.id)

    assert groups.members(conn, group.id) == []
    assert conn.scalars(select(Contact.merged_into)).all() == [None]
