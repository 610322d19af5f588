"""The privacy receipt (MAIL-12), and the messages that wait for people (MAIL-9)."""

from __future__ import annotations

from email.utils import parseaddr
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request
from flask import url_for as to

from crmsync.services import auditing
from crmsync.storage import mailpages as store
from crmsync.storage import people
from webapp import session
from webapp.wiring import core

pages = Blueprint("receipt", __name__)

PAGE = 50
_WHY = {
    "label": "It carried Send To CRM",
    "thread": "You keep recording its conversation",
    "waiting": "It waited, and its person appeared in the CRM",
    "addon": "You opened it with the add-on, and clicked",
}


def _pair_id() -> str:
    return people.seen_pair(core().database, session.user().user_id, "mail").pair_id


def _place(name: str) -> str:
    place = request.args.get(name, "")
    return place if place.isprintable() and len(place) <= 64 else ""


@pages.get("/receipt")
def show() -> Any:
    """Show which messages' bodies were read, when and why."""
    found = store.reads(core().database, _pair_id(), _place("before"), PAGE + 1)
    rows = found[:PAGE]
    older = to("receipt.show", before=rows[-1].id) if len(found) > PAGE else ""
    newest = to("receipt.show") if _place("before") else ""
    return render_template(
        "mail/receipt.html", rows=rows, why=_WHY, previous=newest, next=older
    )


@pages.get("/inbox/missing")
def missing() -> Any:
    """Show the messages that nobody in the CRM has an address of."""
    found = store.missing(core().database, _pair_id(), _place("after"), PAGE + 1)
    rows = found[:PAGE]
    following = ""
    if len(found) > PAGE:
        following = to("receipt.missing", after=rows[-1].message_id)
    first = to("receipt.missing") if _place("after") else ""
    return render_template(
        "mail/missing.html",
        rows=[
            (row, [_prefill(row, address) for address in row.addresses]) for row in rows
        ],
        previous=first,
        next=following,
    )


def _prefill(row: store.Waiting, address: str) -> dict[str, str]:
    """Return what is known of somebody for the form of a new contact."""
    name, email = parseaddr(row.sender)
    if email.casefold() != address:
        name = ""
    first, _, last = name.strip().rpartition(" ")
    return {"email": address, "first": first[:32], "last": last[:32]}


@pages.post("/inbox/missing/ignore")
def ignore() -> Any:
    """Let a message wait no more."""
    message_id = request.form.get("message", "")
    if not message_id.isprintable() or not store.ignore(
        core().database, _pair_id(), message_id[:64]
    ):
        abort(404)
    auditing.note(core(), session.user().email, "mail.ignored", {"message": message_id})
    flash("Left alone. Put the label on it again to record it after all.", "success")
    return redirect(to("receipt.missing"))
