"""What all tests share: a database of its own for each test that asks for one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support import postgres
from tests.web.browsing import chromium

NewUrl = Callable[[], str]
"""Makes a fresh database and returns its URL; it is gone after the test."""

DATABASES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium per test worker; a second Playwright beside it cannot start."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> postgres.Server:
    """The PostgreSQL server of this test run; all workers share it."""
    base = tmp_path_factory.getbasetemp()
    return postgres.shared(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base)


@pytest.fixture(params=DATABASES)
def backend(request: pytest.FixtureRequest) -> str:
    """The kind of database; a test that asks for one runs on each."""
    return str(request.param)


def _urls(
    request: pytest.FixtureRequest, folder: Path, backend: str, template: str
) -> Iterator[NewUrl]:
    with ExitStack() as stack:
        made: list[str] = []

        def new_url() -> str:
            if backend == "sqlite":
                made.append(f"sqlite:///{folder / f'data{len(made)}.db'}")
                return made[-1]
            server: postgres.Server = request.getfixturevalue("postgresql")
            made.append(server.create(template=template))
            stack.callback(server.drop, made[-1])
            return made[-1]

        yield new_url


@pytest.fixture
def new_url(
    request: pytest.FixtureRequest, tmp_path: Path, backend: str
) -> Iterator[NewUrl]:
    """Makes databases for a test; on PostgreSQL the tables are there already."""
    yield from _urls(request, tmp_path, backend, postgres.TEMPLATE)


@pytest.fixture
def new_empty_url(
    request: pytest.FixtureRequest, tmp_path: Path, backend: str
) -> Iterator[NewUrl]:
    """Makes databases without a table."""
    yield from _urls(request, tmp_path, backend, "template0")
