"""Who is asking: web sessions in the database, behind Flask-Login.

The cookie is signed and holds the session's secret, the CSRF token and messages; the
row in the database decides whether the session lives. Pages that only read do not
write `seen_at`: requests that change something do, and the page's own script sends a
sign of life (`POST /session/seen`) when the row is getting old.
"""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlsplit

from flask import Flask, abort, current_app, flash, g, redirect, request, url_for
from flask import session as cookie
from flask_login import LoginManager, current_user
from flask_login import login_user as remember_login
from flask_login import logout_user as forget_login

from crmsync.services import signing_in
from crmsync.storage.people import User
from crmsync.storage.websessions import WebSession
from webapp.security import is_public
from webapp.wiring import core

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Visitor:
    """A signed-in person, as Flask-Login wants to see one."""

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def __init__(self, secret: str, user: User) -> None:
        """Join a session's secret and its user."""
        self.secret = secret
        self.user = user

    def get_id(self) -> str:
        """Return what the cookie keeps."""
        return self.secret


def init(web: Flask) -> None:
    """Load the visitor with each request and close all views that are not public."""
    manager = LoginManager()
    # Error pages must not ask for the visitor again: the database may be away.
    manager.init_app(web, add_context_processor=False)
    manager.session_protection = None
    manager.user_loader(_load)
    web.before_request(_require_visitor)
    web.context_processor(_context)


def _load(secret: str) -> Visitor | None:
    found = signing_in.session_of(core(), secret)
    if found is None:
        return None
    g.web_session = found
    return Visitor(secret, found.user)


def _require_visitor() -> Any:
    if request.endpoint in {"static", "bootstrap.static"}:
        return None
    view = current_app.view_functions.get(request.endpoint or "")
    if view is None or is_public(view):
        return None
    if not current_user.is_authenticated:
        return _ask_to_sign_in()
    if request.method not in _SAFE and is_session_stale():
        signing_in.note_seen(core(), visitor().secret)
    return None


def _ask_to_sign_in() -> Any:
    if request.path.endswith(".json"):
        abort(401)
    if request.method in _SAFE:
        target = request.full_path.rstrip("?")
        return redirect(url_for("signin.login", next=target))
    flash("You were signed out meanwhile. Sign in, then try again.", "warning")
    return redirect(url_for("signin.login"))


def is_session_stale() -> bool:
    """Whether this request's session should be noted as seen."""
    found: WebSession | None = g.get("web_session")
    return found is not None and signing_in.is_stale(core(), found)


def visitor() -> Visitor:
    """Return who is signed in; views that are not public have somebody."""
    return cast("Visitor", current_user)


def user() -> User:
    """Return the signed-in user."""
    return visitor().user


def user_key() -> str:
    """Return by what requests of one person are counted."""
    return visitor().user.user_id if current_user.is_authenticated else ""


def require_owner(user_id: str) -> None:
    """Go on only for the owner of a record, or an admin; others find nothing."""
    who = user()
    if who.user_id != user_id and not who.is_admin:
        abort(404)


def _context() -> dict[str, Any]:
    """Give the layout what is known already; error pages must not ask for more."""
    found: WebSession | None = g.get("web_session")
    return {
        "visitor": found.user if found else None,
        "session_is_stale": is_session_stale(),
    }


def sign_in(secret: str, who: User) -> None:
    """Give the browser a new session; what it held before is dropped."""
    cookie.clear()
    cookie.permanent = True
    remember_login(Visitor(secret, who))


def sign_out() -> None:
    """End the session, here and in the database."""
    signing_in.end_session(core(), visitor().secret)
    forget_login()
    cookie.clear()


def own_path(target: str) -> str:
    r"""Return `target` if it is a path of ours, else "" (S13).

    >>> own_path("/options?tab=1"), own_path("//evil"), own_path("/\\evil")
    ('/options?tab=1', '', '')
    >>> own_path("https:evil"), own_path("/a\r\nb"), own_path("/\t/evil")
    ('', '', '')
    """
    is_plain = target.isprintable() and "\\" not in target
    if not target.startswith("/") or target.startswith("//") or not is_plain:
        return ""
    try:
        parts = urlsplit(target)
    except ValueError:
        return ""
    return "" if parts.scheme or parts.netloc else target
