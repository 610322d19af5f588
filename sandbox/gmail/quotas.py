"""Units per sliding minute, and requests at one time (contract 2.1, 2.13)."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.clock import Clock
from sandbox.gmail.errors import over_rate, too_many_at_once
from sandbox.switches import Switches

_MINUTE = 60.0

# {method: (units of a project made since May 2026, units of an older one)}
UNITS = {
    "getProfile": (1, 1),
    "watch": (100, 100),
    "stop": (50, 50),
    "history.list": (2, 2),
    "labels.list": (1, 1),
    "labels.get": (1, 1),
    "labels.create": (5, 5),
    "labels.update": (5, 5),
    "labels.patch": (5, 5),
    "labels.delete": (5, 5),
    "messages.list": (5, 5),
    "messages.get": (20, 5),
    "messages.attachments.get": (20, 5),
    "messages.modify": (5, 5),
    "messages.batchModify": (50, 50),
    "messages.trash": (5, 5),
    "messages.untrash": (5, 5),
    "messages.delete": (10, 10),
    "messages.batchDelete": (50, 50),
    "messages.send": (100, 100),
    "threads.list": (10, 10),
    "threads.get": (40, 10),
    "threads.modify": (10, 10),
    "threads.trash": (10, 10),
    "threads.untrash": (10, 10),
    "threads.delete": (20, 20),
    "drafts.create": (10, 10),
    "drafts.update": (15, 15),
    "drafts.get": (20, 5),
    "drafts.list": (5, 5),
    "drafts.delete": (10, 10),
    "drafts.send": (100, 100),
    "settings.sendAs.list": (1, 1),
    "settings.sendAs.get": (1, 1),
}


class Quotas:
    def __init__(self, clock: Clock, switches: Switches) -> None:
        self._clock = clock
        self._switches = switches
        self._used: dict[tuple[str, str], deque[tuple[float, int]]] = {}
        self._sums: dict[tuple[str, str], int] = {}
        self._running: dict[str, int] = {}
        self._lock = threading.Lock()

    def spend(self, project: str, account: str, method: str) -> None:
        """Take the units of a call, or refuse it.

        Raises:
            ApiError: 403 or 429 (a switch).
        """
        switches = self._switches
        if not switches.quota:
            return
        units = UNITS[method][1 if switches.old_mail_units else 0]
        limits = (
            ((project, account), self._per_user()),
            ((project, ""), switches.mail_project_units_per_minute),
        )
        with self._lock:
            for key, limit in limits:
                if limit and self._spent(key) + units > limit:
                    error = over_rate(switches.mail_rate_error)
                    if switches.retry_after:
                        seconds = str(switches.retry_after)
                        error.headers.append(("Retry-After", seconds))
                    raise error
            for key, _ in limits:
                self._used[key].append((self._clock.now(), units))
                self._sums[key] += units

    def _per_user(self) -> int:
        """15,000 for older projects, unless a test wants another number."""
        if self._switches.old_mail_units:
            return self._switches.mail_old_units_per_minute
        return self._switches.mail_units_per_minute

    @contextmanager
    def running(self, account: str, siblings: set[str]) -> Iterator[None]:
        """One request at work; the parts of a batch are at work together.

        Raises:
            ApiError: 429; too many at one time.
        """
        limit = self._switches.mail_concurrent_requests
        with self._lock:
            in_batch = sum(1 for one in siblings if one.startswith(f"mail:{account}:"))
            siblings.add(f"mail:{account}:{in_batch}")
            at_work = self._running.get(account, 0)
            if self._switches.quota and limit and at_work + in_batch >= limit:
                raise too_many_at_once()
            self._running[account] = at_work + 1
        try:
            yield
        finally:
            with self._lock:
                self._running[account] -= 1

    def reset(self) -> None:
        with self._lock:
            self._used.clear()
            self._sums.clear()

    def _spent(self, key: tuple[str, str]) -> int:
        used = self._used.setdefault(key, deque())
        self._sums.setdefault(key, 0)
        oldest = self._clock.now() - _MINUTE
        while used and used[0][0] <= oldest:
            self._sums[key] -= used.popleft()[1]
        return self._sums[key]
