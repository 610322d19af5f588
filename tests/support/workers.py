"""Workers: processes that can be stopped at each effect, go on later, or die.

Each is a greenlet that gives way inside the ports: at every call and every commit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from greenlet import getcurrent, greenlet

from crmsync.engine.guard import Allowance
from crmsync.engine.report import CycleReport
from crmsync.errors import LeaseLost
from crmsync.records.values import SideName

AtEffect = Callable[[int, str], None]


class Crash(BaseException):
    """The process dies here."""


class Worker:
    """One process that runs one cycle under one lease.

    Attributes:
        state: the pair's state, under this worker's lease.
        is_sliced: it ends its slice as soon as it may.
        is_next_slice: it went on with a cycle that an earlier one began.
        report: how the cycle ended; None while it runs, or if it never did.
        fate: "" while it can go on, or "ended", "crashed" or "lost".
        links: how many links there were when it began (I9).
        removed: records it took out or deleted, per side (I9).
        may_stop: whether it may stop at an effect when it has had its share.
        written: values it wrote and may not have recorded yet.
    """

    def __init__(
        self,
        state: Any,
        work: Callable[[Worker], CycleReport],
        *,
        allowed: Allowance | None = None,
        at_effect: AtEffect | None = None,
    ) -> None:
        self.state = state
        self.work = work
        self.allowed = allowed
        self.at_effect = at_effect
        self.is_sliced = False
        self.is_next_slice = False
        self.report: CycleReport | None = None
        self.fate = ""
        self.effects = 0
        self.last = ""
        self.links = 0
        self.removed: dict[SideName, set[str]] = {side: set() for side in SideName}
        self.written: set[tuple[SideName, str, str, str]] = set()
        self.may_stop: Callable[[str], bool] = lambda name: True
        self._limit = 0
        self._is_killed = False
        self._task = greenlet(self._main)

    @property
    def is_stopped(self) -> bool:
        """Whether it could go on."""
        return not self.fate

    def go(self, effects: int = 0) -> None:
        """Run until it ends, stops itself, or has had so many effects (0: no limit)."""
        self._limit = self.effects + effects if effects else 0
        self._task.parent = getcurrent()
        self._task.switch()

    def stop(self) -> None:
        """Stop where it is, as a process does that is not given the processor."""
        assert self._task.parent is not None
        self._task.parent.switch()

    def kill(self) -> None:
        """End it where it stopped."""
        self._is_killed = True
        self.go()

    def effect(self, name: str) -> None:
        """Let what was planned for this effect happen.

        Raises:
            Crash: now, or because it has crashed before.
        """
        if self._is_killed:
            raise Crash
        self.effects += 1
        if self.at_effect is not None:
            try:
                self.at_effect(self.effects, name)
            except Crash:
                self._is_killed = True
                raise
        if 0 < self._limit <= self.effects and self.may_stop(name):
            self._limit = 0
            self.stop()
        self.last = name
        if self._is_killed:
            raise Crash

    def _main(self) -> None:
        try:
            self.report = self.work(self)
            self.fate = "ended"
        except Crash:
            self.fate = "crashed"
        except LeaseLost:
            self.fate = "lost"
