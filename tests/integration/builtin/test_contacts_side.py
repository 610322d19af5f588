"""The built-in CRM's side beyond the contract: accounts, owners, refusals, the feed."""

from __future__ import annotations

import pytest

from crm import accounts, contacts, groups
from crm.accounts import AccountRow, AccountRule
from crm.common import Author
from crm.rows import NewContact
from crmsync.errors import (
    CollectionGone,
    CursorExpired,
    EtagMismatch,
    InvalidRecord,
    Retryable,
)
from crmsync.ports import Edit, NewRecord, Query
from tests.contract.benches import BuiltinBench
from tests.contract.side_contract import (
    Reader,
    edit_of,
    fetched,
    new_key,
    new_record,
    person,
    remote_of,
)


def account_of(bench: BuiltinBench, remote_id: str) -> AccountRow:
    with bench.database.read() as conn:
        return accounts.get(conn, contacts.get(conn, remote_id).account_id)


def make_accounts(bench: BuiltinBench, name: str, count: int = 2) -> list[str]:
    with bench.database.write() as conn:
        return [
            accounts.create(conn, name, rule=AccountRule()).id for _ in range(count)
        ]


def count_accounts(bench: BuiltinBench) -> int:
    with bench.database.read() as conn:
        return len(accounts.page(conn))


def put_private(bench: BuiltinBench, owner: str, **values: str) -> str:
    with bench.database.write() as conn:
        return contacts.create(
            conn, person(**values), account=AccountRule(), owner=owner
        ).id


def put_many(bench: BuiltinBench, count: int) -> list[str]:
    people = [NewContact(person(), AccountRule()) for _ in range(count)]
    with bench.database.write() as conn:
        made = [row.id for row in contacts.create_many(conn, people)]
        groups.add_members(conn, bench.group_id, contact_ids=made)
    return made


# ------------------------------------------------------------------ the group


@pytest.mark.rule("CON-2")
def test_without_a_chosen_group_nothing_is_opened(bench: BuiltinBench) -> None:
    side = bench.new_side(group_id="")

    with pytest.raises(CollectionGone, match="No Contact Sync Group is chosen"):
        side.open({}, verify=True, may_write=True)


@pytest.mark.rule("CON-2", "WEB-3")
def test_another_users_group_is_unreadable(bench: BuiltinBench) -> None:
    with bench.database.write() as conn:
        theirs = groups.create(conn, "Theirs", owner="U2").id
        mine = groups.create(conn, "Mine", owner="U1").id

    bench.new_side(group_id=mine).open({}, verify=True, may_write=True)
    with pytest.raises(CollectionGone, match="another user"):
        bench.new_side(group_id=theirs).open({}, verify=True, may_write=True)


@pytest.mark.rule("CON-2", "ENG-3")
def test_a_group_deleted_in_mid_cycle_stops_all_writes_and_loses_none(
    bench: BuiltinBench,
) -> None:
    inside = bench.put(person())
    before = count_accounts(bench)
    bench.drop_collection()

    with pytest.raises(Retryable, match="deleted meanwhile"):
        bench.side.create([new_record()])
    with pytest.raises(Retryable, match="deleted meanwhile"):
        bench.side.deselect([inside])

    assert count_accounts(bench) == before
    assert fetched(bench.side, inside).is_selected
    assert [r.remote_id for r in Reader(bench).read()] == [inside]


def test_what_is_written_names_its_author_and_time(bench: BuiltinBench) -> None:
    made = remote_of(bench.side.create([new_record()])[0])
    bench.clock.advance(60)
    bench.side.update([edit_of(made, {"title": "New"})])

    with bench.database.read() as conn:
        row = contacts.get(conn, made.remote_id)
    assert (row.modified_by, row.modified_at) == ("U1", bench.clock.now())
    assert fetched(bench.side, made.remote_id).modified_at == bench.clock.now()
    assert bench.side.requests == 0


# ------------------------------------------------------------------ accounts


@pytest.mark.rule("CON-9")
def test_a_company_finds_its_oldest_account(bench: BuiltinBench) -> None:
    oldest, _ = make_accounts(bench, "Acme Ltd")

    made = remote_of(bench.side.create([new_record(company="  ACME ltd ")])[0])

    assert account_of(bench, made.remote_id).id == oldest
    assert made.values["company"] == "Acme Ltd"


@pytest.mark.rule("CON-9")
def test_a_new_account_is_made_as_the_settings_say(bench: BuiltinBench) -> None:
    side = bench.new_side(
        account_type="Customer", account_status="New", account_owner="U1"
    )

    made = remote_of(side.create([new_record(company="Acme")])[0])

    account = account_of(bench, made.remote_id)
    assert (account.name, account.type, account.status) == ("Acme", "Customer", "New")
    assert (account.owner, account.manager, account.is_personal) == ("U1", "U1", False)
    with bench.database.read() as conn:
        assert contacts.get(conn, made.remote_id).owner == "U1"


@pytest.mark.rule("CON-9")
def test_a_person_without_a_company_gets_an_account_of_their_own(
    bench: BuiltinBench,
) -> None:
    records = [new_record(first="Ada", last="Byron") for _ in range(2)]

    made = [remote_of(outcome) for outcome in bench.side.create(records)]

    found = [account_of(bench, remote.remote_id) for remote in made]
    assert [account.name for account in found] == ["Byron, Ada"] * 2
    assert found[0].id != found[1].id
    assert (found[0].type, found[0].status) == ("Prospect", "Active")
    assert "company" not in made[0].values


@pytest.mark.rule("CON-9")
def test_an_ambiguous_company_asks_and_names_the_accounts(bench: BuiltinBench) -> None:
    candidates = make_accounts(bench, "Acme")
    side = bench.new_side(ambiguous_account="hold")
    asked, clear = new_record(company="acme"), new_record(company="Other")

    outcomes = side.create([asked, clear])

    error = outcomes[0].error
    assert isinstance(error, InvalidRecord)
    assert (error.code, error.fields) == ("ambiguous_account", ("company",))
    assert all(f"Acme ({item})" in error.message for item in candidates)
    assert "Choose one of these accounts" in error.next_step
    assert remote_of(outcomes[1]).values["company"] == "Other"
    assert dict(side.lookup([asked.key])) == {}


@pytest.mark.rule("CON-9")
def test_a_chosen_account_settles_the_question(bench: BuiltinBench) -> None:
    _, newer = make_accounts(bench, "Acme")
    side = bench.new_side(ambiguous_account="hold")

    made = remote_of(
        side.create([NewRecord(new_key(), person(company="acme"), newer)])[0]
    )

    assert account_of(bench, made.remote_id).id == newer
    assert made.is_selected


@pytest.mark.rule("CON-9")
def test_a_chosen_account_that_is_gone_fails_that_record_only(
    bench: BuiltinBench,
) -> None:
    lost = NewRecord(new_key(), person(), "AGONE")

    outcomes = bench.side.create([new_record(), lost, new_record()])

    error = outcomes[1].error
    assert isinstance(error, InvalidRecord)
    assert (error.code, "AGONE" in error.message) == ("account_gone", True)
    assert [o.remote is not None for o in outcomes] == [True, False, True]


@pytest.mark.rule("CON-18")
def test_an_update_never_moves_a_contact_to_another_company(
    bench: BuiltinBench,
) -> None:
    before = fetched(bench.side, bench.put(person(company="Acme")))

    outcome = bench.side.update([edit_of(before, {"company": "B", "title": "T"})])[0]

    now = remote_of(outcome)
    assert (now.values["company"], now.values["title"]) == ("Acme", "T")


@pytest.mark.rule("CON-18")
def test_a_renamed_account_shows_as_a_change_of_its_contacts(
    bench: BuiltinBench,
) -> None:
    one = bench.put(person(company="Acme"))
    reader = Reader(bench)
    reader.read()

    with bench.database.write() as conn:
        account_id = contacts.get(conn, one).account_id
        accounts.update(conn, account_id, changes={"name": "Acme 2"}, by=Author())

    assert reader.read_by_id()[one].values["company"] == "Acme 2"


# ------------------------------------------------------------------ refusals


@pytest.mark.rule("CON-15", "ENG-8")
@pytest.mark.parametrize(
    ("bad", "field", "says"),
    [
        ({"first": "x" * 33}, "first", "First name takes 32 characters, not 33."),
        ({"birthday": "12.3."}, "birthday", "Birthday is not a date"),
        ({"notes": "a\x00b"}, "notes", "Notes holds a character"),
        ({"company": "x" * 129}, "company", "Company takes 128 characters"),
    ],
)
def test_a_refused_record_names_its_field_and_stops_no_other(
    bench: BuiltinBench, bad: dict[str, str], field: str, says: str
) -> None:
    records = [new_record(), new_record(), new_record(**bad), new_record()]

    outcomes = bench.side.create(records)

    error = outcomes[2].error
    assert isinstance(error, InvalidRecord)
    assert error.fields == (field,)
    assert says in error.message
    good = [remote_of(outcomes[n]) for n in (0, 1, 3)]
    assert [remote.key for remote in good] == [records[n].key for n in (0, 1, 3)]
    assert count_accounts(bench) == 3
    assert len(Reader(bench).read()) == 3


@pytest.mark.rule("CON-15", "ENG-8")
def test_a_refused_update_leaves_its_record_and_stops_no_other(
    bench: BuiltinBench,
) -> None:
    found = [fetched(bench.side, bench.put(person())) for _ in range(3)]

    outcomes = bench.side.update(
        [
            edit_of(found[0], {"title": "A"}),
            edit_of(found[1], {"title": "B", "shoe_size": "9"}),
            edit_of(found[2], {"title": "C"}),
        ]
    )

    assert isinstance(outcomes[1].error, InvalidRecord)
    titles = [fetched(bench.side, r.remote_id).values["title"] for r in found]
    assert titles == ["A", "Engineer", "C"]


def test_a_contact_edited_twice_in_a_batch_is_edited_in_order(
    bench: BuiltinBench,
) -> None:
    before = fetched(bench.side, bench.put(person()))

    first, second = bench.side.update(
        [edit_of(before, {"title": "A"}), edit_of(before, {"title": "B"})]
    )

    assert remote_of(first).values["title"] == "A"
    assert isinstance(second.error, EtagMismatch)


@pytest.mark.rule("ENG-3")
def test_an_edit_without_a_version_is_judged_by_what_it_saw(
    bench: BuiltinBench,
) -> None:
    values = person()
    one = bench.put(values)

    blind = bench.side.update([Edit(one, "", {}, {"title": "A"}, {})])[0]
    seeing = bench.side.update([Edit(one, "", values, {"title": "A"}, {})])[0]

    assert isinstance(blind.error, EtagMismatch)
    assert remote_of(seeing).values["title"] == "A"


# ------------------------------------------------------------------ reading


@pytest.mark.rule("CON-17")
def test_fields_outside_of_the_table_are_neither_read_nor_compared(
    bench: BuiltinBench,
) -> None:
    side = bench.new_side(fields=("first", "last", "email"))
    before = fetched(side, bench.put(person(notes="private")))
    bench.edit(before.remote_id, {"notes": "other"})

    outcome = side.update([edit_of(before, {"last": "New"})])[0]

    assert set(before.values) == {"first", "last", "email"}
    assert remote_of(outcome).values["last"] == "New"
    with bench.database.read() as conn:
        assert contacts.get(conn, before.remote_id).values["notes"] == "other"


@pytest.mark.rule("WEB-3", "CON-7")
def test_contacts_that_only_others_see_are_not_found(bench: BuiltinBench) -> None:
    address = "ada@mail.example"
    put_private(bench, "U2", email=address)
    mine = put_private(bench, "U1", email=address)
    chosen = put_private(bench, "U2", email=address)
    bench.mark(chosen, selected=True)

    found = bench.side.find(Query(addresses=frozenset({address})))

    assert sorted(r.remote_id for r in found) == sorted([mine, chosen])


@pytest.mark.rule("CON-20", "CON-23")
def test_another_users_key_names_no_origin_of_ours(bench: BuiltinBench) -> None:
    record = NewRecord(new_key("people/c1"), person())
    bench.new_side(user="v").create([record])

    query = Query(origins=frozenset({"people/c1"}))
    assert len(bench.side.find(query)) == 1
    assert list(bench.new_side(user="v").find(query)) == []
    assert list(bench.new_side(installation="j").find(query)) == []


@pytest.mark.rule("ENG-10")
def test_many_members_come_in_pages_and_each_once(bench: BuiltinBench) -> None:
    made = put_many(bench, 401)

    pages = list(bench.side.read(None))

    assert [len(page.records) for page in pages] == [200, 200, 1]
    assert sorted(r.remote_id for p in pages for r in p.records) == sorted(made)
    assert [page.cursor is None for page in pages] == [True, True, False]


@pytest.mark.rule("ENG-10", "ENG-4")
@pytest.mark.parametrize("count", [199, 200, 201, 400])
def test_many_changes_come_in_pages_and_none_is_missed(
    bench: BuiltinBench, count: int
) -> None:
    made = put_many(bench, count)
    reader = Reader(bench)
    reader.read()
    with bench.database.write() as conn:
        contacts.update_many(
            conn, [contacts.ContactEdit(i, {"title": "New"}) for i in made]
        )

    pages = list(bench.side.read(reader.cursor))

    shown = [r for page in pages for r in page.records]
    assert sorted(r.remote_id for r in shown) == sorted(made)
    assert {r.values["title"] for r in shown} == {"New"}
    assert max(len(page.records) for page in pages) <= 200
    reader.cursor = pages[-1].cursor
    assert reader.read() == []


def test_a_contact_made_and_selected_is_shown_once_on_a_page(
    bench: BuiltinBench,
) -> None:
    reader = Reader(bench)
    reader.read()
    one = bench.put(person())
    bench.edit(one, {"title": "New"})

    assert [r.remote_id for r in reader.read()] == [one]


@pytest.mark.rule("ENG-4")
def test_what_changes_during_a_full_read_is_shown_afterwards(
    bench: BuiltinBench,
) -> None:
    made = sorted(put_many(bench, 250))
    pages = bench.side.read(None)
    first = next(pages)

    bench.edit(made[0], {"title": "Later"})
    bench.remove(made[1])
    late = bench.put(person())
    cursor = list(pages)[-1].cursor

    assert {r.remote_id for r in first.records} == set(made[:200])
    reader = Reader(bench)
    reader.cursor = cursor
    found = reader.read_by_id()
    assert set(found) == {made[0], made[1], late}
    assert found[made[1]].is_gone


@pytest.mark.rule("CON-20", "ENG-4")
def test_a_cursor_ahead_of_the_crm_has_expired(bench: BuiltinBench) -> None:
    reader = Reader(bench)
    reader.read()
    scope, _, place = str(reader.cursor).rpartition(":")

    with pytest.raises(CursorExpired, match="older than our cursor"):
        list(bench.side.read(f"{scope}:{int(place) + 1}"))


@pytest.mark.rule("CON-2")
def test_a_cursor_of_another_group_has_expired(bench: BuiltinBench) -> None:
    reader = Reader(bench)
    reader.read()
    with bench.database.write() as conn:
        other = groups.create(conn, "Other").id

    with pytest.raises(CursorExpired, match="this Contact Sync Group"):
        list(bench.new_side(group_id=other).read(reader.cursor))


@pytest.mark.rule("CON-4")
def test_contacts_outside_of_the_group_do_not_fill_the_feed(
    bench: BuiltinBench,
) -> None:
    outside = bench.put(person(), selected=False)
    reader = Reader(bench)
    reader.read()

    bench.edit(outside, {"title": "New"})
    bench.put(person(), selected=False)

    assert reader.read() == []


def test_versions_order_as_texts(bench: BuiltinBench) -> None:
    one = bench.put(person())
    stamps = []
    for number in range(11):
        bench.edit(one, {"title": f"T{number}"})
        stamps.append(fetched(bench.side, one).stamp)

    assert stamps == sorted(stamps)
    assert len(set(stamps)) == 11
