"""The product as a process, against a sandbox that is already up."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks.cards import book
from benchmarks.runs import Cost, run
from crmsync.bootstrap import build
from crmsync.config import load_config
from crmsync.services.syncing import Order, run_kinds
from crmsync.storage import people
from crmsync.storage.people import User
from tests.sandbox.harness import SandboxServer
from tests.support.product import CLIENT, Product

ANNA = "anna@shop.example"
_OPTIONS = ("--quota", "off", "--delay", "0", "--account", ANNA)
_ROOT = Path(__file__).parents[1]


@dataclass(slots=True)
class Cycle:
    """What one cycle cost.

    Attributes:
        requests: to Google.
        sandbox_cpu: seconds of processor that the sandbox took meanwhile.
    """

    cost: Cost
    requests: int
    sandbox_cpu: float
    counts: dict[str, Any] = field(default_factory=dict)


class Installation:
    """A prepared installation: copied for each run, so that each run is the first."""

    kind = "contacts"

    def __init__(self, folder: Path, count: int, *, in_google: bool) -> None:
        """Put `count` records into Google, or into the CRM, and authorise."""
        self.folder = folder
        self.made = folder / "made"
        self.at_work = folder / "work"
        self.made.mkdir(parents=True)
        with SandboxServer(*_OPTIONS, data=self.made / "google") as box:
            self.port = box.port
            product = Product(self.made, box.url)
            user = product.add_user(ANNA)
            if in_google:
                self.fill_google(box, count)
            else:
                self.fill_crm(product, user, count)
            product.connect(user)
            self.variables = dict(product.variables)
            product.close()

    def fill_google(self, box: SandboxServer, count: int) -> None:
        """Put records into Google."""
        box.load(ANNA, book(count), "Infor CRM")

    def fill_crm(self, product: Product, user: User, count: int) -> None:
        """Put records into the CRM."""
        path = self.folder / "people.vcf"
        path.write_text(book(count), encoding="utf-8", newline="")
        product.load_crm(path, user)

    @contextmanager
    def fresh(self) -> Iterator[SandboxServer]:
        """Begin again with what was prepared."""
        shutil.rmtree(self.at_work, ignore_errors=True)
        shutil.copytree(self.made, self.at_work)
        with self.running() as box:
            yield box

    @contextmanager
    def running(self) -> Iterator[SandboxServer]:
        """Run the sandbox over what the last run left."""
        box = SandboxServer(*_OPTIONS, data=self.at_work / "google")
        box.start(self.port)
        try:
            box.groups(ANNA)  # it reads an account's data when it is first asked
            yield box
        finally:
            box.stop()

    def cycle_inside(self) -> float:
        """Run cycles in this process, as a worker does; return the last one's time."""
        wall = 0.0
        app = build(load_config({**self.variables, **_places(self.at_work)}))
        try:
            user = people.user_by_email(app.database, ANNA)
            for _ in range(2):
                start = time.perf_counter()
                run_kinds(app, user, [self.kind], Order())
                wall = time.perf_counter() - start
        finally:
            app.close()
        return wall

    def cycle(self, box: SandboxServer) -> Cycle:
        """Run one cycle as a person would, by command."""
        sandbox = psutil.Process(box.pid)
        before = sandbox.cpu_times()
        cost = run(
            [str(Path(sys.executable).parent / "crm-sync"), *_command(self.kind)],
            {
                **{n.upper(): v for n, v in _places(self.at_work).items()},
                "GOOGLE_ROOT_URL": box.url,
                "GOOGLE_CLIENT_ID": CLIENT[0],
                "GOOGLE_CLIENT_SECRET": CLIENT[1],
                "PUBLIC_URL": self.variables["public_url"],
            },
            _ROOT,
        )
        after = sandbox.cpu_times()
        told = json.loads(cost.output)["cycles"][0]
        if told["state"] != "succeeded":
            raise RuntimeError(f"the cycle is {told['state']}: {told['error']}")
        used = after.user + after.system - before.user - before.system
        return Cycle(cost, told["requests"]["google"], used, told["counts"])


def _places(folder: Path) -> dict[str, str]:
    return {
        "instance_path": str(folder / "instance"),
        "database_url": f"sqlite:///{folder / 'product.db'}",
    }


def _command(kind: str) -> tuple[str, ...]:
    return ("sync", "run", "--user", ANNA, "--kind", kind, "--accept", "--json")
