"""Contacts over HTTP: what the stories in memory cannot show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import inspect, select

from cli import builtin
from crmsync.errors import UsageError
from crmsync.parts.google import GoogleParts
from crmsync.services import (
    accounts,
    checking,
    connecting,
    disconnecting,
    grouping,
    reporting,
    resolving,
)
from crmsync.storage import tables as t
from crmsync.storage.people import User
from tests.conftest import NewUrl
from tests.e2e.conftest import ANNA
from tests.sandbox.harness import SandboxServer
from tests.support.product import ACTOR, GROUP, Product

BEN = "ben@shop.example"
LABEL = "Infor CRM"


@pytest.fixture
def database_url(new_url: NewUrl) -> str:
    """These stories are told on both databases."""
    return new_url()


@pytest.fixture
def anna(product: Product) -> User:
    user = product.add_user(ANNA)
    product.connect(user)
    return user


def contact(product: Product, **values: str) -> str:
    made = builtin.edit_contact(product.app, "new", values)
    builtin.change_members(product.app, GROUP, [made["id"]], selected=True)
    return str(made["id"])


def person(first: str, **more: Any) -> dict[str, Any]:
    return {
        "names": [{"givenName": first, "familyName": "Test"}],
        "emailAddresses": [{"value": f"{first.lower()}@example.com"}],
        "labels": [LABEL],
        **more,
    }


def one(found: Sequence[Any]) -> Any:
    assert len(found) == 1
    return found[0]


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-9", "CON-10")
def test_a_new_contacts_account_gets_no_address_and_no_phone(
    product: Product, anna: User, box: SandboxServer
) -> None:
    box.create_person(
        ANNA,
        person(
            "Ada",
            organizations=[{"name": "Engines Ltd"}],
            phoneNumbers=[{"value": "+1 212 555 0100", "type": "work"}],
            addresses=[
                {"streetAddress": "1 Main St", "city": "London", "type": "work"}
            ],
        ),
    )

    product.cycle(anna)

    row = one(builtin.list_contacts(product.app, "", 10))
    assert (row["work_phone"], row["work_city"]) == ("+1 212 555 0100", "London")
    from crm.tables import Account

    with product.app.database.read() as connection:
        account = one(connection.execute(select(Account)).mappings().all())
    assert account["name"] == "Engines Ltd"
    assert (account["type"], account["status"]) == ("Prospect", "Active")
    texts = " ".join(str(value) for value in account.values())
    assert "0100" not in texts
    assert "London" not in texts


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-16", "CON-17")
def test_what_is_not_mapped_survives_an_update_byte_for_byte(
    product: Product, anna: User, box: SandboxServer
) -> None:
    made = box.create_person(
        ANNA,
        person(
            "Ada",
            phoneNumbers=[
                {"value": "+1 212 555 0100", "type": "work"},
                {"value": "+1 212 555 0199", "type": "pager"},
                {"value": "+1 212 555 0101", "type": "mobile"},
                {"value": "+1 212 555 0102", "type": "mobile"},
            ],
            relations=[{"person": "Charles", "type": "friend"}],
            userDefined=[{"key": "Shoe size", "value": "38"}],
            nicknames=[{"value": "Countess"}],
            events=[
                {"date": {"year": 2020, "month": 5, "day": 1}, "type": "anniversary"}
            ],
        ),
    )
    box.act(ANNA, made["resourceName"], "star")
    product.cycle(anna)
    before = box.person(ANNA, made["resourceName"])
    row = one(builtin.list_contacts(product.app, "", 10))

    builtin.edit_contact(product.app, row["id"], {"mobile": "+1 646 555 0000"})
    product.cycle(anna)

    after = box.person(ANNA, made["resourceName"])
    for name in ("relations", "userDefined", "nicknames", "events", "memberships"):
        assert _plain(after[name]) == _plain(before[name]), name
    numbers = {entry["value"] for entry in after["phoneNumbers"]}
    other = {"+1 212 555 0101", "+1 212 555 0102"} - {row["mobile"]}
    assert numbers == {
        "+1 212 555 0100", "+1 212 555 0199", "+1 646 555 0000", *other,
    }  # fmt: skip


def _plain(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    left = [{k: v for k, v in e.items() if k != "metadata"} for e in entries]
    return sorted(left, key=str)


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-3")
def test_a_deleted_label_unselects_nobody(
    product: Product, anna: User, box: SandboxServer
) -> None:
    ids = [contact(product, first=f"P{n}", email=f"p{n}@x.example") for n in range(12)]
    product.cycle(anna)
    group = box.groups(ANNA)[LABEL]
    box.control("DELETE", f"/accounts/{ANNA}/groups/{group['id']}")
    box.settle()

    cycle = product.cycle(anna)

    assert cycle["state"] == "succeeded"
    assert cycle["counts"]["crm"]["unlinked"] == 0
    assert len(box.groups(ANNA)[LABEL]["members"]) == 12
    with product.app.database.read() as connection:
        assert len(connection.execute(select(t.links)).all()) == len(ids)


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-2")
def test_a_deleted_group_pauses_and_unlinks_nothing(
    product: Product, anna: User, box: SandboxServer
) -> None:
    from crm import groups

    contact(product, first="Ada", email="ada@x.example")
    product.cycle(anna)
    with product.app.database.write() as connection:
        found = groups.get_by_name(connection, GROUP)
        assert found is not None
        groups.delete(connection, found.id)

    cycle = product.cycle(anna)

    assert (cycle["state"], cycle["error"]["code"]) == ("paused", "collection_gone")
    assert len(box.people(ANNA)) == 1


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-2")
def test_the_group_cannot_be_changed_after_the_first_cycle_but_by_an_admin(
    product: Product, anna: User
) -> None:
    product.cycle(anna)
    builtin.create_group(product.app, "Others", "")

    with pytest.raises(UsageError, match="cannot be changed"):
        grouping.designate(product.app, anna, "Others", actor=ACTOR)

    grouping.designate(product.app, anna, "Others", actor=ACTOR, by_admin=True)


@pytest.mark.timeout(90)
@pytest.mark.rule("ENG-6")
def test_a_mass_deletion_is_held_rejected_and_approved(
    product: Product, anna: User, box: SandboxServer
) -> None:
    ids = [contact(product, first=f"P{n}", email=f"p{n}@x.example") for n in range(30)]
    product.cycle(anna)
    box.settle()
    builtin.change_members(product.app, GROUP, ids[:15], selected=False)

    held = product.cycle(anna)
    waiting = product.cycle(anna)

    assert (held["state"], held["error"]["code"]) == ("held", "mass_deletion")
    assert waiting["id"] == held["id"]
    assert len(box.people(ANNA)) == 30
    resolving.reject(product.app, held["id"], actor=ACTOR, waits=0)
    quiet = product.cycle(anna)
    assert quiet["state"] == "succeeded"
    assert len(box.people(ANNA)) == 30

    builtin.change_members(product.app, GROUP, ids[15:], selected=False)
    emptied = product.cycle(anna)
    assert emptied["state"] == "held"
    done = resolving.approve(product.app, emptied["id"], actor=ACTOR, waits=0)
    assert done["state"] == "succeeded"
    assert done["counts"]["google"]["deleted"] == 15


@pytest.mark.timeout(90)
@pytest.mark.rule("CON-20", "ENG-2")
def test_a_lost_link_table_is_found_again_without_a_double(
    product: Product, anna: User, box: SandboxServer
) -> None:
    for number in range(5):
        contact(product, first=f"P{number}")
    box.create_people(ANNA, [person(f"Q{number}") for number in range(5)])
    product.cycle(anna)
    box.settle()
    disconnecting.disconnect(product.app, anna, "google_sync", keep_links=False)
    product.connect(anna)

    cycle = product.cycle(anna)

    assert cycle["counts"]["linked"] == 10
    assert sum(cycle["counts"]["google"].values()) <= 5
    assert cycle["counts"]["google"]["created"] == 0
    assert cycle["counts"]["crm"]["created"] == 0
    assert len(box.people(ANNA)) == 10
    assert len(builtin.list_contacts(product.app, "", 50)) == 10


@pytest.mark.timeout(90)
@pytest.mark.rule("CON-23", "ENG-9")
def test_two_users_share_a_contact_and_one_ones_trouble_is_his_own(
    product: Product, anna: User, box: SandboxServer
) -> None:
    box.account(BEN, "Ben")
    ben = accounts.add_user(product.app, BEN, name="Ben")
    builtin.create_group(product.app, "Bens", BEN)
    grouping.designate(product.app, ben, "Bens", actor=ACTOR)
    product.connect(ben)
    shared = contact(product, first="Ada", email="ada@x.example")
    builtin.change_members(product.app, "Bens", [shared], selected=True)
    product.cycle(anna)
    product.cycle(ben)
    assert len(box.people(ANNA)) == len(box.people(BEN)) == 1

    box.revoke(BEN)
    box.settle()
    builtin.edit_contact(product.app, shared, {"title": "Countess"})
    mine, his = product.cycle(anna), product.cycle(ben)

    assert (mine["state"], his["state"]) == ("succeeded", "paused")
    assert one(box.people(ANNA))["organizations"][0]["title"] == "Countess"
    builtin.change_members(product.app, GROUP, [shared], selected=False)
    product.cycle(anna)
    product.connect(ben)
    product.cycle(ben)
    assert box.people(ANNA) == []
    assert one(box.people(BEN))["organizations"][0]["title"] == "Countess"


@pytest.mark.timeout(60)
@pytest.mark.rule("ENG-2", "ENG-4")
def test_a_create_without_an_answer_is_found_by_its_key(
    product: Product, anna: User, box: SandboxServer
) -> None:
    for number in range(3):
        contact(product, first=f"P{number}")
    box.fault("close_after", path=":batchCreateContacts", count=1)

    lost = product.cycle(anna)
    box.settle()
    found = product.cycle(anna)
    box.settle()
    again = product.cycle(anna)

    assert lost["state"] == "partial"
    assert found["state"] == "succeeded"
    assert len(box.people(ANNA)) == 3
    assert sum(again["counts"]["google"].values()) == 0
    assert checking.check(product.app)["ok"]


@pytest.mark.timeout(60)
@pytest.mark.rule("ENG-4")
def test_an_expired_cursor_leads_to_a_comparison_not_to_doubles(
    product: Product, anna: User, box: SandboxServer
) -> None:
    for number in range(3):
        contact(product, first=f"P{number}")
    product.cycle(anna)
    box.settle()
    names = [p["resourceName"] for p in box.people(ANNA)]
    box.delete_person(ANNA, names[0])
    box.expire_sync_tokens(ANNA)

    cycle = product.cycle(anna)

    assert cycle["counts"]["crm"] == {
        "created": 0, "updated": 0, "deleted": 0, "unlinked": 1,
    }  # fmt: skip
    assert cycle["counts"]["google"]["created"] == 0
    assert len(box.people(ANNA)) == 2


@pytest.mark.timeout(60)
@pytest.mark.rule("ENG-8")
def test_rate_limits_end_the_cycle_partial_and_the_next_one_goes_on(
    product: Product, anna: User, box: SandboxServer
) -> None:
    contact(product, first="Ada")
    hurry(product)
    box.fault({"type": "status", "error": "rate"}, path=":batchCreate")

    limited = product.cycle(anna)
    box.clear_faults()
    after = product.cycle(anna)

    assert (limited["state"], limited["error"]["code"]) == ("partial", "rate_limited")
    assert after["counts"]["google"]["created"] == 1


def hurry(product: Product) -> None:
    """Let waits of the transport take no time."""
    google = product.app.google
    assert isinstance(google, GoogleParts)
    transport = google.transport
    transport.nature = replace(transport.nature, sleep=lambda seconds: None)


@pytest.mark.timeout(60)
@pytest.mark.rule("AUTH-5")
def test_a_scope_that_was_unticked_pauses_contacts_with_the_reason(
    product: Product, box: SandboxServer
) -> None:
    user = product.add_user(ANNA)
    session = "a-session"
    url = connecting.start(product.app, user, "google_sync", session)
    answer = box.consent(url, ANNA, scopes=["https://www.googleapis.com/auth/tasks"])
    waiting = connecting.callback(product.app, session, answer)
    connecting.confirm(product.app, user, "google_sync", session, ANNA)

    cycle = product.cycle(user)

    assert waiting.missing == ("contacts", "calendar")
    assert (cycle["state"], cycle["error"]["code"]) == ("paused", "scope_missing")


@pytest.mark.timeout(60)
@pytest.mark.rule("AUTH-3", "AUTH-4")
def test_another_account_a_denial_and_a_replay_store_nothing(
    product: Product, box: SandboxServer
) -> None:
    user = product.add_user(ANNA)
    app = product.app
    url = connecting.start(app, user, "google_sync", "s")
    with pytest.raises(UsageError, match="denied"):
        connecting.callback(app, "s", box.consent(url, ANNA, deny=True))

    url = connecting.start(app, user, "google_sync", "s")
    answer = box.consent(url, ANNA)
    with pytest.raises(UsageError, match="no authorisation"):
        connecting.callback(app, "another session", answer)
    connecting.callback(app, "s", answer)
    with pytest.raises(UsageError, match="no authorisation"):
        connecting.callback(app, "s", answer)
    with pytest.raises(
        UsageError, match=f"eve@x.example, but Google authorised {ANNA}"
    ):
        connecting.confirm(app, user, "google_sync", "s", "eve@x.example")
    with pytest.raises(UsageError, match="No authorisation is waiting"):
        connecting.confirm(app, user, "google_sync", "s", ANNA)

    with app.database.read() as connection:
        assert connection.execute(select(t.connections)).all() == []


@pytest.mark.timeout(60)
@pytest.mark.rule("AUTH-6")
def test_no_token_stands_in_the_database_or_in_history(
    product: Product, anna: User, box: SandboxServer
) -> None:
    from crmsync.connectors.google.tokens import Grant

    contact(product, first="Ada")
    product.cycle(anna)
    with product.app.database.read() as connection:
        stored = one(connection.execute(select(t.connections)).all())
        grant = Grant.from_text(product.app.cipher.decrypt(stored.grant))
        names = inspect(connection).get_table_names()
        dump = "".join(
            str(tuple(row))
            for name in names
            for row in connection.exec_driver_sql(f'SELECT * FROM "{name}"')
        )

    assert grant.refresh_token
    assert grant.access_token not in dump
    assert grant.refresh_token not in dump
    assert connecting.rotate_keys(product.app) == 1
    assert product.cycle(anna)["state"] == "succeeded"


@pytest.mark.timeout(60)
@pytest.mark.rule("HIS-4")
def test_the_story_of_a_record_tells_everything_in_order(
    product: Product, anna: User, box: SandboxServer
) -> None:
    made = contact(product, first="Ada", email="ada@x.example")
    product.cycle(anna)
    box.settle()
    builtin.edit_contact(product.app, made, {"title": "Countess"})
    product.cycle(anna)

    story = reporting.record_story(product.app, "contact", made)

    assert [item["action"] for item in story] == ["create", "update"]
    assert story[1]["changes"][0]["field"] == "title"


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-21")
@pytest.mark.parametrize("where", ["google", "crm"])
def test_a_merge_on_either_side_ends_in_one_link_and_no_copy(
    product: Product, anna: User, box: SandboxServer, where: str
) -> None:
    keep = contact(product, first="Ada", last="Byron", email="ada@x.example")
    lose = contact(product, first="Ada", last="Lovelace", email="ada@y.example")
    product.cycle(anna)
    box.settle()
    names = {p["names"][0]["familyName"]: p["resourceName"] for p in box.people(ANNA)}
    if where == "google":
        box.act(ANNA, names["Lovelace"], "merge", into=names["Byron"])
    else:
        builtin.merge_contacts(product.app, keep, lose)

    product.cycle(anna)
    box.settle()
    again = product.cycle(anna)

    with product.app.database.read() as connection:
        link = one(connection.execute(select(t.links)).all())
    assert (link.crm_id, link.google_id) == (keep, names["Byron"])
    labelled = [
        p for p in box.people(ANNA)
        if p["resourceName"] in box.groups(ANNA)[LABEL]["members"]
    ]  # fmt: skip
    addresses = {e["value"] for e in one(labelled)["emailAddresses"]}
    assert addresses == {"ada@x.example", "ada@y.example"}
    row = next(r for r in builtin.list_contacts(product.app, "", 9) if r["id"] == keep)
    assert {row["email"], row["email2"]} == addresses
    assert sum(again["counts"]["google"].values()) == 0
    assert sum(again["counts"]["crm"].values()) == 0


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-15", "CON-19")
def test_a_touch_and_a_renamed_resource_write_nothing(
    product: Product, anna: User, box: SandboxServer
) -> None:
    contact(product, first="Ada", email="ada@x.example", mobile="(212) 555-0100")
    product.cycle(anna)
    box.settle()
    name = one(box.people(ANNA))["resourceName"]
    box.act(ANNA, name, "touch")
    box.act(ANNA, name, "rename")

    cycle = product.cycle(anna)
    box.settle()
    again = product.cycle(anna)

    assert sum(cycle["counts"]["google"].values()) == 0
    assert sum(cycle["counts"]["crm"].values()) == 0
    assert again["counts"]["crm"]["unlinked"] == 0
    assert len(box.people(ANNA)) == 1
