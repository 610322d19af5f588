"""Cutting texts, never inside a character."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmsync.engine.fit import cut, fit
from crmsync.records.contacts import FIELDS

TITLE = next(field for field in FIELDS if field.name == "title")
PHONE = next(field for field in FIELDS if field.name == "mobile")


@pytest.mark.rule("CON-15")
@pytest.mark.parametrize(
    ("value", "limit", "expected"),
    [
        ("short", 10, "short"),
        ("a long text", 6, "a long"),
        ("a long text", 7, "a long"),
        ("cafe\u0301s", 4, "caf"),
        ("ab👩\u200d💻c", 4, "ab"),
        ("ab👍🏽c", 3, "ab"),
        ("👩\u200d💻", 2, "👩\u200d"),
    ],
)
def test_a_text_is_cut_before_a_character_that_does_not_fit(
    value: str, limit: int, expected: str
) -> None:
    assert cut(value, limit) == expected


@pytest.mark.rule("CON-15")
@given(st.text(max_size=40), st.integers(1, 30))
def test_a_cut_text_fits_and_begins_the_same(value: str, limit: int) -> None:
    short = cut(value, limit)

    assert len(short) <= limit
    assert value.startswith(short)
    if short != value and short:
        rest = value[len(short) :]
        assert (
            not unicodedata.combining(rest.lstrip()[:1] or "x") or len(short) == limit
        )


@pytest.mark.rule("CON-15")
def test_what_may_not_be_cut_is_left_out() -> None:
    assert fit(PHONE, "1" * 40, 32).value is None
    assert fit(TITLE, "x" * 40, 32).is_cut
    assert fit(TITLE, "x" * 40, None).value == "x" * 40
