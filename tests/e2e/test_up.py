"""`crm-sync up`: a whole local installation, started and ended as a person would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path

import psutil
import pytest

from cli.demo import PASSWORD, USERS, free_port
from cli.redis_server import answers
from crmsync.bootstrap import build
from crmsync.config import load_config
from crmsync.services import scheduling
from crmsync.storage import history, people


class Installation:
    """One `crm-sync up --sandbox` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.web, self.google = free_port(), free_port()
        self.variables = {
            "INSTANCE_PATH": str(folder / "instance"),
            "PUBLIC_URL": f"http://127.0.0.1:{self.web}",
            "TICK_SECONDS": "1",
            "LEASE_SECONDS": "5",
        }
        self.output = (folder / "up.log").open("w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "webapp", "up", "--sandbox",
                "--sandbox-port", str(self.google),
            ],
            env={**os.environ, **self.variables},
            stdout=self.output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip

    def said(self) -> str:
        self.output.flush()
        with open(self.output.name, encoding="utf-8") as file:
            return file.read()

    def wait_until_up(self) -> None:
        wait_for(lambda: "CRM Sync is up" in self.said(), 60, self.said)

    def page(self, path: str) -> tuple[int, str]:
        connection = HTTPConnection("127.0.0.1", self.web, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def children(self) -> list[psutil.Process]:
        return list(psutil.Process(self.process.pid).children(recursive=True))

    def end(self) -> None:
        if self.process.poll() is None:
            for child in self.children():
                with suppress(psutil.Error):
                    child.kill()
            self.process.kill()
            self.process.wait()
        self.output.close()


def wait_for(
    is_so: Callable[[], bool], seconds: float, said: Callable[[], str]
) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, said()
        time.sleep(0.1)


def are_gone(processes: list[psutil.Process]) -> bool:
    return not any(
        p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes
    )


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path)
    try:
        made.wait_until_up()
        yield made
    finally:
        made.end()


@pytest.mark.timeout(150)
@pytest.mark.rule("RUN-1", "WEB-1", "WEB-2")
def test_up_shows_a_company_that_synchronises_by_itself_and_ends_cleanly(
    installation: Installation,
) -> None:
    said = installation.said()
    assert PASSWORD in said
    assert said.count("succeeded") == len(USERS)
    assert installation.page("/login")[0] == 200
    assert installation.page("/readyz")[0] == 200

    config = load_config(
        {
            "instance_path": Path(installation.variables["INSTANCE_PATH"]),
            "google_root_url": f"http://127.0.0.1:{installation.google}",
        }
    )
    app = build(config)
    anna = people.user_by_email(app.database, USERS[0][0])
    scheduling.sync_now(app, anna, ["contacts"], actor="test")
    wait_for(
        lambda: len(history.list_cycles(app.database, user_id=anna.user_id)) >= 2,
        30,
        installation.said,
    )
    app.close()

    children = installation.children()
    installation.process.send_signal(signal.SIGINT)
    assert installation.process.wait(40) == 0
    assert are_gone(children)
    assert not answers(config.redis_socket)


@pytest.mark.timeout(150)
@pytest.mark.rule("RUN-1", "ENG-4")
def test_nothing_outlives_an_up_that_was_killed(installation: Installation) -> None:
    children = installation.children()

    installation.process.kill()
    installation.process.wait()

    wait_for(lambda: are_gone(children), 30, installation.said)
