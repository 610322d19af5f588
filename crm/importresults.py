"""How an import ends: what became of each row of a file, and why."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

Begin = Callable[[], AbstractContextManager[Connection]]
"""Opens a writing transaction that commits when its block ends: `engine.begin`."""

BATCH = 200
MAX_LINES = 10_000
"""Lines that a result lists; the counts go on."""


class Outcome(StrEnum):
    """What became of a row."""

    IMPORTED = "imported"
    NORMALISED = "normalised"
    UNCHANGED = "unchanged"
    SET_ASIDE = "set_aside"


@dataclass(frozen=True, slots=True)
class ImportLine:
    """A row worth telling about: its line in the file, what became of it, and why."""

    line: int
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class ImportResult:
    """How an import ended.

    Attributes:
        imported: records made, the normalised ones included.
        normalised: of those, how many were changed to fit.
        unchanged: rows that were imported before.
        set_aside: rows that could not be imported.
        lines: normalised rows, rows set aside, and known rows that say something else
            now; at most `MAX_LINES`.
        unknown_columns: columns of the file that nothing was read from.
    """

    imported: int
    normalised: int
    unchanged: int
    set_aside: int
    lines: tuple[ImportLine, ...]
    unknown_columns: tuple[str, ...] = ()


class Tally:
    """Counts what became of rows, and keeps those worth telling about."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.counts = dict.fromkeys(Outcome, 0)
        self.lines: list[ImportLine] = []

    def add(self, line: int, outcome: Outcome, reason: str = "") -> None:
        """Count a row; one with a reason is told about."""
        self.counts[outcome] += 1
        if reason and len(self.lines) < MAX_LINES:
            self.lines.append(ImportLine(line, outcome, reason))

    def result(self, unknown_columns: tuple[str, ...] = ()) -> ImportResult:
        """Return how the import ended."""
        normalised = self.counts[Outcome.NORMALISED]
        return ImportResult(
            imported=self.counts[Outcome.IMPORTED] + normalised,
            normalised=normalised,
            unchanged=self.counts[Outcome.UNCHANGED],
            set_aside=self.counts[Outcome.SET_ASIDE],
            lines=tuple(sorted(self.lines, key=lambda item: item.line)),
            unknown_columns=unknown_columns,
        )
