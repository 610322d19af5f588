"""A new user's way through the product, in a real browser, from sign-in to restore.

The test walks it; `make screenshots` walks it too and keeps a picture of each stop.

Usage: python -m tests.support.journey FOLDER
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Page, expect

from cli.demo import NEWCOMER, PASSWORD
from tests.support import pictures
from tests.support.installation import Installation
from tests.web.browsing import Desk, chromium

Shoot = Callable[[Page, str], None]
PATIENCE = 30_000
PICTURES = (
    "services",
    "provider-token",
    "contacts",
    "options",
    "preview",
    "first-cycle",
    "conflict",
    "restored",
    "history",
)
"""What docs/tour.md shows."""
GROUP = "My customers"
IN_THE_CRM, IN_GOOGLE = "Head of Purchasing", "Purchasing Director"


class Journey:
    """Clara's first day."""

    def __init__(self, desk: Desk, installation: Installation, shoot: Shoot) -> None:
        self.desk = desk
        self.page = desk.page
        self.google = f"http://127.0.0.1:{installation.google}/_sandbox/panel"
        self.shoot = shoot
        self.name = ""
        expect.set_options(timeout=PATIENCE)

    def walk(self) -> None:
        self.sign_in()
        self.authorize()
        self.save_a_group()
        self.choose_the_group()
        self.preview_and_accept()
        self.edit_on_both_sides()
        self.see_the_conflict_and_restore()

    def sign_in(self) -> None:
        self.page.goto("/login")
        self.shoot(self.page, "sign-in")
        self.desk.sign_in(NEWCOMER[0], PASSWORD)
        self.shoot(self.page, "home")

    def authorize(self) -> None:
        self.page.goto("/options/services")
        self.shoot(self.page, "services")
        with self.page.expect_popup() as opened:
            self.page.get_by_role("button", name="Authorize").first.click()
        window = opened.value
        window.get_by_role("button", name=NEWCOMER[1]).click()
        for box in window.get_by_role("checkbox").all():
            box.check()
        self.shoot(window, "consent")
        with window.expect_event("close"):
            window.get_by_role("button", name=re.compile("Continue|Allow")).click()
        expect(self.page.get_by_label("User Email")).to_have_value(NEWCOMER[0])
        self.shoot(self.page, "provider-token")
        self.page.get_by_role("button", name="OK").click()
        authorized = self.page.get_by_role("button", name="Authorized")
        expect(authorized.first).to_be_visible()
        self.shoot(self.page, "services-authorized")

    def save_a_group(self) -> None:
        """Select six contacts, as in any list: a click, then Shift and a click."""
        self.page.get_by_role("link", name="Contacts", exact=True).first.click()
        rows = self.page.locator("#contacts tbody tr")
        rows.nth(0).locator("td").nth(2).click()
        rows.nth(5).locator("td").nth(2).click(modifiers=["Shift"])
        expect(self.page.get_by_text("6 chosen")).to_be_visible()
        self.shoot(self.page, "contacts")
        self.page.get_by_role("button", name="Save Records as Group").click()
        self.page.get_by_label("Name of the group").fill(GROUP)
        self.page.get_by_role("button", name="OK", exact=True).click()
        expect(self.page.get_by_role("heading", name=GROUP).first).to_be_visible()
        self.shoot(self.page, "group")

    def choose_the_group(self) -> None:
        self.page.goto("/options")
        group = self.page.get_by_label("Contact Sync Group")
        entry = group.locator("option", has_text=GROUP)
        group.select_option(value=entry.get_attribute("value"))
        self.page.get_by_role("button", name="Save").first.click()
        expect(self.page.get_by_role("button", name="Preview").first).to_be_visible()
        self.shoot(self.page, "options")

    def preview_and_accept(self) -> None:
        self.page.get_by_role("button", name="Preview").first.click()
        accept = self.page.get_by_role("button", name="Accept and start")
        expect(accept).to_be_visible()
        self.shoot(self.page, "preview")
        accept.click()
        self.page.wait_for_url(re.compile("/history/"), timeout=PATIENCE)
        expect(self.page.get_by_text("Done", exact=True).first).to_be_visible()
        self.shoot(self.page, "first-cycle")

    def edit_on_both_sides(self) -> None:
        """Give one contact a job title in the CRM and another one in Google."""
        self.page.goto("/contacts")
        first = self.page.locator("#contacts tbody tr").nth(1).locator("a.row-name")
        self.name = first.inner_text()
        first.click()
        self.page.get_by_role("link", name="Edit").first.click()
        self.page.get_by_label("Title", exact=True).fill(IN_THE_CRM)
        self.shoot(self.page, "edit")
        self.page.get_by_role("button", name="Save").first.click()
        google = self.desk.context.new_page()
        google.goto(f"{self.google}/{NEWCOMER[0]}?q={self.name.split(', ')[0]}")
        google.locator("a.row").first.click()
        google.get_by_label("Job title").fill(IN_GOOGLE)
        self.shoot(google, "google")
        with google.expect_navigation():  # a page that is on its way may never close
            google.get_by_role("button", name="Save").click()
        google.close()

    def see_the_conflict_and_restore(self) -> None:
        # Google's feed is a little late: both edits are to meet in one cycle.
        self.page.wait_for_timeout(3000)
        self.page.goto("/options")
        self.page.get_by_role("button", name="Sync now").first.click()
        self._wait_for_conflict()
        lost = self.page.get_by_text(IN_THE_CRM).first
        expect(lost).to_be_visible()
        lost.scroll_into_view_if_needed()
        self.shoot(self.page, "conflict")
        self.page.get_by_role("button", name="Restore").first.click()
        expect(self.page.get_by_text("Restored.")).to_be_visible()
        self.shoot(self.page, "restored")
        self.page.goto("/history")
        self.shoot(self.page, "history")

    def _wait_for_conflict(self) -> None:
        """Open the newest cycle with a conflict; Google's feed is a little late."""
        deadline = time.monotonic() + PATIENCE / 1000
        while True:
            self.page.goto("/history?conflicts=1")
            rows = self.page.locator("#cycles a.row-name")
            if rows.count():
                rows.first.click()
                self.page.wait_for_url(re.compile("/history/"), timeout=PATIENCE)
                self.page.goto(f"{self.page.url}?conflicts=1")
                return
            assert time.monotonic() < deadline, "no conflict was found"
            self.page.goto("/options")
            button = self.page.get_by_role("button", name="Sync now").first
            if button.is_enabled():
                button.click()
            self.page.wait_for_timeout(1000)


def main() -> int:
    """Walk with a camera."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)

    def shoot(page: Page, name: str) -> None:
        page.wait_for_load_state()
        if name not in PICTURES:
            return
        page.screenshot(path=folder / f"{name}.png")

    with TemporaryDirectory(prefix="journey-") as place, chromium() as browser:
        installation = Installation(Path(place))
        try:
            installation.wait_until_up()
            desk = Desk(browser, installation.variables["PUBLIC_URL"])
            Journey(desk, installation, shoot).walk()
            desk.close()
            pictures.take(browser, installation.variables["PUBLIC_URL"], folder)
        finally:
            installation.end()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
