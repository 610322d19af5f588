"""A new user's first quarter of an hour, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support.installation import Installation
from tests.support.journey import Journey
from tests.web.browsing import Desk


@pytest.mark.timeout(300)
@pytest.mark.rule(
    "WEB-1", "WEB-2", "AUTH-1", "AUTH-3", "CON-1", "CON-2", "CON-11", "HIS-2", "HIS-3"
)
def test_a_new_user_comes_from_sign_in_to_a_restored_value(
    tmp_path: Path, browser: Browser
) -> None:
    installation = Installation(tmp_path)
    try:
        installation.wait_until_up()
        desk = Desk(browser, installation.variables["PUBLIC_URL"])
        Journey(desk, installation, lambda _page, _name: None).walk()
        desk.close()
        assert desk.complaints == []
    finally:
        installation.end()
