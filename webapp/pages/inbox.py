"""The Inbox: everything that waits for a person (HIS-6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request
from flask import url_for as to

from crmsync.errors import LeaseTaken, UsageError
from crmsync.services import browsing, proposing, turning
from crmsync.storage.people import User
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
        stopped=found["stopped"],
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


@pages.get("/inbox/turn-over/<activity_id>")
def turn_over(activity_id: str) -> Any:
    """Show an admin what converting an activity would do (CAL-25)."""
    _require_admin()
    try:
        wanted, problem = turning.preview(core(), activity_id), None
    except UsageError as error:
        wanted, problem = None, error
    return render_template(
        "history/turnover.html", wanted=wanted, problem=problem, crm_id=activity_id
    )


@pages.post("/inbox/turn-over/<activity_id>")
def convert(activity_id: str) -> Any:
    """Turn an activity's events over as the preview told."""
    viewer = _require_admin()
    try:
        turning.convert(core(), activity_id, actor=viewer.email)
    except (UsageError, LeaseTaken) as error:
        flash(f"{error.message} {error.next_step}", "warning")
        return redirect(to("inbox.turn_over", activity_id=activity_id))
    flash("Turned over. The next synchronisation of each calendar does it.", "success")
    return redirect(to("inbox.listing"))


def _require_admin() -> User:
    viewer = session.user()
    if not viewer.is_admin:
        abort(404)
    return viewer
