"""Google's contacts side against the sandbox, which follows the contract strictly."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from crmsync.errors import (
    CursorExpired,
    EtagMismatch,
    InvalidRecord,
    NotFound,
    OutcomeUnknown,
    PermissionMissing,
    RateLimited,
    Retryable,
)
from crmsync.ports import Edit, NewRecord
from crmsync.records.remote import Remote
from crmsync.records.values import SideName
from tests.integration.google.conftest import Account, Shifted

MY = "contactGroups/myContacts"


def edit(remote: Remote, values: dict[str, str], **more: Any) -> Edit:
    given: dict[str, Any] = {"seen": remote.values, "base": remote.values, **more}
    return Edit(remote.remote_id, remote.etag, values=values, **given)


def people(count: int) -> list[NewRecord]:
    return [
        NewRecord(f"1|inst|u|c{n}|n{n}", {"first": f"N{n}", "email": f"n{n}@x.example"})
        for n in range(count)
    ]


# ------------------------------------------------------------------ label


@pytest.mark.rule("CON-3")
def test_the_label_is_made_once_and_followed_when_renamed(anna: Account) -> None:
    name = anna.side.label
    groups = anna.box.groups(anna.email)
    assert f"contactGroups/{groups['Infor CRM']['id']}" == name

    anna.side = anna.new_side(label_name="Something else")
    was_restored = anna.open()

    assert not was_restored
    assert anna.side.label == name
    assert "Something else" not in anna.box.groups(anna.email)


@pytest.mark.rule("CON-3")
def test_an_existing_label_of_any_case_is_adopted(
    new_account: Callable[[], Account],
) -> None:
    account = new_account()
    account.by_hand(names=[{"givenName": "A"}], labels=["INFOR crm"])

    account.open(may_write=False)

    assert account.side.label
    assert all(remote.is_selected for remote in account.read()[0].values())


@pytest.mark.rule("CON-3", "ENG-7")
def test_a_dry_run_makes_no_label(new_account: Callable[[], Account]) -> None:
    account = new_account()
    account.by_hand(names=[{"givenName": "A"}])

    account.open(may_write=False)

    assert account.side.label == ""
    assert not any(remote.is_selected for remote in account.read()[0].values())
    assert account.writes() == []


@pytest.mark.rule("CON-3")
def test_a_deleted_label_is_made_again_and_said_so(anna: Account) -> None:
    anna.memo["label"] = "contactGroups/gone"

    assert anna.open()
    made = anna.box.groups(anna.email)["Infor CRM"]["id"]
    assert anna.side.label == f"contactGroups/{made}"


def test_the_label_is_looked_up_at_most_hourly(anna: Account, clock: Shifted) -> None:
    before = anna.side.requests
    anna.open(verify=False)
    assert anna.side.requests == before

    clock.by += type(clock.by)(hours=1, seconds=1)
    anna.open(verify=False)
    assert anna.side.requests == before + 1


@pytest.mark.rule("ENG-2")
def test_a_label_whose_answer_was_lost_is_found(
    new_account: Callable[[], Account],
) -> None:
    account = new_account()
    account.box.fault("close_after", method="POST", path="/contactGroups$", count=1)

    account.open()

    assert account.side.label
    assert len([n for n in account.box.groups(account.email) if n == "Infor CRM"]) == 1


# ------------------------------------------------------------------ create


@pytest.mark.rule("CON-8", "CON-20")
def test_450_contacts_are_made_in_three_requests(anna: Account) -> None:
    before = anna.side.requests
    records = people(450)

    outcomes = anna.side.create(records)

    assert anna.side.requests - before == 3
    assert all(outcome.error is None for outcome in outcomes)
    found, _ = anna.read()
    assert len(found) == 450
    for record, outcome in zip(records, outcomes, strict=True):
        assert outcome.remote is not None
        made = found[outcome.remote.remote_id]
        assert (made.key, made.values, made.is_selected) == (
            record.key,
            record.values,
            True,
        )
        assert made.etag == outcome.remote.etag
        assert made.stamp == outcome.remote.stamp != ""


def test_a_full_contact_comes_back_as_it_was_sent(anna: Account) -> None:
    values = {
        "prefix": "Dr.",
        "first": "Jo",
        "middle": "X",
        "last": "Doe",
        "suffix": "Jr.",
        "company": "Acme",
        "title": "CEO",
        "department": "Board",
        "email": "jo@x.example",
        "email2": "jo2@x.example",
        "email3": "jo3@x.example",
        "work_phone": "+12125550001",
        "home_phone": "+12125550002",
        "mobile": "+12125550003",
        "fax": "+12125550004",
        "web": "https://x.example/jo",
        "work_street": "1 A St\nSuite 2",
        "work_city": "Rome",
        "work_region": "RM",
        "work_postal": "00100",
        "work_country": "Italy",
        "home_street": "2 B St",
        "birthday": "1980-02-03",
        "notes": "likes tea\nand cake",
    }
    (made,) = anna.make(values)

    found = anna.side.fetch([made.remote_id])[made.remote_id]

    assert anna.side.project(found, values) == values
    assert found.extras == ()
    groups = {
        m["contactGroupMembership"]["contactGroupResourceName"]
        for m in anna.person(made.remote_id)["memberships"]
    }
    assert groups == {anna.side.label, MY}


@pytest.mark.rule("ENG-8")
def test_a_poisonous_contact_costs_only_itself(anna: Account) -> None:
    records = people(40)
    records[17] = NewRecord("1|inst|u|c|bad", {"first": "B", "birthday": "soon"})

    outcomes = anna.side.create(records)

    failed = [n for n, outcome in enumerate(outcomes) if outcome.error is not None]
    assert failed == [17]
    assert isinstance(outcomes[17].error, InvalidRecord)
    assert outcomes[17].error.fields == ("birthday",)


@pytest.mark.rule("ENG-8")
def test_a_contact_that_google_refuses_is_found_by_halving(anna: Account) -> None:
    records = people(40)
    records[17] = replace(records[17], values={"birthday": "0001-02-30"[:10]})
    too_long = {"first": "L", "notes": "x" * 2_000_000}
    records[23] = replace(records[23], values=too_long)

    outcomes = anna.side.create(records)

    good = [n for n, outcome in enumerate(outcomes) if outcome.error is None]
    assert set(range(40)) - set(good) <= {17, 23}
    assert len(anna.read()[0]) == len(good)


@pytest.mark.rule("ENG-2")
@pytest.mark.parametrize("action", ["close_after", "reset_after", "truncate"])
def test_a_lost_answer_leaves_the_whole_batch_unknown(
    anna: Account, action: str
) -> None:
    anna.box.fault(action, path=":batchCreateContacts", count=1)

    outcomes = anna.side.create(people(3))

    assert all(isinstance(o.error, OutcomeUnknown) for o in outcomes)
    found, _ = anna.read()
    assert sorted(r.key for r in found.values()) == [r.key for r in people(3)]


@pytest.mark.rule("ENG-2")
def test_a_batch_that_is_not_atomic_is_never_sent_again(anna: Account) -> None:
    side = anna.new_side(batch_is_atomic=False)
    side.open(anna.memo, verify=False, may_write=True)
    anna.box.fault(
        {"type": "status", "error": "INVALID_ARGUMENT"},
        path=":batchCreateContacts",
        count=1,
    )

    outcomes = side.create(people(4))

    assert all(isinstance(o.error, OutcomeUnknown) for o in outcomes)


def test_a_full_address_book_stops_all_creates(anna: Account) -> None:
    anna.box.switch(contact_cap=3)

    outcomes = anna.side.create(people(450))

    assert {o.error.code for o in outcomes if o.error} == {"contacts_full"}
    calls = [w for w in anna.writes() if "batchCreate" in w["path"]]
    assert len(calls) == 1


@pytest.mark.rule("ENG-8")
def test_the_write_budget_of_an_account_parks_it(anna: Account) -> None:
    anna.box.fault(
        {"type": "status", "error": "fbs"}, path=":batchCreateContacts", count=1
    )

    with pytest.raises(RateLimited) as caught:
        anna.side.create(people(3))

    assert (caught.value.retry_after or 0) >= 300


@pytest.mark.rule("ENG-8")
def test_a_rate_limit_is_waited_out(anna: Account) -> None:
    anna.box.fault(
        {"type": "status", "error": "rate"}, path=":batchCreateContacts", count=2
    )

    outcomes = anna.side.create(people(3))

    assert all(outcome.error is None for outcome in outcomes)


# ------------------------------------------------------------------ reading


def test_an_empty_account_is_read(anna: Account) -> None:
    found, cursor = anna.read()

    assert found == {}
    assert anna.read(cursor)[0] == {}


def test_only_changes_are_read_with_a_cursor(anna: Account) -> None:
    first, second, third = anna.make({"first": "A"}, {"first": "B"}, {"first": "C"})
    _, cursor = anna.read()
    anna.box.edit_person(anna.email, first.remote_id, {"names": [{"givenName": "Z"}]})
    anna.box.delete_person(anna.email, second.remote_id)
    before = anna.side.requests

    found, following = anna.read(cursor)

    assert anna.side.requests - before == 1
    assert found[first.remote_id].values == {"first": "Z"}
    assert found[second.remote_id].is_gone
    assert third.remote_id not in found
    assert anna.read(following)[0].get(first.remote_id) is None


def test_pages_are_followed_and_may_be_empty(anna: Account) -> None:
    anna.make(*({"first": f"N{n}"} for n in range(60)))
    anna.box.switch(short_pages=True)

    found, cursor = anna.read()

    assert len(found) == 60
    assert anna.read(cursor)[0] == {}


@pytest.mark.rule("ENG-4")
@pytest.mark.parametrize("status", ["INVALID_ARGUMENT", "FAILED_PRECONDITION"])
def test_an_expired_cursor_is_said_to_be_so(anna: Account, status: str) -> None:
    _, cursor = anna.read()
    anna.box.switch(sync_expired_status=status)
    anna.box.expire_sync_tokens(anna.email)

    with pytest.raises(CursorExpired):
        anna.read(cursor)

    assert anna.read()[0] == {}


@pytest.mark.rule("ENG-4")
@pytest.mark.parametrize("code", [400, 410])
def test_any_refusal_of_a_token_is_an_expired_cursor(anna: Account, code: int) -> None:
    _, cursor = anna.read()
    anna.box.fault(
        {"type": "status", "error": "INVALID_ARGUMENT", "code": code},
        path="/connections",
        count=1,
    )

    with pytest.raises(CursorExpired):
        anna.read(cursor)


@pytest.mark.rule("ENG-4")
def test_a_cursor_is_given_up_before_google_does(anna: Account, clock: Shifted) -> None:
    _, cursor = anna.read()
    clock.by += type(clock.by)(days=6, minutes=1)

    with pytest.raises(CursorExpired):
        anna.read(cursor)


def test_a_cursor_of_another_label_or_form_is_expired(anna: Account) -> None:
    _, cursor = anna.read()

    for wrong in (
        "no json",
        json.dumps({**json.loads(cursor), "label": "contactGroups/other"}),
        json.dumps({**json.loads(cursor), "params": "other"}),
    ):
        with pytest.raises(CursorExpired):
            anna.read(wrong)


@pytest.mark.rule("ENG-8")
def test_too_many_full_reads_are_rate_limited(anna: Account) -> None:
    anna.box.switch(quota=True, full_syncs_per_minute=1, retry_after=30)
    anna.read()

    with pytest.raises(RateLimited):
        anna.read()


@pytest.mark.rule("CON-16")
def test_150_addresses_survive_a_read_and_an_update(anna: Account) -> None:
    mails = [{"value": f"m{n}@x.example", "type": "home"} for n in range(150)]
    name = anna.by_hand(
        names=[{"givenName": "M"}], emailAddresses=mails, labels=["Infor CRM"]
    )
    found, _ = anna.read()
    remote = found[name]
    assert len(remote.record["emails"]) == 150

    (outcome,) = anna.side.update([edit(remote, {"email2": "new@x.example"})])

    assert outcome.error is None
    now = {e["value"] for e in anna.person(name)["emailAddresses"]}
    assert len(now) == 150
    assert remote.values["email2"] not in now


@pytest.mark.rule("ENG-3")
def test_a_late_feed_shows_an_older_stamp(anna: Account) -> None:
    (made,) = anna.make({"first": "A"})
    anna.box.switch(delay=60.0)

    (outcome,) = anna.side.update([edit(made, {"first": "B"})])
    listed, _ = anna.read()

    assert outcome.remote is not None
    assert listed[made.remote_id].stamp < outcome.remote.stamp


# ------------------------------------------------------------------ fetch


def test_each_id_is_answered(anna: Account) -> None:
    (made,) = anna.make({"first": "A"})

    found = anna.side.fetch([made.remote_id, "people/c404", "nonsense", "people/a/b"])

    assert not found[made.remote_id].is_gone
    assert [found[i].is_gone for i in ("people/c404", "nonsense", "people/a/b")] == [
        True,
        True,
        True,
    ]


def test_a_deleted_contact_is_gone_at_once(anna: Account) -> None:
    (made,) = anna.make({"first": "A"})
    anna.box.delete_person(anna.email, made.remote_id, settled=False)

    assert anna.side.fetch([made.remote_id])[made.remote_id].is_gone


def test_many_are_fetched_in_requests_of_200(anna: Account) -> None:
    made = anna.make(*({"first": f"N{n}"} for n in range(250)))
    before = anna.side.requests

    found = anna.side.fetch([remote.remote_id for remote in made])

    assert anna.side.requests - before == 2
    assert not any(remote.is_gone for remote in found.values())


@pytest.mark.rule("CON-12")
def test_what_a_contact_holds_besides_is_named(anna: Account) -> None:
    (made,) = anna.make({"first": "A"})
    anna.box.act(anna.email, made.remote_id, "star")
    anna.box.act(anna.email, made.remote_id, "label", name="Chess club")
    anna.box.act(anna.email, made.remote_id, "photo")
    anna.box.edit_person(
        anna.email,
        made.remote_id,
        {
            "relations": [{"person": "B", "type": "spouse"}],
            "emailAddresses": [{"value": f"{n}@x.example"} for n in range(4)],
        },
    )

    extras = anna.side.fetch([made.remote_id])[made.remote_id].extras

    club = anna.box.groups(anna.email)["Chess club"]["id"]
    assert set(extras) == {
        "starred",
        f"label:contactGroups/{club}",
        "photo",
        "field:relations",
        "more:emails",
    }


def test_a_renamed_contact_is_followed(anna: Account) -> None:
    (made,) = anna.make({"first": "A"})
    _, cursor = anna.read()
    anna.box.act(anna.email, made.remote_id, "rename")

    fetched = anna.side.fetch([made.remote_id])[made.remote_id]
    listed, _ = anna.read(cursor)

    (renamed,) = (r for r in listed.values() if not r.is_gone)
    assert renamed.remote_id != made.remote_id
    assert made.remote_id in renamed.previous_ids
    assert fetched.remote_id == renamed.remote_id
    (outcome,) = anna.side.update([edit(made, {"first": "B"})])
    assert outcome.error is None
    assert outcome.remote is not None
    assert outcome.remote.remote_id == renamed.remote_id


# ------------------------------------------------------------------ update


@pytest.mark.rule("CON-16")
def test_an_update_leaves_everything_else_as_it_was(anna: Account) -> None:
    name = anna.by_hand(
        names=[{"givenName": "Jo", "familyName": "Doe", "phoneticGivenName": "Dscho"}],
        emailAddresses=[
            {"value": "a@x.example", "type": "home", "displayName": "A"},
            {"value": "b@x.example", "type": "My own"},
        ],
        phoneNumbers=[{"value": "+12125550009", "type": "pager"}],
        addresses=[{"streetAddress": "1 A St", "poBox": "77", "type": "work"}],
        relations=[{"person": "B", "type": "spouse"}],
        clientData=[{"key": "other-app", "value": "x"}],
        userDefined=[{"key": "Badge", "value": "7"}],
        labels=["Infor CRM", "Chess club"],
    )
    before = anna.person(name)
    remote = anna.read()[0][name]
    key = "1|inst|u|c1|i1"

    change = {"last": "Roe", "mobile": "+12125550001"}
    (outcome,) = anna.side.update([edit(remote, change, key=key)])

    after = anna.person(name)
    assert outcome.error is None
    kept = set(before) - {"names", "phoneNumbers", "clientData", "etag", "metadata"}

    def plain(found: Any) -> str:
        return json.dumps(found, sort_keys=True)

    for field in kept:
        assert sorted(map(plain, before[field])) == sorted(map(plain, after[field]))
    shown = anna.side.fetch([name])[name]
    assert shown.values == {**remote.values, **change}
    assert shown.key == key
    assert "label" in " ".join(shown.extras)
    assert {d["key"] for d in after["clientData"]} == {"other-app", "crm-sync-key"}
    assert after["names"][0]["phoneticGivenName"] == "Dscho"
    assert outcome.remote is not None
    assert (outcome.remote.etag, outcome.remote.stamp) == (
        anna.read()[0][name].etag,
        shown.stamp,
    )


@pytest.mark.rule("CON-16", "ENG-1")
def test_characters_that_no_database_takes_are_read_around(anna: Account) -> None:
    name = anna.by_hand(
        names=[{"givenName": "J\x00o", "phoneticGivenName": "Ds\x00cho"}],
        biographies=[{"value": "a\x00b", "contentType": "TEXT_PLAIN"}],
        labels=["Infor CRM"],
    )
    before = anna.person(name)
    remote = anna.read()[0][name]

    (same,) = anna.side.update([edit(remote, {"notes": "ab"})])
    unchanged = anna.writes()
    (outcome,) = anna.side.update([edit(remote, {"last": "Roe"})])

    after = anna.person(name)
    assert remote.values == {"first": "Jo", "notes": "ab"}
    assert "\\u0000" not in json.dumps([remote.record, remote.key])
    assert (same.error, outcome.error) == (None, None)
    assert not [w for w in unchanged if "batchUpdate" in w["path"]]
    assert after["biographies"][0]["value"] == before["biographies"][0]["value"]
    assert after["names"][0]["phoneticGivenName"] == "Ds\x00cho"
    assert after["names"][0]["familyName"] == "Roe"


@pytest.mark.rule("ENG-3")
def test_a_field_edited_meanwhile_is_not_overwritten(anna: Account) -> None:
    made = anna.make({"first": "A"}, {"first": "B"})
    anna.box.edit_person(
        anna.email, made[0].remote_id, {"names": [{"givenName": "Hand"}]}
    )

    outcomes = anna.side.update([edit(r, {"last": "X"}) for r in made])

    assert isinstance(outcomes[0].error, EtagMismatch)
    assert outcomes[0].remote is not None
    assert outcomes[0].remote.values == {"first": "Hand"}
    assert outcomes[1].error is None


@pytest.mark.rule("CON-19")
def test_a_touch_is_no_edit(anna: Account) -> None:
    (made,) = anna.make({"first": "A"})
    anna.box.act(anna.email, made.remote_id, "touch")

    (outcome,) = anna.side.update([edit(made, {"last": "X"})])

    assert outcome.error is None


def test_updates_are_grouped_by_mask(anna: Account) -> None:
    made = anna.make(*({"first": f"N{n}"} for n in range(6)))
    before = anna.side.requests
    edits = [edit(r, {"last": "X"}) for r in made[:3]]
    edits += [edit(r, {"notes": "Y"}) for r in made[3:]]

    outcomes = anna.side.update(edits)

    assert all(outcome.error is None for outcome in outcomes)
    assert anna.side.requests - before == 3
    for remote in made[:3]:
        assert anna.person(remote.remote_id)["names"][0]["givenName"].startswith("N")


def test_an_update_of_a_contact_that_is_gone_says_so(anna: Account) -> None:
    made = anna.make({"first": "A"}, {"first": "B"})
    anna.box.delete_person(anna.email, made[0].remote_id)

    outcomes = anna.side.update([edit(r, {"last": "X"}) for r in made])

    assert isinstance(outcomes[0].error, NotFound)
    assert outcomes[1].error is None


@pytest.mark.rule("ENG-2")
def test_a_lost_update_is_unknown_and_shows_in_the_record(anna: Account) -> None:
    (made,) = anna.make({"first": "A"})
    anna.box.fault("close_after", path=":batchUpdateContacts", count=1)

    (outcome,) = anna.side.update([edit(made, {"last": "X"})])

    assert isinstance(outcome.error, OutcomeUnknown)
    assert anna.side.fetch([made.remote_id])[made.remote_id].values["last"] == "X"
    assert len([w for w in anna.writes() if "batchUpdate" in w["path"]]) == 1


def test_an_update_that_changes_nothing_sends_nothing(anna: Account) -> None:
    (made,) = anna.make({"first": "A"})

    (outcome,) = anna.side.update([edit(made, {"first": "A"})])

    assert outcome.error is None
    assert not [w for w in anna.writes() if "batchUpdate" in w["path"]]


@pytest.mark.rule("CON-16", "ENG-1")
def test_a_cleared_slot_stays_empty_with_an_overflowing_list(anna: Account) -> None:
    name = anna.by_hand(
        emailAddresses=[{"value": f"{n}@x.example"} for n in range(5)],
        labels=["Infor CRM"],
    )
    remote = anna.read()[0][name]

    anna.side.update([edit(remote, {"email2": ""})])

    after = {k: v for k, v in remote.values.items() if k != "email2"}
    found = anna.read()[0][name]
    assert anna.side.project(found, after) == after
    assert len(found.record["emails"]) == 4


# ------------------------------------------------------------------ delete, label


def test_deleting_twice_is_no_error(anna: Account) -> None:
    made = anna.make({"first": "A"}, {"first": "B"})
    anna.box.delete_person(anna.email, made[0].remote_id)
    names = [remote.remote_id for remote in made]

    outcomes = anna.side.delete([*names, "people/c404"])

    assert [outcome.error for outcome in outcomes] == [None, None, None]
    assert all(r.is_gone for r in anna.side.fetch(names).values())


def test_contacts_enter_and_leave_the_label(anna: Account) -> None:
    name = anna.by_hand(names=[{"givenName": "A"}])

    added = anna.side.select([name, "people/c404"])
    is_in = anna.side.fetch([name])[name].is_selected
    removed = anna.side.deselect([name, "people/c404"])
    is_out = not anna.side.fetch([name])[name].is_selected

    assert added[0].error is None
    assert isinstance(added[1].error, NotFound)
    assert [outcome.error for outcome in removed] == [None, None]
    assert is_in
    assert is_out


def test_a_contact_whose_only_group_is_the_label_stays_a_contact(
    anna: Account,
) -> None:
    (made,) = anna.make({"first": "A"})
    group = anna.side.label
    anna.side._label._api.modify_members(MY, remove=[made.remote_id])

    (outcome,) = anna.side.deselect([made.remote_id])

    found = anna.side.fetch([made.remote_id])[made.remote_id]
    assert outcome.error is None
    assert not found.is_gone
    assert not found.is_selected
    assert group


def test_selecting_into_a_label_that_vanished_is_tried_again(anna: Account) -> None:
    (made,) = anna.make({"first": "A"})
    anna.box.fault(
        {"type": "status", "error": "NOT_FOUND"}, path="members:modify", count=2
    )

    with pytest.raises(Retryable):
        anna.side.select([made.remote_id])
    assert anna.side.deselect([made.remote_id])[0].error is None


# ------------------------------------------------------------------ access


@pytest.mark.rule("AUTH-5")
def test_a_missing_scope_is_said_to_be_missing(anna: Account) -> None:
    anna.box.fault({"type": "status", "error": "scope"}, path="/connections", count=1)

    with pytest.raises(PermissionMissing):
        anna.read()


def test_the_side_knows_its_name(anna: Account) -> None:
    assert anna.side.name is SideName.GOOGLE
    assert anna.side.batch_size == 200
    assert abs(anna.side.skew.total_seconds()) < 2
