"""Canonical forms of odd values."""

from __future__ import annotations

import pytest

from crmsync.records.contacts import FIELDS
from crmsync.records.equivalence import phone
from crmsync.records.values import FieldTable

TABLE = FieldTable(FIELDS)


@pytest.mark.rule("CON-7", "ENG-1")
@pytest.mark.parametrize(
    "value", ["٣٤٥", "１２３", "+٣٤٥", "1٣٤٥", "—", "+", "n/a", "#"]
)
def test_a_number_without_a_usable_digit_is_still_a_value(value: str) -> None:
    assert phone(value, "US") == value
    assert not TABLE.is_same("mobile", value, "")


@pytest.mark.rule("CON-7")
def test_numbers_that_differ_in_other_digits_differ() -> None:
    assert phone("+٣٤٥", "US") != phone("+٤٥٦", "US")
    assert phone("1٣٤٥", "US") != phone("1", "US")


@pytest.mark.rule("CON-7")
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("٢١٢٥٥٥٠٠١٢", "+12125550012"),
        ("(212) 555-0012", "+12125550012"),
        ("12-3", "123"),
        ("desk 1", "1"),
        ("", ""),
    ],
)
def test_a_number_that_can_be_dialled_is_compared_as_such(
    value: str, expected: str
) -> None:
    assert phone(value, "US") == expected
