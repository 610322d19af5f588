"""The house keeps its shape: sizes, ignores, and that importing does nothing."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("crmsync", "crm", "webapp", "addon", "worker", "cli", "sandbox")
STDLIB_NAMES = {"calendar", "email", "queue", "types"}


def sources() -> list[Path]:
    found = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return [path for path in found if "versions" not in path.parts]


def test_no_file_is_longer_than_500_lines() -> None:
    sizes = {p.relative_to(ROOT): len(p.read_text().splitlines()) for p in sources()}

    assert {path: size for path, size in sizes.items() if size > 500} == {}


def test_no_function_is_longer_than_60_lines() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno > 60
    ]

    assert long == []


def test_every_ignore_has_a_code_and_a_reason() -> None:
    bare = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sources()
        for line in path.read_text().splitlines()
        if re.search(r"#\s*(noqa|type: ignore)", line)
        and not re.search(
            r"#\s*(noqa: [A-Z0-9, ]+|type: ignore\[[a-z0-9, -]+\])\s*(#|-|–|\s)\s*\S",
            line,
        )
    ]

    assert bare == []


def test_no_module_has_the_name_of_a_standard_library_package() -> None:
    tops = {path.relative_to(ROOT).parts[0] for path in sources()}

    assert not tops & STDLIB_NAMES


@pytest.mark.parametrize("package", ["crmsync.cycle", "crmsync.ports", "cli"])
def test_importing_does_no_work(package: str) -> None:
    code = (
        f"import sys, {package}\n"
        "heavy = {'sqlalchemy', 'flask', 'googleapiclient', 'urllib3'}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
