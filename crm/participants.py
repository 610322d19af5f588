"""Who takes part in an activity: members, contacts, leads, others; their answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from crm import activities, feed, lookup
from crm.activityrows import (
    ActivityEdit,
    ActivityRow,
    Kind,
    Participant,
    other,
)
from crm.common import NOBODY, Author
from crm.errors import NotFound
from crm.folding import address_key


def add(
    conn: Connection,
    activity_id: str,
    people: Sequence[Participant],
    *,
    by: Author = NOBODY,
) -> ActivityRow:
    """Add participants; one who is there already stays as they are.

    Raises:
        NotFound: if the activity, a user or a contact does not exist.
        BadValue: if a participant cannot be held.
    """
    feed.lock(conn)
    row = activities.get(conn, activity_id)
    known = {person.key for person in row.participants}
    fresh = [_invited(person) for person in people if person.key not in known]
    return _write(conn, row, (*row.participants, *fresh), by=by)


def remove(
    conn: Connection,
    activity_id: str,
    keys: Iterable[tuple[Kind, str]],
    *,
    by: Author = NOBODY,
) -> ActivityRow:
    """Remove participants; the leader stays.

    Raises:
        NotFound: if the activity does not exist.
    """
    feed.lock(conn)
    row = activities.get(conn, activity_id)
    gone = set(keys) - {(Kind.USER, row.leader)}
    kept = [person for person in row.participants if person.key not in gone]
    return _write(conn, row, kept, by=by)


def answer(
    conn: Connection,
    activity_id: str,
    user_id: str,
    given: str,
    *,
    by: Author = NOBODY,
) -> ActivityRow:
    """Store a user's answer: `accepted`, `declined`, `tentative` or `needsAction`.

    Raises:
        NotFound: if the user does not take part.
        BadValue: if it is no answer.
    """
    feed.lock(conn)
    row = activities.get(conn, activity_id)
    mine = row.participant(user_id)
    if mine is None:
        raise NotFound(f"{user_id} does not take part in {activity_id}")
    return _write(conn, row, answered(row, user_id, given), by=by)


def answered(row: ActivityRow, user_id: str, given: str) -> tuple[Participant, ...]:
    """Return the participants with a user's answer in place."""
    return tuple(
        replace(person, answer=given) if person.key == (Kind.USER, user_id) else person
        for person in row.participants
    )


@dataclass(frozen=True, slots=True)
class GuestFact:
    """What the event elsewhere says of one guest."""

    address: str
    name: str
    answer: str


def guest_facts(row: ActivityRow) -> dict[str, GuestFact]:
    """Return what the event says of its guests, by folded address (CAL-6)."""
    found = {}
    for line in row.values["guest_list"].splitlines():
        answer, _, rest = line.partition(" ")
        address, _, name = rest.partition(" ")
        if address:
            found[address_key(address)] = GuestFact(address, name, answer)
    return found


def named(
    conn: Connection, addresses: Iterable[str], *, viewer: str
) -> list[Participant]:
    """Return guests by address: contacts that the viewer sees, else others (CAL-6)."""
    keys = [key for key in map(address_key, addresses) if key]
    found = lookup.find_by_addresses(conn, keys, viewer=viewer)
    return [
        Participant(Kind.CONTACT, min(found[key]), address=key, is_guest=True)
        if found.get(key)
        else other(key)
        for key in dict.fromkeys(keys)
    ]


def _invited(person: Participant) -> Participant:
    if person.kind is Kind.USER and not person.answer:
        return replace(person, answer="needsAction")
    return person


def _write(
    conn: Connection,
    row: ActivityRow,
    people: Iterable[Participant],
    *,
    by: Author,
) -> ActivityRow:
    edit = ActivityEdit(row.id, participants=tuple(people))
    return activities.update_many(conn, [edit], by=by)[0]
