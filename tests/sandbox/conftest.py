"""One sandbox for each worker; each test gets an account of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from tests.sandbox.client import User
from tests.sandbox.harness import CONTACTS, SandboxServer

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[SandboxServer]:
    with SandboxServer("--account", "first@x.example=First User") as running:
        running.defaults = running.switches()
        yield running


@pytest.fixture
def box(server: SandboxServer) -> Iterator[SandboxServer]:
    """The sandbox with its own defaults, except that feeds are not late."""
    server.switch(**{**server.defaults, "delay": 0.0, "concurrent_latency": 0.02})
    yield server
    server.clear_faults()
    server.reset_quotas()


@pytest.fixture
def new_user(box: SandboxServer) -> Iterator[Callable[..., User]]:
    made: list[User] = []

    def make(*scopes: str) -> User:
        address = f"user{next(_numbers)}@x.example"
        box.account(address)
        made.append(User(box, address, scopes or (CONTACTS,)))
        return made[-1]

    yield make
    for user in made:
        user.close()


@pytest.fixture
def anna(new_user: Callable[..., User]) -> User:
    return new_user()


@pytest.fixture
def someone(box: SandboxServer) -> str:
    """The address of an account that has allowed nothing yet."""
    address = f"consenting{next(_numbers)}@x.example"
    box.account(address, "Con Senting")
    return address
