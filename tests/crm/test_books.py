from __future__ import annotations

import csv
import io
import re
from collections import Counter

import pytest
from sqlalchemy import Engine

from crm.imports import import_csv, import_vcf
from tests.books import HEADER, make_books


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_books_are_the_same_for_the_same_seed() -> None:
    assert make_books(7, 100, 60) == make_books(7, 100, 60)
    assert make_books(7, 100, 60) != make_books(8, 100, 60)


def test_books_are_imported_whole(engine: Engine) -> None:
    books = make_books(1)

    crm = import_csv(engine.begin, books.csv.encode(), user="U1")
    google = import_vcf(engine.begin, books.vcf.encode(), user="U1")

    assert (crm.imported, crm.set_aside, crm.unchanged) == (1000, 0, 0)
    assert (google.imported, google.set_aside, google.unchanged) == (1000, 0, 0)


def test_the_truth_names_pairs_of_every_kind() -> None:
    books = make_books(1)

    hows = Counter(pair["how"] for pair in books.truth["pairs"])

    assert set(hows) == {"same", "case", "second", "phone", "name"}
    assert sum(hows.values()) == 600
    assert len(books.truth["namesakes_not_pairs"]) == 5


def test_nothing_matches_but_what_the_truth_says() -> None:
    books = make_books(2, 3000, 1500)
    rows = _rows(books.csv)
    assert tuple(rows[0]) == HEADER
    cards = books.vcf.split("END:VCARD\r\n")[:-1]

    google_addresses = [
        address.casefold()
        for card in cards
        for address in re.findall(r"EMAIL.*:(.*)\r", card)
    ]
    crm_addresses = [
        row[column].casefold()
        for row in rows
        for column in ("E-mail", "E-mail 2")
        if row[column]
    ]
    shared = "family@shared.example"
    for addresses in (google_addresses, crm_addresses):
        assert [a for a, n in Counter(addresses).items() if n > 1] == [shared]
    by_address = set(google_addresses) & set(crm_addresses) - {shared}
    linked = sum(p["how"] in {"same", "case", "second"} for p in books.truth["pairs"])
    assert sum(bool(by_address & set(_of(row))) for row in rows) == linked
    names = [re.findall(r"\r\nN:(.*);(.*);;;", card)[0] for card in cards]
    assert len(set(names)) == len(names)
    both = set(names) & {(row["Last name"], row["First name"]) for row in rows}
    assert len(both) == 1500 + 5


def _of(row: dict[str, str]) -> list[str]:
    return [row["E-mail"].casefold(), row["E-mail 2"].casefold()]


def test_there_must_be_room_for_namesakes() -> None:
    with pytest.raises(ValueError, match="pairs"):
        make_books(1, 100, 95)
