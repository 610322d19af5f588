"""vCards of all three versions, broken ones too (RUN-6)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.client import User
from tests.sandbox.harness import ROOT, Json, SandboxServer

VCF = ROOT / "tests" / "data" / "vcf"


def card(*lines: str, version: str = "3.0") -> str:
    head = ("BEGIN:VCARD", f"VERSION:{version}")
    return "\r\n".join([*head, *lines, "END:VCARD", ""])


def loaded(box: SandboxServer, user: User, text: str) -> Json:
    """The one contact of a text."""
    report = box.load(user.email, text)
    assert report["refused"] == []
    (person,) = box.people(user.email)
    return person


def values(person: Json, field: str, key: str = "value") -> list[Any]:
    return [item.get(key) for item in person.get(field, [])]


@pytest.mark.point("S-13")
def test_every_property_has_its_place(anna: User, box: SandboxServer) -> None:
    text = card(
        "N:Ng;Ada;Bea;Dr.;Jr.",
        "FN:Something else",
        "ORG:Acme\\, Inc.;Sales;North",
        "TITLE:Head\\; of sales",
        "EMAIL;TYPE=WORK:a@x.example",
        "TEL;TYPE=CELL,VOICE:+49 30 1",
        "TEL;TYPE=FAX,WORK:+49 30 2",
        "ADR;TYPE=HOME:;;Way 1\\nBack;Ulm;BW;89073;Germany",
        "URL:https://x.example/a:b",
        "BDAY:--0229",
        "NOTE:one\\ntwo",
        "NICKNAME:Addie,Bee",
        "CATEGORIES:Team,Golf",
        "PHOTO;ENCODING=b;TYPE=JPEG:AAAA",
    )

    person = loaded(box, anna, text)

    assert person["names"][0]["displayName"] == "Dr. Ada Bea Ng, Jr."
    organization = person["organizations"][0]
    assert organization["name"] == "Acme, Inc."
    assert organization["department"] == "Sales / North"
    assert organization["title"] == "Head; of sales"
    assert values(person, "emailAddresses", "type") == ["work"]
    assert values(person, "phoneNumbers", "type") == ["mobile", "workFax"]
    assert person["addresses"][0]["streetAddress"] == "Way 1\nBack"
    assert values(person, "urls") == ["https://x.example/a:b"]
    assert person["birthdays"][0]["date"] == {"month": 2, "day": 29}
    assert values(person, "biographies") == ["one\ntwo"]
    assert values(person, "nicknames") == ["Addie", "Bee"]
    assert "default" not in person["photos"][0]
    assert {"Team", "Golf"} < set(box.groups(anna.email))


@pytest.mark.point("S-13")
def test_version_two_with_quoted_printable(anna: User, box: SandboxServer) -> None:
    text = card(
        "N;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:M=FCller;J=F6rg",
        "NOTE;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:one=0D=0A=",
        "two =C3=A9",
        "TEL;CELL;PREF:+49 30 1",
        version="2.1",
    )

    person = loaded(box, anna, text)

    assert person["names"][0]["displayName"] == "Jörg Müller"
    assert values(person, "biographies") == ["one\r\ntwo é"]
    assert values(person, "phoneNumbers", "type") == ["mobile"]


@pytest.mark.point("S-13")
def test_version_four_with_groups_and_folds(anna: User, box: SandboxServer) -> None:
    text = card(
        "N:Roe;Bob;;;",
        'item1.EMAIL;TYPE="work,pref";X-ABLABEL="a:b;c":b@x.example',
        "TEL;VALUE=uri;TYPE=home:tel:+49-30-1",
        "NOTE:a long no",
        " te with 🚀 in it",
        version="4.0",
    )

    person = loaded(box, anna, text)

    assert values(person, "emailAddresses") == ["b@x.example"]
    assert values(person, "emailAddresses", "type") == ["work"]
    assert values(person, "phoneNumbers") == ["+49-30-1"]
    assert values(person, "biographies") == ["a long note with 🚀 in it"]


@pytest.mark.point("S-13")
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("BEGIN:VCARD\nVERSION:3.0\nN:A;B\n", "no END:VCARD"),
        (card("N:A;B", version="5.0"), "version '5.0'"),
        (card("a line without one"), "not a vCard line"),
        (card("NOTE;CHARSET=KLINGON:x"), "unknown charset 'KLINGON'"),
        (card("REV:2020"), "the card is empty"),
        (card("BDAY:1999-02-31", "N:A;B"), "Invalid date"),
    ],
)
def test_a_broken_card_costs_itself_and_says_why(
    anna: User, box: SandboxServer, text: str, why: str
) -> None:
    report = box.load(anna.email, text + "\n" + card("N:Fine;Card"))

    assert report["added"] == 1
    assert [why in r["reason"] for r in report["refused"]] == [True]


@pytest.mark.point("S-13")
def test_the_same_text_twice_adds_nothing(anna: User, box: SandboxServer) -> None:
    text = card("N:A;B") + card("UID:u-1", "N:C;D")

    first = box.load(anna.email, text)
    second = box.load(anna.email, text)

    assert (first["added"], first["known"]) == (2, 0)
    assert (second["added"], second["known"]) == (0, 2)


@pytest.mark.point("S-13")
def test_a_card_with_a_folded_photo_from_elsewhere(
    anna: User, box: SandboxServer
) -> None:
    text = (VCF / "sabre-vobject" / "issue153.vcf").read_text(encoding="utf-8")

    person = loaded(box, anna, text)

    assert person["names"][0]["displayName"] == "Test Benutzer"
    assert "default" not in person["photos"][0]
