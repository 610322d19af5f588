"""Requests per sliding minute and user, and the account's write budget (4.9)."""

from __future__ import annotations

import threading
from collections import deque

from sandbox.clock import Clock
from sandbox.errors import ApiError
from sandbox.people.errors import over_fbs, over_quota
from sandbox.switches import Switches

_MINUTE = 60.0
_FBS_WINDOW = 6 * 3600.0


class Quotas:
    def __init__(self, clock: Clock, switches: Switches) -> None:
        self._clock = clock
        self._switches = switches
        self._used: dict[tuple[str, str, str], deque[float]] = {}
        self._lock = threading.Lock()

    def spend(self, project: str, account: str, costs: dict[str, int]) -> None:
        """Take the costs, or none of them.

        Raises:
            ApiError: 429; one of the quotas is used up.
        """
        if not self._switches.quota:
            return
        now = self._clock.now()
        with self._lock:
            for name, cost in costs.items():
                self._check(name, (project, account, name), cost, now)
            for name, cost in costs.items():
                self._used[project, account, name].extend([now] * cost)

    def reset(self) -> None:
        with self._lock:
            self._used.clear()

    def _check(
        self, name: str, key: tuple[str, str, str], cost: int, now: float
    ) -> None:
        window = _FBS_WINDOW if name == "fbs" else _MINUTE
        used = self._used.setdefault(key, deque())
        while used and used[0] <= now - window:
            used.popleft()
        limit = self._limit(name)
        if limit and len(used) + cost > limit:
            raise self._refusal(name, key[0])

    def _limit(self, name: str) -> int:
        switches = self._switches
        return {
            "critical": switches.critical_reads_per_minute,
            "reads": switches.reads_per_minute,
            "photos": switches.photo_writes_per_minute,
            "full_sync": switches.full_syncs_per_minute,
            "fbs": switches.fbs_budget,
        }[name]

    def _refusal(self, name: str, project: str) -> ApiError:
        error = over_fbs() if name == "fbs" else over_quota(name, project)
        if self._switches.retry_after:
            error.headers.append(("Retry-After", str(self._switches.retry_after)))
        return error
