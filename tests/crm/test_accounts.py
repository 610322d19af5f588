from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection

from crm import accounts, contacts
from crm.accounts import AccountRule
from crm.common import EVERYONE, Author
from crm.errors import AmbiguousAccount, BadValue, NotFound, TooLong
from tests.crm.builders import RULE, all_changes, make_contact

OLD = Author("U1", datetime(2020, 1, 1, tzinfo=UTC))
NEW = Author("U1", datetime(2024, 1, 1, tzinfo=UTC))


@pytest.mark.rule("CON-9")
def test_a_company_finds_its_account_trimmed_and_in_any_case(conn: Connection) -> None:
    account = accounts.create(conn, "Ärzte GmbH", rule=RULE)

    placed = accounts.account_for(conn, {"company": "  äRZTE gmbh "}, rule=RULE)

    assert placed == accounts.Placed(account, is_new=False)


@pytest.mark.rule("CON-9")
def test_the_comparison_is_at_the_length_of_the_crm(conn: Connection) -> None:
    account = accounts.create(conn, "x" * 128, rule=RULE)

    assert accounts.find_by_name(conn, "X" * 140) == [account]


@pytest.mark.rule("CON-9")
def test_the_oldest_of_several_accounts_is_taken(conn: Connection) -> None:
    young = [accounts.create(conn, "Engines", rule=RULE, by=NEW) for _ in range(4)]
    old = accounts.create(conn, "ENGINES", rule=RULE, by=OLD)
    young += [accounts.create(conn, "Engines", rule=RULE, by=NEW) for _ in range(4)]

    placed = accounts.account_for(conn, {"company": "Engines"}, rule=RULE)

    found = accounts.find_by_name(conn, "engines")
    assert placed.account == found[0] == old
    assert {account.id for account in found[1:]} == {item.id for item in young}


@pytest.mark.rule("CON-9")
def test_several_accounts_are_asked_about_where_the_setting_says_so(
    conn: Connection,
) -> None:
    young = accounts.create(conn, "Engines", rule=RULE, by=NEW)
    old = accounts.create(conn, "Engines", rule=RULE, by=OLD)
    rule = AccountRule(manager="U1", ambiguous="hold")

    with pytest.raises(AmbiguousAccount) as caught:
        contacts.create(conn, {"last": "B", "company": "engines"}, account=rule)

    assert caught.value.candidates == (old, young)


@pytest.mark.rule("CON-9")
def test_a_new_account_has_the_defaults_of_the_settings(conn: Connection) -> None:
    placed = accounts.account_for(
        conn, {"company": " New Ltd "}, rule=AccountRule(manager="U9"), by=OLD
    )

    account = accounts.get(conn, placed.account.id)
    assert placed.is_new
    assert account == accounts.AccountRow(
        id=placed.account.id,
        name="New Ltd",
        type="Prospect",
        status="Active",
        owner=EVERYONE,
        manager="U9",
        is_personal=False,
        created_at=datetime(2020, 1, 1, tzinfo=UTC),
        modified_at=datetime(2020, 1, 1, tzinfo=UTC),
    )


@pytest.mark.rule("CON-9")
def test_type_status_and_owner_follow_the_rule(conn: Connection) -> None:
    rule = AccountRule("U9", type="Customer", status="Open", owner="U9")

    account = accounts.account_for(conn, {"company": "New"}, rule=rule).account

    assert (account.type, account.status, account.owner) == ("Customer", "Open", "U9")


@pytest.mark.rule("CON-9")
@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"first": "Ada", "last": "Byron", "email": "a@b.example"}, "Byron, Ada"),
        ({"first": "Ada", "email": "a@b.example"}, "Ada"),
        ({"last": "Byron", "company": "   "}, "Byron"),
        ({"email": "a@b.example", "mobile": "1"}, "a@b.example"),
        ({"email2": "c@b.example"}, "c@b.example"),
        ({"mobile": "+1 212 555 0012"}, "+1 212 555 0012"),
        ({}, "(no name)"),
    ],
)
def test_without_a_company_the_account_is_named_after_the_person(
    conn: Connection, values: dict[str, str], name: str
) -> None:
    placed = accounts.account_for(conn, values, rule=RULE)

    assert placed.is_new
    assert placed.account.name == name
    assert placed.account.is_personal


@pytest.mark.rule("CON-9")
def test_a_personal_account_is_never_used_for_another_person(conn: Connection) -> None:
    values = {"first": "Ada", "last": "Byron"}
    one = contacts.create(conn, values, account=RULE)

    namesake = contacts.create(conn, values, account=RULE)
    company = contacts.create(conn, {"company": "Byron, Ada"}, account=RULE)

    assert len({one.account_id, namesake.account_id, company.account_id}) == 3
    assert [a.id for a in accounts.find_by_name(conn, "byron, ada")] == [
        company.account_id
    ]


@pytest.mark.rule("CON-9")
def test_a_personal_account_reads_as_no_company(conn: Connection) -> None:
    made = make_contact(conn)

    assert contacts.get(conn, made.id).values["company"] == ""


@pytest.mark.rule("CON-9")
def test_one_batch_makes_one_account_per_company(conn: Connection) -> None:
    names = ["New Ltd", "new ltd ", "Other", "", ""]

    placed = accounts.place_many(
        conn, [({"company": name, "last": "B"}, RULE) for name in names]
    )

    assert [item.is_new for item in placed] == [True, False, True, True, True]
    assert len({item.account.id for item in placed}) == 4


def test_a_company_over_the_limit_is_refused(conn: Connection) -> None:
    with pytest.raises(TooLong):
        accounts.account_for(conn, {"company": "x" * 129}, rule=RULE)
    with pytest.raises(BadValue):
        accounts.create(conn, "  ", rule=RULE)


@pytest.mark.rule("CON-18")
def test_a_renamed_account_shows_on_its_contacts_and_in_the_feed(
    conn: Connection,
) -> None:
    one = make_contact(conn, company="Old Ltd")
    other = make_contact(conn, company="Old Ltd")
    make_contact(conn, company="Third Ltd")
    seen = all_changes(conn)[-1].seq

    accounts.update(conn, one.account_id, changes={"name": "New Ltd"}, by=NEW)

    rows = contacts.read(conn, [one.id, other.id])
    assert [row.values["company"] for row in rows] == ["New Ltd", "New Ltd"]
    assert [row.version for row in rows] == [2, 2]
    changed = {change.contact_id for change in all_changes(conn, seen)}
    assert changed == {one.id, other.id}
    assert accounts.find_by_name(conn, "Old Ltd") == []
    assert [a.id for a in accounts.find_by_name(conn, "new ltd")] == [one.account_id]


def test_other_changes_of_an_account_leave_its_contacts_alone(conn: Connection) -> None:
    made = make_contact(conn, company="Old Ltd")

    account = accounts.update(
        conn, made.account_id, changes={"status": "Closed"}, by=NEW
    )

    assert account.status == "Closed"
    assert accounts.get(conn, made.account_id) == account
    assert contacts.get(conn, made.id) == made


def test_unknown_accounts_and_fields_are_refused(conn: Connection) -> None:
    with pytest.raises(NotFound):
        accounts.update(conn, "Anowhere", changes={"name": "x"}, by=NEW)
    with pytest.raises(BadValue, match="colour"):
        accounts.update(conn, "Anowhere", changes={"colour": "x"}, by=NEW)


def test_accounts_are_listed_by_name_in_pages(conn: Connection) -> None:
    for name in ("beta", "Alpha", "gamma"):
        accounts.create(conn, name, rule=RULE)
    seen: list[str] = []
    after = ("", "")

    while page := accounts.page(conn, after=after, limit=2):
        after = accounts.sort_key(page[-1])
        seen += [account.name for account in page]

    assert seen == ["Alpha", "beta", "gamma"]
