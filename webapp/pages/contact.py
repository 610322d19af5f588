"""One contact: what is known of it, and what synchronisation did to it (HIS-4)."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template
from flask import url_for as to
from sqlalchemy import Connection

from crm import accounts, contacts, groups
from crm.common import EVERYONE
from crm.fields import is_custom
from crm.rows import ContactRow
from crmsync.services import browsing
from crmsync.storage import people
from webapp import builtin, session
from webapp.contactform import SECTIONS
from webapp.formats import field_name
from webapp.pages import contacts as lists
from webapp.wiring import core

pages = lists.pages
_SHOWN_STEPS = 100


@pages.get("/contacts/<contact_id>")
def detail(contact_id: str) -> Any:
    """Show the tab *General*."""
    with builtin.reading() as (connection, viewer):
        survivor = _survivor(connection, viewer, contact_id)
        if survivor:
            flash("That contact was merged into this one.", "info")
            return redirect(to("contacts.detail", contact_id=survivor))
        row = builtin.contact_or_404(connection, viewer, contact_id)
        account = accounts.get(connection, row.account_id)
        ids = groups.groups_of(connection, [row.id]).get(row.id, [])
        memberships = [
            group
            for group in groups.list_all(connection, viewer=viewer)
            if group.id in ids
        ]
    return render_template(
        "contacts/detail.html",
        contact=row,
        name=full_name(row),
        account=account,
        memberships=memberships,
        sections=_filled(row),
        is_visible_account=account.owner in {EVERYONE, viewer},
        links=browsing.links_of(core(), session.user(), row.id),
    )


def _survivor(connection: Connection, viewer: str, contact_id: str) -> str:
    """Return into which contact a deleted one was merged, "" if it was not."""
    found = contacts.read(connection, [contact_id], viewer=viewer)
    if not found or not found[0].merged_into:
        return ""
    kept = contacts.read(connection, [found[0].merged_into], viewer=viewer)
    return kept[0].id if kept and not kept[0].deleted else ""


def full_name(row: ContactRow) -> str:
    """Return a contact's name as it is spoken."""
    parts = ("prefix", "first", "middle", "last", "suffix")
    name = " ".join(row.values[part] for part in parts if row.values[part])
    return name or lists.display_name(row)


def _filled(row: ContactRow) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """Return the sections that have something to show: field, label, value."""
    custom = [name for name in row.values if is_custom(name)]
    sections = [*SECTIONS, ("Custom fields", tuple(custom))]
    shown = [
        (
            title,
            [
                (name, field_name(name), row.values[name])
                for name in names
                if row.values.get(name) and name != "company"
            ],
        )
        for title, names in sections
    ]
    return [(title, entries) for title, entries in shown if entries]


@pages.get("/contacts/<contact_id>/sync")
def sync(contact_id: str) -> Any:
    """Show the tab *Sync*: a contact's links and its story (HIS-4)."""
    with builtin.reading() as (connection, viewer):
        row = builtin.contact_or_404(connection, viewer, contact_id)
        ids = groups.groups_of(connection, [row.id]).get(row.id, [])
    who = session.user()
    items = browsing.story(core(), who, row.id, limit=_SHOWN_STEPS)
    builtin.add_facts(items)
    return render_template(
        "contacts/sync.html",
        contact=row,
        name=full_name(row),
        links=browsing.links_of(core(), who, row.id),
        mark=browsing.sync_marks(core(), who, {row.id: ids})[row.id],
        has_group=bool(
            people.seen_pair(core().database, who.user_id, "contacts").group_id
        ),
        items=items,
    )
