"""To-dos: the mapping of TSK-6 as data.

Shapes: `due` is a date `2026-11-24`; a CRM's timed to-do shows an instant
`2026-11-24T09:00:00` in the user's own zone, of which only the date is compared
(TSK-2). `done` is `yes` or "".
"""

from __future__ import annotations

from crmsync.records import equivalence
from crmsync.records.values import Field, FieldDirection, Values

DONE = "yes"

_TEXT = equivalence.text


def _date(value: str, _region: str = "") -> str:
    return value[:10]


def _flag(value: str, _region: str = "") -> str:
    return value.strip()


FIELDS: tuple[Field, ...] = (
    Field("title", "Regarding", "title", _TEXT, 1024),
    Field("due", "Date", "due", _date, 19, is_cut=False),
    Field("done", "Completed", "status", _flag, 8, is_cut=False),
    Field("notes", "Notes", "notes", _TEXT, 7000),
    Field(
        "context",
        "Section in the notes",
        "notes",
        _TEXT,
        600,
        direction=FieldDirection.TO_GOOGLE,
        keeps_when_blank=True,
    ),
)
"""The built-in table. Google takes 8192 characters of notes, our lines included."""


def display_name(values: Values) -> str:
    """Return what a list shows for a to-do."""
    return values.get("title", "") or "(no subject)"


def facts(values: Values) -> str:
    """Return what tells a to-do from others of its name, in one line."""
    return values.get("due", "")
