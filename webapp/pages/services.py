"""Tools › Options, tab *Authorize Services* (AUTH-1 … AUTH-8), and Google's answers."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask import session as cookie
from flask_login import current_user
from werkzeug.wrappers import Response

from crmsync.errors import ConfigError, CrmSyncError
from crmsync.services import connecting, disconnecting, google_sign_in, signing_in
from crmsync.services.disconnecting import SERVICE_WORDS, SetAside
from crmsync.services.runs import SERVICE_OF
from crmsync.services.scheduling import KindState, kind_states
from crmsync.storage import people
from crmsync.storage.people import Connection
from webapp import session
from webapp.security import limited, public
from webapp.wiring import core

pages = Blueprint("services", __name__)

_SERVICE = "/oauth/<any(google_sync, google_mail):service>"


@dataclass(frozen=True, slots=True)
class ServiceView:
    """One service as the tab shows it."""

    service: str
    name: str
    connection: Connection | None
    kinds: list[KindState]
    aside: SetAside | None

    @property
    def is_dead(self) -> bool:
        """Whether the person has to authorise again (AUTH-7)."""
        return self.connection is not None and self.connection.state == "dead"


@pages.get("/options/services")
def listing() -> str:
    """Show both services with their state, and the dialog for a grant that waits."""
    app, who = core(), session.user()
    states = kind_states(app, who)
    found = [
        ServiceView(
            service,
            name,
            people.connection_of(app.database, who.user_id, service),
            [state for state in states if SERVICE_OF[state.kind] == service],
            disconnecting.set_aside(app, who, service),
        )
        for service, name in SERVICE_WORDS.items()
    ]
    return render_template(
        "options/services.html",
        services=found,
        waiting=_waiting(),
        is_configured=google_sign_in.is_configured(app),
        words=SERVICE_WORDS,
    )


def _waiting() -> connecting.Waiting | None:
    """Return the grant that the dialog is about (AUTH-3)."""
    service, name = request.args.get("confirm", ""), request.args.get("grant", "")
    if service not in SERVICE_WORDS:
        return None
    visitor = session.visitor()
    return connecting.waiting(core(), visitor.user, service, visitor.secret, name)


@pages.post(f"{_SERVICE}/start")
@limited("10 per minute", "60 per hour", key=session.user_key)
def start(service: str) -> Response:
    """Send the browser to Google's consent."""
    visitor = session.visitor()
    try:
        url = connecting.start(core(), visitor.user, service, visitor.secret)
    except ConfigError as error:
        flash(f"{error.message}", "error")
        return redirect(url_for("services.listing"))
    return redirect(url, 303)


@pages.get("/oauth/callback")
@public
def callback() -> Any:
    """Take Google's answer, and go on at an address without its code."""
    answer = {name: value[:4096] for name, value in request.args.items()}
    if request.method == "HEAD":
        return ""
    if google_sign_in.is_ours(core(), answer):
        return _sign_in(answer)
    if not current_user.is_authenticated:
        flash("You were signed out meanwhile. Sign in and authorize again.", "warning")
        return redirect(url_for("signin.login", next=url_for("services.listing")))
    try:
        found = connecting.callback(core(), session.visitor().secret, answer)
    except CrmSyncError as error:
        flash(f"{error.message} {error.next_step}", "error")
        return redirect(url_for("services.listing"))
    return redirect(
        url_for("services.listing", confirm=found.service, grant=found.name)
    )


def _sign_in(answer: dict[str, str]) -> Response:
    app = core()
    try:
        found = google_sign_in.finish(app, cookie.get("google_sign_in", ""), answer)
    except CrmSyncError as error:
        flash(f"{error.message} {error.next_step}", "error")
        return redirect(url_for("signin.login"))
    if current_user.is_authenticated:
        session.sign_out()
    session.sign_in(signing_in.begin_session(app, found.user), found.user)
    return redirect(session.own_path(found.target) or url_for("home.start"))


@pages.post("/login/google")
@public
@limited("10 per minute", "60 per hour")
def sign_in_with_google() -> Response:
    """Send the browser to Google to say who it is."""
    key = cookie.setdefault("google_sign_in", secrets.token_urlsafe(32))
    target = session.own_path(request.form.get("next", ""))
    return redirect(google_sign_in.start(core(), key, target), 303)


@pages.post(f"{_SERVICE}/confirm")
def confirm(service: str) -> Response:
    """Make a grant active: the OK of *Configure Provider Token*."""
    visitor = session.visitor()
    name = request.form.get("grant", "")
    try:
        made = connecting.confirm(
            core(),
            visitor.user,
            service,
            visitor.secret,
            request.form.get("email", ""),
            name=name,
        )
    except CrmSyncError as error:
        flash(f"{error.message} {error.next_step}", "error")
    else:
        _tell_authorized(service, made)
    return redirect(url_for("services.listing"))


def _tell_authorized(service: str, made: Connection) -> None:
    """Say what was granted; nothing at all is no success (AUTH-5)."""
    words = f"{SERVICE_WORDS[service]} is authorized as {made.email}"
    if connecting.granted_kinds(made):
        flash(f"{words}.", "success")
    else:
        flash(
            f"{words}, but Google granted nothing: no box was ticked. "
            "Ask again and tick what is to be synchronised.",
            "warning",
        )


@pages.post(f"{_SERVICE}/cancel")
def cancel(service: str) -> Response:
    """Drop a grant that waits for OK."""
    visitor = session.visitor()
    name = request.form.get("grant", "")
    connecting.cancel(core(), visitor.user, service, visitor.secret, name)
    flash("Cancelled. Nothing was stored.", "info")
    return redirect(url_for("services.listing"))


@pages.post(f"{_SERVICE}/disconnect")
def disconnect(service: str) -> Response:
    """Delete the tokens; keep or forget the links, as the person says (AUTH-8)."""
    links = request.form.get("links", "")
    if links not in {"keep", "forget"}:
        flash("Say whether the links are kept or forgotten.", "warning")
        return redirect(url_for("services.listing"))
    done = disconnecting.disconnect(
        core(), session.user(), service, keep_links=links == "keep"
    )
    flash(f"{SERVICE_WORDS[service]} is disconnected.", "success")
    if not done["revoked"]:
        flash(f"Not revoked at Google: {done['reason']}", "warning")
    return redirect(url_for("services.listing"))


@pages.post(f"{_SERVICE}/afresh")
def start_afresh(service: str) -> Response:
    """Forget the former account's links and go on with the present one (AUTH-8)."""
    who = session.user()
    count = disconnecting.start_afresh(core(), who, service, actor=who.email)
    flash(
        f"{count} links are forgotten; no record was touched. "
        "The next cycle shows first what it would do.",
        "success",
    )
    return redirect(url_for("services.listing"))
