"""The Contact Sync Group: which ad hoc group a user synchronises (CON-2)."""

from __future__ import annotations

from dataclasses import dataclass

from crmsync.errors import UsageError
from crmsync.services import auditing
from crmsync.services.app import App, Group
from crmsync.storage import people
from crmsync.storage.people import User


@dataclass(frozen=True, slots=True)
class GroupChange:
    """What another Contact Sync Group would change.

    Attributes:
        joins: names of contacts that would be synchronised from then on.
        leaves: names of contacts that would not be synchronised any more.
    """

    before: Group | None
    after: Group
    joins: tuple[str, ...]
    leaves: tuple[str, ...]


def compare(app: App, user: User, name: str) -> GroupChange:
    """Return what designating a group would add and remove (CON-2). Reads only.

    Raises:
        UsageError: as `designate`, about the group's name.
    """
    after = _find(app, user, name)
    pair = people.seen_pair(app.database, user.user_id, "contacts")
    groups = {group.group_id: group for group in app.crm.groups(user.email)}
    old, new = app.crm.members(pair.group_id), app.crm.members(after.group_id)
    return GroupChange(
        before=groups.get(pair.group_id),
        after=after,
        joins=tuple(sorted(new[key] for key in new.keys() - old.keys())),
        leaves=tuple(sorted(old[key] for key in old.keys() - new.keys())),
    )


def designate(
    app: App, user: User, name: str, *, actor: str, by_admin: bool = False
) -> Group:
    """Designate a group by id or name.

    Raises:
        UsageError: if there is no such group, several have the name, or the first
            cycle has been and nobody with more rights asks.
    """
    group = _find(app, user, name)
    pair = people.pair_of(app.database, user.user_id, "contacts")
    changes = pair.group_id not in {"", group.group_id}
    if changes and pair.is_accepted and not by_admin:
        raise UsageError(
            "The Contact Sync Group cannot be changed after the first cycle.",
            next_step="An admin can change it, with --force.",
        )
    # After a change the next cycle shows first what it would add and remove.
    asks = {"is_accepted": False} if changes else {}
    people.edit_pair(app.database, pair.pair_id, group_id=group.group_id, **asks)
    detail = {"user": user.email, "group": group.group_id, "before": pair.group_id}
    auditing.note(app, actor, "group.designated", detail)
    return group


def _find(app: App, user: User, name: str) -> Group:
    groups = app.crm.groups(user.email)
    for group in groups:
        if group.group_id == name:
            return group
    named = [g for g in groups if g.name.casefold() == name.strip().casefold()]
    if len(named) > 1:
        ids = ", ".join(group.group_id for group in named)
        raise UsageError(f"Several groups are named {name!r}; use an id: {ids}.")
    if not named:
        raise UsageError(
            f"There is no group {name!r}.",
            next_step="See the groups with: crm-sync group list",
        )
    return named[0]
