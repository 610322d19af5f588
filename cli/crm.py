"""`crm-sync crm`: the built-in CRM's records, as its pages work on them."""

from __future__ import annotations

from pathlib import Path

import click

from cli.common import app, echo_json, says_errors, table

_TYPE = click.argument("record_type", type=click.Choice(["contact", "activity"]))
_AS = click.option("--as", "email", default="", help="The user who does it.")
_SLOT = click.option(
    "--slot", default="", help="One occurrence of a series, by its start."
)


@click.group()
def crm() -> None:
    """List, edit, complete, merge and import records of the built-in CRM."""


@crm.command("list")
@_TYPE
@click.option("--search", default="", help="Only what holds this text.")
@click.option("--limit", default=50, show_default=True)
@click.option("--as", "email", default="", help="Only activities of this user.")
@click.option(
    "--state",
    default="open",
    show_default=True,
    type=click.Choice(["open", "done", "all"]),
    help="Which activities.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@says_errors
def list_records(
    record_type: str, search: str, limit: int, email: str, state: str, as_json: bool
) -> None:
    """List records."""
    from cli import activities, builtin

    with app() as wired:
        if record_type == "contact":
            key, columns = "contacts", _CONTACT_COLUMNS
            found = builtin.list_contacts(wired, search, limit)
        else:
            key, columns = "activities", _ACTIVITY_COLUMNS
            found = activities.list_activities(
                wired, search, limit, email=email, state=state
            )
    if as_json:
        echo_json({key: found})
        return
    rows = [[str(row.get(name, "")) for name in columns] for row in found]
    if len(found) == limit:
        click.echo(f"The first {limit}; see more with --limit.")
    table(rows, list(columns.values()))


_CONTACT_COLUMNS = {
    "id": "Id",
    "first": "First name",
    "last": "Last name",
    "company": "Company",
    "email": "E-mail",
    "work_phone": "Work",
    "mobile": "Mobile",
}
_ACTIVITY_COLUMNS = {
    "id": "Id",
    "type": "Type",
    "subject": "Regarding",
    "start": "Start",
    "duration": "Minutes",
    "recurrence": "Repeats",
    "leader": "Leader",
}


@crm.command("edit")
@_TYPE
@click.argument("record_id")
@click.argument("changes", nargs=-1, required=True, metavar="FIELD=VALUE …")
@_AS
@says_errors
def edit(
    record_type: str, record_id: str, changes: tuple[str, ...], email: str
) -> None:
    """Change fields of a record; the id `new` makes one."""
    from cli import activities, builtin

    parsed = dict(_pair(change) for change in changes)
    with app() as wired:
        if record_type == "contact":
            echo_json(builtin.edit_contact(wired, record_id, parsed))
        else:
            echo_json(activities.edit_activity(wired, record_id, parsed, email))


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"{text!r} is not of the form FIELD=VALUE.")
    return name, value


@crm.command("delete")
@_TYPE
@click.argument("record_id")
@_SLOT
@says_errors
def delete(record_type: str, record_id: str, slot: str) -> None:
    """Delete a record, or one occurrence of a series."""
    from cli import activities, builtin

    with app() as wired:
        if record_type == "contact":
            builtin.delete_contact(wired, record_id)
        else:
            activities.delete_activity(wired, record_id, slot)
    click.echo(f"Deleted {record_id}.")


@crm.command("complete")
@click.argument("record_type", type=click.Choice(["activity"]))
@click.argument("record_id")
@_SLOT
@_AS
@click.option("--undo", is_flag=True, help="Open a completed to-do again.")
@says_errors
def complete(
    record_type: str, record_id: str, slot: str, email: str, undo: bool
) -> None:
    """Complete an activity into the history."""
    from cli import activities

    with app() as wired:
        echo_json(
            activities.complete_activity(wired, record_id, slot, email=email, undo=undo)
        )


@crm.command("merge")
@click.argument("record_type", type=click.Choice(["contact"]))
@click.argument("keep")
@click.argument("lose")
@says_errors
def merge(record_type: str, keep: str, lose: str) -> None:
    """Merge the second record into the first."""
    from cli import builtin

    with app() as wired:
        echo_json(builtin.merge_contacts(wired, keep, lose))


@crm.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--as", "email", default="", help="The user who imports.")
@click.option("--group", help="Put imported contacts in this group.")
@click.option("--leads", is_flag=True, help="The CSV files hold leads.")
@says_errors
def import_files(
    files: tuple[Path, ...], email: str, group: str | None, leads: bool
) -> None:
    """Import contacts, leads and activities from CSV, vCard and iCalendar files.

    Importing a file again updates nothing and creates nothing.
    """
    from cli import builtin

    with app() as wired:
        for path in files:
            result = builtin.import_file(wired, path, email, group, leads=leads)
            click.echo(
                f"{path.name}: {result.imported} imported, "
                f"{result.unchanged} known already, {result.set_aside} set aside"
            )
            if result.unknown_columns:
                columns = ", ".join(result.unknown_columns)
                click.echo(f"  columns not known: {columns}")
            for line in result.lines[:20]:
                words = line.outcome.replace("_", " ")
                click.echo(f"  line {line.line}: {words} – {line.reason}")
            if len(result.lines) > 20:
                click.echo(f"  … and {len(result.lines) - 20} more lines")
