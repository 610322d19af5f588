"""Leads, opportunities and tickets: list, detail, plain edit (WEB-3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request
from flask import url_for as to
from sqlalchemy import Connection
from wtforms import StringField, TextAreaField
from wtforms.validators import Length

from crm import accounts, contacts
from crm.common import EVERYONE
from crm.deals import OPPORTUNITIES, TICKETS
from crm.errors import BadValue, CrmError, VersionMismatch
from crm.errors import NotFound as NotInCrm
from crm.leads import LEADS
from crm.listing import Place
from crm.rows import shown_name
from crm.shelves import ListedRecord, Record, RecordQuery, Shelf
from crmsync.errors import UsageError
from webapp import builtin
from webapp.contactform import no_control_characters, tidy
from webapp.formats import field_name
from webapp.forms import Form
from webapp.pages.histories import attachments_page, history_page
from webapp.paths import pack, unpack
from webapp.tables import TableState, table_state

PAGE = 50
_NUMBERS = frozenset({"changed", "number", "amount"})
_LONG = {"notes", "work_street"}
_LABELS = {
    "account_id": "Account (ID)",
    "contact_id": "Contact (ID)",
    "close_date": "Close date",
    "amount": "Amount",
    "stage": "Stage",
    "status": "Status",
    "subject": "Subject",
    "name": "Name",
    "number": "Number",
}


@dataclass(frozen=True, slots=True)
class Desk:
    """One kind of record and how its pages speak of it.

    Attributes:
        columns: of the list: field, and whether it can be sorted by.
    """

    shelf: Shelf
    plural: str
    icon: str
    columns: tuple[str, ...]

    @property
    def noun(self) -> str:
        """What one is called."""
        return self.shelf.noun

    def name_of(self, row: Record) -> str:
        """Return what a record is called."""
        values = row.values
        if self.shelf is LEADS:
            return shown_name(values)
        if self.shelf is TICKETS:
            return f"#{values['number']} {values['subject']}"
        return values["name"]

    def label(self, field: str) -> str:
        """Return what a field is called."""
        return _LABELS.get(field) or field_name(field)


DESKS = (
    Desk(LEADS, "Leads", "person-plus", ("company", "title", "email", "status")),
    Desk(OPPORTUNITIES, "Opportunities", "box", ("stage", "amount", "close_date")),
    Desk(TICKETS, "Tickets", "collection", ("status",)),
)


def _make(desk: Desk) -> Blueprint:
    """Return the pages of one kind of record."""
    where = desk.plural.lower()
    pages = Blueprint(where, __name__, url_prefix=f"/{where}")
    view = _Pages(desk, where)
    pages.before_request(builtin.require)
    add = pages.add_url_rule
    add("", "listing", view.listing)
    add("/new", "new", view.new)
    add("/new", "create", view.create, methods=["POST"])
    add("/<record_id>", "detail", view.detail)
    add("/<record_id>/history", "history", view.history)
    add("/<record_id>/attachments", "attachments", view.attachments)
    add("/<record_id>/edit", "edit", view.edit)
    add("/<record_id>/edit", "save", view.save, methods=["POST"])
    add("/<record_id>/delete", "delete", view.delete, methods=["POST"])
    return pages


class _Pages:
    """The views of one kind of record."""

    def __init__(self, desk: Desk, where: str) -> None:
        self._desk, self._shelf, self._where = desk, desk.shelf, where

    def _to(self, page: str, **arguments: Any) -> str:
        return to(f"{self._where}.{page}", **arguments)

    def _or_404(self, connection: Connection, viewer: str, record_id: str) -> Record:
        try:
            return self._shelf.get(connection, record_id, viewer=viewer)
        except NotInCrm:
            abort(404)

    # ---------------------------------------------------- showing

    def listing(self) -> Any:
        """Show the records that the visitor sees."""
        sorts = self._shelf.sorts
        state = table_state(sorts, ("q",), default=sorts[0])
        kept = {name: value[:200] for name, value in state.filters.items()}
        state = replace(state, filters=kept)
        place = _read_place(state.before or state.after, state.sort)
        is_back = bool(state.before) and place is not None
        with builtin.reading() as (connection, viewer):
            query = RecordQuery(
                viewer, kept.get("q", ""), state.sort, state.is_descending
            )
            found = self._shelf.page(
                connection, query, place, backwards=is_back, limit=PAGE + 1
            )
        has_more = len(found) > PAGE
        found = found[-PAGE:] if is_back else found[:PAGE]
        previous, following = _neighbours(
            state, found, has_more, place is not None, is_back=is_back
        )
        return render_template(
            "records/list.html",
            desk=self._desk,
            where=self._where,
            state=state,
            rows=[item.row for item in found],
            previous=previous,
            next=following,
        )

    def _words(self, record_id: str) -> dict[str, Any]:
        with builtin.reading() as (connection, viewer):
            row = self._or_404(connection, viewer, record_id)
        name = self._desk.name_of(row)
        return {"desk": self._desk, "where": self._where, "record": row, "name": name}

    def detail(self, record_id: str) -> Any:
        """Show the tab *General*."""
        words = self._words(record_id)
        with builtin.reading() as (connection, viewer):
            linked = _linked(connection, viewer, words["record"].values)
        return render_template("records/detail.html", linked=linked, **words)

    def history(self, record_id: str) -> Any:
        """Show the tab *History*."""
        of = (self._shelf.noun, record_id)
        return history_page(of, "records/frame.html", **self._words(record_id))

    def attachments(self, record_id: str) -> Any:
        """Show the tab *Attachments*."""
        of = (self._shelf.noun, record_id)
        return attachments_page(of, "records/frame.html", **self._words(record_id))

    # ---------------------------------------------------- writing

    def new(self) -> Any:
        """Show the form of a new record, with what a link knows already."""
        limits = self._shelf.limits
        given = {n: request.args.get(n, "")[: limits[n]] for n in limits}
        return self._show(self._form(None, given))

    def create(self) -> Any:
        """Make a record."""
        form = self._form(request.form, {})
        if not form.validate():
            return self._show(form, status=400)
        try:
            with builtin.writing() as (connection, author):
                is_mine = request.form.get("owner") == "me"
                owner = author.user_id if is_mine else EVERYONE
                row = self._shelf.create(
                    connection, self._typed(form), owner=owner, by=author
                )
        except CrmError as error:
            return self._show(form, error=_refused(form, error), status=400)
        flash(f"{self._desk.name_of(row)} is saved.", "success")
        return redirect(self._to("detail", record_id=row.id))

    def edit(self, record_id: str) -> Any:
        """Show the form of a record."""
        with builtin.reading() as (connection, viewer):
            row = self._or_404(connection, viewer, record_id)
        return self._show(self._form(None, row.values), row)

    def save(self, record_id: str) -> Any:
        """Save a record, unless somebody else changed it meanwhile."""
        with builtin.reading() as (connection, viewer):
            row = self._or_404(connection, viewer, record_id)
        form = self._form(request.form, row.values)
        if not form.validate():
            return self._show(form, row, status=400)
        version = _seen_version()
        try:
            with builtin.writing() as (connection, author):
                self._or_404(connection, author.user_id, record_id)
                self._shelf.update(
                    connection,
                    record_id,
                    changes=self._typed(form),
                    expected_version=version,
                    by=author,
                )
        except VersionMismatch as error:
            now: Any = error.current
            told = UsageError(
                f"Somebody else changed this {self._shelf.noun} meanwhile.",
                next_step="Look at it in another tab; saving again keeps what is here.",
            )
            return self._show(form, now, error=told, status=409)
        except CrmError as error:
            return self._show(form, row, error=_refused(form, error), status=400)
        flash("Saved.", "success")
        return redirect(self._to("detail", record_id=record_id))

    def delete(self, record_id: str) -> Any:
        """Delete a record that was looked at as it is now."""
        with builtin.writing() as (connection, author):
            row = self._or_404(connection, author.user_id, record_id)
            try:
                self._shelf.delete(
                    connection, row.id, expected_version=_seen_version(), by=author
                )
            except VersionMismatch:
                noun = self._shelf.noun
                flash(f"Somebody changed this {noun} just now: look again.", "warning")
                return redirect(self._to("detail", record_id=row.id))
        flash(f"{self._desk.name_of(row)} is deleted.", "success")
        return redirect(self._to("listing"))

    def _form(self, formdata: Any, values: Mapping[str, str]) -> Any:
        members: dict[str, Any] = {}
        for name, limit in self._shelf.limits.items():
            checks = [Length(max=limit), no_control_characters]
            words: dict[str, Any] = {"maxlength": limit, "autocomplete": "off"}
            if name == "close_date":
                words["type"] = "date"
            kind = TextAreaField if name in _LONG else StringField
            label = self._desk.label(name)
            members[name] = kind(label, checks, filters=[tidy], render_kw=words)
        made = type("RecordForm", (Form,), members)
        return made(formdata=formdata, data=dict(values))

    def _typed(self, form: Any) -> dict[str, str]:
        return {name: form[name].data or "" for name in self._shelf.limits}

    def _show(
        self,
        form: Any,
        row: Record | None = None,
        *,
        error: UsageError | None = None,
        status: int = 200,
    ) -> Any:
        page = render_template(
            "records/form.html",
            desk=self._desk,
            where=self._where,
            form=form,
            record=row,
            name=self._desk.name_of(row) if row else "",
            error=error,
        )
        return page if status == 200 else (page, status)


def _seen_version() -> int | None:
    text = request.form.get("version", "")
    return int(text) if text.isdecimal() and len(text) < 10 else None


def _refused(form: Any, error: CrmError) -> UsageError | None:
    """Put a refusal beside its field, or return it for the top of the page."""
    if isinstance(error, BadValue) and error.field in form:
        reason = str(error).removeprefix(f"{error.field} ")
        form[error.field].errors = [f"{reason[:1].upper()}{reason[1:]}."]
        return None
    return UsageError(builtin.sentence(error), next_step="Correct it and save again.")


def _linked(
    connection: Connection, viewer: str, values: Mapping[str, str]
) -> dict[str, tuple[str, str]]:
    """Return name and address of the account and contact that a record names."""
    found: dict[str, tuple[str, str]] = {}
    for row in contacts.read(connection, [values.get("contact_id", "")], viewer=viewer):
        if not row.deleted:
            url = to("contacts.detail", contact_id=row.id)
            found["contact_id"] = (shown_name(row.values), url)
    for account in accounts.read(connection, [values.get("account_id", "")]):
        if account.owner in {EVERYONE, viewer}:
            url = to("accounts.detail", account_id=account.id)
            found["account_id"] = (account.name, url)
    return found


def _neighbours(
    state: TableState,
    found: list[ListedRecord],
    has_more: bool,
    has_place: bool,
    *,
    is_back: bool,
) -> tuple[str, str]:
    if not found:
        return "", ""
    has_previous = has_more if is_back else has_place
    has_next = is_back or has_more
    return (
        state.page(before=pack(*found[0].place)) if has_previous else "",
        state.page(after=pack(*found[-1].place)) if has_next else "",
    )


def _read_place(word: str, sort: str) -> Place | None:
    """Return the place that a word means in a list sorted so, or None."""
    match unpack(word):
        case [str(value), str(row_id)] if sort not in _NUMBERS:
            texts = value + row_id
            is_good = _is_text(texts)
            return (value, row_id) if is_good else None
        case [int(value), str(row_id)] if sort in _NUMBERS:
            is_good = abs(value) < 1 << 62 and row_id.isalnum()
            return (value, row_id) if is_good else None
    return None


def _is_text(text: str) -> bool:
    return "\x00" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


BLUEPRINTS = tuple(_make(desk) for desk in DESKS)
