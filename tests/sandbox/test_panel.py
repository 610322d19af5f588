"""The panel: a person's hand in Google's contacts, through plain forms."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote, urlencode

import pytest

from tests.sandbox.harness import SandboxServer

ANNA = "anna@shop.example"
PANEL = f"/_sandbox/panel/{quote(ANNA)}"


@pytest.fixture
def box() -> Iterator[SandboxServer]:
    options = ("--quota", "off", "--delay", "0", "--account", ANNA)
    with SandboxServer(*options) as server:
        yield server


def page(box: SandboxServer, path: str) -> tuple[int, str]:
    status, _, answer = box.http("GET", path)
    return status, answer.decode()


def send(box: SandboxServer, key: str, **fields: str) -> int:
    form = {"do": "save", "label": "Infor CRM", **fields}
    status, _, _ = box.http(
        "POST",
        f"{PANEL}/{key}",
        urlencode(form),
        {"Content-Type": "application/x-www-form-urlencoded"},
    )
    return status


def fields(**changed: str) -> dict[str, str]:
    names = ("given", "family", "title", "company", "emails", "phones", "notes")
    return dict.fromkeys(names, "") | changed


def test_the_panel_lists_accounts_and_their_contacts(box: SandboxServer) -> None:
    box.create_person(
        ANNA, {"names": [{"givenName": "<b>Ada"}], "labels": ["Infor CRM"]}
    )

    assert ANNA in page(box, "/_sandbox/panel")[1]
    status, text = page(box, PANEL)
    assert status == 200
    assert "&lt;b&gt;Ada" in text
    assert "Infor CRM" in text
    assert "No contact fits" in page(box, f"{PANEL}?q=nobody")[1]


def test_an_edit_by_hand_keeps_what_the_form_does_not_show(box: SandboxServer) -> None:
    made = box.create_person(
        ANNA,
        {
            "names": [{"givenName": "Ada", "familyName": "Byron", "middleName": "K."}],
            "emailAddresses": [{"value": "ada@x.example", "type": "work"}],
            "phoneNumbers": [{"value": "+1 212 555 0100", "type": "pager"}],
            "organizations": [{"name": "Engines", "department": "R&D"}],
            "relations": [{"person": "Charles", "type": "friend"}],
        },
    )
    key = made["resourceName"].removeprefix("people/")
    assert "ada@x.example" in page(box, f"{PANEL}/{key}")[1]

    status = send(
        box,
        key,
        is_labelled="on",
        **fields(
            given="Ada",
            family="Lovelace",
            title="Countess",
            company="Engines",
            emails="ada@x.example\r\nada@home.example",
            phones="pager: +1 212 555 0100\r\nmobile: +1 646 555 0000",
        ),
    )

    person = box.person(ANNA, made["resourceName"])
    assert status == 302
    assert person["names"][0]["familyName"] == "Lovelace"
    assert person["names"][0]["middleName"] == "K."
    assert person["organizations"][0]["title"] == "Countess"
    assert person["organizations"][0]["department"] == "R&D"
    emails = {e["value"]: e.get("type") for e in person["emailAddresses"]}
    assert emails == {"ada@x.example": "work", "ada@home.example": None}
    phones = {p["value"]: p.get("type") for p in person["phoneNumbers"]}
    assert phones == {"+1 212 555 0100": "pager", "+1 646 555 0000": "mobile"}
    assert person["relations"][0]["person"] == "Charles"
    assert box.groups(ANNA)["Infor CRM"]["members"] == [made["resourceName"]]


def test_a_contact_is_made_unlabelled_and_deleted_by_hand(box: SandboxServer) -> None:
    assert send(box, "new", **fields(given="Bob", emails="bob@x.example")) == 302
    (person,) = box.people(ANNA)
    assert "Infor CRM" not in box.groups(ANNA)

    key = person["resourceName"].removeprefix("people/")
    assert send(box, key, do="delete") == 302
    assert box.people(ANNA) == []


def test_a_stranger_gets_a_page_that_says_so(box: SandboxServer) -> None:
    assert page(box, "/_sandbox/panel/nobody@x.example")[0] == 404
    assert page(box, f"{PANEL}/c999")[0] == 404
