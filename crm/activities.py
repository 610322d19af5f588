"""Activities: read, create, update, delete. Series with all their occurrences.

Single occurrences are in `crm.occurrences`, who takes part in `crm.participants`,
completion in `crm.completion`. Writes check the whole batch before they change
anything: a refusal leaves no trace.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from crm import activitystore, feed
from crm.activityfields import (
    ANSWERS,
    CALENDAR_TYPES,
    FIELDS,
    LIMITS,
    TODO,
    completed,
)
from crm.activityrows import (
    ActivityEdit,
    ActivityRow,
    Kind,
    NewActivity,
    Participant,
    with_leader,
)
from crm.common import NOBODY, Author, chunks, new_id
from crm.errors import BadValue, Imported, NotFound, VersionMismatch
from crm.fields import check_text
from crm.tables import Account, Activity, ActivityParticipant, Contact

__all__ = [
    "FIELDS",
    "LIMITS",
    "ActivityEdit",
    "ActivityRow",
    "Kind",
    "NewActivity",
    "Participant",
    "create",
    "create_many",
    "delete",
    "delete_many",
    "get",
    "move_contact",
    "read",
    "update",
    "update_many",
]

_MAX_PARTICIPANTS = 2000
read = activitystore.read


def get(conn: Connection, activity_id: str) -> ActivityRow:
    """Return one live activity.

    Raises:
        NotFound: if there is none, or it is deleted.
    """
    return live(conn, [activity_id])[activity_id]


def live(conn: Connection, ids: Sequence[str]) -> dict[str, ActivityRow]:
    """Return live activities by id.

    Raises:
        NotFound: if one does not exist, or is deleted.
    """
    found = {row.id: row for row in read(conn, ids) if not row.deleted}
    missing = [item for item in ids if item not in found]
    if missing:
        raise NotFound(f"there is no activity {', '.join(missing[:5])}")
    return found


# ------------------------------------------------------------------ creating


def create(
    conn: Connection,
    values: Mapping[str, str],
    *,
    leader: str = "",
    participants: Sequence[Participant] = (),
    sync_key: str | None = None,
    by: Author = NOBODY,
) -> ActivityRow:
    """Create one activity; see `create_many`."""
    new = NewActivity(values, leader, tuple(participants), sync_key)
    return create_many(conn, [new], by=by)[0]


def create_many(
    conn: Connection, items: Sequence[NewActivity], *, by: Author = NOBODY
) -> list[ActivityRow]:
    """Create activities; one row each, in order.

    A sync key that is there already answers with the activity that has it, as it is
    now, even a deleted one: that create has happened (ENG-2).

    Raises:
        BadValue: if the CRM cannot hold a value, or express a series.
        NotFound: if a contact or account does not exist.
    """
    feed.lock(conn)
    known = activitystore.by_sync_key(conn, [item.sync_key for item in items])
    made: dict[object, ActivityRow] = {}
    for place, item in enumerate(items):
        if item.sync_key not in known:
            made.setdefault(item.sync_key or place, _made(item, by=by))
    check_references(conn, made.values())
    activitystore.insert(conn, list(made.values()))
    old = {row.id: row for row in read(conn, known.values())}
    return [
        old[known[item.sync_key]]
        if item.sync_key in known
        else made[item.sync_key or place]
        for place, item in enumerate(items)
    ]


def _made(item: NewActivity, *, by: Author) -> ActivityRow:
    at = by.now()
    if item.is_undated and item.values.get("type") != TODO:
        raise BadValue("start", "is needed: only a to-do may have no date")
    return ActivityRow(
        id=new_id("V"),
        version=1,
        values=checked_values(item.values),
        leader=item.leader,
        created_at=at,
        created_by=by.user_id,
        modified_at=at,
        modified_by=by.user_id,
        participants=checked_people(item.participants, item.leader),
        is_undated=item.is_undated,
        sync_key=item.sync_key or None,
        imported=checked_source(item.imported),
    )


# ------------------------------------------------------------------ updating


def update(
    conn: Connection,
    activity_id: str,
    *,
    changes: Mapping[str, str],
    expected_version: int | None = None,
    by: Author = NOBODY,
) -> ActivityRow:
    """Write fields of one activity; see `update_many`."""
    edit = ActivityEdit(activity_id, changes, expected_version)
    return update_many(conn, [edit], by=by)[0]


def update_many(
    conn: Connection,
    edits: Sequence[ActivityEdit],
    *,
    carries: bool = True,
    by: Author = NOBODY,
) -> list[ActivityRow]:
    """Write activities, each at most once; the rows as they are afterwards.

    Changes that change nothing leave the version and the feed alone. Occurrences that
    differ from a series that is changed follow it in what they have in common with it;
    those whose slot is not in the series any more move to the same day, or go.

    Args:
        conn: the open unit of work.
        edits: what to write.
        carries: whether occurrences follow; without, they only go where their slot
            does not exist any more (a provider tells of each by itself).
        by: who writes.

    Raises:
        NotFound: if one does not exist or is deleted, or what it names.
        VersionMismatch: if one was changed since `expected_version`.
        BadValue: if the CRM cannot hold a value, or express a series; or it is
            completed, which is history.
        Imported: if it is only shown here, and the edit does not say so.
    """
    ids = [edit.activity_id for edit in edits]
    if len(set(ids)) < len(ids):
        raise BadValue("activity", "is edited twice in one batch")
    feed.lock(conn)
    old = live(conn, ids)
    pairs = [
        (old[edit.activity_id], _edited(old[edit.activity_id], edit)) for edit in edits
    ]
    check_references(conn, [new for before, new in pairs if new != before])
    series = [pair for pair in pairs if pair[0].is_series and pair[0] != pair[1]]
    written = activitystore.rewrite(conn, pairs, by=by)
    _follow(conn, series, carries=carries, by=by)
    return written


def _edited(old: ActivityRow, edit: ActivityEdit) -> ActivityRow:
    if edit.expected_version not in {None, old.version}:
        raise VersionMismatch(old)
    if old.completed_at is not None and old.type != TODO:
        raise BadValue("activity", "is completed, and history is not changed")
    check_source(old, edit.imported)
    source = old.imported if edit.imported is None else edit.imported
    leader = old.leader if edit.leader is None else edit.leader
    people = old.participants if edit.participants is None else edit.participants
    is_cancelled = old.is_cancelled if edit.is_cancelled is None else edit.is_cancelled
    is_undated = edit.is_undated
    if is_undated is None:
        is_undated = old.is_undated and "start" not in edit.changes
    if is_cancelled and old.parent_id is None:
        raise BadValue("activity", "is no occurrence of a series; delete it instead")
    wanted = edit.changes.get("type", old.type)
    if wanted != old.type and not {wanted, old.type} <= CALENDAR_TYPES:
        raise BadValue("type", f"cannot be changed from {old.type} to {wanted}")
    if old.parent_id is not None and edit.changes.get("recurrence"):
        raise BadValue("recurrence", "belongs to the series, not to one occurrence")
    changes = {n: v for n, v in edit.changes.items() if old.values.get(n) != v}
    return replace(
        old,
        values=checked_values(changes, old.values) if changes else old.values,
        leader=leader,
        participants=checked_people(people, leader),
        is_cancelled=is_cancelled,
        is_undated=is_undated,
        sync_key=old.sync_key or edit.sync_key,
        imported=checked_source(source),
    )


def _follow(
    conn: Connection,
    series: Sequence[tuple[ActivityRow, ActivityRow]],
    *,
    carries: bool,
    by: Author,
) -> None:
    """Let the occurrences that differ follow their series."""
    changed = {old.id: (old, new) for old, new in series}
    stale: list[str] = []
    kept: list[tuple[ActivityRow, ActivityRow]] = []
    moved: list[ActivityRow] = []
    for child in activitystore.children_of(conn, changed):
        old, new = changed[child.parent_id or ""]
        follower = carried(child, old, new) if carries else child
        if new.is_series and new.series.has(child.slot):
            kept.append((child, follower))
            continue
        if child.completed_at is None:
            stale.append(child.id)
            if carries and new.is_series:
                moved += moved_to(follower, new, by=by)
    activitystore.rewrite(conn, kept, by=by)
    activitystore.bury(conn, stale, by=by)
    activitystore.insert(conn, moved)


def carried(child: ActivityRow, old: ActivityRow, new: ActivityRow) -> ActivityRow:
    """Return an occurrence with what it had in common with its series changed, too."""
    ours = {"start", "recurrence", "zone"}
    values = dict(child.values)
    for name in FIELDS:
        if name not in ours and child.values[name] == old.values[name]:
            values[name] = new.values[name]
    people = {person.key: person for person in child.participants}
    before = {person.key: person for person in old.participants}
    after = {person.key: person for person in new.participants}
    for key in before.keys() | after.keys():
        if people.get(key) != before.get(key):
            continue
        if key in after:
            people[key] = after[key]
        else:
            people.pop(key, None)
    leader = new.leader if child.leader == old.leader else child.leader
    return replace(
        child,
        values=completed(values, old={}),
        participants=with_leader(people.values(), leader),
        leader=leader,
    )


def moved_to(
    child: ActivityRow, series: ActivityRow, *, by: Author
) -> list[ActivityRow]:
    """Return an occurrence anew, in the slot of its day in a changed series."""
    slot = series.series.slot_on(series.series.day_of(child.slot))
    if not slot:
        return []
    is_at_slot = child.values["start"] == child.slot
    changes = {"start": slot} if is_at_slot or child.is_cancelled else {}
    at = by.now()
    return [
        replace(
            child,
            id=new_id("V"),
            version=1,
            parent_id=series.id,
            slot=slot,
            values=completed(changes, old=child.values),
            sync_key=None,
            created_at=at,
            modified_at=at,
            modified_by=by.user_id,
        )
    ]


# ------------------------------------------------------------------ deleting


def delete(
    conn: Connection,
    activity_id: str,
    *,
    expected_version: int | None = None,
    by: Author = NOBODY,
) -> bool:
    """Delete an activity for everybody, a series with all its occurrences.

    A deleted occurrence is as its series has it again; `occurrences.cancel` makes it
    not take place.

    Returns:
        False if it was deleted before.

    Raises:
        NotFound: if it never existed.
        VersionMismatch: if it was changed since `expected_version`.
    """
    feed.lock(conn)
    rows = read(conn, [activity_id])
    if not rows:
        raise NotFound(f"there is no activity {activity_id}")
    if rows[0].deleted:
        return False
    if expected_version not in {None, rows[0].version}:
        raise VersionMismatch(rows[0])
    return bool(delete_many(conn, [activity_id], by=by))


def delete_many(
    conn: Connection, ids: Sequence[str], *, by: Author = NOBODY
) -> list[str]:
    """Delete activities; returns those that were there. See `delete`."""
    feed.lock(conn)
    gone = [row.id for row in read(conn, ids) if not row.deleted]
    children = [row.id for row in activitystore.children_of(conn, gone)]
    both = list(dict.fromkeys([*children, *gone]))
    for part in chunks(both):
        activitystore.bury(conn, part, by=by)
    return gone


def move_contact(
    conn: Connection, lose_id: str, *, keep_id: str, by: Author = NOBODY
) -> None:
    """Give a contact's activities to another one, into which it was merged."""
    feed.lock(conn)
    links = sa.select(Activity.id).where(Activity.contact_id == lose_id)
    parts = sa.select(ActivityParticipant.activity_id).where(
        ActivityParticipant.kind == Kind.CONTACT.value,
        ActivityParticipant.ref == lose_id,
    )
    ids = sorted({*conn.scalars(links), *conn.scalars(parts)})
    pairs = []
    for row in read(conn, ids):
        if row.deleted:
            continue
        people = [
            replace(person, ref=keep_id)
            if person.key == (Kind.CONTACT, lose_id)
            else person
            for person in row.participants
        ]
        values = dict(row.values)
        if values["contact_id"] == lose_id:
            values["contact_id"] = keep_id
        new = replace(row, values=values, participants=with_leader(people, row.leader))
        pairs.append((row, new))
    activitystore.rewrite(conn, pairs, by=by)


# ------------------------------------------------------------------ checks


def checked_values(
    changes: Mapping[str, str], old: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return full values, a series in one form.

    Raises:
        BadValue: if the CRM cannot hold one of them, or express the series.
    """
    values = completed(changes, old=old or {})
    if not values["recurrence"].strip():
        return values | {"recurrence": ""}
    row = ActivityRow("", 0, values, "", _NEVER, "", _NEVER, "")
    values["recurrence"] = row.series.text
    check_text("recurrence", values["recurrence"], LIMITS["recurrence"])
    return values


def checked_source(source: str) -> str:
    """Return where an activity comes from, if the CRM can hold that.

    Raises:
        TooLong: if it cannot.
    """
    check_text("imported", source, LIMITS["imported"])
    return source


def check_source(row: ActivityRow, source: str | None) -> None:
    """Refuse to change what is only shown here.

    Raises:
        Imported: if it is, and the change does not come from where it comes from.
    """
    if row.imported and source is None:
        raise Imported(row.imported)


_NEVER = datetime(1, 1, 1, tzinfo=UTC)


def checked_people(
    people: Iterable[Participant], leader: str
) -> tuple[Participant, ...]:
    """Return participants in one order, with the leader.

    Raises:
        BadValue: if one of them cannot be held.
    """
    found = with_leader(people, leader)
    if len(found) > _MAX_PARTICIPANTS:
        raise BadValue("participants", f"are more than {_MAX_PARTICIPANTS}")
    for person in found:
        check_text("participant", person.name, LIMITS["participant"])
        check_text("address", person.address, LIMITS["address"])
        if not person.ref:
            raise BadValue("participant", "has neither a name nor an address")
        if person.answer not in ANSWERS:
            raise BadValue("answer", "is none that an invitation knows")
    return found


def check_references(conn: Connection, rows: Iterable[ActivityRow]) -> None:
    """Refuse rows that name a contact or account that does not exist.

    Raises:
        NotFound: naming the first one.
    """
    found = list(rows)
    people = [person for row in found for person in row.participants]
    contacts = {p.ref for p in people if p.kind is Kind.CONTACT}
    wanted = (
        ("contact", Contact.id, contacts | {r.values["contact_id"] for r in found}),
        ("account", Account.id, {r.values["account_id"] for r in found}),
    )
    for word, column, ids in wanted:
        for part in chunks(sorted(ids - {""})):
            known = set(conn.scalars(sa.select(column).where(column.in_(part))))
            if set(part) - known:
                raise NotFound(f"there is no {word} {min(set(part) - known)}")
