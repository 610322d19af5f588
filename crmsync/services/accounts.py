"""Users: added with their CRM user, given a password, disabled (ADM-1)."""

from __future__ import annotations

from crmsync.errors import UsageError
from crmsync.services import auditing
from crmsync.services.app import App
from crmsync.services.settings_table import KINDS
from crmsync.storage import leases, people, websessions
from crmsync.storage.people import User


def add_user(
    app: App,
    email: str,
    *,
    name: str = "",
    is_admin: bool = False,
    infor_user: str = "",
) -> User:
    """Add a user and, with the built-in CRM, its CRM user; joined by e-mail.

    Raises:
        UsageError: if the address is none, or taken.
    """
    from email_validator import EmailNotValidError, validate_email

    try:
        checked = validate_email(
            email, check_deliverability=False, test_environment=True
        )
    except EmailNotValidError as error:
        raise UsageError(f"{email!r} is not an e-mail address: {error}") from None
    user = User(
        user_id=app.ids.new(),
        email=checked.normalized.casefold(),
        name=name.strip()[:200],
        is_admin=is_admin,
        is_disabled=False,
        infor_user=infor_user,
    )
    people.add_user(app.database, user, app.clock.now())
    app.crm.ensure_user(user.email, user.name)
    auditing.note(app, user.email, "user.added", {"admin": is_admin})
    return user


SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 1000


def check_new_password(password: str) -> None:
    """Raise `UsageError` unless a password may be used."""
    if len(password) < SHORTEST_PASSWORD:
        raise UsageError(
            f"A password needs {SHORTEST_PASSWORD} characters or more.",
            next_step="A few words that belong to nobody make a good one.",
        )
    if len(password) > LONGEST_PASSWORD:
        raise UsageError(
            f"A password has at most {LONGEST_PASSWORD} characters.",
            next_step="Choose a shorter one.",
        )


def set_password(app: App, user: User, password: str) -> None:
    """Store a password's hash (Argon2id) and end the user's web sessions."""
    from argon2 import PasswordHasher

    digest = PasswordHasher().hash(password)
    people.edit_user(app.database, user.user_id, password_hash=digest)
    websessions.end_sessions(app.database, user.user_id)
    auditing.note(app, user.email, "user.password_changed", {})


def disable(app: App, user: User) -> None:
    """Disable a user: tokens are dropped, links frozen, nothing is deleted."""
    pairs = [f"{user.user_id}:{kind}" for kind in KINDS]
    for connection in people.connections(app.database, user.user_id):
        leases.fence(app.database, pairs, connection.google_sub)
        people.edit_connection(
            app.database, connection.connection_id, grant="", state="dead"
        )
    people.edit_user(app.database, user.user_id, is_disabled=True)
    websessions.end_sessions(app.database, user.user_id)
    auditing.note(app, user.email, "user.disabled", {})
