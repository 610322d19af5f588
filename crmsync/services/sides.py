"""The two sides of a pair and its fields, by kind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from crmsync.cycle.kind import Kind
from crmsync.cycle.kinds import CALENDAR, CONTACTS, TASKS
from crmsync.ports import CrmSide, Side
from crmsync.records import activities, tasks
from crmsync.records.values import FieldTable
from crmsync.services import settings
from crmsync.services.app import App, CalendarWish, TaskWish
from crmsync.services.colleagues import Colleagues
from crmsync.storage.people import Connection, Pair, User


@dataclass(frozen=True, slots=True)
class Sides:
    """What a run needs that differs between kinds."""

    kind: Kind
    crm: CrmSide
    google: Side
    table: FieldTable
    since: datetime | None = None


def sides_of(app: App, user: User, pair: Pair, connection: Connection) -> Sides:
    """Return the sides of a pair; nothing is requested yet."""
    make = {"contacts": _contacts, "calendar": _calendar, "tasks": _tasks}[pair.kind]
    return make(app, user, pair, connection)


def _contacts(app: App, user: User, pair: Pair, connection: Connection) -> Sides:
    table = settings.contact_table(app, user.user_id)
    accounts = settings.account_defaults(app)
    crm = app.crm.contacts(user, pair.group_id, table, accounts)
    label = settings.get(app, "label_root")
    return Sides(CONTACTS, crm, app.google.contacts(connection, table, label), table)


def calendar_wish(app: App, user: User) -> CalendarWish:
    """Return what a user chose for the calendar, and what is known of colleagues."""

    def value(name: str) -> str:
        return settings.get(app, name, user_id=user.user_id, kind="calendar")

    colleagues = Colleagues(app)
    return CalendarWish(
        calendar_id=value("calendar"),
        further=further_of(value("further_calendars"), value("calendar")),
        past_days=int(value("window_past_days")),
        future_days=int(value("window_future_days")),
        private_events=value("private_events"),
        context_section=value("context_section"),
        invites_contacts=value("invite_contacts") == "on",
        syncs=colleagues.syncs,
        address_of=colleagues.address_of,
        is_colleague=colleagues.is_colleague,
        expresses=app.crm.expresses,
    )


def activities_of(app: App, user: User) -> tuple[CrmSide, FieldTable]:
    """Return the CRM's activities as one user's side, and their fields."""
    crm = app.crm.activities(user, calendar_wish(app, user))
    return crm, FieldTable(activities.FIELDS, crm.limits)


def _calendar(app: App, user: User, pair: Pair, connection: Connection) -> Sides:
    wish = calendar_wish(app, user)
    crm = app.crm.activities(user, wish)
    table = FieldTable(activities.FIELDS, crm.limits)
    google = app.google.calendar(connection, table, wish)
    since = app.clock.now() - timedelta(days=wish.past_days)
    return Sides(CALENDAR, crm, google, table, since)


def further_of(text: str, main: str) -> tuple[tuple[str, str], ...]:
    r"""Return the further calendars of a setting, each once, the user's own left out.

    >>> further_of("team@x Team\nprimary Me", "primary")
    (('team@x', 'Team'),)
    """
    found = dict(line.strip().partition(" ")[::2] for line in text.splitlines())
    return tuple((k, name or k) for k, name in found.items() if k not in {"", main})


def _tasks(app: App, user: User, pair: Pair, connection: Connection) -> Sides:
    found = settings.chosen(app, user_id=user.user_id)

    def value(name: str) -> str:
        return found.get(name, user_id=user.user_id, kind=pair.kind)

    link = f"{app.config.public_url.rstrip('/')}/activities/"
    wish = TaskWish(value("task_list"), value("time_zone"), link)
    crm = app.crm.todos(user, wish)
    table = FieldTable(tasks.FIELDS, crm.limits)
    return Sides(TASKS, crm, app.google.tasks(connection, table, wish), table)
