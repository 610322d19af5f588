"""Every route, with arguments that are somebody's own, nobody's, and another's.

A route with arguments is named here by its endpoint, or the crawl fails: whoever adds
a page says with what it is called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from werkzeug.routing import Rule

from crm import accounts, activities, contacts, groups, history, users
from crm.accounts import AccountRule
from crm.common import Author
from crm.deals import OPPORTUNITIES, TICKETS
from crm.leads import LEADS
from crm.shelves import Shelf
from crmsync.services import ordering
from crmsync.services.syncing import Order, run_kinds
from crmsync.storage import people, proposals
from crmsync.storage.people import User
from tests.web.scenes import add_cycle, add_item, add_mail, conflict
from tests.web.site import Site

UNKNOWN = "nothing-has-this-id"
OPEN = {"static", "bootstrap.static"}
"""Files that everybody may read and keep."""

_OF_KINDS = ("sync", "pause", "resume", "ask_preview", "accept")
_OF_SERVICES = ("start", "confirm", "cancel", "disconnect", "start_afresh")

ARGUMENTS: dict[str, dict[str, Any]] = {
    "static": {"filename": "app.css"},
    "bootstrap.static": {"filename": "css/bootstrap.min.css"},
    **{f"options.{name}": {"kind": "contacts"} for name in _OF_KINDS},
    "options.choose": {"kind": "calendar"},
    **{f"services.{name}": {"service": "google_sync"} for name in _OF_SERVICES},
}
"""Arguments of routes that name no record."""


@dataclass(frozen=True, slots=True)
class Record:
    """A route's argument that names a record of one person's.

    Attributes:
        make: makes such a record of a user's and returns its id.
    """

    argument: str
    make: Callable[[Site, User], str]


def an_order(site: Site, user: User) -> str:
    return ordering.place(site.app, user, "contacts", "preview", actor=user.email)


def a_preview(site: Site, user: User) -> str:
    order = Order(is_dry=True)
    return str(run_kinds(site.app, user, ["contacts"], order)[0]["id"])


def _cycle(site: Site, user: User) -> str:
    return add_cycle(site, user, state="held", objection="first_cycle")


def _item(site: Site, user: User) -> str:
    return add_item(
        site, add_cycle(site, user), changes=[conflict()], has_conflict=True
    )


def _author(site: Site, connection: Any, user: User) -> Author:
    found = users.get_by_email(connection, user.email)
    return Author(found.id if found else "")


def _contact(site: Site, user: User) -> str:
    with site.app.database.write() as connection:
        author = _author(site, connection, user)
        made = contacts.create(
            connection,
            {"first": "Private"},
            account=AccountRule(),
            owner=author.user_id,
            by=author,
        )
        return made.id


def _account(site: Site, user: User) -> str:
    with site.app.database.write() as connection:
        author = _author(site, connection, user)
        rule = AccountRule(owner=author.user_id)
        return accounts.create(connection, "Private", rule=rule, by=author).id


def _group(site: Site, user: User) -> str:
    with site.app.database.write() as connection:
        author = _author(site, connection, user)
        name = site.app.ids.new()
        return groups.create(connection, name, owner=author.user_id, by=author).id


def _activity(site: Site, user: User) -> str:
    with site.app.database.write() as connection:
        author = _author(site, connection, user)
        values = {"type": "personal", "start": "2026-03-02T08:00:00Z"}
        return activities.create(
            connection, values, leader=author.user_id, by=author
        ).id


def _proposal(site: Site, user: User) -> str:
    """Make a proposal of the user's to themselves."""
    activity, item = _activity(site, user), _item(site, user)
    pair = people.pair_of(site.app.database, user.user_id, "calendar")
    row = {
        "id": site.app.ids.new(),
        "pair_id": pair.pair_id,
        "item_id": item,
        "asked_id": user.user_id,
        "crm_id": activity,
        "name": "Review",
        "changes": [{"field": "location", "before": "", "after": "Garden"}],
        "made_at": site.app.clock.now(),
    }
    proposals.add(site.app.database, row)
    return str(row["id"])


def _record(shelf: Shelf, values: dict[str, str]) -> Callable[[Site, User], str]:
    def make(site: Site, user: User) -> str:
        with site.app.database.write() as connection:
            by = _author(site, connection, user)
            return shelf.create(connection, values, owner=by.user_id, by=by).id

    return make


def _mail(site: Site, user: User) -> str:
    return add_mail(site, "contact", _contact(site, user))


def _file(site: Site, user: User) -> str:
    history_id = _mail(site, user)
    with site.app.database.read() as connection:
        return history.mail(connection, history_id).files[0].id


_CONTACT = Record("contact_id", _contact)
_MAIL = Record("history_id", _mail)
_SHELVES = {
    "leads": Record("record_id", _record(LEADS, {"last": "Private"})),
    "opportunities": Record("record_id", _record(OPPORTUNITIES, {"name": "Private"})),
    "tickets": Record("record_id", _record(TICKETS, {"subject": "Private"})),
}
_OF_SHELVES = ("detail", "history", "attachments", "edit", "save", "delete")
_ACCOUNT = Record("account_id", _account)
_ACTIVITY = Record("activity_id", _activity)
_GROUP = Record("group_id", _group)
_CYCLE = Record("cycle_id", _cycle)
_ITEM = Record("item_id", _item)

RECORDS: dict[str, Record] = {
    "orders.show": Record("order_id", an_order),
    "orders.state": Record("order_id", an_order),
    "options.preview": Record("cycle_id", a_preview),
    "contacts.detail": _CONTACT,
    "contacts.history": _CONTACT,
    "contacts.attachments": _CONTACT,
    **{f"mail.{name}": _MAIL for name in ("detail", "body", "undo", "move")},
    "mail.download": Record("file_id", _file),
    **{
        f"{where}.{name}": record
        for where, record in _SHELVES.items()
        for name in _OF_SHELVES
    },
    "contacts.sync": _CONTACT,
    "contacts.of_contact": _CONTACT,
    "contacts.edit": _CONTACT,
    "contacts.save": _CONTACT,
    "contacts.delete": _CONTACT,
    **{
        f"activities.{name}": _ACTIVITY
        for name in (
            "detail",
            "participants",
            "change_participants",
            "edit",
            "save",
            "answer",
            "complete",
            "remind",
            "reopen",
            "delete",
        )
    },
    "inbox.accept": Record("proposal_id", _proposal),
    "inbox.turn_over": _ACTIVITY,
    "inbox.convert": _ACTIVITY,
    "inbox.decline": Record("proposal_id", _proposal),
    "accounts.detail": _ACCOUNT,
    "accounts.edit": _ACCOUNT,
    "accounts.save": _ACCOUNT,
    "groups.detail": _GROUP,
    "groups.rename": _GROUP,
    "groups.delete": _GROUP,
    "history.detail": _CYCLE,
    "history.detail_json": _CYCLE,
    "history.approve": _CYCLE,
    "history.reject": _CYCLE,
    "history.restore": _ITEM,
    "history.retry": _ITEM,
    "history.resolve": _ITEM,
}
"""Routes of records, by endpoint."""


@dataclass(frozen=True, slots=True)
class Way:
    """One route and one method, ready to be gone."""

    endpoint: str
    method: str
    path: str


def ways(site: Site, record: str = UNKNOWN) -> list[Way]:
    """Return every route and method; routes of records with `record`."""
    found = []
    for rule in site.web.url_map.iter_rules():
        path = _path(site, rule, record)
        methods = (rule.methods or set()) - {"HEAD", "OPTIONS"}
        found += [Way(rule.endpoint, method, path) for method in sorted(methods)]
    return found


def _path(site: Site, rule: Rule, record: str) -> str:
    given = dict(ARGUMENTS.get(rule.endpoint, {}))
    if rule.endpoint in RECORDS:
        given[RECORDS[rule.endpoint].argument] = record
    missing = rule.arguments - set(given) - set(rule.defaults or {})
    assert not missing, (
        f"say in tests/web/routes.py what {rule.endpoint} is called with"
    )
    with site.web.test_request_context():
        return site.web.url_for(rule.endpoint, **given)
