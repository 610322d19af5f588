"""connections.list: pages, sync tokens, tombstones, propagation (4.3, 4.4)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.client import (
    CONTACT_SOURCE,
    User,
    contact,
    email,
    reason,
    refusal,
)
from tests.sandbox.harness import Json, SandboxServer

WEEK = 7 * 86_400


def fill(user: User, count: int) -> None:
    persons = [{"contactPerson": contact(f"N{n:03}")} for n in range(count)]
    body = {"contacts": persons, "readMask": ""}
    user.service.people().batchCreateContacts(body=body).execute()


def pages(user: User, **more: Any) -> list[Json]:
    """Every page, fetched with the library's own list_next."""
    given = {"personFields": "names,metadata", "sources": CONTACT_SOURCE, **more}
    api = user.service.people().connections()
    request = api.list(resourceName="people/me", **given)
    found = []
    while request is not None:
        found.append(request.execute())
        request = api.list_next(request, found[-1])
    return found


def fresh_token(box: SandboxServer, user: User) -> None:
    """A day-long wait outlives an access token; take a new one."""
    user.credentials.token = box.token(user.email)["access_token"]


# ---------------------------------------------------------------- pages


@pytest.mark.point("P-5")
def test_sync_token_comes_on_the_last_page_and_only_if_asked_for(anna: User) -> None:
    fill(anna, 5)

    asked = pages(anna, pageSize=2, requestSyncToken=True)
    plain = pages(anna, pageSize=2)

    assert ["nextSyncToken" in page for page in asked] == [False, False, True]
    assert [len(page["connections"]) for page in asked] == [2, 2, 1]
    assert not any("nextSyncToken" in page for page in plain)
    assert all(page["totalItems"] == 5 for page in asked)


@pytest.mark.point("P-5")
def test_a_page_has_a_hundred_by_default_and_a_thousand_at_most(anna: User) -> None:
    fill(anna, 120)

    assert len(anna.page()["connections"]) == 100
    assert len(anna.page(pageSize=1000)["connections"]) == 120
    assert refusal(lambda: anna.page(pageSize=1001))["code"] == 400
    assert refusal(lambda: anna.page(pageSize=-1))["code"] == 400


@pytest.mark.point("P-5")
def test_pages_show_one_state_while_contacts_change(
    anna: User, box: SandboxServer
) -> None:
    fill(anna, 6)
    first = anna.page(pageSize=3)
    changed = first["connections"][0]["resourceName"]
    box.edit_person(anna.email, changed, {"names": [{"givenName": "Moved"}]})

    second = anna.page(pageSize=3, pageToken=first["nextPageToken"])

    names = [p["resourceName"] for p in first["connections"] + second["connections"]]
    assert len(set(names)) == 6


@pytest.mark.point("P-14")
def test_short_and_empty_pages_still_reach_the_end(
    anna: User, box: SandboxServer
) -> None:
    fill(anna, 20)
    box.switch(short_pages=True, quota=False)

    found = pages(anna, pageSize=4)

    listed = [p["resourceName"] for page in found for p in page.get("connections", [])]
    assert len(set(listed)) == len(listed) == 20
    assert len(found) > 5


@pytest.mark.point("P-4")
def test_a_page_token_is_bound_to_its_parameters(anna: User) -> None:
    fill(anna, 4)
    token = anna.page(pageSize=2)["nextPageToken"]

    error = refusal(lambda: anna.page(pageSize=3, pageToken=token))
    nonsense = refusal(lambda: anna.page(pageSize=2, pageToken="abc"))

    assert "must match" in error["message"]
    assert nonsense["status"] == "INVALID_ARGUMENT"


@pytest.mark.point("P-11")
def test_lists_cut_emails_and_phones_at_a_hundred(anna: User) -> None:
    many = [email(f"a{n}@x.example") for n in range(130)]
    phones = [{"value": f"+4930{n:06}"} for n in range(101)]
    made = anna.create(contact("Ann", emailAddresses=many, phoneNumbers=phones))

    listed = anna.page()["connections"][0]
    read = anna.get(made["resourceName"])

    assert len(listed["emailAddresses"]) == len(listed["phoneNumbers"]) == 100
    assert (len(read["emailAddresses"]), len(read["phoneNumbers"])) == (130, 101)


@pytest.mark.point("P-28")
def test_an_empty_list_has_no_connections(anna: User) -> None:
    answer = anna.full()

    assert "connections" not in answer
    assert answer["nextSyncToken"]


# ---------------------------------------------------------------- tokens


@pytest.mark.point("P-6")
def test_an_incremental_list_has_changes_and_tombstones_a_full_one_none(
    anna: User,
) -> None:
    kept, gone, edited = (anna.create(contact(n)) for n in ("Kept", "Gone", "Edit"))
    token = anna.full()["nextSyncToken"]
    anna.delete(gone["resourceName"])
    anna.edit(edited, "names", names=[{"givenName": "Edited"}])

    changes = anna.full(syncToken=token)
    full = anna.full()

    found = {p["resourceName"]: p for p in changes["connections"]}
    assert set(found) == {gone["resourceName"], edited["resourceName"]}
    assert found[gone["resourceName"]]["metadata"]["deleted"] is True
    assert "names" not in found[gone["resourceName"]]
    listed = {p["resourceName"]: p for p in full["connections"]}
    assert set(listed) == {kept["resourceName"], edited["resourceName"]}
    assert not any("deleted" in p["metadata"] for p in listed.values())
    assert "connections" not in anna.full(syncToken=changes["nextSyncToken"])


@pytest.mark.point("P-6")
def test_a_verified_email_changes_the_resource_name(
    anna: User, box: SandboxServer
) -> None:
    box.profile("vera.verified@x.example", "Vera", "Verified")
    made = anna.create(contact("Vera"))
    token = anna.full()["nextSyncToken"]

    changed = anna.edit(
        made, "emailAddresses", emailAddresses=[email("vera.verified@x.example")]
    )

    old, new = made["resourceName"], changed["resourceName"]
    incremental = anna.full(syncToken=token)["connections"]
    full = anna.full()["connections"]
    assert old != new
    assert [p["resourceName"] for p in incremental] == [new]
    assert incremental[0]["metadata"]["previousResourceNames"] == [old]
    assert "previousResourceNames" not in full[0]["metadata"]
    ids = {p["metadata"]["sources"][0]["id"] for p in (made, changed, *full)}
    assert len(ids) == 1


@pytest.mark.point("P-6")
def test_an_old_name_finds_the_contact_unless_switched(
    anna: User, box: SandboxServer
) -> None:
    old = anna.create(contact("Ann"))["resourceName"]
    new = box.act(anna.email, old, "rename")["resourceName"]
    people = anna.service.people()
    read = people.getBatchGet(
        resourceNames=[old], personFields="names", sources=CONTACT_SOURCE
    )

    answer = read.execute()["responses"][0]
    box.switch(old_names_resolve=False)

    assert answer["requestedResourceName"] == old
    assert answer["person"]["resourceName"] == new
    assert refusal(lambda: anna.get(old))["status"] == "NOT_FOUND"


@pytest.mark.point("P-3")
@pytest.mark.parametrize("status", ["INVALID_ARGUMENT", "FAILED_PRECONDITION"])
def test_a_sync_token_expires_after_seven_days(
    anna: User, box: SandboxServer, status: str
) -> None:
    token = anna.full()["nextSyncToken"]
    box.switch(sync_expired_status=status)
    box.advance(WEEK - 60)
    fresh_token(box, anna)
    chained = anna.full(syncToken=token)["nextSyncToken"]
    box.advance(120)

    error = refusal(lambda: anna.full(syncToken=token))
    of_chain = refusal(lambda: anna.full(syncToken=chained))

    assert (error["code"], error["status"]) == (400, status)
    assert reason(error) == reason(of_chain) == "EXPIRED_SYNC_TOKEN"
    assert error["message"].startswith("Sync token is expired. Clear local cache")
    assert error["details"][0]["domain"] == "people.googleapis.com"


@pytest.mark.point("P-3")
def test_chained_tokens_may_be_told_to_renew(anna: User, box: SandboxServer) -> None:
    token = anna.full()["nextSyncToken"]
    box.switch(sync_token_chain_renews=True)
    box.advance(WEEK - 60)
    fresh_token(box, anna)
    chained = anna.full(syncToken=token)["nextSyncToken"]
    box.advance(120)

    assert "nextSyncToken" in anna.full(syncToken=chained)


@pytest.mark.point("P-3")
def test_the_first_page_of_full_syncs_has_its_own_quota(
    anna: User, box: SandboxServer
) -> None:
    fill(anna, 3)
    box.switch(full_syncs_per_minute=2)
    first = anna.page(pageSize=2, requestSyncToken=True)
    token = anna.full()["nextSyncToken"]

    error = refusal(anna.full)

    assert error["status"] == "RESOURCE_EXHAUSTED"
    again = {"pageSize": 2, "requestSyncToken": True}
    assert anna.page(pageToken=first["nextPageToken"], **again)["nextSyncToken"]
    assert anna.full(syncToken=token)["nextSyncToken"]
    assert anna.page()["totalItems"] == 3


@pytest.mark.point("P-4")
@pytest.mark.parametrize(
    "other",
    [
        {"personFields": "names,metadata"},
        {"sources": ["READ_SOURCE_TYPE_CONTACT", "READ_SOURCE_TYPE_PROFILE"]},
        {"pageSize": 500},
        {"requestSyncToken": None},
    ],
)
def test_parameters_of_a_sync_must_stay_the_same(anna: User, other: Json) -> None:
    given = {"pageSize": 1000, "requestSyncToken": True}
    token = anna.page(**given)["nextSyncToken"]

    error = refusal(lambda: anna.page(**{**given, **other}, syncToken=token))

    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    assert reason(error) == ""


@pytest.mark.point("P-4")
def test_a_sync_has_no_order_of_its_own(anna: User) -> None:
    order = "LAST_MODIFIED_DESCENDING"

    assert refusal(lambda: anna.full(sortOrder=order))["code"] == 400
    assert "connections" not in anna.page(sortOrder=order)


@pytest.mark.point("P-4")
def test_orders_without_a_sync(anna: User) -> None:
    for name in ("B", "C", "A"):
        anna.create(contact(name))

    def listed(order: str) -> list[str]:
        found = anna.page(sortOrder=order)["connections"]
        return [p["names"][0]["givenName"] for p in found]

    assert listed("FIRST_NAME_ASCENDING") == ["A", "B", "C"]
    assert listed("LAST_MODIFIED_DESCENDING") == ["A", "C", "B"]


@pytest.mark.point("P-4")
def test_only_people_me_has_connections(anna: User) -> None:
    api = anna.service.people().connections()
    request = api.list(resourceName="people/c1", personFields="names")

    assert refusal(request.execute)["code"] == 400


# ---------------------------------------------------------------- propagation


@pytest.mark.point("P-2")
def test_the_feed_is_late_while_get_is_current(anna: User, box: SandboxServer) -> None:
    made = anna.create(contact("Old"))
    token = anna.full()["nextSyncToken"]
    box.switch(delay=120.0)
    changed = anna.edit(made, "names", names=[{"givenName": "New"}])
    born = anna.create(contact("Born"))

    read = anna.get(made["resourceName"])["names"][0]["givenName"]
    listed = [p["names"][0]["givenName"] for p in anna.page()["connections"]]
    early = anna.full(syncToken=token)
    box.advance(121)
    late = anna.full(syncToken=early["nextSyncToken"])

    assert read == "New"
    assert listed == ["Old"]
    assert "connections" not in early
    found = {p["resourceName"] for p in late["connections"]}
    assert found == {changed["resourceName"], born["resourceName"]}


@pytest.mark.point("P-2")
def test_the_feed_can_show_an_older_edit_after_our_write(
    anna: User, box: SandboxServer
) -> None:
    made = anna.create(contact("First"))
    name = made["resourceName"]
    token = anna.full()["nextSyncToken"]
    box.switch(delay=60.0)
    by_hand = {"names": [{"givenName": "Hand"}]}
    box.edit_person(anna.email, name, by_hand, settled=False)
    box.advance(40)
    ours = anna.edit(anna.get(name), "names", names=[{"givenName": "Ours"}])
    box.advance(30)

    shown = anna.full(syncToken=token)["connections"][0]

    assert shown["names"][0]["givenName"] == "Hand"
    assert shown["etag"] != ours["etag"]
    assert refusal(lambda: anna.edit(shown, "names"))["status"] == "FAILED_PRECONDITION"


@pytest.mark.point("P-2")
def test_a_deletion_is_late_too(anna: User, box: SandboxServer) -> None:
    name = anna.create(contact("Ann"))["resourceName"]
    box.switch(delay=60.0)
    box.settle(anna.email)
    anna.delete(name)

    before = anna.names()
    box.advance(61)

    assert before == [name]
    assert anna.names() == []


@pytest.mark.point("P-2")
def test_changes_may_repeat_in_consecutive_polls(
    anna: User, box: SandboxServer
) -> None:
    token = anna.full()["nextSyncToken"]
    box.switch(feed_overlap=60.0)
    name = anna.create(contact("Ann"))["resourceName"]

    first = anna.full(syncToken=token)
    second = anna.full(syncToken=first["nextSyncToken"])
    box.advance(61)
    third = anna.full(syncToken=second["nextSyncToken"])
    last = anna.full(syncToken=third["nextSyncToken"])

    assert [p["resourceName"] for p in second["connections"]] == [name]
    assert "connections" not in last


# ---------------------------------------------------------------- other changes


@pytest.mark.point("S-10")
def test_a_touch_moves_the_time_without_an_edit(anna: User, box: SandboxServer) -> None:
    made = anna.create(contact("Ann"))
    token = anna.full()["nextSyncToken"]

    box.act(anna.email, made["resourceName"], "touch")

    shown = anna.full(syncToken=token)["connections"][0]
    before, after = (p["metadata"]["sources"][0] for p in (made, shown))
    assert after["updateTime"] > before["updateTime"]
    assert after["etag"] != before["etag"]
    assert shown["names"] == made["names"]


@pytest.mark.point("S-10")
def test_merging_by_hand_deletes_one_and_changes_the_other(
    anna: User, box: SandboxServer
) -> None:
    loser = anna.create(contact("Ann", emailAddresses=[email("a@x.example")]))
    winner = anna.create(contact("Ann", emailAddresses=[email("b@x.example")]))
    token = anna.full()["nextSyncToken"]

    box.act(anna.email, loser["resourceName"], "merge", into=winner["resourceName"])

    changes = anna.full(syncToken=token)["connections"]
    found = {p["resourceName"]: p for p in changes}
    assert found[loser["resourceName"]]["metadata"]["deleted"] is True
    merged = found[winner["resourceName"]]["emailAddresses"]
    assert {e["value"] for e in merged} == {"a@x.example", "b@x.example"}
    assert len(changes) == 2


@pytest.mark.point("S-10")
def test_labels_and_stars_by_hand_are_changes_of_the_person(
    anna: User, box: SandboxServer
) -> None:
    name = anna.create(contact("Ann"))["resourceName"]
    token = anna.full()["nextSyncToken"]
    box.act(anna.email, name, "label", name="Friends of Ann")
    box.act(anna.email, name, "star")

    shown = anna.full(syncToken=token)["connections"][0]

    groups = {
        m["contactGroupMembership"]["contactGroupId"] for m in shown["memberships"]
    }
    assert {"myContacts", "starred"} < groups
    assert len(groups) == 3
