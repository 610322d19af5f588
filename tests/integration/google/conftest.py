"""One sandbox per worker, an account per test, and a quick transport."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crmsync.connectors.google.adapter import GoogleHttp
from crmsync.connectors.google.contacts import ContactsOptions, GoogleContacts
from crmsync.connectors.google.service import GoogleEndpoints
from crmsync.connectors.transport import Budget, Nature, Transport
from crmsync.ports import NewRecord, Page
from crmsync.records.contacts import FIELDS
from crmsync.records.remote import Remote
from crmsync.records.values import FieldTable
from tests.sandbox.harness import SandboxServer

TABLE = FieldTable(FIELDS)
_numbers = itertools.count(1)


@dataclass
class Shifted:
    """The real time, moved by a test."""

    by: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.by


@dataclass
class FixedTokens:
    """Access tokens given by hand."""

    tokens: list[str]

    def token(self) -> str:
        return self.tokens[0]

    def renewed(self, refused: str) -> str:
        if len(self.tokens) > 1 and self.tokens[0] == refused:
            self.tokens.pop(0)
        return self.tokens[0]


@dataclass
class Account:
    """One Google account in the sandbox with the product's side on top."""

    box: SandboxServer
    email: str
    clock: Shifted
    transport: Transport
    options: ContactsOptions = field(default_factory=ContactsOptions)
    memo: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.side = self.new_side()

    def new_side(self, **options: Any) -> GoogleContacts:
        token = self.box.token(self.email)["access_token"]
        http = GoogleHttp(self.transport, FixedTokens([token]), api="people")
        endpoints = GoogleEndpoints.from_root(self.box.url)
        chosen = ContactsOptions(account_id=self.email, installation="inst", **options)
        return GoogleContacts(
            http, endpoints.people, table=TABLE, clock=self.clock, options=chosen
        )

    def open(self, *, verify: bool = True, may_write: bool = True) -> bool:
        opened = self.side.open(self.memo, verify=verify, may_write=may_write)
        self.memo = dict(opened.memo)
        return opened.was_restored

    def read(self, cursor: str | None = None) -> tuple[dict[str, Remote], str]:
        pages: list[Page] = list(self.side.read(cursor))
        assert pages[-1].cursor
        assert not any(page.cursor for page in pages[:-1])
        found = {r.remote_id: r for page in pages for r in page.records}
        return found, pages[-1].cursor

    def make(self, *values: dict[str, str]) -> list[Remote]:
        records = [
            NewRecord(f"1|inst|u|c{n}|{next(_numbers)}", v)
            for n, v in enumerate(values)
        ]
        made = [outcome.remote for outcome in self.side.create(records)]
        self.box.settle(self.email)
        return [remote for remote in made if remote is not None]

    def by_hand(self, **fields: Any) -> str:
        return str(self.box.create_person(self.email, fields)["resourceName"])

    def person(self, name: str) -> dict[str, Any]:
        return self.box.person(self.email, name)

    def writes(self) -> list[dict[str, Any]]:
        return [
            entry
            for entry in self.box.requests(account=self.email)
            if entry["method"] != "GET"
        ]


@pytest.fixture(scope="session")
def server() -> Iterator[SandboxServer]:
    with SandboxServer("--account", "first@x.example=First User") as running:
        running.defaults = running.switches()
        yield running


@pytest.fixture
def box(server: SandboxServer) -> Iterator[SandboxServer]:
    server.switch(**{**server.defaults, "delay": 0.0, "quota": False})
    yield server
    server.clear_faults()
    server.clear_log()


@pytest.fixture
def clock() -> Shifted:
    return Shifted()


@pytest.fixture
def transport() -> Iterator[Transport]:
    made = Transport(Budget(timeout_seconds=3.0), Nature(sleep=lambda _seconds: None))
    yield made
    made.close()


@pytest.fixture
def new_account(
    box: SandboxServer, clock: Shifted, transport: Transport
) -> Callable[[], Account]:
    def make() -> Account:
        email = f"side{next(_numbers)}@x.example"
        box.account(email)
        return Account(box, email, clock, transport)

    return make


@pytest.fixture
def anna(new_account: Callable[[], Account]) -> Account:
    account = new_account()
    account.open()
    return account
