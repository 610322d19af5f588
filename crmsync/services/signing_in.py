"""Signing in to the pages: passwords and sessions (WEB-1).

A session lives 12 hours after its last sign of life and 7 days at most. It ends with
signing out, with a change of the password and with the user's being disabled.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import select

from crmsync.errors import UsageError
from crmsync.services import accounts, auditing
from crmsync.services.app import App
from crmsync.storage import people, websessions
from crmsync.storage import tables as t
from crmsync.storage.people import User
from crmsync.storage.websessions import WebSession

IDLE = timedelta(hours=12)
WHOLE_LIFE = timedelta(days=7)
STALE = timedelta(minutes=10)
"""A session is not noted as seen more often than this."""


class SignInRefused(UsageError):
    """Address and password do not belong to an enabled user."""

    code = "sign_in_refused"
    next_step = "Check both and try again, or ask your administrator for a new one."


def check_password(app: App, email: str, password: str) -> User:
    """Return the user with this address and password.

    An unknown address takes as long as a wrong password.

    Raises:
        SignInRefused: the address is unknown, has no password, or another one; or
            the user is disabled, which only who knows the password is told.
    """
    from argon2 import PasswordHasher
    from argon2.exceptions import InvalidHashError, VerificationError

    nobody = _hash_of_nobody()
    row = _row(app, email)
    stored = row.password_hash if row is not None and row.password_hash else nobody
    hasher = PasswordHasher()
    try:
        hasher.verify(stored, password)
    except (InvalidHashError, VerificationError):
        stored = nobody
    if row is None or stored == nobody:
        raise SignInRefused("The e-mail address or the password is wrong.")
    if row.is_disabled:
        raise SignInRefused(
            f"{row.email} is disabled.",
            next_step="Ask your administrator to enable it.",
        )
    if hasher.check_needs_rehash(stored):
        fresh = hasher.hash(password)
        people.edit_user(app.database, row.id, password_hash=fresh)
    return people.user_from_row(row)


@lru_cache(maxsize=1)
def _hash_of_nobody() -> str:
    """Return a hash that no password has, as dear to check as any other."""
    from argon2 import PasswordHasher

    return PasswordHasher().hash(secrets.token_urlsafe(32))


def _row(app: App, email: str) -> Any:
    with app.database.read() as connection:
        return connection.execute(
            select(t.users).where(t.users.c.email == email.strip().casefold())
        ).first()


def has_users(app: App) -> bool:
    """Whether there is anybody who could sign in."""
    with app.database.read() as connection:
        return connection.execute(select(t.users.c.id).limit(1)).first() is not None


def begin_session(app: App, user: User) -> str:
    """Open a session and return its secret, for the browser alone."""
    secret = secrets.token_urlsafe(32)
    now = app.clock.now()
    websessions.open_session(app.database, secret, user.user_id, now, now + WHOLE_LIFE)
    auditing.note(app, user.email, "user.signed_in", {})
    return secret


def session_of(app: App, secret: str) -> WebSession | None:
    """Return a living session of an enabled user. Reads only."""
    found = websessions.find_session(app.database, secret)
    now = app.clock.now()
    if found is None or found.user.is_disabled:
        return None
    if now >= found.expires_at or now - found.seen_at >= IDLE:
        return None
    return found


def is_stale(app: App, session: WebSession) -> bool:
    """Whether a session should be noted as seen."""
    return app.clock.now() - session.seen_at >= STALE


def note_seen(app: App, secret: str) -> None:
    """Note that a session is in use, which puts off its idle end."""
    websessions.touch_session(app.database, secret, app.clock.now())


def end_session(app: App, secret: str) -> None:
    """Sign out."""
    websessions.end_session(app.database, secret)


def change_password(app: App, user: User, old: str, new: str, *, secret: str) -> str:
    """Change one's own password; all sessions end, and a new one is returned.

    Args:
        secret: the session's at which the change is made.

    Raises:
        UsageError: the old password is wrong, or the new one is too short or the same.
    """
    try:
        check_password(app, user.email, old)
    except SignInRefused:
        raise UsageError(
            "The present password is wrong.", next_step="Enter it again."
        ) from None
    accounts.check_new_password(new)
    if new == old:
        raise UsageError(
            "The new password is the old one.", next_step="Choose another."
        )
    accounts.set_password(app, user, new)
    websessions.end_session(app.database, secret)
    return begin_session(app, user)
