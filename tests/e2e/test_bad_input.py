"""Odd contacts from both sides: accepted, normalised or set aside; the rest goes on.

Each case stands in the table of docs/contacts.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cli import builtin
from crmsync.services import reporting
from crmsync.storage.people import User
from tests.e2e.conftest import ANNA
from tests.sandbox.harness import SandboxServer
from tests.support.product import GROUP, Product

DATA = Path(__file__).resolve().parents[1] / "data" / "vcf" / "sabre-vobject"
LABEL = "Infor CRM"
PHONES = [{"value": f"+1 212 555 {n:04d}", "type": "other"} for n in range(300)]


@pytest.fixture
def anna(product: Product) -> User:
    user = product.add_user(ANNA)
    product.connect(user)
    return user


def named(first: str, **more: Any) -> dict[str, Any]:
    return {"names": [{"givenName": first}], "labels": [LABEL], **more}


GOOGLE_CASES: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "no name, one phone": (
        {"phoneNumbers": [{"value": "+1 212 555 0100", "type": "mobile"}]},
        {"mobile": "+1 212 555 0100"},
    ),
    "no name, one address": (
        {"emailAddresses": [{"value": "nobody@example.com"}]},
        {"email": "nobody@example.com"},
    ),
    "300 phone numbers": (
        named("Many", phoneNumbers=PHONES),
        {"first": "Many", "work_phone": "+1 212 555 0000"},
    ),
    "emoji and right-to-left text": (
        named("שלום 🚀", biographies=[{"value": "\u202eabc\u202c 👩\u200d💻"}]),
        {"first": "שלום 🚀"},
    ),
    "a note of 10,000 characters": (
        named("Long", biographies=[{"value": "x" * 10_000}]),
        {"first": "Long", "notes": "x" * 10_000},
    ),
    "a note of 50,000 characters": (
        named("Longer", biographies=[{"value": "x" * 50_000}]),
        {"first": "Longer", "notes": "x" * 32_000},
    ),
    "a first name of 200 characters": (named("N" * 200), {"first": "N" * 32}),
    "a birthday without a year": (
        named("Born", birthdays=[{"date": {"month": 2, "day": 29}}]),
        {"first": "Born"},
    ),
    "the same address twice in one person": (
        named(
            "Twice",
            emailAddresses=[{"value": "t@example.com"}, {"value": "T@Example.com"}],
        ),
        {"first": "Twice", "email": "t@example.com"},
    ),
    "an address longer than the CRM takes": (
        named("Far", emailAddresses=[{"value": "a" * 150 + "@example.com"}]),
        {"first": "Far"},
    ),
    "a company of 300 characters": (
        named("Big", organizations=[{"name": "C" * 300}]),
        {"first": "Big", "company": "C" * 128},
    ),
    "a phone that is no number": (
        named("Desk", phoneNumbers=[{"value": "ask at the desk", "type": "work"}]),
        {"first": "Desk", "work_phone": "ask at the desk"},
    ),
    "line ends and tabs": (
        named("Lines", biographies=[{"value": "one\r\ntwo\tthree\rfour"}]),
        {"first": "Lines"},
    ),
    "a character that no database takes": (
        named("Nul", biographies=[{"value": "a\x00b"}]),
        {"first": "Nul", "notes": "ab"},
    ),
    "nothing at all": ({"nicknames": [{"value": "Ghost"}]}, {}),
}


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-8", "CON-15", "CON-16", "ENG-8")
def test_odd_google_contacts_come_in_or_are_set_aside(
    product: Product, anna: User, box: SandboxServer
) -> None:
    persons = [{"labels": [LABEL], **person} for person, _ in GOOGLE_CASES.values()]
    made = box.create_people(ANNA, persons)
    before = {p["resourceName"]: box.person(ANNA, p["resourceName"]) for p in made}

    cycle = product.cycle(anna)
    detail = reporting.cycle_detail(product.app, cycle["id"])
    contacts = {row["id"]: row for row in builtin.list_contacts(product.app, "", 100)}

    by_google = {item["google"]["id"]: item for item in detail["items"]}
    for (what, (_, expected)), person in zip(GOOGLE_CASES.items(), made, strict=True):
        item = by_google[person["resourceName"]]
        if what == "nothing at all":
            assert item["reason_code"] == "nothing_mapped", item
            continue
        assert item["state"] == "done", (what, item["error"])
        row = contacts[item["crm"]["id"]]
        assert {name: row.get(name, "") for name in expected} == expected, what
    box.settle()
    again = product.cycle(anna)
    assert sum(again["counts"]["google"].values()) == 0
    after = {name: box.person(ANNA, name) for name in before}
    for name, person in before.items():
        assert after[name].get("phoneNumbers") == person.get("phoneNumbers")
        assert after[name].get("biographies") == person.get("biographies")


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-7")
def test_one_address_in_two_people_is_held_and_the_rest_goes_on(
    product: Product, anna: User, box: SandboxServer
) -> None:
    address = [{"value": "home@example.com"}]
    box.create_people(
        ANNA,
        [
            named("Ann", emailAddresses=address),
            named("Bob", emailAddresses=address),
            named("Eve", emailAddresses=[{"value": "eve@example.com"}]),
        ],
    )
    for first in ("Ann", "Bob"):
        made = builtin.edit_contact(
            product.app, "new", {"first": first, "email": "home@example.com"}
        )
        builtin.change_members(product.app, GROUP, [made["id"]], selected=True)

    cycle = product.cycle(anna)

    assert cycle["counts"]["linked"] == 2
    assert cycle["counts"]["crm"]["created"] == 1


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-8", "RUN-6")
@pytest.mark.parametrize(
    "path", sorted(DATA.rglob("*.vcf")), ids=lambda path: path.name
)
def test_other_peoples_vcards_come_through(
    product: Product, anna: User, box: SandboxServer, path: Path
) -> None:
    loaded = box.load(ANNA, path.read_bytes().decode("utf-8", "replace"), LABEL)
    builtin.import_file(product.app, path, ANNA, GROUP)

    cycle = product.cycle(anna)
    box.settle()
    again = product.cycle(anna)

    assert loaded["added"] >= 1
    assert cycle["state"] == "succeeded"
    assert sum(again["counts"]["google"].values()) == 0
    assert sum(again["counts"]["crm"].values()) == 0
