"""Alerts by e-mail, through a real mail server on loopback (AUTH-7, ADM-3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as MessageHandler

from cli.demo import free_port
from crmsync.errors import ConfigError
from crmsync.services import accounts, alerting
from crmsync.storage.people import User
from tests.e2e.conftest import ANNA
from tests.e2e.test_contacts_over_http import hurry
from tests.sandbox.harness import SandboxServer
from tests.support.product import Product
from tests.support.redis_server import RedisServer
from tests.worker.steps import select_people, set_pair, work_to_the_end

BOSS = "boss@shop.example"


@dataclass
class MailServer:
    """A mail server that keeps what it takes; it can be switched off and on."""

    port: int = 0
    messages: list[Message] = field(default_factory=list)
    controller: Any = None

    def start(self) -> None:
        kept = self.messages

        class Keep(MessageHandler):
            def handle_message(self, message: Message) -> None:
                kept.append(message)

        self.port = self.port or free_port()
        self.controller = Controller(Keep(), hostname="127.0.0.1", port=self.port)
        self.controller.start()

    def stop(self) -> None:
        if self.controller is not None:
            self.controller.stop()
            self.controller = None

    def told(self) -> list[tuple[str, str]]:
        return [(str(m["To"]), str(m["Subject"])) for m in self.messages]


@pytest.fixture
def mail() -> Iterator[MailServer]:
    server = MailServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def product(
    tmp_path: Path, box: SandboxServer, redis: RedisServer, mail: MailServer
) -> Iterator[Product]:
    variables = {
        "redis_url": redis.url,
        "smtp_url": f"smtp://127.0.0.1:{mail.port}",
        "mail_from": "crm-sync@shop.example",
    }
    made = Product(tmp_path, box.url, variables=variables)
    made.set("first_cycle", "run")
    accounts.add_user(made.app, BOSS, name="Boss", is_admin=True)
    yield made
    made.close()


@pytest.mark.timeout(60)
@pytest.mark.rule("AUTH-7", "ADM-3")
def test_a_dead_grant_is_told_to_the_user_and_the_admin_once(
    product: Product, anna: User, box: SandboxServer, mail: MailServer
) -> None:
    select_people(product, 1)
    box.revoke(ANNA)
    work_to_the_end(product, anna)

    alerting.look(product.app)
    alerting.look(product.app)

    subject = "CRM Sync: Google Sync needs to be authorised again"
    assert mail.told() == [(ANNA, subject), (BOSS, subject)]
    assert "/options/services" in str(mail.messages[0].get_payload())
    product.connect(anna)
    box.revoke(ANNA)
    set_pair(product, anna, next_due_at=None)
    work_to_the_end(product, anna)
    alerting.look(product.app)
    assert len(mail.told()) == 4


@pytest.mark.timeout(60)
@pytest.mark.rule("ADM-3", "ENG-6")
def test_a_held_cycle_is_told_to_its_user(
    product: Product, anna: User, mail: MailServer
) -> None:
    product.set("first_cycle", "preview")
    select_people(product, 1)
    work_to_the_end(product, anna)

    alerting.look(product.app)

    assert mail.told() == [(ANNA, "CRM Sync: contacts waits for your decision")]
    assert "/history/" in str(mail.messages[0].get_payload())


@pytest.mark.timeout(60)
@pytest.mark.rule("ADM-3", "ENG-8")
def test_the_third_failure_in_a_row_is_told_to_the_admins_once(
    product: Product, anna: User, box: SandboxServer, mail: MailServer
) -> None:
    select_people(product, 1)
    hurry(product)
    box.fault({"type": "status", "error": "rate"}, path="/v1/people")
    told = []
    for _ in range(4):
        set_pair(product, anna, next_due_at=None)
        work_to_the_end(product, anna)
        told.append(len(alerting.look(product.app)))

    assert told == [0, 0, 1, 0]
    assert mail.told() == [(BOSS, f"CRM Sync: contacts of {ANNA} fails repeatedly")]


@pytest.mark.timeout(60)
@pytest.mark.rule("ADM-3")
def test_a_mail_server_that_is_away_is_tried_again(
    product: Product, anna: User, mail: MailServer
) -> None:
    product.set("first_cycle", "preview")
    select_people(product, 1)
    work_to_the_end(product, anna)
    mail.stop()

    assert alerting.look(product.app) == []
    mail.start()
    assert len(alerting.look(product.app)) == 1


@pytest.mark.rule("ADM-3")
@pytest.mark.parametrize(
    "variables",
    [
        {"smtp_url": "http://mail", "mail_from": "a@b.example"},
        {"smtp_url": "smtp://mail", "mail_from": ""},
    ],
)
def test_a_wrong_mail_server_is_refused_at_start(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    with pytest.raises(ConfigError, match=r"SMTP_URL|MAIL_FROM"):
        Product(tmp_path, "http://127.0.0.1:9", variables=variables)
