"""`crm-sync crm`: the built-in CRM's records, as its pages work on them."""

from __future__ import annotations

from pathlib import Path

import click

from cli.common import app, echo_json, says_errors, table

_TYPE = click.argument("record_type", type=click.Choice(["contact"]))


@click.group()
def crm() -> None:
    """List, edit, merge and import records of the built-in CRM."""


@crm.command("list")
@_TYPE
@click.option("--search", default="", help="Only what holds this text.")
@click.option("--limit", default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@says_errors
def list_records(record_type: str, search: str, limit: int, as_json: bool) -> None:
    """List records."""
    from cli import builtin

    with app() as wired:
        found = builtin.list_contacts(wired, search, limit)
    if as_json:
        echo_json({"contacts": found})
        return
    names = ("id", "first", "last", "company", "email", "work_phone", "mobile")
    rows = [[row.get(name, "") for name in names] for row in found]
    if len(found) == limit:
        click.echo(f"The first {limit}; see more with --limit.")
    table(
        rows, ["Id", "First name", "Last name", "Company", "E-mail", "Work", "Mobile"]
    )


@crm.command("edit")
@_TYPE
@click.argument("record_id")
@click.argument("changes", nargs=-1, required=True, metavar="FIELD=VALUE …")
@says_errors
def edit(record_type: str, record_id: str, changes: tuple[str, ...]) -> None:
    """Change fields of a record; the id `new` makes one."""
    from cli import builtin

    parsed = dict(_pair(change) for change in changes)
    with app() as wired:
        echo_json(builtin.edit_contact(wired, record_id, parsed))


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"{text!r} is not of the form FIELD=VALUE.")
    return name, value


@crm.command("delete")
@_TYPE
@click.argument("record_id")
@says_errors
def delete(record_type: str, record_id: str) -> None:
    """Delete a record."""
    from cli import builtin

    with app() as wired:
        builtin.delete_contact(wired, record_id)
    click.echo(f"Deleted {record_id}.")


@crm.command("merge")
@_TYPE
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
@says_errors
def import_files(files: tuple[Path, ...], email: str, group: str | None) -> None:
    """Import contacts from CSV and vCard files.

    Importing a file again updates nothing and creates nothing.
    """
    from cli import builtin

    with app() as wired:
        for path in files:
            result = builtin.import_file(wired, path, email, group)
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
