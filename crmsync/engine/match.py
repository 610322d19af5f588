"""Who is who: pairing records that are not linked yet (CON-6, CON-7).

Pure. A record is looked at together with its *candidates* on the other side and,
for each candidate, its *rivals*: the records on the first side that might be the
same person as well. Empty keys never match.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from crmsync.engine.fit import cut
from crmsync.engine.policy import WeakMatch
from crmsync.records import equivalence
from crmsync.records.contacts import PHONE_SLOTS, addresses_of
from crmsync.records.values import FieldTable, Values


@dataclass(frozen=True, slots=True)
class Identity:
    """What a record is recognised by.

    Attributes:
        record_id: its remote id.
        addresses: e-mail addresses in canonical form.
        first, last: folded names.
        weak: `phone and name` and `name and company` keys.
    """

    record_id: str
    addresses: frozenset[str]
    first: str
    last: str
    weak: frozenset[str]

    @property
    def name(self) -> tuple[str, str]:
        """Folded first and last name."""
        return (self.first, self.last)

    @property
    def has_name(self) -> bool:
        """Whether there is any name to compare."""
        return bool(self.first or self.last)


def identity(record_id: str, values: Values, table: FieldTable) -> Identity:
    """Read a record's identity from its values, names at the CRM's length."""

    def key(name: str) -> str:
        limit = table.crm_limits.get(name)
        value = values.get(name, "")
        return equivalence.name_key(value if limit is None else cut(value, limit))

    first, last, region = key("first"), key("last"), table.region
    weak: list[str] = []
    if first or last:
        name = f"{first} {last}"
        phones = (values.get(slot, "") for slot in PHONE_SLOTS)
        weak += [
            f"p:{equivalence.phone(phone, region)}|{name}" for phone in phones if phone
        ]
        company = key("company")
        weak += [f"c:{company}|{name}"] if company else []
    return Identity(
        record_id, frozenset(addresses_of(values)), first, last, frozenset(weak)
    )


def match_keys(who: Identity) -> tuple[str, ...]:
    """Return all keys a directory finds the record by: addresses, then weak ones."""
    return (*(f"e:{a}" for a in sorted(who.addresses)), *sorted(who.weak))


class Verdict(StrEnum):
    """What becomes of an unlinked record."""

    LINK = "link"
    HOLD = "hold"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict, with the candidate to link or the candidates to choose from.

    Attributes:
        reason: a code of `crmsync.engine.reasons`.
        candidates: ids on the other side; exactly one for LINK.
    """

    verdict: Verdict
    reason: str
    candidates: tuple[str, ...] = ()


def _share_address(one: Identity, other: Identity) -> bool:
    return bool(one.addresses & other.addresses)


def _share_name(one: Identity, other: Identity) -> bool:
    return one.has_name and one.name == other.name


def _weakly(one: Identity, other: Identity) -> bool:
    return (not one.addresses or not other.addresses) and bool(one.weak & other.weak)


def _is_claimed(who: Identity, candidate: Identity, rivals: Sequence[Identity]) -> bool:
    """Whether the candidate belongs to another record by its name alone."""
    if _share_name(who, candidate):
        return False
    namesakes = [
        rival
        for rival in rivals
        if rival.record_id != who.record_id
        and _share_address(rival, candidate)
        and _share_name(rival, candidate)
    ]
    return len(namesakes) == 1


def decide(
    who: Identity,
    pools: Sequence[Sequence[Identity]],
    rivals: Mapping[str, Sequence[Identity]],
    weak_match: WeakMatch,
) -> Decision:
    """Decide about one unlinked record.

    Args:
        who: the record.
        pools: unlinked records of the other side that share any key with it, the
            selected ones first (CON-6), the others after them (CON-7); a pool is
            looked at only if nothing as strong was found before it.
        rivals: per candidate id, the selected, unlinked records of this side that
            share any key with that candidate (the record itself may be among them).
        weak_match: what happens with a candidate found without an address.
    """
    verdict = Decision(Verdict.NONE, "no_counterpart")
    for pool in pools:
        strong = [c for c in pool if _share_address(who, c)]
        if strong:
            free = [c for c in strong if not _is_claimed(who, c, rivals[c.record_id])]
            verdict = _decide_strong(who, free, rivals)
        if verdict.verdict is not Verdict.NONE:
            return verdict
    if verdict.reason != "no_counterpart":
        return verdict
    for pool in pools:
        weak = [c for c in pool if _is_weak_candidate(who, c, rivals[c.record_id])]
        if weak:
            return _decide_weak(who, weak, rivals, weak_match)
    return verdict


def _is_weak_candidate(
    who: Identity, candidate: Identity, rivals: Sequence[Identity]
) -> bool:
    return _weakly(who, candidate) and not any(
        _share_address(rival, candidate) for rival in rivals
    )


def _decide_strong(
    who: Identity,
    free: Sequence[Identity],
    rivals: Mapping[str, Sequence[Identity]],
) -> Decision:
    ids = tuple(sorted(c.record_id for c in free))
    if not free:
        return Decision(Verdict.NONE, "address_of_another")
    named = [c for c in free if _share_name(who, c)]
    chosen = free[0] if len(free) == 1 else named[0] if len(named) == 1 else None
    if chosen is None:
        return Decision(Verdict.HOLD, "several_candidates", ids)
    others = [
        rival
        for rival in rivals[chosen.record_id]
        if rival.record_id != who.record_id and _share_address(rival, chosen)
    ]
    if others or len(free) > 1:
        is_unique = _share_name(who, chosen) and not any(
            _share_name(rival, chosen) for rival in others
        )
        if is_unique:
            return Decision(Verdict.LINK, "address_and_name", (chosen.record_id,))
        return Decision(Verdict.HOLD, "several_candidates", ids)
    if who.last and chosen.last and who.last != chosen.last:
        return Decision(Verdict.HOLD, "different_last_names", ids)
    return Decision(Verdict.LINK, "address", (chosen.record_id,))


def _decide_weak(
    who: Identity,
    weak: Sequence[Identity],
    rivals: Mapping[str, Sequence[Identity]],
    weak_match: WeakMatch,
) -> Decision:
    ids = tuple(sorted(c.record_id for c in weak))
    others = [
        rival
        for rival in rivals[weak[0].record_id]
        if rival.record_id != who.record_id and _weakly(rival, weak[0])
    ]
    if len(weak) > 1 or others:
        return Decision(Verdict.HOLD, "several_candidates", ids)
    if weak_match is WeakMatch.LINK:
        return Decision(Verdict.LINK, "weak_match", ids)
    return Decision(Verdict.HOLD, "weak_match", ids)
