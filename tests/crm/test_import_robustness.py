from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import Connection, Engine

from crm import lookup
from crm.errors import BadFile
from crm.fields import check
from crm.imports import ImportResult, import_csv, import_vcf
from crm.tidy import tidy
from tests.books import make_books

BOOKS = make_books(5, 30, 12)
HEADER = BOOKS.csv.split("\r\n", 1)[0].encode()
PIECES = (
    b'"',
    b"\r",
    b"\n",
    b"\n ",
    b"\x00",
    b"\xff",
    b",",
    b";",
    b":",
    b"=",
    b"BEGIN:VCARD\n",
    b"END:VCARD\n",
    b"N;ENCODING=QUOTED-PRINTABLE:=\n",
)
NOISE = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=20).map(lambda text: text.encode("utf-8", "replace")),
    st.sampled_from(PIECES),
)


@st.composite
def damaged(draw: st.DrawFn, text: bytes) -> bytes:
    """A file with noise put in, in up to four places."""
    for noise in draw(st.lists(NOISE, max_size=4)):
        place = draw(st.integers(0, len(text)))
        gap = draw(st.integers(0, 30))
        text = text[:place] + noise + text[place + gap :]
    return text


often = settings(
    max_examples=40,
    deadline=None,
    # The database is as it was after each example.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def outcome(engine: Engine, source: bytes, load: Callable[..., ImportResult]) -> None:
    """Import twice: all rows are accounted for, nothing is doubled or unreadable."""
    with engine.connect() as conn:

        @contextmanager
        def begin() -> Iterator[Connection]:
            yield conn

        first = load(begin, source, user="U1")
        again = load(begin, source, user="U1")
        rows = lookup.page(conn, limit=10_000)
    assert len(rows) == first.imported
    assert again.imported == 0
    assert again.unchanged == first.imported + first.unchanged
    for row in rows:
        check(row.values)


@pytest.mark.timeout(120)
@given(source=damaged(BOOKS.csv.encode()))
@often
def test_no_damage_to_a_csv_file_stops_the_import(
    engine: Engine, source: bytes
) -> None:
    try:
        outcome(engine, source, import_csv)
    except BadFile:
        assert not source.startswith(HEADER)


@pytest.mark.timeout(120)
@given(source=damaged(BOOKS.vcf.encode()))
@often
def test_no_damage_to_a_vcard_file_stops_the_import(
    engine: Engine, source: bytes
) -> None:
    outcome(engine, source, import_vcf)


@given(
    st.dictionaries(
        st.sampled_from(["first", "email", "email2", "notes", "birthday", "mobile"]),
        st.text(st.characters(), max_size=60),
    )
)
@settings(max_examples=200, deadline=None)
def test_whatever_is_tidied_is_taken_by_the_crm_and_stays_as_it_is(
    raw: dict[str, str],
) -> None:
    values = tidy(raw).values

    check(values)
    assert tidy(values).values == values
    assert tidy(values).remarks == ()


@pytest.mark.parametrize("load", [import_csv, import_vcf])
def test_damage_within_one_row_costs_at_most_that_row(
    engine: Engine, load: Callable[..., ImportResult]
) -> None:
    whole = BOOKS.csv if load is import_csv else BOOKS.vcf
    lines = whole.encode().split(b"\r\n")
    lines[len(lines) // 2] = b'"\xff\x00=";:,' + lines[len(lines) // 2]

    result = load(engine.begin, b"\r\n".join(lines), user="U1")

    assert result.imported >= 29
