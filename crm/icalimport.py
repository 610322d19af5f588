"""Importing iCalendar files: events and to-dos, one by one, nothing stops the rest.

A component is imported, normalised (with remarks) or set aside (with a reason). Those
that were imported before are known by UID, or by content without one, and left alone.
Whoever they name is listed as a participant and never invited anywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import date
from typing import BinaryIO
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

from crm import activities, completion, feed, icalfile, lookup, occurrences
from crm.activityfields import FIELDS
from crm.activityrows import Kind, NewActivity, Participant
from crm.common import Author
from crm.errors import CrmError
from crm.folding import address_key, fold
from crm.icalfile import Guest, Item, Unreadable
from crm.importresults import BATCH, Begin, ImportResult, Outcome, Tally
from crm.occurrences import OccurrenceEdit
from crm.tables import ActivityImport


def import_ics(
    begin: Begin,
    source: bytes | BinaryIO,
    *,
    user: str,
    zone: ZoneInfo,
    today: date,
) -> ImportResult:
    """Import events and to-dos of an iCalendar file.

    Args:
        begin: opens a transaction; one per 200 components.
        source: the file, or its content.
        user: id of the CRM user who leads what is imported.
        zone: for times that name no zone that is known here.
        today: the start of a to-do without a date.
    """
    tally = Tally()
    late: list[Item] = []
    for batch in _batches(_items(source, zone, today, tally)):
        _import(begin, [item for item in batch if not item.slot], user, tally)
        # Occurrences stand wherever they like, also before their series.
        late += [item for item in batch if item.slot]
    for start in range(0, len(late), BATCH):
        _import(begin, late[start : start + BATCH], user, tally)
    return tally.result()


def _items(
    source: bytes | BinaryIO, zone: ZoneInfo, today: date, tally: Tally
) -> Iterator[Item]:
    for piece in icalfile.split(source):
        try:
            item = icalfile.read(piece, zone, today)
        except Unreadable as error:
            tally.add(piece.line, Outcome.SET_ASIDE, str(error))
            continue
        if item.is_cancelled and not item.slot:
            tally.add(piece.line, Outcome.SET_ASIDE, "it is cancelled")
            continue
        yield item


def _import(begin: Begin, items: Sequence[Item], user: str, tally: Tally) -> None:
    try:
        done = _store(begin, items, user)
    except (CrmError, IntegrityError, DataError):
        done = [_store_alone(begin, item, user) for item in items]
    for item, (outcome, reason) in zip(items, done, strict=True):
        tally.add(item.line, outcome, reason)


def _store_alone(begin: Begin, item: Item, user: str) -> tuple[Outcome, str]:
    try:
        return _store(begin, [item], user)[0]
    except CrmError as error:
        return Outcome.SET_ASIDE, str(error)
    except (IntegrityError, DataError):
        return Outcome.SET_ASIDE, "the database refuses it"


def _store(begin: Begin, items: Sequence[Item], user: str) -> list[tuple[Outcome, str]]:
    """Import components in one transaction; what became of each, in order."""
    if not items:
        return []
    with begin() as conn:
        feed.lock(conn)
        return [_store_one(conn, item, Author(user)) for item in items]


def _store_one(conn: Connection, item: Item, by: Author) -> tuple[Outcome, str]:
    key, digest = _key(item), _digest(item)
    known = _known(conn, key)
    if known is not None:
        is_same = known[0] == digest
        reason = "" if is_same else "imported before, with other content; left alone"
        return Outcome.UNCHANGED, reason
    remarks = list(item.remarks)
    made = _occurrence(conn, item, by, remarks) if item.slot else None
    if made is None:
        if item.is_cancelled:
            return Outcome.SET_ASIDE, "it cancels an occurrence of an unknown series"
        made = _single(conn, item, by)
    row = {
        "key": key,
        "digest": digest,
        "activity_id": made,
        "imported_at": by.now(),
        "imported_by": by.user_id,
    }
    conn.execute(sa.insert(ActivityImport), [row])
    return (
        (Outcome.NORMALISED, "; ".join(remarks))
        if remarks
        else (
            Outcome.IMPORTED,
            "",
        )
    )


def _single(conn: Connection, item: Item, by: Author) -> str:
    new = NewActivity(
        item.values,
        by.user_id,
        _people(conn, item.guests, by.user_id),
        is_undated=item.is_undated,
    )
    made = activities.create_many(conn, [new], by=by)[0]
    if item.is_done:
        completion.complete(conn, [made.id], by=by)
    return made.id


def _occurrence(
    conn: Connection, item: Item, by: Author, remarks: list[str]
) -> str | None:
    """Change an occurrence of an imported series; None if there is none."""
    series = _known(conn, _key_of(item.uid)) if item.uid else None
    if series is None:
        remarks.append("its series was not imported, so it stands alone")
        return None
    row = next(iter(activities.read(conn, [series[1]])))
    if row.deleted or not row.is_series or not row.series.has(item.slot):
        remarks.append("its series has no such occurrence, so it stands alone")
        return None
    changes = {n: v for n, v in item.values.items() if n not in {"type", "recurrence"}}
    edit = OccurrenceEdit(
        {} if item.is_cancelled else changes,
        None if item.is_cancelled else _people(conn, item.guests, by.user_id),
        item.is_cancelled,
    )
    return occurrences.change(conn, row.id, item.slot, edit, by=by).id


def _people(
    conn: Connection, guests: Sequence[Guest], user: str
) -> tuple[Participant, ...]:
    """Return participants; contacts that the user sees are linked (CAL-6)."""
    keys = [address_key(guest.address) for guest in guests]
    found = lookup.find_by_addresses(conn, filter(None, keys), viewer=user)
    people: dict[tuple[Kind, str], Participant] = {}
    for guest, key in zip(guests, keys, strict=True):
        ids = found.get(key, [])
        kind = Kind.CONTACT if ids else Kind.OTHER
        ref = min(ids) if ids else key or fold(guest.name)
        person = Participant(kind, ref, guest.name, guest.address, guest.answer)
        people.setdefault(person.key, person)
    return tuple(people.values())


# ------------------------------------------------------------------ known ones


def _known(conn: Connection, key: str) -> tuple[str, str] | None:
    """Return digest and activity of what was imported before."""
    statement = sa.select(ActivityImport.digest, ActivityImport.activity_id)
    found = conn.execute(statement.where(ActivityImport.key == key)).one_or_none()
    return None if found is None else (found[0], found[1])


def _key(item: Item) -> str:
    return _key_of(item.uid, item.slot) if item.uid else f"ics:{_digest(item)}"


def _key_of(uid: str, slot: str = "") -> str:
    return f"uid:{_hash(uid, slot)}"


def _digest(item: Item) -> str:
    values = [item.values.get(name, "") for name in FIELDS]
    if item.is_undated:
        values[FIELDS.index("start")] = ""
    guests = [guest.address or guest.name for guest in item.guests]
    flags = (str(item.is_cancelled), str(item.is_done))
    return _hash(*values, *guests, *flags, item.slot)


def _hash(*texts: str) -> str:
    joined = "\x1f".join(texts).encode("utf-8", "replace")
    return hashlib.blake2b(joined, digest_size=16).hexdigest()


def _batches(items: Iterator[Item]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
