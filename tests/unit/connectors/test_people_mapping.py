"""Google's person to our card and back."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crmsync.connectors.google.mapping.contacts import (
    Reading,
    card_to_person,
    new_person,
    patch_of,
    person_to_card,
    person_to_remote,
    stamp_of,
    version_of,
)
from crmsync.errors import InvalidRecord, ProtocolBroken
from crmsync.records.cards import Card
from crmsync.records.contacts import FIELDS
from crmsync.records.slots import assign, place
from crmsync.records.values import FieldTable

TABLE = FieldTable(FIELDS)
READING = Reading(TABLE, "contactGroups/4f5e", "inst")
OUTPUT_ONLY = {"formattedType", "canonicalForm", "displayNameLastFirst"}


def sample(name: str) -> dict[str, Any]:
    path = Path(__file__).parent / "samples" / f"{name}.json"
    return dict(json.loads(path.read_text("utf-8")))


def changed(person: dict[str, Any], changes: dict[str, str], key: str = "") -> Any:
    card = person_to_card(person)
    base = assign(card, None, TABLE)
    return patch_of(person, place(card, base, changes, TABLE), key)


@pytest.mark.rule("CON-17")
def test_a_person_is_read() -> None:
    remote = person_to_remote(sample("person"), READING)

    assert remote.remote_id == "people/c1234567890123456789"
    assert remote.etag == "#Zm9vYmFy"
    assert remote.values == {
        "prefix": "Dr.",
        "first": "Jo",
        "last": "Doe",
        "company": "Acme",
        "title": "CEO",
        "email": "jo@acme.example",
        "email2": "jo@example.com",
        "mobile": "(212) 555-0012",
        "work_street": "1 A St",
        "work_city": "Rome",
        "work_country": "Italy",
        "notes": "likes tea",
    }
    assert remote.key == "1|inst|u|c1|i1"
    assert remote.is_selected
    assert remote.stamp == "2026-01-02T03:04:05.678901000Z"
    assert remote.modified_at == datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    assert remote.extras == ()


@pytest.mark.rule("CON-4")
def test_a_person_outside_the_label_is_not_selected() -> None:
    person = sample("person")

    assert not person_to_remote(person, Reading(TABLE, "contactGroups/x")).is_selected
    assert not person_to_remote(person, Reading(TABLE)).is_selected


@pytest.mark.rule("CON-12")
def test_a_full_read_names_what_is_not_mapped() -> None:
    person = {**sample("person"), "relations": [{"person": "B"}]}
    person["photos"] = [{"url": "x"}]
    starred = {"contactGroupResourceName": "contactGroups/starred"}
    person["memberships"].append({"contactGroupMembership": starred})

    found = person_to_remote(person, READING, is_full=True).extras

    assert set(found) == {
        "starred",
        "photo",
        "field:relations",
        "field:clientData",
        "more:birthdays",
        "more:custom",
        "detail:names",
        "detail:emails",
        "detail:addresses",
        "detail:organizations",
    }


def test_a_tombstone_is_gone_and_empty() -> None:
    person = sample("tombstone")
    person["metadata"]["previousResourceNames"] = ["people/c41"]

    found = person_to_remote(person, READING)

    assert found.is_gone
    assert not found.is_selected
    assert (found.values, found.previous_ids) == ({}, ("people/c41",))


@pytest.mark.rule("CON-16")
def test_entries_come_back_without_what_google_only_shows() -> None:
    person = sample("person")

    found = card_to_person(person_to_card(person))

    for name in ("emailAddresses", "phoneNumbers", "addresses", "userDefined"):
        expected = copy.deepcopy(person[name])
        for item in expected:
            primary = item.pop("metadata", {}).get("sourcePrimary")
            for key in OUTPUT_ONLY:
                item.pop(key, None)
            if primary:
                item["metadata"] = {"sourcePrimary": True}
        assert found[name] == expected
    assert found["birthdays"] == [{"date": {"month": 2, "day": 3}, "text": "02/03"}]
    assert len(found["names"]) == 1


@pytest.mark.rule("CON-16")
def test_only_changed_fields_are_in_the_mask() -> None:
    person = sample("person")

    patch = changed(person, {"mobile": "+12125550099"})

    assert patch.mask == ("phoneNumbers",)
    assert patch.body == {
        "resourceName": person["resourceName"],
        "etag": person["etag"],
        "metadata": {"sources": person["metadata"]["sources"]},
        "phoneNumbers": [{"value": "+12125550099", "type": "mobile"}],
    }


def test_what_was_derived_from_a_changed_part_goes_with_it() -> None:
    person = sample("person")

    name = changed(person, {"first": "Joanna"}).body["names"]
    city = changed(person, {"work_city": "Oslo"}).body["addresses"][0]
    land = changed(person, {"work_country": "Norway"}).body["addresses"][0]
    firm = changed(person, {"company": "Globex"}).body["organizations"][0]

    assert name == [
        {
            "metadata": {"sourcePrimary": True},
            "honorificPrefix": "Dr.",
            "givenName": "Joanna",
            "familyName": "Doe",
            "phoneticGivenName": "Dscho",
        }
    ]
    assert "formattedValue" not in city
    assert (city["countryCode"], city["extendedAddress"]) == ("IT", "Suite 2")
    assert "countryCode" not in land
    assert (firm["current"], firm["jobDescription"]) == (True, "runs it")
    assert "phoneticName" not in firm


def test_a_cleared_list_is_sent_empty() -> None:
    patch = changed(sample("person"), {"mobile": "", "notes": ""})

    assert patch.mask == ("biographies", "phoneNumbers")
    assert patch.body["phoneNumbers"] == patch.body["biographies"] == []


def test_a_birthday_is_written_whole() -> None:
    patch = changed(sample("person"), {"birthday": "1980-02-03"})

    assert patch.body["birthdays"] == [{"date": {"year": 1980, "month": 2, "day": 3}}]


def test_notes_are_written_as_plain_text() -> None:
    patch = changed(sample("person"), {"notes": "likes cake"})

    assert patch.body["biographies"] == [
        {"value": "likes cake", "contentType": "TEXT_PLAIN"}
    ]


@pytest.mark.rule("CON-20")
def test_our_key_is_added_once_and_others_are_kept() -> None:
    person = sample("person")

    patch = changed(person, {}, "1|inst|u|c1|i1")
    added = changed(person, {}, "1|inst|u|c2|i2")

    assert patch.mask == ()
    assert added.mask == ("clientData",)
    assert added.body["clientData"] == [
        {"key": "other-app", "value": "x"},
        {"key": "crm-sync-key", "value": "1|theirs|u|c9|i9"},
        {"key": "crm-sync-key", "value": "1|inst|u|c1|i1"},
        {"key": "crm-sync-key", "value": "1|inst|u|c2|i2"},
    ]


def test_what_stays_overflow_is_remembered_in_the_person() -> None:
    person = sample("person")
    person["emailAddresses"] = [{"value": f"{n}@x.example"} for n in range(4)]

    patch = changed(person, {"email": ""})
    person.update({name: patch.body[name] for name in patch.mask})
    again = person_to_card(person)

    assert patch.mask == ("clientData", "emailAddresses")
    after = {"email2": "1@x.example", "email3": "2@x.example"}
    shown = assign(again, {**assign(again, None, TABLE), **after, "email": ""}, TABLE)
    assert "email" not in shown


@pytest.mark.rule("CON-8")
def test_a_new_person_is_in_the_label_and_carries_its_key() -> None:
    card = place(Card(), None, {"first": "Jo", "birthday": "1980-02-03"}, TABLE)

    found = new_person(card, "k", ["contactGroups/a", "contactGroups/myContacts"])

    assert found == {
        "names": [{"givenName": "Jo"}],
        "birthdays": [{"date": {"year": 1980, "month": 2, "day": 3}}],
        "clientData": [{"key": "crm-sync-key", "value": "k"}],
        "memberships": [
            {"contactGroupMembership": {"contactGroupResourceName": name}}
            for name in ("contactGroups/a", "contactGroups/myContacts")
        ],
    }


def test_a_birthday_that_is_no_date_names_the_field() -> None:
    card = place(Card(), None, {"birthday": "soon"}, TABLE)

    with pytest.raises(InvalidRecord) as caught:
        card_to_person(card)

    assert caught.value.fields == ("birthday",)


@pytest.mark.parametrize(
    "person",
    [
        {},
        {"resourceName": "people/c1", "emailAddresses": {"value": "x"}},
        {"resourceName": "people/c1", "emailAddresses": ["x"]},
    ],
    ids=["nameless", "object", "texts"],
)
def test_a_malformed_person_breaks_the_protocol(person: dict[str, Any]) -> None:
    with pytest.raises(ProtocolBroken):
        person_to_remote(person, READING)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ({"year": 1980, "month": 2, "day": 3}, {"birthday": "1980-02-03"}),
        ({"year": 0, "month": 2, "day": 3}, {}),
        ({"year": 1980}, {}),
        (None, {}),
    ],
)
def test_only_full_birthdays_are_read(day: Any, expected: dict[str, str]) -> None:
    card = person_to_card({"birthdays": [{"date": day}]})

    assert assign(card, None, TABLE) == expected


def test_a_person_without_a_contact_source_has_its_own_etag() -> None:
    person = {"resourceName": "people/c1", "etag": "%x", "metadata": {"sources": []}}

    person["metadata"] = {"sources": [{"type": "PROFILE", "etag": "#p"}]}
    assert version_of(person) == "%x"
    assert stamp_of(person) == ""
    assert person_to_remote(person, READING).modified_at is None
    assert person_to_remote(person, Reading(TABLE)).key == ""
    assert patch_of(person, Card(), "k").body["metadata"] == {
        "sources": [{"type": "CONTACT"}]
    }


def test_a_key_of_nobody_we_know_is_shown_too() -> None:
    data = [{"key": "crm-sync-key", "value": "odd"}]

    found = person_to_remote({"resourceName": "people/c1", "clientData": data}, READING)

    assert found.key == "odd"
