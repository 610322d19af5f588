"""Members who edit what somebody else organises, over HTTP: proposals, write-back."""

from __future__ import annotations

from typing import Any

import pytest

from crmsync.services import browsing, proposing
from tests.sandbox.harness import SandboxServer
from tests.support.office import Office, at
from tests.support.product import Product

ANNA, BEN, CARL = "anna@shop.example", "ben@shop.example", "carl@shop.example"
CUSTOMER = "jo@customer.example"

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def office(product: Product, box: SandboxServer) -> Office:
    return Office(product, box)


def one(found: list[Any]) -> Any:
    assert len(found) == 1, found
    return found[0]


@pytest.mark.rule("CAL-8", "HIS-6", "CAL-20")
def test_a_guests_proposal_is_accepted_and_reaches_everybody(office: Office) -> None:
    office.product.set("member_edit", "propose")
    for email in (ANNA, BEN):
        office.hire(email)
    event = office.invite(ANNA, BEN, CUSTOMER, location="Canteen")
    office.settle()
    office.box.forget_notifications()
    mine = one(office.agenda(BEN))

    office.edit(mine.id, BEN, location="Garden", start=at(0, 2))
    office.settle()

    assert office.activity(mine.id).values["location"] == "Canteen"
    assert len(office.events(BEN)) == 1
    asked = one(
        browsing.inbox(office.app, office.users[ANNA], everybody=False)["proposals"]
    )
    assert {change["field"] for change in asked.changes} == {"location", "start"}
    assert (
        browsing.inbox(office.app, office.users[BEN], everybody=False)["proposals"]
        == []
    )
    assert office.mails() == []

    proposing.accept(office.app, asked.proposal_id, actor=ANNA)
    office.settle()

    assert office.box.event(ANNA, event["id"])["location"] == "Garden"
    for email in (ANNA, BEN):
        values = one(office.agenda(email)).values
        assert (values["location"], values["start"]) == ("Garden", at(0, 2))
    assert {mail["recipient"] for mail in office.mails()} <= {BEN, CUSTOMER}
    story = browsing.story(office.app, office.users[BEN], mine.id)
    assert "proposal_accepted" in [item["reason_code"] for item in story]
    assert browsing.waiting_count(office.app, office.users[ANNA]) == 0


@pytest.mark.rule("CAL-8", "CAL-20")
@pytest.mark.parametrize("allowed", [True, False])
def test_a_guest_writes_back_where_google_lets_them(
    office: Office, allowed: bool
) -> None:
    office.product.set("member_edit", "write_back")
    for email in (ANNA, BEN):
        office.hire(email)
    event = office.invite(
        ANNA, BEN, CUSTOMER, location="Canteen", guestsCanModify=allowed
    )
    office.settle()
    office.box.forget_notifications()
    mine = one(office.agenda(BEN))

    office.edit(mine.id, BEN, location="Garden")
    office.settle()

    seen = office.box.event(ANNA, event["id"])
    waiting = proposing.waiting(office.app, office.users[ANNA].user_id)
    assert len(office.events(ANNA)) == len(office.events(BEN)) == 1
    assert seen["organizer"]["email"] == ANNA
    place = "Garden" if allowed else "Canteen"
    assert seen["location"] == place
    for email in (ANNA, BEN):
        assert one(office.agenda(email)).values["location"] == place
    assert len(waiting) == (0 if allowed else 1)
    heard = {mail["recipient"] for mail in office.mails()}
    assert heard == ({CUSTOMER} if allowed else set())


@pytest.mark.rule("CAL-11")
def test_a_members_separate_event_writes_back_to_the_original(office: Office) -> None:
    office.product.set("member_edit", "write_back")
    office.hire(ANNA, syncs=False)
    for email in (BEN, CARL):
        office.hire(email)
    activity = office.plan(ANNA, BEN, CARL)
    office.settle()

    event = one(office.events(BEN))
    office.box.edit_event(BEN, event["id"], {"location": "Garden"})
    office.settle()

    assert office.activity(activity).values["location"] == "Garden"
    assert one(office.events(CARL))["location"] == "Garden"
    assert office.mails() == []
