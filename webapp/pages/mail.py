"""A recorded e-mail: its view, its files, taking it back and moving it (MAIL-15)."""

from __future__ import annotations

import base64
import html
import io
import re
from typing import Any
from urllib.parse import unquote

from flask import Blueprint, abort, flash, redirect, render_template, request, send_file
from flask import url_for as to
from sqlalchemy import Connection

from crm import contacts, history, lookup, users
from crm.deals import OPPORTUNITIES, TICKETS
from crm.errors import NotFound as NotInCrm
from crm.history import MailRow
from crm.leads import LEADS
from crm.rows import shown_name
from crm.shelves import RecordQuery
from crmsync.errors import CrmSyncError, InvalidRecord, NotFound
from crmsync.services.recording import undoing
from crmsync.storage import mailundo
from webapp import builtin, session
from webapp.security import framed
from webapp.wiring import core

pages = Blueprint("mail", __name__, url_prefix="/mail")

_PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_MOST_PICTURE_BYTES = 20 << 20
_FOUND = 6
_CID = re.compile(r'(<img\b[^>]*?\bsrc=")cid:([^"]*)(")', re.IGNORECASE)
_REMOTE = re.compile(r'(<img\b[^>]*?\bsrc=")(?:https?:)?//[^"]*(")', re.IGNORECASE)


@pages.before_request
def _require_builtin() -> None:
    builtin.require()


@pages.get("/<history_id>")
def detail(history_id: str) -> Any:
    """Show a message with its files, and where it could be moved."""
    query = request.args.get("q", "").strip()[:200]
    with builtin.reading() as (connection, viewer):
        mail = _mail_or_404(connection, viewer, history_id)
        person = _person(connection, mail)
        people = {row.id: row.name or row.email for row in users.list_all(connection)}
        found = _targets(connection, viewer, query) if query else []
    return render_template(
        "mail/detail.html",
        mail=mail,
        person=person,
        recorder=people.get(mail.recorded_by, ""),
        files=[file for file in mail.files if file.is_listed],
        has_remote=bool(_REMOTE.search(mail.html)),
        q=query,
        found=found if query else _runners_up(mail),
    )


def _mail_or_404(connection: Connection, viewer: str, history_id: str) -> MailRow:
    """Return a recorded message that the visitor sees."""
    try:
        found = history.mail(connection, history_id, viewer=viewer)
    except NotInCrm:
        abort(404)
    if found.is_removed:
        abort(404)
    return found


def _person(connection: Connection, mail: MailRow) -> dict[str, str]:
    """Return whose message it is: name, and the address of the history."""
    if mail.lead_id:
        row = LEADS.get(connection, mail.lead_id)
        url = to("leads.history", record_id=row.id)
        return {"name": shown_name(row.values), "url": url}
    contact = contacts.get(connection, mail.contact_id)
    url = to("contacts.history", contact_id=contact.id)
    return {"name": shown_name(contact.values), "url": url}


def _targets(connection: Connection, viewer: str, text: str) -> list[dict[str, str]]:
    """Return where a message could go: what a search finds."""
    query = RecordQuery(viewer, text)
    found = [
        {"kind": "contact", "id": row.id, "name": shown_name(row.values)}
        for row in lookup.search(connection, text, limit=_FOUND, viewer=viewer)
    ]
    for shelf, name in ((LEADS, ""), (OPPORTUNITIES, "name"), (TICKETS, "subject")):
        for item in shelf.page(connection, query, limit=_FOUND):
            values = item.row.values
            words = values[name] if name else shown_name(values)
            found.append({"kind": shelf.noun, "id": item.row.id, "name": words})
    return found


def _runners_up(mail: MailRow) -> list[dict[str, str]]:
    """Return who has the address as well: one click moves the message (MAIL-4)."""
    record = mailundo.record_of(core().database, mail.history_id)
    taken = {mail.contact_id, mail.lead_id}
    known = record.runners_up if record is not None else ()
    return [dict(other) for other in known if other["id"] not in taken]


# ------------------------------------------------------------------ body and files


@pages.get("/<history_id>/body")
@framed
def body(history_id: str) -> Any:
    """Show a message's HTML alone, where nothing runs and nothing is fetched."""
    with builtin.reading() as (connection, viewer):
        mail = _mail_or_404(connection, viewer, history_id)
    return render_template("mail/body.html", body=_with_pictures(mail))


def _with_pictures(mail: MailRow) -> str:
    """Put the pictures that came along into the HTML that names them."""
    known = {
        file.content_id.strip("<> "): file
        for file in mail.files
        if file.content_id and file.digest and file.content_type in _PICTURES
    }
    left = _MOST_PICTURE_BYTES

    def shown(found: re.Match[str]) -> str:
        nonlocal left
        file = known.get(unquote(html.unescape(found[2])).strip("<> "))
        if file is None or file.size > left:
            return f"{found[1]}{found[3]}"
        left -= file.size
        try:
            data = core().files.get(file.digest)
        except CrmSyncError:
            return f"{found[1]}{found[3]}"
        text = base64.b64encode(data).decode()
        return f"{found[1]}data:{file.content_type};base64,{text}{found[3]}"

    # The frame's policy forbids them as well; so the browser does not even complain.
    return _CID.sub(shown, _REMOTE.sub(r"\1\2", mail.html))


@pages.get("/files/<file_id>")
def download(file_id: str) -> Any:
    """Hand out a file; it is never shown in the browser."""
    with builtin.reading() as (connection, viewer):
        try:
            file = history.file(connection, file_id, viewer=viewer)
        except NotInCrm:
            abort(404)
    if not file.digest:
        abort(404)
    data = core().files.get(file.digest)
    return send_file(
        io.BytesIO(data),
        mimetype="application/octet-stream",
        as_attachment=True,
        download_name=file.name,
        etag=False,
    )


# ------------------------------------------------------------------ corrections


@pages.post("/<history_id>/undo")
def undo(history_id: str) -> Any:
    """Take a message back (MAIL-15)."""
    with builtin.reading() as (connection, viewer):
        mail = _mail_or_404(connection, viewer, history_id)
        back = _person(connection, mail)["url"]
    who = session.user()
    try:
        undoing.take_back(
            core(), who, history_id, subject=mail.subject, actor=who.email
        )
    except NotFound:
        abort(404)
    flash("The message is taken back. Its label in Gmail goes by itself.", "success")
    return redirect(back)


@pages.post("/<history_id>/move")
def move(history_id: str) -> Any:
    """Move a message to where it belongs (MAIL-15)."""
    with builtin.reading() as (connection, viewer):
        mail = _mail_or_404(connection, viewer, history_id)
    kind, _, target_id = request.form.get("target", "").partition(":")
    who = session.user()
    try:
        undoing.move(
            core(),
            who,
            history_id,
            (kind, target_id),
            subject=mail.subject,
            actor=who.email,
        )
    except (NotFound, InvalidRecord):
        flash(
            "The message was not moved: that record is deleted, or not yours to see. "
            "Search again and choose another one.",
            "warning",
        )
    else:
        flash("The message is moved, with its attachments.", "success")
    return redirect(to("mail.detail", history_id=history_id))
