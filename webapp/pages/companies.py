"""The built-in CRM's accounts: list, search, plain detail and edit (WEB-3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Blueprint, flash, jsonify, redirect, render_template, request
from flask import url_for as to
from wtforms import SelectField, StringField
from wtforms.validators import DataRequired, Length

from crm import accounts, users
from crm import listing as lists
from crm.accounts import AccountRow
from crm.common import EVERYONE
from crm.errors import CrmError
from crm.folding import ACCOUNT_NAME_LIMIT
from crm.listing import ContactQuery
from crmsync.errors import UsageError
from webapp import builtin
from webapp.contactform import no_control_characters, tidy
from webapp.forms import Form
from webapp.pages.contacts import list_page, read_state
from webapp.paths import pack, unpack
from webapp.tables import TableState, table_state

pages = Blueprint("accounts", __name__, url_prefix="/accounts")

PAGE = 50
_SUGGESTED = 10
_NAMES = ("name", "type", "status", "manager", "owner")


@pages.before_request
def _require_builtin() -> None:
    builtin.require()


class AccountForm(Form):
    """The form of an account."""

    name = StringField(
        "Name",
        [
            DataRequired("An account needs a name."),
            Length(max=ACCOUNT_NAME_LIMIT),
            no_control_characters,
        ],
        filters=[tidy],
        render_kw={"maxlength": ACCOUNT_NAME_LIMIT},
    )
    type = StringField(
        "Type",
        [Length(max=64), no_control_characters],
        filters=[tidy],
        render_kw={"maxlength": 64},
    )
    status = StringField(
        "Status",
        [Length(max=64), no_control_characters],
        filters=[tidy],
        render_kw={"maxlength": 64},
    )
    manager = SelectField("Account manager")
    owner = SelectField("Seen by")


@pages.get("")
def listing() -> Any:
    """Show the accounts that the visitor sees."""
    state = replace(table_state(("name",), ("q",), default="name"))
    text = state.filters.get("q", "")[:200]
    place = _read_place(state.before or state.after)
    is_back = bool(state.before) and place is not None
    with builtin.reading() as (connection, viewer):
        found = lists.accounts_page(
            connection,
            viewer=viewer,
            text=text,
            place=place,
            backwards=is_back,
            limit=PAGE + 1,
        )
        managers = {row.id: row.name or row.email for row in users.list_all(connection)}
    has_more = len(found) > PAGE
    found = found[-PAGE:] if is_back else found[:PAGE]
    previous, following = _neighbours(state, found, place, has_more, is_back=is_back)
    return render_template(
        "accounts/list.html",
        state=state,
        accounts=found,
        managers=managers,
        previous=previous,
        next=following,
    )


def _neighbours(
    state: TableState,
    found: list[AccountRow],
    place: Any,
    has_more: bool,
    *,
    is_back: bool,
) -> tuple[str, str]:
    if not found:
        return "", ""
    first, last = (pack(*accounts.sort_key(found[end])) for end in (0, -1))
    has_previous = has_more if is_back else place is not None
    has_next = is_back or has_more
    return (
        state.page(before=first) if has_previous else "",
        state.page(after=last) if has_next else "",
    )


def _read_place(word: str) -> tuple[str, str] | None:
    match unpack(word):
        case [str(key), str(row_id)] if (key + row_id).isprintable():
            return key, row_id
    return None


@pages.get("/names.json")
def names() -> Any:
    """Return account names for whoever types one."""
    text = request.args.get("q", "")[:200]
    if not text.strip():
        return jsonify({"names": []})
    with builtin.reading() as (connection, viewer):
        found = lists.accounts_page(
            connection, viewer=viewer, text=text, limit=_SUGGESTED * 2
        )
    known = dict.fromkeys(row.name for row in found if not row.is_personal)
    return jsonify({"names": list(known)[:_SUGGESTED]})


@pages.get("/<account_id>")
def detail(account_id: str) -> Any:
    """Show an account and its contacts."""
    with builtin.reading() as (connection, viewer):
        account = builtin.account_or_404(connection, viewer, account_id)
        state = read_state()
        query = ContactQuery(
            viewer,
            account_id=account_id,
            sort=state.sort,
            is_descending=state.is_descending,
        )
        rows, previous, following = list_page(connection, query, state)
        managers = {row.id: row.name or row.email for row in users.list_all(connection)}
    return render_template(
        "accounts/detail.html",
        account=account,
        contacts=rows,
        managers=managers,
        state=state,
        previous=previous,
        next=following,
    )


@pages.get("/<account_id>/edit")
def edit(account_id: str) -> Any:
    """Show the form of an account."""
    with builtin.reading() as (connection, viewer):
        account = builtin.account_or_404(connection, viewer, account_id)
    data = {name: getattr(account, name) for name in _NAMES}
    return _show_form(
        _with_choices(AccountForm(formdata=None, data=data), account), account
    )


@pages.post("/<account_id>/edit")
def save(account_id: str) -> Any:
    """Save an account, unless somebody else changed it since it was read."""
    with builtin.reading() as (connection, viewer):
        account = builtin.account_or_404(connection, viewer, account_id)
    form = _with_choices(AccountForm(), account)
    if not form.validate():
        return _show_form(form, account, status=400)
    try:
        with builtin.writing() as (connection, author):
            account = builtin.account_or_404(connection, author.user_id, account_id)
            if request.form.get("seen") != account.modified_at.isoformat():
                error = UsageError(
                    "Somebody changed this account meanwhile: it is now "
                    f"“{account.name}”, {account.type}, {account.status}.",
                    next_step="Below is what you typed; save again to put it there.",
                )
                return _show_form(form, account, error=error, status=409)
            changes = {name: form[name].data or "" for name in _NAMES}
            accounts.update(connection, account_id, changes=changes, by=author)
    except CrmError as error:
        told = UsageError(builtin.sentence(error), next_step="Correct it, save again.")
        return _show_form(form, account, error=told, status=400)
    flash("Saved. Its contacts show the name at once.", "success")
    return redirect(to("accounts.detail", account_id=account_id))


def _with_choices(form: AccountForm, account: AccountRow) -> AccountForm:
    """Offer the CRM's users as managers; an account stays everybody's or one's own."""
    with builtin.reading() as (connection, viewer):
        known = {row.id: row.name or row.email for row in users.list_all(connection)}
    managers = {"": "Nobody", account.manager: account.manager, **known}
    if not account.manager:
        managers[""] = "Nobody"
    form.manager.choices = list(managers.items())
    form.owner.choices = [(EVERYONE, "Everybody"), (viewer, "Only me")]
    return form


def _show_form(
    form: AccountForm,
    account: AccountRow,
    *,
    error: UsageError | None = None,
    status: int = 200,
) -> Any:
    page = render_template(
        "accounts/form.html",
        form=form,
        account=account,
        seen=account.modified_at.isoformat(),
        error=error,
    )
    return page if status == 200 else (page, status)
