"""A Google event as an activity (CAL-24): wire -> values, and what is noted beside.

Pure: nothing is requested here. Writing is in `activities_out`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from crmsync.connectors.google.mapping import guests, properties
from crmsync.connectors.google.mapping.description import read_description
from crmsync.connectors.google.mapping.repeats import Repeats, read_repeats
from crmsync.connectors.google.mapping.texts import clean, is_clean
from crmsync.connectors.google.mapping.when import (
    When,
    read_moment,
    read_when,
    slot_of_suffix,
    zone_of,
)
from crmsync.records.activities import CANCELLED, PRIVATE, is_timeless
from crmsync.records.remote import Remote
from crmsync.records.values import SideName, Values

Wire = Mapping[str, Any]
PrivateEvents = Literal["full", "busy", "skip"]
SectionMode = Literal["always", "colleagues_only", "never"]

EVENT_FIELDS = (
    "id,etag,status,updated,summary,description,location,start,end,endTimeUnspecified,"
    "recurrence,recurringEventId,originalStartTime,attendees,attendeesOmitted,organizer,"
    "visibility,extendedProperties,iCalUID,locked,privateCopy,guestsCanModify,eventType"
)
BUSY = "Busy"
PRIVATE_FIELDS = frozenset(
    {"subject", "location", "notes", "attendees", "context", "guest_list", "rooms"}
)
"""What `private_events = busy` keeps to itself."""

_SHOWN = {"organizer": False, "guests": 0, "marker": ""}
_PRIVATE = frozenset({"private", "confidential"})


def _nobody(_address: str) -> bool:
    return False


def _every(_values: Values) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Reading:
    """What events are read and written with.

    Attributes:
        own: the account's address.
        installation: whose markers are ours.
        sign: signs and verifies markers; None: there are none.
        private_events: what becomes of the user's own private events (CAL-21).
        context_section: when the CRM's section is written (CAL-5).
        is_colleague: whether an address is a colleague's.
        expresses: whether the CRM can express a series (CAL-17).
        source: what all events of the calendar come from if they are only shown in the
            CRM (CAL-23), else "".
    """

    own: str = ""
    installation: str = ""
    sign: properties.Sign | None = None
    private_events: PrivateEvents = "full"
    context_section: SectionMode = "colleagues_only"
    is_colleague: Callable[[str], bool] = _nobody
    expresses: Callable[[Values], bool] = _every
    source: str = ""

    def may_show(self, addresses: str) -> bool:
        """Whether an event with these other guests may carry the CRM's section."""
        if self.context_section == "colleagues_only":
            return all(self.is_colleague(line) for line in addresses.splitlines())
        return self.context_section == "always"


def gone(remote_id: str, etag: str = "", stamp: str = "") -> Remote:
    """Return an event that does not exist any more."""
    return Remote(SideName.GOOGLE, remote_id, etag=etag, is_gone=True, stamp=stamp)


def tidy(event: Wire) -> dict[str, Any]:
    """Return an event without characters that nothing takes."""
    found: dict[str, Any] = dict(event) if is_clean(event) else clean(event)
    return found


def is_private(event: Wire) -> bool:
    """Whether an event is private for who looks at the calendar."""
    return str(event.get("visibility") or "") in _PRIVATE


def keeps_to_itself(event: Wire, reading: Reading) -> bool:
    """Whether an event is the user's own private one, born in Google (CAL-21)."""
    return (
        reading.private_events != "full"
        and is_private(event)
        and guests.is_organizer(event, reading.own)
        and not is_from_crm(event, reading)
    )


def is_left_out(event: Wire, reading: Reading) -> bool:
    """Whether an event is nothing to the CRM, not even if it was linked.

    That is a private one, if these are skipped (CAL-21), and in a calendar that is only
    shown one that was made from an activity: the CRM has that already (CAL-23).
    """
    if reading.source and is_from_crm(event, reading):
        return True
    return reading.private_events == "skip" and keeps_to_itself(event, reading)


def is_from_crm(event: Wire, reading: Reading) -> bool:
    """Whether we made an event from a CRM activity."""
    if reading.sign is None:
        return bool(properties.key_of(event))
    return bool(properties.read_marker(event, reading.installation, reading.sign))


def event_to_remote(wire: Wire, reading: Reading) -> Remote:
    """Return an event as the cycle sees it; never fails."""
    remote = _read(wire, reading)
    return imported(remote, reading.source) if reading.source else remote


def imported(remote: Remote, source: str) -> Remote:
    """Return an event as one that is only shown in the CRM (CAL-17, CAL-23).

    Keys and markers in it are about somebody else's activity.
    """
    if remote.is_gone:
        return remote
    record = {**remote.record, **_SHOWN, "imported": source}
    values = remote.values
    if not values.get("cancelled"):
        values = {**values, "attendees": "", "context": "", "imported": source}
    return replace(remote, values=values, record=record, key="")


def _read(wire: Wire, reading: Reading) -> Remote:
    event = tidy(wire)
    remote_id, etag = str(event.get("id") or ""), str(event.get("etag") or "")
    stamp = str(event.get("updated") or "")
    series = str(event.get("recurringEventId") or "")
    is_cancelled = event.get("status") == "cancelled"
    if is_cancelled and not series:
        return gone(remote_id, etag, stamp)
    record = _noted(event, series, reading)
    if is_cancelled:
        slot = _slot(event)
        values: Values = {"slot": slot, "cancelled": CANCELLED}
        if not slot:
            record["odd"] = "Google does not say which occurrence was cancelled."
    else:
        values = _values(event, series, reading, record)
    return Remote(
        side=SideName.GOOGLE,
        remote_id=remote_id,
        is_selected=not is_left_out(event, reading),
        etag=etag,
        values=values,
        record=record,
        key=properties.key_of(event),
        stamp=stamp,
        modified_at=_modified_at(stamp),
    )


def _noted(event: Wire, series: str, reading: Reading) -> dict[str, Any]:
    """Return what is noted beside the fields (`records.activities.note_of`)."""
    is_own = guests.is_organizer(event, reading.own)
    may_edit = is_own or bool(event.get("guestsCanModify"))
    record: dict[str, Any] = {
        "organizer": is_own,
        "series": series,
        "guests": len(guests.others(event, reading.own)),
        "marker": properties.read_marker(event, reading.installation, reading.sign),
        "uid": str(event.get("iCalUID") or ""),
        "locked": bool(event.get("locked") or event.get("privateCopy")) or not may_edit,
    }
    hidden = _hidden(event, is_own=is_own)
    if hidden:
        record["hidden"] = hidden
    if str(event.get("eventType") or "default") != "default":
        record["odd"] = f"Google keeps it as {event['eventType']}: it is left alone."
    return record


def _hidden(event: Wire, *, is_own: bool) -> list[str]:
    """Name the fields that Google does not show to this user: they are not blank."""
    if not is_own and is_private(event) and not event.get("summary"):
        return sorted(PRIVATE_FIELDS)
    omitted = ["attendees", "guest_list", "rooms"]
    return omitted if event.get("attendeesOmitted") else []


def _values(
    event: Wire, series: str, reading: Reading, record: dict[str, Any]
) -> dict[str, str]:
    when = read_when(event)
    repeats = Repeats()
    if not series and event.get("recurrence"):
        repeats = read_repeats(event["recurrence"], when.start, when.zone)
    zone = series_zone(when) if repeats.lines else ""
    text = read_description(str(event.get("description") or ""))
    slot = _slot(event) if series else ""
    values = {
        "subject": str(event.get("summary") or ""),
        "start": when.start,
        "duration": str(when.minutes),
        "location": str(event.get("location") or ""),
        "notes": text.notes,
        "recurrence": repeats.lines,
        "zone": zone,
        "attendees": guests.read_guests(event, reading.own),
        "guest_list": guests.read_list(event, reading.own),
        "rooms": guests.read_rooms(event),
        "answer": guests.read_answer(event, reading.own),
        "cancelled": "",
        "slot": slot,
        "visibility": PRIVATE if is_private(event) else "",
        "context": text.context or "",
        "imported": "",
    }
    odd = _odd(when, repeats, is_lost=bool(series) and not slot)
    if odd and "odd" not in record:
        record["odd"] = odd
        record["odd_in"] = "recurrence" if repeats.odd else "start"
    if keeps_to_itself(event, reading):
        return _veiled(values)
    return values


def series_zone(when: When) -> str:
    return "" if not when.start or is_timeless(when.start) else when.zone or "UTC"


def _odd(when: When, repeats: Repeats, *, is_lost: bool) -> str:
    """Return why an event is set aside, "" if it is not."""
    if when.odd or repeats.odd:
        return when.odd or repeats.odd
    if is_lost:
        return "Google does not say which occurrence of its series it is."
    if repeats.lines and when.zone and zone_of(when.zone) is None:
        return f"The time zone {when.zone} is not known."
    return ""


def _veiled(values: dict[str, str]) -> dict[str, str]:
    """Return what is told of a private event: when it is, and nothing else."""
    return {**values, **dict.fromkeys(PRIVATE_FIELDS, ""), "subject": BUSY}


def _slot(event: Wire) -> str:
    slot = read_moment(event.get("originalStartTime"))[0]
    return slot or slot_of_suffix(str(event.get("id") or ""))


def _modified_at(stamp: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return found if found.tzinfo else None
