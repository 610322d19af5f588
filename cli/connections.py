"""`crm-sync connection`: authorise and disconnect Google services (AUTH-1 … AUTH-8)."""

from __future__ import annotations

import secrets
import sys

import click

from cli.common import app, says_errors, table
from crmsync.errors import UsageError

_SERVICES = click.Choice(["google_sync", "google_mail"])


@click.group()
def connection() -> None:
    """Authorise, list and disconnect Google services."""


@connection.command("authorize")
@click.argument("service", type=_SERVICES)
@click.option("--user", "email", required=True, help="The user's address.")
@click.option("--timeout", default=600, show_default=True, help="Seconds to wait.")
@click.option("--yes", is_flag=True, help="Accept the account that Google names.")
@says_errors
def authorize(service: str, email: str, timeout: int, yes: bool) -> None:
    """Print the consent address, wait for Google's answer, confirm the account."""
    from cli.callback import CallbackServer
    from crmsync.services import connecting, disconnecting
    from crmsync.storage import people

    session = secrets.token_urlsafe(24)
    with app() as wired:
        user = people.user_by_email(wired.database, email)
        with CallbackServer(wired.config.public_url) as server:
            url = connecting.start(wired, user, service, session)
            click.echo("Open this address in a browser and agree:\n")
            click.echo(f"  {url}\n")
            answer = server.wait(timeout)
        waiting = connecting.callback(wired, session, answer)
        account = waiting.email if yes else _confirmed(user.email, waiting.email)
        made = connecting.confirm(wired, user, service, session, account)
        click.echo(
            f"Authorized: {disconnecting.SERVICE_WORDS[service]} as {made.email}."
        )
        for kind in waiting.missing:
            click.echo(f"Not granted: {kind}. Authorize again to grant it.")
        aside = disconnecting.set_aside(wired, user, service)
        if aside is not None:
            click.echo(
                f"{aside.links} links with {aside.former or 'the former account'} are "
                "set aside. Authorize that account again, or forget the links with: "
                f"crm-sync connection disconnect {service} --user {email}"
            )


def _confirmed(user: str, account: str) -> str:
    """Ask for OK, with a doubt if the account is not the user's own (AUTH-3)."""
    is_own = user.casefold() == account.casefold()
    if is_own and not sys.stdin.isatty():
        return account
    if not sys.stdin.isatty():
        raise UsageError(
            f"Google says {account}, which is not {user}. Nothing was stored.",
            next_step="Authorize again with the right account, or add --yes.",
        )
    differs = "" if is_own else f" That is not {user}."
    question = f"Google says you are {account}.{differs} Use this account?"
    if not click.confirm(question, default=is_own):
        raise UsageError("Nothing was stored.", next_step="Authorize again.")
    return account


@connection.command("list")
@click.option("--user", "email", help="Only this user's.")
@says_errors
def list_connections(email: str | None) -> None:
    """List connections and what was granted."""
    from crmsync.services import connecting, disconnecting
    from crmsync.storage import people

    with app() as wired:
        names = {u.user_id: u.email for u in people.users(wired.database)}
        found = people.all_connections(wired.database)
        if email:
            user = people.user_by_email(wired.database, email)
            found = [c for c in found if c.user_id == user.user_id]
        rows = [
            [
                names[c.user_id],
                disconnecting.SERVICE_WORDS[c.service],
                c.email,
                "reauthorise" if c.state == "dead" else c.state,
                ", ".join(connecting.granted_kinds(c)) or "nothing",
            ]
            for c in found
        ]
    if not rows:
        click.echo("Nothing is authorised yet.")
        return
    table(rows, ["User", "Service", "Google account", "State", "Granted"])


@connection.command("disconnect")
@click.argument("service", type=_SERVICES)
@click.option("--user", "email", required=True, help="The user's address.")
@click.option("--keep-links", is_flag=True, help="Keep links for a later return.")
@says_errors
def disconnect(service: str, email: str, keep_links: bool) -> None:
    """Delete the tokens; both sides' records stay."""
    from crmsync.services import disconnecting
    from crmsync.storage import people

    with app() as wired:
        user = people.user_by_email(wired.database, email)
        result = disconnecting.disconnect(wired, user, service, keep_links=keep_links)
    click.echo(f"Disconnected {disconnecting.SERVICE_WORDS[service]}.")
    if not result["revoked"]:
        click.echo(f"Not revoked at Google: {result['reason']}")
