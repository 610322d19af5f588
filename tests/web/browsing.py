"""A real browser, and what every page must be able to stand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    ViewportSize,
    sync_playwright,
)

from tests.web.site import ANNA, PASSWORD

CHROMIUM = "/usr/bin/chromium"
SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1280, "height": 860}
_GRAVE = {"serious", "critical"}


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium; a context of it begins without cookies and history."""
    executable = CHROMIUM if Path(CHROMIUM).exists() else None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=list(SWITCHES)
        )
        try:
            yield browser
        finally:
            browser.close()


class Desk:
    """One person's browser window, which notes what pages complain about."""

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        settings: dict[str, Any] = {"viewport": DESK, **options}
        self.context: BrowserContext = browser.new_context(base_url=url, **settings)
        self.complaints: list[str] = []
        self.context.on("page", self._listen)
        self.page: Page = self.context.new_page()

    def _listen(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._note)

    def _note(self, message: Any) -> None:
        # A page that is an error on purpose is no complaint; a refused script is.
        if message.type == "error" and "the server responded" not in message.text:
            self.complaints.append(message.text)

    def sign_in(self, email: str = ANNA, password: str = PASSWORD) -> Page:
        self.page.goto("/login")
        self.page.get_by_label("E-mail address").fill(email)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in", exact=True).click()
        self.page.wait_for_load_state()
        return self.page

    def close(self) -> None:
        self.context.close()


def assert_accessible(page: Page) -> None:
    """Check a page with axe: nothing serious, nothing critical (WEB-4)."""
    found = Axe().run(page).response["violations"]
    grave = [
        (violation["id"], [node["html"] for node in violation["nodes"]][:3])
        for violation in found
        if violation["impact"] in _GRAVE
    ]
    assert grave == [], grave


def assert_fits(page: Page) -> None:
    """Check that a page needs no scrolling to the side (WEB-4)."""
    wide = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert wide <= 0, f"{page.url} is {wide} pixels too wide"
