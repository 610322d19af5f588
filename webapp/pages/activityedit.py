"""Making and editing an activity; of a series one occurrence, the rest, or all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import flash, redirect, render_template, request
from flask import url_for as to
from sqlalchemy import Connection

from crm import accounts, activities, occurrences, users
from crm.activityfields import TODO, is_timeless, parse_start, start_text
from crm.activityrows import ActivityEdit, ActivityRow, NewActivity
from crm.common import EVERYONE, Author
from crm.errors import BadValue, CrmError, Imported
from crm.occurrences import OccurrenceEdit
from crmsync.errors import UsageError
from crmsync.records.activities import Role
from webapp import builtin
from webapp.activityform import SCOPES, TYPES, Begun, has_errors, make_form, typed
from webapp.contactform import compare, read_base, write_base
from webapp.formats import time_zone
from webapp.pages import activities as lists
from webapp.pages import activity as page
from webapp.pages.activity import Subject, contact_words, named_contact, place_of
from webapp.wiring import core

pages = page.pages
_BASE = (*activities.FIELDS, "leader")
_LABELS = {
    "contact_id": "Contact",
    "account_id": "Account",
    "start": "Start",
    "duration": "Length",
    "recurrence": "Repeats",
}
_INPUTS = {
    "start": "start_date",
    "duration": "end_date",
    "recurrence": "freq",
    "contact_id": "contact",
    "account_id": "account",
}


@dataclass(frozen=True, slots=True)
class Draft:
    """A form as it is shown.

    Attributes:
        base: what the form began with, if that was earlier.
        theirs: what somebody else put where this person has typed, too.
    """

    form: Any
    begun: Begun
    subject: Subject | None = None
    scope: str = "one"
    base: Mapping[str, str] | None = None
    theirs: Mapping[str, str] = field(default_factory=dict)
    error: UsageError | None = None
    status: int = 200


class _Again(Exception):
    """The form is shown again, and nothing is written."""

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self.draft = draft


@dataclass(frozen=True, slots=True)
class _Given:
    """What a valid form says."""

    values: dict[str, str]
    leader: str
    is_undated: bool


# ------------------------------------------------------------------ new


@pages.get("/new")
def new() -> Any:
    """Show the form of a new activity."""
    with builtin.reading() as (connection, viewer):
        begun = _fresh(connection, viewer)
    return _show(Draft(make_form(begun, None), begun))


@pages.post("/new")
def create() -> Any:
    """Make an activity."""
    try:
        with builtin.writing() as (connection, author):
            begun = _fresh(connection, author.user_id)
            form = make_form(begun, request.form)
            draft = Draft(form, begun, status=400)
            given = _given(connection, author, draft)
            made = NewActivity(given.values, given.leader, is_undated=given.is_undated)
            try:
                row = activities.create_many(connection, [made], by=author)[0]
            except CrmError as error:
                raise _Again(replace(draft, error=_refused(form, error))) from None
    except _Again as again:
        return _show(again.draft)
    flash(f"{row.values['subject'] or 'The activity'} is saved.", "success")
    return redirect(to("activities.detail", activity_id=row.id))


def _fresh(connection: Connection, viewer: str) -> Begun:
    """Return what a new activity begins with: the next full hour, or a given day."""
    now = core().clock.now().astimezone(time_zone())
    hour = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    day = lists.read_day(request.args.get("day", ""), hour.date())
    kind = request.args.get("type", "")
    kind = kind if kind in TYPES else "meeting"
    begin = datetime.combine(day, hour.time(), time_zone())
    values = dict.fromkeys(activities.FIELDS, "") | {
        "type": kind,
        "start": start_text(begin, timeless=False),
        "duration": "60",
        "alarm": "" if kind == TODO else "15",
    }
    if kind == TODO:
        values |= {"start": day.isoformat(), "duration": "1440"}
    wanted = request.args.get("contact", "")
    contact = _contact_words(connection, viewer, wanted)
    return Begun(
        values, viewer, _leaders(connection), time_zone(), contact=contact, is_new=True
    )


def _leaders(connection: Connection) -> dict[str, str]:
    return {row.id: row.name or row.email for row in users.list_all(connection)}


def _contact_words(connection: Connection, viewer: str, contact_id: str) -> str:
    found = page.contact_of(connection, viewer, contact_id)
    return contact_words(found) if found is not None else ""


# ------------------------------------------------------------------ editing


@pages.get("/<activity_id>/edit")
def edit(activity_id: str) -> Any:
    """Show the form of an activity."""
    with builtin.reading() as (connection, viewer):
        subject = page.find(connection, viewer, activity_id)
        begun = _begun(connection, viewer, subject)
    if subject.row.imported:
        flash(builtin.sentence(Imported(subject.row.imported)), "warning")
        return redirect(subject.url("detail"))
    return _show(Draft(make_form(begun, None), begun, subject))


def _begun(connection: Connection, viewer: str, subject: Subject) -> Begun:
    row = subject.row
    values = dict(row.values)
    if subject.series is not None:
        # For all and following, the series' own rule can be changed along.
        values["recurrence"] = subject.series.values["recurrence"]
        values["zone"] = subject.series.values["zone"]
    found = accounts.read(connection, [values["account_id"]])
    seen = [item for item in found if item.owner in {EVERYONE, viewer}]
    return Begun(
        values,
        row.leader,
        _leaders(connection),
        time_zone(),
        contact=_contact_words(connection, viewer, values["contact_id"]),
        account=seen[0].name if seen else "",
        is_undated=row.is_undated,
    )


@pages.post("/<activity_id>/edit")
def save(activity_id: str) -> Any:
    """Save an activity; what others changed meanwhile is kept, or asked about."""
    try:
        with builtin.writing() as (connection, author):
            target = _save(connection, author, activity_id)
    except _Again as again:
        return _show(again.draft)
    flash("Saved.", "success")
    return redirect(target)


def _save(connection: Connection, author: Author, activity_id: str) -> str:
    subject = page.find(connection, author.user_id, activity_id)
    begun = _begun(connection, author.user_id, subject)
    scope = request.form.get("scope", "one")
    form = make_form(begun, request.form)
    base = read_base(request.form.get("base", ""), _BASE)
    draft = Draft(form, begun, subject, scope, base or None, status=400)
    given = _given(connection, author, draft)
    now = {**begun.values, "leader": subject.row.leader}
    edits = compare({**given.values, "leader": given.leader}, base or now, now)
    if edits.theirs:
        # What only they changed is still theirs when this form is sent again.
        seen = {**(base or now), **{name: now[name] for name in edits.theirs}}
        raise _Again(replace(draft, base=seen, theirs=edits.theirs, status=409))
    try:
        return _write(connection, subject, scope, edits.mine, given, author)
    except CrmError as error:
        raise _Again(replace(draft, error=_refused(form, error))) from None


def _write(
    connection: Connection,
    subject: Subject,
    scope: str,
    mine: Mapping[str, str],
    given: _Given,
    author: Author,
) -> str:
    """Write what was changed; returns where to go."""
    changes = {name: value for name, value in mine.items() if name != "leader"}
    leader = mine.get("leader")
    if subject.slot and scope not in {"following", "all"}:
        rule = {"recurrence", "type"}
        one = OccurrenceEdit({n: v for n, v in changes.items() if n not in rule})
        occurrences.change(connection, subject.id, subject.slot, one, by=author)
        return subject.url("detail")
    is_undated = given.is_undated if given.values["type"] == TODO else None
    whole = ActivityEdit(subject.id, changes, leader=leader, is_undated=is_undated)
    if subject.slot and scope == "following":
        made = occurrences.split(
            connection, subject.id, subject.slot, edit=whole, by=author
        )
        return to("activities.detail", activity_id=made.id)
    if subject.series is not None and "start" in changes:
        moved = _moved(subject.series, subject.slot, given.values)
        whole = replace(whole, changes={**changes, "start": moved})
    activities.update_many(connection, [whole], by=author)
    return to("activities.detail", activity_id=subject.id)


def _moved(series: ActivityRow, slot: str, values: Mapping[str, str]) -> str:
    """Return where a series begins if one of its occurrences was moved, and all along.

    It moves by whole days, and gets the hour of the occurrence.
    """
    was_timeless = is_timeless(slot)
    timeless = is_timeless(values["start"])
    old_zone = UTC if was_timeless else ZoneInfo(series.values["zone"] or "UTC")
    zone = UTC if timeless else ZoneInfo(values["zone"] or "UTC")
    begins = parse_start(values["start"]).astimezone(zone)
    was = parse_start(slot).astimezone(old_zone)
    first = series.start_at.astimezone(old_zone).date()
    day = first + (begins.date() - was.date())
    return start_text(datetime.combine(day, begins.time(), zone), timeless=timeless)


# ------------------------------------------------------------------ the form


def _given(connection: Connection, author: Author, draft: Draft) -> _Given:
    """Return what a form says.

    Raises:
        _Again: if it has mistakes, which stand beside their fields.
    """
    form, begun = draft.form, draft.begun
    is_valid = form.validate()
    values, is_undated = typed(form, begun, lists.today())
    try:
        contact = named_contact(connection, author.user_id, form.contact.data or "")
        values["contact_id"] = contact.id if contact is not None else ""
    except BadValue as error:
        _put(form, "contact", error)
    try:
        values["account_id"] = _account_named(connection, author, form, begun)
    except BadValue as error:
        _put(form, "account", error)
    if not is_valid or has_errors(form):
        raise _Again(draft)
    return _Given(values, form.leader.data or "", is_undated)


def _account_named(
    connection: Connection, author: Author, form: Any, begun: Begun
) -> str:
    name = form.account.data or ""
    if name == begun.account:
        return begun.values["account_id"]
    if not name:
        return ""
    found = [
        row
        for row in accounts.find_by_name(connection, name)
        if row.owner in {EVERYONE, author.user_id}
    ]
    if not found:
        raise BadValue("account", "matches no account; choose one from the list")
    return found[0].id


def _put(form: Any, name: str, error: BadValue) -> None:
    reason = str(error).removeprefix(f"{error.field} ")
    form[name].errors = [*form[name].errors, f"{reason[:1].upper()}{reason[1:]}."]


def _refused(form: Any, error: CrmError) -> UsageError | None:
    """Put a refusal beside its field, or return it for the top of the page."""
    name = _INPUTS.get(getattr(error, "field", ""), getattr(error, "field", ""))
    if isinstance(error, BadValue) and name in form:
        _put(form, name, error)
        return None
    return UsageError(builtin.sentence(error), next_step="Correct it and save again.")


def _show(draft: Draft) -> Any:
    begun, subject = draft.begun, draft.subject
    now = {**begun.values, "leader": begun.leader}
    html = render_template(
        "activities/form.html",
        form=draft.form,
        subject=subject,
        row=subject.row if subject else None,
        scopes=SCOPES if subject and subject.slot else {},
        scope=draft.scope,
        base=write_base(draft.base or now),
        theirs={
            _LABELS.get(name, name.capitalize()): value
            for name, value in draft.theirs.items()
        },
        error=draft.error,
        is_invited=subject is not None and place_of(subject) == Role.INVITED,
    )
    return html if draft.status == 200 else (html, draft.status)
