"""What persons decide on pages: restore, approve, reject, resolve, retry (HIS-3)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from cli import builtin
from crmsync.storage import people
from tests.sandbox.harness import SandboxServer
from tests.web.scenes import (
    add_contact,
    add_cycle,
    add_item,
    change,
    conflict,
    connect,
    contact,
    items_of,
    last_cycle,
    work,
)
from tests.web.site import ANNA, BEN, Site
from tests.web.test_layout import Opener


@pytest.fixture
def synced(tmp_path: Path, box: SandboxServer) -> Iterator[Site]:
    """Return pages of a user whose contacts are synchronised with a Google."""
    made = Site(tmp_path, box.url)
    connect(made, made.add_user())
    made.product.set("first_cycle", "run")
    yield made
    made.close()


def finish(site: Site, page: Page) -> None:
    """Let a worker do what was ordered; the page that waits goes on by itself."""
    expect(page.get_by_text("You may leave this page")).to_be_visible()
    work(site)
    page.wait_for_url("**/history/*")


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-11", "HIS-2", "HIS-3")
def test_a_losing_value_is_seen_and_restored_with_one_click(
    synced: Site, box: SandboxServer, open_desk: Opener
) -> None:
    site = synced
    crm_id = add_contact(site, selected=True, first="Jo", email="jo@x.example")
    work(site)
    name = box.people(ANNA)[0]["resourceName"]
    box.edit_person(ANNA, name, {"organizations": [{"title": "Google’s"}]})
    builtin.edit_contact(site.app, crm_id, {"title": "The CRM’s"})
    site.product.cycle(people.user_by_email(site.app.database, ANNA))

    with site.served() as url:
        page = open_desk(url).sign_in()
        page.goto("/history?conflicts=1")
        page.get_by_role("link", name="Contacts – Anna").click()
        row = page.get_by_role("row", name="Title")
        expect(row).to_contain_text("Google won")
        expect(row).to_contain_text("The CRM had: The CRM’s")
        row.get_by_role("button", name="Restore").click()
        finish(site, page)
        expect(page.get_by_text("The value is back on both sides")).to_be_visible()
        expect(page.get_by_text("Restored on both sides")).to_be_visible()

    assert contact(site, crm_id)["title"] == "The CRM’s"
    assert box.person(ANNA, name)["organizations"][0]["title"] == "The CRM’s"


@pytest.mark.timeout(60)
@pytest.mark.rule("ENG-6", "WEB-2", "HIS-6")
def test_a_first_cycle_is_looked_through_and_approved_in_the_inbox(
    synced: Site, box: SandboxServer, open_desk: Opener
) -> None:
    site = synced
    site.product.set("first_cycle", "preview")
    add_contact(site, selected=True, first="Jo", last="Doe", email="jo@x.example")
    add_contact(site, selected=True, first="Al", last="Roe", email="al@x.example")
    work(site)

    with site.served() as url:
        page = open_desk(url).sign_in()
        bar = page.get_by_role("navigation", name="Navigation bar", exact=True)
        bar.get_by_role("link", name="Inbox 1 waiting").click()
        expect(page.get_by_text("2 to be created in Google")).to_be_visible()
        page.get_by_role("link", name="Look through the plan").click()
        expect(page.get_by_role("heading", name="Jo Doe")).to_be_visible()
        expect(page.get_by_text("To be created in Google").first).to_be_visible()
        page.get_by_role("button", name="Approve").click()
        finish(site, page)
        expect(page.get_by_text("It has been carried out")).to_be_visible()
        expect(page.get_by_text("Created in Google").first).to_be_visible()
        expect(bar.get_by_text("waiting")).to_have_count(0)

    assert len(box.people(ANNA)) == 2


@pytest.mark.timeout(60)
@pytest.mark.rule("ENG-6")
def test_a_held_cycle_is_rejected_and_nothing_is_written(
    synced: Site, box: SandboxServer, open_desk: Opener
) -> None:
    site = synced
    site.product.set("first_cycle", "preview")
    add_contact(site, selected=True, first="Jo", email="jo@x.example")
    work(site)

    with site.served() as url:
        page = open_desk(url).sign_in()
        page.goto(f"/history/{last_cycle(site).id}")
        page.get_by_role("button", name="Reject").click()
        finish(site, page)
        expect(page.get_by_text("Nothing was deleted on either side.")).to_be_visible()

    assert last_cycle(site).state == "rejected"
    assert box.people(ANNA) == []


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-7", "HIS-3", "HIS-6")
def test_a_question_shows_what_tells_the_candidates_apart_and_is_answered(
    synced: Site, box: SandboxServer, open_desk: Opener
) -> None:
    site = synced
    for given, title in (("Joe", "Buyer"), ("Joan", "Seller")):
        box.create_person(
            ANNA,
            {
                "names": [{"givenName": given, "familyName": "Dough"}],
                "emailAddresses": [{"value": "jo@x.example"}],
                "organizations": [{"title": title}],
            },
        )
    crm_id = add_contact(
        site, selected=True, first="Jo", last="Doe", email="jo@x.example", title="CEO"
    )
    work(site)

    with site.served() as url:
        page = open_desk(url).sign_in()
        page.goto("/inbox")
        expect(page.get_by_text("Jo Doe: CEO · jo@x.example")).to_be_visible()
        expect(page.get_by_text("Buyer · jo@x.example")).to_be_visible()
        page.get_by_role("radio", name="Joan Dough").check()
        page.get_by_role("button", name="Decide").click()
        expect(page.get_by_text("Decided, not yet carried out")).to_be_visible()
        expect(page.get_by_role("radio")).to_have_count(0)
        site.product.cycle(people.user_by_email(site.app.database, ANNA))
        page.reload()
        expect(page.get_by_text("Nothing waits for you")).to_be_visible()

    (linked,) = [
        person
        for person in box.people(ANNA)
        if person["names"][0]["givenName"] in {"Joan", "Jo"}
    ]
    item = items_of(site, last_cycle(site).id)[0]
    assert (item.crm_id, item.google_id) == (crm_id, linked["resourceName"])


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-9", "HIS-6")
def test_a_held_account_is_chosen_among_those_of_its_name(
    synced: Site, box: SandboxServer
) -> None:
    site = synced
    site.product.set("ambiguous_account", "hold")
    ids = [make_account(site, "Acme") for _ in range(2)]
    other = make_account(site, "Other")
    site.product.cycle(people.user_by_email(site.app.database, ANNA))
    box.create_person(
        ANNA,
        {
            "names": [{"givenName": "Jo"}],
            "organizations": [{"name": "Acme"}],
            "labels": ["Infor CRM"],
        },
    )
    site.product.cycle(people.user_by_email(site.app.database, ANNA))
    visitor = site.visitor(ANNA)
    (item,) = items_of(site, last_cycle(site).id)
    page = visitor.get("/inbox").text

    wrong = visitor.post(f"/history/items/{item.id}/resolve", {"choice": other})
    right = visitor.post(f"/history/items/{item.id}/resolve", {"choice": ids[1]})
    site.product.cycle(people.user_by_email(site.app.database, ANNA))

    assert all(account in page for account in ids)
    assert other not in page
    assert (wrong.status_code, right.status_code) == (400, 302)
    assert account_of(site, "Jo") == ids[1]


def make_account(site: Site, name: str) -> str:
    from crm import accounts
    from crm.accounts import AccountRule

    with site.app.database.write() as connection:
        return accounts.create(connection, name, rule=AccountRule()).id


def account_of(site: Site, text: str) -> str:
    from crm import lookup

    with site.app.database.read() as connection:
        return lookup.search(connection, text)[0].account_id


@pytest.mark.rule("HIS-3")
def test_a_failed_item_is_retried_and_an_edited_company_is_seen(site: Site) -> None:
    anna = site.add_user()
    cycle = add_cycle(site, anna)
    failed = add_item(
        site,
        cycle,
        state="failed",
        error={"code": "x", "message": "Refused.", "next_step": "Correct it."},
    )
    told = add_item(
        site,
        cycle,
        "Moved On",
        state="skipped",
        reason="company_edited",
        changes=[change("company", google_before="Old", google_after="New")],
    )
    visitor = site.visitor(ANNA)

    again = visitor.post(f"/history/items/{failed}/retry", {"next": "/inbox"})
    shown = visitor.get("/inbox").text
    seen = visitor.post(
        f"/history/items/{told}/resolve", {"choice": "seen", "next": "//evil.example"}
    )

    assert again.location == "/inbox"
    assert "It will be tried again" in shown
    assert "Company edited in Google" in shown
    assert seen.location == f"/history/{cycle}"
    assert "Nothing waits for you" in visitor.get("/inbox").text


@pytest.mark.rule("HIS-3", "HIS-8", "ENG-9")
def test_decisions_that_cannot_be_are_refused_and_change_nothing(site: Site) -> None:
    anna, ben = site.add_user(ANNA), site.add_user(BEN)
    hers = add_cycle(site, anna)
    plain = add_item(site, hers)
    lost = add_item(site, hers, changes=[conflict()], has_conflict=True)
    dry = add_cycle(site, anna, is_dry=True)
    planned = add_item(
        site, dry, changes=[conflict()], has_conflict=True, state="planned"
    )
    foreign = add_item(site, add_cycle(site, ben), state="held", crm_id="C1")
    visitor = site.visitor(ANNA)
    visitor.token()
    before = site.fingerprint()

    def status(path: str, **form: str) -> int:
        return visitor.post(f"/history/{path}", form).status_code

    assert status(f"items/{plain}/restore") == 400
    assert status(f"items/{lost}/restore", field="last") == 400
    assert status(f"items/{planned}/restore") == 400
    assert status(f"items/{foreign}/resolve", choice="skip") == 404
    assert status(f"items/{lost}/resolve", choice="a\x00b") == 400
    assert status(f"items/{lost}/resolve", choice="x" * 2000) == 400
    assert status(f"items/{lost}/resolve", choice="skip") == 302
    assert status(f"items/{lost}/resolve") == 302
    assert status(f"{hers}/approve") == 302
    assert site.fingerprint() == before
    assert "does not wait for a decision" in visitor.get("/history").text


@pytest.mark.rule("HIS-6", "HIS-8", "AUTH-7")
def test_the_inbox_is_ones_own_and_an_admin_may_look_at_everybodys(site: Site) -> None:
    anna, ben = site.add_user(ANNA), site.add_user(BEN, is_admin=True)
    add_item(site, add_cycle(site, anna), "Her Question", state="held", crm_id="C1")
    add_cycle(site, ben, state="held", objection="mass_deletion", counts={"linked": 1})
    hers, his = site.visitor(ANNA), site.visitor(BEN)

    assert "Her Question" in hers.get("/inbox").text
    assert "unusual number" not in hers.get("/inbox?of=everybody").text
    assert "Her Question" not in his.get("/inbox").text
    assert "Her Question" in his.get("/inbox?of=everybody").text
    assert "unusual number" in his.get("/inbox").text


@pytest.mark.rule("AUTH-9")
def test_a_withheld_kind_takes_no_orders(site: Site) -> None:
    anna = site.add_user()
    held = add_cycle(site, anna, state="held", objection="first_cycle")
    from crmsync.services import settings

    settings.put(site.app, "kinds", "calendar", user_id=anna.user_id, actor="admin")

    answer = site.visitor(ANNA).post(f"/history/{held}/approve")

    assert answer.status_code == 400
    assert "withheld" in answer.text
    assert "Ask your administrator" in answer.text
