"""Turning events over when who leads an activity, or synchronises, changes (CAL-25).

Whether an activity has one shared event or separate ones is fixed at its first write.
It changes in two ways only: a new leader who synchronises makes the shared event anew,
and an admin converts an activity after a look at what that does. Either way the old
events are marked here, and each user's own cycle leaves them: nothing is mailed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from crmsync.errors import Retryable, UsageError
from crmsync.records.activities import Role, end_of, note_of
from crmsync.records.remote import Remote
from crmsync.services import auditing, colleagues
from crmsync.services.app import App
from crmsync.services.colleagues import Colleagues
from crmsync.services.runs import held_lease
from crmsync.services.sides import activities_of
from crmsync.storage import people, sharing
from crmsync.storage.people import Pair

_SHOWN = 200
_WAITS = 20.0


# ------------------------------------------------------------------ new leaders


def hand_over(app: App, pair: Pair) -> None:
    """Mark the former events of activities whose shared event is now a pair's own."""
    found = sharing.successors(app.database, pair.pair_id)
    if not found:
        return
    user = people.user_by_id(app.database, pair.user_id)
    try:
        side, _ = activities_of(app, user)
        shown = side.fetch(sorted({row.crm_id for row in found}))
    except Retryable:
        return  # the end of the next cycle asks again
    places = [
        (row.pair_id, row.google_id)
        for row in found
        if note_of(shown[row.crm_id], "organizer")
    ]
    with app.database.write() as connection:
        sharing.mark(app.database, connection, places)
    for other in sorted({pair_id for pair_id, _ in places}):
        colleagues.wake(app, people.pair_by_id(app.database, other))


# ------------------------------------------------------------------ leaders who stopped


@dataclass(frozen=True, slots=True)
class Stopped:
    """A leader whose shared events nobody brings up to date any more.

    Attributes:
        leader: the name, or "" if it is not known here.
        activities: id, name and start of what is still to come.
    """

    leader: str
    activities: Sequence[Mapping[str, str]]


def stopped(app: App, user_id: str = "") -> list[Stopped]:
    """Return leaders who stopped, seen from one member's calendar, or everybody's."""
    pairs = people.pair_ids(app.database, "calendar", user_id)
    rows = sharing.copies(app.database, pairs)
    if not rows:
        return []
    known = Colleagues(app)
    owners = {row.owner for row in rows if row.owner}
    syncing = {pair_id for pair_id in owners if _syncs(app, known, pair_id)}
    left = {
        row.crm_id: row
        for row in rows
        if row.owner not in syncing and _is_to_come(app, row.crm_base)
    }
    groups: dict[str, list[Mapping[str, str]]] = {}
    for crm_id, row in list(left.items())[:_SHOWN]:
        remote = _look(app, row.pair_id, crm_id)
        if remote.is_gone or note_of(remote, "leader_syncs"):
            continue
        values = remote.values
        groups.setdefault(known.name_of(str(note_of(remote, "leader"))), []).append(
            {
                "id": crm_id,
                "name": values.get("subject", ""),
                "start": values.get("start", ""),
            }
        )
    return [Stopped(leader, found) for leader, found in sorted(groups.items())]


def _syncs(app: App, known: Colleagues, pair_id: str) -> bool:
    user_id = people.pair_by_id(app.database, pair_id).user_id
    return known.user_syncs(people.user_by_id(app.database, user_id).email)


def _is_to_come(app: App, values: Mapping[str, str]) -> bool:
    end = end_of(values)
    return bool(values.get("recurrence")) or end is None or end >= app.clock.now()


def _look(app: App, pair_id: str, crm_id: str) -> Remote:
    owner = people.pair_by_id(app.database, pair_id).user_id
    side, _ = activities_of(app, people.user_by_id(app.database, owner))
    return side.fetch([crm_id])[crm_id]


# ------------------------------------------------------------------ converting


@dataclass(frozen=True, slots=True)
class Step:
    """What converting does for one user.

    Attributes:
        becomes: the role of the user's link from now on.
        leaves: the user's present event goes.
        words: what becomes of it, for people.
    """

    link_id: str
    pair_id: str
    google_id: str
    user: str
    becomes: Role
    leaves: bool
    words: str


@dataclass(frozen=True, slots=True)
class Conversion:
    """What converting one activity would do.

    Attributes:
        is_shared: whether it ends in one shared event.
        steps: empty if there is nothing to turn over.
    """

    crm_id: str
    name: str
    is_shared: bool
    steps: Sequence[Step]


_KEEPS = "keeps the present event as an own one; its list of guests stays as it is"
_SEPARATE = "gets an own event without guests in place of the shared one"
_LEADS = "gets one event with all members as guests, in place of the separate one"
_JOINS = "becomes a guest of the leader's event, in place of the separate one"


def preview(app: App, crm_id: str) -> Conversion:
    """Return what converting an activity would do; nothing is written.

    Raises:
        UsageError: if no calendar holds the activity, or it was made in Google.
    """
    links = [row for row in sharing.holders(app.database, crm_id) if not row.parent]
    if not links:
        raise UsageError(
            "No calendar holds an event of this activity.",
            next_step="There is nothing to turn over.",
        )
    remote = _look(app, links[0].pair_id, crm_id)
    if remote.is_gone:
        raise UsageError("This activity is deleted or completed.")
    if remote.key:
        raise UsageError(
            "This activity was made in Google Calendar.",
            next_step="Its organiser there is the only one who can hand it over.",
        )
    known = Colleagues(app)
    is_shared = bool(note_of(remote, "leader_syncs"))
    leader = known.email_of(str(note_of(remote, "leader")))
    make = _to_shared if is_shared else _to_separate
    steps = [step for row in links if (step := make(row, leader)) is not None]
    return Conversion(crm_id, remote.values.get("subject", ""), is_shared, steps)


def _step(row: Any, becomes: Role, words: str, *, leaves: bool) -> Step:
    who = row.name or row.email
    return Step(row.id, row.pair_id, row.google_id, who, becomes, leaves, words)


def _to_separate(row: Any, _leader: str) -> Step | None:
    if row.role in {Role.OWN.value, Role.FORMER.value}:
        return _step(row, Role.SEPARATE, _KEEPS, leaves=False)
    if row.role == Role.COPY.value:
        return _step(row, Role.COPY, _SEPARATE, leaves=True)
    return None


def _to_shared(row: Any, leader: str) -> Step | None:
    if row.role != Role.SEPARATE.value:
        return None
    if row.email.casefold() == leader:
        return _step(row, Role.OWN, _LEADS, leaves=True)
    return _step(row, Role.COPY, _JOINS, leaves=True)


def convert(app: App, crm_id: str, *, actor: str) -> Conversion:
    """Turn an activity's events over as `preview` tells; the next cycles carry it out.

    Raises:
        UsageError: as `preview`; or there is nothing to turn over.
        LeaseTaken: if a cycle of one of the calendars does not end in time.
    """
    wanted = preview(app, crm_id)
    if not wanted.steps:
        raise UsageError(
            "The events of this activity are as they should be.",
            next_step="There is nothing to turn over.",
        )
    pairs = sorted({step.pair_id for step in wanted.steps})
    with ExitStack() as leases:
        for pair_id in pairs:
            pair = people.pair_by_id(app.database, pair_id)
            leases.enter_context(held_lease(app, pair, _WAITS))
        wanted = preview(app, crm_id)
        _mark(app, wanted)
    detail = {"activity": crm_id, "shared": wanted.is_shared}
    auditing.note(app, actor, "activity.converted", detail)
    for pair_id in pairs:
        colleagues.wake(app, people.pair_by_id(app.database, pair_id))
    return wanted


def _mark(app: App, wanted: Conversion) -> None:
    with app.database.write() as connection:
        for step in wanted.steps:
            sharing.give_role(connection, step.link_id, step.becomes)
        places = [(s.pair_id, s.google_id) for s in wanted.steps if s.leaves]
        sharing.mark(app.database, connection, places)
