"""Keeps the processes of a local installation running; restarts what dies.

In production systemd or a container runtime does this. It runs no threads, so that a
child can ask the kernel, between fork and exec, to end with its parent.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import structlog

_PR_SET_PDEATHSIG = 1
_LOOK = 0.2
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 10.0
_STEADY = 30.0
"""Seconds after which a process counts as started well."""
_LOG_BYTES = 10_000_000

_log = structlog.get_logger("crmsync.up")


@dataclass
class Child:
    """A process that is kept running.

    Attributes:
        is_served: says that somebody else already does its work (a Redis that
            outlived a crash); it is not started then.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    is_served: Callable[[], bool] = lambda: False
    process: subprocess.Popen[bytes] | None = None
    pause: float = _FIRST_PAUSE
    started_at: float = 0.0
    not_before: float = 0.0
    starts: int = 0
    log: IO[bytes] | None = field(default=None, repr=False)


class Supervisor:
    """Starts children in order, restarts them, stops them in reverse."""

    def __init__(self, folder: Path) -> None:
        """Keep the children's logs in `folder`."""
        self.folder = folder
        self._children: list[Child] = []
        self._is_stopping = False
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def children(self) -> Sequence[Child]:
        """All children in the order of their start."""
        return self._children

    def add(self, child: Child) -> None:
        """Start a child and keep it running."""
        self._children.append(child)
        self._start(child)

    def _start(self, child: Child) -> None:
        if child.is_served():
            return
        if child.log is None:
            child.log = self._open_log(child.name)
        child.process = subprocess.Popen(  # noqa: S603  our own commands, no shell
            child.command,
            stdin=subprocess.DEVNULL,
            stdout=child.log,
            stderr=child.log,
            env=dict(child.environment),
            start_new_session=True,
            preexec_fn=_end_with_parent,  # noqa: PLW1509  this process has no threads
        )
        child.started_at = time.monotonic()
        child.starts += 1

    def _open_log(self, name: str) -> IO[bytes]:
        path = self.folder / f"{name}.log"
        if path.exists() and path.stat().st_size > _LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        return path.open("ab")

    def look(self) -> None:
        """Restart what has died; one that dies again and again is given pauses."""
        now = time.monotonic()
        for child in self._children:
            if child.process is not None and child.process.poll() is None:
                continue
            if child.process is not None:
                self._note_death(child, now)
            if now >= child.not_before:
                self._start(child)

    def _note_death(self, child: Child, now: float) -> None:
        process, child.process = child.process, None
        if process is None:
            return
        is_steady = now - child.started_at >= _STEADY
        child.pause = _FIRST_PAUSE if is_steady else child.pause * 2
        child.pause = min(child.pause, _LONGEST_PAUSE)
        child.not_before = now + child.pause
        _log.warning(
            "process.died",
            process=child.name,
            status=process.returncode,
            restarts_in=child.pause,
        )

    def run(self) -> None:
        """Keep everything running until SIGINT or SIGTERM."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._request_stop)
        while not self._is_stopping:
            self.look()
            time.sleep(_LOOK)

    def _request_stop(self, _number: int, _frame: object) -> None:
        self._is_stopping = True

    def stop(self, patience: float = 25.0) -> None:
        """End all children, the last one first; what does not end is killed."""
        for child in reversed(self._children):
            self._end(child, patience)
            if child.log is not None:
                child.log.close()
                child.log = None

    def _end(self, child: Child, patience: float) -> None:
        process, child.process = child.process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _end_with_parent() -> None:
    """Let the kernel end this process when its parent dies, however that happens."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
