"""Whom a message concerns, and to which record of theirs it goes (MAIL-3 … MAIL-7).

Pure: addresses and what the CRM knows of them come in, decisions go out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from crmsync.records.mail import Address, Mail


class PersonKind(StrEnum):
    """What somebody is in the CRM."""

    CONTACT = "contact"
    LEAD = "lead"


@dataclass(frozen=True, slots=True)
class Person:
    """A contact or lead that has an address.

    Attributes:
        kind, person_id: which.
        name, account: for people to read.
        address: the address by which it was found, folded.
        history: how many history records it has, of all users.
        last_history: when the latest of them was, or None.
    """

    kind: PersonKind
    person_id: str
    name: str
    account: str
    address: str
    history: int = 0
    last_history: datetime | None = None

    @property
    def ref(self) -> tuple[PersonKind, str]:
        """What tells it from everybody else."""
        return (self.kind, self.person_id)


class Exclusion(StrEnum):
    """Why an address is nobody to record for."""

    OWN = "own"
    COLLEAGUE = "colleague"
    NEVER = "never"


class Rule(StrEnum):
    """Why somebody got a message (MAIL-4)."""

    ONLY = "only"
    MOST_HISTORY = "most_history"
    MOST_RECENT = "most_recent"
    FIRST = "first"


@dataclass(frozen=True, slots=True)
class Circle:
    """Who belongs to us, and who is left out by wish.

    Attributes:
        own: the user's addresses, aliases too, folded.
        colleagues: addresses of all other users, folded.
        domains: domains whose addresses are colleagues', folded.
        never: addresses and domains that are never recorded, folded (MAIL-13).
    """

    own: frozenset[str] = frozenset()
    colleagues: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()

    def excludes(self, address: Address) -> Exclusion | None:
        """Return why an address is left out, or None."""
        if address.key in self.own:
            return Exclusion.OWN
        if self.is_ours(address):
            return Exclusion.COLLEAGUE
        if _is_named(address.key, self.never):
            return Exclusion.NEVER
        return None

    def is_ours(self, address: Address) -> bool:
        """Whether an address is the user's or a colleague's."""
        key = address.key
        return key in self.own or key in self.colleagues or _is_named(key, self.domains)


def _is_named(key: str, names: frozenset[str]) -> bool:
    """Whether an address, its domain or a domain above it is on a list."""
    _, _, domain = key.rpartition("@")
    labels = domain.split(".")
    above = {".".join(labels[n:]) for n in range(len(labels))}
    return key in names or not names.isdisjoint(above | {f"@{name}" for name in above})


@dataclass(frozen=True, slots=True)
class Concerned:
    """Whose record a message may become.

    Attributes:
        addresses: of people outside, in their order.
        excluded: the others, and why.
    """

    addresses: tuple[Address, ...]
    excluded: tuple[tuple[Address, Exclusion], ...]


def concerned(mail: Mail, circle: Circle, *, is_sent: bool) -> Concerned:
    """Return the addresses that a message is looked up by (MAIL-6).

    Args:
        mail: the message.
        circle: who belongs to us.
        is_sent: the user sent it; else it was received.
    """
    if is_sent:
        wanted: Iterable[Address] = mail.recipients
    elif mail.sender is not None and circle.is_ours(mail.sender):
        wanted = mail.to + mail.cc
    else:
        wanted = (mail.sender,) if mail.sender is not None else ()
    once = {address.key: address for address in reversed(tuple(wanted))}
    found = tuple(reversed(once.values()))
    excluded = tuple((a, why) for a in found if (why := circle.excludes(a)) is not None)
    left_out = {address.key for address, _ in excluded}
    return Concerned(tuple(a for a in found if a.key not in left_out), excluded)


@dataclass(frozen=True, slots=True)
class Target:
    """Somebody who gets the message.

    Attributes:
        person: who.
        rule: why this one.
        runners_up: who has the address as well, the next one first.
    """

    person: Person
    rule: Rule
    runners_up: tuple[Person, ...] = ()


def targets(
    addresses: Sequence[Address], people: Collection[Person]
) -> tuple[Target, ...]:
    """Return who gets a message: one record for each address that is known (MAIL-4)."""
    by_address: dict[str, list[Person]] = {}
    for person in people:
        by_address.setdefault(person.address, []).append(person)
    found: dict[tuple[PersonKind, str], Target] = {}
    for address in addresses:
        ranked = sorted(by_address.get(address.key, ()), key=_rank)
        if ranked:
            best = ranked[0]
            found.setdefault(best.ref, Target(best, _rule(ranked), tuple(ranked[1:])))
    return tuple(found.values())


def _rank(person: Person) -> tuple[int, float, PersonKind, str]:
    latest = person.last_history.timestamp() if person.last_history else 0.0
    return (-person.history, -latest, person.kind, person.person_id)


def _rule(ranked: Sequence[Person]) -> Rule:
    if len(ranked) == 1:
        return Rule.ONLY
    best, second = ranked[:2]
    if best.history != second.history:
        return Rule.MOST_HISTORY
    if best.last_history != second.last_history:
        return Rule.MOST_RECENT
    return Rule.FIRST


def missing(
    addresses: Sequence[Address], people: Collection[Person]
) -> tuple[Address, ...]:
    """Return the addresses that nobody in the CRM has (MAIL-5)."""
    known: Mapping[str, Person] = {person.address: person for person in people}
    return tuple(address for address in addresses if address.key not in known)


def record_key(mail: Mail, person: tuple[PersonKind, str]) -> str:
    """Return the key under which a message is recorded for somebody, once (MAIL-7).

    It is the same whoever records, from whichever mailbox, and however often.
    """
    whole = "\x1f".join((mail.identity, *person))
    return f"mail-{hashlib.sha256(whole.encode()).hexdigest()[:40]}"
