"""OAuth flows under way: bound to a session, used once, ten minutes long (AUTH-4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import delete, select, update

from crmsync.storage import tables as t
from crmsync.storage.database import Database


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
    """Store a new flow; expired ones and the user's older ones are dropped."""
    table = t.oauth_flows
    with database.write() as connection:
        connection.execute(
            delete(table).where(
                (table.c.expires_at < now)
                | (
                    (table.c.user_id == flow.user_id)
                    & (table.c.service == flow.service)
                )
            )
        )
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
    database: Database, user_id: str, service: str, session: str, now: datetime
) -> Flow | None:
    """Return the flow whose grant waits for the person's OK."""
    table = t.oauth_flows
    with database.read() as connection:
        row = connection.execute(
            select(table).where(
                table.c.user_id == user_id,
                table.c.service == service,
                table.c.session_hash == digest(session),
                table.c.grant != "",
                table.c.expires_at >= now,
            )
        ).first()
    return _flow(row) if row is not None else None


def drop_flow(database: Database, flow: Flow) -> None:
    """Drop a flow with its waiting grant (cancel, mismatch, done)."""
    with database.write() as connection:
        connection.execute(
            delete(t.oauth_flows).where(t.oauth_flows.c.state_hash == flow.state_hash)
        )
