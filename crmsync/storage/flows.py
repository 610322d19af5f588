"""OAuth flows under way: bound to a session, used once, ten minutes long (AUTH-4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import delete, select, update

from crmsync.storage import tables as t
from crmsync.storage.database import Database

_AT_ONCE = 5
"""Consents that one user may have under way."""


@dataclass(frozen=True, slots=True)
class Flow:
    """One consent under way.

    Attributes:
        secret: verifier and nonce, encrypted.
        grant: the grant that waits for OK, encrypted, or "" (AUTH-3).
    """

    state_hash: str
    user_id: str
    service: str
    session_hash: str
    secret: str
    grant: str
    google_sub: str
    email: str
    is_used: bool
    expires_at: datetime


def digest(text: str) -> str:
    """Return what is stored of a state or a session id."""
    return sha256(text.encode()).hexdigest()


def _flow(row: Any) -> Flow:
    return Flow(
        row.state_hash,
        row.user_id,
        row.service,
        row.session_hash,
        row.secret,
        row.grant,
        row.google_sub,
        row.email,
        row.is_used,
        row.expires_at,
    )


def open_flow(database: Database, flow: Flow, now: datetime) -> None:
    """Store a new flow; expired ones and all but the user's last few are dropped.

    A second window's flow does not end the first one's.
    """
    table = t.oauth_flows
    with database.write() as connection:
        connection.execute(delete(table).where(table.c.expires_at < now))
        older = connection.scalars(
            select(table.c.state_hash)
            .where(table.c.user_id == flow.user_id)
            .order_by(table.c.expires_at.desc())
            .offset(_AT_ONCE - 1)
        ).all()
        connection.execute(delete(table).where(table.c.state_hash.in_(older)))
        connection.execute(
            table.insert().values(
                state_hash=flow.state_hash,
                user_id=flow.user_id,
                service=flow.service,
                session_hash=flow.session_hash,
                secret=flow.secret,
                grant="",
                google_sub="",
                email="",
                is_used=False,
                expires_at=flow.expires_at,
            )
        )


def use_flow(
    database: Database, state: str, session: str, now: datetime
) -> Flow | None:
    """Take a flow for its one callback; None if unknown, used, late or foreign."""
    table = t.oauth_flows
    with database.write() as connection:
        row = connection.execute(
            select(table).where(table.c.state_hash == digest(state))
        ).first()
        if row is None:
            return None
        flow = _flow(row)
        if (
            flow.is_used
            or flow.expires_at < now
            or flow.session_hash != digest(session)
        ):
            return None
        taken = connection.execute(
            update(table)
            .where(table.c.state_hash == flow.state_hash, table.c.is_used.is_(False))
            .values(is_used=True)
        )
    return flow if taken.rowcount == 1 else None


def keep_grant(
    database: Database, flow: Flow, *, grant: str, google_sub: str, email: str
) -> None:
    """Keep an exchanged grant until the person says OK."""
    with database.write() as connection:
        connection.execute(
            update(t.oauth_flows)
            .where(t.oauth_flows.c.state_hash == flow.state_hash)
            .values(grant=grant, google_sub=google_sub, email=email)
        )


def waiting_grant(
    database: Database, place: tuple[str, str, str], now: datetime, *, name: str = ""
) -> Flow | None:
    """Return the flow whose grant waits for the person's OK.

    Args:
        database: where.
        place: user, service and the session's secret.
        now: the time.
        name: the flow's `state_hash`; without it, the last one.
    """
    user_id, service, session = place
    table = t.oauth_flows
    statement = select(table).where(
        table.c.user_id == user_id,
        table.c.service == service,
        table.c.session_hash == digest(session),
        table.c.grant != "",
        table.c.expires_at >= now,
    )
    if name:
        statement = statement.where(table.c.state_hash == name)
    with database.read() as connection:
        row = connection.execute(statement.order_by(table.c.expires_at.desc())).first()
    return _flow(row) if row is not None else None


def drop_flow(database: Database, flow: Flow) -> None:
    """Drop a flow with its waiting grant (cancel, mismatch, done)."""
    with database.write() as connection:
        connection.execute(
            delete(t.oauth_flows).where(t.oauth_flows.c.state_hash == flow.state_hash)
        )


# ------------------------------------------------------------------ signing in


def open_sign_in(
    database: Database,
    state: str,
    session: str,
    *,
    secret: str,
    now: datetime,
    expires_at: datetime,
) -> None:
    """Store a sign-in under way; expired ones are dropped."""
    table = t.sign_in_flows
    with database.write() as connection:
        connection.execute(delete(table).where(table.c.expires_at < now))
        connection.execute(
            table.insert().values(
                state_hash=digest(state),
                session_hash=digest(session),
                secret=secret,
                expires_at=expires_at,
            )
        )


def is_sign_in(database: Database, state: str) -> bool:
    """Whether a state belongs to a sign-in."""
    table = t.sign_in_flows
    with database.read() as connection:
        found = select(table.c.state_hash).where(table.c.state_hash == digest(state))
        return connection.execute(found).first() is not None


def use_sign_in(
    database: Database, state: str, session: str, now: datetime
) -> str | None:
    """Take a sign-in's secret for its one answer; None if used, late or foreign."""
    table = t.sign_in_flows
    theirs = (
        (table.c.state_hash == digest(state))
        & (table.c.session_hash == digest(session))
        & (table.c.expires_at >= now)
    )
    with database.write() as connection:
        row = connection.execute(select(table.c.secret).where(theirs)).first()
        connection.execute(delete(table).where(theirs))
    return str(row.secret) if row is not None else None


def forget_expired(database: Database, now: datetime) -> None:
    """Drop what was not finished in time: no grant waits longer (AUTH-3)."""
    with database.write() as connection:
        for table in (t.oauth_flows, t.sign_in_flows):
            connection.execute(delete(table).where(table.c.expires_at < now))
