"""Activities of the built-in CRM for the commands."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cli.builtin import check_builtin, refusals
from crm import activities, activitylist, completion, occurrences, users
from crm.activitylist import ActivityQuery
from crm.common import Author
from crm.icalimport import import_ics
from crm.importresults import ImportResult
from crmsync.errors import UsageError


def user_of(connection: Any, email: str) -> users.UserRow:
    """Return the CRM user of an address, or the only one there is.

    Raises:
        UsageError: if there is none, or several and no address.
    """
    if email:
        found = users.get_by_email(connection, email)
        if found is not None:
            return found
        raise UsageError(
            f"There is no user {email}.",
            next_step="See the users with: crm-sync user list",
        )
    everybody = users.list_all(connection)
    if len(everybody) == 1:
        return everybody[0]
    raise UsageError("Say whose activities are meant, with --as EMAIL.")


def list_activities(
    wired: Any, text: str, limit: int, *, email: str, state: str
) -> list[dict[str, Any]]:
    """Return activities by start, those of one user if one is named."""
    check_builtin(wired)
    with refusals(), wired.database.read() as connection:
        user = user_of(connection, email).id if email else ""
        query = ActivityQuery(user, user, text, state=state)
        names = {row.id: row.email for row in users.list_all(connection)}
        found = activitylist.page(connection, query, limit=limit)
        return [as_json(item.row, names) for item in found]


def as_json(row: activities.ActivityRow, names: Mapping[str, str]) -> dict[str, Any]:
    """Return an activity for printing."""
    values = {name: value for name, value in row.values.items() if value}
    members = sorted(row.user_ids - {row.leader})
    more: dict[str, Any] = {
        "leader": names.get(row.leader, row.leader),
        "members": [names.get(item, item) for item in members],
        "done": row.completed_at is not None,
    }
    return {"id": row.id, "version": row.version, **values, **more}


def edit_activity(
    wired: Any, activity_id: str, changes: Mapping[str, str], email: str
) -> Any:
    """Change fields of an activity; with the id `new`, make one."""
    check_builtin(wired)
    with refusals(), wired.database.write() as connection:
        names = {row.id: row.email for row in users.list_all(connection)}
        if activity_id == "new":
            user = user_of(connection, email).id
            values = {"type": "meeting", **changes}
            row = activities.create(connection, values, leader=user, by=Author(user))
        else:
            by = Author(user_of(connection, email).id) if email else Author()
            row = activities.update(connection, activity_id, changes=changes, by=by)
    return as_json(row, names)


def delete_activity(wired: Any, activity_id: str, slot: str) -> None:
    """Delete an activity, or let one occurrence of a series not take place."""
    check_builtin(wired)
    with refusals(), wired.database.write() as connection:
        if slot:
            occurrences.cancel(connection, activity_id, slot)
            return
        activities.get(connection, activity_id)
        activities.delete(connection, activity_id)


def complete_activity(
    wired: Any, activity_id: str, slot: str, *, email: str, undo: bool
) -> Any:
    """Complete an activity or one occurrence; `undo` opens a to-do again."""
    check_builtin(wired)
    with refusals(), wired.database.write() as connection:
        names = {row.id: row.email for row in users.list_all(connection)}
        by = Author(user_of(connection, email).id) if email else Author()
        if undo:
            row = completion.reopen(connection, activity_id, by=by)
        elif slot:
            row = completion.complete_one(connection, activity_id, slot, by=by)
        else:
            row = completion.complete(connection, [activity_id], by=by)[0]
    return as_json(row, names)


def import_calendar(wired: Any, path: Path, email: str) -> ImportResult:
    """Import an iCalendar file for a user, in that person's time zone.

    Raises:
        UsageError: if the file cannot be read, or nobody is named.
    """
    from crmsync.services import settings
    from crmsync.storage import people

    with refusals():
        with wired.database.read() as connection:
            user = user_of(connection, email)
        ids = {u.email.casefold(): u.user_id for u in people.users(wired.database)}
        ours = ids.get(user.email.casefold(), "")
        zone = ZoneInfo(settings.get(wired, "time_zone", user_id=ours))
        try:
            with path.open("rb") as file:
                return import_ics(
                    wired.database.write,
                    file,
                    user=user.id,
                    zone=zone,
                    today=datetime.now(UTC).astimezone(zone).date(),
                )
        except OSError as error:
            raise UsageError(f"{path} cannot be read ({error.strerror}).") from None
