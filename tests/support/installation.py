"""One `crm-sync up --sandbox` in a folder of its own, as a person would start it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path

import psutil

from cli.demo import free_port


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
