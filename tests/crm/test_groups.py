from __future__ import annotations

import pytest
from sqlalchemy import Connection

from crm import groups, users
from crm.errors import AlreadyThere, BadValue, NotFound
from crm.feed import ChangeKind
from tests.crm.builders import all_changes, make_contact, make_contacts


@pytest.mark.rule("CON-1")
def test_members_are_put_in_once_and_taken_out_once(conn: Connection) -> None:
    one, two, three = (row.id for row in make_contacts(conn, 3))
    group = groups.create(conn, "Sync")

    assert groups.add_members(conn, group.id, contact_ids=[one, two, one]) == [one, two]
    assert groups.add_members(conn, group.id, contact_ids=[two, three]) == [three]
    assert groups.remove_members(conn, group.id, contact_ids=[two, "Cno"]) == [two]
    assert groups.remove_members(conn, group.id, contact_ids=[two]) == []
    assert groups.add_members(conn, group.id, contact_ids=[two]) == [two]

    assert groups.members(conn, group.id) == sorted([one, two, three])
    assert groups.member_count(conn, group.id) == 3


def test_which_contacts_are_members_is_answered_in_bulk(conn: Connection) -> None:
    one, two, three = (row.id for row in make_contacts(conn, 3))
    group = groups.create(conn, "Sync")
    groups.add_members(conn, group.id, contact_ids=[one, two])
    groups.remove_members(conn, group.id, contact_ids=[two])

    assert groups.members_among(conn, group.id, contact_ids=[one, two, three]) == {one}
    assert groups.groups_of(conn, [one, two]) == {one: [group.id]}


def test_members_come_in_pages(conn: Connection) -> None:
    ids = sorted(row.id for row in make_contacts(conn, 5))
    group = groups.create(conn, "Sync")
    groups.add_members(conn, group.id, contact_ids=ids)

    assert groups.members(conn, group.id, limit=2) == ids[:2]
    assert groups.members(conn, group.id, after=ids[1], limit=9) == ids[2:]


def test_unknown_contacts_and_groups_are_refused(conn: Connection) -> None:
    made = make_contact(conn)
    group = groups.create(conn, "Sync")

    with pytest.raises(NotFound, match="Cnowhere"):
        groups.add_members(conn, group.id, contact_ids=[made.id, "Cnowhere"])
    with pytest.raises(NotFound, match="pnowhere"):
        groups.add_members(conn, "pnowhere", contact_ids=[made.id])

    assert groups.members(conn, group.id) == []


@pytest.mark.rule("CON-2")
def test_a_renamed_group_keeps_its_id_and_members(conn: Connection) -> None:
    made = make_contact(conn)
    group = groups.create(conn, "Sync")
    groups.add_members(conn, group.id, contact_ids=[made.id])

    renamed = groups.rename(conn, group.id, name="Customers")

    assert groups.get(conn, group.id) == renamed
    assert groups.members(conn, group.id) == [made.id]
    assert groups.get_by_name(conn, "sync") is None
    assert groups.rename(conn, group.id, name="CUSTOMERS").name == "CUSTOMERS"


@pytest.mark.rule("CON-2")
def test_a_deleted_group_is_gone_and_shows_nobody_leaving(conn: Connection) -> None:
    made = make_contact(conn)
    group = groups.create(conn, "Sync")
    groups.add_members(conn, group.id, contact_ids=[made.id])
    before = all_changes(conn)

    groups.delete(conn, group.id)

    assert groups.get(conn, group.id) is None
    assert groups.get_by_name(conn, "Sync") is None
    assert groups.list_all(conn) == []
    assert all_changes(conn) == before
    with pytest.raises(NotFound):
        groups.members(conn, group.id)
    assert groups.create(conn, "Sync").id != group.id


def test_a_group_is_found_by_name_the_viewers_own_first(conn: Connection) -> None:
    shared = groups.create(conn, "Sync")
    own = groups.create(conn, "Sync", owner="U1")

    assert groups.get_by_name(conn, " SYNC", viewer="U1") == own
    assert groups.get_by_name(conn, "sync", viewer="U2") == shared
    assert groups.list_all(conn, viewer="U2") == [shared]


def test_two_groups_of_one_owner_never_have_one_name(conn: Connection) -> None:
    groups.create(conn, "Sync")
    other = groups.create(conn, "Other")

    with pytest.raises(AlreadyThere):
        groups.create(conn, "sync ")
    with pytest.raises(AlreadyThere):
        groups.rename(conn, other.id, name="SYNC")


@pytest.mark.parametrize("name", ["", "  ", "a/b", 'say "x"', "what?", "x" * 65])
def test_names_that_infor_refuses_are_refused(conn: Connection, name: str) -> None:
    with pytest.raises(BadValue):
        groups.create(conn, name)


def test_membership_shows_in_the_feed_of_its_group_only(conn: Connection) -> None:
    one, two = make_contacts(conn, 2)
    ours, theirs = groups.create(conn, "Ours"), groups.create(conn, "Theirs")
    groups.add_members(conn, ours.id, contact_ids=[one.id])
    groups.add_members(conn, theirs.id, contact_ids=[two.id])

    changes = all_changes(conn, group_id=ours.id)

    assert [(c.contact_id, c.kind, c.is_member) for c in changes] == [
        (one.id, ChangeKind.UPSERT, None),
        (one.id, ChangeKind.MEMBER, True),
    ]


def test_a_user_is_known_by_address_in_any_case(conn: Connection) -> None:
    user = users.add(conn, "Ada@Mail.example", name="Ada")

    assert users.get_by_email(conn, "ADA@mail.EXAMPLE ") == user
    assert users.get(conn, user.id) == user
    assert users.get(conn, "Unowhere") is None
    assert users.list_all(conn) == [user]
    with pytest.raises(AlreadyThere):
        users.add(conn, "ada@mail.example")
    with pytest.raises(BadValue):
        users.add(conn, "nobody")
