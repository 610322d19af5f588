"""Authorising Google services: start, callback, OK, disconnect (AUTH-1 … AUTH-8)."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta

from crmsync.connectors.google.oauth import (
    KIND_SCOPES,
    SERVICE_SCOPES,
    ConsentRequest,
    is_granted,
    new_verifier,
)
from crmsync.connectors.google.tokens import Grant
from crmsync.errors import CrmSyncError, ReconnectNeeded, UsageError
from crmsync.services import auditing, disconnecting
from crmsync.services.app import App
from crmsync.services.runs import SERVICE_OF
from crmsync.storage import flows, leases, people
from crmsync.storage.flows import Flow
from crmsync.storage.people import Connection, Pair, User

LIFE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A grant that waits for the person's OK (AUTH-3).

    Attributes:
        email: the Google account's verified address, to be prefilled.
        missing: kinds whose scope was not granted (AUTH-5).
        name: tells it from others of the same session.
    """

    service: str
    email: str
    missing: tuple[str, ...]
    name: str


def check_service(service: str) -> None:
    """Raise `UsageError` unless the service exists."""
    if service not in SERVICE_SCOPES:
        known = ", ".join(SERVICE_SCOPES)
        raise UsageError(f"There is no service {service!r}; services are {known}.")


def start(app: App, user: User, service: str, session: str) -> str:
    """Begin a consent and return Google's address for the browser.

    Args:
        session: a secret of the browser's session; the callback must bring it along.

    Raises:
        UsageError: if the service is unknown.
        ConfigError: if no OAuth client is configured.
    """
    check_service(service)
    state, nonce = secrets.token_urlsafe(32), secrets.token_urlsafe(16)
    known = people.connection_of(app.database, user.user_id, service)
    request = ConsentRequest(
        scopes=SERVICE_SCOPES[service],
        redirect_uri=app.config.redirect_uri,
        state=state,
        nonce=nonce,
        verifier=new_verifier(),
        login_hint=known.email if known else user.email,
        has_refresh_token=_has_refresh_token(app, known),
    )
    url = app.google.oauth.authorization_url(request)
    secret = {"nonce": nonce, "verifier": request.verifier}
    now = app.clock.now()
    flow = Flow(
        state_hash=flows.digest(state),
        user_id=user.user_id,
        service=service,
        session_hash=flows.digest(session),
        secret=app.cipher.encrypt(json.dumps(secret)),
        grant="",
        google_sub="",
        email="",
        is_used=False,
        expires_at=now + LIFE,
    )
    flows.open_flow(app.database, flow, now)
    return url


def _has_refresh_token(app: App, known: Connection | None) -> bool:
    if known is None or known.state != "active":
        return False
    return _kept_refresh_token(app, known) is not None


def _kept_refresh_token(app: App, known: Connection) -> str | None:
    """Return the stored refresh token; None if it cannot be read any more."""
    try:
        return Grant.from_text(app.cipher.decrypt(known.grant)).refresh_token
    except ReconnectNeeded:
        return None


def callback(app: App, session: str, answer: dict[str, str]) -> Waiting:
    """Take Google's answer; the grant waits encrypted for OK (AUTH-3, AUTH-4).

    Args:
        session: as given to `start`.
        answer: the callback's query: `code` and `state`, or `error` and `state`.

    Raises:
        UsageError: if the state is unknown, used, late or another session's, or if
            consent was denied.
    """
    now = app.clock.now()
    flow = flows.use_flow(app.database, answer.get("state", ""), session, now)
    if flow is None:
        raise UsageError(
            "This answer belongs to no authorisation that is under way.",
            next_step="Press Authorize again.",
        )
    if answer.get("error"):
        flows.drop_flow(app.database, flow)
        raise UsageError(
            "Google says that access was denied.",
            next_step="Press Authorize again if that was not meant.",
        )
    try:
        grant = _exchange(app, flow, answer.get("code", ""))
    except CrmSyncError:
        flows.drop_flow(app.database, flow)
        raise
    grant = _with_known_refresh_token(app, flow, grant)
    flows.keep_grant(
        app.database,
        flow,
        grant=app.cipher.encrypt(grant.to_text()),
        google_sub=str(grant.claims["sub"]),
        email=str(grant.claims.get("email", "")),
    )
    return Waiting(
        flow.service,
        str(grant.claims.get("email", "")),
        _missing(flow.service, grant),
        flow.state_hash,
    )


def _exchange(app: App, flow: Flow, code: str) -> Grant:
    secret = json.loads(app.cipher.decrypt(flow.secret))
    request = ConsentRequest(
        scopes=SERVICE_SCOPES[flow.service],
        redirect_uri=app.config.redirect_uri,
        state="",
        nonce=secret["nonce"],
        verifier=secret["verifier"],
    )
    return app.google.oauth.exchange(code, request)


def _with_known_refresh_token(app: App, flow: Flow, grant: Grant) -> Grant:
    """Google gives a refresh token at the first consent only: keep the one we have."""
    if grant.refresh_token is not None:
        return grant
    known = people.connection_of(app.database, flow.user_id, flow.service)
    if known is None or known.google_sub != grant.claims.get("sub"):
        return grant
    return replace(grant, refresh_token=_kept_refresh_token(app, known))


def _missing(service: str, grant: Grant) -> tuple[str, ...]:
    return tuple(
        kind
        for kind in KIND_SCOPES
        if SERVICE_OF[kind] == service and not is_granted(kind, grant.scopes)
    )


def waiting(
    app: App, user: User, service: str, session: str, name: str = ""
) -> Waiting | None:
    """Return the grant that waits for OK, for the dialog. Reads only."""
    place = (user.user_id, service, session)
    flow = flows.waiting_grant(app.database, place, app.clock.now(), name=name)
    if flow is None:
        return None
    try:
        grant = Grant.from_text(app.cipher.decrypt(flow.grant))
    except ReconnectNeeded:
        return None
    return Waiting(service, flow.email, _missing(service, grant), flow.state_hash)


def cancel(app: App, user: User, service: str, session: str, name: str = "") -> None:
    """Drop the grant that waits for OK: the Cancel of the dialog (AUTH-3)."""
    place = (user.user_id, service, session)
    flow = flows.waiting_grant(app.database, place, app.clock.now(), name=name)
    if flow is not None:
        flows.drop_flow(app.database, flow)


def confirm(
    app: App, user: User, service: str, session: str, email: str, *, name: str = ""
) -> Connection:
    """Make the waiting grant active: the OK of *Configure Provider Token* (AUTH-3).

    Args:
        app: the wired process.
        user: whose service it is.
        service: the service.
        session: as given to `start`.
        email: what the person entered or left.
        name: which of several waiting grants, as `Waiting.name`; else the last one.

    Raises:
        UsageError: if nothing waits, or the address is another account's; the grant
            is dropped then.
    """
    now = app.clock.now()
    place = (user.user_id, service, session)
    flow = flows.waiting_grant(app.database, place, now, name=name)
    if flow is None:
        raise UsageError(
            "No authorisation is waiting for confirmation.",
            next_step="Press Authorize again; an answer waits for ten minutes.",
        )
    flows.drop_flow(app.database, flow)
    if email.strip().casefold() != flow.email.casefold():
        raise UsageError(
            f"You entered {email.strip() or 'no address'}, but Google authorised "
            f"{flow.email}. Nothing was stored.",
            next_step="Authorize again and choose the right Google account. If the "
            "address is an alias, enter the account's own: Google does not tell us "
            "aliases.",
        )
    grant = Grant.from_text(app.cipher.decrypt(flow.grant))
    connection = Connection(
        connection_id=app.ids.new(),
        user_id=user.user_id,
        service=service,
        google_sub=flow.google_sub,
        email=flow.email,
        scopes=grant.scopes,
        state="active",
        grant=flow.grant,
        error="",
    )
    people.save_connection(app.database, connection, now)
    for pair in disconnecting.pairs_of(app, user, service):
        _adopt(app, pair, connection)
    detail = {"service": service, "account": flow.email}
    auditing.note(app, user.email, "service.authorised", detail)
    return connection


def _adopt(app: App, pair: Pair, connection: Connection) -> None:
    """Let a pair go on with an account; another one's links are set aside (AUTH-8).

    Nothing is deleted or unlinked: until somebody decides, the kind does not run.
    """
    if pair.is_set_aside(connection):
        leases.fence(app.database, [pair.pair_id], pair.google_sub)
        if people.link_count(app.database, pair.pair_id):
            return
        # Without links there is nothing to decide; cursors and label were theirs.
        disconnecting.forget(app, pair.pair_id)
    people.edit_pair(
        app.database,
        pair.pair_id,
        google_sub=connection.google_sub,
        google_email=connection.email,
    )


def rotate_keys(app: App) -> int:
    """Encrypt all grants with the first key; return how many there were (AUTH-6)."""
    done = 0
    for connection in people.all_connections(app.database):
        if not connection.grant:
            continue
        try:
            fresh = app.cipher.rotate(connection.grant)
        except ReconnectNeeded:
            # No key reads it any more: its user has to authorise again anyway.
            continue
        people.edit_connection(app.database, connection.connection_id, grant=fresh)
        done += 1
    return done


def granted_kinds(connection: Connection) -> list[str]:
    """Return the kinds that a connection's scopes allow (AUTH-5)."""
    return [
        kind
        for kind, service in SERVICE_OF.items()
        if service == connection.service and is_granted(kind, connection.scopes)
    ]
