"""The writes of events: insert, update, patch, delete, import, move (contract 5.5)."""

from __future__ import annotations

from dataclasses import replace

from sandbox.events import special
from sandbox.events.change import change, create, delete
from sandbox.events.context import Context
from sandbox.events.copies import Copies, answer_of, with_answer
from sandbox.events.errors import (
    bad_id,
    condition_not_met,
    duplicate,
    forbidden,
    missing,
    organizer_fixed,
    stale_sequence,
    type_restriction,
)
from sandbox.events.instances import look_up
from sandbox.events.model import Event
from sandbox.events.normalise import (
    attendees,
    merged,
    own_fields,
    shared_fields,
    without_nulls,
)
from sandbox.events.reads import shown
from sandbox.events.render import editable, own_address
from sandbox.legacy import invalid, not_found
from sandbox.messages import Json, Response

_FIXED = {"iCalUID": "uid", "recurringEventId": "master"}


def insert(ctx: Context, copies: Copies) -> Json:
    """A new event; the client's id is used once and never again (5.1, 5.8)."""
    body = without_nulls(ctx.body)
    _check_untouched(ctx, body)
    if body.get("status") == "cancelled":
        raise invalid("Invalid value for: status")
    if "id" in body and ctx.desk.env.switches.refuse_client_ids:
        raise bad_id()
    key = special.checked_id(body)
    if key in ctx.shelf.events:
        raise duplicate()
    kind = special.check_new_kind(body)
    made = _draft(ctx, body, key, kind)
    ctx.need_writer()
    return shown(ctx, create(ctx, copies, made))


def update(ctx: Context, copies: Copies) -> Json:
    """PUT: what the body does not have is gone (5.5)."""
    body = without_nulls(ctx.body)
    event = _target(ctx, body)
    special.check_change(event, body, whole=True)
    return shown(ctx, _changed(ctx, copies, event, body))


def patch(ctx: Context, copies: Copies) -> Json:
    """PATCH: objects are merged, arrays replaced, null deletes (5.5)."""
    event = _target(ctx, ctx.body)
    special.check_change(event, ctx.body, whole=False)
    return shown(ctx, patched(ctx, copies, event, ctx.body))


def patched(ctx: Context, copies: Copies, event: Event, body: Json) -> Event:
    """The merge of PATCH as a change, for the API and for a person's hand."""
    cancels = body.get("status") == "cancelled"
    whole = merged(editable(event), body)
    if "attendeesOmitted" in body:
        whole["attendeesOmitted"] = body["attendeesOmitted"]
    if cancels:
        return delete(ctx, copies, event)
    return _changed(ctx, copies, event, whole)


def remove(ctx: Context, copies: Copies) -> Response:
    """204; once more is 410 (5.5)."""
    ctx.need_writer()
    event = look_up(ctx.shelf, ctx.params["eventId"])
    if event is None:
        raise not_found()
    _check_condition(ctx, event)
    delete(ctx, copies, event)
    return Response(204)


def import_event(ctx: Context, copies: Copies) -> Json:
    """A private copy of somebody's event; nobody is told (5.5)."""
    body = without_nulls(ctx.body)
    uid = body.get("iCalUID")
    if not uid:
        raise missing("iCalUID")
    if "id" in body:
        raise bad_id()
    ctx.need_writer()
    known = [e for e in ctx.shelf.with_uid(uid) if not e.cancelled and not e.master]
    if known and ctx.desk.env.switches.reimport == "duplicate":
        raise duplicate()
    body["eventType"] = "default"
    made = _draft(ctx, body, special.checked_id({}), "default")
    organizer = _imported_organizer(ctx, body)
    made = replace(made, uid=uid, organizer=organizer, private_copy=True)
    if known:
        made = replace(made, id=known[0].id, created=known[0].created)
    return shown(ctx, ctx.desk.put(made))


def move(ctx: Context, copies: Copies) -> Json:
    """To another calendar of the same person: the organizer changes (5.2, 5.5)."""
    ctx.need_writer()
    event = look_up(ctx.shelf, ctx.params["eventId"])
    if event is None or event.cancelled:
        raise not_found()
    if event.kind != "default":
        raise type_restriction("Only default events can be moved.")
    if event.is_instance or not event.is_organized:
        raise organizer_fixed(instance=event.is_instance)
    target, role = ctx.desk.find(ctx.account, ctx.params["destination"])
    replace(ctx, role=role).need_writer()
    if target is ctx.shelf:
        return shown(ctx, event)
    if event.id in target.events:
        raise duplicate()
    organizer = {"email": target.id}
    moved = replace(event, calendar=target.id, organizer=organizer, seq=0, stamp=0)
    for found in ctx.shelf.exceptions(event.id).values():
        there = replace(found, calendar=target.id, organizer=organizer, seq=0, stamp=0)
        ctx.desk.put(there)
        ctx.desk.put(replace(found, cancelled=True, gone=True))
    ctx.desk.put(replace(event, cancelled=True))
    made = ctx.desk.put(moved)
    invited = [g["email"] for g in made.guests]
    copies.mail(made, ctx.account, "update", invited, ctx.send_updates)
    copies.spread(made)
    return shown(replace(ctx, shelf=target, role=role), made)


# ---------------------------------------------------------------- parts


def _draft(ctx: Context, body: Json, key: str, kind: str) -> Event:
    switches = ctx.desk.env.switches
    shared = shared_fields(body, switches)
    shared |= _extras(ctx, body, None, is_put=True)
    return Event(
        calendar=ctx.shelf.id,
        id=key,
        uid=str(body.get("iCalUID") or f"{key}@google.com"),
        shared=shared,
        own=own_fields(body, switches),
        organizer=_organizer(ctx),
        creator=ctx.account,
        created=0.0,
        updated=0.0,
        sequence=max(0, body.get("sequence", 0)),
        kind=kind,
        private_copy=bool(body.get("privateCopy")),
    )


def _organizer(ctx: Context) -> Json:
    info = ctx.shelf.info
    return {"email": info.id}


def _imported_organizer(ctx: Context, body: Json) -> Json:
    given = body.get("organizer", {})
    address = str(given.get("email", "")).lower()
    if not address:
        return _organizer(ctx)
    name = given.get("displayName", "")
    return {"email": address, "displayName": name} if name else {"email": address}


def _extras(ctx: Context, body: Json, old: Event | None, *, is_put: bool) -> Json:
    """Conference and attachments, which need a parameter of their own (5.1)."""
    had = old.shared if old is not None else {}
    kept: Json = {}
    version = ctx.params.get("conferenceDataVersion", 0) == 1 or ctx.is_hand
    stays = not version and not (is_put and _wipes(ctx, old))
    conference = special.conference(
        body if version else {}, had.get("conferenceData"), is_kept=stays
    )
    if conference is not None:
        kept["conferenceData"] = conference
        if "hangoutLink" in had and conference == had.get("conferenceData"):
            kept["hangoutLink"] = had["hangoutLink"]
    if ctx.params.get("supportsAttachments") or ctx.is_hand:
        if body.get("attachments"):
            kept["attachments"] = special.attachments(body["attachments"])
    elif "attachments" in had:
        kept["attachments"] = had["attachments"]
    if "gadget" in had:
        kept["gadget"] = had["gadget"]
    return kept


def _wipes(ctx: Context, old: Event | None) -> bool:
    return old is not None and not ctx.desk.env.switches.put_keeps_conference


def _target(ctx: Context, body: Json) -> Event:
    """The event that is to be changed.

    Raises:
        ApiError: 404, 412; 403, it is deleted; 400, the body contradicts it.
    """
    ctx.need_writer()
    event = look_up(ctx.shelf, ctx.params["eventId"])
    if event is None:
        raise not_found()
    _check_condition(ctx, event)
    if event.cancelled:
        is_back = body.get("status", "") in ("confirmed", "tentative")
        if not (is_back and ctx.desk.env.switches.undelete):
            raise forbidden()
        event = replace(event, cancelled=False, removed=False, gone=False)
    private = event.own.get("visibility") in ("private", "confidential")
    if private and not ctx.can_see_private:
        raise forbidden()
    _check_identity(event, body)
    return event


def _check_identity(event: Event, body: Json) -> None:
    """What names the event may be sent along, but not changed."""
    if body.get("id", event.id) != event.id:
        raise bad_id()
    for name, attribute in _FIXED.items():
        given = body.get(name)
        if given is not None and given != getattr(event, attribute):
            raise invalid(f"Invalid value for: {name} cannot be changed.")
    organizer = (body.get("organizer") or {}).get("email")
    if organizer is not None and organizer.lower() != event.organizer.get("email"):
        raise organizer_fixed(instance=event.is_instance)
    given = body.get("sequence")
    if given is not None and given < event.sequence:
        raise stale_sequence()


def _check_condition(ctx: Context, event: Event) -> None:
    wanted = ctx.request.headers.get("if-match")
    if wanted is not None and wanted not in ("*", event.etag):
        raise condition_not_met()


def _check_untouched(ctx: Context, body: Json) -> None:
    """Times of the server on an insert were refused in one report (5.1)."""
    if ctx.desk.env.switches.refuse_times_on_insert:
        for name in ("created", "updated"):
            if name in body:
                raise invalid(f"Invalid value for: {name} is read-only.")


def _changed(ctx: Context, copies: Copies, event: Event, whole: Json) -> Event:
    """The event with a whole body's fields."""
    if whole.get("status") == "cancelled":
        return delete(ctx, copies, event)
    switches = ctx.desk.env.switches
    if whole.get("attendeesOmitted"):
        whole["attendees"] = _only_own_answer(ctx, event, whole)
    is_put = ctx.request.method == "PUT"
    shared = shared_fields(whole, switches, instance=event.is_instance)
    shared |= _extras(ctx, whole, event, is_put=is_put)
    if event.creator != ctx.account and "source" in event.shared:
        shared["source"] = event.shared["source"]
    shared = _resources_fixed(event, shared)
    own = own_fields(whole, switches)
    sequence = max(event.sequence, whole.get("sequence", event.sequence))
    new = replace(event, shared=shared, own=own, sequence=sequence)
    return change(ctx, copies, event, new)


def _only_own_answer(ctx: Context, event: Event, whole: Json) -> list[Json]:
    """`attendeesOmitted` on a write: only the caller's own answer counts (5.1)."""
    me = own_address(event, ctx.shelf)
    given = {guest["email"]: guest for guest in attendees(whole.get("attendees", []))}
    mine = given.get(me) or given.get(ctx.account)
    if mine is None:
        return event.guests
    return with_answer(event.guests, mine["email"], answer_of(mine))


def _resources_fixed(event: Event, shared: Json) -> Json:
    """`resource` counts only when the guest is added (5.1)."""
    if "attendees" not in shared:
        return shared
    known = {guest["email"]: guest.get("resource") for guest in event.guests}
    guests = []
    for guest in shared["attendees"]:
        fixed = dict(guest)
        if guest["email"] in known:
            fixed.pop("resource", None)
            if known[guest["email"]]:
                fixed["resource"] = True
        guests.append(fixed)
    return {**shared, "attendees": guests}
