"""iCalendar into a calendar: series first, then their exceptions, each once."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.events import times
from sandbox.events.copies import Copies
from sandbox.events.instances import look_up
from sandbox.events.model import Event
from sandbox.events.normalise import own_fields, shared_fields
from sandbox.events.series import instance_suffix, series_of
from sandbox.events.state import Desk, Shelf
from sandbox.load.icalendar_text import BrokenComponent, Part
from sandbox.load.moments import end_of, moment, recurrence, value
from sandbox.messages import Json

_ANSWERS = {
    "ACCEPTED": "accepted",
    "DECLINED": "declined",
    "TENTATIVE": "tentative",
}
_ADDRESS_CHARS = frozenset(' \t\r\n<>,;"')


@dataclass(slots=True)
class Loader:
    """Puts events into one calendar; what it has put in, it knows by the UID."""

    desk: Desk
    copies: Copies
    shelf: Shelf

    def add(self, part: Part, component: Any) -> bool:
        """Add one event; False if it is there already.

        Raises:
            BrokenComponent: it has no place in Google.
            ApiError: Calendar refuses it.
        """
        uid = str(value(component, "UID") or "") or _fingerprint(part)
        if component.get("RECURRENCE-ID") is not None:
            return self._add_exception(uid, component)
        if any(not event.is_instance for event in self.shelf.with_uid(uid)):
            return False
        status = str(component.get("STATUS", "")).upper()
        if status == "CANCELLED":
            raise BrokenComponent("the event is cancelled")
        body = self._body(component)
        lines = recurrence(component, self.shelf.info.zone)
        if lines:
            body["recurrence"] = lines
        event = self._event(uid, component, body, secrets.token_hex(13))
        self.copies.spread(self.desk.put(event))
        return True

    def _add_exception(self, uid: str, component: Any) -> bool:
        ranged = component["RECURRENCE-ID"].params.get("RANGE")
        if ranged:
            raise BrokenComponent(f"an exception with RANGE={ranged} has no place")
        home = self.shelf.info.zone
        slot = moment(component, "RECURRENCE-ID", home, recurs=False)
        same = self.shelf.with_uid(uid)
        master = next((e for e in same if e.is_series and not e.cancelled), None)
        if master is None:
            return self._add_orphan(uid, component, slot)
        key, found = self._occurrence(master, slot)
        if key in self.shelf.events:
            return False
        if found is None:
            raise BrokenComponent("the series has no occurrence at RECURRENCE-ID")
        if str(component.get("STATUS", "")).upper() == "CANCELLED":
            self.copies.spread(self.desk.put(replace(found, cancelled=True)))
            return True
        body = self._body(component)
        event = self._event(uid, component, body, key)
        event = replace(event, master=master.id, original=found.original)
        self.copies.spread(self.desk.put(event))
        return True

    def _add_orphan(self, uid: str, component: Any, slot: Json) -> bool:
        """One occurrence of a series that was never seen, as an invitation has it."""
        stored = times.stored(slot, "original start")
        if any(event.original == stored for event in self.shelf.with_uid(uid)):
            return False
        if str(component.get("STATUS", "")).upper() == "CANCELLED":
            raise BrokenComponent("the event is cancelled")
        start = times.instant(stored, self.shelf.home).replace(tzinfo=None)
        suffix = instance_suffix(start, None if "date" in stored else UTC)
        master = secrets.token_hex(13)
        body = self._body(component)
        event = self._event(uid, component, body, f"{master}_{suffix}")
        event = replace(event, master=master, original=stored)
        self.copies.spread(self.desk.put(event))
        return True

    def _occurrence(self, master: Event, slot: Json) -> tuple[str, Event | None]:
        series = series_of(master.shared)
        stored = times.stored(slot, "original start")
        if series.zone is None:
            at = times.instant(stored, UTC)
            start = at.replace(tzinfo=None, hour=0, minute=0)
        else:
            home = series.zone if "date" in stored else UTC
            at = times.instant(stored, home).astimezone(series.zone)
            start = at.replace(tzinfo=None)
            if "date" in stored:
                start = datetime.combine(start.date(), series.first.time())
        key = f"{master.id}_{instance_suffix(start, series.zone)}"
        return key, look_up(self.shelf, key)

    # ------------------------------------------------------------ fields

    def _event(self, uid: str, component: Any, body: Json, key: str) -> Event:
        switches = self.desk.env.switches
        me = self.shelf.info.owner
        organizer = _person(component.get("ORGANIZER"))
        address = organizer.get("email", "") if organizer else ""
        is_mine = address in ("", me, self.shelf.id)
        kept: Json = {"email": self.shelf.id} if is_mine else dict(organizer or {})
        sequence = component.get("SEQUENCE", 0)
        return Event(
            calendar=self.shelf.id,
            id=key,
            uid=uid,
            shared=shared_fields(body, switches, instance="_" in key),
            own=own_fields(body, switches),
            organizer=kept,
            creator=me if is_mine else address,
            created=0.0,
            updated=0.0,
            sequence=max(0, int(sequence)) if isinstance(sequence, int) else 0,
            private_copy=not is_mine,
        )

    def _body(self, component: Any) -> Json:
        home = self.shelf.info.zone
        recurs = (
            component.get("RRULE") is not None or component.get("RDATE") is not None
        )
        start = moment(component, "DTSTART", home, recurs=recurs)
        body: Json = {"start": start}
        body["end"] = end_of(component, start, home, recurs=recurs)
        for name in ("SUMMARY", "DESCRIPTION", "LOCATION"):
            text = component.get(name)
            if isinstance(text, list):
                text = text[0]
            if text:
                body[name.lower()] = str(text)
        if str(component.get("STATUS", "")).upper() == "TENTATIVE":
            body["status"] = "tentative"
        secrecy = str(component.get("CLASS", "")).lower()
        if secrecy in ("private", "confidential"):
            body["visibility"] = secrecy
        if str(component.get("TRANSP", "")).upper() == "TRANSPARENT":
            body["transparency"] = "transparent"
        guests = _guests(component)
        if guests:
            body["attendees"] = guests
        reminders = _reminders(component)
        if reminders:
            body["reminders"] = {"useDefault": False, "overrides": reminders}
        return body


def order(component: Any) -> int:
    """Series before the exceptions that need them."""
    return int(component.get("RECURRENCE-ID") is not None)


def _fingerprint(part: Part) -> str:
    bare = "\n".join(line.strip() for line in part.lines)
    return hashlib.sha256(bare.encode()).hexdigest()[:32] + "@loaded.example"


def _person(given: Any) -> Json | None:
    """An ORGANIZER or ATTENDEE with a usable address."""
    if given is None or isinstance(given, list):
        return None
    address = str(given).strip().lower().removeprefix("mailto:").strip()
    if address.count("@") != 1 or _ADDRESS_CHARS & set(address):
        return None
    if address.startswith("@") or address.endswith("@"):
        return None
    name = str(given.params.get("CN", "")).strip()
    named = name and name.lower() != address
    return {"email": address, "displayName": name} if named else {"email": address}


def _guests(component: Any) -> list[Json]:
    given = component.get("ATTENDEE", [])
    found = []
    for one in given if isinstance(given, list) else [given]:
        guest = _person(one)
        if guest is None:
            continue
        params = one.params
        answer = str(params.get("PARTSTAT", "")).upper()
        guest["responseStatus"] = _ANSWERS.get(answer, "needsAction")
        if str(params.get("ROLE", "")).upper() == "OPT-PARTICIPANT":
            guest["optional"] = True
        if str(params.get("CUTYPE", "")).upper() in ("ROOM", "RESOURCE"):
            guest["resource"] = True
        found.append(guest)
    return found


def _reminders(component: Any) -> list[Json]:
    """Alarms some minutes before the start; Google has no others."""
    found = []
    for alarm in component.walk("VALARM"):
        trigger = alarm.get("TRIGGER")
        before = getattr(trigger, "dt", None)
        if not isinstance(before, timedelta) or before > timedelta(0):
            continue
        minutes = int(-before.total_seconds() // 60)
        if minutes > 40_320:
            continue
        is_mail = str(alarm.get("ACTION", "")).upper() == "EMAIL"
        found.append({"method": "email" if is_mail else "popup", "minutes": minutes})
    return found[:5]
