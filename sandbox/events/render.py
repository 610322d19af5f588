"""From a stored event to what an answer shows, and to what a PATCH starts from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo

from sandbox.events import times
from sandbox.events.model import Event
from sandbox.events.state import Shelf
from sandbox.messages import Json

_FLAT = (
    "summary",
    "description",
    "location",
    "guestsCanModify",
    "guestsCanInviteOthers",
    "guestsCanSeeOtherGuests",
    "anyoneCanAddSelf",
    "endTimeUnspecified",
    "recurrence",
    "hangoutLink",
    "conferenceData",
    "attachments",
    "gadget",
    "birthdayProperties",
    "focusTimeProperties",
    "outOfOfficeProperties",
    "workingLocationProperties",
)
_OWN = ("colorId", "eventLabelId", "visibility", "transparency")
Names = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class View:
    """How a calendar's events are shown to this caller in this answer."""

    shelf: Shelf
    account: str
    zone: tzinfo
    names: Names
    most_guests: int | None = None
    sees_private: bool = True
    busy_only: bool = False
    full_tombstones: bool = False


def event(found: Event, view: View) -> Json:
    """The event as JSON; a deleted one has only what is guaranteed (5.4.3)."""
    if found.cancelled and not (view.full_tombstones and not found.is_instance):
        return tombstone(found, view)
    private = found.own.get("visibility") in ("private", "confidential")
    if view.busy_only or (private and not view.sees_private):
        return _busy(found, view)
    shown = _head(found)
    shared = found.shared
    shown["status"] = "cancelled" if found.cancelled else _status(found)
    shown["htmlLink"] = f"https://www.google.com/calendar/event?eid={found.id}"
    shown["created"] = times.stamp(found.created)
    shown["updated"] = times.stamp(found.updated)
    shown |= {name: shared[name] for name in _FLAT if name in shared}
    shown |= {name: found.own[name] for name in _OWN if name in found.own}
    if found.creator == view.account and "source" in shared:
        shown["source"] = shared["source"]
    shown["creator"] = _person({"email": found.creator}, view)
    shown["organizer"] = _person(found.organizer, view)
    shown |= _when(found, view)
    shown["iCalUID"] = found.uid
    shown["sequence"] = found.sequence
    shown |= _attendees(found, view)
    properties = _properties(found)
    if properties:
        shown["extendedProperties"] = properties
    shown["reminders"] = found.own.get("reminders", {"useDefault": True})
    for name, is_set in (
        ("privateCopy", found.private_copy),
        ("locked", found.locked),
    ):
        if is_set:
            shown[name] = True
    shown["eventType"] = found.kind
    return shown


def tombstone(found: Event, view: View) -> Json:
    shown = {**_head(found), "status": "cancelled"}
    if found.is_instance:
        shown |= _place(found, view)
    return shown


def editable(found: Event) -> Json:
    """The fields of a body again: what a PATCH is merged into."""
    body: Json = {k: v for k, v in found.shared.items() if k != "shared"}
    body |= {k: v for k, v in found.own.items() if k != "private"}
    properties = _properties(found)
    if properties:
        body["extendedProperties"] = properties
    return body


def own_address(found: Event, shelf: Shelf) -> str:
    """The guest that this calendar stands for: its owner, if it is the own one."""
    return shelf.info.owner if shelf.info.primary else found.calendar


# ---------------------------------------------------------------- parts


def _head(found: Event) -> Json:
    return {"kind": "calendar#event", "etag": found.etag, "id": found.id}


def _status(found: Event) -> str:
    return str(found.shared.get("status", "confirmed"))


def _when(found: Event, view: View) -> Json:
    shown = {n: times.shown(found.shared[n], view.zone) for n in ("start", "end")}
    return {**shown, **_place(found, view)} if found.is_instance else shown


def _place(found: Event, view: View) -> Json:
    """The occurrence that this is, wherever it has been moved to."""
    original = times.shown(found.original or {}, view.zone)
    return {"recurringEventId": found.master, "originalStartTime": original}


def _properties(found: Event) -> Json:
    both = {"private": found.own.get("private"), "shared": found.shared.get("shared")}
    return {name: values for name, values in both.items() if values}


def _person(stored: Json, view: View) -> Json:
    shown = dict(stored)
    name = shown.get("displayName") or view.names(shown.get("email", ""))
    if name:
        shown["displayName"] = name
    if shown.get("email") == view.shelf.id:
        shown["self"] = True
    return shown


def _attendees(found: Event, view: View) -> Json:
    """Guests with their flags; cut if there are more than asked for (5.1)."""
    if not found.guests:
        return {}
    mine = own_address(found, view.shelf)
    listed = []
    for guest in found.guests:
        shown = dict(guest)
        if guest["email"] == mine:
            shown["self"] = True
        if guest["email"] == found.organizer.get("email"):
            shown["organizer"] = True
        listed.append(shown)
    hidden = not found.shared.get("guestsCanSeeOtherGuests", True)
    cut = view.most_guests is not None and len(listed) > view.most_guests
    if cut or (hidden and not found.is_organized):
        listed = [guest for guest in listed if guest.get("self")]
        shown = {"attendeesOmitted": True}
        return {**shown, "attendees": listed} if listed else shown
    return {"attendees": listed}


def _busy(found: Event, view: View) -> Json:
    """What one sees who must not see details: when, and that it is private."""
    shown = {**_head(found), "status": _status(found)}
    shown["updated"] = times.stamp(found.updated)
    shown["visibility"] = "private"
    if "transparency" in found.own:
        shown["transparency"] = found.own["transparency"]
    shown |= _when(found, view)
    if "recurrence" in found.shared:
        shown["recurrence"] = found.shared["recurrence"]
    shown["iCalUID"] = found.uid
    shown["eventType"] = found.kind
    return shown
