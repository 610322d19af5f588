"""Authorising Google services: start, callback, OK, disconnect (AUTH-1 … AUTH-8)."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from crmsync.connectors.google.oauth import (
    KIND_SCOPES,
    SERVICE_SCOPES,
    ConsentRequest,
    is_granted,
    new_verifier,
)
from crmsync.connectors.google.tokens import Grant
from crmsync.errors import CrmSyncError, ReconnectNeeded, UsageError
from crmsync.services import auditing
from crmsync.services.app import App
from crmsync.services.runs import SERVICE_OF
from crmsync.storage import flows, leases, people
from crmsync.storage.flows import Flow
from crmsync.storage.people import Connection, Pair, User

LIFE = timedelta(minutes=10)
SERVICE_WORDS = {"google_sync": "Google Sync", "google_mail": "Google Mail"}


@dataclass(frozen=True, slots=True)
class Waiting:
    """A grant that waits for the person's OK (AUTH-3).

    Attributes:
        email: the Google account's verified address, to be prefilled.
        missing: kinds whose scope was not granted (AUTH-5).
    """

    service: str
    email: str
    missing: tuple[str, ...]


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
        flow.service, str(grant.claims.get("email", "")), _missing(flow.service, grant)
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


def confirm(app: App, user: User, service: str, session: str, email: str) -> Connection:
    """Make the waiting grant active: the OK of *Configure Provider Token* (AUTH-3).

    Raises:
        UsageError: if nothing waits, or the address is another account's; the grant
            is dropped then.
    """
    now = app.clock.now()
    flow = flows.waiting_grant(app.database, user.user_id, service, session, now)
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
            next_step="Authorize again and choose the right Google account.",
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
    _refuse_other_account(app, user, connection)
    people.save_connection(app.database, connection, now)
    for kind in (k for k, owner in SERVICE_OF.items() if owner == service):
        pair = people.pair_of(app.database, user.user_id, kind)
        people.edit_pair(app.database, pair.pair_id, google_sub=flow.google_sub)
    detail = {"service": service, "account": flow.email}
    auditing.note(app, user.email, "service.authorised", detail)
    return connection


def _refuse_other_account(app: App, user: User, new: Connection) -> None:
    """AUTH-8: another account never deletes or unlinks anything.

    Links that belong to another Google account are in the way until somebody decides
    about them; so the new grant is refused with both addresses named.
    """
    for kind in (k for k, owner in SERVICE_OF.items() if owner == new.service):
        pair = people.pair_of(app.database, user.user_id, kind)
        is_other = pair.google_sub and pair.google_sub != new.google_sub
        if is_other and people.link_count(app.database, pair.pair_id):
            known = people.connection_of(app.database, user.user_id, new.service)
            before = known.email if known else "another Google account"
            raise UsageError(
                f"{user.email} was synchronised with {before} so far, not with "
                f"{new.email}. Its links are kept, and nothing was changed.",
                next_step="Authorize the former account, or disconnect without "
                "--keep-links first.",
            )


def disconnect(
    app: App, user: User, service: str, *, keep_links: bool
) -> dict[str, Any]:
    """Delete a service's tokens and, unless kept, its links (AUTH-8).

    Google's grant is revoked only if no other service or user holds a grant of the
    same account, for a revocation ends the whole grant.

    Returns:
        `revoked` and, if not, `reason`.
    """
    check_service(service)
    connection = people.connection_of(app.database, user.user_id, service)
    pairs = _pairs_of(app, user, service)
    # Whoever is running must not store anything after this.
    account = connection.google_sub if connection else ""
    leases.fence(app.database, [pair.pair_id for pair in pairs], account)
    if connection is None:
        return _forget_former(app, user, service, pairs, keep_links=keep_links)
    others = people.grants_of_account(
        app.database, connection.google_sub, connection.connection_id
    )
    people.drop_connection(app.database, connection.connection_id)
    result = _revoke(app, connection, others)
    if not keep_links:
        for pair in pairs:
            _forget(app, pair.pair_id)
    detail = {"service": service, "account": connection.email, "kept": keep_links}
    auditing.note(app, user.email, "service.disconnected", detail)
    return result


def _pairs_of(app: App, user: User, service: str) -> list[Pair]:
    kinds = [kind for kind, owner in SERVICE_OF.items() if owner == service]
    return [people.pair_of(app.database, user.user_id, kind) for kind in kinds]


def _forget_former(
    app: App, user: User, service: str, pairs: list[Pair], *, keep_links: bool
) -> dict[str, Any]:
    """Forget links that were kept when the account was disconnected."""
    former = [pair for pair in pairs if pair.google_sub]
    if keep_links or not former:
        raise UsageError(f"{SERVICE_WORDS[service]} is not authorised.")
    for pair in former:
        _forget(app, pair.pair_id)
    detail = {"service": service, "account": "", "kept": False}
    auditing.note(app, user.email, "service.disconnected", detail)
    return {"revoked": True}


def _revoke(app: App, connection: Connection, others: int) -> dict[str, Any]:
    if others:
        return {
            "revoked": False,
            "reason": "Another service or user still uses this Google account; "
            "revoking at Google would end all of them.",
        }
    try:
        grant = Grant.from_text(app.cipher.decrypt(connection.grant))
        app.google.oauth.revoke(grant.refresh_token or grant.access_token)
    except CrmSyncError as error:
        return {"revoked": False, "reason": error.message}
    return {"revoked": True}


def _forget(app: App, pair_id: str) -> None:
    """Forget links, cursors and stage of a pair; both sides stay as they are."""
    from sqlalchemy import delete

    from crmsync.storage import tables as t

    with app.database.write() as connection:
        for table in (
            t.links,
            t.staged,
            t.seen,
            t.directory_keys,
            t.directory,
            t.collections,
            t.choices,
        ):
            connection.execute(delete(table).where(table.c.pair_id == pair_id))
    people.edit_pair(app.database, pair_id, google_sub="", is_accepted=False)


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
