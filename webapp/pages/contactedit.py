"""Making, editing and deleting a contact; two tabs lose nothing (WEB-3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import flash, redirect, render_template, request
from flask import url_for as to
from sqlalchemy import Connection

from crm import accounts, contacts, groups
from crm.accounts import AccountRow
from crm.common import EVERYONE, Author
from crm.errors import AmbiguousAccount, BadValue, CrmError, VersionMismatch
from crm.fields import FIELDS, LIMITS, is_custom
from crm.rows import ContactRow
from crmsync.errors import UsageError
from crmsync.services import settings
from crmsync.storage import people
from webapp import builtin, session
from webapp.contactform import (
    SECTIONS,
    compare,
    input_name,
    make_form,
    read_base,
    typed,
    write_base,
)
from webapp.pages import contacts as lists
from webapp.pages.contact import full_name
from webapp.wiring import core

pages = lists.pages


@dataclass(frozen=True, slots=True)
class Draft:
    """A form as it is shown.

    Attributes:
        row: the contact that is edited, as it is now.
        base: what the form began with, if that was earlier.
        theirs: what somebody else put where this person has typed, too.
        candidates: accounts of the company's name, to choose one of.
    """

    form: Any
    names: tuple[str, ...]
    row: ContactRow | None = None
    base: Mapping[str, str] | None = None
    theirs: Mapping[str, str] = field(default_factory=dict)
    candidates: tuple[AccountRow, ...] = ()
    error: UsageError | None = None
    status: int = 200


def _names(values: Mapping[str, str]) -> tuple[str, ...]:
    """Return the fields of the form: all, mapped custom ones and those with a value."""
    table = settings.contact_table(core(), session.user().user_id)
    custom = {name for name in (*table.names, *values) if is_custom(name)}
    return (*FIELDS, *sorted(custom))


@pages.get("/contacts/new")
def new() -> Any:
    """Show the form of a new contact."""
    known = ("company", "first", "last", "email")
    values = {name: request.args.get(name, "")[: LIMITS[name]] for name in known}
    names = _names({})
    return _show(Draft(make_form(names, None, values), names))


@pages.post("/contacts/new")
def create() -> Any:
    """Make a contact."""
    names = _names({})
    form = make_form(names, request.form, {})
    if not form.validate():
        return _show(Draft(form, names, status=400))
    values = typed(form, names)
    owner_is_me = request.form.get("owner") == "me"
    try:
        with builtin.writing() as (connection, author):
            row = contacts.create(
                connection,
                values,
                account=_account_chosen(connection, author)
                or builtin.account_rule(author),
                owner=author.user_id if owner_is_me else EVERYONE,
                by=author,
            )
            _select(connection, author, row.id)
    except AmbiguousAccount as error:
        return _show(Draft(form, names, status=400, candidates=error.candidates))
    except CrmError as error:
        return _show(Draft(form, names, status=400, error=_refused(form, error)))
    flash(f"{full_name(row)} is saved.", "success")
    return redirect(to("contacts.detail", contact_id=row.id))


def _account_chosen(connection: Connection, author: Author) -> str:
    """Return the account that was chosen among several of the company's name."""
    chosen = request.form.get("account", "")
    if chosen:
        chosen = builtin.account_or_404(connection, author.user_id, chosen).id
    return chosen


def _select(connection: Connection, author: Author, contact_id: str) -> None:
    """Put a new contact in the visitor's Contact Sync Group, if that was ticked."""
    group_id = _sync_group(connection, author.user_id)
    if request.form.get("select") == "1" and group_id:
        groups.add_members(connection, group_id, contact_ids=[contact_id])


def _sync_group(connection: Connection, viewer: str) -> str:
    pair = people.seen_pair(core().database, session.user().user_id, "contacts")
    group = groups.get(connection, pair.group_id) if pair.group_id else None
    is_seen = group is not None and group.owner in {EVERYONE, viewer}
    return pair.group_id if is_seen else ""


@pages.get("/contacts/<contact_id>/edit")
def edit(contact_id: str) -> Any:
    """Show the form of a contact."""
    with builtin.reading() as (connection, viewer):
        row = builtin.contact_or_404(connection, viewer, contact_id)
    names = _names(row.values)
    return _show(Draft(make_form(names, None, row.values), names, row=row))


@pages.post("/contacts/<contact_id>/edit")
def save(contact_id: str) -> Any:
    """Save a contact; what others changed meanwhile is kept, or asked about."""
    with builtin.reading() as (connection, viewer):
        row = builtin.contact_or_404(connection, viewer, contact_id)
    base = read_base(request.form.get("base", ""), _names(row.values))
    names = _names({**row.values, **base})
    form = make_form(names, request.form, row.values)
    if not form.validate():
        return _show(Draft(form, names, row=row, base=base, status=400))
    given = typed(form, names)
    try:
        with builtin.writing() as (connection, author):
            row = builtin.contact_or_404(connection, author.user_id, contact_id)
            edits = compare(given, base or row.values, row.values)
            if edits.theirs:
                # What only they changed is still theirs when this is sent again.
                seen = {**(base or row.values), **edits.theirs}
                return _show(
                    Draft(form, names, row, seen, theirs=edits.theirs, status=409)
                )
            _write(connection, row, edits.mine, author)
    except AmbiguousAccount as error:
        found = error.candidates
        return _show(
            Draft(form, names, row=row, base=base, status=400, candidates=found)
        )
    except CrmError as error:
        told = _refused(form, error)
        return _show(Draft(form, names, row=row, base=base, status=400, error=told))
    also = row.version != _seen_version()
    flash(
        "Saved. What somebody else changed meanwhile is kept, too."
        if also and edits.mine
        else "Saved.",
        "success",
    )
    return redirect(to("contacts.detail", contact_id=contact_id))


def _seen_version() -> int:
    text = request.form.get("version", "")
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def _write(
    connection: Connection, row: ContactRow, mine: Mapping[str, str], author: Author
) -> None:
    changes = {name: value for name, value in mine.items() if name != "company"}
    contacts.update(
        connection,
        row.id,
        changes=changes,
        expected_version=row.version,
        by=author,
    )
    if "company" in mine or request.form.get("account"):
        account_id = _account_chosen(connection, author) or _account_named(
            connection, {**row.values, **mine}, author
        )
        contacts.move(connection, row.id, account_id=account_id, by=author)


def _account_named(
    connection: Connection, values: Mapping[str, str], author: Author
) -> str:
    """Return the account of that company, made if there is none."""
    rule = builtin.account_rule(author)
    name = values.get("company", "")
    seen = [
        account
        for account in accounts.find_by_name(connection, name)
        if account.owner in {EVERYONE, author.user_id}
    ]
    if len(seen) == 1:
        return seen[0].id
    if len(seen) > 1:
        raise AmbiguousAccount(seen)
    return accounts.place_many(connection, [(values, rule)], by=author)[0].account.id


def _refused(form: Any, error: CrmError) -> UsageError | None:
    """Put a refusal beside its field, or return it for the top of the page."""
    name = input_name(getattr(error, "field", ""))
    if isinstance(error, BadValue) and name in form:
        reason = str(error).removeprefix(f"{error.field} ")
        words = f"{reason[:1].upper()}{reason[1:]}."
        form[name].errors = [*form[name].errors, words]
        return None
    return UsageError(builtin.sentence(error), next_step="Correct it and save again.")


def _show(draft: Draft) -> Any:
    """Show the form; at a clash with what others changed, on top of that."""
    form, row, base = draft.form, draft.row, draft.base
    custom = tuple(name for name in draft.names if is_custom(name))
    sections = [*SECTIONS, ("Custom fields", custom)] if custom else [*SECTIONS]
    with builtin.reading() as (connection, viewer):
        sync_group = _sync_group(connection, viewer)
        group = groups.get(connection, sync_group) if sync_group else None
    is_old = bool(base) and not draft.theirs
    begun = base or (row.values if row else {})
    page = render_template(
        "contacts/form.html",
        form=form,
        sections=[(title, [input_name(n) for n in part]) for title, part in sections],
        contact=row,
        name=full_name(row) if row else "",
        version=_seen_version() if is_old else (row.version if row else 0),
        base=write_base({name: begun.get(name, "") for name in draft.names}),
        theirs={input_name(name): value for name, value in draft.theirs.items()},
        candidates=draft.candidates,
        error=draft.error,
        sync_group=group,
    )
    return page if draft.status == 200 else (page, draft.status)


@pages.post("/contacts/<contact_id>/delete")
def delete(contact_id: str) -> Any:
    """Delete a contact that was looked at as it is now."""
    with builtin.refusals(), builtin.writing() as (connection, author):
        row = builtin.contact_or_404(connection, author.user_id, contact_id)
        version = _seen_version()
        try:
            contacts.delete(
                connection, row.id, expected_version=version or None, by=author
            )
        except VersionMismatch:
            flash("Somebody changed this contact just now: look again.", "warning")
            return redirect(to("contacts.detail", contact_id=row.id))
    flash(f"{full_name(row)} is deleted. The contact in Google stays.", "success")
    return redirect(to("contacts.listing"))
