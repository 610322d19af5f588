"""The real processes of an installation, and ways to kill them.

Redis, two workers and the scheduler run as `crm-sync up` runs them; the sandbox answers
creates slowly, so that something is under way when the blow falls. Used by the tests
with short timings, and by `make chaos` with those of production.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import select

from cli.redis_server import answers, server_command
from cli.supervisor import Child, Supervisor
from crmsync.services import scheduling
from crmsync.storage import people
from crmsync.storage import tables as t
from crmsync.storage.people import User
from tests.support.product import ACTOR, Product

KILLS = ("work-horse", "parent", "both", "redis")
WORKERS = 2


class Farm:
    """Supervised processes around one product."""

    def __init__(self, product: Product, socket: Path) -> None:
        self.product = product
        self.socket = socket
        self.supervisor = Supervisor(product.folder / "logs")
        names = {name.upper(): str(value) for name, value in product.variables.items()}
        self.environment = {**os.environ, **names}

    def start(self) -> None:
        redis = server_command(self.socket)
        here = self.socket
        self.supervisor.add(
            Child("redis", redis, self.environment, lambda: answers(here))
        )
        self.wait_for(lambda: answers(here), 20, "Redis")
        for _ in range(WORKERS):
            self.add_worker()
        command = [sys.executable, "-m", "webapp", "scheduler"]
        self.supervisor.add(Child("scheduler", command, self.environment))

    def add_worker(self) -> None:
        number = sum(c.name.startswith("worker") for c in self.supervisor.children) + 1
        command = [sys.executable, "-m", "webapp", "worker"]
        self.supervisor.add(Child(f"worker-{number}", command, self.environment))

    def stop(self) -> None:
        self.supervisor.stop(patience=5.0)
        for child in self.supervisor.children:
            assert child.process is None

    def wait_for(self, is_so: Callable[[], bool], seconds: float, what: str) -> float:
        """Wait, restarting what died meanwhile; return how long it took."""
        began = time.monotonic()
        while not is_so():
            self.supervisor.look()
            waited = time.monotonic() - began
            assert waited < seconds, f"{what}: not within {seconds} s\n{self.logs()}"
            time.sleep(0.05)
        return time.monotonic() - began

    def logs(self) -> str:
        texts = []
        for path in sorted(self.supervisor.folder.glob("*.log")):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            texts.append("\n".join([f"--- {path.name}", *lines[-8:]]))
        return "\n".join(texts)

    # ------------------------------------------------------------ what is going on

    def pair(self, user: User) -> Any:
        pair_id = people.pair_of(
            self.product.app.database, user.user_id, "contacts"
        ).pair_id
        with self.product.app.database.read() as connection:
            return connection.execute(
                select(t.pairs).where(t.pairs.c.id == pair_id)
            ).one()

    def cycles(self, user: User) -> list[Any]:
        with self.product.app.database.read() as connection:
            return list(
                connection.execute(
                    select(t.cycles)
                    .where(t.cycles.c.user_id == user.user_id)
                    .order_by(t.cycles.c.id)
                )
            )

    def is_writing(self, user: User) -> bool:
        """Whether something of this user is on its way right now."""
        with self.product.app.database.read() as connection:
            pair_id = self.pair(user).id
            sent = select(t.items.c.id).where(
                t.items.c.pair_id == pair_id, t.items.c.state == "sent"
            )
            return connection.execute(sent.limit(1)).first() is not None

    def is_quiet(self, user: User, since: datetime) -> bool:
        """Whether a cycle that began after `since` has left nothing to do."""
        done = [c for c in self.cycles(user) if c.finished_at is not None]
        if not done or done[-1].started_at < since:
            return False
        if done[-1].state != "succeeded":
            return False
        with self.product.app.database.read() as connection:
            open_items = select(t.items.c.id).where(
                t.items.c.pair_id == self.pair(user).id,
                t.items.c.state.in_(["sent", "unknown", "planned"]),
            )
            return connection.execute(open_items.limit(1)).first() is None

    def sync_now(self, user: User) -> None:
        scheduling.sync_now(self.product.app, user, ["contacts"], actor=ACTOR)

    # ------------------------------------------------------------ blows

    def _busy(self) -> tuple[int, int]:
        """Return the process ids of a working parent and its work-horse."""
        for child in self.supervisor.children:
            if not child.name.startswith("worker") or child.process is None:
                continue
            with contextlib.suppress(psutil.Error):
                for horse in psutil.Process(child.process.pid).children():
                    return child.process.pid, horse.pid
        raise AssertionError(f"no worker is busy\n{self.logs()}")

    def kill(self, what: str) -> None:
        """Send SIGKILL; nobody gets to say goodbye."""
        if what == "redis":
            redis = self.supervisor.children[0].process
            assert redis is not None
            os.kill(redis.pid, signal.SIGKILL)
            return
        parent, horse = self._busy()
        for pid in {"work-horse": (horse,), "parent": (parent,)}.get(
            what, (parent, horse)
        ):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
