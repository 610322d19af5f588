"""A site per test; one Chromium per test worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.sandbox.harness import SandboxServer
from tests.web.browsing import Desk
from tests.web.site import ANNA, BEN, Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Return pages whose Google nobody asks."""
    made = Site(tmp_path)
    yield made
    made.close()


@pytest.fixture
def box() -> Iterator[SandboxServer]:
    options = ("--quota", "off", "--delay", "0", "--account", ANNA, "--account", BEN)
    with SandboxServer(*options) as server:
        yield server


@pytest.fixture
def google_site(tmp_path: Path, box: SandboxServer) -> Iterator[Site]:
    """Return pages with a Google, served where Google sends people back to."""
    made = Site(tmp_path, box.url)
    with made.served():
        yield made
    made.close()


@pytest.fixture
def open_desk(browser: Browser) -> Iterator[Callable[..., Desk]]:
    """Return what opens a browser window on a site; no page may complain."""
    desks: list[Desk] = []

    def opened(url: str, **options: Any) -> Desk:
        desks.append(Desk(browser, url, **options))
        return desks[-1]

    yield opened
    complaints = [complaint for desk in desks for complaint in desk.complaints]
    for desk in desks:
        desk.close()
    assert complaints == []
