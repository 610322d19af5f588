"""A database that fails in the middle of a cycle: nothing lost, nothing twice."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, select

from cli import builtin
from crmsync.errors import StorageDown
from crmsync.services.syncing import Order, run_kinds
from crmsync.storage import tables as t
from crmsync.storage.database import make_database
from crmsync.storage.people import User
from tests.conftest import NewUrl
from tests.e2e.conftest import ANNA
from tests.sandbox.harness import SandboxServer
from tests.support import postgres
from tests.support.product import GROUP, Product

MOMENTS = range(2, 75, 6)
"""At which unit of work of a cycle the database fails."""

HURRY = {"database_busy_seconds": 0.05, "lease_seconds": 0.3}


class Troubled:
    """A product whose database fails and recovers."""

    def __init__(self, folder: Path, box: SandboxServer, url: str) -> None:
        self.box = box
        self.product = Product(folder, box.url, variables=HURRY | {"database_url": url})
        self.user: User = self.product.add_user(ANNA)
        self.product.connect(self.user)
        self.people = 0
        self.cycle()

    def cycle(self) -> str:
        """Run a cycle; returns how it ended, for a person."""
        order = Order(accepts=True, waits=5)
        try:
            done = run_kinds(self.product.app, self.user, ["contacts"], order)[0]
        except StorageDown as error:
            return error.code
        if done["error"]:
            return str(done["error"]["code"])
        return str(done["state"])

    def add_people(self) -> None:
        """Put somebody new on each side."""
        self.people += 2
        crm, google = f"C{self.people}", f"G{self.people}"
        email = f"{crm.lower()}@x.example"
        made = builtin.edit_contact(
            self.product.app, "new", {"first": crm, "email": email}
        )
        builtin.change_members(self.product.app, GROUP, [made["id"]], selected=True)
        self.box.create_person(
            ANNA,
            {
                "names": [{"givenName": google}],
                "emailAddresses": [{"value": f"{google.lower()}@x.example"}],
                "labels": ["Infor CRM"],
            },
        )

    def check(self) -> None:
        """Everybody is on both sides once, and nothing is left open."""
        rows = builtin.list_contacts(self.product.app, "", 1000)
        in_crm = sorted(str(row["first"]) for row in rows)
        people = self.box.people(ANNA)
        in_google = sorted(p["names"][0]["givenName"] for p in people)
        assert in_crm == in_google
        assert len(set(in_crm)) == len(in_crm) == self.people
        with self.product.app.database.read() as connection:
            states = set(connection.scalars(select(t.items.c.state)))
            open_cycles = select(t.cycles.c.id).where(t.cycles.c.state == "running")
            assert connection.execute(open_cycles).first() is None
        assert states <= {"done", "skipped"}


@contextmanager
def failing(
    troubled: Troubled, count: int, fail: Callable[[], None], at: str = "checkout"
) -> Iterator[None]:
    """Let the database fail as the n-th unit of work begins, or commits."""
    left = [count]

    def happens(*_: object) -> None:
        left[0] -= 1
        if left[0] == 0:
            fail()

    engine = troubled.product.app.database.engine
    event.listen(engine, at, happens)
    try:
        yield
    finally:
        event.remove(engine, at, happens)


@pytest.mark.rule("ENG-8", "ENG-2")
@pytest.mark.timeout(120)
def test_a_database_that_others_lock_ends_a_cycle_and_the_next_one_finishes(
    tmp_path: Path, box: SandboxServer, new_url: NewUrl
) -> None:
    url = new_url()
    troubled = Troubled(tmp_path, box, url)
    other = make_database(url)
    ends = set()
    for moment in MOMENTS:
        troubled.add_people()
        held: list[Any] = []

        def lock(held: list[Any] = held) -> None:
            writer = other.write()
            writer.__enter__()
            held.append(writer)

        with failing(troubled, moment, lock):
            ends.add(troubled.cycle())
        for writer in held:
            writer.__exit__(None, None, None)
        assert troubled.cycle() == "succeeded"
        troubled.check()

    other.close()
    troubled.product.close()
    assert "storage_busy" in ends
    assert ends <= {"storage_busy", "succeeded"}


@pytest.mark.rule("ENG-8", "ENG-2")
@pytest.mark.timeout(120)
def test_a_full_database_ends_a_cycle_and_the_next_one_finishes(
    tmp_path: Path, box: SandboxServer
) -> None:
    path = tmp_path / "small.db"
    troubled = Troubled(tmp_path, box, f"sqlite:///{path}")
    engine = troubled.product.app.database.engine
    limit: list[int] = []

    def be_small(connection: Connection) -> None:
        pages = limit[0] if limit else 1_000_000
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    def fill() -> None:
        with closing(sqlite3.connect(path)) as connection:
            limit.append(connection.execute("PRAGMA page_count").fetchone()[0])

    event.listen(engine, "begin", be_small)
    ends = set()
    for moment in MOMENTS:
        troubled.add_people()
        with failing(troubled, moment, fill):
            ends.add(troubled.cycle())
        limit.clear()
        assert troubled.cycle() == "succeeded"
        troubled.check()

    troubled.product.close()
    assert ends <= {"storage_full", "succeeded"}
    assert "storage_full" in ends


@pytest.mark.rule("ENG-8", "ENG-2")
@pytest.mark.timeout(120)
@pytest.mark.parametrize("at", ["checkout", "commit"])
def test_a_server_that_stops_ends_a_cycle_and_the_next_one_finishes(
    tmp_path: Path, box: SandboxServer, at: str
) -> None:
    server = postgres.launch(os.getpid())
    try:
        troubled = Troubled(tmp_path, box, server.create(template="template0"))
        ends = set()
        for moment in MOMENTS:
            troubled.add_people()
            with failing(troubled, moment, server.stop, at):
                ends.add(troubled.cycle())
            server.start()
            assert troubled.cycle() == "succeeded"
            troubled.check()
        troubled.product.close()
    finally:
        server.end()

    assert "storage_gone" in ends
    assert ends <= {"storage_gone", "succeeded"}
