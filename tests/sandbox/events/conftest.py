"""Each test gets accounts of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from tests.sandbox.events.client import Diary
from tests.sandbox.harness import CALENDAR, SandboxServer

_numbers = itertools.count(1)


@pytest.fixture
def new_diary(box: SandboxServer) -> Iterator[Callable[..., Diary]]:
    box.switch(quota=False)
    made: list[Diary] = []

    def make(*scopes: str, email: str = "") -> Diary:
        address = email or f"diary{next(_numbers)}@x.example"
        box.account(address)
        made.append(Diary(box, address, scopes or (CALENDAR,)))
        return made[-1]

    yield make
    for diary in made:
        diary.close()


@pytest.fixture
def anna(new_diary: Callable[..., Diary]) -> Diary:
    return new_diary()


@pytest.fixture
def ben(new_diary: Callable[..., Diary]) -> Diary:
    return new_diary()


@pytest.fixture
def clara(new_diary: Callable[..., Diary]) -> Diary:
    return new_diary()
