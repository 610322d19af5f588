from __future__ import annotations

import csv
import io
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine

from crm import accounts, contacts, groups, lookup
from crm.csvfile import fields_of
from crm.errors import BadFile, NotFound
from crm.imports import ImportResult, Outcome, import_csv
from crm.rows import ContactRow
from tests.books import HEADER

DATA = Path(__file__).parent.parent / "data" / "contacts"


def table(*rows: dict[str, str]) -> bytes:
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, HEADER, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue().encode()


def load(engine: Engine, source: bytes, group: str | None = None) -> ImportResult:
    return import_csv(engine.begin, source, user="U1", group=group)


def everyone(engine: Engine) -> list[ContactRow]:
    with engine.connect() as conn:
        return lookup.search(conn, limit=5000)


def only_values(engine: Engine) -> dict[str, str]:
    (row,) = everyone(engine)
    return {name: value for name, value in row.values.items() if value}


def counts(result: ImportResult) -> tuple[int, int, int, int]:
    return result.imported, result.normalised, result.unchanged, result.set_aside


def test_the_example_book_is_imported_whole(engine: Engine) -> None:
    source = (DATA / "crm.csv").read_bytes()

    result = load(engine, source)

    assert counts(result) == (1000, 32, 0, 0)
    assert {line.reason for line in result.lines} == {
        "first truncated to 32 characters",
        "title truncated to 64 characters",
    }
    rows = everyone(engine)
    by_name = {(row.values["first"], row.values["last"]): row for row in rows}
    assert by_name["Friedlinde", "Riehl"].values["notes"].count("\n") == 3
    assert by_name["Zeynep", "Häring"].values["company"] == "Solo Trading"


def test_importing_a_file_again_creates_and_updates_nothing(engine: Engine) -> None:
    source = (DATA / "crm.csv").read_bytes()
    load(engine, source)
    before = everyone(engine)
    with engine.begin() as conn:
        contacts.update(conn, before[0].id, changes={"title": "edited since"})
        contacts.delete(conn, before[1].id)
    edited = everyone(engine)

    result = load(engine, source)

    assert counts(result) == (0, 0, 1000, 0)
    assert everyone(engine) == edited


def test_every_column_has_its_field(engine: Engine) -> None:
    cells = {name: f"{name}@x" if "mail" in name else name for name in HEADER}

    load(engine, table(cells | {"Birthday": "1815-12-10"}))

    assert only_values(engine) == {
        "prefix": "Prefix",
        "first": "First name",
        "middle": "Middle name",
        "last": "Last name",
        "suffix": "Suffix",
        "company": "Account",
        "title": "Title",
        "department": "Department",
        "email": "E-mail@x",
        "email2": "E-mail 2@x",
        "email3": "E-mail 3@x",
        "work_phone": "Work phone",
        "home_phone": "Home phone",
        "mobile": "Mobile",
        "fax": "Fax",
        "web": "Web",
        "work_street": "Street\nStreet 2",
        "work_city": "City",
        "work_region": "State",
        "work_postal": "Postal code",
        "work_country": "Country",
        "birthday": "1815-12-10",
        "notes": "Notes",
    }


def test_columns_come_in_any_order_and_unknown_ones_are_reported(
    engine: Engine,
) -> None:
    source = b"Shoe size,LAST NAME, first name\n42,Byron,Ada\n"

    result = load(engine, source)

    assert result.unknown_columns == ("Shoe size",)
    assert only_values(engine) == {"first": "Ada", "last": "Byron"}


def test_a_file_without_known_columns_is_refused(engine: Engine) -> None:
    for source in (b"", b"\n\n", b"a,b\n1,2\n", b"\x89PNG\r\n\x1a\n\x00\x00"):
        with pytest.raises(BadFile):
            load(engine, source)


def test_an_unknown_group_is_refused_before_anything_is_imported(
    engine: Engine,
) -> None:
    with pytest.raises(NotFound):
        load(engine, table({"Last name": "Byron"}), group="pnowhere")

    assert everyone(engine) == []


def test_imported_contacts_are_put_in_the_group(engine: Engine) -> None:
    with engine.begin() as conn:
        group = groups.create(conn, "Sync").id

    load(engine, table({"Last name": "Byron"}, {"Last name": "Lovelace"}), group)

    with engine.connect() as conn:
        assert groups.member_count(conn, group) == 2


TEXT = "First name,Last name,Notes\nÉmile,Łukasz Ж 浩,🚀\n"


@pytest.mark.parametrize(
    "source",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
    ],
    ids=["utf-8", "utf-8-sig", "utf-16", "utf-16-be-bom", "utf-16-le", "utf-16-be"],
)
def test_unicode_encodings_are_recognised(engine: Engine, source: bytes) -> None:
    load(engine, source)

    assert only_values(engine) == {
        "first": "Émile",
        "last": "Łukasz Ж 浩",
        "notes": "🚀",
    }


def test_older_encodings_are_read_as_windows_1252_or_latin_1(engine: Engine) -> None:
    source = "Last name,Notes\nMüller,€ 5\n".encode("cp1252")

    load(engine, source)
    load(engine, b"Last name\nM\xfcller \x81\n")

    assert [row.values["last"] for row in everyone(engine)] == ["Müller", "Müller \x81"]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends_are_recognised(
    engine: Engine, mark: str, end: str
) -> None:
    rows = [["First name", "Last name", "Notes"], ["Ada", "Byron", '"a,b;c"']]

    load(engine, end.join(mark.join(row) for row in rows).encode())

    assert only_values(engine) == {"first": "Ada", "last": "Byron", "notes": "a,b;c"}


def test_a_line_that_names_the_separator_is_followed(engine: Engine) -> None:
    load(engine, b"sep=;\r\nFirst name;Last name\r\nAda;Byron\r\n")

    assert only_values(engine) == {"first": "Ada", "last": "Byron"}


@pytest.mark.parametrize("only", ["E-mail", "Work phone", "Mobile", "Account"])
def test_a_contact_without_a_name_is_accepted(engine: Engine, only: str) -> None:
    value = "a@b.example" if only == "E-mail" else "123"

    result = load(engine, table({only: value}))

    assert counts(result) == (1, 0, 0, 0)


def test_empty_rows_and_rows_about_nobody_are_set_aside(engine: Engine) -> None:
    source = table({}, {"Notes": "who is this?"}, {"Last name": "Byron"}) + b"\r\n\r\n"

    result = load(engine, source)

    assert counts(result) == (1, 0, 0, 2)
    assert [(line.line, line.outcome) for line in result.lines] == [
        (2, Outcome.SET_ASIDE),
        (3, Outcome.SET_ASIDE),
    ]


def test_the_same_address_twice_is_kept_once_and_in_two_persons_twice(
    engine: Engine,
) -> None:
    twice = {"E-mail": "a@b.example", "E-mail 2": "A@B.example"}

    result = load(
        engine, table({"Last name": "One"} | twice, {"Last name": "Two"} | twice)
    )

    assert counts(result) == (2, 2, 0, 0)
    with engine.connect() as conn:
        found = lookup.find_by_addresses(conn, ["a@b.example"])
    assert len(found["a@b.example"]) == 2


def test_what_does_not_fit_is_shortened_or_dropped_with_a_remark(
    engine: Engine,
) -> None:
    family = "👨‍👩‍👧"
    cells = {
        "Last name": "x" * 30 + family,
        "E-mail": "no address",
        "Work phone": "1" * 33,
        "Web": "https://" + "w" * 128,
        "Account": "C" * 140,
        "Birthday": "30 February",
        "Notes": "n" * 40_000,
    }

    result = load(engine, table(cells))

    assert only_values(engine) == {
        "last": "x" * 30,
        "company": "C" * 128,
        "notes": "n" * 32_000,
    }
    assert set(result.lines[0].reason.split("; ")) == {
        "last truncated to 32 characters",
        "email dropped: not an e-mail address",
        "work_phone dropped: over 32 characters",
        "web dropped: over 128 characters",
        "company truncated to 128 characters",
        "birthday dropped: not a full date",
        "notes truncated to 32000 characters",
    }


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1815-12-10", "1815-12-10"),
        ("18151210", "1815-12-10"),
        ("1815/12/10", "1815-12-10"),
        ("10.12.1815", "1815-12-10"),
        ("1815-12-10T00:00:05Z", "1815-12-10"),
        ("--12-10", ""),
        ("12/10/1815", ""),
        ("1815-13-10", ""),
        ("never", ""),
    ],
)
def test_birthdays_are_full_dates_or_dropped(
    engine: Engine, written: str, read: str
) -> None:
    result = load(engine, table({"Last name": "Byron", "Birthday": written}))

    assert only_values(engine).get("birthday", "") == read
    assert result.normalised == (0 if read else 1)


@pytest.mark.rule("RUN-6")
def test_odd_text_is_kept_and_unstorable_characters_are_removed(
    engine: Engine,
) -> None:
    cells = {
        "First name": "N\x00UL",
        "Last name": "שלום \u202eعربي 🚀",
        "Notes": "א" * 10_000,
    }

    result = load(engine, table(cells))

    assert only_values(engine) == {
        "first": "NUL",
        "last": "שלום \u202eعربي 🚀",
        "notes": "א" * 10_000,
    }
    assert result.normalised == 1


def test_a_quotation_mark_that_is_never_closed_costs_one_row(engine: Engine) -> None:
    lines = ["First name,Last name,Notes", "Ada,Byron,ok", 'Bob,"Broken,oops']
    lines += [f'P{number},"Fine, {number}","two\nlines"' for number in range(5)]
    lines += ["Zoe,Last,ok"]

    result = load(engine, "\n".join(lines).encode())

    assert counts(result) == (7, 0, 0, 1)
    assert [(line.line, line.reason) for line in result.lines] == [
        (3, "a quotation mark is never closed")
    ]


def test_text_behind_an_unclosed_mark_does_not_become_contacts(engine: Engine) -> None:
    source = (
        b'First name,Last name,Notes\nAda,Byron,"a note\n'
        b"over, two\nlines\nBob,Stone,ok\nshort,row\n"
    )

    result = load(engine, source)

    assert counts(result) == (2, 0, 0, 3)
    assert [line.line for line in result.lines] == [2, 3, 4]


def test_stray_marks_within_a_line_are_taken_as_they_are(engine: Engine) -> None:
    source = b'First name,Last name,Notes\nAda,By"ron,5" disk\nBob,"Q" Stone,x\n'

    result = load(engine, source)

    assert counts(result) == (2, 0, 0, 0)
    assert {row.values["last"] for row in everyone(engine)} == {'By"ron', "Q Stone"}


def test_rows_that_are_too_wide_are_set_aside_and_short_ones_filled(
    engine: Engine,
) -> None:
    source = b"First name,Last name,Notes\na,b,c,d\na,b,c,,\na,b\nTotal: 3\n"

    result = load(engine, source)

    assert counts(result) == (2, 0, 0, 2)
    assert [line.line for line in result.lines] == [2, 5]


def test_a_company_finds_its_account_or_makes_it_once(engine: Engine) -> None:
    rows = [
        {"Last name": f"P{n}", "Account": "New Ltd" if n else " NEW LTD "}
        for n in range(5)
    ]

    load(engine, table(*rows, {"Last name": "Alone"}, {"Last name": "Alone2"}))

    with engine.connect() as conn:
        found = accounts.page(conn)
    assert [(account.name, account.is_personal) for account in found] == [
        ("Alone", True),
        ("Alone2", True),
        ("NEW LTD", False),
    ]
    assert {(account.manager, account.type) for account in found} == {
        ("U1", "Prospect")
    }


def test_a_row_that_the_crm_refuses_costs_only_itself(engine: Engine) -> None:
    from crm.accounts import AccountRule

    with engine.begin() as conn:
        for _ in range(2):
            accounts.create(conn, "Twice", rule=AccountRule())
    source = table(
        {"Last name": "A"}, {"Last name": "B", "Account": "twice"}, {"Last name": "C"}
    )

    result = import_csv(
        engine.begin, source, user="U1", rule=AccountRule(ambiguous="hold")
    )

    assert counts(result) == (2, 0, 0, 1)
    assert result.lines[0].line == 3
    assert "2 accounts are named" in result.lines[0].reason


def test_two_imports_at_once_create_each_row_once(engine: Engine) -> None:
    source = (DATA / "crm.csv").read_bytes()

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: load(engine, source), range(2)))

    assert sum(result.imported for result in results) == 1000
    assert sum(result.unchanged for result in results) == 1000
    assert len(everyone(engine)) == 1000


class Endless(io.RawIOBase):
    """A file that is made while it is read."""

    def __init__(self, rows: int) -> None:
        self._pieces = self._make(rows)
        self._rest = b""

    def _make(self, rows: int) -> Iterator[bytes]:
        yield b"First name,Last name,Notes\n"
        for number in range(rows):
            yield f'"{number % 50}",{"x" * 2000},"{"n" * 2000}"\n'.encode()

    def read(self, size: int = -1) -> bytes:
        while len(self._rest) < size and (piece := next(self._pieces, b"")):
            self._rest += piece
        block, self._rest = self._rest[:size], self._rest[size:]
        return block


@pytest.mark.rule("ENG-10")
def test_memory_does_not_grow_with_the_file(engine: Engine) -> None:
    peaks = []
    for rows in (1_000, 4_000):
        tracemalloc.start()
        import_csv(engine.begin, Endless(rows), user="U1")  # type: ignore[arg-type]  # a raw stream has the `read` that is used
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] < peaks[0] * 1.5


@pytest.mark.parametrize(
    "header",
    [
        "First Name,Last Name,Company,E-mail Address,Mobile Phone",
        "Given Name,Family Name,Organization Name,E-mail 1 - Value,Mobile",
        "first,last,company,email,mobile",
        "Vorname;Nachname;Firma;E-Mail-Adresse;Mobile",
    ],
)
def test_headings_of_other_programs_are_understood(header: str) -> None:
    delimiter = ";" if ";" in header else ","

    fields = fields_of(header.split(delimiter))

    assert fields == ["first", "last", "company", "email", "mobile"]
