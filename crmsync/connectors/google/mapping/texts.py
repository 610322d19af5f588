"""Texts as Google sends them, without what no database and no UTF-8 file takes.

NUL and lone surrogates go when a text is read. Where an entry is written back, all of
it that is still the same goes back exactly as it was read (CON-16).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import orjson

from crmsync.records.cards import Entry

_UNFIT = re.compile("[\x00\ud800-\udfff]")


def clean(found: Any) -> Any:
    r"""Return a JSON value without NUL and lone surrogates in any of its texts.

    >>> clean({"value": "a\x00b", "more": ["\ud800c", 1]})
    {'value': 'ab', 'more': ['c', 1]}
    """
    if isinstance(found, str):
        return _UNFIT.sub("", found)
    if isinstance(found, dict):
        return {clean(key): clean(value) for key, value in found.items()}
    if isinstance(found, list):
        return [clean(value) for value in found]
    return found


def is_clean(found: Any) -> bool:
    r"""Whether a JSON value certainly has nothing to clean; quick.

    >>> is_clean({"value": "ab"}), is_clean({"value": "a\x00b"}), is_clean(["\ud800"])
    (True, False, False)
    """
    try:
        return b"\\u0000" not in orjson.dumps(found)
    except TypeError:
        return False  # a lone surrogate: no UTF-8 takes it


def parse_json(body: bytes) -> Any:
    r"""Return what a body says; an escaped lone surrogate is no reason to refuse it.

    Raises:
        ValueError: it is no JSON.

    >>> parse_json(b'"\\ud800"') == "\ud800"
    True
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return json.loads(body.decode())


@dataclass(frozen=True, slots=True)
class UnfitEntry(Entry):
    """An entry that was cleaned; the card that it stands in is stored without `wire`.

    Attributes:
        wire: the provider's item as it was read.
    """

    wire: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, entry: Entry, wire: Mapping[str, Any]) -> UnfitEntry:
        """Return an entry together with what it was read from."""
        known = {item.name: getattr(entry, item.name) for item in fields(entry)}
        return cls(**known, wire=wire)

    def restored(
        self, item: Mapping[str, Any], parts: Mapping[str, str]
    ) -> dict[str, Any]:
        """Return the item to write, with what did not change as it was read.

        Args:
            item: what the entry says now.
            parts: our name of each of the provider's keys.
        """
        kept = {
            key: self.wire[key]
            for key, part in parts.items()
            # Nothing but such characters: no value for us, but not ours to drop.
            if key in self.wire and key not in item and part not in self.changed
        }
        same = {
            key: self.wire[key]
            for key, value in item.items()
            if key in self.wire and clean(self.wire[key]) == value
        }
        return {**item, **kept, **same}
