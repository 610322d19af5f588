"""Another Google, written by somebody who saw only the contracts: nothing changes.

It answers in another order, with other ids, small pages and other error variants; it
is reached by one root address, or by single addresses behind a proxy's prefix.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli import builtin
from crmsync.services import checking
from crmsync.storage.people import User
from tests.standin.server import StandIn
from tests.support.product import GROUP, Product

ANNA = "anna@shop.example"
LABEL = "Infor CRM"


def _single(google: StandIn) -> dict[str, str]:
    return {
        "google_root_url": "",
        "google_auth_url": google.auth_url,
        "google_token_url": google.token_url,
        "google_revoke_url": google.revoke_url,
        "google_certs_url": google.certs_url,
        "google_userinfo_url": google.userinfo_url,
        "people_root_url": google.people_root,
    }


@pytest.fixture(params=["one root", "single addresses", "410", "INVALID_ARGUMENT"])
def google(request: pytest.FixtureRequest) -> Iterator[StandIn]:
    variant = request.param
    expired = variant if variant in {"410", "INVALID_ARGUMENT"} else None
    options = {"expired_as": expired} if expired else {}
    with StandIn(accounts=[ANNA, "ben@shop.example"], **options) as made:
        made.variant = variant  # type: ignore[attr-defined]  # the test's own note
        yield made


@pytest.fixture
def product(tmp_path: Path, google: StandIn) -> Iterator[Product]:
    is_single = getattr(google, "variant", "") == "single addresses"
    variables = _single(google) if is_single else None
    made = Product(
        tmp_path, google.url, client=("client", "secret"), variables=variables
    )
    yield made
    made.close()


@pytest.fixture
def anna(product: Product) -> User:
    user = product.add_user(ANNA)
    product.connect(user)
    return user


def _person(first: str) -> dict[str, Any]:
    return {
        "names": [{"givenName": first, "familyName": "Test"}],
        "emailAddresses": [{"value": f"{first.lower()}@example.com"}],
    }


def _contact(product: Product, **values: str) -> str:
    made = builtin.edit_contact(product.app, "new", values)
    builtin.change_members(product.app, GROUP, [made["id"]], selected=True)
    return str(made["id"])


def _writes(cycle: dict[str, Any]) -> int:
    counts = cycle["counts"]
    sides = (*counts["google"].values(), *counts["crm"].values())
    return sum(int(number) for number in sides)


@pytest.mark.timeout(120)
@pytest.mark.rule("CON-6", "CON-8", "CON-11", "CON-13", "ENG-1", "ENG-4")
def test_the_whole_story_is_the_same_with_another_google(
    product: Product, anna: User, google: StandIn
) -> None:
    for number in range(45):
        _contact(
            product, first=f"C{number}", last="Test", email=f"c{number}@example.com"
        )
    for number in range(50):
        google.put(ANNA, _person(f"G{number}"), labels=[LABEL])
    both = _contact(product, first="Both", last="Test", email="both@example.com")
    twin = google.put(ANNA, _person("Both"), labels=[LABEL])
    google.put(ANNA, _person("Private"))

    first = product.cycle(anna)
    rest = product.cycle(anna)

    assert first["state"] == "succeeded", first["error"]
    assert first["counts"]["linked"] == 1
    assert first["counts"]["google"]["created"] == 45
    assert first["counts"]["crm"]["created"] == 50
    assert _writes(rest) == 0
    assert len(google.people(ANNA)) == 45 + 50 + 1 + 1

    builtin.edit_contact(product.app, both, {"title": "Countess", "mobile": "5550100"})
    google.edit(ANNA, twin, {"organizations": [{"title": "Programmer"}],
                             "biographies": [{"value": "Tall."}]})  # fmt: skip
    edited = product.cycle(anna)
    row = next(
        r for r in builtin.list_contacts(product.app, "", 200) if r["id"] == both
    )
    assert edited["counts"]["conflicts"] == 1
    assert (row["title"], row["notes"]) == ("Programmer", "Tall.")

    google.expire_sync_tokens()
    google.expire_access_tokens()
    google.unlabel(ANNA, twin, LABEL)
    google.lose_next_answer("batchUpdateContacts")
    builtin.edit_contact(
        product.app, _contact(product, first="New", email="new@example.com"),
        {"title": "Later"},
    )  # fmt: skip
    left = product.cycle(anna)
    last = product.cycle(anna)

    assert left["counts"]["crm"]["unlinked"] == 1
    assert left["counts"]["google"]["created"] == 1
    assert _writes(last) == 0
    assert google.overlaps == 0
    assert checking.check(product.app)["ok"]


@pytest.mark.timeout(60)
@pytest.mark.rule("ENG-2")
def test_a_lost_create_is_found_there_too(
    product: Product, anna: User, google: StandIn
) -> None:
    _contact(product, first="Ada", last="Test", email="ada@example.com")
    google.lose_next_answer("batchCreateContacts")

    lost = product.cycle(anna)
    found = product.cycle(anna)

    assert (lost["state"], found["state"]) == ("partial", "succeeded")
    assert len(google.people(ANNA)) == 1
    assert _writes(product.cycle(anna)) == 0
