"""One change of one event, whoever makes it: the organizer, or a guest (5.5)."""

from __future__ import annotations

from dataclasses import replace

from sandbox.events.context import Context
from sandbox.events.copies import Copies, answer_of, with_answer
from sandbox.events.errors import already_deleted, forbidden, non_organizer
from sandbox.events.instances import drop_displaced
from sandbox.events.model import Event
from sandbox.events.render import own_address
from sandbox.events.special import check_delete
from sandbox.messages import Json

_MOVES = ("start", "end", "recurrence")
_LOCKED = ("summary", "description", "location", "start", "end", "recurrence")
_LOOSE = {"default": 0, "public": 0, "private": 1, "confidential": 1}


def create(ctx: Context, copies: Copies, event: Event) -> Event:
    """Store a new event of the calendar, and invite its guests."""
    shared = {**event.shared, "attendees": _reset(ctx, event, ())}
    if not shared["attendees"]:
        del shared["attendees"]
    made = ctx.desk.put(replace(event, shared=shared))
    if not made.private_copy:
        invited = [g["email"] for g in made.guests if not g.get("resource")]
        copies.mail(made, ctx.account, "invite", invited, ctx.send_updates)
        copies.spread(made)
    return made


def change(ctx: Context, copies: Copies, old: Event, new: Event) -> Event:
    """Store a changed event where it belongs.

    Raises:
        ApiError: 403; a guest changed what only the organizer may.
    """
    if old.locked and any(old.shared.get(f) != new.shared.get(f) for f in _LOCKED):
        raise forbidden("The main fields of a locked event cannot be changed.")
    if old.is_organized or old.private_copy or not old.guests:
        return _by_organizer(ctx, copies, old, new)
    return _by_guest(ctx, copies, old, new)


def _by_organizer(ctx: Context, copies: Copies, old: Event, new: Event) -> Event:
    new = _tightened(ctx, old, new)
    shared = dict(new.shared)
    if new.guests:
        shared["attendees"] = _reset(ctx, new, old.guests)
    new = replace(new, shared=shared)
    if any(old.shared.get(name) != shared.get(name) for name in _MOVES):
        new = replace(new, sequence=max(new.sequence, old.sequence + 1))
    stored = ctx.desk.shelves[new.calendar].events.get(new.id)
    is_back = stored is not None and stored.cancelled
    same = (old.shared, old.own, old.sequence) == (new.shared, new.own, new.sequence)
    if same and not is_back:
        return old
    made = ctx.desk.put(new, silent=_is_only_reminders(ctx, old, new))
    if old.shared != made.shared or is_back:
        if old.is_series:
            for dropped in drop_displaced(ctx.desk, made):
                copies.spread(dropped)
        if not made.private_copy:
            copies.mail_change(old, made, ctx.account, ctx.send_updates)
            copies.spread(made)
    return ctx.desk.shelves[made.calendar].events[made.id]


def _by_guest(ctx: Context, copies: Copies, old: Event, new: Event) -> Event:
    """A guest may answer, bring others, and change what is the own copy's."""
    me = own_address(old, ctx.shelf)
    rest = {k: v for k, v in new.shared.items() if k != "attendees"}
    before = {k: v for k, v in old.shared.items() if k != "attendees"}
    if rest != before:
        if not old.shared.get("guestsCanModify"):
            raise non_organizer()
        return _as_organizer(ctx, copies, old, new)
    answer, brought = _guests_wish(old, new, me)
    if brought:
        if not old.shared.get("guestsCanInviteOthers", True):
            raise non_organizer()
        return _as_organizer(ctx, copies, old, new)
    guests = with_answer(old.guests, me, answer) if answer is not None else old.guests
    switches = ctx.desk.env.switches
    if not switches.guests_write_private and _private(old) != _private(new):
        raise non_organizer()
    shared = {**old.shared, "attendees": guests}
    if (shared, new.own) == (old.shared, old.own):
        return old
    silent = _is_only_reminders(ctx, old, replace(new, shared=old.shared))
    made = replace(new, shared=shared, sequence=old.sequence)
    made = ctx.desk.put(made, silent=silent and shared == old.shared)
    if guests != old.guests and answer is not None:
        copies.answer(made, me, answer, ctx.send_updates)
    return ctx.desk.shelves[made.calendar].events[made.id]


def _private(event: Event) -> Json:
    found: Json = event.own.get("private", {})
    return found


def _guests_wish(old: Event, new: Event, me: str) -> tuple[Json | None, bool]:
    """The guest's own new answer, and whether others were brought along.

    Raises:
        ApiError: 403; somebody else was removed or answered for.
    """
    before = {guest["email"]: guest for guest in old.guests}
    after = {guest["email"]: guest for guest in new.guests}
    for address, guest in before.items():
        if address != me and after.get(address) != guest:
            raise non_organizer()
    if me in before and me not in after:
        raise non_organizer()
    answer = answer_of(after[me]) if me in after and me in before else None
    if answer is not None and answer == answer_of(before[me]):
        answer = None
    return answer, bool(after.keys() - before.keys())


def _as_organizer(ctx: Context, copies: Copies, old: Event, new: Event) -> Event:
    """A guest's change of shared fields, where it is allowed, is the organizer's."""
    desk = ctx.desk
    made = desk.put(replace(new, sequence=old.sequence))
    target = desk.shelves.get(str(old.organizer.get("email", "")))
    if target is None:
        return made
    theirs = target.events.get(old.id)
    if theirs is None:
        master = target.events.get(old.master or "")
        if master is None:
            return made
        theirs = replace(old, calendar=target.id, own=master.own, seq=0, stamp=0)
    at_home = replace(ctx, shelf=target, role="owner", account=ctx.account)
    _by_organizer(at_home, copies, theirs, replace(theirs, shared=new.shared))
    return desk.shelves[made.calendar].events[made.id]


def _reset(ctx: Context, event: Event, had: list[Json] | tuple[()]) -> list[Json]:
    """Guests who are added come without an answer (5.1)."""
    if not ctx.desk.env.switches.added_answers_reset:
        return event.guests
    known = {guest["email"] for guest in had}
    mine = (ctx.account, event.calendar)
    return [
        guest
        if guest["email"] in known or guest["email"] in mine
        else {**guest, "responseStatus": "needsAction"}
        for guest in event.guests
    ]


def _tightened(ctx: Context, old: Event, new: Event) -> Event:
    """On an instance the visibility can only be tightened, for the series (5.1)."""
    was = old.own.get("visibility", "default")
    now = new.own.get("visibility", "default")
    if not old.is_instance or was == now:
        return new
    own = {k: v for k, v in new.own.items() if k != "visibility"}
    if _LOOSE[now] < _LOOSE[was]:
        return replace(new, own={**own, "visibility": was} if was != "default" else own)
    shelf = ctx.shelf
    for found in (shelf.events.get(old.master or ""),):
        if found is not None:
            ctx.desk.put(replace(found, own={**found.own, "visibility": now}))
    return new


def _is_only_reminders(ctx: Context, old: Event, new: Event) -> bool:
    """Reminders leave the time and the feed alone (5.1, 11.19)."""
    if ctx.desk.env.switches.reminders_in_feed or not old.seq:
        return False
    before = {k: v for k, v in old.own.items() if k != "reminders"}
    after = {k: v for k, v in new.own.items() if k != "reminders"}
    return (old.shared, old.sequence, before) == (new.shared, new.sequence, after)


# ---------------------------------------------------------------- delete


def delete(ctx: Context, copies: Copies, event: Event) -> Event:
    """Cancel an event: the organizer's for all, a guest's copy for the guest alone.

    Raises:
        ApiError: 410, it is deleted already; 400, its type forbids it.
    """
    if event.cancelled:
        raise already_deleted()
    check_delete(event)
    desk, me = ctx.desk, own_address(event, ctx.shelf)
    is_guest = not event.is_organized and not event.private_copy
    gone = desk.put(replace(event, cancelled=True, removed=is_guest))
    if event.is_series:
        for found in ctx.shelf.exceptions(event.id).values():
            was_live = not found.cancelled
            dropped = desk.put(replace(found, cancelled=True, gone=True))
            if was_live:
                copies.spread(dropped)
    if is_guest:
        if any(guest["email"] == me for guest in event.guests):
            declined = {"responseStatus": "declined"}
            copies.answer(gone, me, declined, ctx.send_updates)
        return gone
    if not event.private_copy:
        invited = [g["email"] for g in event.guests if not g.get("resource")]
        copies.mail(gone, ctx.account, "cancel", invited, ctx.send_updates)
        copies.spread(gone)
    return gone
