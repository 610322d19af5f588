"""What one job of the queue does for one pair: an order, or a slice of a cycle.

A job is a knock, nothing more: what is to be done is looked up here. A job for a pair
that wants nothing, or that another worker has, ends at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog

from crmsync import enqueue
from crmsync.errors import CrmSyncError, LeaseTaken, UsageError, describe
from crmsync.services import (
    auditing,
    ordering,
    resolving,
    scheduling,
    settings,
    syncing,
)
from crmsync.services.app import App
from crmsync.services.ordering import PlacedOrder, What
from crmsync.services.syncing import Order
from crmsync.storage import cycles, orders, people, queueing
from crmsync.storage.people import Pair

_ANSWERS = frozenset({What.APPROVE, What.REJECT})

_log = structlog.get_logger("crmsync.worker")


def work_on_pair(
    app: App,
    pair_id: str,
    *,
    seconds: float | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> bool:
    """Carry out the oldest order of a pair, or the next slice of its due cycle.

    Args:
        app: the wired process.
        pair_id: the pair.
        seconds: how long a slice lasts; `SLICE_SECONDS` by default.
        monotonic: a clock for that.

    Returns:
        Whether more is to be done at once; a job for it was asked for then.
    """
    queueing.unclaim(app.database, pair_id)
    pair = people.pair_by_id(app.database, pair_id)
    try:
        with structlog.contextvars.bound_contextvars(pair_id=pair_id):
            length = app.config.slice_seconds if seconds is None else seconds
            _work(app, pair, _slice(app, pair, length, monotonic))
    except LeaseTaken:
        # Whoever holds it works; if they died, the tick comes back after the lease.
        _log.info("job.not_needed", pair_id=pair_id)
        return False
    if not _wants_more(app, pair_id):
        return False
    if queueing.claim(app.database, pair_id, app.clock.now()):
        scheduling.wake(app, pair_id, enqueue.queue_of(pair.kind))
    return True


def _slice(
    app: App, pair: Pair, seconds: float, monotonic: Callable[[], float]
) -> Callable[[], bool]:
    """Return what says that a slice is over: its time is, or the kind was paused."""
    end = monotonic() + seconds

    def is_over() -> bool:
        if monotonic() >= end:
            return True
        return people.pair_by_id(app.database, pair.pair_id).is_paused

    return is_over


def _wants_more(app: App, pair_id: str) -> bool:
    if cycles.carried_cycle(app.database, pair_id) is not None:
        return True
    return orders.first_open(app.database, pair_id) is not None


def _work(app: App, pair: Pair, is_over: Callable[[], bool]) -> None:
    row = orders.first_open(app.database, pair.pair_id)
    carried = cycles.carried_cycle(app.database, pair.pair_id)
    if row is not None and (carried is None or row.what == What.PREVIEW.value):
        _carry_out(app, pair, ordering.from_row(row), is_over)
        return
    user = people.user_by_id(app.database, pair.user_id)
    is_allowed = not user.is_disabled and pair.kind in settings.allowed_kinds(
        app, user.user_id
    )
    if carried is not None and (pair.is_paused or not is_allowed):
        error = syncing.PAUSED if is_allowed else syncing.WITHHELD
        syncing.give_up(app, pair, carried.id, error)
        orders.finish_with(app.database, carried.id, app.clock.now())
        return
    is_due = queueing.is_due(
        app.database, scheduling.SERVICES, pair.pair_id, app.clock.now()
    )
    if not is_allowed or (carried is None and not is_due):
        return
    _log.info("cycle.started", kind=pair.kind, is_next_slice=carried is not None)
    cycle = syncing.run_kind(app, user, pair.kind, Order(is_over=is_over))
    _finish_orders(app, cycle)


def _finish_orders(app: App, cycle: dict[str, Any]) -> None:
    if cycle["state"] != "running":
        orders.finish_with(app.database, cycle["id"], app.clock.now())


def _carry_out(
    app: App, pair: Pair, order: PlacedOrder, is_over: Callable[[], bool]
) -> None:
    is_again = order.state == "running"
    cycle_id = str(order.detail.get("cycle", "")) if order.what in _ANSWERS else ""
    orders.move(app.database, order.order_id, "running", cycle_id=cycle_id)
    try:
        cycle_id = _done(app, pair, order, is_over)
    except LeaseTaken:
        # Whoever has the lease may be carrying out this very order.
        orders.move(app.database, order.order_id, order.state)
        raise
    except UsageError as error:
        if is_again and order.what in _ANSWERS:
            # A worker did it and died before it could say so.
            orders.move(app.database, order.order_id, "done", now=app.clock.now())
            return
        _fail(app, order, error)
    except CrmSyncError as error:
        _fail(app, order, error)
    else:
        orders.move(app.database, order.order_id, "running", cycle_id=cycle_id)
        if cycles.state_of(app.database, cycle_id) != "running":
            orders.finish_with(app.database, cycle_id, app.clock.now())


def _fail(app: App, order: PlacedOrder, error: CrmSyncError) -> None:
    now = app.clock.now()
    orders.move(app.database, order.order_id, "failed", error=describe(error), now=now)


def _done(app: App, pair: Pair, order: PlacedOrder, is_over: Callable[[], bool]) -> str:
    """Do what was ordered; return the cycle that shows it."""
    user = people.user_by_id(app.database, pair.user_id)
    syncing.check_allowed(app, user, pair.kind)
    actor, detail = order.actor, order.detail
    match What(order.what):
        case What.PREVIEW:
            cycle = syncing.run_kind(app, user, pair.kind, Order(is_dry=True))
        case What.ACCEPT:
            auditing.note(app, actor, "cycle.accepted", {"user": user.email})
            seen = str(detail.get("cycle", ""))
            wish = Order(accepts=True, announced=seen, is_over=is_over)
            cycle = syncing.run_kind(app, user, pair.kind, wish)
        case What.APPROVE:
            cycle = resolving.approve(
                app, detail["cycle"], actor=actor, is_over=is_over
            )
        case What.REJECT:
            cycle = resolving.reject(app, detail["cycle"], actor=actor, waits=0.0)
        case _:
            fields = tuple(detail.get("fields", ()))
            cycle = resolving.restore_item(
                app, detail["item"], fields, actor=actor, waits=0.0
            )
    return str(cycle["id"])
