"""Two real-looking address books: everybody linked or created once (CON-6 … CON-8)."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from crmsync.services import reporting
from crmsync.storage import tables as t
from crmsync.storage.people import User
from tests.books import make_books
from tests.e2e.conftest import ANNA
from tests.sandbox.harness import SandboxServer
from tests.support.product import Product

DATA = Path(__file__).resolve().parents[1] / "data" / "contacts"


@dataclass
class Outcome:
    """What became of a book's people, told by the file's own numbers."""

    cycle: dict[str, Any]
    linked: set[tuple[str, int]]
    created_in_crm: set[str]
    created_in_google: set[int]
    held_google: set[str]
    held_crm: set[int]


def _uids(box: SandboxServer, vcf: str) -> dict[str, str]:
    """Return the card's UID by resource name, found by names and addresses."""
    cards: dict[tuple[str, ...], str] = {}
    for card in re.split(r"(?<=END:VCARD)\r?\n", vcf):
        uid = re.search(r"^UID:(\S+)", card, re.M)
        name = re.search(r"^N:([^;\r\n]*);([^;\r\n]*)", card, re.M)
        if uid and name:
            addresses = re.findall(r"^EMAIL[^:]*:(\S+)", card, re.M)
            cards[(name[2], name[1], *sorted(addresses))] = uid[1]
    found: dict[str, str] = {}
    for person in box.people(ANNA):
        name_ = person["names"][0]
        addresses = [entry["value"] for entry in person.get("emailAddresses", ())]
        who = (name_.get("givenName", ""), name_.get("familyName", ""))
        found[person["resourceName"]] = cards[(*who, *sorted(addresses))]
    return found


def _rows(product: Product, user: User) -> dict[str, int]:
    """Return the CSV's row number by contact id: imported in the file's order."""
    from crm.tables import Contact

    with product.app.database.read() as connection:
        ids = connection.execute(
            select(Contact.id)
            .where(Contact.sync_key.is_(None))
            .order_by(Contact.created_at, Contact.change_seq)
        )
        return {row.id: number for number, row in enumerate(ids)}


def _load(
    product: Product, box: SandboxServer, vcf: str, csv: str, folder: Path
) -> tuple[User, dict[str, int]]:
    box.load(ANNA, vcf, "Infor CRM")
    path = folder / "crm.csv"
    path.write_text(csv, encoding="utf-8", newline="")
    user = product.add_user(ANNA)
    product.load_crm(path, user)
    product.connect(user)
    return user, _rows(product, user)


def _run(
    product: Product, uids: dict[str, str], user: User, rows: dict[str, int]
) -> Outcome:
    cycle = product.cycle(user)
    detail = reporting.cycle_detail(product.app, cycle["id"])
    found = Outcome(cycle, set(), set(), set(), set(), set())
    for item in detail["items"]:
        crm, google = item["crm"]["id"], item["google"]["id"]
        if item["action"] == "link" and item["state"] == "done":
            found.linked.add((uids[google], rows[crm]))
        elif item["action"] == "create" and item["direction"] == "to_crm":
            found.created_in_crm.add(uids[google])
        elif item["action"] == "create":
            found.created_in_google.add(rows[crm])
        elif item["state"] == "held" and google:
            found.held_google.add(uids[google])
        elif item["state"] == "held":
            found.held_crm.add(rows[crm])
    return found


def _judge(found: Outcome, truth: dict[str, Any], *, weak_linked: bool) -> Counter[str]:
    """Hold a first cycle against the truth; return how each way of differing ended."""
    ended: Counter[str] = Counter()
    for pair in truth["pairs"]:
        key = (pair["google"], pair["crm"])
        how = pair["how"]
        created = key[0] in found.created_in_crm or key[1] in found.created_in_google
        assert not created, f"{pair} was created twice"
        if key in found.linked:
            ended[f"{how} linked"] += 1
        else:
            assert how in {"phone", "name"}, f"{pair} is not linked"
            assert not weak_linked, f"{pair} is not linked"
            assert key[0] in found.held_google
            assert key[1] in found.held_crm
            ended[f"{how} held"] += 1
    pairs = {(pair["google"], pair["crm"]) for pair in truth["pairs"]}
    assert found.linked <= pairs, f"linked wrongly: {found.linked - pairs}"
    shared = truth["shared_address"]
    assert set(shared["google"]) <= found.held_google
    assert set(shared["crm"]) <= found.held_crm
    for pair in truth["namesakes_not_pairs"]:
        assert pair["google"] in found.created_in_crm
        assert pair["crm"] in found.created_in_google
    return ended


def _nobody_twice(product: Product, box: SandboxServer) -> None:
    keys = [
        entry["value"]
        for person in box.people(ANNA)
        for entry in person.get("clientData", ())
        if entry["key"] == "crm-sync-key"
    ]
    assert len(keys) == len(set(keys))
    with product.app.database.read() as connection:
        links = connection.execute(select(t.links.c.crm_id, t.links.c.google_id)).all()
    assert len({link.crm_id for link in links}) == len(links)
    assert len({link.google_id for link in links}) == len(links)


@pytest.mark.timeout(120)
@pytest.mark.rule("CON-6", "CON-7", "CON-8", "ENG-1", "ENG-2")
@pytest.mark.parametrize("weak", ["hold", "link"])
def test_the_given_books_come_together(
    product: Product, box: SandboxServer, tmp_path: Path, weak: str
) -> None:
    vcf = (DATA / "google.vcf").read_bytes().decode()
    csv = (DATA / "crm.csv").read_bytes().decode()
    truth = json.loads((DATA / "truth.json").read_text(encoding="utf-8"))
    product.set("weak_match", weak)
    user, rows = _load(product, box, vcf, csv, tmp_path)

    uids = _uids(box, vcf)

    found = _run(product, uids, user, rows)
    ended = _judge(found, truth, weak_linked=weak == "link")
    box.settle()
    again = product.cycle(user)

    assert found.cycle["state"] == "succeeded"
    assert sum(ended.values()) == 600
    assert (ended["same linked"], ended["case linked"]) == (372, 88)
    assert ended["second linked"] == 90
    assert again["counts"]["google"] == dict.fromkeys(
        ("created", "updated", "deleted", "unlinked"), 0
    )
    assert again["counts"]["crm"] == again["counts"]["google"]
    assert again["counts"]["linked"] == 0
    _nobody_twice(product, box)


@pytest.mark.timeout(120)
@pytest.mark.rule("CON-6", "CON-7", "CON-8")
@pytest.mark.parametrize("seed", range(10))
def test_freshly_seeded_books_come_together(
    product: Product, box: SandboxServer, tmp_path: Path, seed: int
) -> None:
    books = make_books(seed, 300, 180)
    product.set("weak_match", "hold" if seed % 2 else "link")
    user, rows = _load(product, box, books.vcf, books.csv, tmp_path)

    uids = _uids(box, books.vcf)

    found = _run(product, uids, user, rows)
    _judge(found, books.truth, weak_linked=seed % 2 == 0)
    box.settle()
    again = product.cycle(user)

    writes = [*again["counts"]["google"].values(), *again["counts"]["crm"].values()]
    assert sum(writes) == 0
    _nobody_twice(product, box)
