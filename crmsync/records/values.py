"""Flat values of one record, and the table of fields that gives them meaning.

A record's mapped fields are a flat mapping from field name to text; the empty text
means "no value". What two texts have in common is the field's *equivalence*
(ENG-1, CON-19): two values are the same when their canonical forms are equal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

Values = Mapping[str, str]
Canonical = Callable[[str, str], str]
"""From a value and the user's region (ISO 3166, e.g. `US`) to its canonical form."""


class SideName(StrEnum):
    """The two sides of a pair."""

    CRM = "crm"
    GOOGLE = "google"

    @property
    def other(self) -> SideName:
        """The opposite side."""
        return SideName.GOOGLE if self is SideName.CRM else SideName.CRM


class FieldDirection(StrEnum):
    """Where changes of one field may go, narrower than the pair's direction."""

    BOTH = "both"
    TO_GOOGLE = "to_google"
    TO_CRM = "to_crm"


@dataclass(frozen=True, slots=True)
class Field:
    """One row of the mapping (CON-17).

    Attributes:
        name: our name, the key in `Values`.
        label: what people call it.
        google: the Google field and type it lives in, for the docs.
        canonical: the declared equivalence.
        google_limit: characters Google takes.
        is_cut: whether an over-long value may be shortened; else it is skipped
            with a warning (CON-15: addresses, phones and web addresses).
        direction: where changes may go (CON-18: the company goes to Google only).
        keeps_when_blank: a blank on the sending side never blanks the other (CON-18).
        tells_edits: an edit that its direction holds back is shown once (CON-18).
    """

    name: str
    label: str
    google: str
    canonical: Canonical
    google_limit: int
    is_cut: bool = True
    direction: FieldDirection = FieldDirection.BOTH
    keeps_when_blank: bool = False
    tells_edits: bool = False


@dataclass(frozen=True, slots=True)
class FieldTable:
    """The fields of one kind as one pair sees them.

    Attributes:
        fields: the mapped fields, in the order people read them.
        crm_limits: characters the CRM takes per field, from its adapter.
        region: for phone numbers without a country code (`default_region`).
        names: the names of all mapped fields, in order.
    """

    fields: tuple[Field, ...]
    crm_limits: Mapping[str, int] = field(default_factory=dict)
    region: str = "US"
    names: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _by_name: Mapping[str, Field] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the fields by name."""
        index = MappingProxyType({item.name: item for item in self.fields})
        object.__setattr__(self, "_by_name", index)
        object.__setattr__(self, "names", tuple(index))

    def __getitem__(self, name: str) -> Field:
        """Return the field of that name.

        Raises:
            KeyError: if the field is not mapped.
        """
        return self._by_name[name]

    def canonical(self, name: str, value: str) -> str:
        """Return the canonical form of a field's value."""
        return self._by_name[name].canonical(value, self.region) if value else ""

    def is_same(self, name: str, one: str, other: str) -> bool:
        """Whether two values of a field are equal under its equivalence."""
        if one == other:
            return True
        return self.canonical(name, one) == self.canonical(name, other)

    def are_same(self, one: Values, other: Values) -> bool:
        """Whether two records are equal in every mapped field."""
        if one == other:
            return True
        return all(
            self.is_same(name, one.get(name, ""), other.get(name, ""))
            for name in self._by_name
        )

    def fingerprint(self, values: Values) -> str:
        """Return our hash of the mapped fields under their equivalence."""
        parts = [
            f"{name}\x1f{self.canonical(name, values.get(name, ''))}"
            for name in self._by_name
            if values.get(name)
        ]
        return hashlib.blake2b("\x1e".join(parts).encode(), digest_size=16).hexdigest()
