"""`crm-sync group`: the Contact Sync Group, and the built-in CRM's groups (CON-2)."""

from __future__ import annotations

import click

from cli.common import actor, app, says_errors, table


@click.group()
def group() -> None:
    """Designate the Contact Sync Group; create and fill groups."""


@group.command("set")
@click.argument("name")
@click.option("--user", "email", required=True, help="The user's address.")
@click.option("--force", is_flag=True, help="As an admin, after the first cycle.")
@says_errors
def set_group(name: str, email: str, force: bool) -> None:
    """Designate a user's Contact Sync Group, by name or id."""
    from crmsync.services import grouping
    from crmsync.storage import people

    with app() as wired:
        user = people.user_by_email(wired.database, email)
        chosen = grouping.designate(wired, user, name, actor=actor(), by_admin=force)
    click.echo(f"{email} synchronises the group {chosen.name} ({chosen.members}).")


@group.command("list")
@click.option("--user", "email", default="", help="As this user sees them.")
@says_errors
def list_groups(email: str) -> None:
    """List the groups that may be chosen."""
    with app() as wired:
        rows = [
            [found.group_id, found.name, str(found.members)]
            for found in wired.crm.groups(email)
        ]
    if not rows:
        click.echo("No groups yet. Make one with: crm-sync group create NAME")
        return
    table(rows, ["Id", "Name", "Members"])


@group.command("create")
@click.argument("name")
@click.option("--user", "email", default="", help="Its owner; else Everyone.")
@says_errors
def create(name: str, email: str) -> None:
    """Create an ad hoc group in the built-in CRM."""
    from cli.builtin import create_group

    with app() as wired:
        made = create_group(wired, name, email)
    click.echo(f"Created {name} ({made}).")


@group.command("add")
@click.argument("name")
@click.argument("contact_ids", nargs=-1, required=True)
@says_errors
def add(name: str, contact_ids: tuple[str, ...]) -> None:
    """Put contacts in a group of the built-in CRM."""
    from cli.builtin import change_members

    with app() as wired:
        changed = change_members(wired, name, contact_ids, selected=True)
    click.echo(f"Added {changed} contacts.")


@group.command("remove")
@click.argument("name")
@click.argument("contact_ids", nargs=-1, required=True)
@says_errors
def remove(name: str, contact_ids: tuple[str, ...]) -> None:
    """Take contacts out of a group of the built-in CRM."""
    from cli.builtin import change_members

    with app() as wired:
        changed = change_members(wired, name, contact_ids, selected=False)
    click.echo(f"Removed {changed} contacts.")
