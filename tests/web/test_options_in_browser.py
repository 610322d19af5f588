"""The way to the first cycle in a real browser (WEB-2, WEB-4)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from cli import builtin
from crmsync.services import working
from crmsync.storage import people
from tests.sandbox.harness import SandboxServer
from tests.support.product import GROUP
from tests.web.browsing import PHONE, Desk, assert_accessible, assert_fits
from tests.web.consent import authorize
from tests.web.site import ANNA, Site
from tests.worker.steps import select_people

Opener = Callable[..., Desk]
pytestmark = [pytest.mark.timeout(90), pytest.mark.rule("WEB-2", "WEB-4")]


@pytest.fixture
def site(tmp_path: Path, box: SandboxServer) -> Iterator[Site]:
    made = Site(tmp_path, box.url)
    made.add_user(ANNA, is_admin=True)
    builtin.create_group(made.app, GROUP, "")
    builtin.create_group(made.app, "VIP", "")
    select_people(made.product, 3)
    authorize(made.visitor(ANNA), box)
    with made.served():
        yield made
    made.close()


@contextmanager
def a_worker(site: Site) -> Iterator[None]:
    """Work on Anna's contacts in the background, as a worker does."""
    user = people.user_by_email(site.app.database, ANNA)
    pair = people.pair_of(site.app.database, user.user_id, "contacts")
    is_over = threading.Event()

    def work() -> None:
        while not is_over.wait(0.2):
            working.work_on_pair(site.app, pair.pair_id)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(20)


def choose_group(page: Page, label: str) -> None:
    page.get_by_label("Contact Sync Group").select_option(label)
    page.get_by_role("region", name="Sync Options").get_by_role("button").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_choose_preview_accept_and_see_it_done(
    site: Site, open_desk: Opener, box: SandboxServer, scheme: str
) -> None:
    page = open_desk(site.url, color_scheme=scheme).sign_in()
    assert_accessible(page)
    page.get_by_role("link", name="Choose a group").click()
    page.get_by_label("Contact Sync Group").select_option(
        "Google contacts (3 contacts)"
    )
    page.get_by_role("region", name="Sync Options").get_by_role("button").click()
    expect(
        page.get_by_text("The Contact Sync Group is Google contacts.")
    ).to_be_visible()
    assert_accessible(page)

    asks = page.get_by_role("button", name="Preview: what would the next cycle do?")
    asks.first.click()
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()
    assert_accessible(page)
    with a_worker(site):
        expect(page.get_by_role("heading", level=1)).to_have_text(
            "What would the next cycle do?", timeout=20_000
        )
        page.get_by_role("strong").filter(has_text="P1").click()
        expect(page.get_by_text("p1@x.example").first).to_be_visible()
        assert_accessible(page)
        page.set_viewport_size(PHONE)
        assert_fits(page)
        assert_accessible(page)
        page.get_by_role("button", name="Accept and start").click()
        page.wait_for_url(lambda url: "/orders/" not in url, timeout=20_000)

    page.goto("/options")
    contacts = page.get_by_role("region", name="Contacts")
    expect(contacts).to_contain_text("Succeeded")
    assert_fits(page)
    assert_accessible(page)
    assert len(box.people(ANNA)) == 3


def test_a_group_is_reviewed_by_an_admin_before_it_changes(
    site: Site, open_desk: Opener
) -> None:
    user = people.user_by_email(site.app.database, ANNA)
    pair = people.pair_of(site.app.database, user.user_id, "contacts")
    (group,) = [g for g in site.app.crm.groups(ANNA) if g.name == GROUP]
    people.edit_pair(
        site.app.database, pair.pair_id, group_id=group.group_id, is_accepted=True
    )
    page = open_desk(site.url).sign_in()
    page.goto("/options")

    page.get_by_label("Contact Sync Group").select_option("VIP (0 contacts)")
    page.get_by_role("region", name="Sync Options").get_by_role("button").click()

    expect(
        page.get_by_text("Would be taken out of synchronisation (3)")
    ).to_be_visible()
    assert_accessible(page)
    page.get_by_role("button", name="Change the group").click()
    expect(page.get_by_role("status")).to_contain_text("is VIP.")


def test_the_devices_time_zone_can_be_taken_over(site: Site, open_desk: Opener) -> None:
    page = open_desk(site.url, timezone_id="Europe/Lisbon").sign_in()
    page.goto("/options")
    expect(page.get_by_label("Time zone")).to_have_value("Europe/Lisbon")
    page.get_by_label("Time zone").select_option("Asia/Tokyo")

    page.get_by_role("button", name="This device's").click()

    expect(page.get_by_label("Time zone")).to_have_value("Europe/Lisbon")
