"""The tabs *History* and *Attachments* of contacts and other records (WEB-3)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import render_template

from crm import history
from crm.listing import Place
from crmsync.services import browsing
from webapp import builtin, session
from webapp.pages import contact as contact_page
from webapp.pages import merging
from webapp.paths import pack, unpack
from webapp.tables import TableState, table_state
from webapp.wiring import core

PAGE = 50
contact_pages = merging.pages


def history_page(of: tuple[str, str], frame: str, **words: Any) -> Any:
    """Show a record's history, a page at a time, the newest first."""
    state = table_state(("at",), (), default="-at")
    place = _read_place(state.before or state.after)
    is_back = bool(state.before) and place is not None
    with builtin.reading() as (connection, viewer):
        found = history.entries(
            connection,
            of,
            viewer=viewer,
            place=place,
            backwards=is_back,
            limit=PAGE + 1,
        )
    has_more = len(found) > PAGE
    found = found[-PAGE:] if is_back else found[:PAGE]
    previous, following = _neighbours(state, found, has_more, place, is_back=is_back)
    return render_template(
        "records/history.html",
        frame=frame,
        happened=found,
        previous=previous,
        next=following,
        **words,
    )


def _neighbours(
    state: TableState,
    found: list[history.Entry],
    has_more: bool,
    place: Place | None,
    *,
    is_back: bool,
) -> tuple[str, str]:
    if not found:
        return "", ""
    has_previous = has_more if is_back else place is not None
    has_next = is_back or has_more
    return (
        state.page(before=pack(*found[0].place)) if has_previous else "",
        state.page(after=pack(*found[-1].place)) if has_next else "",
    )


def _read_place(word: str) -> Place | None:
    match unpack(word):
        case [str(at), str(entry_id)] if entry_id.isalnum():
            try:
                is_good = datetime.fromisoformat(at).tzinfo is not None
            except ValueError:
                return None
            return (at, entry_id) if is_good else None
    return None


def attachments_page(of: tuple[str, str], frame: str, **words: Any) -> Any:
    """Show the files that came with a record's e-mails."""
    with builtin.reading() as (connection, viewer):
        files = history.attachments(connection, of, viewer=viewer)
    return render_template(
        "records/attachments.html", frame=frame, files=files, **words
    )


def _words(contact_id: str) -> dict[str, Any]:
    with builtin.reading() as (connection, viewer):
        row = builtin.contact_or_404(connection, viewer, contact_id)
    links = browsing.links_of(core(), session.user(), row.id)
    return {"contact": row, "name": contact_page.full_name(row), "links": links}


@contact_pages.get("/contacts/<contact_id>/history", endpoint="history")
def of_contact(contact_id: str) -> Any:
    """Show a contact's tab *History*."""
    words = _words(contact_id)
    return history_page(("contact", contact_id), "contacts/frame.html", **words)


@contact_pages.get("/contacts/<contact_id>/attachments", endpoint="attachments")
def files_of_contact(contact_id: str) -> Any:
    """Show a contact's tab *Attachments*."""
    words = _words(contact_id)
    return attachments_page(("contact", contact_id), "contacts/frame.html", **words)
