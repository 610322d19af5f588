"""Authorising in a real browser: windows, dialogs, keyboard, no script (AUTH-1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.sandbox.harness import SandboxServer
from tests.web.browsing import PHONE, Desk, assert_accessible, assert_fits
from tests.web.site import ANNA, BEN, Site

Opener = Callable[..., Desk]
pytestmark = [pytest.mark.timeout(60), pytest.mark.rule("AUTH-1")]
SERVICES = "/options/services"


@pytest.fixture
def site(tmp_path: Path, box: SandboxServer) -> Iterator[Site]:
    made = Site(tmp_path, box.url)
    made.add_user(ANNA)
    with made.served():
        yield made
    made.close()


def agree(window: Page, account: str = ANNA) -> None:
    """Choose the account and tick everything, as on Google's pages."""
    window.get_by_text(account).click()
    for box in window.get_by_role("checkbox").all():
        box.check()
    window.get_by_role("button", name="Allow").click()


def press_authorize(desk: Desk) -> Page:
    """Press the first Authorize; return the window that opens."""
    with desk.context.expect_page() as opened:
        desk.page.get_by_role("button", name="Authorize", exact=True).first.click()
    opened.value.wait_for_load_state()
    return opened.value


@pytest.mark.rule("AUTH-3", "WEB-4")
def test_consent_opens_a_window_and_the_dialog_comes_where_one_pressed(
    site: Site, open_desk: Opener
) -> None:
    desk = open_desk(site.url)
    page = desk.sign_in()
    page.goto(SERVICES)
    window = press_authorize(desk)

    with window.expect_event("close"):
        agree(window)

    dialog = page.get_by_role("dialog", name="Configure Provider Token")
    expect(dialog).to_be_visible()
    expect(page.get_by_label("User Email")).to_be_focused()
    expect(page.get_by_label("User Email")).to_have_value(ANNA)
    assert_accessible(page)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Authorized")).to_be_visible()
    expect(page.get_by_role("region", name="Google Sync")).to_contain_text(ANNA)
    assert "code=" not in page.url


def test_a_blocked_window_falls_back_to_the_same_one(
    site: Site, open_desk: Opener
) -> None:
    desk = open_desk(site.url)
    desk.context.add_init_script("window.open = () => null")
    page = desk.sign_in()
    page.goto(SERVICES)

    page.get_by_role("button", name="Authorize", exact=True).first.click()
    agree(page)
    page.get_by_role("button", name="OK").click()

    expect(page.get_by_role("button", name="Authorized")).to_be_visible()
    assert len(desk.context.pages) == 1


def test_without_a_script_consent_and_dialog_share_the_new_window(
    site: Site, open_desk: Opener
) -> None:
    desk = open_desk(site.url, java_script_enabled=False)
    page = desk.sign_in()
    page.goto(SERVICES)
    window = press_authorize(desk)

    agree(window)
    window.get_by_role("button", name="OK").click()

    expect(window.get_by_role("button", name="Authorized")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Authorized")).to_be_visible()


@pytest.mark.rule("AUTH-3")
def test_cancel_in_the_dialog_stores_nothing(site: Site, open_desk: Opener) -> None:
    desk = open_desk(site.url)
    desk.context.add_init_script("window.open = () => null")
    page = desk.sign_in()
    page.goto(SERVICES)
    page.get_by_role("button", name="Authorize", exact=True).first.click()
    agree(page)

    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()

    expect(page.get_by_text("Nothing was stored.")).to_be_visible()
    expect(page.get_by_role("button", name="Authorize", exact=True)).to_have_count(2)


def test_cancelling_at_google_leads_back_with_a_sentence(
    site: Site, open_desk: Opener
) -> None:
    desk = open_desk(site.url)
    page = desk.sign_in()
    page.goto(SERVICES)
    window = press_authorize(desk)

    window.get_by_text(ANNA).click()
    window.get_by_role("button", name="Cancel").click()

    expect(window.get_by_role("alert")).to_contain_text("access was denied")
    assert window.url.endswith(SERVICES)


@pytest.mark.rule("AUTH-4")
def test_two_windows_do_not_break_each_other(site: Site, open_desk: Opener) -> None:
    desk = open_desk(site.url)
    desk.context.add_init_script("window.open = () => null")
    first = desk.sign_in()
    first.goto(SERVICES)
    second = desk.context.new_page()
    second.goto(SERVICES)
    for page in (first, second):
        page.get_by_role("button", name="Authorize", exact=True).first.click()
        page.wait_for_load_state()

    agree(second, BEN)
    expect(second.get_by_role("dialog")).to_be_visible()
    agree(first, ANNA)
    expect(first.get_by_label("User Email")).to_have_value(ANNA)
    first.get_by_role("button", name="OK").click()

    expect(first.get_by_role("region", name="Google Sync")).to_contain_text(ANNA)


@pytest.mark.rule("WEB-4", "AUTH-8")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_tab_is_accessible_in_each_state(
    site: Site, open_desk: Opener, scheme: str
) -> None:
    desk = open_desk(site.url, color_scheme=scheme)
    desk.context.add_init_script("window.open = () => null")
    page = desk.sign_in()
    page.goto(SERVICES)
    assert_accessible(page)
    page.get_by_role("button", name="Authorize", exact=True).first.click()
    agree(page, BEN)
    page.get_by_role("button", name="OK").click()
    assert_accessible(page)
    page.get_by_role("button", name="Disconnect").click()
    assert_accessible(page)
    page.set_viewport_size(PHONE)
    assert_fits(page)
    assert_accessible(page)

    page.get_by_label("Forget them.").check()
    page.get_by_role("dialog").get_by_role("button", name="Disconnect").click()

    expect(page.get_by_text("Google Sync is disconnected.")).to_be_visible()
    expect(page.get_by_text("Not authorized yet.")).to_have_count(2)


@pytest.mark.rule("WEB-1")
def test_signing_in_with_google(site: Site, open_desk: Opener) -> None:
    page = open_desk(site.url).page
    page.goto("/options")

    page.get_by_role("button", name="Sign in with Google").click()
    page.get_by_text(ANNA).click()
    page.get_by_role("button", name="Allow").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Options")
    expect(page.get_by_label("Account: Anna")).to_be_visible()
