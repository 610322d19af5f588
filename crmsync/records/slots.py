"""Slots: which entry of a contact's full lists stands in which flat field.

A provider keeps any number of addresses and phones; the mapping knows a few *slots*
(CON-17). `assign` reads the flat fields out of the full lists, `place` writes changed
fields back into them and leaves everything else as it was (CON-16). Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from crmsync.records.cards import Card, Entry
from crmsync.records.slot_table import Fit, Group, Slot, groups
from crmsync.records.values import FieldTable, Values

LINKING = "*linking*"
"""Not a field: marks a base that is the other side's values (`linking_base`)."""


def linking_base(other: Values) -> Values:
    """Return the base to read a record with while it is being linked (CON-22).

    Values equal to one of the other side's take its slot, further ones fill slots
    that are empty there, the rest overflows: linking unites lists while slots last.
    """
    return {**other, LINKING: "1"}


# ------------------------------------------------------------------ reading


@dataclass(slots=True)
class _Seating:
    """Who sits where in one list, while it is decided.

    Attributes:
        wanted: the canonical form of the base per slot; empty ones without a base.
        seats: slot index to entry index.
        left: entries that lost their seat and are being removed.
    """

    group: Group
    entries: Sequence[Entry]
    base: Values
    table: FieldTable
    parked: frozenset[str]
    wanted: list[tuple[str, ...]] = field(init=False)
    seats: dict[int, int] = field(default_factory=dict)
    left: set[int] = field(default_factory=set)
    _forms: dict[tuple[int, int], tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Compute the canonical forms of the base."""
        self.wanted = [
            _form(slot, _parts(slot, self.base), self.table) if self.base else ()
            for slot in self.group.slots
        ]

    def form(self, slot: int, index: int) -> tuple[str, ...]:
        """Return the canonical form of what a slot would show of an entry."""
        found = self._forms.get((slot, index))
        if found is None:
            values = self.entries[index].values
            found = _form(self.group.slots[slot], values, self.table)
            self._forms[slot, index] = found
        return found

    def is_free(self, slot: int, index: int) -> bool:
        """Whether an entry has something for a slot and no seat yet."""
        is_taken = index in self.left or index in self.seats.values()
        return not is_taken and any(self.form(slot, index))

    def free(self, slot: int, at_least: Fit) -> list[int]:
        """Return entries with content that may still take a slot."""
        return [
            index
            for index, entry in enumerate(self.entries)
            if self.group.fit(self.group.slots[slot], entry) >= at_least
            and self.is_free(slot, index)
        ]

    def is_parked(self, index: int) -> bool:
        """Whether an entry must not move up into an empty slot."""
        return bool(self.parked) and self.mark(index) in self.parked

    def mark(self, index: int) -> str:
        """Return the short hash of an entry."""
        text = "\x1f".join((self.group.name, *self.form(0, index)))
        return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def _parts(slot: Slot, values: Values) -> Values:
    return {part: values.get(name, "") for part, name in slot.fields.items()}


def _form(slot: Slot, parts: Values, table: FieldTable) -> tuple[str, ...]:
    """Return the canonical form of what a slot shows of an entry's parts."""
    return tuple(
        [
            table.canonical(name, value)
            if (value := parts.get(part, "")) and not value.isspace()
            else ""
            for part, name in slot.fields.items()
        ]
    )


def _seat(card: Card, group: Group, base: Values | None, table: FieldTable) -> _Seating:
    """Decide which entry sits in which slot: by value, by likeness, by type."""
    seating = _Seating(group, card.of(group.name), base or {}, table, card.parked)
    if not seating.entries:
        return seating
    if base:
        _stick(seating, Fit.OWN)
        is_strict = group.slots[0].key is not None
        _stick(seating, Fit.OWN if is_strict else Fit.NO)
        _recognise(seating)
    _fill(seating)
    return seating


def _stick(seating: _Seating, at_least: Fit) -> None:
    """Seat entries that hold the very value of the base."""
    for slot, wanted in enumerate(seating.wanted):
        if slot in seating.seats or not any(wanted):
            continue
        equal = [
            index
            for index in seating.free(slot, at_least)
            if seating.form(slot, index) == wanted
        ]
        if equal:
            exact = _parts(seating.group.slots[slot], seating.base)
            seating.seats[slot] = min(
                equal, key=lambda i: _closeness(seating.entries[i], exact)
            )


def _closeness(entry: Entry, exact: Values) -> tuple[bool, bool, str, list[str]]:
    """Order equal entries without regard to their place in the list (CON-16)."""
    is_other = any(entry.values.get(part, "") != exact[part] for part in exact)
    texts = [entry.values.get(part, "") for part in exact]
    return is_other, not entry.is_primary, entry.kind, texts


def _recognise(seating: _Seating) -> None:
    """Seat edited entries of several parts that still look like the base."""
    for slot, wanted in enumerate(seating.wanted):
        if slot in seating.seats or len(wanted) < 2:
            continue
        best: tuple[tuple[int, ...], int] | None = None
        for index in seating.free(slot, Fit.OPEN):
            entry = seating.entries[index]
            form = seating.form(slot, index)
            alike = sum(a == b for a, b in zip(form, wanted, strict=True) if b)
            fit = seating.group.fit(seating.group.slots[slot], entry)
            needed = 1 if fit is Fit.OWN else seating.group.alike
            if alike < needed or seating.is_parked(index):
                continue
            score = (alike, form[0] == wanted[0], entry.is_current, entry.is_primary)
            if best is None or score > best[0]:
                best = score, index
        if best is not None:
            seating.seats[slot] = best[1]


def _fill(seating: _Seating) -> None:
    """Seat new entries in empty slots: typed ones in their own, then the others."""
    group = seating.group
    is_closed = group.is_united and LINKING in seating.base
    taken = seating.left.union(seating.seats.values())
    order = sorted(
        (i for i in range(len(seating.entries)) if i not in taken),
        key=lambda i: _rank(group, seating.entries[i], i),
    )
    order = [index for index in order if not seating.is_parked(index)]
    for fit in (Fit.OWN, Fit.OPEN):
        for index in order:
            for slot, wanted in enumerate(seating.wanted):
                if slot in seating.seats or (is_closed and any(wanted)):
                    continue
                suits = group.fit(group.slots[slot], seating.entries[index]) is fit
                if suits and seating.is_free(slot, index):
                    if fit is Fit.OWN or not _is_repeat(seating, slot, index):
                        seating.seats[slot] = index
                    break


def _rank(group: Group, entry: Entry, index: int) -> tuple[bool, bool, int, int]:
    kind = entry.kind.casefold()
    ranks = group.ranks or ("",)
    preference = ranks.index(kind if kind in ranks else "")
    return not entry.is_current, not entry.is_primary, preference, index


def _is_repeat(seating: _Seating, slot: int, index: int) -> bool:
    """Whether an entry only repeats a value that sits in another slot."""
    form = seating.form(slot, index)
    return any(seating.form(s, i) == form for s, i in seating.seats.items())


def assign(card: Card, base: Values | None, table: FieldTable) -> Values:
    """Return the flat fields of a card (CON-16).

    Args:
        card: all entries of all lists.
        base: the fields as last agreed on: a slot sticks to its value. None for a
            record that was never read before; `linking_base(...)` while linking.
        table: the mapped fields; a slot that is not mapped does not exist.

    Returns:
        Fields with a value; those without one are left out.
    """
    found: dict[str, str] = {}
    for group in groups(table.names):
        if not card.of(group.name):
            continue
        seating = _seat(card, group, base, table)
        for slot, index in seating.seats.items():
            entry = seating.entries[index]
            for part, name in group.slots[slot].fields.items():
                value = entry.values.get(part, "")
                if value and not value.isspace():
                    found[name] = value
    return found


def overflow(card: Card, table: FieldTable) -> tuple[str, ...]:
    """Return the names of lists with entries that no slot has room for."""
    known = {group.name: group for group in groups(table.names)}
    return tuple(
        name
        for name, entries in card.lists.items()
        if name not in known
        or len(_seat(card, known[name], None, table).seats) < len(entries)
    )


# ------------------------------------------------------------------ writing


def place(card: Card, base: Values | None, changes: Values, table: FieldTable) -> Card:
    """Write fields into the full lists and leave every other entry as it is (CON-16).

    A changed slot changes its entry, a cleared one removes it, a filled one appends an
    entry of the slot's type, unless the value stands in the list already.

    Args:
        card: all entries of all lists.
        base: what the card is read with, as in `assign`.
        changes: the fields to write; "" clears a field.
        table: the mapped fields.
    """
    lists = dict(card.lists)
    for group in groups(table.names):
        if not group.names.isdisjoint(changes):
            lists[group.name] = _placed(_seat(card, group, base, table), changes)
    placed = Card(lists, card.parked)
    if not any(card.lists.values()) and not card.parked:
        return placed  # each entry was made for its slot: none can overflow
    return _park(placed, {**assign(card, base, table), **changes}, table)


def _placed(seating: _Seating, changes: Values) -> tuple[Entry, ...]:
    group = seating.group
    entries: list[Entry | None] = list(seating.entries)
    made: list[Entry] = []
    for number, slot in enumerate(group.slots):
        parts = {p: changes[n] for p, n in slot.fields.items() if n in changes}
        if not parts:
            continue
        here = seating.seats.get(number)
        old = seating.entries[here] if here is not None else Entry()
        target = {p: parts.get(p, old.values.get(p, "")) for p in slot.fields}
        form = _form(slot, target, seating.table)
        if not any(form):
            if here is not None:
                entries[here] = _cleared(slot, old)
            continue
        if here is not None and seating.form(number, here) == form:
            continue  # another spelling of the same value is no change (CON-19)
        twin = _twin(seating, number, form)
        if twin is not None:
            if here is not None:
                entries[here] = _cleared(slot, old)
                seating.left.add(here)
            seating.seats[number] = twin
            continue
        host = here if here is not None else _host(seating, number)
        if host is None:
            key = {} if slot.key is None else {"key": slot.key}
            made.append(Entry(key, slot.kind).with_values(target))
        else:
            seating.seats[number] = host
            entries[host] = seating.entries[host].with_values(parts)
    return (*(entry for entry in entries if entry is not None), *made)


def _cleared(slot: Slot, entry: Entry) -> Entry | None:
    """Return what is left of an entry without its mapped parts; None if nothing is."""
    if slot.is_single:
        return None
    left = entry.with_values(dict.fromkeys(slot.fields, ""))
    return left if left.values or left.rest else None


def _twin(seating: _Seating, slot: int, form: tuple[str, ...]) -> int | None:
    """Return an entry without a slot that holds the value already."""
    is_strict = seating.group.slots[slot].key is not None
    for index in seating.free(slot, Fit.OWN if is_strict else Fit.NO):
        if seating.form(slot, index) == form:
            return index
    return None


def _host(seating: _Seating, slot: int) -> int | None:
    """Return an entry without mapped content that the new value belongs into."""
    group = seating.group
    taken = set(seating.seats.values())
    for index, entry in enumerate(seating.entries):
        if index in taken or any(seating.form(slot, index)):
            continue
        if group.is_singleton:
            return index
        is_whole = not group.slots[slot].is_single
        if is_whole and group.fit(group.slots[slot], entry) is Fit.OWN:
            return index
    return None


def _park(card: Card, after: Values, table: FieldTable) -> Card:
    """Keep overflow out of slots that are meant to be empty now.

    Without this an overflowing address would move up into a slot that a person has
    just cleared, and the next cycle would write again (ENG-1).
    """
    parked = set(_still_there(card, table))
    for group in groups(table.names):
        for _ in card.of(group.name):
            seating = _seat(
                replace(card, parked=frozenset(parked)), group, after, table
            )
            risen = [s for s in seating.seats if not any(seating.wanted[s])]
            if not risen:
                break
            parked.update(seating.mark(seating.seats[s]) for s in risen)
    return replace(card, parked=frozenset(parked))


def _still_there(card: Card, table: FieldTable) -> Iterable[str]:
    """Yield the parked marks whose entries exist."""
    if not card.parked:
        return
    for group in groups(table.names):
        seating = _Seating(group, card.of(group.name), {}, table, card.parked)
        for index in range(len(seating.entries)):
            if seating.is_parked(index):
                yield seating.mark(index)
