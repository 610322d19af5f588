"""Gmail's notifications: asked for by cycles, and received as a doorbell (MAIL-11).

A notification says that something happened to a mailbox, nothing more is believed of
it. It may be late, doubled, out of order or lost: the poll makes up for that.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from datetime import datetime, timedelta

import orjson
import structlog

from crmsync.errors import CrmSyncError, InvalidRecord, UsageError
from crmsync.mailports import Mailbox
from crmsync.services.app import App
from crmsync.storage import people, queueing
from crmsync.storage.mailcursors import Cursor

_log = structlog.get_logger("crmsync.recording")

SERVICE = "google_mail"
RENEWED_BEFORE = timedelta(days=6)
"""Google's watches last seven days and may be renewed daily (contract, 2.10)."""


def watched(
    mailbox: Mailbox, topic: str, cursor: Cursor, labels: tuple[str, ...], now: datetime
) -> Cursor:
    """Return a cursor whose watch is alive; it is renewed once a day.

    Args:
        mailbox: whose notifications are asked for.
        topic: where Google publishes them; "" asks for none.
        cursor: knows until when they come.
        labels: only what happens to these is told; none stands for everything.
        now: the time.
    """
    fingerprint = f"{topic}|{','.join(labels)}" if topic else ""
    is_same = cursor.watch == fingerprint
    is_alive = (
        cursor.watch_until is not None and cursor.watch_until - now > RENEWED_BEFORE
    )
    if not topic or (is_same and is_alive):
        return replace(cursor, watch=fingerprint) if not topic else cursor
    try:
        until = mailbox.watch(topic, labels)
    except InvalidRecord as error:
        # Polling goes on without it; doctor looks at the topic.
        _log.warning("mail.watch_refused", reason=error.message)
        return replace(cursor, watch="", watch_until=None)
    return replace(cursor, watch=fingerprint, watch_until=until)


def receive(app: App, authorization: str, body: bytes) -> bool:
    """Make the mailbox due that a notification names; whoever is unknown is passed by.

    Args:
        app: the process's parts.
        authorization: the request's header of that name.
        body: Pub/Sub's envelope.

    Returns:
        Whether a mailbox was made due.

    Raises:
        UsageError: it is not Google's, or not for us; nothing is done.
        Retryable: Google's keys can not be read just now.
    """
    _check_sender(app, authorization)
    address = _address(body)
    now = app.clock.now()
    was_found = False
    for connection in people.all_connections(app.database):
        if connection.service != SERVICE or connection.email.casefold() != address:
            continue
        pair = people.seen_pair(app.database, connection.user_id, "mail")
        if pair.is_paused or not pair.is_accepted:
            continue
        was_found = True
        people.edit_pair(app.database, pair.pair_id, next_due_at=now)
        if queueing.claim(app.database, pair.pair_id, now):
            app.doorbell.ring(pair.pair_id, "mail")
    return was_found


def _check_sender(app: App, authorization: str) -> None:
    wanted = app.config.pubsub_service_account
    if not app.config.pubsub_topic or not wanted:
        raise UsageError("Notifications of Gmail are not configured here.")
    scheme, _, token = authorization.partition(" ")
    if scheme.casefold() != "bearer" or not token.strip():
        raise UsageError("The notification carries no identity token.")
    audience = f"{app.config.public_url.rstrip('/')}/push/gmail"
    claims = app.google.oauth.id_tokens.verify(token.strip(), [audience])
    is_verified = claims.get("email_verified") in (True, "true")
    if claims.get("email") != wanted or not is_verified:
        raise UsageError("The notification was not sent by our subscription.")


def _address(body: bytes) -> str:
    """Return the mailbox that a notification is about, or "" if it names none."""
    try:
        text = str(orjson.loads(body)["message"]["data"])
        padded = text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4)
        named = orjson.loads(base64.b64decode(padded))
        return str(named["emailAddress"]).strip().casefold()
    except (KeyError, TypeError, ValueError, binascii.Error, orjson.JSONDecodeError):
        return ""


def stop(app: App, connection: people.Connection) -> None:
    """Ask for no more notifications of a mailbox that is disconnected (AUTH-8)."""
    if connection.service != SERVICE or not app.config.pubsub_topic:
        return
    try:
        app.google.mailbox(connection).stop()
    except CrmSyncError as error:
        # It ends by itself within a week, and nobody listens to it.
        _log.info("mail.stop_failed", reason=error.message)
