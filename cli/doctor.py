"""`crm-sync doctor`: checks everything, says what to mend."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from cli.common import echo_json, says_errors

if TYPE_CHECKING:
    from crmsync.services.diagnosing import Finding

_SIGNS = {"well": "ok  ", "doubtful": "note", "wrong": "BAD "}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@says_errors
def doctor(as_json: bool) -> None:
    """Check everything and say what to mend; exit 0 only if all is well."""
    from cli.redis_server import find_server
    from crmsync.bootstrap import make_patient
    from crmsync.config import load_config
    from crmsync.services import diagnosing

    with make_patient(load_config(), find_server) as patient:
        found = []
        for finding in diagnosing.examine(patient):
            found.append(finding)
            if not as_json:
                _print(finding)
    if as_json:
        echo_json({"findings": [asdict(finding) for finding in found]})
    sys.exit(1 if any(f.verdict == "wrong" for f in found) else 0)


def _print(finding: Finding) -> None:
    click.echo(f"{_SIGNS[finding.verdict]}  {finding.name}: {finding.message}")
    if finding.mend:
        click.echo(f"      {finding.mend}")
