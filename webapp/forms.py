"""The base of all forms; the token against forgery is Flask-WTF's `csrf_token`."""

from __future__ import annotations

from flask_wtf import FlaskForm


class Form(FlaskForm):  # type: ignore[misc]  # Flask-WTF has no types
    """A form of ours."""
