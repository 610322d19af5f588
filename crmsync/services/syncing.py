"""Running cycles: under a lease, with their history (ENG-5, WEB-2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from crmsync.cycle import Run, run_cycle
from crmsync.engine.guard import Allowance, Totals
from crmsync.engine.report import Carried, CycleReport, CycleState
from crmsync.errors import (
    CrmSyncError,
    LeaseLost,
    OtherAccount,
    PermissionMissing,
    ReconnectNeeded,
    Retryable,
    UsageError,
    describe,
)
from crmsync.services import colleagues, pacing, proposing, settings, turning
from crmsync.services.app import App
from crmsync.services.recording.attempting import MailRun, mail_run
from crmsync.services.runs import SERVICE_OF, Shape, build_run, held_lease, never
from crmsync.services.settings_table import KINDS
from crmsync.services.telling import cycle_json
from crmsync.storage import cycles, history, leases, people
from crmsync.storage.leases import Lease
from crmsync.storage.people import Pair, User
from crmsync.storage.scratch import bring_back, scratch_copy
from crmsync.storage.state import SqlState

PAUSED = {
    "code": "paused_by_person",
    "message": "This kind was paused in the middle of the cycle.",
    "next_step": "Resume it in Options: the next cycle goes on where this one stopped.",
}
WITHHELD = {
    "code": "withheld",
    "message": "This kind was withheld from the user in the middle of the cycle.",
    "next_step": "Grant it again: the next cycle goes on where this one stopped.",
}
_WITHOUT_LIMIT = 10**9
_log = structlog.get_logger("crmsync.cycle")


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of a run.

    Attributes:
        is_dry: plan only (ENG-7).
        accepts: accept a first cycle's preview.
        waits: seconds to wait for a lease that somebody else holds.
        announced: the dry run whose plan is accepted; "" accepts what comes.
        is_over: asked between pages of writes: whether the slice has had its time.
    """

    is_dry: bool = False
    accepts: bool = False
    waits: float = 0.0
    announced: str = ""
    is_over: Callable[[], bool] = never


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
    return [run_kind(app, user, kind, order) for kind in chosen]


def _chosen_kinds(app: App, user: User, kinds: Sequence[str]) -> list[str]:
    allowed = settings.allowed_kinds(app, user.user_id)
    if not kinds:
        return [kind for kind in allowed if kind != "mail" or _has_mail(app, user)]
    for kind in kinds:
        if kind not in KINDS:
            known = ", ".join(KINDS)
            raise UsageError(f"There is no kind {kind!r}; kinds are {known}.")
        if kind not in allowed:
            check_allowed(app, user, kind)
    return list(dict.fromkeys(kinds))


def _has_mail(app: App, user: User) -> bool:
    """Whether Google Mail was authorised: it is a consent of its own, and optional."""
    service = SERVICE_OF["mail"]
    return people.connection_of(app.database, user.user_id, service) is not None


def run_kind(app: App, user: User, kind: str, order: Order) -> dict[str, Any]:
    """Run a cycle of one kind, or the next slice of one that waits for it.

    A held cycle is returned as it is: later cycles of its kind wait (ENG-6).

    Raises:
        LeaseTaken: if another cycle of the pair does not end in time.
    """
    pair = people.pair_of(app.database, user.user_id, kind)
    if order.is_dry:
        return _dry(app, user, pair)
    held = history.list_cycles(
        app.database, pair_id=pair.pair_id, state=CycleState.HELD.value, limit=1
    )
    if held:
        waiting = held[0]
        if order.accepts and waiting.objection == "first_cycle":
            return approve(app, waiting.id, order)
        return cycle_json(waiting)
    told = _told_already(app, user, pair)
    if told is not None:
        return told
    with held_lease(app, pair, order.waits) as lease:
        carried = cycles.carried_cycle(app.database, pair.pair_id)
        if carried is not None:
            return _go_on(app, user, pair, (lease, carried.id), order)
        allowance = _allowance(app, pair, order)
        cycle_id = app.ids.new()
        now = app.clock.now()
        cycles.open_cycle(app.database, lease, cycle_id, now=now, is_dry=False)
        return _run_open(app, user, pair, (lease, cycle_id), (allowance, order))


def _go_on(
    app: App, user: User, pair: Pair, place: tuple[Lease, str], order: Order
) -> dict[str, Any]:
    """Run the next slice of a cycle."""
    carried = cycles.take_up(app.database, *place, now=app.clock.now())
    allowance = _allowance(app, pair, order)
    with app.database.read() as connection:
        totals = cycles.totals_of(connection, place[1])
    if totals != Totals():
        allowance = Allowance(totals)
    return _run_open(app, user, pair, place, (allowance, order), carried)


def _allowance(app: App, pair: Pair, order: Order) -> Allowance | None:
    """Return what was accepted: whoever accepts a first cycle accepts what it makes.

    It stays accepted until a cycle has done it all; removals are not part of it.
    """
    if order.accepts and not pair.is_accepted:
        creates = _WITHOUT_LIMIT
        if order.announced:
            with app.database.read() as connection:
                creates = cycles.totals_of(connection, order.announced).creates
        _announce(app, pair, creates)
        return Allowance(Totals(creates=creates), is_first=True)
    if pair.announced and pair.is_accepted:
        return Allowance(Totals(creates=pair.announced))
    return None


def _told_already(app: App, user: User, pair: Pair) -> dict[str, Any] | None:
    """Return the cycle that said already what only a person can mend (AUTH-7: once)."""
    connection = people.connection_of(app.database, user.user_id, SERVICE_OF[pair.kind])
    if connection is None:
        return None
    is_aside = pair.is_set_aside(connection)
    if connection.state == "active" and not is_aside:
        return None
    code = OtherAccount.code if is_aside else ReconnectNeeded.code
    last = history.list_cycles(app.database, pair_id=pair.pair_id, limit=1)
    is_told = last and last[0].state == CycleState.PAUSED.value and last[0].error
    if is_told and last[0].error["code"] == code:
        return cycle_json(last[0])
    return None


def approve(app: App, cycle_id: str, order: Order) -> dict[str, Any]:
    """Run a held cycle: planned anew, and asked about again if it grew (ENG-6).

    Raises:
        UsageError: if the cycle is not held.
    """
    row = history.cycle_row(app.database, cycle_id)
    user = people.user_by_id(app.database, row.user_id)
    check_allowed(app, user, row.kind)
    pair = people.pair_of(app.database, row.user_id, row.kind)
    # The lease comes first: a cycle that somebody is just approving is not held.
    with held_lease(app, pair, order.waits) as lease:
        row = check_held(app, cycle_id)
        with app.database.read() as connection:
            totals = cycles.totals_of(connection, cycle_id)
        allowance = Allowance(totals, is_first=row.objection == "first_cycle")
        _announce(app, pair, totals.creates)
        now = app.clock.now()
        cycles.resume_cycle(app.database, lease, cycle_id, allowance, now=now)
        return _run_open(app, user, pair, (lease, cycle_id), (allowance, order))


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


# ------------------------------------------------------------------ one cycle


def _run_open(
    app: App,
    user: User,
    pair: Pair,
    place: tuple[Lease, str],
    terms: tuple[Allowance | None, Order],
    carried: Carried | None = None,
) -> dict[str, Any]:
    lease, cycle_id = place
    allowance, order = terms
    state = SqlState(
        app.database, lease, cycle_id, clock=app.clock, allowance=allowance
    )
    shape = Shape(carried=carried, is_over=order.is_over)
    report, requests = _attempt(app, user, pair, state, shape)
    if report.state is CycleState.RUNNING and report.carried is not None:
        _put_down(app, pair, place, report)
    else:
        cycle_id = close(app, pair, cycle_id, report, requests)
    return cycle_json(history.cycle_row(app.database, cycle_id))


def _put_down(
    app: App, pair: Pair, place: tuple[Lease, str], report: CycleReport
) -> None:
    """End a slice; a kind that was paused meanwhile ends its cycle here."""
    if report.carried is None:
        return
    cycles.put_down(app.database, *place, report.carried, now=app.clock.now())
    if people.pair_by_id(app.database, pair.pair_id).is_paused:
        _give_up(app, pair, place, PAUSED)


def _give_up(
    app: App, pair: Pair, place: tuple[Lease, str], error: Mapping[str, str]
) -> None:
    carried = cycles.take_up(app.database, *place, now=app.clock.now())
    cycle_id = place[1]
    cycles.leave_plan(app.database, cycle_id)
    report = CycleReport(
        CycleState.PARTIAL,
        error=dict(error),
        unchanged=carried.unchanged,
        is_accepted=True,
    )
    close(app, pair, cycle_id, report, carried.requests)


def give_up(app: App, pair: Pair, cycle_id: str, error: Mapping[str, str]) -> None:
    """End a cycle that waits for its next slice; what it left is left for later.

    Raises:
        LeaseTaken: if somebody is working on it.
    """
    with held_lease(app, pair, 0.0) as lease:
        if cycles.carried_cycle(app.database, pair.pair_id) is not None:
            _give_up(app, pair, (lease, cycle_id), error)


def close(
    app: App,
    pair: Pair,
    cycle_id: str,
    report: CycleReport,
    requests: Mapping[str, int],
) -> str:
    """Close a cycle, say so in the log, and set when the next one is due.

    Returns:
        The cycle that shows it: of pauses for the same reason, the first.
    """
    now = app.clock.now()
    cycles.close_cycle(app.database, cycle_id, report, requests, now=now)
    pacing.plan_next(app, pair, cycle_id, report)
    if pair.kind == "calendar":
        colleagues.wake_guests(app, pair, cycle_id)
        proposing.collect(app, pair)
        turning.hand_over(app, pair)
    _log_end(history.cycle_row(app.database, cycle_id))
    if report.state is CycleState.PAUSED:
        return cycles.fold_pause(app.database, cycle_id, now)
    return cycle_id


def _log_end(row: Any) -> None:
    counts = {
        f"{side}_{what}": number
        for side in ("google", "crm")
        for what, number in row.counts[side].items()
        if number
    }
    rest = {n: v for n, v in row.counts.items() if isinstance(v, int) and v}
    _log.info(
        "cycle.finished",
        cycle_id=row.id,
        pair_id=row.pair_id,
        state=row.state,
        requests=dict(row.requests),
        error=row.error["code"] if row.error else None,
        seconds=round((row.finished_at - row.started_at).total_seconds(), 3),
        **counts,
        **rest,
    )


def _attempt(
    app: App, user: User, pair: Pair, state: SqlState, shape: Shape
) -> tuple[CycleReport, dict[str, int]]:
    """Build the run and do the cycle; what prevents it ends the cycle in words.

    Returns:
        The report, and the requests made to each side.
    """
    work: _Work | MailRun | None = None
    try:
        if pair.kind == "mail":
            work = mail_run(app, user, pair, state, shape)
        else:
            work = _Work(build_run(app, user, pair, state, shape))
        report = work.run()
    except (ReconnectNeeded, PermissionMissing) as error:
        report = CycleReport(CycleState.PAUSED, error=describe(error))
    except (LeaseLost, Retryable) as error:
        retry_after = error.retry_after if isinstance(error, Retryable) else None
        report = CycleReport(
            CycleState.PARTIAL, error=describe(error), retry_after=retry_after
        )
    except CrmSyncError as error:
        report = CycleReport(CycleState.FAILED, error=describe(error))
    is_dead = report.error and report.error["code"] == ReconnectNeeded.code
    if is_dead and work is not None and not shape.is_dry:
        # Google said so; a key that cannot read our own tokens is no reason.
        _mark_dead(app, user, pair)
    now = work.requests if work is not None else {"google": 0, "crm": 0}
    before = shape.carried.requests if shape.carried else {}
    return report, {side: count + before.get(side, 0) for side, count in now.items()}


@dataclass(frozen=True, slots=True)
class _Work:
    """A cycle of two sides, ready to be run."""

    both: Run

    @property
    def requests(self) -> dict[str, int]:
        """How many requests were made so far, by side."""
        return {"google": self.both.google.requests, "crm": self.both.crm.requests}

    def run(self) -> CycleReport:
        """Run the cycle, or its next slice."""
        return run_cycle(self.both)


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


def _dry(app: App, user: User, pair: Pair) -> dict[str, Any]:
    """Plan on a scratch copy; only the cycle and its plan come back (ENG-7)."""
    with scratch_copy(app.database, pair.pair_id) as copy:
        people.edit_pair(copy, pair.pair_id, lease_until=None)
        now = app.clock.now()
        lease = leases.acquire(copy, pair.pair_id, "", now=now, seconds=3600)
        cycle_id = app.ids.new()
        cycles.open_cycle(copy, lease, cycle_id, now=now, is_dry=True)
        state = SqlState(copy, lease, cycle_id, clock=app.clock)
        report, requests = _attempt(app, user, pair, state, Shape(is_dry=True))
        cycles.close_cycle(copy, cycle_id, report, requests, now=app.clock.now())
        bring_back(copy, app.database, cycle_id)
    return cycle_json(history.cycle_row(app.database, cycle_id))
