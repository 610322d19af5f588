"""Events that go over to a new leader, or are converted, over HTTP (CAL-25)."""

from __future__ import annotations

from typing import Any

import pytest

from crmsync.errors import UsageError
from crmsync.services import browsing, turning
from crmsync.services.disconnecting import disconnect
from tests.sandbox.harness import SandboxServer
from tests.support.office import Office
from tests.support.product import Product

ANNA, BEN, CARL = "anna@shop.example", "ben@shop.example", "carl@shop.example"

pytestmark = [pytest.mark.timeout(120), pytest.mark.rule("CAL-25", "CAL-20")]


@pytest.fixture
def office(product: Product, box: SandboxServer) -> Office:
    return Office(product, box)


def one(found: list[Any]) -> Any:
    assert len(found) == 1, found
    return found[0]


def share(office: Office) -> str:
    """Let Anna share an event with Ben and Carl."""
    for email in (ANNA, BEN, CARL):
        office.hire(email)
    activity = office.plan(ANNA, BEN, CARL)
    office.settle()
    office.box.forget_notifications()
    return activity


def organizer(office: Office, email: str) -> str:
    return str(one(office.events(email))["organizer"]["email"])


@pytest.mark.parametrize("first", [ANNA, BEN, CARL])
@pytest.mark.parametrize("stays", [True, False])
def test_a_new_leader_takes_the_event_over_without_a_word(
    office: Office, first: str, stays: bool
) -> None:
    activity = share(office)

    office.lead(activity, BEN, without=() if stays else (ANNA,))
    office.cycle(office.users[first])
    office.settle()

    members = (ANNA, BEN, CARL) if stays else (BEN, CARL)
    assert {organizer(office, email) for email in members} == {BEN}
    if not stays:
        assert office.events(ANNA) == []
    assert [row.id for row in office.agenda(CARL)] == [activity]
    mine = office.activity(activity).participant(office.crm_id(CARL))
    assert mine is not None
    assert mine.answer != "declined"
    assert office.mails() == []

    office.edit(activity, CARL, location="Garden")
    office.settle()
    for email in members:
        assert one(office.events(email))["location"] == "Garden"


def test_a_leader_who_stops_leaves_the_event_until_somebody_converts_it(
    office: Office,
) -> None:
    activity = share(office)
    disconnect(office.app, office.users[ANNA], "google_sync", keep_links=True)

    office.edit(activity, BEN, location="Garden")
    office.settle()

    assert organizer(office, BEN) == ANNA
    assert "location" not in one(office.events(BEN))
    entry = one(turning.stopped(office.app, office.users[BEN].user_id))
    assert entry.leader == "anna"
    assert [found["id"] for found in entry.activities] == [activity]
    before = turning.preview(office.app, activity)
    assert not before.is_shared
    assert [(step.user, step.leaves) for step in before.steps] == [
        ("anna", False),
        ("ben", True),
        ("carl", True),
    ]

    turning.convert(office.app, activity, actor="admin")
    office.settle()

    for email in (BEN, CARL):
        assert organizer(office, email) == email
        assert one(office.events(email))["location"] == "Garden"
    assert len(office.events(ANNA)) == 1
    assert turning.stopped(office.app) == []
    assert office.mails() == []
    with pytest.raises(UsageError, match="as they should be"):
        turning.convert(office.app, activity, actor="admin")

    office.product.connect(office.users[ANNA])
    office.settle()
    assert [len(office.events(email)) for email in (ANNA, BEN, CARL)] == [1, 1, 1]
    assert office.mails() == []


def test_a_leader_who_starts_later_gets_the_shared_event_by_converting(
    office: Office,
) -> None:
    office.hire(ANNA, syncs=False)
    for email in (BEN, CARL):
        office.hire(email)
    activity = office.plan(ANNA, BEN, CARL)
    office.settle()
    office.product.connect(office.users[ANNA])
    office.settle()
    assert organizer(office, BEN) == BEN
    assert turning.preview(office.app, activity).is_shared

    turning.convert(office.app, activity, actor="admin")
    office.settle()

    assert {organizer(office, email) for email in (ANNA, BEN, CARL)} == {ANNA}
    assert [row.id for row in office.agenda(BEN)] == [activity]
    assert office.mails() == []
    assert browsing.waiting_count(office.app, office.users[BEN]) == 0


def test_an_event_made_in_google_stays_its_organisers(office: Office) -> None:
    for email in (ANNA, BEN):
        office.hire(email)
    event = office.invite(ANNA, BEN)
    office.settle()
    office.box.forget_notifications()
    activity = one(office.agenda(ANNA)).id

    office.lead(activity, BEN)
    office.settle()

    assert [e["id"] for e in office.events(ANNA)] == [event["id"]]
    assert [e["id"] for e in office.events(BEN)] == [event["id"]]
    assert office.mails() == []
    with pytest.raises(UsageError, match="made in Google"):
        turning.preview(office.app, activity)
