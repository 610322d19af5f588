"""The schedule: what is due now, *Sync now*, pause and resume (WEB-2, ADM-2).

The database is the ledger, the queue a doorbell: a tick asks the database which pairs
want work and rings for them. Everything survives the loss of the queue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crmsync import enqueue
from crmsync.connectors.google.oauth import is_granted
from crmsync.errors import UsageError
from crmsync.services import auditing, settings
from crmsync.services.app import App
from crmsync.services.runs import SERVICE_OF
from crmsync.services.settings_table import KINDS
from crmsync.services.syncing import check_allowed
from crmsync.services.telling import cycle_json
from crmsync.storage import history, leases, people, queueing
from crmsync.storage.people import User

SERVICES = dict(SERVICE_OF)


@dataclass(frozen=True, slots=True)
class KindState:
    """How one kind of a user is doing, for Options and the add-on.

    Attributes:
        is_allowed: the admin has not withheld it (AUTH-9).
        is_granted: its scope was granted (AUTH-5).
        is_accepted: a first cycle was accepted.
        next_due_at: when the next cycle is due; None: at once, or never was.
        last: the last cycle that was no dry run.
        held: the id of the held cycle that waits for a person, or "".
        trouble: what keeps it from running, as a code, or "".
        problem: the same as a sentence, or "".
    """

    kind: str
    is_allowed: bool
    is_granted: bool
    is_paused: bool
    is_running: bool
    is_accepted: bool
    group_id: str
    next_due_at: datetime | None
    last: Mapping[str, Any] | None
    held: str
    trouble: str
    problem: str

    @property
    def can_preview(self) -> bool:
        """Whether a dry run can say anything."""
        is_open = self.is_allowed and self.is_granted
        has_group = self.kind != "contacts" or bool(self.group_id)
        return is_open and has_group and self.trouble in {"", "paused"}


def kind_states(app: App, user: User) -> list[KindState]:
    """Return how each kind of a user is doing."""
    allowed = settings.allowed_kinds(app, user.user_id)
    return [_kind_state(app, user, kind, allowed) for kind in KINDS]


def _kind_state(app: App, user: User, kind: str, allowed: Sequence[str]) -> KindState:
    pair = people.seen_pair(app.database, user.user_id, kind)
    timing = people.timing_of(app.database, pair.pair_id)
    connection = people.connection_of(app.database, user.user_id, SERVICE_OF[kind])
    rows = history.list_cycles(app.database, pair_id=pair.pair_id, limit=20)
    real = [row for row in rows if not row.is_dry]
    held = history.list_cycles(
        app.database, pair_id=pair.pair_id, state="held", limit=1
    )
    granted = connection is not None and is_granted(kind, connection.scopes)
    now = app.clock.now()
    state = KindState(
        kind=kind,
        is_allowed=kind in allowed,
        is_granted=granted,
        is_paused=pair.is_paused,
        is_running=leases.is_running(timing.lease_until, now),
        is_accepted=pair.is_accepted,
        group_id=pair.group_id,
        next_due_at=timing.next_due_at,
        last=cycle_json(real[0]) if real else None,
        held=held[0].id if held else "",
        trouble="",
        problem="",
    )
    known = "" if connection is None else connection.state
    if connection is not None and pair.is_set_aside(connection):
        known = "other account"
    return _with_problem(state, known)


def _with_problem(state: KindState, connected: str) -> KindState:
    from dataclasses import replace

    problems = (
        (not state.is_allowed, "withheld", "Withheld: ask your administrator."),
        (not connected, "not_authorised", "Not authorised yet."),
        (
            connected == "dead",
            "reauthorise",
            "Google has ended the authorisation: authorise again.",
        ),
        (
            connected == "other account",
            "other_account",
            "Its links are another Google account's: decide about them first.",
        ),
        (
            not state.is_granted,
            "not_granted",
            "Not granted: authorise again and tick its box.",
        ),
        (
            state.kind == "contacts" and not state.group_id,
            "no_group",
            "No Contact Sync Group is chosen yet.",
        ),
        (bool(state.held), "held", "A cycle waits for your decision."),
        (state.is_paused, "paused", "Paused."),
    )
    found = [(code, sentence) for is_so, code, sentence in problems if is_so]
    if not found:
        return state
    return replace(state, trouble=found[0][0], problem=found[0][1])


def sync_now(app: App, user: User, kinds: Sequence[str], *, actor: str) -> list[str]:
    """Make cycles due now and wake a worker; return the kinds that were made due.

    Without kinds, all that can run are meant.

    Raises:
        UsageError: if a named kind cannot run; it says why.
    """
    states = {state.kind: state for state in kind_states(app, user)}
    for kind in kinds:
        _check_named(app, user, kind, states)
    chosen = [k for k in (kinds or states) if kinds or not states[k].problem]
    now = app.clock.now()
    for kind in chosen:
        pair = people.pair_of(app.database, user.user_id, kind)
        people.edit_pair(app.database, pair.pair_id, next_due_at=now)
        wake(app, pair.pair_id, enqueue.NOW)
    if chosen:
        detail = {"user": user.email, "kinds": chosen}
        auditing.note(app, actor, "sync.asked", detail)
    return chosen


def _check_named(
    app: App, user: User, kind: str, states: Mapping[str, KindState]
) -> None:
    if kind not in states:
        known = ", ".join(KINDS)
        raise UsageError(f"There is no kind {kind!r}; kinds are {known}.")
    check_allowed(app, user, kind)
    if states[kind].problem:
        raise UsageError(
            f"{kind.capitalize()} cannot be synchronised now: {states[kind].problem}",
            next_step="See Options for what to do.",
        )


def wake(app: App, pair_id: str, queue: str) -> bool:
    """Ring for a pair; a ring that nobody hears is made up by the next tick."""
    if app.doorbell.ring(pair_id, queue):
        return True
    queueing.unclaim(app.database, pair_id)
    return False


def pause(app: App, user: User, kind: str, *, actor: str) -> None:
    """Pause a kind; a running cycle ends at its next page."""
    _set_paused(app, user, kind, actor, is_paused=True)


def resume(app: App, user: User, kind: str, *, actor: str) -> None:
    """Resume a kind; its next cycle is due at once."""
    pair = _set_paused(app, user, kind, actor, is_paused=False)
    people.edit_pair(app.database, pair, next_due_at=app.clock.now())
    wake(app, pair, enqueue.NOW)


def _set_paused(app: App, user: User, kind: str, actor: str, *, is_paused: bool) -> str:
    if kind not in KINDS:
        known = ", ".join(KINDS)
        raise UsageError(f"There is no kind {kind!r}; kinds are {known}.")
    check_allowed(app, user, kind)
    pair = people.pair_of(app.database, user.user_id, kind)
    people.edit_pair(app.database, pair.pair_id, is_paused=is_paused)
    detail = {"user": user.email, "kind": kind}
    auditing.note(app, actor, "kind.paused" if is_paused else "kind.resumed", detail)
    return pair.pair_id


def tick(app: App) -> list[str]:
    """Ring for every pair that wants work and has no job queued; return them.

    If the queue cannot be reached, the rest waits for the next tick.
    """
    now = app.clock.now()
    rung: list[str] = []
    allowed: dict[str, tuple[str, ...]] = {}
    for row in queueing.wants_work(app.database, SERVICES, now):
        if row.user_id not in allowed:
            allowed[row.user_id] = settings.allowed_kinds(app, row.user_id)
        if row.kind not in allowed[row.user_id]:
            continue
        if not queueing.claim(app.database, row.id, now):
            continue
        if not wake(app, row.id, enqueue.queue_of(row.kind)):
            break
        rung.append(row.id)
    return rung
