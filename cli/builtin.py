"""The built-in CRM for the commands: its refusals become our errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crm import contacts, errors, groups, imports, lookup, merging, users
from crm.accounts import AccountRule
from crm.common import EVERYONE, Author
from crmsync.errors import UsageError


@contextmanager
def refusals() -> Iterator[None]:
    """Turn a refusal of the CRM into a sentence."""
    try:
        yield
    except errors.CrmError as error:
        text = str(error)
        raise UsageError(f"{text[:1].upper()}{text[1:]}.") from None


def check_builtin(wired: Any) -> None:
    """Raise `UsageError` unless the built-in CRM is the CRM."""
    if wired.config.crm_backend != "builtin":
        raise UsageError("This command works with the built-in CRM only.")


def _author(connection: Any, email: str) -> Author:
    found = users.get_by_email(connection, email) if email else None
    return Author(found.id) if found else Author()


def _group(connection: Any, name: str) -> groups.GroupRow:
    found = groups.get(connection, name) or groups.get_by_name(connection, name)
    if found is None:
        raise UsageError(
            f"There is no group {name!r}.",
            next_step="See the groups with: crm-sync group list",
        )
    return found


def create_group(wired: Any, name: str, email: str) -> str:
    """Create a group and return its id."""
    check_builtin(wired)
    with refusals(), wired.database.write() as connection:
        author = _author(connection, email)
        made = groups.create(
            connection, name, owner=author.user_id or EVERYONE, by=author
        )
        return made.id


def change_members(
    wired: Any, name: str, contact_ids: Sequence[str], *, selected: bool
) -> int:
    """Put contacts in a group, or take them out; return how many changed."""
    check_builtin(wired)
    with refusals(), wired.database.write() as connection:
        group = _group(connection, name)
        change = groups.add_members if selected else groups.remove_members
        return len(change(connection, group.id, contact_ids=list(contact_ids)))


def list_contacts(wired: Any, text: str, limit: int) -> list[dict[str, Any]]:
    """Return contacts by name, or those that hold a text."""
    check_builtin(wired)
    found: list[dict[str, Any]] = []
    after = ("", "")
    with refusals(), wired.database.read() as connection:
        while len(found) < limit:
            size = min(200, limit - len(found))
            page = lookup.search(connection, text, after=after, limit=size)
            found += [contact_json(row) for row in page]
            if len(page) < size:
                break
            after = lookup.sort_key(page[-1])
    return found


def contact_json(row: Any) -> dict[str, Any]:
    """Return a contact for printing."""
    values = {name: value for name, value in row.values.items() if value}
    return {"id": row.id, "version": row.version, **values}


def edit_contact(wired: Any, contact_id: str, changes: Mapping[str, str]) -> Any:
    """Change fields of a contact; with the id `new`, make one."""
    check_builtin(wired)
    with refusals(), wired.database.write() as connection:
        if contact_id == "new":
            row = contacts.create(connection, dict(changes), account=AccountRule())
        else:
            row = contacts.update(connection, contact_id, changes=dict(changes))
    return contact_json(row)


def delete_contact(wired: Any, contact_id: str) -> None:
    """Delete a contact."""
    check_builtin(wired)
    with refusals(), wired.database.write() as connection:
        contacts.get(connection, contact_id)
        contacts.delete(connection, contact_id)


def merge_contacts(wired: Any, keep: str, lose: str) -> Any:
    """Merge one contact into another; return the survivor."""
    check_builtin(wired)
    with refusals(), wired.database.write() as connection:
        merged = merging.merge(connection, keep, lose_id=lose)
    return contact_json(merged.row)


def import_file(
    wired: Any, path: Path, email: str, group: str | None, *, leads: bool = False
) -> imports.ImportResult:
    """Import a CSV, vCard or iCalendar file; the group is made if it does not exist.

    Raises:
        UsageError: if the file cannot be read, or is of no known kind.
    """
    check_builtin(wired)
    if leads and (group is not None or path.suffix.lower() != ".csv"):
        raise UsageError(
            f"{path.name}: leads are imported from .csv files, and go in no group."
        )
    if path.suffix.lower() == ".ics":
        if group is not None:
            raise UsageError(f"{path.name}: activities go in no group.")
        from cli.activities import import_calendar

        return import_calendar(wired, path, email)
    readers = {".csv": imports.import_csv, ".vcf": imports.import_vcf}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"{path.name}: files are imported from .csv, .vcf and .ics.")
    with refusals():
        with wired.database.write() as connection:
            author = _author(connection, email)
            if email and not author.user_id:
                raise UsageError(
                    f"There is no user {email}.",
                    next_step="See the users with: crm-sync user list",
                )
            group_id = _group_for_import(connection, group, author)
        try:
            with path.open("rb") as file:
                if leads:
                    user = author.user_id
                    return imports.import_leads(wired.database.write, file, user=user)
                return reader(
                    wired.database.write,
                    file,
                    user=author.user_id,
                    group=group_id,
                    rule=AccountRule(manager=author.user_id),
                )
        except OSError as error:
            raise UsageError(f"{path} cannot be read ({error.strerror}).") from None


def _group_for_import(connection: Any, name: str | None, author: Author) -> str | None:
    if name is None:
        return None
    found = groups.get(connection, name) or groups.get_by_name(connection, name)
    if found is not None:
        return found.id
    owner = author.user_id or EVERYONE
    return groups.create(connection, name, owner=owner, by=author).id
