"""createContact, updateContact, deleteContact and the batches (4.5, 4.6)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.client import CONTACT_SOURCE, FIELDS, User, contact, email, refusal
from tests.sandbox.harness import Json, SandboxServer


def batch_create(user: User, persons: list[Json], mask: str = FIELDS) -> Json:
    body = {
        "contacts": [{"contactPerson": p} for p in persons],
        "readMask": mask,
        "sources": CONTACT_SOURCE,
    }
    answer: Json = user.service.people().batchCreateContacts(body=body).execute()
    return answer


def batch_update(user: User, persons: list[Json], mask: str, **more: Any) -> Json:
    body = {
        "contacts": {p["resourceName"]: p for p in persons},
        "updateMask": mask,
        "readMask": FIELDS,
        "sources": CONTACT_SOURCE,
        **more,
    }
    answer: Json = user.service.people().batchUpdateContacts(body=body).execute()
    return answer


def bare(person: Json) -> Json:
    """What a careful client sends back of a read."""
    return {k: person[k] for k in ("resourceName", "etag", "metadata")}


# ---------------------------------------------------------------- etags


@pytest.mark.point("P-7")
def test_update_without_an_etag_is_refused(anna: User) -> None:
    made = anna.create(contact("Ann"))
    source = {"type": "CONTACT", "id": made["metadata"]["sources"][0]["id"]}
    body = {"metadata": {"sources": [source]}, "names": [{"givenName": "B"}]}

    error = refusal(lambda: anna.update(made["resourceName"], body, "names"))

    assert error["status"] == "INVALID_ARGUMENT"
    assert error["message"].startswith("Request must set person.etag or")


@pytest.mark.point("P-7")
def test_update_without_a_contact_source_is_refused(
    anna: User, box: SandboxServer
) -> None:
    made = anna.create(contact("Ann"))
    body = {"etag": made["etag"], "names": [{"givenName": "B"}]}

    error = refusal(lambda: anna.update(made["resourceName"], body, "names"))
    box.switch(require_contact_source=False)
    changed = anna.update(made["resourceName"], body, "names")

    assert error["code"] == 400
    assert changed["names"][0]["givenName"] == "B"


@pytest.mark.point("P-7")
def test_stale_etag_is_a_failed_precondition(anna: User) -> None:
    old = anna.create(contact("Ann"))
    new = anna.edit(old, "names", names=[{"givenName": "B"}])

    error = refusal(lambda: anna.edit(old, "names", names=[{"givenName": "C"}]))
    last = anna.edit(new, "names", names=[{"givenName": "D"}])

    assert (error["code"], error["status"]) == (400, "FAILED_PRECONDITION")
    assert error["message"].startswith("Request person.etag is different than")
    assert last["names"][0]["givenName"] == "D"


@pytest.mark.point("P-7")
def test_source_etag_alone_is_refused_unless_switched(
    anna: User, box: SandboxServer
) -> None:
    made = anna.create(contact("Ann"))
    body = {"metadata": made["metadata"], "names": [{"givenName": "B"}]}

    error = refusal(lambda: anna.update(made["resourceName"], body, "names"))
    box.switch(accept_source_etag=True)
    changed = anna.update(made["resourceName"], body, "names")

    assert error["status"] == "FAILED_PRECONDITION"
    assert changed["names"][0]["givenName"] == "B"


# ---------------------------------------------------------------- fields


@pytest.mark.point("P-8")
@pytest.mark.parametrize(
    ("field", "items"),
    [
        ("names", [{"givenName": "A"}, {"givenName": "B"}]),
        ("biographies", [{"value": "A"}, {"value": "B"}]),
        ("birthdays", [{"date": {"day": 1, "month": 2}}, {"date": {"year": 1999}}]),
        ("genders", [{"value": "male"}, {"value": "female"}]),
    ],
)
def test_singleton_fields_take_one_item(
    anna: User, field: str, items: list[Json]
) -> None:
    error = refusal(lambda: anna.create({field: items}))

    assert error["message"] == f"Cannot have more than one person.{field} per source."


@pytest.mark.point("P-8")
def test_masked_but_absent_is_cleared_and_unmasked_stays(anna: User) -> None:
    made = anna.create(
        contact(
            "Ann",
            emailAddresses=[email("a@x.example")],
            phoneNumbers=[{"value": "+4930123456"}],
        )
    )

    changed = anna.edit(made, "emailAddresses,names", names=[{"givenName": "Bo"}])

    assert "emailAddresses" not in changed
    assert changed["names"][0]["displayName"] == "Bo"
    assert changed["phoneNumbers"][0]["value"] == "+4930123456"


@pytest.mark.point("P-8")
def test_memberships_are_never_left_empty(anna: User) -> None:
    made = anna.create(contact("Ann"))

    error = refusal(lambda: anna.edit(made, "memberships"))

    groups = [
        m["contactGroupMembership"]["contactGroupId"] for m in made["memberships"]
    ]
    assert error["code"] == 400
    assert groups == ["myContacts"]


@pytest.mark.point("P-8")
def test_replacing_memberships_drops_my_contacts(
    anna: User, box: SandboxServer
) -> None:
    group = box.control("POST", f"/accounts/{anna.email}/groups", {"name": "Team"})
    member = {"contactGroupResourceName": f"contactGroups/{group['id']}"}
    made = anna.create(contact("Ann"))

    changed = anna.edit(
        made, "memberships", memberships=[{"contactGroupMembership": member}]
    )

    kept = [m["contactGroupMembership"] for m in changed["memberships"]]
    assert [m["contactGroupId"] for m in kept] == [group["id"]]


@pytest.mark.point("P-8")
@pytest.mark.parametrize("mask", ["photos", "metadata", "names,etag"])
def test_only_updatable_fields_may_be_masked(anna: User, mask: str) -> None:
    made = anna.create(contact("Ann"))

    error = refusal(lambda: anna.edit(made, mask))

    assert error["message"].startswith("Invalid updatePersonFields mask path:")


@pytest.mark.point("P-8")
@pytest.mark.parametrize(
    "date",
    [
        {"year": 2023, "month": 2, "day": 29},
        {"month": 13, "day": 1},
        {"day": 4},
        {"month": 4, "day": 31},
    ],
)
def test_impossible_dates_are_refused(anna: User, date: Json) -> None:
    assert refusal(lambda: anna.create({"birthdays": [{"date": date}]}))["code"] == 400


@pytest.mark.point("P-8")
def test_birthday_may_lack_its_year(anna: User) -> None:
    body = {"birthdays": [{"date": {"month": 2, "day": 29}}]}

    made = anna.create(body, personFields="birthdays")

    assert made["birthdays"][0]["date"] == {"month": 2, "day": 29}


@pytest.mark.point("P-8")
def test_client_data_is_kept_with_its_duplicates(anna: User) -> None:
    data = [{"key": "k", "value": "1"}, {"key": "k", "value": "2"}]

    made = anna.create(contact("Ann", clientData=data))

    listed = anna.page()["connections"][0]["clientData"]
    assert made["clientData"][0]["key"] == "k"
    assert sorted(item["value"] for item in listed) == ["1", "2"]


# ---------------------------------------------------------------- batches


@pytest.mark.point("P-9")
def test_batches_have_their_caps(anna: User) -> None:
    people = anna.service.people()
    persons = [contact(f"N{n}") for n in range(201)]
    names = [f"people/c{n}" for n in range(501)]
    body = {
        "contacts": {name: {} for name in names[:201]},
        "updateMask": "names",
        "readMask": "",
    }

    assert refusal(lambda: batch_create(anna, persons))["code"] == 400
    assert refusal(people.batchUpdateContacts(body=body).execute)["code"] == 400
    delete = people.batchDeleteContacts(body={"resourceNames": names})
    assert refusal(delete.execute)["code"] == 400
    assert anna.page().get("totalItems") == 0


@pytest.mark.point("P-9")
def test_two_hundred_are_created_in_any_order(anna: User) -> None:
    persons = [
        contact(f"N{n}", clientData=[{"key": "k", "value": str(n)}]) for n in range(200)
    ]

    answer = batch_create(anna, persons)

    order = [p["person"]["clientData"][0]["value"] for p in answer["createdPeople"]]
    assert sorted(order, key=int) == [str(n) for n in range(200)]
    assert order != sorted(order, key=int)
    assert all(p["httpStatusCode"] == 200 for p in answer["createdPeople"])


@pytest.mark.point("P-9")
def test_an_empty_read_mask_gives_nothing_back_and_a_missing_one_is_refused(
    anna: User,
) -> None:
    create = anna.service.people().batchCreateContacts

    assert batch_create(anna, [contact("Ann")], mask="") == {}
    error = refusal(create(body={"contacts": [{"contactPerson": {}}]}).execute)
    assert error["message"].startswith("readMask mask is required")
    assert len(anna.names()) == 1


@pytest.mark.point("P-9")
def test_one_bad_contact_fails_the_batch_and_is_named(
    anna: User, box: SandboxServer
) -> None:
    bad = {"names": [{"givenName": "A"}, {"givenName": "B"}]}

    error = refusal(lambda: batch_create(anna, [contact("Ann"), bad]))
    before = len(anna.names())
    box.switch(batch_atomic=False)
    refusal(lambda: batch_create(anna, [contact("Ann"), bad]))

    detail = error["details"][0]
    assert detail["@type"].endswith("v1.BatchCreateContactsErrorDetails")
    assert list(detail["contactErrors"]) == ["1"]
    assert detail["contactErrors"]["1"]["code"] == 3
    assert (before, len(anna.names())) == (0, 1)


@pytest.mark.point("P-9")
def test_batch_update_clears_what_one_person_lacks(anna: User) -> None:
    made = batch_create(
        anna,
        [contact(f"N{n}", emailAddresses=[email(f"n{n}@x.example")]) for n in range(2)],
    )
    first, second = (p["person"] for p in made["createdPeople"])
    first = {**bare(first), "emailAddresses": [email("new@x.example")]}

    answer = batch_update(anna, [first, bare(second)], "emailAddresses")

    result = answer["updateResult"]
    one = result[first["resourceName"]]["person"]
    two = result[second["resourceName"]]["person"]
    assert one["emailAddresses"][0]["value"] == "new@x.example"
    assert "emailAddresses" not in two
    assert two["names"][0]["givenName"].startswith("N")


@pytest.mark.point("P-9")
def test_contacts_of_a_batch_update_are_a_map(anna: User) -> None:
    made = anna.create(contact("Ann"))
    body = {"contacts": [bare(made)], "updateMask": "names", "readMask": ""}

    request = anna.service.people().batchUpdateContacts(body=body)

    assert refusal(request.execute)["status"] == "INVALID_ARGUMENT"


@pytest.mark.point("P-9")
def test_one_stale_etag_fails_the_whole_update(anna: User) -> None:
    stale, fine = anna.create(contact("Ann")), anna.create(contact("Bob"))
    anna.edit(stale, "names", names=[{"givenName": "Anne"}])
    persons = [{**bare(p), "names": [{"givenName": "X"}]} for p in (stale, fine)]

    error = refusal(lambda: batch_update(anna, persons, "names"))

    names = {p["names"][0]["givenName"] for p in anna.page()["connections"]}
    assert error["status"] == "FAILED_PRECONDITION"
    assert list(error["details"][0]["contactErrors"]) == [stale["resourceName"]]
    assert names == {"Anne", "Bob"}


@pytest.mark.point("P-9")
def test_an_empty_read_mask_of_an_update_answers_an_empty_object(anna: User) -> None:
    made = anna.create(contact("Ann"))
    person = {**bare(made), "names": [{"givenName": "B"}]}

    assert batch_update(anna, [person], "names", readMask="") == {}
    assert anna.get(made["resourceName"])["names"][0]["givenName"] == "B"


@pytest.mark.point("P-9")
def test_batch_delete_with_an_unknown_name(anna: User, box: SandboxServer) -> None:
    name = anna.create(contact("Ann"))["resourceName"]
    body = {"resourceNames": [name, "people/c1"]}
    request = anna.service.people().batchDeleteContacts(body=body)

    error = refusal(request.execute)
    before = anna.names()
    box.switch(batch_delete_unknown="ignore")

    assert error["code"] == 404
    assert before == [name]
    assert anna.service.people().batchDeleteContacts(body=body).execute() == {}
    assert anna.names() == []


@pytest.mark.point("S-9")
def test_a_full_account_says_so_and_trash_counts(
    anna: User, box: SandboxServer
) -> None:
    names = [anna.create(contact(f"N{n}"))["resourceName"] for n in range(3)]
    box.switch(contact_cap=3)
    anna.delete(names[0])

    error = refusal(lambda: anna.create(contact("More")))
    box.advance(31 * 86_400)
    anna.credentials.token = box.token(anna.email)["access_token"]
    made = anna.create(contact("More"))

    assert "MY_CONTACTS_OVERFLOW_COUNT" in error["message"]
    assert made["resourceName"]


@pytest.mark.point("S-9")
def test_photos_are_jpeg_or_png(anna: User) -> None:
    name = anna.create(contact("Ann"))["resourceName"]
    update = anna.service.people().updateContactPhoto

    error = refusal(update(resourceName=name, body={"photoBytes": "AAAA"}).execute)
    png = {"photoBytes": "iVBORw0KGgoAAAANSUhEUg==", "personFields": "photos"}
    answer = update(resourceName=name, body=png).execute()

    assert error["code"] == 400
    assert "default" not in answer["person"]["photos"][0]
    delete = anna.service.people().deleteContactPhoto(resourceName=name)
    assert delete.execute() == {}
    assert anna.get(name, "photos")["photos"][0]["default"] is True
