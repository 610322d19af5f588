"""Each test gets accounts of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from tests.sandbox.gmail.client import Letters
from tests.sandbox.harness import MAIL, SandboxServer

_numbers = itertools.count(1)


@pytest.fixture
def new_mail(box: SandboxServer) -> Iterator[Callable[..., Letters]]:
    made: list[Letters] = []

    def make(*scopes: str, email: str = "") -> Letters:
        address = email or f"mail{next(_numbers)}@x.example"
        box.account(address)
        made.append(Letters(box, address, scopes or (MAIL,)))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def anna(new_mail: Callable[..., Letters]) -> Letters:
    return new_mail()


@pytest.fixture
def ben(new_mail: Callable[..., Letters]) -> Letters:
    return new_mail()
