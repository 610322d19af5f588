"""Choosing the calendar and the task list that are synchronised (CAL-23, TSK-5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crmsync.errors import CrmSyncError, UsageError
from crmsync.services import settings
from crmsync.services.app import App
from crmsync.services.disconnecting import forget
from crmsync.services.runs import held_lease, usable_connection
from crmsync.services.sides import further_of
from crmsync.storage import people
from crmsync.storage.people import User

SETTING_OF = {"calendar": "calendar", "tasks": "task_list"}
NOUN = {"calendar": "calendar", "tasks": "task list"}


@dataclass(frozen=True, slots=True)
class Choosable:
    """What may be chosen for one kind.

    Attributes:
        chosen: the id of what is synchronised now.
        options: ids and names; empty if Google could not be asked.
        problem: why not, in a sentence.
        links: how many records are linked with what is chosen now.
    """

    kind: str
    chosen: str
    options: Sequence[tuple[str, str]]
    problem: str
    links: int


def choosable(app: App, user: User, kind: str) -> Choosable:
    """Ask Google what a user may choose from."""
    chosen = settings.get(app, SETTING_OF[kind], user_id=user.user_id)
    pair = people.seen_pair(app.database, user.user_id, kind)
    links = people.link_count(app.database, pair.pair_id)
    try:
        connection = usable_connection(app, user, kind)
        options = app.google.collections(connection, kind)
    except CrmSyncError as error:
        return Choosable(kind, chosen, (), error.message, links)
    return Choosable(kind, chosen, options, "", links)


@dataclass(frozen=True, slots=True)
class FurtherCalendars:
    """Calendars that a user may have shown in the CRM (CAL-23).

    Attributes:
        chosen: those that are shown now: ids and names.
        options: those that may be: ids and names; empty if Google could not be asked.
        problem: why not, in a sentence.
    """

    chosen: Sequence[tuple[str, str]]
    options: Sequence[tuple[str, str]]
    problem: str


def further_calendars(app: App, user: User) -> FurtherCalendars:
    """Ask Google which calendars a user may have shown besides the own one."""
    main = settings.get(app, "calendar", user_id=user.user_id)
    text = settings.get(app, "further_calendars", user_id=user.user_id)
    chosen = further_of(text, main)
    try:
        connection = usable_connection(app, user, "calendar")
        found = app.google.readable_calendars(connection)
    except CrmSyncError as error:
        return FurtherCalendars(chosen, (), error.message)
    options = tuple(option for option in found if option[0] != main)
    return FurtherCalendars(chosen, options, "")


def choose_further(app: App, user: User, wanted: Sequence[str], *, actor: str) -> bool:
    """Choose the calendars that are only shown in the CRM.

    What came from one that is not chosen any more leaves the CRM with the next cycle.

    Returns:
        Whether anything changed.

    Raises:
        UsageError: if the user may not read one of them, or Google cannot be asked.
    """
    found = further_calendars(app, user)
    if found.problem:
        raise UsageError(found.problem)
    known = dict(found.options)
    kept = {key: name for key, name in found.chosen if key in wanted}
    strange = [key for key in wanted if key not in known and key not in kept]
    if strange:
        raise UsageError("One of these is not a calendar that you may read.")
    names = {key: _one_line(known.get(key) or kept[key]) for key in wanted}
    if tuple(names.items()) == tuple(found.chosen):
        return False
    text = "\n".join(f"{key} {name}" for key, name in names.items())
    settings.put(app, "further_calendars", text, user_id=user.user_id, actor=actor)
    return True


def _one_line(name: str) -> str:
    return " ".join(name.split())[:120]


def choose(app: App, user: User, kind: str, chosen: str, *, actor: str) -> bool:
    """Choose another calendar or task list; the next cycle is a first one again.

    What was linked stays where it is on both sides and is not synchronised any more.

    Returns:
        Whether anything changed.

    Raises:
        UsageError: if the user may not use it.
        LeaseTaken: if a cycle is running.
    """
    found = choosable(app, user, kind)
    if found.problem:
        raise UsageError(found.problem)
    if chosen not in {option for option, _ in found.options}:
        raise UsageError(f"That is not a {NOUN[kind]} that you may write.")
    if chosen == found.chosen:
        return False
    pair = people.pair_of(app.database, user.user_id, kind)
    with held_lease(app, pair, 0.0):
        settings.put(app, SETTING_OF[kind], chosen, user_id=user.user_id, actor=actor)
        forget(app, pair.pair_id)
    return True
