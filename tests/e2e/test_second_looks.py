"""Bugs that a review found, each named after its symptom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from cli import builtin
from crmsync.errors import LeaseLost, UsageError
from crmsync.services import (
    accounts,
    checking,
    connecting,
    disconnecting,
    grouping,
    reporting,
    resolving,
    settings,
    syncing,
)
from crmsync.services.runs import held_lease
from crmsync.storage import people
from crmsync.storage import tables as t
from crmsync.storage.people import User
from crmsync.storage.state import SqlState
from tests.e2e.conftest import ANNA
from tests.e2e.test_contacts_over_http import contact, one, person
from tests.sandbox.harness import SandboxServer
from tests.support.product import ACTOR, GROUP, Product

BEN = "ben@shop.example"


@pytest.fixture
def anna(product: Product) -> User:
    user = product.add_user(ANNA)
    product.connect(user)
    return user


def plain(product: Product, user: User) -> dict[str, Any]:
    return syncing.run_kinds(product.app, user, ["contacts"], syncing.Order())[0]


@pytest.mark.timeout(60)
@pytest.mark.rule("AUTH-8", "ENG-2")
def test_disconnecting_ends_a_running_cycle_before_it_stores_anything(
    product: Product, anna: User, box: SandboxServer
) -> None:
    for number in range(3):
        contact(product, first=f"P{number}")
    product.cycle(anna)
    pair = people.pair_of(product.app.database, anna.user_id, "contacts")
    with held_lease(product.app, pair, 0) as lease:
        state = SqlState(product.app.database, lease, "x", clock=product.app.clock)
        disconnecting.disconnect(product.app, anna, "google_sync", keep_links=False)
        with pytest.raises(LeaseLost):
            state.renew()
    product.connect(anna)

    cycle = product.cycle(anna)

    assert cycle["counts"]["linked"] == 3
    assert len(box.people(ANNA)) == 3


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-20")
def test_two_contacts_with_one_key_are_asked_about(
    product: Product, anna: User, box: SandboxServer
) -> None:
    contact(product, first="Ada")
    product.cycle(anna)
    box.settle()
    made = one(box.people(ANNA))
    box.create_person(ANNA, {**person("Ada"), "clientData": made["clientData"]})
    disconnecting.disconnect(product.app, anna, "google_sync", keep_links=False)
    product.connect(anna)

    cycle = product.cycle(anna)

    assert cycle["state"] == "succeeded"
    assert cycle["counts"]["held"] == 3
    assert len(builtin.list_contacts(product.app, "", 9)) == 1


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-7")
def test_one_contact_cannot_be_chosen_for_two(
    product: Product, anna: User, box: SandboxServer
) -> None:
    for last in ("Smith", "Brown"):
        contact(product, first="A", last=last, email="home@x.example")
    box.create_person(
        ANNA,
        {**person("B"), "emailAddresses": [{"value": "home@x.example"}]},
    )
    product.cycle(anna)
    for entry in reporting.inbox(product.app, anna):
        item = entry["item"]
        if item["crm"]["id"]:
            google = item["choices"][0]["id"]
            resolving.resolve(product.app, item["id"], google, actor=ACTOR)

    cycle = product.cycle(anna)

    assert cycle["state"] == "succeeded"
    assert cycle["counts"]["linked"] == 1


@pytest.mark.timeout(60)
@pytest.mark.rule("WEB-2", "ENG-6")
def test_a_first_cycle_that_failed_is_not_accepted(
    product: Product, anna: User, box: SandboxServer
) -> None:
    contact(product, first="Ada")
    box.fault({"type": "status", "code": 401}, path="contactGroups")

    plain(product, anna)
    box.clear_faults()
    product.connect(anna)
    second = plain(product, anna)

    assert (second["state"], second["error"]["code"]) == ("held", "first_cycle")
    assert box.people(ANNA) == []


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-23")
def test_one_user_of_a_shared_account_deletes_nothing_of_the_others(
    product: Product, anna: User, box: SandboxServer
) -> None:
    ben = accounts.add_user(product.app, BEN, name="Ben")
    builtin.create_group(product.app, "Bens", BEN)
    grouping.designate(product.app, ben, "Bens", actor=ACTOR)
    product.connect(ben, ANNA)
    shared = contact(product, first="Ada", email="ada@x.example")
    builtin.change_members(product.app, "Bens", [shared], selected=True)
    product.cycle(anna)
    box.settle()
    product.cycle(ben)
    assert len(box.people(ANNA)) == 1

    builtin.change_members(product.app, GROUP, [shared], selected=False)
    product.cycle(anna)
    box.settle()
    his = product.cycle(ben)

    assert len(box.people(ANNA)) == 1
    assert his["counts"]["crm"]["unlinked"] == 0


@pytest.mark.timeout(90)
@pytest.mark.rule("ENG-6")
def test_approving_accepts_what_was_seen_and_no_more(
    product: Product, anna: User, box: SandboxServer
) -> None:
    ids = [contact(product, first=f"P{n}", email=f"p{n}@x.example") for n in range(40)]
    product.cycle(anna)
    box.settle()
    builtin.change_members(product.app, GROUP, ids[:12], selected=False)
    for number in ids[20:]:
        builtin.edit_contact(product.app, number, {"title": "CEO"})
    held = product.cycle(anna)
    builtin.change_members(product.app, GROUP, ids[12:18], selected=False)

    again = resolving.approve(product.app, held["id"], actor=ACTOR, waits=0)
    done = resolving.approve(product.app, held["id"], actor=ACTOR, waits=0)

    assert (again["state"], again["error"]["code"]) == ("held", "mass_deletion")
    assert done["counts"]["google"]["deleted"] == 18


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-2")
def test_a_changed_group_is_previewed_before_it_acts(
    product: Product, anna: User, box: SandboxServer
) -> None:
    ids = [contact(product, first=f"P{n}") for n in range(4)]
    product.cycle(anna)
    box.settle()
    builtin.create_group(product.app, "Others", "")
    builtin.change_members(product.app, "Others", ids[:2], selected=True)
    grouping.designate(product.app, anna, "Others", actor=ACTOR, by_admin=True)

    held = plain(product, anna)

    assert (held["state"], held["error"]["code"]) == ("held", "first_cycle")
    assert held["counts"]["google"]["deleted"] == 2
    assert len(box.people(ANNA)) == 4


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-5")
def test_edits_that_were_held_back_cross_when_the_direction_widens(
    product: Product, anna: User, box: SandboxServer
) -> None:
    product.set("direction", "to_crm")
    made = box.create_person(ANNA, person("Ada"))
    product.cycle(anna)
    row = one(builtin.list_contacts(product.app, "", 9))
    builtin.edit_contact(product.app, row["id"], {"title": "Countess"})
    product.cycle(anna)
    assert "organizations" not in box.person(ANNA, made["resourceName"])

    product.set("direction", "both")
    product.cycle(anna)

    written = box.person(ANNA, made["resourceName"])
    assert written["organizations"][0]["title"] == "Countess"


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-9")
@pytest.mark.parametrize("choice", ["new", "first"])
def test_an_ambiguous_account_is_asked_about_once_and_chosen(
    product: Product, anna: User, box: SandboxServer, choice: str
) -> None:
    from crm import accounts as crm_accounts

    with product.app.database.write() as connection:
        rule = crm_accounts.AccountRule()
        made = [crm_accounts.create(connection, "Acme", rule=rule) for _ in range(2)]
    product.set("ambiguous_account", "hold")
    box.create_person(ANNA, {**person("Ada"), "organizations": [{"name": "ACME"}]})
    for _ in range(3):
        product.cycle(anna)
        box.settle()
    entry = one(reporting.inbox(product.app, anna))

    target = "new" if choice == "new" else made[1].id
    resolving.resolve(product.app, entry["item"]["id"], target, actor=ACTOR)
    product.cycle(anna)

    row = one(builtin.list_contacts(product.app, "", 9))
    assert row["company"].casefold() == "acme"
    assert reporting.inbox(product.app, anna) == []


@pytest.mark.timeout(60)
@pytest.mark.rule("ENG-6")
def test_a_rejected_blanking_is_not_asked_about_for_ever(
    product: Product, anna: User, box: SandboxServer
) -> None:
    ids = [
        contact(product, first=f"P{n}", title="CEO", email=f"p{n}@x.example")
        for n in range(15)
    ]
    product.cycle(anna)
    box.settle()
    for number in ids:
        builtin.edit_contact(product.app, number, {"title": ""})
    held = product.cycle(anna)

    resolving.reject(product.app, held["id"], actor=ACTOR, waits=0)
    after = product.cycle(anna)

    assert (held["state"], held["error"]["code"]) == ("held", "mass_deletion")
    assert after["state"] == "succeeded"
    titles = [p["organizations"][0]["title"] for p in box.people(ANNA)]
    assert titles == ["CEO"] * 15


@pytest.mark.timeout(60)
@pytest.mark.rule("ENG-7", "ENG-2")
def test_a_dry_run_is_possible_while_a_create_waits_for_its_outcome(
    product: Product, anna: User, box: SandboxServer
) -> None:
    contact(product, first="Ada")
    box.fault("close_before", path=":batchCreateContacts", count=1)
    product.cycle(anna)
    with product.app.database.write() as connection:
        connection.execute(update(t.items).values(sent_at=1.0))

    dry = [product.cycle(anna, dry=True) for _ in range(4)][-1]
    done = [product.cycle(anna) for _ in range(3)]

    assert dry["state"] == "succeeded"
    assert sum(cycle["counts"]["google"]["created"] for cycle in done) == 1
    assert len(box.people(ANNA)) == 1


@pytest.mark.timeout(60)
@pytest.mark.rule("AUTH-6")
def test_keys_are_rotated_although_a_user_was_disabled(
    product: Product, anna: User
) -> None:
    accounts.disable(product.app, anna)

    assert connecting.rotate_keys(product.app) == 0


@pytest.mark.timeout(60)
@pytest.mark.rule("AUTH-9")
def test_a_withheld_kind_cannot_be_started_by_approving(
    product: Product, anna: User, box: SandboxServer
) -> None:
    contact(product, first="Ada")
    held = plain(product, anna)
    settings.put(product.app, "kinds", "mail", user_id=anna.user_id, actor=ACTOR)

    with pytest.raises(UsageError, match="withheld"):
        resolving.approve(product.app, held["id"], actor=ACTOR, waits=0)

    assert box.people(ANNA) == []


@pytest.mark.timeout(60)
@pytest.mark.rule("HIS-6")
def test_a_question_goes_when_its_contact_is_not_selected_any_more(
    product: Product, anna: User, box: SandboxServer
) -> None:
    mine = contact(product, first="A", last="Smith", email="home@x.example")
    made = box.create_person(
        ANNA,
        {**person("B"), "emailAddresses": [{"value": "home@x.example"}]},
    )
    product.cycle(anna)
    assert len(reporting.inbox(product.app, anna)) == 2

    builtin.change_members(product.app, GROUP, [mine], selected=False)
    box.delete_person(ANNA, made["resourceName"])
    product.cycle(anna)

    assert reporting.inbox(product.app, anna) == []


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-18")
def test_a_company_edited_beside_a_title_is_told_in_the_inbox(
    product: Product, anna: User, box: SandboxServer
) -> None:
    made = box.create_person(
        ANNA, {**person("Ada"), "organizations": [{"name": "Acme", "title": "CTO"}]}
    )
    product.cycle(anna)
    box.edit_person(
        ANNA, made["resourceName"],
        {"organizations": [{"name": "Umbrella", "title": "CEO"}]},
    )  # fmt: skip
    product.cycle(anna)

    entry = one(reporting.inbox(product.app, anna))

    assert entry["what"] == "company_edited"
    resolving.resolve(product.app, entry["item"]["id"], "skip", actor=ACTOR)
    assert reporting.inbox(product.app, anna) == []


@pytest.mark.timeout(60)
@pytest.mark.rule("AUTH-7")
def test_a_dead_grant_is_told_once_in_history(
    product: Product, anna: User, box: SandboxServer
) -> None:
    box.revoke(ANNA)

    found = [plain(product, anna) for _ in range(3)]

    assert {cycle["state"] for cycle in found} == {"paused"}
    assert len(reporting.cycles_json(product.app, anna)) == 1
    what = [entry["what"] for entry in reporting.inbox(product.app, anna)]
    assert what == ["reauthorise"]


@pytest.mark.timeout(60)
@pytest.mark.rule("ENG-9", "HIS-4")
def test_an_empty_name_shows_nobodys_history(product: Product, anna: User) -> None:
    for ask in _asks(product):
        with pytest.raises(UsageError):
            ask()


def _asks(product: Product) -> list[Callable[[], Any]]:
    return [
        lambda: reporting.record_story(product.app, "contact", " "),
        lambda: reporting.trace(product.app, ""),
    ]


def links(product: Product) -> list[str]:
    with product.app.database.read() as connection:
        return list(connection.scalars(select(t.links.c.google_id)))


@pytest.mark.timeout(60)
@pytest.mark.rule("AUTH-8")
@pytest.mark.parametrize("leaves_first", [True, False])
def test_another_account_sets_links_aside_until_somebody_decides(
    product: Product, anna: User, box: SandboxServer, leaves_first: bool
) -> None:
    box.account(BEN, "Ben")
    contact(product, first="Ada")
    product.cycle(anna)
    before = links(product)
    if leaves_first:
        disconnecting.disconnect(product.app, anna, "google_sync", keep_links=True)
    product.connect(anna, BEN)
    contact(product, first="Bob")

    paused, again = plain(product, anna), plain(product, anna)
    dry = product.cycle(anna, dry=True)

    assert (paused["state"], paused["error"]["code"]) == ("paused", "other_account")
    assert f"{ANNA} so far, not with {BEN}" in paused["error"]["message"]
    assert again["id"] == paused["id"]
    assert dry["error"]["code"] == "other_account"
    assert links(product) == before
    assert disconnecting.set_aside(
        product.app, anna, "google_sync"
    ) == disconnecting.SetAside(ANNA, 1)
    assert (len(box.people(ANNA)), box.people(BEN)) == (1, [])


@pytest.mark.timeout(60)
@pytest.mark.rule("AUTH-8")
def test_going_back_to_the_former_account_goes_on_without_a_duplicate(
    product: Product, anna: User, box: SandboxServer
) -> None:
    box.account(BEN, "Ben")
    contact(product, first="Ada")
    product.cycle(anna)
    product.connect(anna, BEN)
    plain(product, anna)
    contact(product, first="Bob")

    product.connect(anna, ANNA)
    cycle = plain(product, anna)

    assert cycle["counts"]["google"]["created"] == 1
    assert cycle["counts"]["linked"] == 0
    assert disconnecting.set_aside(product.app, anna, "google_sync") is None
    assert (len(box.people(ANNA)), box.people(BEN)) == (2, [])


@pytest.mark.timeout(60)
@pytest.mark.rule("AUTH-8", "WEB-2")
def test_starting_afresh_forgets_links_and_no_record_and_shows_first(
    product: Product, anna: User, box: SandboxServer
) -> None:
    box.account(BEN, "Ben")
    contact(product, first="Ada")
    product.cycle(anna)
    product.connect(anna, BEN)

    forgotten = disconnecting.start_afresh(
        product.app, anna, "google_sync", actor=ACTOR
    )
    held = plain(product, anna)
    done = product.cycle(anna)

    assert forgotten == 1
    assert held["state"] == "held"
    assert done["counts"]["google"]["created"] == 1
    assert (len(box.people(ANNA)), len(box.people(BEN))) == (1, 1)
    with pytest.raises(UsageError, match="nothing to decide"):
        disconnecting.start_afresh(product.app, anna, "google_sync", actor=ACTOR)


@pytest.mark.timeout(60)
@pytest.mark.rule("AUTH-8", "ENG-4")
def test_another_account_without_links_starts_with_its_own_cursors(
    product: Product, anna: User, box: SandboxServer
) -> None:
    box.account(BEN, "Ben")
    product.cycle(anna)
    product.connect(anna, BEN)
    contact(product, first="Ada")

    cycle = product.cycle(anna)

    assert (cycle["state"], cycle["counts"]["google"]["created"]) == ("succeeded", 1)
    assert (box.people(ANNA), len(box.people(BEN))) == ([], 1)


@pytest.mark.timeout(60)
@pytest.mark.rule("AUTH-6")
def test_a_mistyped_key_does_not_end_an_authorisation(
    product: Product, anna: User, box: SandboxServer
) -> None:
    from cryptography.fernet import Fernet

    contact(product, first="Ada")
    wrong = Product(
        product.folder,
        box.url,
        variables={**product.variables, "token_keys": Fernet.generate_key().decode()},
    )
    paused = wrong.cycle(anna)
    wrong.close()

    cycle = product.cycle(anna)

    assert paused["state"] == "paused"
    assert (cycle["state"], cycle["counts"]["google"]["created"]) == ("succeeded", 1)


@pytest.mark.timeout(60)
@pytest.mark.rule("HIS-3", "HIS-6")
def test_a_skipped_question_is_no_fault_and_can_be_asked_again(
    product: Product, anna: User, box: SandboxServer
) -> None:
    contact(product, first="A", last="Smith", email="home@x.example")
    box.create_person(
        ANNA,
        {**person("B"), "emailAddresses": [{"value": "home@x.example"}]},
    )
    product.cycle(anna)
    asked = [entry["item"] for entry in reporting.inbox(product.app, anna)]
    for item in asked:
        resolving.resolve(product.app, item["id"], "skip", actor=ACTOR)
    product.cycle(anna)
    assert reporting.inbox(product.app, anna) == []
    assert checking.check(product.app)["ok"]

    resolving.retry(product.app, asked[0]["id"], actor=ACTOR)
    product.cycle(anna)

    assert len(reporting.inbox(product.app, anna)) == 1
