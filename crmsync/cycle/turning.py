"""Turning events over: to a new leader, or from one shared event to several (CAL-25).

A mark says which event of a user is to be left. It goes before anything else is decided
about its link: that it is missing in Google by now is nobody's answer and no deletion.
"""

from __future__ import annotations

from collections.abc import Sequence

from crmsync.cycle.planning import Plan, facts_of
from crmsync.cycle.run import Run, pages
from crmsync.engine.activities import turned_over
from crmsync.engine.plan import Item
from crmsync.ports import Subject, Unit
from crmsync.records.remote import Link


def plan_turned(run: Run, plan: Plan) -> None:
    """Plan to leave all events that are marked, as they are now."""
    if run.kind.name != "calendar" or not run.policy.writes_google:
        return
    for page in pages(run.state.turned, lambda link: link.link_id):
        items = _planned(run, page)
        run.state.commit(Unit(items=tuple(items)))
        for item in items:
            plan.add(item)


def _planned(run: Run, page: Sequence[Link]) -> list[Item]:
    google = run.google.fetch([link.google_id for link in page])
    crm = run.crm.fetch([link.crm_id for link in page])
    items = []
    for link in page:
        subject = Subject(link, crm[link.crm_id], google[link.google_id])
        is_there = not google[link.google_id].is_gone
        facts = facts_of(run, subject)
        items.append(turned_over(facts, run.ids.new(), deletes=is_there))
    return items
