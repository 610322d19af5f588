"""The table of figures: printed, and kept in docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.runs import PAIRS

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


@dataclass(frozen=True, slots=True)
class Figure:
    """One ratio.

    Attributes:
        what: numerator ÷ denominator, in words, with the direction.
        most: what it has to stay below; None for one that only explains.
    """

    what: str
    ratio: float
    most: float | None = None

    @property
    def verdict(self) -> str:
        """Whether the target is met."""
        if self.most is None:
            return ""
        return "met" if self.ratio <= self.most else "missed"

    def cells(self) -> tuple[str, str, str, str]:
        """Return the row's texts."""
        most = "" if self.most is None else f"≤ {self.most:g}"
        return self.what, f"{self.ratio:.2f}", most, self.verdict


def print_one(figure: Figure) -> None:
    """Print a figure as soon as it is known."""
    what, ratio, most, verdict = figure.cells()
    print(f"{what:76} {ratio:>6} {most:>7} {verdict}", flush=True)


def keep(figures: Sequence[Figure], table: str) -> None:
    """Put the figures into one of the page's tables."""
    begin, end = f"<!-- measured {table} -->", f"<!-- /measured {table} -->"
    rows = [
        f"Medians of {PAIRS} pairs, measured alternately in one run.",
        "",
        "| numerator ÷ denominator | ratio | target | |",
        "| --- | ---: | ---: | --- |",
        *(f"| {' | '.join(figure.cells())} |" for figure in figures),
    ]
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(begin)
    _, _, tail = rest.partition(end)
    whole = "\n".join([head + begin, *rows, end + tail])
    PAGE.write_text(whole, encoding="utf-8")
