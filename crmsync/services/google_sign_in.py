"""Signing in with Google: OpenID Connect, for users there are already (WEB-1).

A person is known by Google's subject. The first time, a verified address leads to the
user with that address, who is bound to the subject from then on. Nobody is created.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from crmsync.connectors.google.oauth import IDENTITY, ConsentRequest, new_verifier
from crmsync.errors import UsageError
from crmsync.services import auditing
from crmsync.services.app import App
from crmsync.services.connecting import LIFE
from crmsync.services.signing_in import SignInRefused
from crmsync.storage import flows, people
from crmsync.storage import tables as t
from crmsync.storage.people import User


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who signed in, and where they wanted to go."""

    user: User
    target: str


def is_configured(app: App) -> bool:
    """Whether there is an OAuth client to sign in with."""
    return bool(app.config.google_client_id)


def start(app: App, session: str, target: str = "") -> str:
    """Begin a sign-in and return Google's address for the browser.

    Args:
        app: the wired process.
        session: a secret of the browser's; the answer must bring it along.
        target: where the person wants to go afterwards.

    Raises:
        ConfigError: if no OAuth client is configured.
    """
    state, nonce = secrets.token_urlsafe(32), secrets.token_urlsafe(16)
    request = _request(app, nonce, new_verifier(), state)
    url = app.google.oauth.authorization_url(request)
    kept = {"nonce": nonce, "verifier": request.verifier, "target": target}
    now = app.clock.now()
    flows.open_sign_in(
        app.database,
        state,
        session,
        secret=app.cipher.encrypt(json.dumps(kept)),
        now=now,
        expires_at=now + LIFE,
    )
    return url


def _request(app: App, nonce: str, verifier: str, state: str = "") -> ConsentRequest:
    return ConsentRequest(
        scopes=IDENTITY,
        redirect_uri=app.config.redirect_uri,
        state=state,
        nonce=nonce,
        verifier=verifier,
        is_sign_in=True,
    )


def is_ours(app: App, answer: dict[str, str]) -> bool:
    """Whether Google's answer belongs to a sign-in, not to a service's consent."""
    return flows.is_sign_in(app.database, answer.get("state", ""))


def finish(app: App, session: str, answer: dict[str, str]) -> SignedIn:
    """Take Google's answer and return who it is.

    Args:
        app: the wired process.
        session: as given to `start`.
        answer: the callback's query.

    Raises:
        UsageError: if the state is unknown, used, late or another browser's, or the
            person declined.
        SignInRefused: if Google's account is no enabled user's.
    """
    state, now = answer.get("state", ""), app.clock.now()
    kept = flows.use_sign_in(app.database, state, session, now)
    if kept is None:
        raise UsageError(
            "This answer belongs to no sign-in that is under way.",
            next_step="Press Sign in with Google again.",
        )
    if answer.get("error"):
        raise UsageError(
            "You did not sign in at Google.",
            next_step="Try again, or use your password.",
        )
    secret = json.loads(app.cipher.decrypt(kept))
    request = _request(app, secret["nonce"], secret["verifier"])
    grant = app.google.oauth.exchange(answer.get("code", ""), request)
    return SignedIn(_user_for(app, grant.claims), secret["target"])


def _user_for(app: App, claims: Any) -> User:
    subject, email = str(claims["sub"]), str(claims.get("email", ""))
    row = _row(app, t.users.c.google_sub == subject)
    if row is None and claims.get("email_verified") is True:
        row = _row(app, t.users.c.email == email.casefold())
    if row is None or row.google_sub not in {"", subject}:
        raise SignInRefused(
            f"There is no user for the Google account {email}.",
            next_step="Sign in with your password, or ask your administrator.",
        )
    if row.is_disabled:
        raise SignInRefused(
            f"{row.email} is disabled.",
            next_step="Ask your administrator to enable it.",
        )
    if not row.google_sub:
        people.edit_user(app.database, row.id, google_sub=subject)
        detail = {"account": email}
        auditing.note(app, row.email, "user.bound_to_google", detail)
    return people.user_from_row(row)


def _row(app: App, condition: Any) -> Any:
    with app.database.read() as connection:
        return connection.execute(select(t.users).where(condition)).first()
