"""Events that turn private in Google: what is left of them in the CRM (CAL-21)."""

from __future__ import annotations

from typing import Any

import pytest

from crm.activityrows import ActivityRow
from crmsync.services import checking, reporting
from tests.sandbox.harness import SandboxServer
from tests.support.office import Office, at, slot
from tests.support.product import Product

ANNA, CUSTOMER = "anna@shop.example", "jo@customer.example"
SECRET: dict[str, Any] = {
    "summary": "Surgery",
    "location": "Clinic",
    "description": "Knee",
}


@pytest.fixture
def office(product: Product, box: SandboxServer) -> Office:
    return Office(product, box)


def texts(rows: list[ActivityRow]) -> str:
    return repr([(dict(row.values), row.participants) for row in rows])


def leaks(rows: list[ActivityRow]) -> list[str]:
    shown = texts(rows)
    return [word for word in ("Surgery", "Clinic", "Knee", CUSTOMER) if word in shown]


def secret_starts(office: Office) -> list[str]:
    rows = office.agenda(ANNA)
    return sorted(r.values["start"] for r in rows if r.values["subject"] == "Surgery")


@pytest.mark.rule("CAL-21")
@pytest.mark.parametrize(
    ("choice", "subjects"), [("full", ["Surgery"]), ("busy", ["Busy"]), ("skip", [])]
)
def test_an_event_that_turns_private_later_is_treated_likewise_and_comes_back(
    office: Office, choice: str, subjects: list[str]
) -> None:
    office.product.set("private_events", choice)
    anna = office.hire(ANNA)
    made = office.invite(ANNA, CUSTOMER, **SECRET)
    office.cycle(anna)
    assert len(leaks(office.agenda(ANNA))) == 4

    office.box.edit_event(ANNA, made["id"], {"visibility": "private"})
    office.settle()

    rows = office.agenda(ANNA)
    assert [row.values["subject"] for row in rows] == subjects
    assert bool(leaks(rows)) is (choice == "full")
    assert office.box.event(ANNA, made["id"])["summary"] == "Surgery"
    assert checking.check(office.product.app)["ok"]

    office.box.edit_event(ANNA, made["id"], {"visibility": "default"})
    office.settle()

    rows = office.agenda(ANNA)
    assert [row.values["subject"] for row in rows] == ["Surgery"]
    assert len(leaks(rows)) == 4
    assert len(office.events(ANNA)) == 1
    assert office.mails() == []


@pytest.mark.rule("CAL-21")
@pytest.mark.parametrize("choice", ["busy", "skip"])
def test_what_is_chosen_later_holds_for_what_is_private_already(
    office: Office, choice: str
) -> None:
    anna = office.hire(ANNA)
    office.invite(ANNA, CUSTOMER, visibility="private", **SECRET)
    office.cycle(anna)
    assert len(leaks(office.agenda(ANNA))) == 4

    office.product.set("private_events", choice)
    office.settle()

    assert leaks(office.agenda(ANNA)) == []


@pytest.mark.rule("CAL-21", "CAL-17")
def test_a_series_that_turns_private_goes_with_its_occurrences_and_comes_back(
    office: Office,
) -> None:
    office.product.set("private_events", "skip")
    office.hire(ANNA)
    rule = {"recurrence": ["RRULE:FREQ=DAILY;COUNT=5"]}
    master = office.box.create_event(ANNA, {**SECRET, **rule, **slot(at())})
    days = sorted(
        (
            e
            for e in office.box.events(ANNA, expand="true")
            if e.get("recurringEventId") == master["id"]
        ),
        key=lambda e: str(e["start"]),
    )
    for number in range(6):  # so that two of them are not nearly all
        office.plan(ANNA, subject=f"Public {number}")
    office.box.move_event(ANNA, days[1]["id"], **slot(at(1, 3)))
    office.settle()
    assert secret_starts(office) == [at(), at(1, 3)]

    for event_id in (master["id"], days[1]["id"]):
        office.box.edit_event(ANNA, event_id, {"visibility": "private"})
    office.settle()
    assert leaks(office.agenda(ANNA)) == []
    assert len(office.events(ANNA)) == len(office.agenda(ANNA)) + 2

    office.box.edit_event(ANNA, master["id"], {"visibility": "default"})
    office.settle()
    # Google lets nobody loosen a single occurrence: that one is as its series says.
    assert secret_starts(office) == [at()]


@pytest.mark.rule("CAL-21", "ENG-11")
def test_an_edit_in_the_crm_gives_way_to_privacy_and_stays_in_history(
    office: Office,
) -> None:
    office.product.set("private_events", "skip")
    anna = office.hire(ANNA)
    made = office.invite(ANNA, **SECRET)
    office.cycle(anna)
    (row,) = office.agenda(ANNA)

    office.box.edit_event(ANNA, made["id"], {"visibility": "private"})
    office.edit(row.id, ANNA, location="Clinic, second floor")
    office.settle()

    assert office.agenda(ANNA) == []
    assert [e["location"] for e in office.events(ANNA)] == ["Clinic"]
    story = reporting.record_story(office.product.app, "activity", row.id)
    assert story[-1]["reason_code"] == "private_in_google"
    assert story[-1]["conflict"]["lost"] == [
        {"field": "location", "side": "crm", "value": "Clinic, second floor"}
    ]
