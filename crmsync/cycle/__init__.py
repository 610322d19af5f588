"""One cycle over one pair: read, settle, plan, guard, apply (architecture, section 3).

The imperative shell around the pure engine. It sees ports only: the worker, the
command line, the preview and the property tests all run this same cycle.
"""

from __future__ import annotations

from crmsync.cycle.applying import apply
from crmsync.cycle.labels import open_sides
from crmsync.cycle.outcomes import Applied
from crmsync.cycle.planning import Plan, emptied_side, plan_links
from crmsync.cycle.reading import read_side
from crmsync.cycle.run import Progress, Run, SliceOver
from crmsync.cycle.settling import settle, wait_for_creates
from crmsync.cycle.turning import plan_turned
from crmsync.engine.guard import Allowance, objection
from crmsync.engine.report import Carried, CycleReport, CycleState
from crmsync.errors import (
    CollectionGone,
    CrmSyncError,
    LeaseLost,
    PermissionMissing,
    ReconnectNeeded,
    Retryable,
    describe,
)
from crmsync.records.values import SideName

__all__ = ["CycleReport", "Run", "run_cycle"]

_ROUNDS = 3
"""So often a cycle applies a plan: series, then their occurrences and what changed
while it was written (ENG-3), then what Google tells of those."""


def run_cycle(run: Run) -> CycleReport:
    """Run one cycle, or its next slice, to its end.

    Returns:
        How it ended. Passing faults end it `partial`, a dead grant or a missing
        group `paused`, a guard `held`; `running` says that the slice is over.

    Raises:
        LeaseLost: if another worker has taken the pair over.
    """
    progress = _progress(run)
    try:
        return _run(run, progress)
    except LeaseLost:
        raise
    except SliceOver:
        return _slice_over(run, progress)
    except (ReconnectNeeded, PermissionMissing, CollectionGone) as error:
        return _ended(CycleState.PAUSED, error, progress)
    except Retryable as error:
        return _ended(CycleState.PARTIAL, error, progress)
    except CrmSyncError as error:
        return _ended(CycleState.FAILED, error, progress)


def _progress(run: Run) -> Progress:
    if run.carried is None:
        return Progress()
    return Progress(
        unchanged=run.carried.unchanged,
        turn=run.carried.turn,
        failures=run.carried.failures,
        mismatches=run.carried.mismatches,
        was_restored=run.carried.was_restored,
        was_verified=run.carried.was_verified,
        is_accepted=True,
    )


def _slice_over(run: Run, progress: Progress) -> CycleReport:
    before = run.carried.requests if run.carried is not None else {}
    now = {"google": run.google.requests, "crm": run.crm.requests}
    carried = Carried(
        turn=progress.turn,
        unchanged=progress.unchanged,
        failures=progress.failures,
        mismatches=progress.mismatches,
        was_restored=progress.was_restored,
        was_verified=progress.was_verified,
        requests={side: count + before.get(side, 0) for side, count in now.items()},
    )
    return CycleReport(
        CycleState.RUNNING,
        unchanged=progress.unchanged,
        is_accepted=True,
        carried=carried,
    )


def _ended(state: CycleState, error: CrmSyncError, progress: Progress) -> CycleReport:
    return CycleReport(
        state,
        error=describe(error),
        unchanged=progress.unchanged,
        is_accepted=progress.is_accepted,
        retry_after=error.retry_after if isinstance(error, Retryable) else None,
    )


def _run(run: Run, progress: Progress) -> CycleReport:
    open_sides(run, progress)
    if run.carried is None:
        for side in SideName:
            read_side(run, side, progress)
        settle(run, progress)
        ended = _plan(run, progress)
        if ended is not None:
            return ended
    else:
        wait_for_creates(run, progress)
    return _apply(run, progress)


def _apply(run: Run, progress: Progress) -> CycleReport:
    """Apply the plan; what changed meanwhile is planned and applied once more."""
    while True:
        applied = Applied()
        try:
            apply(run, applied)
        finally:
            progress.failures += applied.failures
            progress.mismatches += applied.mismatches
            progress.parked += applied.restaged
        if applied.stopped is not None:
            return _ended(CycleState.PARTIAL, applied.stopped, progress)
        progress.turn += 1
        again = progress.mismatches or progress.parked
        if not again or progress.turn >= _ROUNDS:
            break
        progress.mismatches = progress.parked = 0
        ended = _plan(run, progress)
        if ended is not None:
            return ended
    troubles = progress.failures + progress.mismatches
    return CycleReport(
        CycleState.PARTIAL if troubles else CycleState.SUCCEEDED,
        unchanged=progress.unchanged,
        is_accepted=True,
    )


def _plan(run: Run, progress: Progress) -> CycleReport | None:
    """Plan; return how the cycle ended if nothing is to be written (yet)."""
    plan, objected = _planned(run, progress)
    progress.failures += plan.poisoned
    if run.is_dry:
        return CycleReport(
            CycleState.SUCCEEDED, unchanged=progress.unchanged, totals=plan.totals
        )
    if objected is not None:
        return CycleReport(
            CycleState.HELD,
            objection=objected,
            unchanged=progress.unchanged,
            totals=plan.totals,
        )
    progress.is_accepted = True
    return None


def _planned(run: Run, progress: Progress) -> tuple[Plan, str | None]:
    """Plan everything that is staged; say why a person must look first, if so."""
    links = run.state.link_count()
    progress.confirms = progress.confirms or links > 0
    plan = Plan()
    plan_turned(run, plan)
    plan_links(run, progress, plan)
    for side in SideName:
        run.kind.pair(run, side, progress, plan)
    allowance = run.state.allowance()
    if run.asks_first and allowance is None and not run.is_dry:
        return plan, "first_cycle"
    objected = objection(
        plan.totals,
        links,
        run.policy,
        allowance or Allowance(),
        emptied_side(plan, links),
    )
    return plan, objected
