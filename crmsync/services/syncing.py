"""Running cycles: under a lease, with their history (ENG-5, WEB-2)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from crmsync.connectors.google.oauth import is_granted
from crmsync.cycle import Run, run_cycle
from crmsync.engine.guard import Allowance, Totals
from crmsync.errors import (
    CrmSyncError,
    LeaseLost,
    LeaseTaken,
    PermissionMissing,
    ReconnectNeeded,
    UsageError,
    describe,
)
from crmsync.ports import CycleReport, CycleState
from crmsync.services import settings
from crmsync.services.app import App
from crmsync.services.telling import cycle_json
from crmsync.storage import cycles, history, leases, people
from crmsync.storage.leases import Lease
from crmsync.storage.people import Connection, Pair, User
from crmsync.storage.scratch import bring_back, scratch_copy
from crmsync.storage.state import SqlState

SERVICE_OF = {
    "contacts": "google_sync",
    "calendar": "google_sync",
    "tasks": "google_sync",
    "mail": "google_mail",
}
READY_KINDS = ("contacts",)
"""Kinds this version can run."""

_WITHOUT_LIMIT = 10**9
_LEASE_PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of a run.

    Attributes:
        is_dry: plan only (ENG-7).
        accepts: accept a first cycle's preview.
        waits: seconds to wait for a lease that somebody else holds.
    """

    is_dry: bool = False
    accepts: bool = False
    waits: float = 0.0


def run_kinds(
    app: App, user: User, kinds: Sequence[str], order: Order
) -> list[dict[str, Any]]:
    """Run one cycle of each kind and return them as interfaces.md prints them.

    Raises:
        UsageError: if the user is disabled, or a kind is unknown or withheld.
        LeaseTaken: if another cycle of the pair does not end in time.
    """
    if user.is_disabled:
        raise UsageError(f"{user.email} is disabled.")
    chosen = _chosen_kinds(app, user, kinds)
    return [_run_kind(app, user, kind, order) for kind in chosen]


def _chosen_kinds(app: App, user: User, kinds: Sequence[str]) -> list[str]:
    allowed = settings.allowed_kinds(app, user.user_id)
    if not kinds:
        return [kind for kind in allowed if kind in READY_KINDS]
    for kind in kinds:
        if kind not in settings.KINDS:
            known = ", ".join(settings.KINDS)
            raise UsageError(f"There is no kind {kind!r}; kinds are {known}.")
        if kind not in allowed:
            check_allowed(app, user, kind)
        if kind not in READY_KINDS:
            raise UsageError(f"This version cannot synchronise {kind} yet.")
    return list(dict.fromkeys(kinds))


def _run_kind(app: App, user: User, kind: str, order: Order) -> dict[str, Any]:
    pair = people.pair_of(app.database, user.user_id, kind)
    held = history.list_cycles(
        app.database, pair_id=pair.pair_id, state=CycleState.HELD.value, limit=1
    )
    if held and not order.is_dry:
        waiting = held[0]
        if order.accepts and waiting.objection == "first_cycle":
            return approve(app, waiting.id, order)
        return cycle_json(waiting)
    if order.is_dry:
        return _dry(app, user, pair)
    told = _told_already(app, user, pair)
    if told is not None:
        return told
    with held_lease(app, pair, order.waits) as lease:
        allowance = _allowance(app, pair, order)
        cycle_id = app.ids.new()
        now = app.clock.now()
        cycles.open_cycle(app.database, cycle_id, pair.pair_id, now=now, is_dry=False)
        return _run_open(app, user, pair, (lease, cycle_id), allowance)


def _allowance(app: App, pair: Pair, order: Order) -> Allowance | None:
    """Return what was accepted: whoever accepts a first cycle accepts what it makes.

    It stays accepted until a cycle has done it all; removals are not part of it.
    """
    if order.accepts and not pair.is_accepted:
        _announce(app, pair, _WITHOUT_LIMIT)
        return Allowance(Totals(creates=_WITHOUT_LIMIT), is_first=True)
    if pair.announced and pair.is_accepted:
        return Allowance(Totals(creates=pair.announced))
    return None


def _told_already(app: App, user: User, pair: Pair) -> dict[str, Any] | None:
    """Return the cycle that said already that the grant is dead (AUTH-7: once)."""
    connection = people.connection_of(app.database, user.user_id, SERVICE_OF[pair.kind])
    if connection is None or connection.state == "active":
        return None
    last = history.list_cycles(app.database, pair_id=pair.pair_id, limit=1)
    is_told = last and last[0].state == CycleState.PAUSED.value and last[0].error
    if is_told and last[0].error["code"] == ReconnectNeeded.code:
        return cycle_json(last[0])
    return None


def approve(app: App, cycle_id: str, order: Order) -> dict[str, Any]:
    """Run a held cycle: planned anew, and asked about again if it grew (ENG-6).

    Raises:
        UsageError: if the cycle is not held.
    """
    row = check_held(app, cycle_id)
    user = people.user_by_id(app.database, row.user_id)
    check_allowed(app, user, row.kind)
    pair = people.pair_of(app.database, row.user_id, row.kind)
    with held_lease(app, pair, order.waits) as lease:
        row = check_held(app, cycle_id)
        with app.database.read() as connection:
            totals = cycles.totals_of(connection, cycle_id)
        allowance = Allowance(totals, is_first=row.objection == "first_cycle")
        _announce(app, pair, totals.creates)
        now = app.clock.now()
        cycles.resume_cycle(app.database, cycle_id, allowance, now=now)
        return _run_open(app, user, pair, (lease, cycle_id), allowance)


def check_held(app: App, cycle_id: str) -> Any:
    """Return a held cycle's row.

    Raises:
        UsageError: if the cycle is not held (any more).
    """
    row = history.cycle_row(app.database, cycle_id)
    if row.state != CycleState.HELD.value:
        raise UsageError(f"Cycle {cycle_id} is not held; it is {row.state}.")
    return row


def check_allowed(app: App, user: User, kind: str) -> None:
    """Raise `UsageError` if a user is disabled or a kind withheld (AUTH-9)."""
    if user.is_disabled:
        raise UsageError(f"{user.email} is disabled.")
    if kind not in settings.allowed_kinds(app, user.user_id):
        raise UsageError(
            f"{kind.capitalize()} is withheld from {user.email}.",
            next_step="Ask your administrator to grant it.",
        )


def _announce(app: App, pair: Pair, creates: int) -> None:
    """Remember what an accepted preview announced, until a cycle has done it all."""
    people.edit_pair(app.database, pair.pair_id, announced=min(creates, _WITHOUT_LIMIT))


@contextmanager
def held_lease(app: App, pair: Pair, waits: float) -> Any:
    """Hold the lease of a pair and of its Google account.

    Raises:
        LeaseTaken: if somebody else holds one of them for longer than `waits`.
    """
    lease = _acquire(app, pair, waits)
    try:
        yield lease
    finally:
        leases.release(app.database, lease)


def _acquire(app: App, pair: Pair, waits: float) -> Lease:
    account = _account(app, pair)
    waited = 0.0
    while True:
        try:
            return leases.acquire(
                app.database,
                pair.pair_id,
                account,
                now=app.clock.now(),
                seconds=app.config.lease_seconds,
            )
        except LeaseTaken:
            if waited >= waits:
                raise
        app.wait(_LEASE_PAUSE)
        waited += _LEASE_PAUSE


def _account(app: App, pair: Pair) -> str:
    service = SERVICE_OF[pair.kind]
    connection = people.connection_of(app.database, pair.user_id, service)
    return connection.google_sub if connection is not None else ""


# ------------------------------------------------------------------ one cycle


def _run_open(
    app: App,
    user: User,
    pair: Pair,
    place: tuple[Lease, str],
    allowance: Allowance | None,
) -> dict[str, Any]:
    lease, cycle_id = place
    state = SqlState(
        app.database, lease, cycle_id, clock=app.clock, allowance=allowance
    )
    report, requests = _attempt(app, user, pair, state)
    cycles.close_cycle(app.database, cycle_id, report, requests, now=app.clock.now())
    return cycle_json(history.cycle_row(app.database, cycle_id))


def _attempt(
    app: App, user: User, pair: Pair, state: SqlState, *, is_dry: bool = False
) -> tuple[CycleReport, dict[str, int]]:
    """Build the run and do the cycle; what prevents it ends the cycle in words.

    Returns:
        The report, and the requests made to each side.
    """
    run: Run | None = None
    try:
        run = build_run(app, user, pair, state, is_dry=is_dry)
        report = run_cycle(run)
    except (ReconnectNeeded, PermissionMissing) as error:
        report = CycleReport(CycleState.PAUSED, error=describe(error))
    except LeaseLost as error:
        report = CycleReport(CycleState.PARTIAL, error=describe(error))
    except CrmSyncError as error:
        report = CycleReport(CycleState.FAILED, error=describe(error))
    is_dead = report.error and report.error["code"] == ReconnectNeeded.code
    if is_dead and run is not None and not is_dry:
        # Google said so; a key that cannot read our own tokens is no reason.
        _mark_dead(app, user, pair)
    google, crm = (run.google.requests, run.crm.requests) if run else (0, 0)
    return report, {"google": google, "crm": crm}


def _mark_dead(app: App, user: User, pair: Pair) -> None:
    """Note that a grant is dead, so that Options, Inbox and commands say so."""
    connection = people.connection_of(app.database, user.user_id, SERVICE_OF[pair.kind])
    if connection is not None:
        people.edit_connection(
            app.database,
            connection.connection_id,
            state="dead",
            error=ReconnectNeeded.code,
        )


def build_run(
    app: App, user: User, pair: Pair, state: SqlState, *, is_dry: bool = False
) -> Run:
    """Wire one pair's sides, rules and state.

    Raises:
        ReconnectNeeded: if the service is not authorised, or its grant is dead.
        PermissionMissing: if the kind's scope was not granted (AUTH-5).
    """
    connection = usable_connection(app, user, pair.kind)
    table = settings.contact_table(app, user.user_id)
    label = settings.get(app, "label_root")
    accounts = settings.account_defaults(app)
    first = settings.get(app, "first_cycle") == "preview"
    return Run(
        crm=app.crm.contacts(user, pair.group_id, table, accounts),
        google=app.google.contacts(connection, table, label),
        state=state,
        table=table,
        policy=settings.policy(app, user.user_id, pair.kind),
        clock=app.clock,
        ids=app.ids,
        installation=app.installation,
        user=user.user_id,
        settle_seconds=app.config.settle_seconds,
        asks_first=first and not pair.is_accepted,
        is_dry=is_dry,
    )


def usable_connection(app: App, user: User, kind: str) -> Connection:
    """Return the connection that a kind runs with.

    Raises:
        ReconnectNeeded, PermissionMissing: see `build_run`.
    """
    service = SERVICE_OF[kind]
    connection = people.connection_of(app.database, user.user_id, service)
    words = {"google_sync": "Google Sync", "google_mail": "Google Mail"}[service]
    way_on = (
        "Authorise it under Options, Authorize Services, or with: "
        f"crm-sync connection authorize {service} --user {user.email}"
    )
    if connection is None:
        raise ReconnectNeeded(
            f"{words} is not authorised for {user.email}.", next_step=way_on
        )
    if connection.state != "active":
        raise ReconnectNeeded(
            f"Google has ended the authorisation of {words} for {connection.email}.",
            next_step=way_on,
        )
    if not is_granted(kind, connection.scopes):
        raise PermissionMissing(
            f"{connection.email} has not granted access to {kind}.",
            next_step=f"{way_on} and leave all boxes ticked.",
        )
    return connection


def _dry(app: App, user: User, pair: Pair) -> dict[str, Any]:
    """Plan on a scratch copy; only the cycle and its plan come back (ENG-7)."""
    with scratch_copy(app.database, pair.pair_id) as copy:
        people.edit_pair(copy, pair.pair_id, lease_until=None)
        now = app.clock.now()
        lease = leases.acquire(copy, pair.pair_id, "", now=now, seconds=3600)
        cycle_id = app.ids.new()
        cycles.open_cycle(copy, cycle_id, pair.pair_id, now=now, is_dry=True)
        state = SqlState(copy, lease, cycle_id, clock=app.clock)
        report, requests = _attempt(app, user, pair, state, is_dry=True)
        cycles.close_cycle(copy, cycle_id, report, requests, now=app.clock.now())
        bring_back(copy, app.database, cycle_id)
    return cycle_json(history.cycle_row(app.database, cycle_id))
