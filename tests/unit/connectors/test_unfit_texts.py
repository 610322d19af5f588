"""NUL and lone surrogates: gone when read, and left in peace when written back."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest

from crmsync.connectors.google.faults import item_fault, parse_fault
from crmsync.connectors.google.mapping.contacts import (
    Reading,
    patch_of,
    person_to_card,
    person_to_remote,
)
from crmsync.records.cards import Card
from crmsync.records.contacts import FIELDS
from crmsync.records.slots import assign, place
from crmsync.records.values import FieldTable
from tests.unit.connectors.test_contacts_odd import Fixture, box, edit, person, shown

__all__ = ["box"]

TABLE = FieldTable(FIELDS)
READING = Reading(TABLE, "contactGroups/a", "inst")
HALF = "\ud83d"

MAILS = [
    {"value": "a\x00@x.example", "type": "work", "displayName": f"A{HALF}"},
    {"value": "b@x.example", "type": f"my{HALF} own"},
]
ADDRESS = {
    "streetAddress": "1\x00 A St",
    "city": "Rome",
    "region": "\x00",
    "extendedAddress": "Suite\x00 2",
    "type": "work",
}
UNFIT = person(
    "people/c1",
    f"A{HALF}nn",
    emailAddresses=MAILS,
    addresses=[ADDRESS],
    phoneNumbers=[{"value": "\x00", "type": "mobile"}],
    biographies=[{"value": f"a\x00b{HALF}", "contentType": "TEXT_PLAIN"}],
    organizations=[{"name": "Ac\x00me", "phoneticName": "Ä\x00"}],
    userDefined=[{"key": "Bad\x00ge", "value": "7\x00"}],
    birthdays=[{"text": "soon\x00"}],
    clientData=[
        {"key": "crm-sync-key", "value": "1|inst|u|c1|\x00i1"},
        {"key": "other\x00", "value": HALF},
    ],
)
FIT = {
    "first": "Ann",
    "email": "a@x.example",
    "email2": "b@x.example",
    "work_street": "1 A St",
    "work_city": "Rome",
    "notes": "ab",
    "company": "Acme",
}


def patched(changes: dict[str, str], key: str = "") -> Any:
    card = person_to_card(UNFIT)
    return patch_of(UNFIT, place(card, FIT, changes, TABLE), key)


def test_what_is_read_can_be_stored_anywhere() -> None:
    found = person_to_remote(UNFIT, READING)

    assert found.values == FIT
    assert found.key == "1|inst|u|c1|i1"
    assert found.record["custom"] == [{"values": {"key": "Badge", "value": "7"}}]
    stored = orjson.dumps([found.record, dict(found.values), found.key])
    assert b"\\u0000" not in stored
    assert assign(Card.from_dict(found.record), FIT, TABLE) == FIT


@pytest.mark.rule("CON-16")
def test_what_is_parked_is_known_by_its_clean_mark() -> None:
    mails = [{"value": f"{n}@x.example"} for n in range(4)]
    given = person("people/c1", emailAddresses=mails)
    card = person_to_card(given)
    seen = assign(card, None, TABLE)
    parking = patch_of(given, place(card, seen, {"email": ""}, TABLE), "").body
    (mark,) = parking["clientData"]
    mark["value"] = f"\x00{mark['value']}"
    given.update({n: parking[n] for n in ("emailAddresses", "clientData")})

    again = person_to_card(given)

    assert again.parked == {mark["value"][1:]}
    seen = {**seen, "email": ""}
    assert patch_of(given, place(again, seen, {}, TABLE), "").mask == ()


@pytest.mark.rule("CON-16", "ENG-1")
@pytest.mark.parametrize("changes", [{}, FIT], ids=["nothing", "the same"])
def test_a_contact_that_differs_by_such_characters_only_is_not_written(
    changes: dict[str, str],
) -> None:
    assert patched(changes, "1|inst|u|c1|i1").mask == ()


@pytest.mark.rule("CON-16")
def test_what_is_not_written_goes_back_as_it_was() -> None:
    before = copy.deepcopy(UNFIT)

    mails = patched({"email2": "c@x.example"})
    places = patched({"work_city": "Oslo"})

    assert mails.mask == ("emailAddresses",)
    assert mails.body["emailAddresses"] == [
        MAILS[0],
        {"value": "c@x.example", "type": f"my{HALF} own"},
    ]
    assert places.body["addresses"] == [{**ADDRESS, "city": "Oslo"}]
    assert before == UNFIT


@pytest.mark.rule("CON-16")
def test_a_field_that_is_written_is_clean_and_its_neighbours_are_not_touched() -> None:
    assert patched({"email": "z@x.example"}).body["emailAddresses"] == [
        {**MAILS[0], "value": "z@x.example"},
        MAILS[1],
    ]
    added = patched({"work_phone": "+12125550001"}).body["phoneNumbers"]
    assert added == [
        {"value": "\x00", "type": "mobile"},
        {"value": "+12125550001", "type": "work"},
    ]
    hosted = patched({"work_region": "RM"}).body["addresses"]
    assert hosted == [{**ADDRESS, "region": "RM"}]
    firm = patched({"title": "CEO", "company": "Globex"}).body["organizations"]
    assert firm == [{"name": "Globex", "title": "CEO"}]
    data = patched({}, "1|inst|u|c1|i2").body["clientData"]
    assert {"key": "other\x00", "value": HALF} in data


def test_an_answer_with_half_a_character_is_an_answer(box: Fixture) -> None:
    raw = orjson.dumps(shown(person("people/c1", "A@@n"))[1])
    body = raw.replace(b"@@", b"\\ud83d\\u0000")
    box.when("batchGet", (200, body), (200, body))
    box.when("batchUpdateContacts", (200, {}))

    found = box.side.fetch(["people/c1"])["people/c1"]
    (outcome,) = box.side.update([edit("people/c1", {"first": "An"}, {"last": "B"})])

    assert found.values == {"first": "An"}
    assert outcome.error is None
    assert outcome.remote is not None
    assert outcome.remote.values == {"first": "An", "last": "B"}
    orjson.dumps(outcome.remote.record)
    assert box.google.count("batchGet") == 2


def test_an_error_that_repeats_such_characters_can_be_stored() -> None:
    body = (
        rb'{"error": {"status": "FAILED_PRECONDITION", "message": "a\u0000b\ud83dc"}}'
    )

    fault = parse_fault(400, body)
    error = item_fault({"code": 3, "message": f"a\x00b{HALF}c"})

    assert (fault.rpc, fault.message) == ("FAILED_PRECONDITION", "abc")
    assert error is not None
    assert error.message == "abc"
