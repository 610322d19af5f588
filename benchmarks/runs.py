"""Timed processes: what a command costs from its start to its end."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

PAIRS = int(os.environ.get("PAIRS", "5"))


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took.

    Attributes:
        wall: seconds from start to end.
        cpu: seconds of processor, its children's included.
        memory: its largest resident size, in KiB.
    """

    wall: float
    cpu: float
    memory: int
    output: str


def run(command: Sequence[str], env: Mapping[str, str], cwd: Path) -> Cost:
    """Run a command to its end.

    Raises:
        RuntimeError: if it fails.
    """
    with TemporaryFile("w+") as output, TemporaryFile("w+") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            env={**os.environ, **env},
            cwd=cwd,
            stdout=output,
            stderr=errors,
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode != 0:
            said = (errors.read() + output.read())[-2000:]
            raise RuntimeError(f"{' '.join(command)} failed: {said}")
        return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss, output.read())
