"""Leads, opportunities and tickets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest
from sqlalchemy import Connection, Engine

from crm import imports, leads, merging
from crm.common import Author
from crm.deals import OPPORTUNITIES, TICKETS
from crm.errors import BadValue, NotFound, VersionMismatch
from crm.leads import LEADS
from crm.shelves import RecordQuery, Shelf
from tests.crm.builders import make_contact, make_user


def test_a_lead_is_found_by_each_of_its_addresses_until_it_is_deleted(
    conn: Connection,
) -> None:
    values = {"last": "Ray", "email": "Ray@One.example", "email3": "ray@three.example"}
    lead = LEADS.create(conn, values)

    def found() -> dict[str, list[str]]:
        return leads.find_by_addresses(conn, ["ray@one.EXAMPLE", "ray@three.example"])

    assert found() == {"ray@one.example": [lead.id], "ray@three.example": [lead.id]}
    LEADS.update(conn, lead.id, changes={"email": ""})
    assert found() == {"ray@three.example": [lead.id]}
    LEADS.delete(conn, lead.id)
    assert found() == {}


@pytest.mark.rule("WEB-3")
def test_a_personal_lead_is_seen_by_its_owner_only(conn: Connection) -> None:
    anna, ben = make_user(conn, "Anna"), make_user(conn, "Ben")
    lead = LEADS.create(conn, {"last": "Ray", "email": "r@x.example"}, owner=anna)

    assert LEADS.get(conn, lead.id, viewer=anna).id == lead.id
    with pytest.raises(NotFound):
        LEADS.get(conn, lead.id, viewer=ben)
    assert LEADS.page(conn, RecordQuery(ben)) == []
    assert leads.find_by_addresses(conn, ["r@x.example"], viewer=ben) == {}


def test_a_sync_key_makes_one_lead(conn: Connection) -> None:
    first = LEADS.create(conn, {"last": "Ray"}, sync_key="k")

    assert LEADS.create(conn, {"last": "Other"}, sync_key="k") == first


def test_what_was_changed_meanwhile_is_refused(conn: Connection) -> None:
    lead = LEADS.create(conn, {"last": "Ray"})
    LEADS.update(conn, lead.id, changes={"last": "Rey"}, expected_version=1)

    with pytest.raises(VersionMismatch):
        LEADS.update(conn, lead.id, changes={"last": "Roy"}, expected_version=1)
    with pytest.raises(VersionMismatch):
        LEADS.delete(conn, lead.id, expected_version=1)


@pytest.mark.parametrize(
    ("shelf", "values", "field"),
    [
        (LEADS, {"title": "Boss"}, "last"),
        (LEADS, {"last": "x" * 33}, "last"),
        (LEADS, {"last": "a\x00b"}, "last"),
        (LEADS, {"last": "Ray", "colour": "red"}, "colour"),
        (OPPORTUNITIES, {"name": " "}, "name"),
        (OPPORTUNITIES, {"name": "Pumps", "amount": "-3"}, "amount"),
        (OPPORTUNITIES, {"name": "Pumps", "amount": "1,000"}, "amount"),
        (OPPORTUNITIES, {"name": "Pumps", "close_date": "2026-02-30"}, "close_date"),
        (TICKETS, {"subject": ""}, "subject"),
    ],
)
def test_what_the_crm_cannot_hold_is_refused_by_field(
    conn: Connection, shelf: Shelf, values: dict[str, str], field: str
) -> None:
    with pytest.raises(BadValue) as caught:
        shelf.create(conn, values)
    assert caught.value.field == field


def test_a_deal_points_only_to_what_its_author_sees(conn: Connection) -> None:
    anna = make_user(conn, "Anna")
    contact = make_contact(conn)
    by = Author(anna)
    made = OPPORTUNITIES.create(
        conn, {"name": "Pumps", "contact_id": contact.id, "amount": "12.5"}, by=by
    )

    assert made.values["amount"] == "12.50"
    with pytest.raises(NotFound):
        OPPORTUNITIES.update(
            conn, made.id, changes={"account_id": "ANOTTHERE222"}, by=by
        )


def test_tickets_are_numbered_one_after_the_other(conn: Connection) -> None:
    numbers = [
        TICKETS.create(conn, {"subject": name}).values["number"] for name in "abc"
    ]

    assert numbers == ["1", "2", "3"]


@pytest.mark.rule("CON-21")
def test_a_merged_contact_s_deals_go_to_the_survivor(conn: Connection) -> None:
    keep, lose = make_contact(conn), make_contact(conn, email="other@mail.example")
    deal = OPPORTUNITIES.create(conn, {"name": "Pumps", "contact_id": lose.id})

    merging.merge(conn, keep.id, lose_id=lose.id)

    assert OPPORTUNITIES.get(conn, deal.id).values["contact_id"] == keep.id


@pytest.mark.parametrize("sort", ["name", "company", "email", "changed"])
@pytest.mark.parametrize("is_descending", [False, True])
def test_lists_turn_page_by_page_in_both_directions(
    conn: Connection, sort: str, is_descending: bool
) -> None:
    for number in range(7):
        values = {"last": f"L{number % 3}", "company": f"C{number % 2}"}
        LEADS.create(conn, values)
    query = RecordQuery("U1", "l", sort, is_descending)

    def walk() -> Iterator[str]:
        page = LEADS.page(conn, query, limit=3)
        while page:
            yield from (item.row.id for item in page)
            page = LEADS.page(conn, query, page[-1].place, limit=3)

    whole = [item.row.id for item in LEADS.page(conn, query, limit=50)]
    assert list(walk()) == whole
    assert len(whole) == LEADS.count(conn, query) == 7
    last = LEADS.page(conn, query, limit=50)[-1]
    back = LEADS.page(conn, query, last.place, backwards=True, limit=3)
    assert [item.row.id for item in back] == whole[3:6]


def test_a_file_of_leads_is_imported_once(engine: Engine) -> None:
    def begin() -> AbstractContextManager[Connection]:
        return engine.begin()

    file = "First name,Last name,Account,E-mail\nAda,Ray,Acme,ada@x.example\n,,,\n"

    first = imports.import_leads(begin, file.encode(), user="U1")
    second = imports.import_leads(begin, file.encode(), user="U1")

    assert (first.imported, first.set_aside) == (1, 1)
    assert (second.imported, second.unchanged) == (0, 1)
    with engine.begin() as conn:
        (found,) = LEADS.page(conn, RecordQuery("U1"))
    assert found.row.values["company"] == "Acme"
