"""Reading CSV files of doubtful make: any usual encoding, delimiter and quoting.

A quotation mark that is never closed costs its own line, not the rest of the file.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import BinaryIO

from crm.errors import BadFile
from crm.fields import LIMITS
from crm.textfile import decode, numbered_lines

COLUMNS: Mapping[str, str] = {
    "first name": "first",
    "middle name": "middle",
    "last name": "last",
    "prefix": "prefix",
    "suffix": "suffix",
    "account": "company",
    "title": "title",
    "department": "department",
    "e-mail": "email",
    "e-mail 2": "email2",
    "e-mail 3": "email3",
    "work phone": "work_phone",
    "home phone": "home_phone",
    "mobile": "mobile",
    "fax": "fax",
    "web": "web",
    "street": "work_street",
    "street 2": "work_street_2",
    "city": "work_city",
    "state": "work_region",
    "postal code": "work_postal",
    "country": "work_country",
    "birthday": "birthday",
    "notes": "notes",
}
"""Columns, whatever their order and case, and the fields they fill; `Street 2` is the
second line of the street."""

OTHER_NAMES: Mapping[str, str] = {
    "given name": "first",
    "vorname": "first",
    "additional name": "middle",
    "surname": "last",
    "family name": "last",
    "nachname": "last",
    "company": "company",
    "organization name": "company",
    "firma": "company",
    "job title": "title",
    "organization title": "title",
    "position": "title",
    "organization department": "department",
    "abteilung": "department",
    "email": "email",
    "e-mail address": "email",
    "email address": "email",
    "e-mail 1 - value": "email",
    "e-mail-adresse": "email",
    "e-mail 2 address": "email2",
    "e-mail 2 - value": "email2",
    "e-mail 3 address": "email3",
    "e-mail 3 - value": "email3",
    "business phone": "work_phone",
    "phone 1 - value": "work_phone",
    "mobile phone": "mobile",
    "phone 2 - value": "mobile",
    "business fax": "fax",
    "web page": "web",
    "website": "web",
    "business street": "work_street",
    "business city": "work_city",
    "business state": "work_region",
    "business postal code": "work_postal",
    "business country/region": "work_country",
}
"""What other programs call them; the CRM's own field names are understood, too."""


def field_of(heading: str) -> str | None:
    """Return the field that a column's heading fills, or None."""
    name = heading.strip().casefold()
    if name in LIMITS:
        return name
    return COLUMNS.get(name) or OTHER_NAMES.get(name)


def fields_of(header: Sequence[str]) -> list[str | None]:
    """Return the field of each column; the first of several for one field counts."""
    found: list[str | None] = []
    for heading in header:
        field = field_of(heading)
        found.append(None if field in found else field)
    return found


_DELIMITERS = ",;\t|"
_MAX_LINES = 1_000
_MAX_CHARS = 120_000
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
_UNCLOSED = "a quotation mark is never closed"


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One row: the line it starts on and its values by field, or why it is unusable."""

    line: int
    values: Mapping[str, str]
    problem: str = ""


class CsvRows:
    """The rows of a CSV file, read as they are asked for.

    Attributes:
        unknown_columns: columns of the header that nothing is read from.
    """

    unknown_columns: tuple[str, ...]

    def __init__(self, source: bytes | BinaryIO) -> None:
        """Read the header.

        Raises:
            BadFile: if the first line names none of the columns.
        """
        self._lines = _Lines(source)
        self._delimiter, header = _read_header(self._lines)
        self._fields = fields_of(header)
        self.unknown_columns = tuple(
            name.strip()
            for name, field in zip(header, self._fields, strict=True)
            if field is None and name.strip()
        )

    def __iter__(self) -> Iterator[CsvRow]:
        """Return the rows, broken ones with their problem."""
        width = len(self._fields)
        is_suspect = False
        for line, cells in _records(self._lines, self._delimiter):
            if cells is None:
                is_suspect = True
                yield CsvRow(line, {}, _UNCLOSED)
                continue
            is_suspect = is_suspect and len(cells) != width
            problem = _width_problem(cells, width, is_suspect=is_suspect)
            yield CsvRow(line, {} if problem else self._values(cells), problem)

    def _values(self, cells: Sequence[str]) -> dict[str, str]:
        values: dict[str, str] = {}
        for field, cell in zip(self._fields, cells, strict=False):
            if field is not None and not values.get(field):
                values[field] = cell
        second = values.pop("work_street_2", "")
        street = [values.get("work_street", "").strip(), second.strip()]
        return {**values, "work_street": "\n".join(filter(None, street))}


class _Lines:
    """Lines with their numbers; lines can be put back."""

    def __init__(self, source: bytes | BinaryIO) -> None:
        self._source = numbered_lines(source)
        self._back: deque[tuple[int, str]] = deque()

    def take(self) -> tuple[int, str] | None:
        if self._back:
            return self._back.popleft()
        found = next(self._source, None)
        return None if found is None else (found[0], decode(found[1]))

    def put_back(self, lines: Sequence[tuple[int, str]]) -> None:
        self._back.extendleft(reversed(lines))


class _State(Enum):
    COMPLETE = auto()
    OPEN = auto()
    BROKEN = auto()


def _read_header(lines: _Lines) -> tuple[str, list[str]]:
    candidates = _DELIMITERS
    while (found := lines.take()) is not None:
        text = found[1]
        if separator := _SEPARATOR_LINE.fullmatch(text.strip()):
            candidates = separator[1]
        elif text.strip():
            headers = [(mark, _split(text, mark)) for mark in candidates]
            best = max(headers, key=lambda item: _known_columns(item[1]))
            if _known_columns(best[1]):
                return best
            break
    raise BadFile("the first line names no column that is known here")


def _known_columns(header: Sequence[str]) -> int:
    return sum(field_of(name) is not None for name in header)


def _split(text: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([text], delimiter=delimiter), [])
    except csv.Error:
        return []


def _records(lines: _Lines, delimiter: str) -> Iterator[tuple[int, list[str] | None]]:
    """Return (line, cells); the cells are None where quoting is broken."""
    while (start := lines.take()) is not None:
        if not start[1].strip():
            continue
        parts = [start]
        state = _scan(start[1], delimiter, starts_quoted=False)
        size = len(start[1])
        while state is _State.OPEN and len(parts) < _MAX_LINES and size < _MAX_CHARS:
            following = lines.take()
            if following is None:
                break
            parts.append(following)
            size += len(following[1])
            state = _scan(following[1], delimiter, starts_quoted=True)
        if state is _State.COMPLETE:
            yield start[0], _split("\n".join(text for _, text in parts), delimiter)
        else:
            lines.put_back(parts[1:])
            yield start[0], None


def _scan(line: str, delimiter: str, *, starts_quoted: bool) -> _State:
    """Say whether a record ends with this line.

    A closing mark with text after it is taken as it is within one line; where the
    field began on an earlier line it shows that the opening mark was a stray one.
    """
    place, is_quoted, began_before = 0, starts_quoted, starts_quoted
    while True:
        if not is_quoted:
            if not line.startswith('"', place):
                place = line.find(delimiter, place) + 1
                if not place:
                    return _State.COMPLETE
                continue
            place += 1
        closing = _closing_mark(line, place)
        if closing is None:
            return _State.OPEN
        rest = line[closing + 1 : closing + 2]
        if rest not in {"", delimiter} and began_before:
            return _State.BROKEN
        place = line.find(delimiter, closing + 1) + 1
        if not place:
            return _State.COMPLETE
        is_quoted = began_before = False


def _closing_mark(line: str, place: int) -> int | None:
    while (found := line.find('"', place)) >= 0:
        if not line.startswith('""', found):
            return found
        place = found + 2
    return None


def _width_problem(cells: Sequence[str], width: int, *, is_suspect: bool) -> str:
    if len(cells) > width and any(cell.strip() for cell in cells[width:]):
        return f"has {len(cells)} columns where the header has {width}"
    if len(cells) < width and (is_suspect or len(cells) == 1):
        return f"has {len(cells)} of {width} columns"
    return ""
