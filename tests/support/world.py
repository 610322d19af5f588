"""A small world: two sides in memory, one state, the real engine and cycle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from crmsync.cycle import CycleReport, Run, run_cycle
from crmsync.engine.guard import Allowance, Totals, count
from crmsync.engine.plan import Item, ItemState
from crmsync.engine.policy import Policy
from crmsync.engine.report import CycleState
from crmsync.records.contacts import FIELDS
from crmsync.records.values import FieldTable, SideName
from tests.support.memory_sides import Memory, MemoryCrm, MemoryGoogle
from tests.support.memory_state import CountingIds, MemoryState, VirtualClock

NAMES = ("first", "last", "email", "title", "department", "notes")
SETTLE = 60.0
DELAY = 20.0


class Crash(BaseException):
    """The process dies here."""


class World:
    """Both sides, the state, and a way to run cycles with faults."""

    def __init__(self, *, policy: Policy | None = None, delay: float = DELAY) -> None:
        self.clock = VirtualClock()
        self.crm = MemoryCrm(self.clock)
        self.google = MemoryGoogle(self.clock, delay=delay)
        self.crm.limits_by_field = {"notes": 8}
        self.state = MemoryState(self.clock)
        self.ids = CountingIds()
        self.policy = policy or Policy()
        self.effects = 0
        self.at_effect: Callable[[int, str], None] | None = None
        self.accepted = Allowance()
        for side in (self.crm, self.google):
            side.before_call = lambda s, n: self._effect(f"before {s}.{n}")
            side.after_call = lambda s, n: self._effect(f"after {s}.{n}")
        self.state.before_commit = lambda: self._effect("before commit")
        self.state.after_commit = lambda: self._effect("after commit")

    def side(self, name: SideName) -> Memory:
        return self.crm if name is SideName.CRM else self.google

    def _effect(self, name: str) -> None:
        self.effects += 1
        if self.at_effect is not None:
            self.at_effect(self.effects, name)

    def table(self) -> FieldTable:
        fields = tuple(item for item in FIELDS if item.name in NAMES)
        return FieldTable(fields, self.crm.limits)

    def run(self, *, dry: bool = False, allowed: Allowance | None = None) -> Run:
        return Run(
            self.crm,
            self.google,
            self.state.scratch() if dry else self.state,
            self.table(),
            self.policy,
            self.clock,
            self.ids,
            settle_seconds=SETTLE,
            is_dry=dry,
        )

    def cycle(
        self,
        *,
        allowed: Allowance | None = None,
        at_effect: Callable[[int, str], None] | None = None,
    ) -> CycleReport:
        """Run one cycle; `at_effect` may raise Crash or a fault, or edit records."""
        self.state.begin(allowed)
        self.effects, self.at_effect = 0, at_effect
        try:
            return run_cycle(self.run())
        finally:
            self.at_effect = None

    def dry_run(self) -> tuple[CycleReport, list[Item]]:
        run = self.run(dry=True)
        assert isinstance(run.state, MemoryState)
        run.state.begin()
        report = run_cycle(run)
        return report, run.state.cycle_items()

    def approve(self) -> CycleReport:
        """Accept whatever the held cycle planned, and run again."""
        totals = Totals()
        for item in self.state.cycle_items():
            if item.state is ItemState.PLANNED:
                totals += count(item)
        return self.cycle(allowed=Allowance(totals))

    def settle(self, rounds: int = 6) -> CycleReport:
        """Let the feeds catch up and run until nothing is left to do."""
        report = CycleReport(CycleState.FAILED)
        for _ in range(rounds):
            self.clock.advance(SETTLE + DELAY + 1)
            report = self.cycle()
            if report.state is CycleState.HELD:
                report = self.approve()
        return report

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
