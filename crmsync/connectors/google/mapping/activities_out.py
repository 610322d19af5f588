"""An activity as a Google event: the body of an insert, and of a PATCH.

A PATCH carries changed fields only. It merges objects and replaces arrays whole, so
that guests are always taken from the event as it is now (contract, 5.5).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crmsync.connectors.google.mapping import guests, properties
from crmsync.connectors.google.mapping.activities import (
    PRIVATE_FIELDS,
    Reading,
    is_from_crm,
    keeps_to_itself,
)
from crmsync.connectors.google.mapping.description import (
    read_description,
    write_description,
)
from crmsync.connectors.google.mapping.repeats import write_repeats
from crmsync.connectors.google.mapping.when import without_nulls, write_when
from crmsync.errors import InvalidRecord
from crmsync.ports import Edit, NewRecord
from crmsync.records.activities import CANCELLED, PRIVATE, is_timeless
from crmsync.records.values import Values

Wire = Mapping[str, Any]
Body = dict[str, Any]

NOT_ORGANIZER = "not_organizer"
"""Code of the error that says that only the organiser may do this."""

LONGEST_DESCRIPTION = 8192
_TIMES = frozenset({"start", "duration", "zone"})
_NEEDS_FRESH = frozenset(
    {"attendees", "notes", "context", "recurrence", "zone", "answer", "cancelled"}
)


def new_event(record: NewRecord, event_id: str, reading: Reading) -> Body:
    """Return the body of an insert.

    Args:
        record: what it is to hold.
        event_id: our id for it; "" leaves it to Google, and the marker away.
        reading: what events are written with.

    Raises:
        InvalidRecord: the values are no event.
    """
    values, sign = record.values, reading.sign if event_id else None
    if not values.get("start"):
        raise InvalidRecord("The activity has no start.", ("start",))
    addresses = values.get("attendees", "")
    context = values.get("context", "") if reading.may_show(addresses) else ""
    body: Body = {
        "id": event_id or None,
        "summary": values.get("subject") or None,
        "location": values.get("location") or None,
        "description": _description("", values.get("notes", ""), context) or None,
        **_when(values),
        "recurrence": _recurrence(values),
        "attendees": guests.write_guests({}, reading.own, addresses),
        "visibility": PRIVATE if values.get("visibility") == PRIVATE else None,
        "extendedProperties": {
            "private": properties.write_key(record.key, event_id),
            "shared": properties.write_marker(record.key, event_id, sign) or None,
        },
    }
    whole: Body = without_nulls(body)
    return whole


def needs_fresh(edit: Edit, reading: Reading) -> bool:
    """Whether an edit can be written only on top of the event as it is now."""
    is_veiled = reading.private_events != "full" and bool(edit.seen.get("visibility"))
    if not edit.values or not edit.etag or is_veiled:
        return True
    return not _NEEDS_FRESH.isdisjoint(edit.values)


def patch_of(edit: Edit, fresh: Wire | None, reading: Reading) -> Body:
    """Return the body of a PATCH, empty if there is nothing to write.

    Args:
        edit: the fields to write.
        fresh: the event as it is now; None if `needs_fresh` says that it is not used.
        reading: what events are written with.

    Raises:
        InvalidRecord: Google has no form for a value, or it is not ours to write.
    """
    values = edit.values
    if fresh is not None:
        _refuse_private(fresh, values, reading)
        if fresh.get("status") == "cancelled" and values.get("cancelled") == CANCELLED:
            return {}
    body: Body = {}
    if values.get("cancelled") == CANCELLED:
        body["status"] = "cancelled"
    else:
        body = _fields(edit, fresh, reading)
        if "cancelled" in values and fresh and fresh.get("status") == "cancelled":
            body["status"] = "confirmed"
    key = _key(edit, fresh, reading)
    if key:
        body["extendedProperties"] = {"private": key}
    return body


def _fields(edit: Edit, fresh: Wire | None, reading: Reading) -> Body:
    values, body = edit.values, Body()
    for name, wire in (("subject", "summary"), ("location", "location")):
        if name in values:
            body[wire] = values[name] or None
    if "visibility" in values:
        body["visibility"] = PRIVATE if values["visibility"] == PRIVATE else "default"
    after = {**edit.seen, **values}
    if _TIMES & values.keys() or _starts_to_repeat(edit):
        body.update(_when(after))
    if "recurrence" in values or _moves_dates(edit):
        body["recurrence"] = _recurrence(after)
    if fresh is not None:
        body.update(_of_fresh(edit, fresh, reading))
    return body


def _of_fresh(edit: Edit, fresh: Wire, reading: Reading) -> Body:
    """Return what has to be written on top of the present event."""
    values, body = edit.values, Body()
    is_own = guests.is_organizer(fresh, reading.own)
    if "attendees" in values:
        if not is_own:
            raise InvalidRecord(
                "Only the organiser of this event can change its guests.",
                ("attendees",),
                code=NOT_ORGANIZER,
            )
        wanted = guests.write_guests(fresh, reading.own, values["attendees"])
        if wanted is not None:
            body["attendees"] = wanted
    if "answer" in values:
        answer = guests.write_answer(fresh, reading.own, values["answer"])
        if answer is not None:
            body.update(attendees=answer, attendeesOmitted=True)
    if {"notes", "context", "attendees"} & values.keys():
        before = str(fresh.get("description") or "")
        context = _context(edit, fresh, reading)
        after = _description(before, values.get("notes"), context)
        if after != before:
            body["description"] = after or None
    return body


def _context(edit: Edit, fresh: Wire, reading: Reading) -> str | None:
    """Return the section to write, "" for none, None to leave what is there (CAL-5)."""
    addresses = edit.values.get("attendees")
    if addresses is None:
        addresses = guests.read_guests(fresh, reading.own)
    present = read_description(str(fresh.get("description") or "")).context
    if not reading.may_show(addresses):
        return "" if present is not None else None
    if present is None and (
        edit.base.get("context") or not is_from_crm(fresh, reading)
    ):
        return None  # a person deleted the section, or it was never ours to add
    return edit.values.get("context")


def _description(before: str, notes: str | None, context: str | None) -> str:
    """Return a description that Google takes: a section that is too much goes."""
    after = write_description(before, notes, context)
    if len(after) <= LONGEST_DESCRIPTION or not context:
        return after
    return write_description(before, notes, "")


def _refuse_private(fresh: Wire, values: Values, reading: Reading) -> None:
    if not keeps_to_itself(fresh, reading):
        return
    if reading.private_events == "skip" or not PRIVATE_FIELDS.isdisjoint(values):
        raise InvalidRecord(
            "The event is private: change it in Google Calendar.",
            tuple(sorted(PRIVATE_FIELDS & values.keys())),
            code="private_event",
        )


def _key(edit: Edit, fresh: Wire | None, reading: Reading) -> dict[str, str]:
    """Return the key's properties where they are missing.

    Not in an event of somebody else: Google may refuse even that (contract, 5.3).
    """
    if not edit.key:
        return {}
    if fresh is not None:
        has_it = properties.key_of(fresh) == edit.key
        if has_it or not guests.is_organizer(fresh, reading.own):
            return {}
    return properties.write_key(edit.key, edit.remote_id)


def _when(values: Values) -> Body:
    start, zone = values.get("start", ""), values.get("zone", "")
    if values.get("recurrence") and not is_timeless(start):
        zone = zone or "UTC"
    if is_timeless(start):
        zone = ""
    return write_when(start, values.get("duration", ""), zone)


def _recurrence(values: Values) -> list[str] | None:
    lines = values.get("recurrence", "")
    if not lines:
        return None
    return write_repeats(lines, values.get("start", ""), values.get("zone", ""))


def _starts_to_repeat(edit: Edit) -> bool:
    return bool(edit.values.get("recurrence")) and not edit.seen.get("recurrence")


def _moves_dates(edit: Edit) -> bool:
    """Whether times in the lines are local to something that changes."""
    lines = str(edit.seen.get("recurrence", ""))
    was, start = edit.seen.get("start", ""), edit.values.get("start")
    has_turned = start is not None and is_timeless(start) != is_timeless(was)
    return "DATE:" in lines and ("zone" in edit.values or has_turned)
