"""One cycle over one pair: read, settle, plan, guard, apply (architecture, section 3).

The imperative shell around the pure engine. It sees ports only: the worker, the
command line, the preview and the property tests all run this same cycle.
"""

from __future__ import annotations

from crmsync.cycle.applying import apply
from crmsync.cycle.labels import open_sides
from crmsync.cycle.pairing import pair_side
from crmsync.cycle.planning import Plan, emptied_side, plan_links
from crmsync.cycle.reading import read_side
from crmsync.cycle.run import Progress, Run
from crmsync.cycle.settling import settle
from crmsync.engine.guard import Allowance, objection
from crmsync.errors import (
    CollectionGone,
    CrmSyncError,
    LeaseLost,
    PermissionMissing,
    ReconnectNeeded,
    Retryable,
    describe,
)
from crmsync.ports import CycleReport, CycleState
from crmsync.records.values import SideName

__all__ = ["CycleReport", "Run", "run_cycle"]

_ROUNDS = 2
"""A record that changed while it was written is merged again once (ENG-3)."""


def run_cycle(run: Run) -> CycleReport:
    """Run one cycle to its end.

    Returns:
        How it ended. Passing faults end it `partial`, a dead grant or a missing
        group `paused`, a guard `held`.

    Raises:
        LeaseLost: if another worker has taken the pair over.
    """
    progress = Progress()
    try:
        return _run(run, progress)
    except LeaseLost:
        raise
    except (ReconnectNeeded, PermissionMissing, CollectionGone) as error:
        return _ended(CycleState.PAUSED, error, progress)
    except Retryable as error:
        return _ended(CycleState.PARTIAL, error, progress)
    except CrmSyncError as error:
        return _ended(CycleState.FAILED, error, progress)


def _ended(state: CycleState, error: CrmSyncError, progress: Progress) -> CycleReport:
    return CycleReport(
        state,
        error=describe(error),
        unchanged=progress.unchanged,
        is_accepted=progress.is_accepted,
    )


def _run(run: Run, progress: Progress) -> CycleReport:
    open_sides(run, progress)
    for side in SideName:
        read_side(run, side, progress)
    settle(run, progress)
    failures = 0
    for turn in range(_ROUNDS):
        plan, objected = _plan(run, progress)
        failures += plan.poisoned
        if run.is_dry:
            return CycleReport(CycleState.SUCCEEDED, unchanged=progress.unchanged)
        if objected is not None:
            return CycleReport(
                CycleState.HELD,
                objection=objected,
                unchanged=progress.unchanged,
                totals=plan.totals,
            )
        progress.is_accepted = True
        applied = apply(run)
        failures += applied.failures
        if applied.stopped is not None:
            return _ended(CycleState.PARTIAL, applied.stopped, progress)
        if not applied.mismatches:
            break
        if turn == _ROUNDS - 1:
            failures += applied.mismatches
    return CycleReport(
        CycleState.PARTIAL if failures else CycleState.SUCCEEDED,
        unchanged=progress.unchanged,
        is_accepted=True,
    )


def _plan(run: Run, progress: Progress) -> tuple[Plan, str | None]:
    """Plan everything that is staged; say why a person must look first, if so."""
    links = run.state.link_count()
    progress.confirms = progress.confirms or links > 0
    plan = Plan()
    plan_links(run, progress, plan)
    for side in SideName:
        pair_side(run, side, progress, plan)
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
