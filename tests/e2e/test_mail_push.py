"""Gmail rings: who is believed, and what a notification brings about (MAIL-11)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crmsync.services.syncing import Order, run_kinds
from crmsync.storage import people
from crmsync.storage.people import User
from tests.e2e.conftest import ANNA
from tests.sandbox.harness import TOPIC, SandboxServer
from tests.support.installation import wait_for
from tests.web.site import Site

PUSHER = "pusher@demo.iam.gserviceaccount.example"
SEND = "Infor CRM/Send To CRM"
LETTER = b"From: ada@client.example\r\nTo: anna@shop.example\r\n\r\nHello"


class Bell:
    """A served installation whose mailbox notifies it."""

    def __init__(self, site: Site, box: SandboxServer, *, email: str = PUSHER) -> None:
        self.site, self.box = site, box
        self.user: User = site.product.add_user(ANNA)
        site.product.connect(self.user, service="google_mail")
        endpoint = f"{site.url}/push/gmail"
        box.push_to(endpoint, audience=endpoint, email=email)

    @property
    def pair(self) -> str:
        return f"{self.user.user_id}:mail"

    def cycle(self) -> dict[str, Any]:
        return run_kinds(self.site.app, self.user, ["mail"], Order(accepts=True))[0]

    def is_due(self) -> bool:
        due = people.timing_of(self.site.app.database, self.pair).next_due_at
        return due is not None and due <= self.site.app.clock.now()

    def deliveries(self) -> list[int]:
        """What we answered to what Google sent."""
        found = self.box.pushes()["deliveries"]
        return [row["status"] for row in found if row["what"] == "sent"]

    def hears(self) -> list[int]:
        """Run a first cycle; returns what was answered to its first notification."""
        self.cycle()
        wait_for(lambda: bool(self.deliveries()), 10, lambda: str(self.box.pushes()))
        return self.deliveries()


@pytest.fixture
def site(tmp_path: Path, box: SandboxServer) -> Iterator[Site]:
    made = Site(tmp_path, box.url, pubsub_topic=TOPIC, pubsub_service_account=PUSHER)
    yield made
    made.close()


@pytest.mark.rule("MAIL-11")
def test_a_labelled_message_makes_its_mailbox_due_at_once(
    site: Site, box: SandboxServer
) -> None:
    bell = Bell(site, box)
    with site.served():
        assert bell.hears() == [204]
        bell.cycle()
        assert not bell.is_due()

        mail = box.deliver(ANNA, LETTER)
        box.label(ANNA, mail["id"], SEND)

        wait_for(bell.is_due, 10, lambda: str(box.pushes()))
    assert bell.cycle()["counts"]["missing"] == 1
    assert set(bell.deliveries()) == {204}


@pytest.mark.rule("MAIL-11")
def test_a_watch_is_asked_for_once_a_day_and_the_poll_is_rare_with_it(
    site: Site, box: SandboxServer
) -> None:
    bell = Bell(site, box)
    bell.cycle()

    again = bell.cycle()

    assert again["requests"]["google"] == 1
    assert len(box.requests(account=ANNA, path="/watch$")) == 1
    due = people.timing_of(site.app.database, bell.pair).next_due_at
    assert due is not None
    assert (due - site.app.clock.now()).total_seconds() > 600


@pytest.mark.rule("MAIL-11")
def test_a_notification_of_somebody_else_is_refused(
    site: Site, box: SandboxServer
) -> None:
    bell = Bell(site, box, email="somebody@else.iam.gserviceaccount.example")
    with site.served():
        assert bell.hears() == [403]


@pytest.mark.rule("MAIL-11")
@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer x.y.z", "Basic YTpi", "Bearer " + "e" * 9000],
)
def test_a_forged_notification_is_refused_and_does_nothing(
    site: Site, authorization: str
) -> None:
    named = base64.b64encode(json.dumps({"emailAddress": ANNA}).encode()).decode()
    body = {"message": {"data": named, "messageId": "1"}, "subscription": "s"}

    answer = site.web.test_client().post(
        "/push/gmail", json=body, headers={"Authorization": authorization}
    )

    assert (answer.status_code, answer.data) == (403, b"")
