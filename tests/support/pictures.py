"""Pictures of the calendar pages, light and dark, of a colleague who synchronises.

They show the demo company, whose activities are planned around today.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, expect

from cli.demo import PASSWORD, USERS
from tests.web.browsing import PHONE, Desk

SUBJECT = "Tender for the new pumping station"
Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")


def take(browser: Browser, url: str, folder: Path) -> None:
    """Take all of them, and those of the month and the list on a phone."""
    for theme in THEMES:
        with closing(Desk(browser, url, color_scheme=theme)) as desk:
            desk.sign_in(USERS[0][0], PASSWORD)
            for name, show in _STOPS.items():
                show(desk.page)
                end = "" if theme == "light" else f"-{theme}"
                _shoot(desk.page, folder / f"{name}{end}.png")
    with closing(Desk(browser, url, viewport=PHONE)) as desk:
        desk.sign_in(USERS[0][0], PASSWORD)
        for name in ("month", "activities"):
            _STOPS[name](desk.page)
            _shoot(desk.page, folder / f"{name}-phone.png")


def _shoot(page: Page, path: Path) -> None:
    page.wait_for_load_state()
    page.mouse.move(0, 0)
    page.screenshot(path=path, animations="disabled")


def _open(page: Page) -> None:
    page.goto("/activities?view=list")
    page.get_by_role("link", name=SUBJECT).first.click()
    expect(page.get_by_role("heading", name=SUBJECT).first).to_be_visible()


def _edit(page: Page) -> None:
    _open(page)
    page.get_by_role("link", name="Edit").first.click()


def _participants(page: Page) -> None:
    _open(page)
    page.get_by_role("link", name="Participants").first.click()


_STOPS: dict[str, Callable[[Page], object]] = {
    "month": lambda page: page.goto("/activities"),
    "week": lambda page: page.goto("/activities?view=week"),
    "activities": lambda page: page.goto("/activities?view=list"),
    "activity-form": _edit,
    "participants": _participants,
    "todos": lambda page: page.goto("/activities?view=list&type=todo"),
}
