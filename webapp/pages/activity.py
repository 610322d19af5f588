"""One activity: what it is about, who takes part, and what can be done with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from flask import abort, flash, redirect, render_template, request
from flask import url_for as to
from sqlalchemy import Connection

from crm import (
    accounts,
    activities,
    agenda,
    alarms,
    completion,
    contacts,
    lookup,
    occurrences,
    users,
)
from crm import participants as taking_part
from crm.activityfields import DECLINED, TODO
from crm.activityrows import ActivityRow, Kind, Participant
from crm.common import EVERYONE, Author
from crm.errors import BadValue, VersionMismatch
from crm.folding import address_key
from crm.occurrences import OccurrenceEdit
from crm.rows import ContactRow
from crmsync.records.activities import Role
from crmsync.services import placing, settings
from webapp import builtin, session
from webapp.contactform import tidy
from webapp.pages import activities as lists
from webapp.pages.contact import full_name
from webapp.wiring import core

pages = lists.pages
_SUGGESTED = 12
_SNOOZE = timedelta(minutes=10)
_SENT = frozenset({"accepted", "declined", "tentative", "needsAction"})


@dataclass(frozen=True, slots=True)
class Subject:
    """What a page is about.

    Attributes:
        row: the activity, or an occurrence as it takes place.
        series: the series that the occurrence belongs to.
        slot: which occurrence.
    """

    row: ActivityRow
    series: ActivityRow | None = None
    slot: str = ""

    @property
    def id(self) -> str:
        """The id in URLs: an occurrence is reached by its series."""
        return self.series.id if self.series else self.row.id

    def url(self, endpoint: str, **more: Any) -> str:
        """Return the URL of one of the subject's pages."""
        if self.slot:
            more = {"slot": self.slot, **more}
        return to(f"activities.{endpoint}", activity_id=self.id, **more)


def find(connection: Connection, viewer: str, activity_id: str) -> Subject:
    """Return what the URL names, or answer 404: it is none, or not the visitor's."""
    found = activities.read(connection, [activity_id])
    if not found or found[0].deleted or not agenda.sees(found[0], viewer):
        abort(404)
    row = found[0]
    slot = request.values.get("slot", "")[:20]
    if row.parent_id is not None:
        return _occurrence(
            connection, activities.get(connection, row.parent_id), row.slot
        )
    return _occurrence(connection, row, slot) if slot else Subject(row)


def _occurrence(connection: Connection, series: ActivityRow, slot: str) -> Subject:
    child = occurrences.find(connection, series.id, slot)
    if child is not None:
        return Subject(child, series, slot)
    if not series.is_series or not _has(series, slot):
        abort(404)
    values = {**series.values, "start": slot, "recurrence": ""}
    return Subject(replace(series, values=values), series, slot)


def _has(series: ActivityRow, slot: str) -> bool:
    try:
        return series.series.has(slot)
    except BadValue:
        return False


# ------------------------------------------------------------------ showing


@pages.get("/<activity_id>")
def detail(activity_id: str) -> Any:
    """Show the tab *General*."""
    with builtin.reading() as (connection, viewer):
        subject = find(connection, viewer, activity_id)
        contact = contact_of(connection, viewer, subject.row.values["contact_id"])
        account = _account(connection, viewer, subject.row.values["account_id"])
        shared = _shared(connection, viewer, subject)
    row = subject.row
    is_coming = row.is_series and row.completed_at is None
    return render_template(
        "activities/detail.html",
        **shared,
        next_slot=row.series.first_slot(core().clock.now()) if is_coming else "",
        contact=contact,
        contact_name=full_name(contact) if contact else "",
        account=account,
    )


def _shared(connection: Connection, viewer: str, subject: Subject) -> dict[str, Any]:
    """Return what both tabs show."""
    role = place_of(subject)
    return {
        "subject": subject,
        "row": subject.row,
        "mine": _asked(subject.row, viewer, role),
        "in_google": role,
        "names": {u.id: u.name or u.email for u in users.list_all(connection)},
        "viewer": viewer,
        "is_todo": subject.row.type == TODO,
    }


def place_of(subject: Subject) -> str | None:
    """Return how an activity stands in the user's Google, or None."""
    series = (subject.series.id,) if subject.series else ()
    ids = (subject.row.id, *series)
    return placing.role_in_google(core(), session.user().user_id, ids)


def _asked(row: ActivityRow, viewer: str, role: str | None) -> Participant | None:
    """Return the viewer if somebody else asks for an answer of theirs."""
    mine = row.participant(viewer)
    if mine is None or row.leader != viewer:
        return mine
    # An invitation that became an event of one's own asks for nothing any more.
    return mine if mine.answer and role not in {Role.SOLO, Role.OWN} else None


def _invites_contacts() -> bool:
    user_id = session.user().user_id
    found = settings.get(core(), "invite_contacts", user_id=user_id, kind="calendar")
    return found == "on"


def contact_of(
    connection: Connection, viewer: str, contact_id: str
) -> ContactRow | None:
    found = contacts.read(connection, [contact_id], viewer=viewer) if contact_id else []
    return found[0] if found and not found[0].deleted else None


def _account(connection: Connection, viewer: str, account_id: str) -> Any:
    found = accounts.read(connection, [account_id]) if account_id else []
    return found[0] if found and found[0].owner in {EVERYONE, viewer} else None


@pages.get("/<activity_id>/participants")
def participants(activity_id: str) -> Any:
    """Show the tab *Participants*."""
    return show_participants(activity_id)


def show_participants(activity_id: str, problem: str = "") -> Any:
    """Show who takes part; with a problem, above the forms."""
    with builtin.reading() as (connection, viewer):
        subject = find(connection, viewer, activity_id)
        people = subject.row.participants
        ids = [p.ref for p in people if p.kind is Kind.CONTACT]
        known = {
            row.id: row
            for row in contacts.read(connection, ids, viewer=viewer)
            if not row.deleted
        }
        shared = _shared(connection, viewer, subject)
        everybody = users.list_all(connection)
    page = render_template(
        "activities/participants.html",
        **shared,
        invites_contacts=_invites_contacts(),
        members=sorted(
            (p for p in people if p.kind is Kind.USER),
            key=lambda p: (p.ref != subject.row.leader, shared["names"].get(p.ref, "")),
        ),
        contacts=[
            _guest_contact(p, known.get(p.ref), subject.row)
            for p in people
            if p.kind is Kind.CONTACT
        ],
        others=[
            _with_facts(p, (p.address or p.ref,), subject.row)
            for p in people
            if p.kind in {Kind.OTHER, Kind.LEAD}
        ],
        free_users=[u for u in everybody if u.id not in subject.row.user_ids],
        problem=problem,
        typed=request.form,
    )
    return (page, 400) if problem else page


def _guest_contact(
    person: Participant, contact: ContactRow | None, row: ActivityRow
) -> tuple[Participant, str]:
    """Return a contact who takes part, and their name if the visitor may see it."""
    addresses = [person.address]
    if contact is not None:
        addresses += [contact.values[name] for name in ("email", "email2", "email3")]
    name = full_name(contact) if contact is not None else ""
    return _with_facts(person, addresses, row), name


def _with_facts(
    person: Participant, addresses: Iterable[str], row: ActivityRow
) -> Participant:
    """Return a participant with the name and answer that the event tells (CAL-6)."""
    facts = taking_part.guest_facts(row)
    for address in filter(None, addresses):
        fact = facts.get(address_key(address))
        if fact is not None:
            named = person.name or fact.name
            return replace(person, name=named, answer=person.answer or fact.answer)
    return person


@pages.get("/contacts.json")
def contact_names() -> Any:
    """Return contacts for whoever types a name, each with what tells it apart."""
    text = request.args.get("q", "")[:200]
    if not text.strip() or "\x00" in text:
        return {"names": []}
    with builtin.reading() as (connection, viewer):
        found = lookup.search(connection, text, limit=_SUGGESTED, viewer=viewer)
    return {"names": [contact_words(row) for row in found]}


def contact_words(row: ContactRow) -> str:
    """Return a contact as its input holds it: the id at the end says which it is."""
    facts = row.values["email"] or row.values["company"]
    return " · ".join(filter(None, (full_name(row), facts, row.id)))


def named_contact(connection: Connection, viewer: str, text: str) -> ContactRow | None:
    """Return the contact that a text names, None for an empty one.

    Raises:
        BadValue: if no contact is meant, or several are.
    """
    if not text:
        return None
    last = text.rpartition(" · ")[2].strip()
    found = contacts.read(connection, [last], viewer=viewer)
    live = [row for row in found if not row.deleted]
    if not live:
        by_address = lookup.find_by_addresses(connection, [text], viewer=viewer)
        ids = [item for ids in by_address.values() for item in ids]
        live = contacts.read(connection, ids, viewer=viewer)
    if not live:
        live = lookup.search(connection, text[:200], limit=2, viewer=viewer)
    if len(live) != 1:
        few = "matches no contact" if not live else "matches several contacts"
        raise BadValue("contact", f"{few}; choose one from the list while you type")
    return live[0]


# ------------------------------------------------------------------ changing


@pages.post("/<activity_id>/participants")
def change_participants(activity_id: str) -> Any:
    """Add or remove one participant."""
    form = request.form
    try:
        with builtin.writing() as (connection, author):
            subject = find(connection, author.user_id, activity_id)
            people = list(subject.row.participants)
            if form.get("remove"):
                kind, _, ref = form["remove"].partition(":")
                people = [p for p in people if (p.kind.value, p.ref) != (kind, ref)]
            else:
                people.append(_new_participant(connection, author))
            _write_people(connection, subject, tuple(people), author)
    except BadValue as error:
        reason = str(error).removeprefix(f"{error.field} ")
        return show_participants(activity_id, f"{reason[:1].upper()}{reason[1:]}.")
    flash("Saved.", "success")
    return redirect(subject.url("participants"))


def _new_participant(connection: Connection, author: Author) -> Participant:
    form = request.form
    if form.get("add") == "member":
        known = {row.id for row in users.list_all(connection)}
        if form.get("user", "") not in known:
            raise BadValue("member", "choose a member first")
        return Participant(Kind.USER, form["user"], answer="needsAction")
    if form.get("add") == "contact":
        row = named_contact(connection, author.user_id, tidy(form.get("contact")))
        if row is None:
            raise BadValue("contact", "type a contact's name first")
        return Participant(Kind.CONTACT, row.id, full_name(row)[:255])
    name, address = tidy(form.get("name")), tidy(form.get("address"))
    if not name and not address:
        raise BadValue("participant", "type a name or an e-mail address first")
    if address and "@" not in address:
        raise BadValue("participant", "that is no e-mail address")
    ref = (address or name).casefold()
    return Participant(Kind.OTHER, ref, name, address)


def _write_people(
    connection: Connection,
    subject: Subject,
    people: tuple[Participant, ...],
    author: Author,
) -> None:
    if subject.series is not None:
        edit = OccurrenceEdit(participants=people)
        occurrences.change(connection, subject.id, subject.slot, edit, by=author)
        return
    whole = activities.ActivityEdit(subject.id, participants=people)
    activities.update_many(connection, [whole], by=author)


@pages.post("/<activity_id>/answer")
def answer(activity_id: str) -> Any:
    """Accept or decline, for the visitor only (CAL-13)."""
    given = request.form.get("answer", "")
    with builtin.refusals(), builtin.writing() as (connection, author):
        subject = find(connection, author.user_id, activity_id)
        me = author.user_id
        if subject.row.participant(me) is None:
            abort(404)
        if given not in _SENT:
            abort(400)
        people = taking_part.answered(subject.row, me, given)
        _write_people(connection, subject, people, author)
    words = {"accepted": "You accepted.", "declined": "You declined."}
    flash(words.get(given, "Your answer is saved."), "success")
    target = session.own_path(request.form.get("next", ""))
    return redirect(target or subject.url("detail"))


@pages.post("/<activity_id>/alarm")
def remind(activity_id: str) -> Any:
    """Let an alarm come again, or silence it: no edit of the activity (CAL-12)."""
    with builtin.refusals(), builtin.writing() as (connection, author):
        subject = find(connection, author.user_id, activity_id)
        me, row_id = author.user_id, subject.row.id
        if subject.row.participant(me) is None:
            abort(404)
        if request.form.get("do") == "snooze":
            alarms.snooze(connection, row_id, me, until=author.now() + _SNOOZE)
        else:
            alarms.dismiss(connection, row_id, me, by=author)
    target = session.own_path(request.form.get("next", ""))
    return redirect(target or to("activities.listing"))


@pages.post("/<activity_id>/complete")
def complete(activity_id: str) -> Any:
    """Complete an activity, or one occurrence, into the history (CAL-14)."""
    with builtin.refusals(), builtin.writing() as (connection, author):
        subject = find(connection, author.user_id, activity_id)
        if subject.slot:
            completion.complete_one(connection, subject.id, subject.slot, by=author)
        else:
            completion.complete(connection, [subject.id], by=author)
    flash("Completed. It is in the history now.", "success")
    return redirect(subject.url("detail"))


@pages.post("/<activity_id>/reopen")
def reopen(activity_id: str) -> Any:
    """Open a completed to-do again."""
    with builtin.refusals(), builtin.writing() as (connection, author):
        subject = find(connection, author.user_id, activity_id)
        completion.reopen(connection, subject.row.id, by=author)
    flash("Open again.", "success")
    return redirect(subject.url("detail"))


@pages.post("/<activity_id>/delete")
def delete(activity_id: str) -> Any:
    """Delete an activity; of a series, one occurrence, from one on, or all.

    Only the leader's deletion is everybody's; a member who deletes declines (CAL-4).
    """
    scope = request.form.get("scope", "all")
    with builtin.refusals(), builtin.writing() as (connection, author):
        subject = find(connection, author.user_id, activity_id)
        if subject.row.leader not in {"", author.user_id}:
            return _decline(connection, subject, author)
        try:
            _delete(connection, subject, scope, author)
        except VersionMismatch:
            flash("Somebody changed this activity just now: look again.", "warning")
            return redirect(subject.url("detail"))
    words = {
        "one": "This occurrence is cancelled.",
        "following": "The series ends before this day.",
    }
    flash(words.get(scope if subject.slot else "", "Deleted."), "success")
    return redirect(to("activities.listing"))


def _delete(
    connection: Connection, subject: Subject, scope: str, author: Author
) -> None:
    version = request.form.get("version", "")
    if subject.slot and scope == "one":
        occurrences.cancel(connection, subject.id, subject.slot, by=author)
    elif subject.slot and scope == "following":
        occurrences.delete_following(connection, subject.id, subject.slot, by=author)
    else:
        seen = int(version) if version.isdecimal() and len(version) < 10 else None
        activities.delete(connection, subject.id, expected_version=seen, by=author)


def _decline(connection: Connection, subject: Subject, author: Author) -> Any:
    if subject.row.participant(author.user_id) is None:
        flash("Only the leader of an activity can delete it.", "warning")
        return redirect(subject.url("detail"))
    people = taking_part.answered(subject.row, author.user_id, DECLINED)
    _write_people(connection, subject, people, author)
    flash("You declined. Only the leader can delete it for everybody.", "success")
    return redirect(to("activities.listing"))
