"""Signing in and out, and the password (WEB-1)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response
from wtforms import EmailField, HiddenField, PasswordField
from wtforms.validators import InputRequired, Length

from crmsync.errors import UsageError
from crmsync.services import google_sign_in, settings, signing_in
from crmsync.services.accounts import LONGEST_PASSWORD, SHORTEST_PASSWORD
from webapp import session
from webapp.forms import Form
from webapp.security import limited, public
from webapp.wiring import core

pages = Blueprint("signin", __name__)

_PER_PLACE = ("20 per minute", "200 per hour")
_PER_ADDRESS = ("10 per minute", "50 per hour")


class SignInForm(Form):
    """The sign-in form."""

    email = EmailField(
        "E-mail address",
        [InputRequired("Enter your e-mail address."), Length(max=320)],
        render_kw={"autocomplete": "username", "autofocus": True},
    )
    password = PasswordField(
        "Password",
        [InputRequired("Enter your password."), Length(max=LONGEST_PASSWORD)],
        render_kw={"autocomplete": "current-password"},
    )
    next = HiddenField()
    zone = HiddenField()


class PasswordForm(Form):
    """The form to change one's password."""

    old = PasswordField(
        "Present password",
        [InputRequired("Enter your present password."), Length(max=LONGEST_PASSWORD)],
        render_kw={"autocomplete": "current-password"},
    )
    new = PasswordField(
        "New password",
        [
            InputRequired("Enter a new password."),
            Length(
                SHORTEST_PASSWORD,
                LONGEST_PASSWORD,
                f"A password needs {SHORTEST_PASSWORD} characters or more.",
            ),
        ],
        description=f"{SHORTEST_PASSWORD} characters or more; a few words are fine.",
        render_kw={"autocomplete": "new-password"},
    )


def _address() -> str:
    return request.form.get("email", "").strip().casefold()[:320]


@pages.get("/login")
@public
def login() -> Any:
    """Show the sign-in form."""
    target = session.own_path(request.args.get("next", ""))
    if current_user.is_authenticated:
        return redirect(target or url_for("home.start"))
    return _show(SignInForm(formdata=None, next=target))


@pages.post("/login")
@public
@limited(*_PER_PLACE)
@limited(*_PER_ADDRESS, key=_address)
def enter() -> Any:
    """Check address and password, and begin a session."""
    form = SignInForm()
    if not form.validate():
        return _show(form), 400
    app = core()
    try:
        who = signing_in.check_password(app, _address(), form.password.data or "")
    except signing_in.SignInRefused as error:
        return _show(form, error), 401
    if current_user.is_authenticated:
        session.sign_out()
    session.sign_in(signing_in.begin_session(app, who), who)
    settings.suggest(app, "time_zone", form.zone.data or "", user_id=who.user_id)
    return redirect(session.own_path(form.next.data or "") or url_for("home.start"))


def _show(form: SignInForm, error: UsageError | None = None) -> str:
    return render_template(
        "login.html",
        form=form,
        error=error,
        is_new=not signing_in.has_users(core()),
        has_google=google_sign_in.is_configured(core()),
    )


@pages.post("/logout")
def logout() -> Response:
    """End the session."""
    session.sign_out()
    flash("You are signed out.", "success")
    return redirect(url_for("signin.login"))


@pages.post("/session/seen")
def seen() -> tuple[str, int]:
    """Take a page's sign of life; `session` has noted it already."""
    return "", 204


@pages.get("/password")
def password() -> Any:
    """Show the form to change one's password."""
    return render_template("password.html", form=PasswordForm(formdata=None))


@pages.post("/password")
@limited(*_PER_ADDRESS)
def change_password() -> Any:
    """Change one's password; all other sessions end."""
    form = PasswordForm()
    if not form.validate():
        return render_template("password.html", form=form), 400
    who = session.user()
    try:
        secret = signing_in.change_password(
            core(),
            who,
            form.old.data or "",
            form.new.data or "",
            secret=session.visitor().secret,
        )
    except UsageError as error:
        return render_template("password.html", form=form, error=error), 400
    session.sign_in(secret, who)
    flash("Your password is changed. All other sessions have ended.", "success")
    return redirect(url_for("home.start"))
