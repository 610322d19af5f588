"""people.get, getBatchGet, searchContacts, masks, and the merged person (4.1, 4.2)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.sandbox.client import CONTACT_SOURCE, User, contact, email, refusal
from tests.sandbox.harness import SandboxServer


@pytest.mark.point("S-3")
def test_reading_without_a_mask_is_refused(anna: User) -> None:
    people = anna.service.people()

    error = refusal(people.get(resourceName="people/me").execute)

    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    assert error["message"].startswith("personFields mask is required.")


@pytest.mark.point("S-3")
@pytest.mark.parametrize("path", ["etag", "notes", "names.givenName", " names"])
def test_unknown_mask_path_is_refused(anna: User, path: str) -> None:
    error = refusal(lambda: anna.page(personFields=f"names,{path}"))

    assert error["message"].startswith(f'Invalid personFields mask path: "{path}"')


@pytest.mark.point("S-4")
def test_a_person_comes_back_as_google_normalises_it(anna: User) -> None:
    made = anna.create(
        {
            "names": [
                {
                    "honorificPrefix": "Dr.",
                    "givenName": "Ada",
                    "middleName": "B",
                    "familyName": "Ng",
                    "honorificSuffix": "Jr.",
                    "displayName": "Ignored",
                }
            ],
            "emailAddresses": [email("Mixed.Case@X.example")],
            "phoneNumbers": [
                {"value": "+49 30 1234567", "type": "workMobile"},
                {"value": "030 99", "type": "Boat"},
            ],
            "addresses": [{"streetAddress": "Way 1", "city": "Ulm", "type": "home"}],
            "urls": [{"value": ""}],
        },
        personFields=(
            "names,emailAddresses,phoneNumbers,addresses,urls,biographies,metadata"
        ),
    )

    name = made["names"][0]
    assert name["displayName"] == "Dr. Ada B Ng, Jr."
    assert name["displayNameLastFirst"] == "Ng, Ada B"
    assert name["metadata"]["primary"] is True
    assert name["metadata"]["source"]["type"] == "CONTACT"
    assert made["emailAddresses"][0]["value"] == "Mixed.Case@X.example"
    phones = {p["value"]: p for p in made["phoneNumbers"]}
    assert phones["+49 30 1234567"]["canonicalForm"] == "+49301234567"
    assert phones["+49 30 1234567"]["formattedType"] == "Work Mobile"
    assert "canonicalForm" not in phones["030 99"]
    assert phones["030 99"]["formattedType"] == "Boat"
    assert made["addresses"][0]["formattedValue"] == "Way 1\nUlm"
    assert "urls" not in made
    assert "biographies" not in made
    assert made["metadata"]["sources"][0]["id"]


@pytest.mark.point("S-4")
def test_mononym_has_no_family_name(anna: User) -> None:
    made = anna.create({"names": [{"unstructuredName": "Teller"}]})

    assert made["names"][0]["givenName"] == "Teller"
    assert "familyName" not in made["names"][0]


@pytest.mark.point("S-4")
def test_exactly_one_item_is_primary_and_the_order_is_not_promised(anna: User) -> None:
    addresses = [email(f"a{n}@x.example") for n in range(6)]
    addresses[3]["metadata"] = {"sourcePrimary": True}
    made = anna.create(contact("Ann", emailAddresses=addresses))

    orders = set()
    for _ in range(20):
        read = anna.get(made["resourceName"])["emailAddresses"]
        orders.add(tuple(item["value"] for item in read))
        primary = [i["value"] for i in read if i["metadata"].get("primary")]
        assert primary == ["a3@x.example"]

    assert len(orders) > 1


@pytest.mark.point("S-4")
def test_the_etag_differs_by_mask_and_each_is_good_for_a_write(anna: User) -> None:
    made = anna.create(contact("Ann"))
    name = made["resourceName"]

    small = anna.get(name, "names,metadata")
    large = anna.get(name, "names,emailAddresses,metadata")

    assert small["etag"] != large["etag"]
    anna.edit(small, "names", names=[{"givenName": "Anne"}])


@pytest.mark.point("S-5")
def test_batch_get_has_a_status_for_each_name(anna: User) -> None:
    made = anna.create(contact("Ann"))["resourceName"]
    people = anna.service.people()

    answer = people.getBatchGet(
        resourceNames=[made, "people/c1"], personFields="names", sources=CONTACT_SOURCE
    ).execute()

    first, second = answer["responses"]
    assert first["requestedResourceName"] == first["person"]["resourceName"] == made
    assert first["httpStatusCode"] == 200
    assert second["status"]["code"] == 5
    assert "person" not in second


@pytest.mark.point("S-5")
def test_more_than_two_hundred_names_are_refused(anna: User) -> None:
    people = anna.service.people()
    names = [f"people/c{n}" for n in range(201)]

    error = refusal(
        people.getBatchGet(resourceNames=names, personFields="names").execute
    )

    assert error["code"] == 400


@pytest.mark.point("S-5")
def test_a_contact_that_is_gone_is_not_found(anna: User) -> None:
    made = anna.create(contact("Ann"))["resourceName"]
    anna.delete(made)

    assert refusal(lambda: anna.get(made))["status"] == "NOT_FOUND"
    assert refusal(lambda: anna.delete(made))["message"] == (
        "Requested entity was not found."
    )


@pytest.mark.point("S-5")
def test_people_me_is_the_account_itself(anna: User) -> None:
    me = anna.service.people().get(
        resourceName="people/me", personFields="names,emailAddresses"
    )

    person = me.execute()

    assert person["emailAddresses"][0]["value"] == anna.email
    assert person["emailAddresses"][0]["metadata"]["source"]["type"] == "ACCOUNT"


@pytest.mark.point("S-6")
def test_search_needs_a_warm_up_and_never_gives_more_than_thirty(anna: User) -> None:
    bodies = [contact(f"Zed{n}", "Quist") for n in range(35)]
    for start in range(0, 35, 35):
        anna.service.people().batchCreateContacts(
            body={
                "contacts": [{"contactPerson": b} for b in bodies[start:]],
                "readMask": "",
            }
        ).execute()

    def search(query: str) -> list[str]:
        answer = (
            anna.service.people()
            .searchContacts(query=query, readMask="names", pageSize=50)
            .execute()
        )
        found = answer.get("results", [])
        return [r["person"]["names"][0]["displayName"] for r in found]

    assert search("zed") == []
    search("")
    assert len(search("zed")) == 30
    assert search("zed7 qu") == ["Zed7 Quist"]
    assert search("uist") == []


@pytest.mark.point("S-7")
def test_profile_values_appear_unless_sources_are_restricted(
    anna: User, box: SandboxServer
) -> None:
    box.profile("pat.profile@x.example", "Pat", "Profile")
    made = anna.create(
        contact("Patty", emailAddresses=[email("Pat.Profile@x.example")])
    )["resourceName"]

    merged = anna.get(made, sources=None)
    own = anna.get(made)

    kinds = {n["metadata"]["source"]["type"] for n in merged["names"]}
    assert kinds == {"CONTACT", "PROFILE"}
    assert sum(1 for n in merged["names"] if n["metadata"].get("primary")) == 1
    assert {s["type"] for s in merged["metadata"]["sources"]} == {"CONTACT", "PROFILE"}
    assert [n["metadata"]["source"]["type"] for n in own["names"]] == ["CONTACT"]


@pytest.mark.point("S-7")
def test_items_of_another_source_are_ignored_on_write(
    anna: User, box: SandboxServer
) -> None:
    box.profile("quin.profile@x.example", "Quin", "Profile")
    made = anna.create(
        contact("Q", emailAddresses=[email("quin.profile@x.example")]), sources=None
    )

    merged = anna.get(made["resourceName"], sources=None)
    changed = anna.edit(merged, "names", names=merged["names"])

    assert len(merged["names"]) == 2
    assert [n["givenName"] for n in changed["names"]] == ["Q"]


@pytest.mark.point("S-8")
def test_other_contacts_and_directory_are_checked_and_empty(
    new_user: Callable[..., User],
) -> None:
    prefix = "https://www.googleapis.com/auth/"
    user = new_user(prefix + "contacts.other.readonly", prefix + "directory.readonly")

    assert user.service.otherContacts().list(readMask="names").execute() == {}
    directory = user.service.people().listDirectoryPeople(
        readMask="names", sources=["DIRECTORY_SOURCE_TYPE_DOMAIN_PROFILE"]
    )
    assert refusal(directory.execute)["code"] == 400
