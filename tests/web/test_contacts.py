"""Contacts: the list and choosing in it, in a real browser (CON-1, WEB-3, WEB-4)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Locator, Page, expect

from cli import builtin
from crm import contacts as crm_contacts
from crm import groups as crm_groups
from crm import users
from crm.accounts import AccountRule
from tests.support.product import GROUP
from tests.web.browsing import PHONE, assert_accessible, assert_fits
from tests.web.scenes import add_contact
from tests.web.site import ANNA, BEN, Site, Visitor
from tests.web.test_layout import Opener

pytestmark = pytest.mark.rule("CON-1")

NAMES = ("Adams", "Brown", "Clark", "Davis", "Evans", "Frank")
NASTY = '"><script>alert(1)</script>'


def fill(site: Site) -> list[str]:
    return [
        add_contact(site, first="Jo", last=name, email=f"{name}@x.example".lower())
        for name in NAMES
    ]


def rows(page: Page) -> list[Locator]:
    return page.locator("tr[data-row]").all()


def chosen(page: Page) -> list[str]:
    found = page.locator("tr[data-row][aria-selected=true] .row-name").all_inner_texts()
    return [name.partition(",")[0] for name in found]


def members(site: Site, name: str) -> list[str]:
    with site.app.database.read() as connection:
        viewer = users.get_by_email(connection, ANNA)
        group = crm_groups.get_by_name(
            connection, name, viewer=viewer.id if viewer else None
        )
        assert group is not None
        ids = crm_groups.members(connection, group.id)
        found = crm_contacts.read(connection, ids)
    return sorted(row.values["last"] for row in found)


@contextmanager
def list_page(site: Site, open_desk: Opener, **options: object) -> Iterator[Page]:
    site.add_user()
    with site.served() as url:
        page = open_desk(url, **options).sign_in()
        page.goto("/contacts")
        yield page


def test_rows_are_chosen_by_click_range_and_toggle(
    site: Site, open_desk: Opener
) -> None:
    fill(site)
    with list_page(site, open_desk) as page:
        found = rows(page)
        save = page.get_by_role("button", name="Save Records as Group").first
        expect(save).to_be_disabled()

        found[1].click()
        assert chosen(page) == ["Brown"]
        found[3].click(modifiers=["Shift"])
        assert chosen(page) == ["Brown", "Clark", "Davis"]
        found[2].click(modifiers=["Control"])
        assert chosen(page) == ["Brown", "Davis"]
        found[5].click(modifiers=["Control", "Shift"])
        assert chosen(page) == ["Brown", "Clark", "Davis", "Evans", "Frank"]
        found[0].click()
        assert chosen(page) == ["Adams"]
        page.get_by_role("checkbox", name="Choose Frank, Jo").check()
        assert chosen(page) == ["Adams", "Frank"]
        expect(page.get_by_text("2 chosen")).to_be_visible()
        expect(save).to_be_enabled()
        page.get_by_role("checkbox", name="Choose all on this page").check()
        assert len(chosen(page)) == 6


@pytest.mark.rule("WEB-4")
def test_rows_are_chosen_with_the_keyboard(site: Site, open_desk: Opener) -> None:
    fill(site)
    with list_page(site, open_desk) as page:
        rows(page)[0].focus()
        press = page.keyboard.press

        press("ArrowDown")
        press("Space")
        assert chosen(page) == ["Brown"]
        press("Shift+ArrowDown")
        press("Shift+ArrowDown")
        assert chosen(page) == ["Brown", "Clark", "Davis"]
        press("Shift+ArrowUp")
        assert chosen(page) == ["Brown", "Clark"]
        press("Control+ArrowDown")
        press("Control+ArrowDown")
        press("Space")
        assert chosen(page) == ["Brown", "Clark", "Evans"]
        press("Escape")
        assert chosen(page) == []
        press("Control+a")
        assert len(chosen(page)) == 6
        press("Home")
        press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Jo Adams")


def test_chosen_records_are_saved_as_a_group_added_and_removed(
    site: Site, open_desk: Opener
) -> None:
    fill(site)
    with list_page(site, open_desk) as page:
        rows(page)[0].click()
        rows(page)[2].click(modifiers=["Shift"])
        rows(page)[1].click(button="right")
        menu = page.get_by_role("menu")
        menu.get_by_role("menuitem", name="Save Records as Group").click()
        page.get_by_label("Name of the group").fill("Berlin")
        page.keyboard.press("Enter")
        expect(page.get_by_text("3 contacts saved as “Berlin”.")).to_be_visible()
        assert members(site, "Berlin") == ["Adams", "Brown", "Clark"]

        page.goto("/contacts")
        rows(page)[2].click()
        rows(page)[3].click(modifiers=["Control"])
        page.get_by_role("button", name="Add to an existing Group").first.click()
        page.get_by_label("Group", exact=True).select_option("Berlin")
        page.get_by_role("button", name="OK").click()
        added = "1 contact added to “Berlin”. 1 contact was in it already."
        expect(page.get_by_text(added)).to_be_visible()
        assert members(site, "Berlin") == ["Adams", "Brown", "Clark", "Davis"]

        page.get_by_role("navigation", name="Navigation bar", exact=True).get_by_role(
            "link", name="Groups"
        ).click()
        page.get_by_role("link", name="Berlin").click()
        rows(page)[0].focus()
        page.keyboard.press("Space")
        page.keyboard.press("Shift+F10")
        menu.get_by_role("menuitem", name="Remove from Group").click()
        expect(page.get_by_text("1 contact taken out of “Berlin”.")).to_be_visible()
        assert members(site, "Berlin") == ["Brown", "Clark", "Davis"]


def test_the_context_menu_closes_and_gives_the_focus_back(
    site: Site, open_desk: Opener
) -> None:
    fill(site)
    with list_page(site, open_desk) as page:
        rows(page)[1].click(button="right")
        expect(page.get_by_role("menuitem", name="Open")).to_be_focused()
        expect(page.get_by_role("menuitem", name="Merge Records")).to_be_disabled()
        page.keyboard.press("ArrowDown")
        expect(page.get_by_role("menuitem", name="Save Records")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_role("menu")).to_be_hidden()
        expect(rows(page)[1]).to_be_focused()
        assert chosen(page) == ["Brown"]


def test_a_name_that_is_refused_keeps_what_was_chosen_and_typed(
    site: Site, open_desk: Opener
) -> None:
    fill(site)
    with list_page(site, open_desk) as page:
        rows(page)[0].click()
        page.get_by_role("button", name="Save Records as Group").first.click()
        page.get_by_label("Name of the group").fill("A/B")
        page.get_by_role("button", name="OK").click()

        expect(page.get_by_text("must not hold quotes, slashes")).to_be_visible()
        expect(page.get_by_label("Name of the group")).to_have_value("A/B")
        assert chosen(page) == ["Adams"]
        page.get_by_label("Name of the group").fill("A and B")
        page.get_by_role("button", name="OK").click()
        expect(page.get_by_text("1 contact saved as “A and B”.")).to_be_visible()


def test_choosing_and_grouping_works_without_a_script(
    site: Site, open_desk: Opener
) -> None:
    fill(site)
    with list_page(site, open_desk, java_script_enabled=False) as page:
        page.get_by_label("Choose Adams, Jo").check()
        page.get_by_label("Choose Evans, Jo").check()
        page.get_by_label("Name of the group").fill("No script")
        page.locator("#save-group").get_by_role("button", name="OK").click()

        expect(page.get_by_text("2 contacts saved as “No script”.")).to_be_visible()
        assert members(site, "No script") == ["Adams", "Evans"]


def many(site: Site, count: int) -> None:
    with site.app.database.write() as connection:
        crm_contacts.create_many(
            connection,
            [
                crm_contacts.NewContact(
                    {
                        "first": f"N{number:03}",
                        "last": f"Same{number % 3}",
                        "email": f"n{number % 40}@x.example",
                        "company": f"Company {number % 7}",
                        "title": ("Buyer", "seller", "")[number % 3],
                    },
                    AccountRule(),
                )
                for number in range(count)
            ],
        )


def test_all_that_match_are_chosen_on_every_page(site: Site, open_desk: Opener) -> None:
    many(site, 120)
    with list_page(site, open_desk) as page:
        page.get_by_label("Search").fill("Same1")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile("q=Same1"))
        # 40 match, all on one page: nothing to offer.
        page.get_by_label("Choose all on this page").check()
        expect(page.locator("[data-everything]")).to_be_hidden()

        page.goto("/contacts?q=company")
        page.get_by_label("Choose all on this page").check()
        page.get_by_label("Choose all 120 that match").check()
        expect(page.get_by_text("120 chosen")).to_be_visible()
        page.get_by_role("button", name="Save Records as Group").first.click()
        page.get_by_label("Name of the group").fill("Everybody of them")
        page.get_by_role("button", name="OK").click()
        expect(page.get_by_text("120 contacts saved")).to_be_visible()


# ------------------------------------------------------------------ the list


def walk(visitor: Visitor, url: str) -> list[str]:
    """Follow *Next* to the end, and *Previous* back; return the ids on the way."""
    seen: list[list[str]] = []
    last = ""
    while url:
        page = visitor.get(url)
        assert page.status_code == 200
        seen.append(re.findall(r'name="ids" value="([^"]+)"', page.text))
        last, url = page.text, link(page.text, "next")
    back: list[list[str]] = []
    while url := link(last, "prev"):
        last = visitor.get(url).text
        back.append(re.findall(r'name="ids" value="([^"]+)"', last))
    assert back[::-1] == seen[:-1]
    return [contact_id for page_ids in seen for contact_id in page_ids]


def link(text: str, rel: str) -> str:
    found = re.search(rf'rel="{rel}" href="([^"]+)"', text)
    return found[1].replace("&amp;", "&") if found else ""


@pytest.mark.rule("WEB-3")
@pytest.mark.parametrize("order", ["", "-"])
@pytest.mark.parametrize(
    "sort", ["name", "company", "title", "email", "phone", "changed"]
)
def test_every_contact_is_shown_once_whatever_the_order(
    site: Site, sort: str, order: str
) -> None:
    site.add_user()
    many(site, 130)

    seen = walk(site.visitor(ANNA), f"/contacts?sort={order}{sort}")

    assert len(seen) == len(set(seen)) == 130
    with site.app.database.read() as connection:
        found = crm_contacts.read(connection, seen)
    if sort in {"email", "title", "company"}:
        values = [row.values[sort].casefold() for row in found]
        assert values == sorted(values, reverse=order == "-")


@pytest.mark.rule("WEB-3")
def test_contacts_of_others_are_neither_seen_nor_touched(site: Site) -> None:
    site.add_user(ANNA)
    site.add_user(BEN)
    mine = add_contact(site, first="Mine", email="m@x.example")
    with site.app.database.write() as connection:
        ben = users.get_by_email(connection, BEN)
        assert ben is not None
        his = crm_contacts.create(
            connection, {"first": "Zaphod"}, account=AccountRule(), owner=ben.id
        ).id
        private = crm_groups.create(connection, "Private", owner=ben.id).id
    visitor = site.visitor(ANNA)
    choose = "/contacts/selection"

    assert "Zaphod" not in visitor.get("/contacts").text
    assert "Private" not in visitor.get("/contacts").text
    assert "Private" not in visitor.get("/groups").text
    assert visitor.get("/contacts/count.json").json == {"count": 1}
    saved = visitor.post(choose, {"do": "save", "name": "G", "ids": [mine, his]})
    shared = visitor.post(
        choose, {"do": "save", "name": "All", "everything": "1", "ids": [mine]}
    )
    stolen = visitor.post(choose, {"do": "add", "target": private, "ids": [mine]})
    removed = visitor.post(choose, {"do": "remove", "group": private, "ids": [his]})

    assert (saved.status_code, shared.status_code) == (302, 302)
    assert members(site, "G") == members(site, "All") == [""]
    assert (stolen.status_code, removed.status_code) == (404, 404)
    assert visitor.get(f"/contacts/count.json?group={private}").status_code == 404
    assert visitor.get(f"/contacts/merge?a={mine}&b={his}").status_code == 404
    forged = {"a": mine, "b": his, "survivor": mine}
    assert visitor.post("/contacts/merge", forged).status_code == 404


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"do": "save", "name": "x"}, 302),
        ({"do": "nonsense"}, 400),
        ({"do": "remove"}, 400),
        ({"do": "merge", "ids": ["a"]}, 302),
        ({"do": "save", "name": "", "ids": ["{id}"]}, 400),
        ({"do": "save", "name": "n" * 300, "ids": ["{id}"]}, 400),
        ({"do": "save", "name": "a\x00b", "ids": ["{id}"]}, 400),
        ({"do": "save", "name": "a\nb", "ids": ["{id}"]}, 400),
        ({"do": "add", "target": "gone", "ids": ["{id}"]}, 404),
        ({"do": "add", "ids": ["{id}"]}, 302),
        ({"do": "save", "name": "x", "ids": ["\x00", "' OR 1=1 --"] * 600}, 302),
    ],
)
def test_tampered_selections_change_nothing(
    site: Site, form: dict[str, object], status: int
) -> None:
    site.add_user()
    contact_id = add_contact(site, first="Jo")
    visitor = site.visitor(ANNA)
    visitor.token()
    builtin.create_group(site.app, "There already", "")
    before = site.fingerprint()
    given = {
        name: [contact_id if v == "{id}" else v for v in value]
        if isinstance(value, list)
        else value
        for name, value in form.items()
    }

    answer = visitor.post("/contacts/selection", given)

    assert answer.status_code == status
    assert site.fingerprint() == before


@pytest.mark.parametrize("word", ["bm9uc2Vuc2U", "WyIAIiwiQSJd", "%ff", "A" * 5000])
def test_a_place_that_is_nonsense_shows_the_first_page(site: Site, word: str) -> None:
    site.add_user()
    add_contact(site, first="Jo")

    answer = site.visitor(ANNA).get(f"/contacts?after={word}&sort=company")

    assert answer.status_code == 200
    assert "Jo" in answer.text


def test_what_people_typed_is_shown_as_text(site: Site) -> None:
    site.add_user()
    values = {
        "first": NASTY[:30],
        "last": NASTY[:30],
        "company": NASTY,
        "title": NASTY,
        "email": "a@x.example",
        "web": "javascript:alert(1)",
        "notes": NASTY,
        f"custom:{NASTY}": NASTY,
    }
    contact_id = str(builtin.edit_contact(site.app, "new", values)["id"])
    visitor = site.visitor(ANNA)

    for path in (
        "/contacts",
        f"/contacts?q={NASTY}",
        f"/contacts/{contact_id}",
        f"/contacts/{contact_id}/edit",
        "/accounts",
    ):
        page = visitor.get(path)
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert 'href="javascript:' not in page.text


@pytest.mark.rule("CON-2")
def test_a_group_that_is_synchronised_is_marked_and_deleting_it_warns(
    site: Site,
) -> None:
    from crmsync.services import grouping

    anna = site.add_user()
    builtin.create_group(site.app, GROUP, "")
    group = grouping.designate(site.app, anna, GROUP, actor="test").group_id
    visitor = site.visitor(ANNA)

    assert "Your Contact Sync Group" in visitor.get("/groups").text
    page = visitor.get(f"/groups/{group}").text
    assert "will not be synchronised any more" in page
    renamed = visitor.post(f"/groups/{group}/rename", {"name": "New name"})
    refused = visitor.post(f"/groups/{group}/rename", {"name": "a?b"})
    assert "New name" in visitor.get("/groups").text
    deleted = visitor.post(f"/groups/{group}/delete")

    assert {renamed.status_code, refused.status_code, deleted.status_code} == {302}
    assert "New name" in visitor.get("/contacts").text, "the message says so once"
    assert "New name" not in visitor.get("/contacts").text
    assert visitor.get(f"/groups/{group}").status_code == 404


def test_groups_are_made_once_by_name(site: Site) -> None:
    site.add_user()
    visitor = site.visitor(ANNA)

    first = visitor.post("/groups", {"name": "Berlin"})
    again = visitor.post("/groups", {"name": "BERLIN"})
    shared = visitor.post("/groups", {"name": "Berlin", "shared": "1"})

    assert (first.status_code, again.status_code, shared.status_code) == (302, 400, 302)
    assert "There is a group named BERLIN." in again.text


@pytest.mark.rule("WEB-4")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contact_pages_are_accessible(
    site: Site, open_desk: Opener, scheme: str
) -> None:
    ids = fill(site)
    add_contact(site, first="X" * 32, last="Y" * 32, company="Z" * 128)
    builtin.create_group(site.app, GROUP, "")
    builtin.change_members(site.app, GROUP, ids[:2], selected=True)
    site.add_user()
    with site.app.database.read() as connection:
        account = crm_contacts.read(connection, ids[:1])[0].account_id
        group = crm_groups.list_all(connection)[0].id
    with site.served() as url:
        page = open_desk(url, color_scheme=scheme).sign_in()
        for path in (
            "/contacts",
            "/contacts?q=nobody",
            "/contacts/new",
            f"/contacts/{ids[0]}",
            f"/contacts/{ids[0]}/sync",
            f"/contacts/merge?a={ids[0]}&b={ids[1]}",
            "/groups",
            f"/groups/{group}",
            "/accounts",
            f"/accounts/{account}",
            f"/accounts/{account}/edit",
        ):
            page.set_viewport_size(PHONE)
            page.goto(path)
            assert_fits(page)
            assert_accessible(page)
            page.set_viewport_size({"width": 1280, "height": 860})
            assert_accessible(page)
