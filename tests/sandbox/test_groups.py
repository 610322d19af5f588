"""contactGroups (4.7)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.client import User, contact, reason, refusal
from tests.sandbox.harness import Json, SandboxServer


def create(user: User, name: str, **more: Any) -> Json:
    body = {"contactGroup": {"name": name, **more}}
    answer: Json = user.service.contactGroups().create(body=body).execute()
    return answer


def modify(user: User, group: str, add: list[str], remove: list[str]) -> Json:
    body = {"resourceNamesToAdd": add, "resourceNamesToRemove": remove}
    members = user.service.contactGroups().members()
    answer: Json = members.modify(resourceName=group, body=body).execute()
    return answer


def groups_of(user: User, name: str) -> set[str]:
    items = user.get(name)["memberships"]
    return {m["contactGroupMembership"]["contactGroupId"] for m in items}


@pytest.mark.point("S-11")
def test_the_list_has_the_system_groups_and_a_token_without_asking(anna: User) -> None:
    anna.create(contact("Ann"))

    answer = anna.service.contactGroups().list().execute()

    found = {g["resourceName"]: g for g in answer["contactGroups"]}
    mine = found["contactGroups/myContacts"]
    assert mine["groupType"] == "SYSTEM_CONTACT_GROUP"
    assert (mine["name"], mine["formattedName"]) == ("myContacts", "My Contacts")
    assert mine["memberCount"] == 1
    assert "memberResourceNames" not in mine
    assert "contactGroups/starred" in found
    assert answer["nextSyncToken"]


@pytest.mark.point("S-11")
@pytest.mark.parametrize("name", ["Team", "TEAM", " team ", "My Contacts", "starred"])
def test_names_are_unique(anna: User, name: str) -> None:
    create(anna, "Team")

    error = refusal(lambda: create(anna, name))

    assert (error["code"], error["status"]) == (409, "ALREADY_EXISTS")


@pytest.mark.point("S-11")
def test_case_may_be_told_to_count(anna: User, box: SandboxServer) -> None:
    box.switch(group_names_case_sensitive=True)

    create(anna, "Team")

    assert create(anna, "TEAM")["name"] == "TEAM"


@pytest.mark.point("S-11")
def test_a_name_is_needed(anna: User) -> None:
    assert refusal(lambda: create(anna, " "))["code"] == 400


@pytest.mark.point("S-11")
def test_client_data_is_there_when_asked_for(anna: User) -> None:
    made = create(anna, "Team", clientData=[{"key": "k", "value": "v"}])
    api = anna.service.contactGroups()

    plain = api.get(resourceName=made["resourceName"]).execute()
    full = api.get(
        resourceName=made["resourceName"], groupFields="name,clientData"
    ).execute()

    assert "clientData" not in plain
    assert full["clientData"] == [{"key": "k", "value": "v"}]


@pytest.mark.point("S-11")
def test_changes_and_tombstones_come_with_a_token(anna: User) -> None:
    api = anna.service.contactGroups()
    renamed, gone = create(anna, "One"), create(anna, "Two")
    token = api.list().execute()["nextSyncToken"]
    body = {"contactGroup": {"name": "Uno", "etag": renamed["etag"]}}
    api.update(resourceName=renamed["resourceName"], body=body).execute()
    api.delete(resourceName=gone["resourceName"]).execute()

    changes = api.list(syncToken=token).execute()
    full = api.list().execute()

    found = {g["resourceName"]: g for g in changes["contactGroups"]}
    assert found[renamed["resourceName"]]["name"] == "Uno"
    assert found[gone["resourceName"]]["metadata"]["deleted"] is True
    assert gone["resourceName"] not in {
        g["resourceName"] for g in full["contactGroups"]
    }
    quiet = api.list(syncToken=changes["nextSyncToken"]).execute()
    assert "contactGroups" not in quiet


@pytest.mark.point("S-11")
def test_a_token_of_groups_expires_like_one_of_people(
    anna: User, box: SandboxServer
) -> None:
    api = anna.service.contactGroups()
    token = api.list().execute()["nextSyncToken"]
    box.expire_sync_tokens(anna.email)

    error = refusal(api.list(syncToken=token).execute)

    assert reason(error) == "EXPIRED_SYNC_TOKEN"


@pytest.mark.point("S-11")
def test_pages_of_groups(anna: User) -> None:
    api = anna.service.contactGroups()
    for n in range(4):
        create(anna, f"G{n}")

    first = api.list(pageSize=10).execute()
    second = api.list(pageSize=10, pageToken=first["nextPageToken"]).execute()

    assert (len(first["contactGroups"]), len(second["contactGroups"])) == (10, 2)
    assert "nextSyncToken" not in first
    assert second["nextSyncToken"]
    assert refusal(api.list(pageSize=1001).execute)["code"] == 400


@pytest.mark.point("S-11")
def test_members_come_only_when_asked_for(anna: User) -> None:
    group = create(anna, "Team")["resourceName"]
    names = [anna.create(contact(f"N{n}"))["resourceName"] for n in range(3)]
    modify(anna, group, names, [])
    api = anna.service.contactGroups()

    none = api.get(resourceName=group).execute()
    two = api.batchGet(resourceNames=[group, "contactGroups/x"], maxMembers=2).execute()

    assert none["memberCount"] == 3
    assert "memberResourceNames" not in none
    first, second = two["responses"]
    assert len(first["contactGroup"]["memberResourceNames"]) == 2
    assert second["status"]["code"] == 5


@pytest.mark.point("S-11")
def test_deleting_a_group_keeps_its_contacts_unless_told(anna: User) -> None:
    api = anna.service.contactGroups()
    kept, gone = create(anna, "Kept")["resourceName"], create(anna, "Gone")
    one, two = (anna.create(contact(n))["resourceName"] for n in ("One", "Two"))
    modify(anna, kept, [one], [])
    modify(anna, "contactGroups/myContacts", [], [one])
    modify(anna, gone["resourceName"], [two], [])

    api.delete(resourceName=kept).execute()
    api.delete(resourceName=gone["resourceName"], deleteContacts=True).execute()

    assert groups_of(anna, one) == {"myContacts"}
    assert refusal(lambda: anna.get(two))["status"] == "NOT_FOUND"


@pytest.mark.point("S-11")
def test_system_groups_cannot_be_changed(anna: User) -> None:
    api, name = anna.service.contactGroups(), "contactGroups/starred"

    body = {"contactGroup": {"name": "Stars"}}
    assert refusal(api.update(resourceName=name, body=body).execute)["code"] == 400
    assert refusal(api.delete(resourceName=name).execute)["code"] == 400


@pytest.mark.point("P-9")
def test_modify_answers_with_what_it_could_not_do(anna: User) -> None:
    group = create(anna, "Team")["resourceName"]
    name = anna.create(contact("Ann"))["resourceName"]
    modify(anna, group, [name], [])
    modify(anna, "contactGroups/myContacts", [], [name])

    added = modify(anna, group, [name, "people/c1"], [])
    removed = modify(anna, group, [], [name])

    assert added == {"notFoundResourceNames": ["people/c1"]}
    assert removed == {"canNotRemoveLastContactGroupResourceNames": [name]}
    assert groups_of(anna, name) == {group.removeprefix("contactGroups/")}


@pytest.mark.point("P-9")
def test_modify_takes_a_thousand_names(anna: User) -> None:
    group = create(anna, "Team")["resourceName"]
    names = [f"people/c{n}" for n in range(1001)]

    error = refusal(lambda: modify(anna, group, names[:600], names[600:]))
    answer = modify(anna, group, names[:1000], [])

    assert error["code"] == 400
    assert len(answer["notFoundResourceNames"]) == 1000


@pytest.mark.point("P-9")
def test_only_two_system_groups_take_members(anna: User) -> None:
    name = anna.create(contact("Ann"))["resourceName"]

    error = refusal(lambda: modify(anna, "contactGroups/family", [name], []))

    assert error["code"] == 400
    assert modify(anna, "contactGroups/starred", [name], []) == {}
    assert groups_of(anna, name) == {"myContacts", "starred"}
