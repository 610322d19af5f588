from __future__ import annotations

import pytest
from sqlalchemy import Connection, text

from crm import accounts, contacts, groups, lookup
from tests.crm.builders import RULE, make_contact, make_contacts


@pytest.mark.rule("CON-6")
@pytest.mark.parametrize("slot", ["email", "email2", "email3"])
def test_a_contact_is_found_by_any_of_its_addresses_in_any_case(
    conn: Connection, slot: str
) -> None:
    values = {"email": "one@mail.example", slot: "Straße.Ada@MAIL.example"}
    made = make_contact(conn, **values)

    found = lookup.find_by_addresses(conn, [" STRASSE.ADA@mail.EXAMPLE"])

    assert found == {"strasse.ada@mail.example": [made.id]}


@pytest.mark.rule("CON-6")
def test_an_address_of_two_persons_finds_both(conn: Connection) -> None:
    one = make_contact(conn, first="Ada")
    other = make_contact(conn, first="Anne", email2="ADA@mail.example")

    found = lookup.find_by_addresses(conn, ["ada@mail.example", "no@mail.example"])

    assert found == {"ada@mail.example": sorted([one.id, other.id])}


@pytest.mark.rule("CON-7")
def test_empty_keys_match_nothing(conn: Connection) -> None:
    make_contact(conn, first="", last="", email="n/a")

    assert lookup.find_by_addresses(conn, ["", "n/a"]) == {}
    assert lookup.find_by_names(conn, [("", ""), (" ", "")]) == {}


def test_an_edited_address_is_found_and_the_old_one_is_not(conn: Connection) -> None:
    made = make_contact(conn)

    contacts.update(conn, made.id, changes={"email": "new@mail.example"})

    found = lookup.find_by_addresses(conn, ["ada@mail.example", "new@mail.example"])
    assert found == {"new@mail.example": [made.id]}


@pytest.mark.rule("CON-7")
def test_contacts_are_found_by_folded_first_and_last_name(conn: Connection) -> None:
    made = make_contact(conn, first="Émile", last="de  Zola")
    make_contact(conn, first="Émile", last="Verhaeren")

    found = lookup.find_by_names(conn, [("ÉMILE", "De Zola"), ("De Zola", "Émile")])

    assert found == {("ÉMILE", "De Zola"): [made.id]}


def test_contacts_are_found_by_sync_key_and_by_its_beginning(conn: Connection) -> None:
    one = contacts.create(conn, {"last": "A"}, account=RULE, sync_key="1|i|u|c1|x")
    two = contacts.create(conn, {"last": "B"}, account=RULE, sync_key="1|i|u|c1|y")
    gone = contacts.create(conn, {"last": "C"}, account=RULE, sync_key="1|i|u|c1|z")
    contacts.create(conn, {"last": "D"}, account=RULE, sync_key="1|i|u|c11|x")
    contacts.delete(conn, gone.id)

    assert lookup.find_by_sync_keys(conn, ["1|i|u|c1|x", "1|i|u|c1|z", "no"]) == {
        "1|i|u|c1|x": one.id
    }
    assert lookup.find_by_sync_keys(conn, ["1|i|u|c1|z", "no"], deleted=True) == {
        "1|i|u|c1|z": gone.id
    }
    assert lookup.find_by_key_prefixes(conn, ["1|i|u|c1|", "1|i|v|"]) == {
        "1|i|u|c1|": sorted([one.id, two.id])
    }


def test_pages_in_key_order_show_each_contact_once(conn: Connection) -> None:
    made = make_contacts(conn, 7)
    seen: list[str] = []

    while page := lookup.page(conn, after=seen[-1] if seen else "", limit=3):
        seen += [row.id for row in page]

    assert seen == sorted(row.id for row in made)


def test_pages_of_a_search_come_by_last_then_first_name(conn: Connection) -> None:
    for first, last in [("Bea", "Zorn"), ("Al", "Zorn"), ("Zoe", "Abt"), ("", "Zorn")]:
        make_contact(conn, first=first, last=last)
    seen: list[str] = []
    after = ("", "")

    while page := lookup.search(conn, after=after, limit=1):
        after = lookup.sort_key(page[0])
        seen.append(page[0].values["first"] + " " + page[0].values["last"])

    assert seen == ["Zoe Abt", " Zorn", "Al Zorn", "Bea Zorn"]


@pytest.mark.parametrize(
    "words", ["byr ADA", "engines ada", "mail.example byron", "ENGINES", "100% ltd"]
)
def test_a_search_finds_every_word_in_name_address_or_company(
    conn: Connection, words: str
) -> None:
    made = make_contact(conn, company="100% Engines Ltd")
    make_contact(conn, first="Bob", last="Stone", email="bob@else.example")

    assert [row.id for row in lookup.search(conn, words)] == [made.id]


def test_signs_of_the_query_language_are_taken_literally(conn: Connection) -> None:
    make_contact(conn)

    assert lookup.search(conn, "%") == []
    assert lookup.search(conn, "a_a") == []


def test_members_are_read_in_pages(conn: Connection) -> None:
    made = make_contacts(conn, 5)
    group = groups.create(conn, "Sync")
    groups.add_members(conn, group.id, contact_ids=[row.id for row in made[:4]])
    seen: list[str] = []

    while page := lookup.page_of_group(
        conn, group.id, after=seen[-1] if seen else "", limit=3
    ):
        seen += [row.id for row in page]

    assert seen == sorted(row.id for row in made[:4])


def test_an_account_lists_its_contacts(conn: Connection) -> None:
    made = make_contact(conn, company="Engines Ltd")
    make_contact(conn)
    (account,) = accounts.find_by_name(conn, "Engines Ltd")

    assert lookup.account_contacts(conn, account.id) == [made]


@pytest.mark.parametrize(
    ("query", "index", "index_of_sqlite"),
    [
        (
            "SELECT contact_id FROM crm_contact_address WHERE address IN ('a', 'b')",
            "pk_crm_contact_address",
            "sqlite_autoindex_crm_contact_address_1",
        ),
        (
            "SELECT id FROM crm_contact WHERE name_key IN ('a', 'b')",
            "ix_crm_contact_name_key_id",
            "ix_crm_contact_name_key_id",
        ),
        (
            "SELECT id FROM crm_account WHERE name_key IN ('a', 'b')",
            "ix_crm_account_name_key_created_at",
            "ix_crm_account_name_key_created_at",
        ),
        (
            "SELECT id FROM crm_contact WHERE change_seq > 5 ORDER BY change_seq",
            "uq_crm_contact_change_seq",
            "sqlite_autoindex_crm_contact",
        ),
        (
            "SELECT contact_id FROM crm_group_member WHERE group_id = 'g' "
            "AND change_seq > 5 ORDER BY change_seq",
            "ix_crm_group_member_group_id_change_seq",
            "ix_crm_group_member_group_id_change_seq",
        ),
        (
            "SELECT id FROM crm_contact WHERE sync_key >= 'a' AND sync_key < 'b'",
            "uq_crm_contact_sync_key",
            "sqlite_autoindex_crm_contact",
        ),
    ],
)
def test_look_ups_read_an_index(
    conn: Connection, query: str, index: str, index_of_sqlite: str
) -> None:
    if conn.dialect.name == "sqlite":
        plan = conn.execute(text(f"EXPLAIN QUERY PLAN {query}")).all()
        details = " ".join(row[3] for row in plan)
        assert "SEARCH" in details
        assert index_of_sqlite in details
        assert "TEMP B-TREE" not in details
        return
    # Empty tables would be read whole; what counts is that the index can serve.
    for way in ("seqscan", "bitmapscan"):
        conn.execute(text(f"SET LOCAL enable_{way} = off"))
    details = " ".join(conn.scalars(text(f"EXPLAIN {query}")))
    assert f"using {index} " in details
    assert "Index Cond" in details
    assert "Sort" not in details
