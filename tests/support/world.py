"""A small world: two sides in memory, one state, the real engine and cycle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from crmsync.cycle import CycleReport, Run, run_cycle
from crmsync.cycle.kinds import CONTACTS
from crmsync.engine.guard import Allowance, Totals, count
from crmsync.engine.plan import Item, ItemState
from crmsync.engine.policy import Policy
from crmsync.engine.report import Carried, CycleState
from crmsync.errors import LeaseTaken
from crmsync.records.contacts import FIELDS
from crmsync.records.values import FieldTable, SideName
from tests.support.memory_sides import Memory, MemoryCrm, MemoryGoogle, no_effect
from tests.support.memory_state import LEASE, CountingIds, MemoryState, VirtualClock
from tests.support.workers import AtEffect, Crash, Worker

NAMES = ("first", "last", "email", "title", "department", "notes")
MAPPED = tuple(item for item in FIELDS if item.name in NAMES)
SETTLE = 60.0
DELAY = 20.0
ROUNDS = 6
"""A cut-off: what has not settled after so many rounds never will (I1, I2)."""


class World:
    """Both sides, the state, and a way to run cycles with faults."""

    kind = CONTACTS
    fields = MAPPED

    def __init__(
        self, *, policy: Policy | None = None, delay: float = DELAY, state: Any = None
    ) -> None:
        self.clock = VirtualClock()
        self.crm = MemoryCrm(self.clock)
        self.google = MemoryGoogle(self.clock, delay=delay)
        self.crm.limits_by_field = {"notes": 8}
        self.state: MemoryState = state or MemoryState(self.clock)
        self.ids = CountingIds()
        self.policy = policy or Policy()
        self.worker: Worker | None = None
        self.holder: Worker | None = None
        self._table: FieldTable | None = None
        self.has_ended = False

    def side(self, name: SideName) -> Memory:
        return self.crm if name is SideName.CRM else self.google

    def _committed(self, worker: Worker) -> None:
        """I13: only who took the lease last may commit."""
        assert worker is self.holder, "two workers committed"
        worker.effect("after commit")

    def table(self) -> FieldTable:
        if self._table is None:
            self._table = FieldTable(self.fields, self.crm.limits)
        return self._table

    def run(
        self,
        state: MemoryState,
        *,
        dry: bool = False,
        carried: Carried | None = None,
        is_sliced: bool = False,
    ) -> Run:
        return Run(
            self.crm,
            self.google,
            state,
            self.table(),
            self.policy,
            self.clock,
            self.ids,
            settle_seconds=SETTLE,
            is_dry=dry,
            carried=carried,
            is_over=lambda: is_sliced,
            kind=self.kind,
            is_first=not self.has_ended,
        )

    # ------------------------------------------------------------ workers

    def start(
        self, *, allowed: Allowance | None = None, at_effect: AtEffect | None = None
    ) -> Worker:
        """Take the lease and return a worker that has done nothing yet.

        Raises:
            LeaseTaken: if another worker holds the lease.
        """
        state = self.state.acquire()
        worker = Worker(state, self._work, allowed=allowed, at_effect=at_effect)
        state.effect = worker.effect
        state.after_commit = partial(self._committed, worker)
        self.holder = worker
        return worker

    def _work(self, worker: Worker) -> CycleReport:
        state = worker.state
        carried: Carried | None = state.take_up()
        worker.is_next_slice = carried is not None
        if carried is None:
            state.begin(worker.allowed)
        self.state.cycle = state.cycle
        worker.links = state.link_count()
        run = self.run(state, carried=carried, is_sliced=worker.is_sliced)
        report = run_cycle(run)
        self.has_ended |= report.state in {CycleState.SUCCEEDED, CycleState.PARTIAL}
        if report.carried is not None:
            state.put_down(report.carried)
        state.release()
        return report

    def let(self, worker: Worker, effects: int = 0) -> None:
        """Let a worker go on, inside whatever runs now."""
        outer = self.worker
        self._set_worker(worker)
        try:
            worker.go(effects)
        finally:
            self._set_worker(outer)

    def _set_worker(self, worker: Worker | None) -> None:
        self.worker = worker
        effect = worker.effect if worker is not None else no_effect
        self.crm.effect = self.google.effect = effect

    def without_worker(self, do: Callable[[], None]) -> None:
        """Let something happen that none of our processes does now."""
        outer = self.worker
        self._set_worker(None)
        do()
        self._set_worker(outer)

    def kill(self, worker: Worker) -> None:
        """End a stopped worker where it is."""
        outer = self.worker
        self._set_worker(worker)
        worker.kill()
        self._set_worker(outer)

    def wait_for_lease(
        self, *, allowed: Allowance | None = None, at_effect: AtEffect | None = None
    ) -> Worker:
        """Start a worker as soon as the lease of a dead one has expired."""
        try:
            return self.start(allowed=allowed, at_effect=at_effect)
        except LeaseTaken:
            self.clock.advance(LEASE)
        return self.start(allowed=allowed, at_effect=at_effect)

    # ------------------------------------------------------------ cycles

    def cycle(
        self, *, allowed: Allowance | None = None, at_effect: AtEffect | None = None
    ) -> CycleReport:
        """Run one cycle; `at_effect` may raise Crash or a fault, or edit records."""
        worker = self.wait_for_lease(allowed=allowed, at_effect=at_effect)
        self.let(worker)
        if worker.report is None:
            raise Crash
        return worker.report

    def dry_run(self) -> tuple[CycleReport, list[Item]]:
        state = self.state.scratch()
        state.begin()
        report = run_cycle(self.run(state, dry=True))
        return report, state.cycle_items()

    def approve(self) -> CycleReport:
        """Accept whatever the held cycle planned, and run again."""
        totals = Totals()
        for item in self.state.cycle_items():
            if item.state is ItemState.PLANNED:
                totals += count(item)
        return self.cycle(allowed=Allowance(totals))

    def settle(self, rounds: int = ROUNDS) -> CycleReport:
        """Let the feeds catch up and run until a round has nothing to do.

        Returns:
            How that round ended; `failed` if there was none (I1, I2).
        """
        for _ in range(rounds):
            before = self.writes()
            self.clock.advance(SETTLE + DELAY + 1)
            report = self.cycle()
            if report.state is CycleState.HELD:
                report = self.approve()
            elif report.state is CycleState.SUCCEEDED and self._was_quiet(before):
                return report
        return CycleReport(CycleState.FAILED)

    def _was_quiet(self, writes: int) -> bool:
        """Whether the last cycle, a whole one, had nothing to do and to wait for."""
        is_whole = self.holder is not None and not self.holder.is_next_slice
        return is_whole and self.writes() == writes and not self.state.unsettled()

    def writes(self) -> int:
        return self.crm.writes + self.google.writes

    def with_policy(self, **changes: object) -> None:
        self.policy = replace(self.policy, **changes)  # type: ignore[arg-type]  # names are checked by dataclasses


def person(number: int, **values: str) -> dict[str, str]:
    """Return the values of an invented person."""
    return {
        "first": f"First{number}",
        "last": f"Last{number}",
        "email": f"p{number}@example.com",
        **values,
    }
