"""The frame around all pages, in a real browser (WEB-4, WEB-5)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.web.browsing import PHONE, Desk, assert_accessible, assert_fits
from tests.web.site import ANNA, PASSWORD, Site

Opener = Callable[..., Desk]


@pytest.mark.rule("WEB-4")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/password", "/no-such-page"])
def test_pages_are_accessible_in_both_schemes(
    site: Site, open_desk: Opener, scheme: str, path: str
) -> None:
    site.add_user()
    with site.served() as url:
        desk = open_desk(url, color_scheme=scheme)
        page = desk.sign_in()
        page.goto(path)
        assert_accessible(page)
        page.set_viewport_size(PHONE)
        assert_fits(page)
        assert_accessible(page)


@pytest.mark.rule("WEB-4", "WEB-1")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_sign_in_page_is_accessible(
    site: Site, open_desk: Opener, scheme: str
) -> None:
    with site.served() as url:
        page = open_desk(url, color_scheme=scheme, viewport=PHONE).page
        page.goto("/login")
        assert_accessible(page)
        assert_fits(page)
        page.get_by_role("button", name="Sign in", exact=True).click()
        expect(page.get_by_text("Enter your e-mail address.")).to_be_visible()
        assert_accessible(page)


@pytest.mark.rule("WEB-5")
def test_the_navigation_bar_and_the_menu_tools_name_what_the_reference_has(
    site: Site, open_desk: Opener
) -> None:
    site.add_user()
    with site.served() as url:
        page = open_desk(url).sign_in()

        bar = page.get_by_role("navigation", name="Navigation bar", exact=True)
        for entry in ("Contacts", "Leads", "Accounts", "Activities", "Sync History"):
            expect(bar.get_by_text(entry)).to_be_visible()
        expect(bar.get_by_text("Integration")).to_be_visible()
        page.get_by_text("Tools").click()
        expect(page.get_by_text("Options")).to_be_visible()


@pytest.mark.rule("WEB-5")
def test_no_entry_of_the_navigation_leads_nowhere(
    site: Site, open_desk: Opener
) -> None:
    site.add_user()
    with site.served() as url:
        page = open_desk(url).sign_in()
        links = page.locator(".bar a, .topbar a").evaluate_all(
            "links => links.map(link => link.getAttribute('href'))"
        )

    visitor = site.visitor(ANNA)
    assert links
    assert [link for link in links if visitor.get(link).status_code != 200] == []


@pytest.mark.rule("WEB-4")
def test_menus_work_with_the_keyboard(site: Site, open_desk: Opener) -> None:
    site.add_user()
    with site.served() as url:
        page = open_desk(url).sign_in()

        page.keyboard.press("Tab")
        expect(page.get_by_text("Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
        account = page.get_by_label("Account: Anna")
        account.focus()
        page.keyboard.press("Enter")
        page.keyboard.press("ArrowDown")
        expect(page.get_by_role("link", name="Change password")).to_be_focused()
        page.keyboard.press("ArrowDown")
        expect(page.get_by_role("button", name="Sign out")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
        expect(account).to_be_focused()


@pytest.mark.rule("WEB-4")
def test_the_chosen_scheme_stays(site: Site, open_desk: Opener) -> None:
    site.add_user()
    with site.served() as url:
        page = open_desk(url, color_scheme="dark").sign_in()
        assert scheme_of(page) == "dark"

        page.get_by_label("Colours: as the system").click()
        assert scheme_of(page) == "light"
        page.reload()
        assert scheme_of(page) == "light"
        page.get_by_label("Colours: light").click()
        page.get_by_label("Colours: dark").click()
        page.reload()
        expect(page.get_by_label("Colours: as the system")).to_be_visible()


def scheme_of(page: Page) -> str:
    return str(page.evaluate("document.documentElement.dataset.bsTheme"))


@pytest.mark.rule("WEB-1")
def test_signing_in_and_out_works_without_a_script(
    site: Site, open_desk: Opener
) -> None:
    site.add_user()
    with site.served() as url:
        desk = open_desk(url, java_script_enabled=False)
        page = desk.sign_in(ANNA, PASSWORD)
        expect(page.get_by_role("heading", level=1)).to_have_text("Hello, Anna")

        page.get_by_label("Account: Anna").click()
        page.get_by_role("button", name="Sign out").click()

        expect(page.get_by_text("You are signed out.")).to_be_visible()
