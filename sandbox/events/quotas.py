"""Requests per sliding minute, and the account's own limits (contract 5.7)."""

from __future__ import annotations

import threading
from collections import deque

from sandbox.clock import Clock
from sandbox.events.errors import over_quota, over_rate
from sandbox.switches import Switches

_MINUTE = 60.0
_ACCOUNT_WINDOW = 6 * 3600.0
_PATCH_UNITS = 3  # 5.5


class Quotas:
    def __init__(self, clock: Clock, switches: Switches) -> None:
        self._clock = clock
        self._switches = switches
        self._used: dict[tuple[str, str], deque[float]] = {}
        self._lock = threading.Lock()

    def spend(self, project: str, account: str, method: str) -> None:
        """Take what a request costs.

        Raises:
            ApiError: 403 or 429 (a switch); a quota is used up.
        """
        switches = self._switches
        if not switches.quota:
            return
        units = _PATCH_UNITS if method.endswith(".patch") else 1
        with self._lock:
            limits = (
                ((project, account), switches.calendar_requests_per_minute),
                ((project, ""), switches.calendar_project_requests_per_minute),
            )
            for key, limit in limits:
                if not self._has_room(key, units, limit, _MINUTE):
                    error = over_rate(switches.calendar_rate_error)
                    if switches.retry_after:
                        seconds = str(switches.retry_after)
                        error.headers.append(("Retry-After", seconds))
                    raise error
            for key, _ in limits:
                self._used[key].extend([self._clock.now()] * units)

    def spend_budget(self, account: str, name: str, count: int) -> None:
        """Take creations or invitations from the account's budget.

        Raises:
            ApiError: 403 quotaExceeded; hours, not seconds.
        """
        limit = {
            "creations": self._switches.event_creations_budget,
            "invitations": self._switches.invitations_budget,
        }[name]
        if not self._switches.quota or not limit or not count:
            return
        key = (account, name)
        with self._lock:
            if not self._has_room(key, count, limit, _ACCOUNT_WINDOW):
                raise over_quota()
            self._used[key].extend([self._clock.now()] * count)

    def reset(self) -> None:
        with self._lock:
            self._used.clear()

    def _has_room(
        self, key: tuple[str, str], units: int, limit: int, window: float
    ) -> bool:
        used = self._used.setdefault(key, deque())
        oldest = self._clock.now() - window
        while used and used[0] <= oldest:
            used.popleft()
        return not limit or len(used) + units <= limit
