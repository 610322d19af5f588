"""The Inbox: everything that waits for a person (HIS-6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request
from flask import url_for as to

from crmsync.errors import UsageError
from crmsync.services import browsing, proposing
from webapp import builtin, session
from webapp.wiring import core

pages = Blueprint("inbox", __name__)

_SHOWN = 100


@pages.get("/inbox")
def listing() -> Any:
    """Show what waits, grouped, with the answers in place."""
    viewer = session.user()
    is_all = viewer.is_admin and request.args.get("of") == "everybody"
    found = browsing.inbox(core(), viewer, everybody=is_all)
    questions = found["questions"][:_SHOWN]
    builtin.add_facts(questions)
    return render_template(
        "history/inbox.html",
        cycles=found["cycles"],
        questions=questions,
        more=len(found["questions"]) - len(questions),
        companies=found["companies"][:_SHOWN],
        decided=found["decided"][:_SHOWN],
        connections=found["connections"],
        proposals=found["proposals"][:_SHOWN],
        is_all=is_all,
    )


@pages.post("/inbox/proposals/<proposal_id>/accept")
def accept(proposal_id: str) -> Any:
    """Change the visitor's activity as a colleague proposed (CAL-8)."""
    words = "Accepted. The next synchronisation carries it to everybody."
    return _decide(proposal_id, proposing.accept, words)


@pages.post("/inbox/proposals/<proposal_id>/decline")
def decline(proposal_id: str) -> Any:
    """Leave the visitor's activity as it is."""
    return _decide(proposal_id, proposing.decline, "Declined. Nothing is changed.")


def _decide(proposal_id: str, decision: Callable[..., None], words: str) -> Any:
    viewer = session.user()
    if proposing.seen_by(core(), viewer, proposal_id) is None:
        abort(404)
    try:
        decision(core(), proposal_id, actor=viewer.email)
    except UsageError as error:
        # Somebody else was faster, or the CRM says no: nothing was changed here.
        flash(f"{error.message} {error.next_step}", "warning")
    else:
        flash(words, "success")
    target = session.own_path(request.form.get("next", ""))
    return redirect(target or to("inbox.listing"))
