"""When the next cycle of a pair is due (ADM-2, ENG-8).

Regular cycles keep the setting `poll_seconds`, spread a little so that a thousand users
do not knock at the same second. A cycle that a passing fault cut short is tried again
sooner, each time twice as late, up to the regular interval.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zlib import crc32

from crmsync.engine.report import CycleReport, CycleState
from crmsync.services import settings
from crmsync.services.app import App
from crmsync.storage import history, queueing
from crmsync.storage.people import Pair

_FIRST_RETRY = 30.0
_LOOK_BACK = 8
_WITH_PUSH = 900


def plan_next(app: App, pair: Pair, cycle_id: str, report: CycleReport) -> None:
    """Store when a pair is due again; what was asked for meanwhile stays due."""
    row = history.cycle_row(app.database, cycle_id)
    due = app.clock.now() + timedelta(seconds=_wait(app, pair, cycle_id, report))
    queueing.set_next_due(app.database, pair.pair_id, row.started_at, due)


def _wait(app: App, pair: Pair, cycle_id: str, report: CycleReport) -> float:
    poll = _poll(app, pair)
    spread = poll * (crc32(cycle_id.encode()) % 21 - 10) / 100
    if report.state is not CycleState.PARTIAL or report.error is None:
        return poll + spread
    retry = _FIRST_RETRY * 2 ** _troubled_before(app, pair, cycle_id)
    wait: float = min(retry, float(poll)) + spread / 10
    return max(wait, report.retry_after or 0.0)


def _poll(app: App, pair: Pair) -> int:
    """Return the regular interval; where Gmail rings, the poll is only a backstop."""
    names = ("poll_seconds",)
    found = settings.chosen(app, user_id=pair.user_id, names=names)
    is_default = not found.values
    if pair.kind == "mail" and app.config.pubsub_topic and is_default:
        return _WITH_PUSH
    return int(found.get("poll_seconds", user_id=pair.user_id, kind=pair.kind))


def _troubled_before(app: App, pair: Pair, cycle_id: str) -> int:
    """Return how many cycles before this one ended early, one after the other."""
    rows = history.list_cycles(app.database, pair_id=pair.pair_id, limit=_LOOK_BACK)
    count = 0
    for row in rows:
        if row.id == cycle_id or row.is_dry:
            continue
        if row.state != CycleState.PARTIAL.value:
            break
        count += 1
    return count


def seconds_until(now: datetime, due: datetime | None) -> float:
    """Return how long it is until a time; 0 if it has come or was never set."""
    return max(0.0, (due - now).total_seconds()) if due is not None else 0.0
