"""Making a value fit a side's limit (CON-15), and deciding when it must be left out."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from crmsync.records.values import Field

_JOINERS = frozenset("\u200d\ufe0e\ufe0f")


@dataclass(frozen=True, slots=True)
class Fitted:
    """A value made to fit: `value` is None if the field must be left alone."""

    value: str | None
    is_cut: bool = False


def _belongs_to_previous(char: str) -> bool:
    return (
        char in _JOINERS
        or unicodedata.combining(char) != 0
        or "\U0001f3fb" <= char <= "\U0001f3ff"
    )


def cut(value: str, limit: int) -> str:
    """Shorten a text to at most `limit` code points, never inside a character.

    A character here is what a reader sees as one: a letter with its accents, an
    emoji with its joiners and skin tone.
    """
    if len(value) <= limit:
        return value
    end = limit
    while end > 0 and (_belongs_to_previous(value[end]) or value[end - 1] == "\u200d"):
        end -= 1
    return value[:end].rstrip() if end else value[:limit]


def fit(field: Field, value: str, limit: int | None) -> Fitted:
    """Return the value as the side can take it.

    Args:
        field: says whether an over-long value is cut or skipped.
        value: the text to write.
        limit: characters the side takes, or None.
    """
    if limit is None or len(value) <= limit:
        return Fitted(value)
    if field.is_cut:
        return Fitted(cut(value, limit), is_cut=True)
    return Fitted(None)
