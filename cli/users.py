"""`crm-sync user`: users of ours; with the built-in CRM, its users too (ADM-1)."""

from __future__ import annotations

import sys

import click

from cli.common import app, says_errors, table


@click.group()
def user() -> None:
    """Add, list, edit and disable users."""


def _password(email: str) -> str:
    if sys.stdin.isatty():
        value = str(click.prompt("Password", hide_input=True))
    else:
        value = sys.stdin.readline().rstrip("\n")
    if len(value) < 12:
        raise click.UsageError(f"The password for {email} needs 12 characters or more.")
    return value


@user.command("add")
@click.argument("email")
@click.option("--name", default="", help="Shown in lists.")
@click.option("--admin", is_flag=True, help="May change settings and see all.")
@click.option("--password-stdin", is_flag=True, help="Read a password.")
@click.option("--infor-user", default="", help="The user's id in Infor CRM.")
@says_errors
def add(
    email: str, name: str, admin: bool, password_stdin: bool, infor_user: str
) -> None:
    """Add a user."""
    from crmsync.services import accounts

    secret = _password(email) if password_stdin else ""
    with app() as wired:
        made = accounts.add_user(
            wired, email, name=name, is_admin=admin, infor_user=infor_user
        )
        if secret:
            accounts.set_password(wired, made, secret)
        click.echo(f"Added {made.email}.")


@user.command("list")
@says_errors
def list_users() -> None:
    """List all users."""
    from crmsync.storage import people

    with app() as wired:
        rows = [
            [
                found.email,
                found.name,
                "admin" if found.is_admin else "",
                "disabled" if found.is_disabled else "",
            ]
            for found in people.users(wired.database)
        ]
    if not rows:
        click.echo("No users yet. Add one with: crm-sync user add EMAIL")
        return
    table(rows, ["E-mail", "Name", "Role", "State"])


@user.command("edit")
@click.argument("email")
@click.option("--name", help="A new name.")
@click.option("--admin/--no-admin", default=None, help="More or fewer rights.")
@click.option("--infor-user", help="The user's id in Infor CRM.")
@click.option("--enable", is_flag=True, help="Enable a disabled user.")
@says_errors
def edit(
    email: str,
    name: str | None,
    admin: bool | None,
    infor_user: str | None,
    enable: bool,
) -> None:
    """Change a user."""
    from crmsync.storage import people

    given = {"name": name, "is_admin": admin, "infor_user": infor_user}
    changes = {key: value for key, value in given.items() if value is not None}
    if enable:
        changes["is_disabled"] = False
    with app() as wired:
        found = people.user_by_email(wired.database, email)
        if changes:
            people.edit_user(wired.database, found.user_id, **changes)
        click.echo(f"Changed {found.email}.")


@user.command("disable")
@click.argument("email")
@says_errors
def disable(email: str) -> None:
    """Disable a user: tokens are dropped, links frozen, nothing is deleted."""
    from crmsync.services import accounts
    from crmsync.storage import people

    with app() as wired:
        accounts.disable(wired, people.user_by_email(wired.database, email))
        click.echo(f"Disabled {email}.")


@user.command("passwd")
@click.argument("email")
@click.option("--password-stdin", is_flag=True, required=True, help="Read it.")
@says_errors
def passwd(email: str, password_stdin: bool) -> None:
    """Set a user's password."""
    from crmsync.services import accounts
    from crmsync.storage import people

    secret = _password(email)
    with app() as wired:
        accounts.set_password(
            wired, people.user_by_email(wired.database, email), secret
        )
        click.echo(f"Changed the password of {email}.")
