"""`crm-sync history`, `item` and `inbox`: what was done and why, and what to decide."""

from __future__ import annotations

from typing import Any

import click

from cli.common import actor, app, echo_json, says_errors, table
from cli.sync import print_cycle


def _user(wired: Any, email: str | None) -> Any:
    from crmsync.storage import people

    return people.user_by_email(wired.database, email) if email else None


@click.group()
def history() -> None:
    """Read Sync History; approve and reject held cycles."""


@history.command("list")
@click.option("--user", "email", help="Only this user's.")
@click.option("--limit", default=30, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@says_errors
def list_cycles(email: str | None, limit: int, as_json: bool) -> None:
    """List cycles, newest first."""
    from crmsync.services import reporting

    with app() as wired:
        found = reporting.cycles_json(wired, _user(wired, email), limit)
    if as_json:
        echo_json({"cycles": found})
        return
    if not found:
        click.echo("No cycles yet. Run one with: crm-sync sync run --user EMAIL")
        return
    rows = [
        [c["id"], c["started_at"][:19], c["kind"], c["user"], c["state"], _short(c)]
        for c in found
    ]
    table(rows, ["Cycle", "Started", "Kind", "User", "State", "Counts"])


def _short(cycle: dict[str, Any]) -> str:
    counts = cycle["counts"]
    parts = [f"linked {counts['linked']}"] if counts["linked"] else []
    for side in ("google", "crm"):
        parts += [f"{side} {w} {n}" for w, n in counts[side].items() if n]
    parts += [f"{n} {counts[n]}" for n in ("conflicts", "held", "errors") if counts[n]]
    return ", ".join(parts) or "no change"


@history.command("show")
@click.argument("cycle_id")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@says_errors
def show(cycle_id: str, as_json: bool) -> None:
    """Show a cycle with its items, field by field."""
    from crmsync.services import reporting

    with app() as wired:
        detail = reporting.cycle_detail(wired, cycle_id)
    if as_json:
        echo_json(detail)
        return
    print_cycle(detail)
    for found in detail["items"]:
        _print_item(found)


def _print_item(found: dict[str, Any]) -> None:
    click.echo(
        f"\n{found['id']}  {found['action']} {found['direction']} – {found['state']}"
        f"  {found['crm']['name']}"
    )
    click.echo(f"  {found['reason']}")
    ids = (found["crm"]["id"] or "–", found["google"]["id"] or "–")
    click.echo(f"  CRM {ids[0]}, Google {ids[1]}")
    for change in found["changes"]:
        for side in ("crm", "google"):
            before, after = change[f"{side}_before"], change[f"{side}_after"]
            if before != after:
                click.echo(f"  {change['field']} in {side}: {before!r} → {after!r}")
        if change["lost"] is not None:
            click.echo(f"    lost: {change['lost']!r} (from {change['lost_side']})")
        if change["note"]:
            click.echo(f"    {change['note']}")
    for choice in found["choices"]:
        click.echo(f"  choose: {choice['id']} ({choice['name']})")
    if found["error"]:
        click.echo(f"  {found['error']['message']} {found['error']['next_step']}")


@history.command("record")
@click.argument("record_type")
@click.argument("record_id")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@says_errors
def record(record_type: str, record_id: str, as_json: bool) -> None:
    """Tell the story of one record."""
    from crmsync.services import reporting

    with app() as wired:
        _print_story(reporting.record_story(wired, record_type, record_id), as_json)


@history.command("trace")
@click.argument("text")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@says_errors
def trace(text: str, as_json: bool) -> None:
    """Find a record by an id or a link and tell its way."""
    from crmsync.services import reporting

    with app() as wired:
        _print_story(reporting.trace(wired, text), as_json)


def _print_story(items: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        echo_json({"items": items})
        return
    for found in items:
        _print_item(found)
    if not items:
        click.echo("Synchronisation did nothing to this record.")


@history.command("approve")
@click.argument("cycle_id")
@says_errors
def approve(cycle_id: str) -> None:
    """Approve a held cycle; it is planned anew and asks again if it grew."""
    from crmsync.services import resolving

    with app() as wired:
        waits = wired.config.lease_seconds + 5
        print_cycle(resolving.approve(wired, cycle_id, actor=actor(), waits=waits))


@history.command("reject")
@click.argument("cycle_id")
@says_errors
def reject(cycle_id: str) -> None:
    """Reject a held cycle: its removals are unlinked, nothing is deleted."""
    from crmsync.services import resolving

    with app() as wired:
        waits = wired.config.lease_seconds + 5
        print_cycle(resolving.reject(wired, cycle_id, actor=actor(), waits=waits))


@click.group()
def item() -> None:
    """Retry, restore and resolve single records."""


@item.command("retry")
@click.argument("item_id")
@says_errors
def retry(item_id: str) -> None:
    """Try a failed record again in the next cycle, without delay."""
    from crmsync.services import resolving

    with app() as wired:
        resolving.retry(wired, item_id, actor=actor())
    click.echo("It is tried again in the next cycle.")


@item.command("restore")
@click.argument("item_id")
@click.option("--field", "fields", multiple=True, help="Only this field.")
@says_errors
def restore(item_id: str, fields: tuple[str, ...]) -> None:
    """Bring losing values back on both sides."""
    from crmsync.services import resolving

    with app() as wired:
        waits = wired.config.lease_seconds + 5
        print_cycle(
            resolving.restore_item(wired, item_id, fields, actor=actor(), waits=waits)
        )


@item.command("resolve")
@click.argument("item_id")
@click.option("--choose", required=True, help="A candidate's id, new, or skip.")
@says_errors
def resolve(item_id: str, choose: str) -> None:
    """Decide about a held record; the next cycle carries it out."""
    from crmsync.services import resolving

    with app() as wired:
        resolving.resolve(wired, item_id, choose, actor=actor())
    click.echo("Noted. The next cycle carries it out.")


@click.command()
@click.option("--user", "email", help="Only this user's.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@says_errors
def inbox(email: str | None, as_json: bool) -> None:
    """List everything that waits for a person."""
    from crmsync.services import reporting

    with app() as wired:
        found = reporting.inbox(wired, _user(wired, email))
    if as_json:
        echo_json({"inbox": found})
        return
    if not found:
        click.echo("Nothing waits for you.")
    for entry in found:
        if entry["what"] == "held_cycle":
            click.echo(f"\nHeld cycle of {entry['user']}:")
            print_cycle(entry["cycle"])
        elif entry["what"] == "reauthorise":
            click.echo(f"\n{entry['email']} has to authorise {entry['service']} again.")
        elif entry["what"] == "proposal":
            _print_proposal(entry)
        elif entry["what"] == "leader_stopped":
            _print_stopped(entry)
        else:
            _print_item(entry["item"])


def _print_proposal(entry: dict[str, Any]) -> None:
    name = entry["activity"]["name"]
    click.echo(f"\n{entry['by']} proposes to {entry['user']} for {name}:")
    for change in entry["changes"]:
        field, now, after = change["field"], change["now"], change["after"]
        click.echo(f"  {field}: {now!r} → {after!r}")
    click.echo(f"  crm-sync proposal accept {entry['id']}, or decline")


def _print_stopped(entry: dict[str, Any]) -> None:
    leader = entry["leader"] or "A colleague"
    click.echo(
        f"\n{leader} does not synchronise any more; these events stay as they are:"
    )
    for found in entry["activities"]:
        click.echo(f"  {found['id']}  {found['start'][:16]}  {found['name']}")
    click.echo("  crm-sync turn-over ACTIVITY")


@click.command("turn-over")
@click.argument("activity_id")
@click.option("--yes", is_flag=True, help="Do it, not only show it.")
@says_errors
def turn_over(activity_id: str, yes: bool) -> None:
    """Convert an activity's events, shared or separate, as its leader now wants."""
    from crmsync.services import turning

    with app() as wired:
        wanted = turning.preview(wired, activity_id)
        for step in wanted.steps:
            click.echo(f"  {step.user} {step.words}")
        if not wanted.steps:
            click.echo("There is nothing to turn over.")
        elif not yes:
            click.echo("Nobody gets a mail. Do it with: --yes")
        else:
            turning.convert(wired, activity_id, actor=actor())
            click.echo("Turned over. The next cycle of each calendar does it.")


@click.group()
def proposal() -> None:
    """Decide about what members propose to an activity's organiser."""


@proposal.command("accept")
@click.argument("proposal_id")
@says_errors
def accept_proposal(proposal_id: str) -> None:
    """Change the organiser's activity as it was proposed."""
    from crmsync.services import proposing

    with app() as wired:
        proposing.accept(wired, proposal_id, actor=actor())
    click.echo("Accepted. The next cycles carry it to everybody.")


@proposal.command("decline")
@click.argument("proposal_id")
@says_errors
def decline_proposal(proposal_id: str) -> None:
    """Leave the activity as it is."""
    from crmsync.services import proposing

    with app() as wired:
        proposing.decline(wired, proposal_id, actor=actor())
    click.echo("Declined. Nothing is changed.")
