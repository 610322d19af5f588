"""Alerts by e-mail: dead consent, held cycles, repeated failures (AUTH-7, ADM-3).

The scheduler looks once a minute. Each trouble is told once; if the mail server does
not take it, it is told at the next look.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import structlog

from crmsync.engine.guard import OBJECTIONS
from crmsync.errors import CrmSyncError
from crmsync.services.app import App
from crmsync.storage import alerts, history, people
from crmsync.storage.people import User

_RECENT = timedelta(minutes=30)
_FAILURES = 3
_TROUBLED = frozenset({"failed", "partial"})
_WORDS = {"google_sync": "Google Sync", "google_mail": "Google Mail"}

_log = structlog.get_logger("crmsync.alerts")


@dataclass(frozen=True, slots=True)
class Alert:
    """One trouble and who is told.

    Attributes:
        key: names the trouble; what was told is not told again.
    """

    key: str
    to: tuple[str, ...]
    subject: str
    text: str


def look(app: App) -> list[str]:
    """Tell what has not been told; return the keys. Nothing without a mail server."""
    if app.postman is None:
        return []
    told: list[str] = []
    for alert in _alerts(app):
        if not alert.to or alerts.is_told(app.database, alert.key):
            continue
        try:
            app.postman.send(alert.to, f"CRM Sync: {alert.subject}", alert.text)
        except CrmSyncError as error:
            _log.warning("alert.not_sent", key=alert.key, why=error.message)
            break
        alerts.note(app.database, alert.key, app.clock.now())
        told.append(alert.key)
    return told


def _alerts(app: App) -> Iterator[Alert]:
    users = {u.user_id: u for u in people.users(app.database) if not u.is_disabled}
    admins = tuple(user.email for user in users.values() if user.is_admin)
    yield from _dead_grants(app, users, admins)
    yield from _held_cycles(app, users)
    yield from _failures(app, users, admins)


def _both(user: User, admins: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((user.email, *admins)))


def _dead_grants(
    app: App, users: dict[str, User], admins: tuple[str, ...]
) -> Iterator[Alert]:
    for connection in people.all_connections(app.database):
        user = users.get(connection.user_id)
        if connection.state != "dead" or user is None:
            continue
        service = _WORDS[connection.service]
        yield Alert(
            f"dead:{connection.connection_id}",
            _both(user, admins),
            f"{service} needs to be authorised again",
            f"Google has ended the authorisation of {service} for "
            f"{connection.email} ({user.name or user.email}).\n\n"
            "Nothing is lost: synchronisation has paused and goes on where it stopped "
            f"after {user.email} has pressed Authorize again:\n"
            f"{app.config.public_url.rstrip('/')}/options/services\n",
        )


def _held_cycles(app: App, users: dict[str, User]) -> Iterator[Alert]:
    for row in history.list_cycles(app.database, state="held", limit=200):
        user = users.get(row.user_id)
        if user is None or row.is_dry:
            continue
        why = OBJECTIONS.get(row.objection, row.objection)
        yield Alert(
            f"held:{row.id}:{row.objection}",
            (user.email,),
            f"{row.kind} waits for your decision",
            f"{why}\n\nNothing was written. Look at what it would do and decide:\n"
            f"{app.config.public_url.rstrip('/')}/history/{row.id}\n",
        )


def _failures(
    app: App, users: dict[str, User], admins: tuple[str, ...]
) -> Iterator[Alert]:
    since = app.clock.now() - _RECENT
    for pair_id in alerts.troubled_pairs(app.database, since, sorted(_TROUBLED)):
        rows = history.list_cycles(app.database, pair_id=pair_id, limit=50)
        rows = [row for row in rows if not row.is_dry]
        bad = [row for row in rows[:_FAILURES] if row.state in _TROUBLED]
        if len(bad) < _FAILURES or bad[0].user_id not in users:
            continue
        last_good = next((r.id for r in rows if r.state not in _TROUBLED), "")
        error = bad[0].error or {}
        yield Alert(
            f"failing:{pair_id}:{last_good}",
            admins,
            f"{bad[0].kind} of {bad[0].email} fails repeatedly",
            f"The last {_FAILURES} cycles did not end well.\n\n"
            f"{error.get('message', 'Some records could not be synchronised.')}\n"
            f"{error.get('next_step', '')}\n\n"
            f"{app.config.public_url.rstrip('/')}/history/{bad[0].id}\n",
        )
