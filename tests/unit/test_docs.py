"""The documents name everything that a person can type or set."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from cli import main
from crmsync.config import load_config
from crmsync.services.settings_table import SETTINGS

DOCS = Path(__file__).resolve().parents[2] / "docs"


def commands(group: click.Group, *names: str) -> list[tuple[str, ...]]:
    """Return all commands with their groups' names."""
    context = click.Context(group)
    found: list[tuple[str, ...]] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            found += commands(command, *names, name)
        else:
            found.append((*names, name))
    return found


@pytest.mark.parametrize("names", commands(main), ids=" ".join)
def test_every_command_is_documented(names: tuple[str, ...]) -> None:
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| `")]

    group = [line for line in lines if names[0] in line]

    assert any(names[-1] in line for line in group), names


def test_every_variable_is_documented() -> None:
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")
    variables = [name.upper() for name in load_config()._values.__class__.model_fields]

    assert [name for name in variables if f"`{name}`" not in text] == []


def test_every_setting_is_documented_with_its_values() -> None:
    text = (DOCS / "settings.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]

    for setting in SETTINGS:
        (row,) = [line for line in rows if line.startswith(f"| `{setting.name}` ")]
        values = row.split("|")[2]
        for value in setting.values or (setting.default,):
            assert f"`{value}`" in values or not value, (setting.name, value)
