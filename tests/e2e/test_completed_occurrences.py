"""Completing one occurrence of a series in the CRM: only that event gets asterisks."""

from __future__ import annotations

import pytest

from crm import completion
from crm.common import Author
from crmsync.services import checking
from tests.sandbox.harness import SandboxServer
from tests.support.office import Office, at
from tests.support.product import Product

ANNA, BEN = "anna@shop.example", "ben@shop.example"


@pytest.fixture
def office(product: Product, box: SandboxServer) -> Office:
    return Office(product, box)


def complete(office: Office, series: str, slot: str, by: str = ANNA) -> str:
    with office.product.app.database.write() as conn:
        author = Author(office.crm_id(by))
        return completion.complete_one(conn, series, slot, by=author).id


def shown(office: Office, email: str = ANNA) -> list[str]:
    """Return the subjects of all occurrences in Google, in order."""
    events = office.box.events(email, expand="true")
    kept = [e for e in events if e.get("status") != "cancelled"]
    return [e["summary"] for e in sorted(kept, key=lambda e: str(e["start"]))]


@pytest.mark.rule("CAL-14", "CAL-17")
@pytest.mark.parametrize("is_linked", [False, True])
def test_completing_one_occurrence_stars_that_event_only_and_once(
    office: Office, is_linked: bool
) -> None:
    office.hire(ANNA)
    series = office.plan(ANNA, recurrence="RRULE:FREQ=DAILY;COUNT=4")
    office.settle()
    if is_linked:
        event = sorted(office.box.events(ANNA, expand="true"), key=lambda e: e["id"])[1]
        office.box.edit_event(ANNA, event["id"], {"location": "Room 2"})
        office.settle()

    child = complete(office, series, at(1))
    office.settle()
    assert shown(office) == ["Review", "*Review*", "Review", "Review"]
    assert office.mails() == []
    assert checking.check(office.product.app)["ok"]

    # What becomes of the event later does not touch the history, nor is it repeated.
    before = office.activity(child)
    event = next(
        e for e in office.box.events(ANNA, expand="true") if e["summary"] == "*Review*"
    )
    office.box.edit_event(ANNA, event["id"], {"summary": "Mine", "location": "There"})
    office.settle()
    assert office.activity(child) == before
    office.edit(series, ANNA, location="Room 9")
    office.settle()
    assert shown(office) == ["Review", "Mine", "Review", "Review"]
    assert office.activity(child).completed_at == before.completed_at
    office.box.delete_event(ANNA, event["id"])
    office.settle()
    assert not office.activity(child).deleted
    assert shown(office) == ["Review"] * 3


@pytest.mark.rule("CAL-14")
def test_completing_one_occurrence_of_anothers_series_leaves_google_alone(
    office: Office,
) -> None:
    office.hire(BEN)
    office.invite(ANNA, BEN, summary="Review", recurrence=["RRULE:FREQ=DAILY;COUNT=3"])
    office.settle()
    (series,) = [row for row in office.agenda(BEN) if row.is_series]

    complete(office, series.id, at(1), by=BEN)
    office.settle()

    assert shown(office, BEN) == shown(office, ANNA) == ["Review"] * 3
