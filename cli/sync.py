"""`crm-sync sync`: run cycles here and now (ENG-7, WEB-2)."""

from __future__ import annotations

import sys
from typing import Any

import click

from cli.common import actor, app, echo_json, says_errors

_STATUS = {"failed": 4, "partial": 3, "held": 3, "paused": 3, "rejected": 3}


@click.group()
def sync() -> None:
    """Run synchronisation cycles."""


@sync.command("run")
@click.option("--user", "email", required=True, help="The user's address.")
@click.option("--kind", default="", help="contacts,calendar,tasks,mail")
@click.option("--dry-run", is_flag=True, help="Plan only; write nothing.")
@click.option("--accept", is_flag=True, help="Accept a first cycle's preview.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@says_errors
def run(email: str, kind: str, dry_run: bool, accept: bool, as_json: bool) -> None:
    """Run one cycle of each kind, without the queue.

    Exit status: 4 if any failed, else 3 if any is partial, held or paused, else 0.
    """
    from crmsync.services.syncing import Order, run_kinds
    from crmsync.storage import people

    kinds = [part.strip() for part in kind.split(",") if part.strip()]
    with app() as wired:
        user = people.user_by_email(wired.database, email)
        order = Order(dry_run, accept, waits=wired.config.lease_seconds + 5)
        found = run_kinds(wired, user, kinds, order)
    if as_json:
        echo_json({"cycles": found})
    else:
        for cycle in found:
            print_cycle(cycle)
    sys.exit(max((_STATUS.get(cycle["state"], 0) for cycle in found), default=0))


@sync.command("enqueue")
@click.option("--user", "email", help="This user's.")
@click.option("--all", "everybody", is_flag=True, help="Everybody's.")
@click.option("--kind", default="", help="contacts,calendar,tasks,mail")
@says_errors
def enqueue(email: str | None, everybody: bool, kind: str) -> None:
    """Make cycles due now; a worker runs them."""
    from crmsync.errors import UsageError
    from crmsync.services import scheduling
    from crmsync.storage import people

    if bool(email) == everybody:
        raise UsageError("Name one user with --user, or everybody with --all.")
    kinds = [part.strip() for part in kind.split(",") if part.strip()]
    with app() as wired:
        users = (
            people.users(wired.database)
            if everybody
            else [people.user_by_email(wired.database, str(email))]
        )
        for user in users:
            if everybody and user.is_disabled:
                continue
            done = scheduling.sync_now(wired, user, kinds, actor=actor())
            click.echo(f"{user.email}: {', '.join(done) or 'nothing can run'}")


def print_cycle(cycle: dict[str, Any], *, points_on: bool = True) -> None:
    """Print one cycle for people; `points_on` names the command that shows more."""
    dry = " (dry run: nothing was written)" if cycle["dry_run"] else ""
    click.echo(f"{cycle['kind'].capitalize()} – {cycle['user']}: {cycle['state']}{dry}")
    counts = cycle["counts"]
    words = [f"linked {counts['linked']}"]
    for side, label in (("google", "Google"), ("crm", "CRM")):
        done = ", ".join(f"{n} {what}" for what, n in counts[side].items() if n)
        words.append(f"{label}: {done or 'nothing'}")
    rest = (
        "recorded",
        "missing",
        "files",
        "unchanged",
        "conflicts",
        "held",
        "skipped",
        "errors",
    )
    words += [f"{name} {counts[name]}" for name in rest if counts[name]]
    click.echo(f"  {'; '.join(words)}")
    requests = cycle["requests"]
    click.echo(
        f"  requests: {requests['google']} to Google, {requests['crm']} to the CRM"
    )
    if cycle["error"]:
        click.echo(f"  {cycle['error']['message']}")
        click.echo(f"  {cycle['error']['next_step']}")
    if points_on:
        click.echo(f"  see: crm-sync history show {cycle['id']}")
