"""The icon file holds what the pages name, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_icon_file_is_what_the_pages_name() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/icons"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, f"run tools/icons; {done.stderr}"
