"""`crm-sync check`: compares both sides and the links, read only."""

from __future__ import annotations

import sys

import click

from cli.common import app, echo_json, says_errors


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@says_errors
def check(as_json: bool) -> None:
    """Compare both sides and the links; exit 0 only if all is well."""
    from crmsync.services import checking

    with app() as wired:
        found = checking.check(wired)
    if as_json:
        echo_json(found)
    else:
        for pair in found["pairs"]:
            click.echo(
                f"{pair['kind'].capitalize()} – {pair['user']}: {pair['links']} links, "
                f"{pair['equal']} equal, {pair['accepted']} differ on purpose, "
                f"{len(pair['pending'])} wait for the next cycle"
            )
            for what in ("missing", "unlinked", "doubled"):
                for place in pair[what]:
                    click.echo(f"  {what}: {place}")
            if pair["error"]:
                click.echo(f"  {pair['error']['message']}")
        click.echo("All is well." if found["ok"] else "Something is wrong; see above.")
    sys.exit(0 if found["ok"] else 1)
