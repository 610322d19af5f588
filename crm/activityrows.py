"""Activities as values: what operations take and return, and how they stand in rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from crm.activityfields import FIELDS, columns, end_of, parse_start, start_text
from crm.folding import address_key, fold
from crm.series import Series, parse
from crm.tables import Activity, ActivityParticipant


class Kind(StrEnum):
    """What a participant is."""

    USER = "user"
    CONTACT = "contact"
    LEAD = "lead"
    OTHER = "other"


@dataclass(frozen=True, slots=True, order=True)
class Participant:
    """Somebody who takes part.

    Attributes:
        ref: id of the user, contact or lead; of others, the folded address or name.
        name, address: as they were given; a user's and a contact's own may be newer.
        answer: "", `needsAction`, `tentative`, `accepted` or `declined`.
        is_guest: came from the Google event, or was sent to it.
    """

    kind: Kind
    ref: str
    name: str = ""
    address: str = ""
    answer: str = ""
    is_guest: bool = False

    @property
    def key(self) -> tuple[Kind, str]:
        """What tells participants of one activity apart."""
        return self.kind, self.ref


def other(address: str, name: str = "", *, answer: str = "") -> Participant:
    """Return a participant who is neither user, contact nor lead."""
    ref = address_key(address) or fold(name)
    return Participant(Kind.OTHER, ref, name, address.strip(), answer, is_guest=True)


@dataclass(frozen=True, slots=True)
class ActivityRow:
    """An activity, series, or occurrence that differs from its series.

    Attributes:
        values: every field of `FIELDS`; of a tombstone all empty.
        leader: id of the user whose activity it is, or "".
        participants: the leader and the members (kind `user`), and the others.
        parent_id, slot: of an occurrence: its series, and when it would have been.
        is_cancelled: the occurrence does not take place.
        is_undated: a to-do that has no date of its own; its start is its creation.
        imported: where it comes from, "" if it is the CRM's own; a person does not
            change it then (CAL-23).
        version: the etag.
        completed_at: when it was completed; it is in the history then.
    """

    id: str
    version: int
    values: Mapping[str, str]
    leader: str
    created_at: datetime
    created_by: str
    modified_at: datetime
    modified_by: str
    participants: tuple[Participant, ...] = ()
    parent_id: str | None = None
    slot: str = ""
    is_cancelled: bool = False
    is_undated: bool = False
    sync_key: str | None = None
    imported: str = ""
    deleted: bool = False
    completed_at: datetime | None = None

    @property
    def type(self) -> str:
        """The kind of activity."""
        return self.values["type"]

    @property
    def is_series(self) -> bool:
        """Whether it recurs."""
        return bool(self.values["recurrence"])

    @property
    def series(self) -> Series:
        """How it recurs."""
        return parse(self.values)

    @property
    def start_at(self) -> datetime:
        """When it begins; a date is midnight in UTC."""
        return parse_start(self.values["start"])

    @property
    def end_at(self) -> datetime:
        """When it ends."""
        return end_of(self.start_at, int(self.values["duration"]))

    @property
    def user_ids(self) -> frozenset[str]:
        """The leader and the members."""
        return frozenset(p.ref for p in self.participants if p.kind is Kind.USER)

    def participant(self, user_id: str) -> Participant | None:
        """Return a user's part in it."""
        return next(
            (p for p in self.participants if p.kind is Kind.USER and p.ref == user_id),
            None,
        )


@dataclass(frozen=True, slots=True)
class NewActivity:
    """An activity to create.

    Attributes:
        values: any of `FIELDS`; a start is needed.
        leader: id of a user; the leader is a participant without being listed.
        participants: members and others.
        sync_key: makes the create idempotent.
        imported: where it comes from, if it is only shown here.
    """

    values: Mapping[str, str]
    leader: str = ""
    participants: tuple[Participant, ...] = ()
    sync_key: str | None = None
    is_undated: bool = False
    imported: str = ""


@dataclass(frozen=True, slots=True)
class ActivityEdit:
    """What to write on one activity; None leaves it as it is.

    Attributes:
        expected_version: None does not compare.
        participants: all of them, the leader aside.
        is_cancelled: of an occurrence.
        sync_key: given to an activity that has none.
        imported: where it comes from: what is only shown here is changed by nobody
            who does not say so.
    """

    activity_id: str
    changes: Mapping[str, str] = field(default_factory=dict)
    expected_version: int | None = None
    leader: str | None = None
    participants: tuple[Participant, ...] | None = None
    is_cancelled: bool | None = None
    is_undated: bool | None = None
    sync_key: str | None = None
    imported: str | None = None


def with_leader(
    participants: Iterable[Participant], leader: str
) -> tuple[Participant, ...]:
    """Return participants, each once, the leader among them, in one order."""
    found = {item.key: item for item in participants}
    if leader:
        found.setdefault((Kind.USER, leader), Participant(Kind.USER, leader))
    return tuple(sorted(found.values()))


_COLUMNS = (
    "id", "version", "leader", "created_at", "created_by", "modified_at",
    "modified_by", "parent_id", "slot", "is_cancelled", "is_undated", "sync_key",
    "imported", "completed_at",
)  # fmt: skip


def from_row(row: Mapping[str, Any], people: Iterable[Participant]) -> ActivityRow:
    """Read a row of `crm_activity`."""
    values = {
        name: row[name] or "" for name in FIELDS if name not in {"start", "duration"}
    }
    values["alarm"] = "" if row["alarm"] is None else str(row["alarm"])
    values["start"] = start_text(row["start_at"], timeless=row["is_timeless"])
    values["duration"] = str(row["duration"])
    is_deleted = row["deleted_at"] is not None
    if is_deleted:
        values = {"type": row["type"]}
    return ActivityRow(
        **{name: row[name] for name in _COLUMNS},
        values={name: values.get(name, "") for name in FIELDS},
        participants=tuple(sorted(people)),
        deleted=is_deleted,
    )


def row_columns(row: ActivityRow, *, seq: int) -> dict[str, Any]:
    """Return the whole row of a live activity, for an insert or update."""
    found = {name: getattr(row, name) for name in _COLUMNS} | columns(row.values)
    found["last_at"] = found["end_at"]
    if row.is_series:
        last = row.series.last()
        found["last_at"] = last and end_of(last, found["duration"])
    found["search_key"] = fold(f"{row.values['subject']} {row.values['location']}")
    return found | {"change_seq": seq, "deleted_at": None}


def participant_columns(
    row: ActivityRow, person: Participant, *, seq: int
) -> dict[str, Any]:
    """Return the row of a participant, its alarm aside."""
    return {
        "activity_id": row.id,
        "kind": person.kind.value,
        "ref": person.ref,
        "name": person.name,
        "address": person.address,
        "answer": person.answer,
        "is_guest": person.is_guest,
        "is_present": True,
        "change_seq": seq,
    }


def participant_from(row: Any) -> Participant:
    """Read a row of `crm_activity_participant`."""
    return Participant(
        Kind(row.kind), row.ref, row.name, row.address, row.answer, row.is_guest
    )


TABLE = Activity.__table__
PEOPLE = ActivityParticipant.__table__
