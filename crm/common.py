"""What all operations share: ids, authors, ownership, portable inserts."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, or_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import InstrumentedAttribute

EVERYONE = "Everyone"
"""Owner of records that all users see; else a record is seen by its owner (WEB-3)."""

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Author:
    """By whom and when something is written.

    Attributes:
        user_id: id of a CRM user, or "".
        at: aware time; None means the moment of the call.
    """

    user_id: str = ""
    at: datetime | None = None

    def now(self) -> datetime:
        """Return the time to write into the record, aware UTC."""
        return (self.at or datetime.now(UTC)).astimezone(UTC)


NOBODY = Author()


def new_id(letter: str) -> str:
    """Return an id of 12 characters whose first letter tells the kind of record."""
    return letter + base64.b32encode(secrets.token_bytes(7)).decode()[:11]


def chunks(items: Sequence[_Item], size: int = 500) -> Iterator[Sequence[_Item]]:
    """Cut a list so that one statement never holds too many parameters."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def visible(
    owner: InstrumentedAttribute[str], viewer: str | None
) -> list[ColumnElement[bool]]:
    """Return the condition that a user sees a record; none for `viewer=None`."""
    return [] if viewer is None else [or_(owner == EVERYONE, owner == viewer)]


def insert_missing(
    conn: Connection, table: Any, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert rows whose key is not there yet; others stay as they are."""
    if not rows:
        return
    dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
    conn.execute(dialect.insert(table).on_conflict_do_nothing(), list(rows))
