"""Wiring one run of a pair: its lease, its connection, its sides and rules."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from crmsync.connectors.google.oauth import is_granted
from crmsync.cycle import Run
from crmsync.engine.report import Carried
from crmsync.errors import (
    LeaseLost,
    LeaseTaken,
    OtherAccount,
    PermissionMissing,
    ReconnectNeeded,
)
from crmsync.services import settings
from crmsync.services.app import App
from crmsync.services.sides import sides_of
from crmsync.storage import cycles, leases, people
from crmsync.storage.leases import Lease
from crmsync.storage.people import Connection, Pair, User
from crmsync.storage.state import SqlState

SERVICE_OF = {
    "contacts": "google_sync",
    "calendar": "google_sync",
    "tasks": "google_sync",
    "mail": "google_mail",
}
_LEASE_PAUSE = 0.5


def never() -> bool:
    """Return False: a run that is not cut into slices."""
    return False


@dataclass(frozen=True, slots=True)
class Shape:
    """What part of a cycle a run does: all of it, a dry run, or a slice."""

    is_dry: bool = False
    carried: Carried | None = None
    is_over: Callable[[], bool] = never


WHOLE = Shape()


@contextmanager
def held_lease(app: App, pair: Pair, waits: float) -> Any:
    """Hold the lease of a pair and of its Google account.

    Raises:
        LeaseTaken: if somebody else holds one of them for longer than `waits`, or has
            taken it over since.
    """
    lease = _acquire(app, pair, waits)
    try:
        yield lease
    except LeaseLost as error:
        raise LeaseTaken(error.message) from error
    finally:
        leases.release(app.database, lease)


def _acquire(app: App, pair: Pair, waits: float) -> Lease:
    account = _account(app, pair)
    waited = 0.0
    while True:
        try:
            return leases.acquire(
                app.database,
                pair.pair_id,
                account,
                now=app.clock.now(),
                seconds=app.config.lease_seconds,
            )
        except LeaseTaken:
            if waited >= waits:
                raise
        app.wait(_LEASE_PAUSE)
        waited += _LEASE_PAUSE


def _account(app: App, pair: Pair) -> str:
    service = SERVICE_OF[pair.kind]
    connection = people.connection_of(app.database, pair.user_id, service)
    return connection.google_sub if connection is not None else ""


def build_run(
    app: App, user: User, pair: Pair, state: SqlState, shape: Shape = WHOLE
) -> Run:
    """Wire one pair's sides, rules and state.

    Raises:
        ReconnectNeeded: if the service is not authorised, or its grant is dead.
        PermissionMissing: if the kind's scope was not granted (AUTH-5).
    """
    connection = usable_connection(app, user, pair.kind)
    sides = sides_of(app, user, pair, connection)
    first = settings.get(app, "first_cycle") == "preview"
    return Run(
        crm=sides.crm,
        google=sides.google,
        state=state,
        table=sides.table,
        policy=settings.policy(app, user.user_id, pair.kind),
        clock=app.clock,
        ids=app.ids,
        installation=app.installation,
        user=user.user_id,
        settle_seconds=app.config.settle_seconds,
        asks_first=first and not pair.is_accepted,
        is_dry=shape.is_dry,
        carried=shape.carried,
        is_over=shape.is_over,
        kind=sides.kind,
        is_first=not cycles.has_ended(app.database, pair.pair_id),
        since=sides.since,
    )


def usable_connection(app: App, user: User, kind: str) -> Connection:
    """Return the connection that a kind runs with.

    Raises:
        ReconnectNeeded, PermissionMissing: see `build_run`.
        OtherAccount: if what is linked is another Google account's.
    """
    service = SERVICE_OF[kind]
    connection = people.connection_of(app.database, user.user_id, service)
    words = {"google_sync": "Google Sync", "google_mail": "Google Mail"}[service]
    way_on = (
        "Authorise it under Options, Authorize Services, or with: "
        f"crm-sync connection authorize {service} --user {user.email}"
    )
    if connection is None:
        raise ReconnectNeeded(
            f"{words} is not authorised for {user.email}.", next_step=way_on
        )
    if connection.state != "active":
        raise ReconnectNeeded(
            f"Google has ended the authorisation of {words} for {connection.email}.",
            next_step=way_on,
        )
    if not is_granted(kind, connection.scopes):
        raise PermissionMissing(
            f"{connection.email} has not granted access to {kind}.",
            next_step=f"{way_on} and tick all boxes.",
        )
    pair = people.seen_pair(app.database, user.user_id, kind)
    if pair.is_set_aside(connection):
        raise OtherAccount(
            f"{kind.capitalize()} was synchronised with "
            f"{pair.google_email or 'another Google account'} so far, not with "
            f"{connection.email}. Its links are set aside until you decide."
        )
    return connection
