from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import pytest
import vobject
from sqlalchemy import Engine

from crm import groups, lookup
from crm.imports import ImportResult, import_vcf
from crm.rows import ContactRow

DATA = Path(__file__).parent.parent / "data"


def card(*lines: str, version: str = "3.0") -> bytes:
    whole = ["BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", ""]
    return "\r\n".join(whole).encode()


def load(engine: Engine, source: bytes, group: str | None = None) -> ImportResult:
    return import_vcf(engine.begin, source, user="U1", group=group)


def everyone(engine: Engine) -> list[ContactRow]:
    with engine.connect() as conn:
        return lookup.search(conn, limit=5000)


def only_values(engine: Engine) -> dict[str, str]:
    (row,) = everyone(engine)
    return {name: value for name, value in row.values.items() if value}


def counts(result: ImportResult) -> tuple[int, int, int, int]:
    return result.imported, result.normalised, result.unchanged, result.set_aside


def test_the_example_book_reads_as_another_library_reads_it(engine: Engine) -> None:
    source = (DATA / "contacts" / "google.vcf").read_bytes()

    result = load(engine, source)

    assert counts(result) == (1000, 32, 0, 0)
    expected = {
        (
            entry.n.value.family.strip(),
            entry.n.value.given.strip()[:32],
            entry.email.value,
            " ".join(entry.org.value[0].split()) if hasattr(entry, "org") else "",
        )
        for entry in cast("Any", vobject).readComponents(source.decode())
    }
    names = ("last", "first", "email", "company")
    found = {tuple(row.values[name] for name in names) for row in everyone(engine)}
    assert found == expected


def test_importing_cards_again_creates_and_updates_nothing(engine: Engine) -> None:
    with engine.begin() as conn:
        group = groups.create(conn, "Sync").id
    source = card("UID:1", "N:Byron;Ada") + card("N:Zola;Émile")
    load(engine, source, group)
    before = everyone(engine)

    result = load(engine, source, group)

    assert counts(result) == (0, 0, 2, 0)
    assert everyone(engine) == before


def test_a_card_is_known_by_its_uid_even_if_it_says_something_else_now(
    engine: Engine,
) -> None:
    load(engine, card("UID:1", "N:Byron;Ada"))

    result = load(engine, card("UID:1", "N:Lovelace;Ada"))

    assert counts(result) == (0, 0, 1, 0)
    assert "other content" in result.lines[0].reason
    assert only_values(engine)["last"] == "Byron"


def test_a_card_is_known_by_its_content_under_a_new_uid(engine: Engine) -> None:
    load(engine, card("UID:1", "N:Byron;Ada"))

    assert counts(load(engine, card("UID:2", "N:Byron;Ada"))) == (0, 0, 1, 0)


def test_every_property_has_its_field(engine: Engine) -> None:
    source = card(
        "N:Byron;Ada;Augusta;Lady;PhD",
        "ORG:Engines\\, Ltd;R&D;Looms",
        "TITLE:Countess",
        "EMAIL;TYPE=HOME:home@x.example",
        "EMAIL;TYPE=WORK,PREF:work@x.example",
        "TEL;TYPE=WORK,VOICE:1",
        "TEL;TYPE=HOME:2",
        "TEL;TYPE=CELL:3",
        "TEL;TYPE=WORK,FAX:4",
        "URL:https\\://x.example",
        "ADR;TYPE=WORK:Box 7;Flat 2;12\\, High St;York;Yorks;YO1;UK",
        "ADR;TYPE=HOME:;;5 Low St;Leeds;;LS1;UK",
        "BDAY:18151210",
        "NOTE:one\\ntwo\\; three",
    )

    result = load(engine, source)

    assert counts(result) == (1, 0, 0, 0)
    assert only_values(engine) == {
        "prefix": "Lady",
        "first": "Ada",
        "middle": "Augusta",
        "last": "Byron",
        "suffix": "PhD",
        "company": "Engines, Ltd",
        "title": "Countess",
        "department": "R&D, Looms",
        "email": "work@x.example",
        "email2": "home@x.example",
        "work_phone": "1",
        "home_phone": "2",
        "mobile": "3",
        "fax": "4",
        "web": "https://x.example",
        "work_street": "12, High St\nFlat 2\nBox 7",
        "work_city": "York",
        "work_region": "Yorks",
        "work_postal": "YO1",
        "work_country": "UK",
        "home_street": "5 Low St",
        "home_city": "Leeds",
        "home_postal": "LS1",
        "home_country": "UK",
        "birthday": "1815-12-10",
        "notes": "one\ntwo; three",
    }


def test_old_cards_with_quoted_printable_and_charsets_are_read(engine: Engine) -> None:
    source = (
        b"BEGIN:VCARD\nVERSION:2.1\n"
        b"N;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:M=FCller;J=F6rg\n"
        b"ORG;CHARSET=windows-1251:\xc7\xe0\xe2\xee\xe4\n"
        b"TITLE:Gesch\xe4ftsf\xfchrer\n"
        b"TEL;CELL;PREF:+49 151 1\n"
        b"TEL;WORK;FAX:+49 30 1\n"
        b"NOTE;QUOTED-PRINTABLE;CHARSET=UTF-8:eins=0D=0A=\n"
        b"zwei=20=F0=9F=9A=80\n"
        b"END:VCARD\n"
    )

    load(engine, source)

    assert only_values(engine) == {
        "first": "Jörg",
        "last": "Müller",
        "company": "Завод",
        "title": "Geschäftsführer",
        "mobile": "+49 151 1",
        "fax": "+49 30 1",
        "notes": "eins\nzwei 🚀",
    }


def test_new_cards_with_addresses_as_links_are_read(engine: Engine) -> None:
    source = card(
        "FN:Ada Augusta Byron",
        'TEL;VALUE=uri;PREF=1;TYPE="voice,cell":tel:+44-20-1;ext=7',
        "TEL;VALUE=uri;TYPE=home:tel:+44-20-2",
        "item1.EMAIL;PREF=2:two@x.example",
        "item2.EMAIL;PREF=1:mailto:one@x.example",
        "BDAY:--1210",
        version="4.0",
    )

    result = load(engine, source)

    assert only_values(engine) == {
        "first": "Ada Augusta",
        "last": "Byron",
        "mobile": "+44-20-1 x7",
        "home_phone": "+44-20-2",
        "email": "one@x.example",
        "email2": "two@x.example",
    }
    assert result.lines[0].reason == "birthday dropped: not a full date"


def test_folded_lines_are_joined_even_within_a_character(engine: Engine) -> None:
    whole = card("N:Byron;Ada", "NOTE:😀 a long: line")
    cut = whole.index("😀".encode()) + 2

    load(engine, whole[:cut] + b"\r\n " + whole[cut:])

    assert only_values(engine)["notes"] == "😀 a long: line"


def test_an_unescaped_line_end_stays_in_its_text(engine: Engine) -> None:
    load(engine, card("N:Byron;Ada", "NOTE:one", "two"))

    assert only_values(engine)["notes"] == "one\ntwo"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_encodings_are_recognised(engine: Engine, encoding: str) -> None:
    text = card("N:Müller;Jörg").decode()

    load(engine, text.encode(encoding))

    assert only_values(engine) == {"first": "Jörg", "last": "Müller"}


def test_a_broken_card_costs_one(engine: Engine) -> None:
    source = (
        card("N:One;A")
        + b"BEGIN:VCARD\r\nVERSION:3.0\r\nN:Broken;B\r\n"
        + b"rubbish between the cards\r\n"
        + card("N:Two;C")
        + card(":;:;:", "=====", "NOTE;ENCODING=QUOTED-PRINTABLE:=ZZ=")
        + card("N;CHARSET=klingon:Three;D")
        + b"BEGIN:VCARD\r\nN:Cut off"
    )

    result = load(engine, source)

    assert counts(result) == (3, 0, 0, 3)
    assert [(line.line, line.reason) for line in result.lines] == [
        (5, "the card has no END:VCARD"),
        (13, "nothing to know a contact by: no name, company, address or phone"),
        (23, "the card has no END:VCARD"),
    ]


def test_a_group_card_is_no_contact(engine: Engine) -> None:
    result = load(engine, card("KIND:group", "FN:Friends", "MEMBER:urn:uuid:1"))

    assert counts(result) == (0, 0, 0, 1)


def test_three_hundred_phone_numbers_fill_the_slots_and_are_counted(
    engine: Engine,
) -> None:
    numbers = [f"TEL;TYPE=WORK:{number}" for number in range(300)]

    result = load(engine, card("N:Byron;Ada", *numbers, *numbers[:1]))

    values = only_values(engine)
    assert [values[s] for s in ("work_phone", "mobile", "home_phone")] == [
        "0",
        "1",
        "2",
    ]
    assert result.lines[0].reason == "298 phone numbers left out: no slot"


def test_a_company_card_is_not_split_into_a_name(engine: Engine) -> None:
    load(engine, card("FN:Engines Ltd", "N:;;;;", "ORG:Engines Ltd", "TEL:1"))

    assert only_values(engine) == {"company": "Engines Ltd", "work_phone": "1"}


def test_a_card_with_a_photo_in_it_is_read_past_it(engine: Engine) -> None:
    source = (DATA / "vcf" / "sabre-vobject" / "issue153.vcf").read_bytes()

    result = load(engine, source)

    assert result.imported == len(re.findall(b"END:VCARD", source))
    assert {row.values["last"] for row in everyone(engine)} == {"Benutzer"}


def test_a_photo_of_megabytes_is_passed_quickly(engine: Engine) -> None:
    photo = ["PHOTO;ENCODING=b;TYPE=JPEG:" + "A" * 48, *[" " + "A" * 74] * 50_000]

    result = load(engine, card("N:Byron;Ada", *photo, "TEL:1"))

    assert counts(result) == (1, 0, 0, 0)
    assert only_values(engine)["work_phone"] == "1"


def test_a_card_that_never_ends_is_set_aside_and_the_next_one_read(
    engine: Engine,
) -> None:
    filler = ["X-FILLER:" + "A" * 1_000] * 9_000

    result = load(engine, card("N:Big;A", *filler) + card("N:Small;B"))

    assert counts(result) == (1, 0, 0, 1)
    assert result.lines[0].reason == "the card is too big"
