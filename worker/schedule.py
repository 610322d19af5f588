"""The scheduler: every tick it asks the database what is due and rings for it.

There is one; a second one waits until the first has been silent for a while (RUN-3).
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from datetime import timedelta

import structlog

from crmsync.errors import CrmSyncError
from crmsync.services import alerting, scheduling
from crmsync.services.app import App
from crmsync.storage import flows, orders, queueing, websessions

_SILENCE = 3
"""Ticks after which a scheduler counts as gone."""

_ORDERS_KEPT = timedelta(days=7)
_HOUSEKEEPING = timedelta(hours=1)
_ALERTS = timedelta(minutes=1)

_log = structlog.get_logger("crmsync.scheduler")


class Scheduler:
    """Ticks until it is stopped."""

    def __init__(self, app: App) -> None:
        """Give it a name of its own."""
        self._app = app
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._stop = threading.Event()
        self._is_leading: bool | None = None
        self._tidied_at = app.clock.now() - _HOUSEKEEPING
        self._told_at = app.clock.now() - _ALERTS

    def stop(self) -> None:
        """End `run` at its next step."""
        self._stop.set()

    def run(self) -> None:
        """Tick until stopped; a database that is away is waited for."""
        while not self._stop.is_set():
            try:
                self.tick()
            except CrmSyncError as error:
                _log.warning("tick.failed", code=error.code, why=error.message)
            self._stop.wait(self._app.config.tick_seconds)

    def tick(self) -> list[str]:
        """Ring for what is due, if this is the one scheduler; return the pairs."""
        now = self._app.clock.now()
        seconds = _SILENCE * self._app.config.tick_seconds
        leads = queueing.take_scheduler(self._app.database, self._holder, now, seconds)
        if leads is not self._is_leading:
            _log.info("scheduler.leads" if leads else "scheduler.waits")
            self._is_leading = leads
        if not leads:
            return []
        if now - self._tidied_at >= _HOUSEKEEPING:
            orders.forget_before(self._app.database, now - _ORDERS_KEPT)
            websessions.forget_expired(self._app.database, now)
            self._tidied_at = now
        rung = scheduling.tick(self._app)
        if rung:
            _log.info("tick.rang", pairs=len(rung))
        if now - self._told_at >= _ALERTS:
            # After the ringing: a mail server may take its time.
            self._told_at = now
            flows.forget_expired(self._app.database, now)
            alerting.look(self._app)
        return rung
