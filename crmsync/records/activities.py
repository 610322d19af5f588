"""Calendar activities: the mapping of CAL-24 as data, and one neutral form.

Both sides show an activity as the same flat values, so that another CRM's encoding is
only a mapping. Shapes:

- `start`: a date `2026-11-24` (timeless, all-day) or an instant in UTC with seconds,
  `2026-11-24T09:00:00Z`.
- `duration`: whole minutes as text; of a timeless activity a multiple of 1440, at
  least 1440.
- `zone`: the IANA zone in which a series repeats; "" for single activities, for
  occurrences and for timeless series.
- `recurrence`: RFC 5545 lines (`RRULE`, `RDATE`, `EXDATE`) in canonical form; "" for
  singles and occurrences. Times in it are local to `zone`, without a `Z`, except UNTIL,
  which is UTC.
- `attendees`: addresses of the other guests, one per line, folded and sorted.
- `guest_list`: of each other guest that Google names: answer, address and name with a
  blank between, one per line, sorted by address; `rooms`: names, one per line.
- `answer`: the user's own: `needsAction`, `tentative`, `accepted`, `declined`; "" reads
  like `needsAction`.
- `slot`: of an occurrence that differs from its series: when it would have been, as
  `start`; "" for singles and series.
- `cancelled`: `yes` for an occurrence that does not take place; its other values but
  `slot` are empty then.
- `visibility`: `private` for a personal activity, else "".
- `context`: the section of CAL-5 without its markers.
- `imported`: where an activity comes from that is shown in the CRM and never written
  back, as it stands in "comes from …"; "" for all others (CAL-17, CAL-23).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

from crmsync.records import equivalence
from crmsync.records.recurrence import canonical_rule
from crmsync.records.remote import Remote
from crmsync.records.values import Field, FieldDirection, Values

DAY = 1440
CANCELLED = "yes"
PRIVATE = "private"
ANSWERS = ("needsAction", "tentative", "accepted", "declined")
DECLINED = "declined"
GUEST_FIELDS = frozenset(
    {"subject", "location", "notes", "start", "duration", "zone", "recurrence"}
    | {"attendees", "cancelled"}
)
"""What guests see: a write of anything else never notifies them (CAL-20)."""
TOLD = frozenset({"guest_list", "rooms"})
"""What is only shown: a change of it is no person's edit of the activity (CAL-6)."""

_TEXT = equivalence.text


def is_timeless(start: str) -> bool:
    """Whether a start is a date without a time of day."""
    return "T" not in start


def _start(value: str, _region: str = "") -> str:
    return value.strip()


def _duration(value: str, _region: str = "") -> str:
    return str(int(value)) if value.strip().isdigit() else value.strip()


def _answer(value: str, _region: str = "") -> str:
    """Unconfirmed is needsAction or tentative (CAL-13)."""
    return value if value in {"accepted", DECLINED} else ""


def _attendees(value: str, _region: str = "") -> str:
    lines = {line.strip().casefold() for line in value.splitlines()}
    return "\n".join(sorted(lines - {""}))


def _rule(value: str, _region: str = "") -> str:
    return canonical_rule(value)


FIELDS: tuple[Field, ...] = (
    Field("subject", "Regarding", "summary", _TEXT, 1024),
    Field("start", "Start", "start", _start, 20, is_cut=False),
    Field("duration", "Duration", "end", _duration, 12, is_cut=False),
    Field("location", "Location", "location", _TEXT, 1024),
    Field("notes", "Notes", "description", _TEXT, 8000),
    Field("recurrence", "Repeats", "recurrence", _rule, 4096, is_cut=False),
    Field("zone", "Time zone", "start.timeZone", _start, 64, is_cut=False),
    Field("attendees", "Participants", "attendees", _attendees, 65536, is_cut=False),
    Field(
        "guest_list",
        "Guests' names and answers",
        "attendees",
        _TEXT,
        16_000,
        is_cut=False,
        direction=FieldDirection.TO_CRM,
    ),
    Field(
        "rooms",
        "Rooms",
        "attendees[resource]",
        _TEXT,
        4096,
        is_cut=False,
        direction=FieldDirection.TO_CRM,
    ),
    Field("answer", "Answer", "attendees[self]", _answer, 16, is_cut=False),
    Field("cancelled", "Cancelled", "status", _start, 8, is_cut=False),
    Field("slot", "Original start", "originalStartTime", _start, 20, is_cut=False),
    Field(
        "visibility",
        "Private",
        "visibility",
        _start,
        16,
        is_cut=False,
        direction=FieldDirection.TO_GOOGLE,
    ),
    Field(
        "context",
        "Section in the description",
        "description",
        _TEXT,
        2000,
        direction=FieldDirection.TO_GOOGLE,
        keeps_when_blank=True,
    ),
    Field(
        "imported",
        "Comes from",
        "calendar",
        _TEXT,
        300,
        direction=FieldDirection.TO_CRM,
    ),
)
"""The built-in table, for both CRMs."""


def display_name(values: Values) -> str:
    """Return what a list shows for an activity."""
    return values.get("subject", "") or "(no subject)"


def facts(values: Values) -> str:
    """Return what tells an activity from others of its name, in one line."""
    parts = (values.get("start", ""), values.get("location", ""))
    return " · ".join(part for part in parts if part)


def end_of(values: Values) -> datetime | None:
    """Return when a single activity or occurrence ends; None if it cannot be told."""
    start = values.get("start", "")
    try:
        begin = (
            datetime.combine(date.fromisoformat(start), datetime.min.time(), UTC)
            if is_timeless(start)
            else datetime.fromisoformat(start)
        )
        return begin + timedelta(minutes=int(values.get("duration", "") or 0))
    except (ValueError, OverflowError):
        return None


# ------------------------------------------------------------------ what is no field


def note_of(remote: Remote | None, name: str) -> Any:
    """Return what a side noted of an activity beside its fields (`Remote.record`).

    Names: `organizer` (Google: the user organises the event; CRM: the user is the
    leader), `locked` (the user may not edit it there), `leader` (CRM: the leader's id
    there), `series` (id of the series on the same side), `guests` (how many others a
    change would be told to), `done` (completed, CAL-14), `marker` (Google: the CRM
    activity that a verified `crm-sync-activity` names), `leader_syncs` (CRM: the leader
    synchronises the calendar and has a shared event or will have one, CAL-9, CAL-25),
    `imported` (Google: the event is only shown in the CRM; of a series that is not
    selected, that its occurrences are, CAL-17, CAL-23), `plain` (Google: an occurrence
    is as its series says, so it is no record of its own), `odd` (Google: why a record
    is set aside and told; with `odd_reason`, a code of `reasons`, and `odd_step`, what
    to do, where these are not the usual ones).
    """
    record: Mapping[str, Any] = remote.record if remote is not None else {}
    return record.get(name, "")


def is_imported(remote: Remote | None) -> bool:
    """Whether a record is only shown in the CRM, and never written to Google."""
    if remote is None:
        return False
    return bool(note_of(remote, "imported") or remote.values.get("imported"))


def series_of(remote: Remote) -> str:
    """Return the id of the series that an occurrence belongs to, or ""."""
    return str(note_of(remote, "series"))


class Role(StrEnum):
    """Who organises a linked activity: on the CRM's side and on Google's.

    The user leads it in the CRM and organises the event (`own`, or `solo` without
    guests), or leads it and was invited (`invited`, CAL-6), or is a member with an
    event of their own (`separate`, CAL-10) or with a copy of the leader's (`copy`,
    CAL-9), or led it before: their event is the shared one until the new leader's is
    there (`former`, CAL-25). What is `imported` they lead in the CRM, where it is only
    shown: nothing of it is ever written to Google (CAL-17, CAL-23).
    """

    OWN = "own"
    SOLO = "solo"
    INVITED = "invited"
    SEPARATE = "separate"
    COPY = "copy"
    FORMER = "former"
    IMPORTED = "imported"

    @property
    def leads(self) -> bool:
        """Whether the user leads the activity in the CRM."""
        return self in {Role.OWN, Role.SOLO, Role.INVITED, Role.IMPORTED}

    @property
    def organizes(self) -> bool:
        """Whether the user organises the event in Google."""
        return self in {Role.OWN, Role.SOLO, Role.SEPARATE, Role.FORMER}


def role_by(*, leads: bool, organizes: bool) -> Role:
    """Return the role of somebody who leads, or not, and organises, or not."""
    if leads:
        return Role.OWN if organizes else Role.INVITED
    return Role.SEPARATE if organizes else Role.COPY


def starred(subject: str) -> str:
    """Return the subject of a completed activity (CAL-14)."""
    if subject.startswith("*") and subject.endswith("*") and len(subject) > 1:
        return subject
    return f"*{subject}*"
