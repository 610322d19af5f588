"""Narrowing the mapping and extending it to custom fields, over HTTP (CON-17)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from cli import builtin
from crmsync.errors import UsageError
from crmsync.services import reporting, settings
from crmsync.storage.people import User
from tests.e2e.conftest import ANNA
from tests.e2e.test_commands import Shell
from tests.sandbox.harness import SandboxServer
from tests.support.product import GROUP, Product

SIZE = "custom:Shoe size"
OTHERS = {"Pets": "two cats", "shoe size": "40"}


@pytest.fixture
def anna(product: Product) -> User:
    user = product.add_user(ANNA)
    product.connect(user)
    return user


class Pair:
    """One linked contact, and a person's hand on either side of it."""

    def __init__(self, product: Product, user: User, box: SandboxServer) -> None:
        self.product = product
        self.user = user
        self.box = box
        made = box.create_person(
            ANNA,
            {
                "names": [{"givenName": "Ada", "familyName": "Test"}],
                "emailAddresses": [{"value": "ada@example.com"}],
                "organizations": [{"name": "Engines Ltd"}],
                "userDefined": wire(OTHERS),
                "labels": ["Infor CRM"],
            },
        )
        self.google_id = str(made["resourceName"])
        self.cycle()
        (row,) = builtin.list_contacts(product.app, "", 10)
        self.crm_id = str(row["id"])

    def map(self, *custom: str, off: Sequence[str] = ()) -> None:
        given = {"off": list(off), "custom": list(custom)}
        self.product.set("mapping", json.dumps(given))

    def cycle(self) -> dict[str, Any]:
        done = self.product.cycle(self.user)
        assert done["state"] == "succeeded", done
        return done

    def writes(self) -> int:
        """Run a cycle and return how many records it wrote on either side."""
        self.box.settle(ANNA)
        counts = self.cycle()["counts"]
        return sum([*counts["crm"].values(), *counts["google"].values()])

    @property
    def crm(self) -> dict[str, Any]:
        (row,) = builtin.list_contacts(self.product.app, "", 10)
        return row

    def edit_crm(self, **changes: str) -> None:
        builtin.edit_contact(self.product.app, self.crm_id, changes)

    @property
    def google(self) -> dict[str, str]:
        person = self.box.person(ANNA, self.google_id)
        return {e["key"]: e.get("value", "") for e in person.get("userDefined", [])}

    def edit_google(self, **fields: Any) -> None:
        self.box.edit_person(ANNA, self.google_id, fields)


def wire(entries: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in entries.items()]


@pytest.fixture
def shell(tmp_path: Path, box: SandboxServer) -> Shell:
    made = Shell(tmp_path, box.url)
    made("db", "upgrade")
    return made


@pytest.fixture
def pair(product: Product, anna: User, box: SandboxServer) -> Pair:
    return Pair(product, anna, box)


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-17", "CON-16")
def test_a_custom_field_goes_both_ways_and_the_other_ones_stay(pair: Pair) -> None:
    pair.map("Shoe size")

    pair.edit_google(userDefined=wire({**OTHERS, "Shoe size": "38"}))
    pair.cycle()
    assert pair.crm[SIZE] == "38"
    assert pair.writes() == 0

    pair.edit_crm(**{SIZE: "39"})
    pair.cycle()
    assert pair.google == {**OTHERS, "Shoe size": "39"}
    assert pair.writes() == 0

    pair.edit_crm(**{SIZE: ""})
    pair.cycle()
    assert pair.google == OTHERS
    assert pair.writes() == 0
    assert {name for name in pair.crm if name.startswith("custom:")} == set()


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-17", "CON-8")
def test_new_contacts_are_made_with_their_custom_fields(
    product: Product, anna: User, box: SandboxServer
) -> None:
    product.set("mapping", json.dumps({"custom": ["Shoe size", "Büro №"]}))
    made = builtin.edit_contact(
        product.app, "new", {"last": "Here", "email": "h@x.example", SIZE: "38"}
    )
    builtin.change_members(product.app, GROUP, [made["id"]], selected=True)
    there = {
        "names": [{"familyName": "There"}],
        "userDefined": wire({"Büro №": "Erdgeschoß 🏢", "Pets": "two cats"}),
        "labels": ["Infor CRM"],
    }
    box.create_person(ANNA, there)

    product.cycle(anna)

    rows = {row["last"]: row for row in builtin.list_contacts(product.app, "", 10)}
    assert rows["There"]["custom:Büro №"] == "Erdgeschoß 🏢"
    assert "custom:Pets" not in rows["There"]
    made_there = [p["userDefined"] for p in box.people(ANNA) if "emailAddresses" in p]
    assert [(e["key"], e["value"]) for e in made_there[0]] == [("Shoe size", "38")]


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-17", "CON-15")
def test_a_long_custom_value_is_shortened_in_the_crm_only(pair: Pair) -> None:
    pair.map("Shoe size")
    pair.edit_google(userDefined=wire({"Shoe size": "x" * 300}))

    pair.cycle()

    assert pair.crm[SIZE] == "x" * 255
    assert pair.writes() == 0
    assert pair.google == {"Shoe size": "x" * 300}


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-17", "CON-22")
@pytest.mark.parametrize(
    ("crm", "google", "after"),
    [("38", "", "38"), ("", "39", "39"), ("39", "39", "39"), ("38", "39", "39")],
)
def test_an_added_field_is_compared_in_contacts_that_have_not_changed(
    pair: Pair, crm: str, google: str, after: str
) -> None:
    pair.edit_crm(**{SIZE: crm})
    if google:
        pair.edit_google(userDefined=wire({"Shoe size": google}))
    assert pair.writes() == 0

    pair.map("Shoe size")
    done = pair.cycle()

    assert (pair.crm[SIZE], pair.google["Shoe size"]) == (after, after)
    is_conflict = bool(crm) and bool(google) and crm != google
    assert lost(pair, done) == ([(SIZE, "crm", crm)] if is_conflict else [])
    assert pair.writes() == 0


def lost(pair: Pair, cycle: dict[str, Any]) -> list[tuple[str, str, str]]:
    items = reporting.cycle_detail(pair.product.app, cycle["id"])["items"]
    return [
        (value["field"], value["side"], value["value"])
        for item in items
        if item["conflict"]
        for value in item["conflict"]["lost"]
    ]


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-17")
def test_a_custom_field_that_is_taken_out_stops_and_comes_back(pair: Pair) -> None:
    pair.map("Shoe size")
    pair.edit_crm(**{SIZE: "38"})
    pair.cycle()

    pair.map()
    assert pair.writes() == 0
    pair.edit_crm(**{SIZE: "40"})
    assert pair.writes() == 0
    assert (pair.crm[SIZE], pair.google["Shoe size"]) == ("40", "38")

    pair.map("Shoe size")
    done = pair.cycle()

    assert (pair.crm[SIZE], pair.google["Shoe size"]) == ("40", "40")
    assert lost(pair, done) == []
    assert pair.writes() == 0


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-17")
def test_a_field_that_is_switched_off_keeps_its_values_until_it_is_on(
    pair: Pair,
) -> None:
    pair.edit_crm(title="Countess", notes="Tall.")
    pair.cycle()

    pair.map(off=["title", "notes"])
    pair.edit_crm(title="Programmer", department="Engines")
    pair.edit_google(biographies=[])
    pair.cycle()
    person = pair.box.person(ANNA, pair.google_id)
    (job,) = person["organizations"]
    assert (job["title"], job["department"]) == ("Countess", "Engines")
    assert pair.crm["notes"] == "Tall."
    assert pair.writes() == 0

    pair.map()
    pair.cycle()

    assert pair.writes() == 0
    person = pair.box.person(ANNA, pair.google_id)
    assert person["organizations"][0]["title"] == pair.crm["title"]
    assert person["organizations"][0]["department"] == "Engines"


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-17")
def test_what_was_edited_or_blanked_while_off_is_an_edit_once_it_is_on(
    pair: Pair,
) -> None:
    pair.edit_crm(title="Countess", notes="Tall.")
    pair.cycle()
    pair.map(off=["title", "notes"])
    pair.edit_crm(title="Programmer")
    pair.edit_google(biographies=[])
    assert pair.writes() == 0

    pair.map()
    done = pair.cycle()

    person = pair.box.person(ANNA, pair.google_id)
    assert person["organizations"][0]["title"] == "Programmer"
    assert "notes" not in pair.crm
    assert lost(pair, done) == []


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-17", "ADM-2")
def test_a_mapping_that_contradicts_itself_is_refused_with_a_sentence(
    product: Product,
) -> None:
    cases = {
        "[]": "it takes JSON such as",
        "no": "it takes JSON such as",
        '{"of": ["notes"]}': "it takes JSON such as",
        '{"off": "notes"}': "it takes JSON such as",
        '{"off": 5}': "it takes JSON such as",
        '{"custom": [7]}': "it takes JSON such as",
        '{"off": ["shoe"]}': "there is no field 'shoe'",
        '{"custom": [" "]}': "names of 1 to 64 characters",
        '{"custom": ["%s"]}' % ("x" * 65): "names of 1 to 64 characters",
        '{"custom": ["a\\nb"]}': "a control character in its name",
        '{"custom": ["A", "B", "A"]}': "the custom field 'A' is named twice",
        '{"off": ["notes"], "custom": ["notes"]}': "'notes' is both switched off",
        '{"off": ["custom:A"], "custom": ["A"]}': "'A' is both switched off",
    }

    for value, reason in cases.items():
        with pytest.raises(UsageError, match=re.escape(reason)):
            product.set("mapping", value)

    product.set("mapping", '{"off": ["notes"], "custom": ["A", "a"]}')
    table = settings.contact_table(product.app, "")
    assert "notes" not in table.names
    assert table.names[-2:] == ("custom:A", "custom:a")
    assert table.crm_limits["custom:a"] == 255


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-17", "ADM-4")
def test_the_commands_write_and_print_custom_fields(shell: Shell) -> None:
    made = json.loads(shell("crm", "edit", "contact", "new", "last=Byron").stdout)

    changed = shell("crm", "edit", "contact", made["id"], f"{SIZE}=38").stdout

    assert json.loads(changed)[SIZE] == "38"
    (listed,) = shell.json("crm", "list", "contact")["contacts"]
    assert listed[SIZE] == "38"
    refused = shell("crm", "edit", "contact", made["id"], "custom:=1", status=2)
    assert "names no custom field" in refused.stderr
