"""Mutates of one user must come one after another (contract 4.6)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.people.errors import concurrent
from sandbox.switches import Switches

_STATUS = {"aborted": "ABORTED", "unavailable": "UNAVAILABLE"}


class Gate:
    """One account's place for a mutate; a second one waits, and then may fail."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self._turn = threading.Lock()

    @contextmanager
    def turn(self, *, alone: bool = True) -> Iterator[None]:
        """Hold the account for one mutate; `alone` is false for a batch sibling.

        Raises:
            ApiError: another mutate was under way and the switch says to fail.
        """
        waited = not self._turn.acquire(blocking=False)
        if waited:
            self._turn.acquire()
        try:
            if waited or not alone:
                time.sleep(self._switches.concurrent_latency)
                status = _STATUS.get(self._switches.concurrent_mutates)
                if status is not None:
                    raise concurrent(status)
            if self._switches.mutate_seconds:
                time.sleep(self._switches.mutate_seconds)
            yield
        finally:
            self._turn.release()
