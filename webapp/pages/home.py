"""The first page after signing in."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template

pages = Blueprint("home", __name__)


@pages.get("/")
def start() -> Any:
    """Show where to go."""
    return render_template("home.html")
