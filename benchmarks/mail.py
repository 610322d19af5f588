"""What recording a message costs."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from email import message_from_bytes
from email.message import EmailMessage
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.runs import PAIRS
from benchmarks.table import Figure
from cli import builtin
from crmsync.services.syncing import Order, run_kinds
from tests.sandbox.harness import SandboxServer
from tests.support.product import Product

ANNA, ADA = "anna@shop.example", "ada@client.example"
SEND = "Infor CRM/Send To CRM"
MESSAGES, ATTACHED = 100, 60_000


def _messages() -> list[bytes]:
    found = []
    for number in range(MESSAGES):
        message = EmailMessage()
        message["From"], message["To"] = ADA, ANNA
        message["Subject"] = f"Offer {number}"
        message["Message-ID"] = f"<{number}@client.example>"
        message.set_content("Please find our conditions attached.\n" * 20)
        message.add_alternative("<p>Please find our <b>conditions</b></p>" * 20, "html")
        data = os.urandom(ATTACHED)
        message.add_attachment(data, "application", "pdf", filename="a.pdf")
        found.append(message.as_bytes())
    return found


def measure(folder: Path) -> Iterator[Figure]:
    """Compare recording with the bare parsing and storing of the same messages."""
    shares, requests, reads = [], 0, 0
    for _ in range(PAIRS):
        raws = _messages()
        with TemporaryDirectory(dir=folder) as place:
            mine, requests, reads = _ours(Path(place), raws)
            shares.append(mine / _bare(Path(place), raws))
    yield Figure("messages read ÷ messages labelled", reads / MESSAGES, 1.0)
    # A read and a relabelling of each; the changes and the listing.
    floor = 2 * MESSAGES + 2
    yield Figure("requests of recorded messages ÷ floor", requests / floor, 1.05)
    what = "processor time per recorded message ÷ parsing and storing it barely"
    yield Figure(what, median(shares), 3.0)


def _ours(folder: Path, raws: Sequence[bytes]) -> tuple[float, int, int]:
    options = ("--quota", "off", "--delay", "0", "--account", ANNA)
    with SandboxServer(*options) as box:
        product = Product(folder, box.url)
        user = product.add_user(ANNA)
        product.connect(user, service="google_mail")
        builtin.edit_contact(product.app, "new", {"first": "Ada", "email": ADA})
        run_kinds(product.app, user, ["mail"], Order(accepts=True))
        for raw in raws:
            box.deliver(ANNA, raw, [SEND])
            box.deliver(ANNA, raw)  # nobody asked for this one
        box.clear_log()
        began = time.process_time()
        cycle = run_kinds(product.app, user, ["mail"], Order())[0]
        spent = time.process_time() - began
        bodies = box.requests(account=ANNA, method="GET", path="/messages/[^/]+$")
        product.close()
    assert cycle["counts"]["recorded"] == len(raws)
    return spent, cycle["requests"]["google"], len(bodies)


def _bare(folder: Path, raws: Sequence[bytes]) -> float:
    database = sqlite3.connect(folder / "bare.db")
    database.execute("create table mail (subject, body, file)")
    began = time.process_time()
    for raw in raws:
        message = message_from_bytes(raw)
        leaves = [p for p in message.walk() if not p.is_multipart()]
        parts = [p.get_payload(decode=True) for p in leaves]
        row = (message["Subject"], parts[0], parts[-1])
        database.execute("insert into mail values (?, ?, ?)", row)
        database.commit()
    spent = time.process_time() - began
    database.close()
    return spent
