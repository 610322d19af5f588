"""vdirsyncer, the peer: the same vCards copied between two folders."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.cards import write_files
from benchmarks.runs import Cost, run

VERSION = "0.21.0"
_HOME = Path(__file__).parents[1] / ".venv-bench"
_CONFIG = """[general]
status_path = "{folder}/status/"
[pair p]
a = "a"
b = "b"
collections = ["c"]
[storage a]
type = "filesystem"
path = "{folder}/a"
fileext = ".vcf"
[storage b]
type = "filesystem"
path = "{folder}/b"
fileext = ".vcf"
"""


def install() -> Path:
    """Return vdirsyncer's program, from a virtual environment of its own."""
    program = _HOME / "bin" / "vdirsyncer"
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", str(_HOME)], check=True)
        pip = [str(_HOME / "bin" / "pip"), "install", "--quiet"]
        subprocess.run([*pip, f"vdirsyncer=={VERSION}"], check=True)
    return program


class Peer:
    """Two folders and vdirsyncer between them."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder = folder
        self.program = install()
        write_files(folder / "a" / "c", count)
        (folder / "cfg").write_text(_CONFIG.format(folder=folder))

    def empty(self) -> None:
        """Let the second folder be empty, and nothing be known of it."""
        for name in ("b", "status"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        (self.folder / "b" / "c").mkdir(parents=True)
        subprocess.run(
            [str(self.program), "-c", "cfg", "discover"],
            cwd=self.folder,
            input=b"y\n" * 5,
            capture_output=True,
            check=True,
        )

    def sync(self) -> Cost:
        """Synchronise."""
        return run([str(self.program), "-c", "cfg", "sync"], {}, self.folder)
