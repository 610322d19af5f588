"""Lists of contacts and accounts: every row once, in order, by keyset (WEB-3)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from crm import accounts, contacts, groups, listing, tables
from crm.accounts import AccountRule
from crm.listing import ContactQuery, Place
from tests.crm.conftest import sqlite_engine

pytestmark = pytest.mark.rule("WEB-3")
VIEWER = "UVIEWER"


def fill(connection: Connection, count: int = 60) -> list[str]:
    owners = ("Everyone", VIEWER, "USTRANGER")
    made = contacts.create_many(
        connection,
        [
            contacts.NewContact(
                {
                    "first": f"N{number % 7}",
                    "last": ("Äpfel", "zebra", "Zoo", "", "o'Neil")[number % 5],
                    "email": f"M{number % 9}@x.example",
                    "company": ("", "Acme", "bolt")[number % 3],
                    "title": ("Buyer", "", "chef")[number % 3],
                    "mobile": "" if number % 4 else f"+49 {number}",
                },
                AccountRule(),
                owner=owners[number % 3],
            )
            for number in range(count)
        ],
    )
    return [row.id for row in made if row.owner != "USTRANGER"]


def walk(connection: Connection, query: ContactQuery, *, size: int = 7) -> list[str]:
    """Go to the end and back; both ways have to agree."""
    there: list[str] = []
    place: Place | None = None
    while found := listing.page(connection, query, place, limit=size):
        there += [listed.row.id for listed in found]
        place = found[-1].place
    back: list[str] = []
    while place and (
        found := listing.page(connection, query, place, backwards=True, limit=size)
    ):
        back = [listed.row.id for listed in found] + back
        place = found[0].place
    assert back == there[:-1]
    return there


@pytest.mark.parametrize("is_descending", [False, True])
@pytest.mark.parametrize("sort", listing.SORTS)
def test_every_contact_that_is_seen_is_listed_once(
    engine: Engine, sort: str, is_descending: bool
) -> None:
    with engine.begin() as connection:
        seen = fill(connection)
        query = ContactQuery(VIEWER, sort=sort, is_descending=is_descending)

        listed = walk(connection, query)

        assert sorted(listed) == sorted(seen)
        assert listing.count(connection, query) == len(seen)
        assert sorted(listing.every_id(connection, query)) == sorted(seen)
        turned = walk(connection, replace(query, is_descending=not is_descending))
        assert turned == listed[::-1]


def test_a_list_is_narrowed_by_words_group_and_account(engine: Engine) -> None:
    with engine.begin() as connection:
        seen = fill(connection)
        group = groups.create(connection, "Few")
        groups.add_members(connection, group.id, contact_ids=seen[:9])
        groups.remove_members(connection, group.id, contact_ids=seen[:2])
        account = contacts.get(connection, seen[3]).account_id
        everything = ContactQuery(VIEWER)

        few = walk(connection, replace(everything, group_id=group.id))
        there = walk(connection, replace(everything, account_id=account))
        zebras = walk(connection, replace(everything, text="ZEBRA n1"))
        both = replace(everything, group_id=group.id, text="acme")

        assert sorted(few) == sorted(seen[2:9])
        assert {contacts.get(connection, i).account_id for i in there} == {account}
        found = contacts.read(connection, zebras)
        assert {row.values["last"] for row in found} == {"zebra"}
        assert {row.values["first"] for row in found} == {"N1"}
        assert listing.count(connection, both) == len(walk(connection, both))


def test_accounts_are_listed_by_name(engine: Engine) -> None:
    with engine.begin() as connection:
        for number in range(30):
            rule = AccountRule(owner=("Everyone", "USTRANGER")[number % 2])
            accounts.create(connection, f"Firm {number:02} 100%", rule=rule)
        names: list[str] = []
        place: tuple[str, str] | None = None
        while found := listing.accounts_page(
            connection, viewer=VIEWER, text="100%", place=place, limit=4
        ):
            names += [row.name for row in found]
            place = accounts.sort_key(found[-1])
        back = listing.accounts_page(
            connection, viewer=VIEWER, place=place, backwards=True, limit=4
        )

    assert names == [f"Firm {number:02} 100%" for number in range(0, 30, 2)]
    assert [row.name for row in back] == names[-5:-1]


@pytest.mark.parametrize("sort", ["name", "changed"])
def test_the_orders_with_an_index_sort_nothing(tmp_path: Path, sort: str) -> None:
    engine = sqlite_engine(f"sqlite:///{tmp_path / 'plans.db'}")
    tables.metadata.create_all(engine)
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _k: Any, statement: str, given: Any, *_: Any) -> None:
        asked.append((statement, given))

    with engine.begin() as connection:
        fill(connection)
        query = ContactQuery(VIEWER, sort=sort)
        event.listen(engine, "before_cursor_execute", note)
        first = listing.page(connection, query, limit=5)
        listing.page(connection, query, first[-1].place, limit=5)
        event.remove(engine, "before_cursor_execute", note)
        for statement, given in asked:
            told = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)
            plan = "\n".join(row[3] for row in told)
            assert "TEMP B-TREE" not in plan, plan
            assert "crm_contact USING INDEX" in plan, plan
    engine.dispose()
