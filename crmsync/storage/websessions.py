"""Web sessions as rows: the browser holds a secret, the database its hash (WEB-1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update

from crmsync.storage import tables as t
from crmsync.storage.database import Database
from crmsync.storage.flows import digest
from crmsync.storage.people import User, user_from_row


@dataclass(frozen=True, slots=True)
class WebSession:
    """A signed-in browser.

    Attributes:
        seen_at: the last request that changed something, or the page's own sign of
            life; reading pages writes nothing.
        expires_at: the end, whatever happens.
    """

    user: User
    seen_at: datetime
    expires_at: datetime


def open_session(
    database: Database, secret: str, user_id: str, now: datetime, expires_at: datetime
) -> None:
    """Store a new session."""
    table = t.web_sessions
    with database.write() as connection:
        connection.execute(
            table.insert().values(
                secret_hash=digest(secret),
                user_id=user_id,
                created_at=now,
                seen_at=now,
                expires_at=expires_at,
            )
        )


def find_session(database: Database, secret: str) -> WebSession | None:
    """Return the session of a secret with its user, expired or not."""
    table = t.web_sessions
    with database.read() as connection:
        row = connection.execute(
            select(table.c.seen_at, table.c.expires_at, t.users)
            .join(t.users, t.users.c.id == table.c.user_id)
            .where(table.c.secret_hash == digest(secret))
        ).first()
    if row is None:
        return None
    return WebSession(user_from_row(row), row.seen_at, row.expires_at)


def touch_session(database: Database, secret: str, now: datetime) -> None:
    """Note that a session is in use."""
    table = t.web_sessions
    with database.write() as connection:
        connection.execute(
            update(table)
            .where(table.c.secret_hash == digest(secret))
            .values(seen_at=now)
        )


def forget_expired(database: Database, now: datetime) -> None:
    """Drop sessions whose time is over."""
    table = t.web_sessions
    with database.write() as connection:
        connection.execute(delete(table).where(table.c.expires_at < now))


def end_session(database: Database, secret: str) -> None:
    """End one session."""
    table = t.web_sessions
    with database.write() as connection:
        connection.execute(delete(table).where(table.c.secret_hash == digest(secret)))


def end_sessions(database: Database, user_id: str, *, but: str = "") -> None:
    """End all sessions of a user, except the one with the secret `but`."""
    table = t.web_sessions
    with database.write() as connection:
        connection.execute(
            delete(table).where(
                table.c.user_id == user_id, table.c.secret_hash != digest(but)
            )
        )
