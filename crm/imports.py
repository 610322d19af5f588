"""Importing address books: CSV and vCard files, row by row, nothing stops the rest.

A row is imported, normalised (with remarks) or set aside (with a reason). Rows that
were imported before are known by UID or content and left alone, whatever became of
the contact since.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from sqlalchemy import Connection, insert, or_, select
from sqlalchemy.exc import DataError, IntegrityError

from crm import contacts, feed, groups
from crm.accounts import AccountRule
from crm.common import Author
from crm.csvfile import CsvRows
from crm.dealfields import LEAD_LIMITS
from crm.errors import CrmError
from crm.fields import FIELDS
from crm.importresults import (
    BATCH,
    MAX_LINES,
    Begin,
    ImportLine,
    ImportResult,
    Outcome,
    Tally,
)
from crm.leads import LEADS
from crm.rows import NewContact
from crm.shelves import NewRecord
from crm.tables import ImportRow, LeadImport
from crm.tidy import names_somebody, tidy
from crm.vcards import Person, read_person, split_cards

__all__ = [
    "MAX_LINES",
    "Begin",
    "ImportLine",
    "ImportResult",
    "Outcome",
    "import_csv",
    "import_leads",
    "import_vcf",
]

_NOBODY = "nothing to know a contact by: no name, company, address or phone"


@dataclass(frozen=True, slots=True)
class _Target:
    begin: Begin
    user: str
    group: str | None
    rule: AccountRule
    is_of_leads: bool = False


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    key: str
    digest: str
    values: Mapping[str, str]
    remarks: tuple[str, ...]
    problem: str = ""


def import_csv(
    begin: Begin,
    source: bytes | BinaryIO,
    *,
    user: str,
    group: str | None = None,
    rule: AccountRule | None = None,
) -> ImportResult:
    """Import contacts from a CSV file with the columns of `crm.csvfile.COLUMNS`.

    Args:
        begin: opens a transaction; one per 200 rows.
        source: the file, or its content.
        user: id of the CRM user who imports.
        group: id of a group to put imported contacts in.
        rule: how contacts get their accounts; the user manages new ones (CON-9).

    Raises:
        BadFile: if the header names none of the columns.
        NotFound: if there is no such group.
    """
    rows = CsvRows(source)
    tally = Tally()
    target = _target(begin, user=user, group=group, rule=rule)
    _import(target, _csv_rows(rows), tally)
    return tally.result(rows.unknown_columns)


def import_leads(begin: Begin, source: bytes | BinaryIO, *, user: str) -> ImportResult:
    """Import leads from a CSV file; columns and arguments as `import_csv`.

    Raises:
        BadFile: if the header names none of the columns.
    """
    rows = CsvRows(source)
    tally = Tally()
    target = replace(_target(begin, user=user, group=None, rule=None), is_of_leads=True)
    _import(target, _csv_rows(rows), tally)
    return tally.result(rows.unknown_columns)


def import_vcf(
    begin: Begin,
    source: bytes | BinaryIO,
    *,
    user: str,
    group: str | None = None,
    rule: AccountRule | None = None,
) -> ImportResult:
    """Import contacts from a vCard file (2.1, 3.0, 4.0); arguments as `import_csv`.

    Raises:
        NotFound: if there is no such group.
    """
    tally = Tally()
    target = _target(begin, user=user, group=group, rule=rule)
    _import(target, _vcf_rows(source), tally)
    return tally.result()


def _target(
    begin: Begin, *, user: str, group: str | None, rule: AccountRule | None
) -> _Target:
    if group is not None:
        with begin() as conn:
            groups.require(conn, group)
    return _Target(begin, user, group, rule or AccountRule(manager=user))


# ------------------------------------------------------------------ reading


def _csv_rows(rows: CsvRows) -> Iterator[_Row]:
    for row in rows:
        if row.problem:
            yield _unusable(row.line, row.problem)
        else:
            yield _usable(row.line, row.values, scheme="csv")


def _vcf_rows(source: bytes | BinaryIO) -> Iterator[_Row]:
    for card in split_cards(source):
        if card.problem:
            yield _unusable(card.line, card.problem)
            continue
        person = read_person(card)
        if person.is_group:
            yield _unusable(card.line, "the card is a group of contacts")
        else:
            yield _usable(
                card.line,
                person.values,
                scheme="vcf",
                uid=person.uid,
                remarks=_overflow(person),
            )


def _overflow(person: Person) -> tuple[str, ...]:
    return tuple(
        f"{count} {what} left out: no slot" for what, count in person.overflow.items()
    )


def _unusable(line: int, problem: str) -> _Row:
    return _Row(line, "", "", {}, (), problem)


def _usable(
    line: int,
    raw: Mapping[str, str],
    *,
    scheme: str,
    uid: str = "",
    remarks: tuple[str, ...] = (),
) -> _Row:
    tidied = tidy(raw)
    digest = _hash(scheme, *(tidied.values[name] for name in FIELDS))
    key = f"uid:{_hash(uid)}" if uid else f"{scheme}:{digest}"
    problem = "" if names_somebody(tidied.values) else _NOBODY
    return _Row(line, key, digest, tidied.values, (*remarks, *tidied.remarks), problem)


def _hash(*texts: str) -> str:
    joined = "\x1f".join(texts).encode("utf-8", "replace")
    return hashlib.blake2b(joined, digest_size=16).hexdigest()


# ------------------------------------------------------------------ writing


def _import(target: _Target, rows: Iterable[_Row], tally: Tally) -> None:
    for batch in _batches(rows):
        usable = [row for row in batch if not row.problem]
        for row in batch:
            if row.problem:
                tally.add(row.line, Outcome.SET_ASIDE, row.problem)
        try:
            done = _store(target, usable)
        except (CrmError, IntegrityError, DataError):
            done = [_store_alone(target, row) for row in usable]
        for row, (outcome, reason) in zip(usable, done, strict=True):
            tally.add(row.line, outcome, reason)


def _store_alone(target: _Target, row: _Row) -> tuple[Outcome, str]:
    try:
        return _store(target, [row])[0]
    except CrmError as error:
        return Outcome.SET_ASIDE, str(error)
    except (IntegrityError, DataError):
        return Outcome.SET_ASIDE, "the database refuses the row"


def _store(target: _Target, rows: Sequence[_Row]) -> list[tuple[Outcome, str]]:
    """Import rows in one transaction; what became of each, in order."""
    by = Author(target.user)
    with target.begin() as conn:
        feed.lock(conn)
        known = _known(conn, target, rows)
        done: list[tuple[Outcome, str]] = []
        fresh: list[_Row] = []
        for row in rows:
            if row.key in known or row.digest in known:
                done.append((Outcome.UNCHANGED, _difference(row, known)))
                continue
            known |= {row.key: row.digest, row.digest: row.digest}
            fresh.append(row)
            outcome = Outcome.NORMALISED if row.remarks else Outcome.IMPORTED
            done.append((outcome, "; ".join(row.remarks)))
        made = _created(conn, target, fresh, by=by)
        _remember(conn, target, list(zip(fresh, made, strict=True)), by=by)
        if target.group is not None and made:
            groups.add_members(conn, target.group, contact_ids=made)
    return done


def _created(
    conn: Connection, target: _Target, rows: Sequence[_Row], *, by: Author
) -> list[str]:
    """Make contacts or leads of rows; a lead keeps what it has a field for."""
    if not target.is_of_leads:
        people = [NewContact(row.values, target.rule) for row in rows]
        return [row.id for row in contacts.create_many(conn, people, by=by)]
    leads = [
        NewRecord({n: v for n, v in row.values.items() if n in LEAD_LIMITS})
        for row in rows
    ]
    return [row.id for row in LEADS.create_many(conn, leads, by=by)]


def _known(conn: Connection, target: _Target, rows: Sequence[_Row]) -> dict[str, str]:
    """Return digests by key, and by themselves, of rows that were imported before."""
    table: Any = LeadImport if target.is_of_leads else ImportRow
    statement = select(table.key, table.digest).where(
        or_(
            table.key.in_([row.key for row in rows]),
            table.digest.in_([row.digest for row in rows]),
        )
    )
    known: dict[str, str] = {}
    for key, digest in conn.execute(statement):
        known |= {key: digest, digest: digest}
    return known


def _difference(row: _Row, known: Mapping[str, str]) -> str:
    if known.get(row.key, row.digest) == row.digest:
        return ""
    return "the UID was imported before, with other content; nothing was changed"


def _remember(
    conn: Connection,
    target: _Target,
    made: Sequence[tuple[_Row, str]],
    *,
    by: Author,
) -> None:
    if not made:
        return
    table: Any = ImportRow
    name = "contact_id"
    if target.is_of_leads:
        table, name = LeadImport, "lead_id"
    at = by.now()
    rows = [
        {
            "key": row.key,
            "digest": row.digest,
            name: record_id,
            "imported_at": at,
            "imported_by": by.user_id,
        }
        for row, record_id in made
    ]
    conn.execute(insert(table), rows)


def _batches(rows: Iterable[_Row]) -> Iterator[list[_Row]]:
    batch: list[_Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
