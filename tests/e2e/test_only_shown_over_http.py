"""What the CRM only shows, over HTTP: nothing of it is ever written to Google."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from crmsync.services import settings
from crmsync.services.checking import check
from crmsync.storage import people
from tests.sandbox.harness import SandboxServer
from tests.support.office import Office, at, slot
from tests.support.product import Product

ANNA, BEN = "anna@shop.example", "ben@shop.example"
BASIC = str.maketrans("", "", "-:")
SINGLE_DATES = [f"RDATE:{at(2).translate(BASIC)},{at(5).translate(BASIC)}"]

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def office(product: Product, box: SandboxServer) -> Office:
    return Office(product, box)


def starts(office: Office, email: str) -> dict[str, str]:
    return {row.values["start"]: row.imported for row in office.agenda(email)}


def as_they_are(events: list[dict[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {event["id"]: event for event in events}


@pytest.mark.rule("CAL-17", "CAL-20", "CAL-14")
def test_a_series_of_single_dates_is_shown_to_who_organises_and_who_is_invited(
    office: Office,
) -> None:
    anna, ben = office.hire(ANNA), office.hire(BEN)
    made = office.invite(ANNA, BEN, recurrence=SINGLE_DATES)
    before = as_they_are(office.events(ANNA) + office.events(BEN))

    office.settle()

    for email in (ANNA, BEN):
        shown = starts(office, email)
        assert len(shown) == 3
        assert set(shown.values()) == {"a series in Google that the CRM cannot express"}
        assert len(office.agenda(email)) == 3

    first, second, third = office.agenda(ANNA)
    office.drop(first.id, ANNA)
    office.complete(second.id, ANNA)
    office.settle()
    assert [row.id for row in office.agenda(ANNA)] == [third.id]
    assert as_they_are(office.events(ANNA) + office.events(BEN)) == before

    lines = [*SINGLE_DATES, "RRULE:FREQ=DAILY;COUNT=2"]
    office.box.edit_event(ANNA, made["id"], {"recurrence": lines})
    office.cycle(anna)
    office.cycle(ben)
    assert [row.imported for row in office.agenda(BEN)] == [""]

    office.box.delete_event(ANNA, made["id"])
    office.settle()
    assert office.agenda(ANNA) == office.agenda(BEN) == []
    assert office.mails() == []


@pytest.mark.rule("CAL-23", "CAL-20")
def test_a_colleagues_calendar_is_shown_with_its_series(office: Office) -> None:
    anna = office.hire(ANNA)
    for day in range(3):
        office.plan(ANNA, subject="Mine", start=at(day))
    office.box.account(BEN)
    team = office.box.new_calendar(BEN, "Team")["id"]
    office.box.share_calendar(BEN, team, ANNA, "reader")
    rule = {"recurrence": ["RRULE:FREQ=DAILY;COUNT=5"]}
    series = office.box.create_event(
        BEN, {"summary": "Stand-up", **slot(at()), **rule}, calendar=team
    )
    settings.put(
        office.app,
        "further_calendars",
        f"{team} Team",
        user_id=anna.user_id,
        actor="test",
    )
    office.cycle(anna)
    moved = next(
        event["id"]
        for event in office.box.events(BEN, calendar=team, expand="true")
        if event["id"] != series["id"]
    )
    office.box.edit_event(BEN, moved, {"summary": "Moved"}, calendar=team)
    before = as_they_are(office.box.events(BEN, calendar=team))

    office.cycle(anna)

    shown = {r.values["subject"]: r for r in office.agenda(ANNA) if r.imported}
    assert shown.keys() == {"Stand-up", "Moved"}
    assert shown["Moved"].parent_id == shown["Stand-up"].id
    assert {row.imported for row in shown.values()} == {"the calendar Team"}
    report = office.cycle(anna)
    assert report["requests"]["google"] == 2
    assert as_they_are(office.box.events(BEN, calendar=team)) == before
    assert {event["summary"] for event in office.events(ANNA)} == {"Mine"}
    found = check(office.app)
    assert found["ok"], found

    office.drop(shown["Stand-up"].id, ANNA)
    office.cycle(anna)
    office.box.edit_event(BEN, moved, {"summary": "Moved again"}, calendar=team)
    office.cycle(anna)
    assert {row.values["subject"] for row in office.agenda(ANNA)} == {"Mine"}
    assert len(office.box.events(BEN, calendar=team)) == 2
    pair = people.pair_of(office.app.database, anna.user_id, "calendar")
    assert people.link_count(office.app.database, pair.pair_id) == 3
