"""Disconnecting a service, and what becomes of the links of an account (AUTH-8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete

from crmsync.connectors.google.tokens import Grant
from crmsync.errors import CrmSyncError, UsageError
from crmsync.services import auditing
from crmsync.services.app import App
from crmsync.services.recording import pushing
from crmsync.services.runs import SERVICE_OF
from crmsync.storage import leases, people
from crmsync.storage import tables as t
from crmsync.storage.people import Connection, Pair, User

SERVICE_WORDS = {"google_sync": "Google Sync", "google_mail": "Google Mail"}


@dataclass(frozen=True, slots=True)
class SetAside:
    """Links that wait for a decision, because they are another account's.

    Attributes:
        former: the address of the account whose links they are; "" if not known.
    """

    former: str
    links: int


def set_aside(app: App, user: User, service: str) -> SetAside | None:
    """Return what is set aside since another account was authorised. Reads only."""
    connection = people.connection_of(app.database, user.user_id, service)
    if connection is None:
        return None
    kinds = [kind for kind, owner in SERVICE_OF.items() if owner == service]
    pairs = [people.seen_pair(app.database, user.user_id, kind) for kind in kinds]
    aside = [pair for pair in pairs if pair.is_set_aside(connection)]
    if not aside:
        return None
    links = sum(people.link_count(app.database, pair.pair_id) for pair in aside)
    return SetAside(aside[0].google_email, links)


def start_afresh(app: App, user: User, service: str, *, actor: str) -> int:
    """Forget the former account's links and go on with the present one.

    Both sides' records stay as they are; the next cycle is a first one, which shows
    before it writes.

    Returns:
        How many links were forgotten.

    Raises:
        UsageError: if nothing is set aside.
    """
    aside = set_aside(app, user, service)
    connection = people.connection_of(app.database, user.user_id, service)
    if aside is None or connection is None:
        raise UsageError(
            "There is nothing to decide: no links are set aside.",
            next_step="Load the page anew to see how things are.",
        )
    for pair in pairs_of(app, user, service):
        if pair.is_set_aside(connection):
            leases.fence(app.database, [pair.pair_id], pair.google_sub)
            forget(app, pair.pair_id)
            people.edit_pair(
                app.database,
                pair.pair_id,
                google_sub=connection.google_sub,
                google_email=connection.email,
            )
    detail = {"service": service, "former": aside.former, "links": aside.links}
    auditing.note(app, actor, "links.forgotten", detail)
    return aside.links


def disconnect(
    app: App, user: User, service: str, *, keep_links: bool
) -> dict[str, Any]:
    """Delete a service's tokens and, unless kept, its links (AUTH-8).

    Google's grant is revoked only if no other service or user holds a grant of the
    same account, for a revocation ends the whole grant.

    Returns:
        `revoked` and, if not, `reason`.
    """
    if service not in SERVICE_WORDS:
        known = ", ".join(SERVICE_WORDS)
        raise UsageError(f"There is no service {service!r}; services are {known}.")
    connection = people.connection_of(app.database, user.user_id, service)
    pairs = pairs_of(app, user, service)
    # Whoever is running must not store anything after this.
    account = connection.google_sub if connection else ""
    leases.fence(app.database, [pair.pair_id for pair in pairs], account)
    if connection is None:
        return _forget_former(app, user, service, pairs, keep_links=keep_links)
    others = people.grants_of_account(
        app.database, connection.google_sub, connection.connection_id
    )
    pushing.stop(app, connection)
    people.drop_connection(app.database, connection.connection_id)
    result = _revoke(app, connection, others)
    if not keep_links:
        for pair in pairs:
            forget(app, pair.pair_id)
    detail = {"service": service, "account": connection.email, "kept": keep_links}
    auditing.note(app, user.email, "service.disconnected", detail)
    return result


def pairs_of(app: App, user: User, service: str) -> list[Pair]:
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
        forget(app, pair.pair_id)
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


def forget(app: App, pair_id: str) -> None:
    """Forget links, cursors and stage of a pair; both sides stay as they are."""
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
    people.edit_pair(
        app.database, pair_id, google_sub="", google_email="", is_accepted=False
    )
