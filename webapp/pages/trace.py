"""The tracer: paste a record, see its whole way (HIS-7, for contacts)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request

from crmsync.services import browsing, reporting
from webapp import session
from webapp.wiring import core

pages = Blueprint("trace", __name__)


@pages.get("/trace")
def show() -> Any:
    """Show what synchronisation did to the record that was pasted."""
    text = request.args.get("q", "").strip()[:500]
    viewer = session.user()
    record_id = reporting.record_id_in(text)
    items = browsing.story(core(), viewer, record_id)
    if not items and text:
        found = browsing.item_seen_by(core(), viewer, text)
        if found is not None:
            record_id = found[0].crm_id or found[0].google_id
            items = browsing.story(core(), viewer, record_id)
    return render_template(
        "history/trace.html", text=text, record_id=record_id, items=items
    )
