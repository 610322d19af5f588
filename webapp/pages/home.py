"""The first page after signing in: what to do next."""

from __future__ import annotations

from flask import Blueprint, render_template

from crmsync.services import scheduling
from webapp import session
from webapp.wiring import core

pages = Blueprint("home", __name__)

_BEFORE_CONNECTED = frozenset({"not_authorised", "reauthorise", "other_account"})


@pages.get("/")
def start() -> str:
    """Show the way to a first cycle, and how synchronisation is doing."""
    states = scheduling.kind_states(core(), session.user())
    contacts = next(state for state in states if state.kind == "contacts")
    is_connected = contacts.is_granted and contacts.trouble not in _BEFORE_CONNECTED
    return render_template(
        "home.html",
        contacts=contacts,
        steps=(
            is_connected,
            bool(contacts.group_id),
            contacts.is_accepted,
        ),
    )
