"""How a cycle ends, and what one slice of it hands to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from crmsync.engine.guard import Totals


class CycleState(StrEnum):
    """The states of interfaces.md."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    HELD = "held"
    REJECTED = "rejected"
    FAILED = "failed"
    PAUSED = "paused"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Carried:
    """What one slice of a cycle hands to the next (architecture, decision 2).

    Attributes:
        turn: how often the cycle has planned before.
        unchanged: records read and equal.
        failures, mismatches: of this cycle so far.
        was_restored, was_verified: what is known about the label.
        requests: made so far, by side.
    """

    turn: int = 0
    unchanged: int = 0
    failures: int = 0
    mismatches: int = 0
    was_restored: bool = False
    was_verified: bool = False
    requests: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CycleReport:
    """How a cycle ended, or that its slice is over.

    Attributes:
        state: one of the end states, or `running` if only the slice is over.
        objection: code of `guard.OBJECTIONS` if held.
        error: code, message and next step if failed, partial or paused.
        unchanged: records read and equal.
        totals: what a held plan amounts to; who approves accepts this.
        is_accepted: the cycle was allowed to write (WEB-2).
        carried: for the next slice, if the state is `running`.
        retry_after: seconds that a provider asked us to wait, or None.
    """

    state: CycleState
    objection: str | None = None
    error: Mapping[str, Any] | None = None
    unchanged: int = 0
    totals: Totals | None = None
    is_accepted: bool = False
    carried: Carried | None = None
    retry_after: float | None = None
