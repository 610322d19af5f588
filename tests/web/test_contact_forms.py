"""Making, editing, deleting and merging contacts and accounts (WEB-3, CON-18)."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from playwright.sync_api import expect
from werkzeug.test import TestResponse

from cli import builtin
from crm import accounts, contacts, groups
from crm.accounts import AccountRow, AccountRule
from crm.rows import ContactRow
from crmsync.services import grouping
from crmsync.storage import people
from tests.support.product import GROUP
from tests.web.scenes import add_contact, add_cycle, add_item, change
from tests.web.site import ANNA, BEN, Site, Visitor
from tests.web.test_layout import Opener

pytestmark = pytest.mark.rule("WEB-3")

_INPUT = re.compile(r"<input[^>]*>|<textarea[^>]*>.*?</textarea>", re.S)
_NAME = re.compile(r'name="([^"]*)"')
_VALUE = re.compile(r'value="([^"]*)"')


def form_of(page: str) -> dict[str, str]:
    """Return what a browser would send of the page's form, untouched."""
    given: dict[str, str] = {}
    for tag in _INPUT.findall(page[page.index('class="record-form"') :]):
        name = _NAME.search(tag)
        if name is None or 'type="checkbox"' in tag:
            continue
        if tag.startswith("<textarea"):
            text = tag.partition(">")[2].removesuffix("</textarea>")
            given[name[1]] = html.unescape(text).removeprefix("\n").removeprefix("\r\n")
        else:
            value = _VALUE.search(tag)
            given[name[1]] = html.unescape(value[1]) if value else ""
    return given


def read(site: Site, contact_id: str) -> ContactRow:
    with site.app.database.read() as connection:
        return contacts.read(connection, [contact_id])[0]


def account_of(site: Site, contact_id: str) -> AccountRow:
    with site.app.database.read() as connection:
        return accounts.get(connection, read(site, contact_id).account_id)


def begin(visitor: Visitor, contact_id: str) -> dict[str, str]:
    return form_of(visitor.get(f"/contacts/{contact_id}/edit").text)


def save(visitor: Visitor, contact_id: str, form: dict[str, str]) -> TestResponse:
    given = {k: v for k, v in form.items() if k != "csrf_token"}
    return visitor.post(f"/contacts/{contact_id}/edit", given)


def test_a_contact_is_made_with_its_account_and_put_in_the_sync_group(
    site: Site,
) -> None:
    anna = site.add_user()
    builtin.create_group(site.app, GROUP, "")
    group = grouping.designate(site.app, anna, GROUP, actor="test").group_id
    visitor = site.visitor(ANNA)
    assert "Synchronise with Google" in visitor.get("/contacts/new").text

    answer = visitor.post(
        "/contacts/new",
        {"first": " Jo ", "last": "Doe", "company": "Acme", "select": "1"},
    )

    contact_id = answer.location.rsplit("/", 1)[-1]
    made = read(site, contact_id)
    assert (made.values["first"], made.owner) == ("Jo", "Everyone")
    account = account_of(site, contact_id)
    assert (account.name, account.type, account.status) == (
        "Acme",
        "Prospect",
        "Active",
    )
    with site.app.database.read() as connection:
        assert groups.members(connection, group) == [contact_id]


def test_a_private_contact_is_seen_by_its_owner_alone(site: Site) -> None:
    site.add_user(ANNA)
    site.add_user(BEN)

    made = site.visitor(ANNA).post("/contacts/new", {"last": "Doe", "owner": "me"})

    assert site.visitor(ANNA).get(made.location).status_code == 200
    assert site.visitor(BEN).get(made.location).status_code == 404


def test_every_field_is_edited_and_what_was_left_alone_stays(site: Site) -> None:
    site.add_user()
    odd = {"first": "A\tB", "work_street": "Street 1\r\nDoor 2 ", "notes": "a\n\nb"}
    odd |= {"last": "Doe", "birthday": "1980-02-29"}
    contact_id = str(builtin.edit_contact(site.app, "new", odd)["id"])
    visitor = site.visitor(ANNA)
    untouched = read(site, contact_id)

    assert save(visitor, contact_id, begin(visitor, contact_id)).status_code == 302
    assert read(site, contact_id) == untouched
    form = begin(visitor, contact_id)
    form |= {name: f"new {name}"[:16] for name in ("title", "department", "notes")}
    assert save(visitor, contact_id, form).status_code == 302

    now = read(site, contact_id)
    assert now.values["title"] == "new title"
    assert now.values["work_street"] == odd["work_street"]
    assert now.version == untouched.version + 1


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("first", "x" * 33, "32 characters at most"),
        ("email", "x" * 129, "128 characters at most"),
        ("notes", "x" * 32_001, "32000 characters at most"),
        ("birthday", "1980-02-30", "Is not a date of the calendar"),
        ("birthday", "yesterday", "Is not a date in the form"),
        ("last", "a\x00b", "holds a character that cannot be stored"),
        ("last", "a\x1b[31mb", "holds a character that cannot be stored"),
        ("title", "a\nb", "holds a character that cannot be stored"),
    ],
)
def test_what_the_crm_cannot_hold_is_refused_beside_its_field(
    site: Site, field: str, value: str, words: str
) -> None:
    site.add_user()
    contact_id = add_contact(site, last="Doe")
    visitor = site.visitor(ANNA)
    form = begin(visitor, contact_id) | {"title": "kept while typing", field: value}
    before = read(site, contact_id)

    answer = save(visitor, contact_id, form)
    fresh = visitor.post("/contacts/new", {field: value})

    assert (answer.status_code, fresh.status_code) == (400, 400)
    for page in (answer.text, fresh.text):
        assert words in page
    if field != "title":
        assert "kept while typing" in answer.text
    assert read(site, contact_id) == before


def test_edits_of_different_fields_in_two_tabs_are_both_kept(site: Site) -> None:
    site.add_user()
    contact_id = add_contact(site, last="Doe", title="Old")
    visitor = site.visitor(ANNA)
    one, two = begin(visitor, contact_id), begin(visitor, contact_id)

    save(visitor, contact_id, one | {"title": "New"})
    save(visitor, contact_id, two | {"mobile": "+49 170 1"})

    values = read(site, contact_id).values
    assert (values["title"], values["mobile"]) == ("New", "+49 170 1")
    page = visitor.get(f"/contacts/{contact_id}").text
    assert "What somebody else changed meanwhile is kept, too." in page


def test_edits_of_one_field_in_two_tabs_are_shown_side_by_side(site: Site) -> None:
    site.add_user()
    contact_id = add_contact(site, last="Doe", title="Old")
    visitor = site.visitor(ANNA)
    one, two = begin(visitor, contact_id), begin(visitor, contact_id)
    save(visitor, contact_id, one | {"title": "First tab"})

    clash = save(visitor, contact_id, two | {"title": "Second tab", "fax": "1"})

    assert clash.status_code == 409
    assert "Meanwhile put here: <strong>First tab</strong>" in clash.text
    assert read(site, contact_id).values["title"] == "First tab"
    again = form_of(clash.text)
    assert (again["title"], again["fax"]) == ("Second tab", "1")
    assert save(visitor, contact_id, again).status_code == 302
    values = read(site, contact_id).values
    assert (values["title"], values["fax"]) == ("Second tab", "1")


def test_a_clash_in_one_field_takes_nothing_from_another(site: Site) -> None:
    site.add_user()
    contact_id = add_contact(site, last="Doe", title="Old")
    visitor = site.visitor(ANNA)
    one, two = begin(visitor, contact_id), begin(visitor, contact_id)
    save(visitor, contact_id, one | {"title": "First tab", "mobile": "+49 170 1"})

    clash = save(visitor, contact_id, two | {"title": "Second tab"})
    assert save(visitor, contact_id, form_of(clash.text)).status_code == 302

    values = read(site, contact_id).values
    assert (values["title"], values["mobile"]) == ("Second tab", "+49 170 1")


@pytest.mark.parametrize("base", ["", "{", "[]", '{"title": 5}', "[" * 5000])
def test_a_tampered_beginning_does_no_harm(site: Site, base: str) -> None:
    site.add_user()
    contact_id = add_contact(site, last="Doe", title="Old")
    visitor = site.visitor(ANNA)
    form = begin(visitor, contact_id) | {"base": base, "version": "x", "title": "New"}

    assert save(visitor, contact_id, form).status_code in {302, 409}
    assert read(site, contact_id).values["last"] == "Doe"


@pytest.mark.rule("CON-18")
def test_a_person_moves_a_contact_to_another_account_by_its_company(
    site: Site,
) -> None:
    site.add_user()
    contact_id = add_contact(site, last="Doe", company="Acme")
    other = account_of(site, add_contact(site, last="Roe", company="Globex"))
    visitor = site.visitor(ANNA)

    def company(name: str) -> AccountRow:
        form = begin(visitor, contact_id) | {"company": name}
        assert save(visitor, contact_id, form).status_code == 302
        return account_of(site, contact_id)

    assert company("globex").id == other.id
    assert company("Newly Made").name == "Newly Made"
    personal = company("")
    assert (personal.is_personal, personal.name) == (True, "Doe")
    with site.app.database.read() as connection:
        assert accounts.find_by_name(connection, "Acme")[0].name == "Acme"


@pytest.mark.rule("CON-9")
def test_several_accounts_of_a_name_are_asked_about(site: Site) -> None:
    site.add_user()
    with site.app.database.write() as connection:
        rule = AccountRule()
        ids = [accounts.create(connection, "Acme", rule=rule).id for _ in range(2)]
    contact_id = add_contact(site, last="Doe")
    visitor = site.visitor(ANNA)
    form = begin(visitor, contact_id) | {"company": "Acme"}

    asked = save(visitor, contact_id, form)
    fresh = visitor.post("/contacts/new", {"last": "Roe", "company": "Acme"})
    chosen = save(visitor, contact_id, form | {"account": ids[1]})
    made = visitor.post(
        "/contacts/new", {"last": "Roe", "company": "Acme", "account": ids[1]}
    )
    forged = save(visitor, contact_id, form | {"account": "gone"})

    for page in (asked, fresh):
        assert page.status_code == 400
        assert all(account_id in page.text for account_id in ids)
    assert chosen.status_code == 302
    assert account_of(site, contact_id).id == ids[1]
    assert account_of(site, made.location.rsplit("/", 1)[-1]).id == ids[1]
    assert forged.status_code == 404


def test_account_names_are_suggested_while_one_types(
    site: Site, open_desk: Opener
) -> None:
    site.add_user()
    add_contact(site, last="Doe", company="Acme Rockets")
    add_contact(site, last="Acme Person")
    with site.served() as url:
        page = open_desk(url).sign_in()
        page.goto("/contacts/new")
        page.get_by_label("Company").fill("rock")
        option = page.locator("#companies option")
        expect(option).to_have_count(1)
        expect(option).to_have_attribute("value", "Acme Rockets")


def test_deleting_asks_first_and_refuses_what_was_changed_meanwhile(
    site: Site, open_desk: Opener
) -> None:
    site.add_user()
    contact_id = add_contact(site, last="Doe")
    with site.served() as url:
        page = open_desk(url).sign_in()
        page.goto(f"/contacts/{contact_id}")
        builtin.edit_contact(site.app, contact_id, {"title": "New"})
        page.get_by_role("button", name="Delete").click()
        dialog = page.get_by_role("dialog", name="Delete Doe?")
        dialog.get_by_role("button", name="Delete").click()
        expect(
            page.get_by_text("Somebody changed this contact just now")
        ).to_be_visible()

        page.get_by_role("button", name="Delete").click()
        dialog.get_by_role("button", name="Delete").click()
        expect(page.get_by_text("Doe is deleted.")).to_be_visible()

    assert read(site, contact_id).deleted
    assert site.visitor(ANNA).get(f"/contacts/{contact_id}").status_code == 404


# ------------------------------------------------------------------ merging


@pytest.mark.rule("CON-21")
def test_two_contacts_become_one_field_by_field(site: Site, open_desk: Opener) -> None:
    site.add_user()
    keep = add_contact(
        site, first="Jo", last="Doe", email="jo@x.example", title="CEO", company="Acme"
    )
    lose = add_contact(
        site, first="Joe", last="Doe", email="joe@x.example", company="Globex"
    )
    with site.served() as url:
        page = open_desk(url).sign_in()
        page.goto("/contacts")
        page.get_by_label("Choose all on this page").check()
        page.get_by_role("button", name="Merge Records").first.click()
        if page.get_by_text("Stays Joe Doe").is_visible():
            page.get_by_role("link", name="The other way round").click()
        names = page.get_by_role("group", name="First name")
        names.get_by_role("radio", name="Joe").check()
        page.get_by_role("group", name="Company").get_by_label("Globex").check()
        page.get_by_role("button", name="Merge").click()
        expect(page.get_by_text("Two contacts became one: Joe Doe.")).to_be_visible()

    values = read(site, keep).values
    assert (values["first"], values["title"], values["company"]) == (
        "Joe",
        "CEO",
        "Globex",
    )
    assert (values["email"], values["email2"]) == ("jo@x.example", "joe@x.example")
    assert read(site, lose).merged_into == keep
    moved = site.visitor(ANNA).get(f"/contacts/{lose}")
    assert moved.location == f"/contacts/{keep}"


@pytest.mark.rule("CON-21")
def test_a_merge_of_contacts_that_were_changed_meanwhile_is_shown_again(
    site: Site,
) -> None:
    site.add_user()
    keep = add_contact(site, last="Doe", title="Old")
    lose = add_contact(site, last="Dough")
    visitor = site.visitor(ANNA)
    form: dict[str, Any] = {"a": keep, "b": lose, "survivor": keep}
    form |= {f"version-{keep}": "1", f"version-{lose}": "1", "of-title": "keep"}
    builtin.edit_contact(site.app, keep, {"title": "New"})

    late = visitor.post("/contacts/merge", form)
    same = visitor.post("/contacts/merge", form | {"b": keep})
    unversioned = visitor.post("/contacts/merge", {"a": keep, "b": lose})

    assert (late.status_code, same.status_code) == (409, 404)
    assert unversioned.status_code == 409
    assert "was changed just now" in late.text
    assert not read(site, lose).deleted
    done = visitor.post(
        "/contacts/merge", form | {f"version-{keep}": "2", "of-last": "../etc"}
    )
    assert done.status_code == 302
    assert read(site, keep).values["last"] == "Doe"


# ------------------------------------------------------------------ the tab Sync


@pytest.mark.rule("HIS-4", "HIS-8")
def test_the_story_of_a_contact_is_its_owners_and_an_admins(site: Site) -> None:
    anna, ben = site.add_user(ANNA), site.add_user(BEN, is_admin=True)
    contact_id = add_contact(site, last="Doe")
    add_item(
        site,
        add_cycle(site, anna),
        "Doe",
        crm_id=contact_id,
        changes=[change(crm_after="Hers")],
    )
    add_item(
        site,
        add_cycle(site, ben),
        "Doe",
        crm_id=contact_id,
        changes=[change(crm_after="His")],
    )
    path = f"/contacts/{contact_id}/sync"

    hers = site.visitor(ANNA).get(path).text
    his = site.visitor(BEN).get(path).text

    assert ("Hers" in hers, ">His<" in hers) == (True, False)
    assert ("Hers" in his, ">His<" in his) == (True, True)
    assert "Not synchronised" in hers
    assert people.seen_pair(site.app.database, anna.user_id, "contacts").pair_id


# ------------------------------------------------------------------ accounts


def test_an_account_is_edited_and_its_name_shows_on_its_contacts(site: Site) -> None:
    site.add_user()
    contact_id = add_contact(site, last="Doe", company="Acme")
    account = account_of(site, contact_id)
    visitor = site.visitor(ANNA)
    assert "Doe" in visitor.get(f"/accounts/{account.id}").text
    form = {
        "name": "Acme Holding",
        "type": "Customer",
        "status": "Active",
        "manager": "",
        "owner": "Everyone",
        "seen": account.modified_at.isoformat(),
    }

    done = visitor.post(f"/accounts/{account.id}/edit", form)
    late = visitor.post(f"/accounts/{account.id}/edit", form | {"name": "Too late"})

    assert done.status_code == 302
    assert read(site, contact_id).values["company"] == "Acme Holding"
    assert late.status_code == 409
    assert "Somebody changed this account meanwhile" in late.text
    assert "Too late" in late.text


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"name": "  "}, "An account needs a name."),
        ({"name": "x" * 129}, "Field cannot be longer than 128 characters"),
        ({"type": "a\x00"}, "holds a character that cannot be stored"),
        ({"owner": "UBEN"}, "Not a valid choice"),
        ({"manager": "nobody"}, "Not a valid choice"),
    ],
)
def test_an_account_that_cannot_be_is_refused(
    site: Site, changed: dict[str, str], words: str
) -> None:
    site.add_user()
    account = account_of(site, add_contact(site, last="Doe", company="Acme"))
    form = {
        "name": "Acme",
        "type": "",
        "status": "",
        "manager": "",
        "owner": "Everyone",
    }
    form["seen"] = account.modified_at.isoformat()

    answer = site.visitor(ANNA).post(f"/accounts/{account.id}/edit", form | changed)

    assert answer.status_code == 400
    assert words in answer.text


def test_accounts_are_found_by_name_and_paged(site: Site) -> None:
    site.add_user()
    with site.app.database.write() as connection:
        rule = AccountRule()
        for number in range(120):
            accounts.create(connection, f"Firm {number:03}", rule=rule)
    visitor = site.visitor(ANNA)

    seen, url = [], "/accounts"
    while url:
        text = visitor.get(url).text
        seen += re.findall(r">(Firm \d+)<", text)
        found = re.search(r'rel="next" href="([^"]+)"', text)
        url = found[1].replace("&amp;", "&") if found else ""

    assert seen == [f"Firm {number:03}" for number in range(120)]
    assert re.findall(r">(Firm \d+)<", visitor.get("/accounts?q=firm+007").text) == [
        "Firm 007"
    ]
    assert "No account matches" in visitor.get("/accounts?q=nobody").text
