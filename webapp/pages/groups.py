"""Ad hoc groups of contacts: who is in them, and whose Contact Sync Group one is."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request
from flask import url_for as to

from crm import groups, users
from crm.common import EVERYONE
from crm.errors import CrmError
from crm.groups import NAME_LIMIT
from crmsync.storage import people
from webapp import builtin
from webapp.pages.contacts import show_list
from webapp.wiring import core

pages = Blueprint("groups", __name__, url_prefix="/groups")


@pages.before_request
def _require_builtin() -> None:
    builtin.require()


@pages.get("")
def listing() -> Any:
    """Show the groups that the visitor sees."""
    return _show_groups()


def _show_groups(error: str = "", name: str = "") -> Any:
    with builtin.reading() as (connection, viewer):
        rows = groups.list_all(connection, viewer=viewer)
        sizes = {row.id: groups.member_count(connection, row.id) for row in rows}
        owners = {row.id: row.name or row.email for row in users.list_all(connection)}
    page = render_template(
        "contacts/groups.html",
        groups=rows,
        sizes=sizes,
        owners={**owners, EVERYONE: "Everybody"},
        viewer=viewer,
        users_of=people.group_users(core().database),
        error=error,
        name=name,
        limit=NAME_LIMIT,
    )
    return (page, 400) if error else page


@pages.post("")
def create() -> Any:
    """Make an empty group."""
    name = request.form.get("name", "")
    is_shared = request.form.get("shared") == "1"
    try:
        with builtin.writing() as (connection, author):
            owner = EVERYONE if is_shared else author.user_id
            group = groups.create(connection, name, owner=owner, by=author)
    except CrmError as error:
        return _show_groups(builtin.sentence(error), name[:200])
    flash(f"“{group.name}” is made. Choose its contacts in the list.", "success")
    return redirect(to("groups.detail", group_id=group.id))


@pages.get("/<group_id>")
def detail(group_id: str) -> Any:
    """Show a group's contacts."""
    with builtin.reading() as (connection, viewer):
        group = builtin.group_or_404(connection, viewer, group_id)
    return show_list(group)


@pages.post("/<group_id>/rename")
def rename(group_id: str) -> Any:
    """Rename a group; it is known by its id, so nothing else changes (CON-2)."""
    name = request.form.get("name", "")
    try:
        with builtin.writing() as (connection, author):
            builtin.group_or_404(connection, author.user_id, group_id)
            group = groups.rename(connection, group_id, name=name, by=author)
    except CrmError as error:
        flash(builtin.sentence(error), "error")
    else:
        flash(f"The group is now named “{group.name}”.", "success")
    return redirect(to("groups.detail", group_id=group_id))


@pages.post("/<group_id>/delete")
def delete(group_id: str) -> Any:
    """Delete a group; its contacts stay, and nobody is unlinked (CON-2)."""
    with builtin.refusals(), builtin.writing() as (connection, author):
        group = builtin.group_or_404(connection, author.user_id, group_id)
        groups.delete(connection, group_id, by=author)
    flash(f"“{group.name}” is deleted; its contacts stay.", "success")
    return redirect(to("groups.listing"))
