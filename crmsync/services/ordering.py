"""What persons ask for on a page and a worker carries out (architecture, decision 8).

An order is a row, so that neither a lost queue nor a killed worker forgets it. Whoever
placed it looks at it until it is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from crmsync import enqueue
from crmsync.errors import UsageError
from crmsync.services.app import App
from crmsync.services.syncing import check_allowed
from crmsync.storage import orders, people
from crmsync.storage.people import User


class What(StrEnum):
    """What can be ordered.

    `preview` is a dry run; `accept` runs the first cycle that a preview announced;
    `approve` and `reject` answer a held cycle; `restore` brings losing values back.
    """

    PREVIEW = "preview"
    ACCEPT = "accept"
    APPROVE = "approve"
    REJECT = "reject"
    RESTORE = "restore"


_NEEDS = {
    What.APPROVE: "cycle",
    What.REJECT: "cycle",
    What.RESTORE: "item",
}


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An order and how far it is.

    Attributes:
        what: see `What`.
        state: `waiting`, `running`, `done` or `failed`.
        cycle_id: the cycle that carries it out, or "".
        error: code, message and next step if it failed.
    """

    order_id: str
    pair_id: str
    user_id: str
    kind: str
    what: str
    state: str
    actor: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    cycle_id: str = ""
    error: Mapping[str, Any] | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens to it."""
        return self.state in {"done", "failed"}


def place(
    app: App,
    user: User,
    kind: str,
    what: str,
    *,
    actor: str,
    detail: Mapping[str, Any] | None = None,
) -> str:
    """Place an order for one kind of a user and wake a worker; return its id.

    Args:
        app: the wired process.
        user: whose records are concerned.
        kind: the kind.
        what: see `What`.
        actor: who asks, for the audit trail.
        detail: `cycle` for approve and reject, `item` and `fields` for restore; with
            accept, `cycle` names the dry run that was seen.

    Raises:
        UsageError: if the user is disabled, the kind withheld or the order incomplete.
    """
    wanted = What(what)
    check_allowed(app, user, kind)
    given = dict(detail or {})
    needed = _NEEDS.get(wanted)
    if needed and not given.get(needed):
        raise UsageError(f"An order to {wanted} has to name its {needed}.")
    pair = people.pair_of(app.database, user.user_id, kind)
    order_id = app.ids.new()
    now = app.clock.now()
    row = {
        "id": order_id,
        "pair_id": pair.pair_id,
        "what": wanted.value,
        "actor": actor,
        "detail": given,
        "state": "waiting",
        "placed_at": now,
    }
    orders.add(app.database, row)
    app.doorbell.ring(pair.pair_id, enqueue.NOW)
    return order_id


def look(app: App, order_id: str) -> PlacedOrder:
    """Return an order as it is now.

    Raises:
        UsageError: if there is none.
    """
    row = orders.get(app.database, order_id)
    if row is None:
        raise UsageError("There is no such order; it may be long done.")
    return from_row(row)


def from_row(row: Any) -> PlacedOrder:
    """Return a row as an order."""
    return PlacedOrder(
        order_id=row.id,
        pair_id=row.pair_id,
        user_id=row.user_id,
        kind=row.kind,
        what=row.what,
        state=row.state,
        actor=row.actor,
        detail=row.detail,
        cycle_id=row.cycle_id,
        error=row.error,
    )
