"""Where a CRM record of one user stands in Google, by what is linked."""

from __future__ import annotations

from sqlalchemy import select

from crmsync.records.activities import Role
from crmsync.services.app import App
from crmsync.storage import tables as t

_KINDS = ("calendar", "tasks")


def role_in_google(app: App, user_id: str, crm_ids: tuple[str, ...]) -> str | None:
    """Return the role in which a user's own link holds an activity or to-do.

    Args:
        app: the process's parts.
        user_id: whose link.
        crm_ids: the activity, then the series that it is an occurrence of.

    Returns:
        None if it is not linked; "task" for a to-do; else a `Role`.
    """
    table = t.links
    pairs = [f"{user_id}:{kind}" for kind in _KINDS]
    wanted = select(table.c.crm_id, table.c.pair_id, table.c.role).where(
        table.c.pair_id.in_(pairs), table.c.crm_id.in_(crm_ids)
    )
    with app.database.read() as connection:
        rows = {row.crm_id: row for row in connection.execute(wanted)}
    for crm_id in crm_ids:
        if crm_id in rows:
            row = rows[crm_id]
            is_task = row.pair_id.endswith(":tasks")
            return "task" if is_task else row.role or Role.OWN.value
    return None
