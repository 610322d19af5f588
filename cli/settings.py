"""`crm-sync settings`: every setting with its default and what it means (ADM-2)."""

from __future__ import annotations

import click

from cli.common import actor, app, says_errors, table

_USER = click.option("--user", "email", help="For one user.")
_KIND = click.option("--kind", default="", help="For one kind.")


@click.group()
def settings() -> None:
    """List, read and change settings."""


@settings.command("list")
@says_errors
def list_settings() -> None:
    """List all settings, with their global values."""
    from crmsync.services import settings as service
    from crmsync.services.settings_table import SETTINGS
    from crmsync.storage import people

    with app() as wired:
        rows = [
            [s.name, service.get(wired, s.name), " | ".join(s.values), s.means]
            for s in SETTINGS
        ]
        table(rows, ["Setting", "Value", "Values", "Means"])
        names = {u.user_id: u.email for u in people.users(wired.database)}
        for row in service.stored(wired):
            if row.user_id or row.kind:
                scope = " ".join(
                    part for part in (names.get(row.user_id, ""), row.kind) if part
                )
                click.echo(f"{row.name} = {row.value} for {scope}")


@settings.command("get")
@click.argument("name")
@_USER
@_KIND
@says_errors
def get(name: str, email: str | None, kind: str) -> None:
    """Print a setting's value."""
    from crmsync.services import settings as service
    from crmsync.storage import people

    with app() as wired:
        user_id = people.user_by_email(wired.database, email).user_id if email else ""
        click.echo(service.get(wired, name, user_id=user_id, kind=kind))


@settings.command("set")
@click.argument("name")
@click.argument("value")
@_USER
@_KIND
@says_errors
def put(name: str, value: str, email: str | None, kind: str) -> None:
    """Change a setting."""
    from crmsync.services import settings as service
    from crmsync.storage import people

    with app() as wired:
        user_id = people.user_by_email(wired.database, email).user_id if email else ""
        service.put(wired, name, value, user_id=user_id, kind=kind, actor=actor())
    click.echo(f"{name} = {value}")
