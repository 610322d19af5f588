"""The state of a table, kept in the URL: sorting, filters, place (WEB-4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from flask import request


@dataclass(frozen=True, slots=True)
class TableState:
    """What the URL says about a table.

    Attributes:
        sort: the column, one of those that may be sorted.
        filters: name and value of each filter that is set.
        after, before: keyset cursors of the page shown, opaque.
    """

    path: str
    sort: str
    is_descending: bool
    filters: Mapping[str, str]
    after: str = ""
    before: str = ""

    def url(self, **filters: str) -> str:
        """Return this table's URL with some filters changed, from the first page."""
        changed = {**self.filters, **filters}
        kept = {name: value for name, value in changed.items() if value}
        return replace(self, filters=kept, after="", before="")._write()

    def sorted_by(self, column: str) -> str:
        """Return the URL sorted by a column; the other way round if it is already."""
        turns = column == self.sort and not self.is_descending
        turned = replace(self, sort=column, is_descending=turns, after="", before="")
        return turned._write()

    def page(self, *, after: str = "", before: str = "") -> str:
        """Return the URL of a neighbouring page."""
        return replace(self, after=after, before=before)._write()

    def direction_of(self, column: str) -> str:
        """Return the value of `aria-sort`."""
        if column != self.sort:
            return "none"
        return "descending" if self.is_descending else "ascending"

    def _write(self) -> str:
        order = f"-{self.sort}" if self.is_descending else self.sort
        given = {
            **self.filters,
            "sort": order,
            "after": self.after,
            "before": self.before,
        }
        return f"{self.path}?{urlencode({k: v for k, v in given.items() if v})}"


def table_state(
    columns: tuple[str, ...], filters: tuple[str, ...], *, default: str
) -> TableState:
    """Read the table's state from the request; what is unknown is left out.

    Args:
        columns: those that may be sorted.
        filters: names of query arguments that filter.
        default: the order without a word, e.g. `name` or `-started`.
    """
    order = request.args.get("sort", default)
    if order.lstrip("-") not in columns:
        order = default
    return TableState(
        path=request.path,
        sort=order.lstrip("-"),
        is_descending=order.startswith("-"),
        filters={
            name: value for name in filters if (value := request.args.get(name, ""))
        },
        after=request.args.get("after", ""),
        before=request.args.get("before", ""),
    )
