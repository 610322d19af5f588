"""Each test gets accounts of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from tests.sandbox.harness import TASKS, SandboxServer
from tests.sandbox.tasks.client import ToDo

_numbers = itertools.count(1)


@pytest.fixture
def new_todo(box: SandboxServer) -> Iterator[Callable[..., ToDo]]:
    made: list[ToDo] = []

    def make(*scopes: str) -> ToDo:
        address = f"todo{next(_numbers)}@x.example"
        box.account(address)
        made.append(ToDo(box, address, scopes or (TASKS,)))
        return made[-1]

    yield make
    for todo in made:
        todo.close()


@pytest.fixture
def anna(new_todo: Callable[..., ToDo]) -> ToDo:
    return new_todo()
