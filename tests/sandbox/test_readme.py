"""README.md and the tests name the same points, the switches and the addresses."""

from __future__ import annotations

import re

import pytest

from tests.sandbox.harness import ROOT, SandboxServer

README = (ROOT / "sandbox" / "README.md").read_text(encoding="utf-8")


def test_each_point_has_a_test_and_each_test_a_point() -> None:
    promised = set(re.findall(r"^\| ([A-Z]-\d+) \|", README, re.M))
    named: set[str] = set()
    for file in (ROOT / "tests" / "sandbox").rglob("test_*.py"):
        for marks in re.findall(r"mark\.point\(([^)]*)\)", file.read_text("utf-8")):
            named |= set(re.findall(r"[A-Z]-\d+", marks))

    assert named == promised


def test_each_switch_is_explained(box: SandboxServer) -> None:
    missing = [name for name in box.switches() if f"`{name}`" not in README]

    assert missing == []


@pytest.mark.parametrize(
    "folder", ["crmsync", "crm", "webapp", "addon", "worker", "cli"]
)
def test_the_sandbox_imports_nothing_of_the_product(folder: str) -> None:
    pattern = re.compile(rf"^\s*(from|import) {folder}\b", re.M)

    guilty = [
        file.name
        for file in (ROOT / "sandbox").rglob("*.py")
        if pattern.search(file.read_text(encoding="utf-8"))
    ]

    assert guilty == []
