"""The Inbox: everything that waits for a person (HIS-6)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request

from crmsync.services import browsing
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
        is_all=is_all,
    )
