"""Reading and writing rows of activities with their participants.

Only for operations of this package that have locked the feed; what may be written is
checked there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from crm import feed
from crm.activityrows import (
    ActivityRow,
    Kind,
    Participant,
    from_row,
    participant_columns,
    participant_from,
    row_columns,
)
from crm.common import Author, chunks
from crm.tables import Activity, ActivityParticipant

_P = ActivityParticipant
_AFTER_ALL = "\U0010ffff"


def read(conn: Connection, ids: Iterable[str]) -> list[ActivityRow]:
    """Return activities in the order of `ids`, tombstones too; unknown ids go."""
    wanted = list(dict.fromkeys(ids))
    found: dict[str, ActivityRow] = {}
    for part in chunks(wanted):
        people = people_of(conn, part)
        rows = conn.execute(
            sa.select(Activity.__table__).where(Activity.id.in_(part))
        ).mappings()
        for row in rows:
            found[row["id"]] = from_row(dict(row), people.get(row["id"], ()))
    return [found[item] for item in wanted if item in found]


def people_of(conn: Connection, ids: Sequence[str]) -> dict[str, list[Participant]]:
    """Return the participants of activities."""
    found: dict[str, list[Participant]] = {}
    statement = sa.select(
        _P.activity_id, _P.kind, _P.ref, _P.name, _P.address, _P.answer, _P.is_guest
    ).where(_P.activity_id.in_(ids), _P.is_present)
    for row in conn.execute(statement):
        found.setdefault(row.activity_id, []).append(participant_from(row))
    return found


def children_of(conn: Connection, ids: Iterable[str]) -> list[ActivityRow]:
    """Return the live occurrences that differ from these series, by slot."""
    found: list[str] = []
    for part in chunks(list(ids)):
        statement = (
            sa.select(Activity.id)
            .where(Activity.parent_id.in_(part), Activity.deleted_at.is_(None))
            .order_by(Activity.slot)
        )
        found += conn.scalars(statement)
    return read(conn, found)


def by_sync_key(conn: Connection, keys: Iterable[str | None]) -> dict[str, str]:
    """Return the ids of activities by the key they were made with, deleted ones too."""
    wanted = sorted({key for key in keys if key})
    return {
        key: activity_id
        for part in chunks(wanted)
        for key, activity_id in conn.execute(
            sa.select(Activity.sync_key, Activity.id).where(Activity.sync_key.in_(part))
        )
        if key is not None
    }


def by_key_prefixes(conn: Connection, prefixes: Iterable[str]) -> list[str]:
    """Return the ids of live activities whose sync key begins with one of these."""
    found: list[str] = []
    for part in chunks(sorted(set(prefixes)), 100):
        ranges = [
            sa.and_(Activity.sync_key >= item, Activity.sync_key < item + _AFTER_ALL)
            for item in part
        ]
        statement = sa.select(Activity.id).where(
            Activity.deleted_at.is_(None), sa.or_(*ranges)
        )
        found += conn.scalars(statement.order_by(Activity.id))
    return found


def insert(conn: Connection, rows: Sequence[ActivityRow]) -> None:
    """Store new activities, series before their occurrences."""
    if not rows:
        return
    first = feed.take(conn, len(rows))
    numbered = [(row, first + place) for place, row in enumerate(rows)]
    conn.execute(sa.insert(Activity), [row_columns(r, seq=s) for r, s in numbered])
    people = [
        participant_columns(row, person, seq=seq)
        for row, seq in numbered
        for person in row.participants
    ]
    if people:
        conn.execute(sa.insert(_P), people)


def rewrite(
    conn: Connection,
    pairs: Sequence[tuple[ActivityRow, ActivityRow]],
    *,
    by: Author,
) -> list[ActivityRow]:
    """Store activities as they are now; pairs are old and new.

    What is as it was keeps its version and its place in the feed. A row that changed
    gets the next version.
    """
    changed = [
        replace(
            new,
            version=old.version + 1,
            modified_at=by.now(),
            modified_by=by.user_id,
        )
        for old, new in pairs
        if new != old
    ]
    if changed:
        first = feed.take(conn, len(changed))
        before = {old.id: old for old, _ in pairs}
        for place, row in enumerate(changed):
            _write(conn, before[row.id], row, seq=first + place)
    after = {row.id: row for row in changed}
    return [after.get(old.id, old) for old, _ in pairs]


def _write(conn: Connection, old: ActivityRow, new: ActivityRow, *, seq: int) -> None:
    columns = row_columns(new, seq=seq)
    del columns["id"]
    conn.execute(sa.update(Activity).where(Activity.id == new.id).values(columns))
    known = {person.key: person for person in old.participants}
    kept = {person.key: person for person in new.participants}
    for person in kept.values():
        if known.get(person.key) != person:
            _put(conn, new, person, seq=seq)
    for kind, ref in set(known) - set(kept):
        _drop(conn, new, (kind, ref), seq=seq)
    _mark(conn, [new.id], seq=seq)


def _put(conn: Connection, row: ActivityRow, person: Participant, *, seq: int) -> None:
    columns = participant_columns(row, person, seq=seq)
    here = _is(row, person.key)
    if not conn.execute(sa.update(_P).where(*here).values(columns)).rowcount:
        conn.execute(sa.insert(_P).values(columns))


def _drop(
    conn: Connection, row: ActivityRow, key: tuple[Kind, str], *, seq: int
) -> None:
    here = _is(row, key)
    if key[0] is not Kind.USER:
        conn.execute(sa.delete(_P).where(*here))
        return
    # A user who took part is told of the end of it by the feed.
    conn.execute(sa.update(_P).where(*here).values(is_present=False, change_seq=seq))


def _is(row: ActivityRow, key: tuple[Kind, str]) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        _P.activity_id == row.id,
        _P.kind == key[0].value,
        _P.ref == key[1],
    )


def _mark(conn: Connection, ids: Sequence[str], *, seq: int) -> None:
    conn.execute(
        sa.update(_P)
        .where(_P.activity_id.in_(ids), _P.is_present)
        .values(change_seq=seq)
    )


def bury(conn: Connection, ids: Sequence[str], *, by: Author) -> None:
    """Make tombstones of live activities: texts go, participants stay for the feed."""
    if not ids:
        return
    first = feed.take(conn, len(ids))
    at = by.now()
    texts = ("subject", "location", "notes", "search_key", "recurrence", "resources")
    blank = dict.fromkeys((*texts, "rooms", "guest_list"), "")
    numbers = [{"of": item, "seq": first + place} for place, item in enumerate(ids)]
    conn.execute(
        sa.update(Activity)
        .where(Activity.id == bindparam("of"))
        .values(
            **blank,
            version=Activity.version + 1,
            change_seq=bindparam("seq"),
            deleted_at=at,
            modified_at=at,
            modified_by=by.user_id,
        ),
        numbers,
    )
    conn.execute(
        sa.update(_P)
        .where(_P.activity_id == bindparam("of"), _P.is_present)
        .values(change_seq=bindparam("seq")),
        numbers,
    )
