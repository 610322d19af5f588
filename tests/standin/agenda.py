"""Events of one calendar, as the contract describes Google's (section 5)."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from tests.standin.basics import Clock, Json, digest, written

READ_ONLY = {"etag", "updated", "created", "htmlLink", "organizer", "creator", "kind"}
LISTED = {
    "calendarId", "singleEvents", "eventTypes", "maxResults", "fields", "prettyPrint",
    "pageToken", "syncToken", "timeMin", "timeMax", "showDeleted", "originalStart",
    "alt",
}  # fmt: skip
NEVER_WITH_TOKEN = {"timeMin", "timeMax", "updatedMin", "q", "orderBy", "iCalUID"}
CLIENT_ID = re.compile(r"[a-v0-9]{5,1024}")


class Refused(Exception):
    """An answer in the shape of the older APIs."""

    def __init__(
        self, code: int, reason: str, message: str = "", domain: str = "global"
    ):
        super().__init__(message or reason)
        self.code = code
        error = {"domain": domain, "reason": reason, "message": str(self)}
        whole = {"errors": [error], "code": code, "message": str(self)}
        self.body: Json = {"error": whole}


def not_found() -> Refused:
    return Refused(404, "notFound", "Not Found")


@dataclass
class Agenda:
    """One account's calendar; a person's hand is `put`, `change` and `remove`."""

    owner: str
    clock: Clock
    page_cap: int = 7
    events: dict[str, Json] = field(default_factory=dict)
    order: dict[str, int] = field(default_factory=dict)
    tokens: dict[str, tuple[int, str]] = field(default_factory=dict)
    pages: dict[str, tuple[list[Json], str, str]] = field(default_factory=dict)
    mails: list[tuple[str, str]] = field(default_factory=list)
    oldest: int = 0
    is_gone: bool = False
    _turn: int = 0

    # -------------------------------------------------------------- by hand

    def put(self, **fields: Any) -> str:
        name = str(
            fields.pop("id", "") or digest("event", len(self.events), self.owner)
        )
        event = {
            "id": name,
            "status": "confirmed",
            "iCalUID": f"{name}@google.com",
            "organizer": {"email": self.owner, "self": True},
            **fields,
        }
        self.store(event)
        return name

    def change(self, name: str, **fields: Any) -> None:
        self.store({**(self.events.get(name) or self.instance(name)), **fields})

    def remove(self, name: str) -> None:
        self.store({**self.events[name], "status": "cancelled"})

    # -------------------------------------------------------------- storing

    def store(self, event: Json) -> Json:
        self._turn += 1
        event = {k: v for k, v in event.items() if v is not None}
        for guest in event.get("attendees", []):
            guest["email"] = guest["email"].lower()
            guest.setdefault("responseStatus", "needsAction")
            if guest["email"] == self.owner:
                guest["self"] = True
        event["etag"] = f'"{digest(self._turn, event["id"])}"'
        event["updated"] = written(self.clock.stamp())[:23] + "Z"
        self.events[event["id"]] = event
        self.order[event["id"]] = self._turn
        return event

    def shown(self, name: str) -> Json:
        event = self.events.get(name)
        return copy.deepcopy(event) if event else self.instance(name)

    def instance(self, name: str) -> Json:
        """Return an occurrence that nobody has changed yet."""
        series, _, suffix = name.rpartition("_")
        master = self.events.get(series)
        if master is None or not master.get("recurrence"):
            raise not_found()
        if master["status"] == "cancelled":
            raise not_found()
        for slot in self._slots(master):
            if _suffix(slot) == suffix:
                return _as_instance(master, name, slot)
        raise not_found()

    def _slots(self, master: Json) -> list[datetime | date]:
        start = master["start"]
        zone = ZoneInfo(start.get("timeZone", "UTC"))
        if "date" in start:
            first = datetime.fromisoformat(start["date"])
        else:
            at = datetime.fromisoformat(start["dateTime"])
            first = at.astimezone(zone).replace(tzinfo=None) if at.tzinfo else at
        lines = "\n".join(
            re.sub(r"(UNTIL=\d{8}T\d{6})Z", r"\1", x)
            for x in master["recurrence"]
            if x.startswith("RRULE")
        )
        rules = rrulestr(lines, dtstart=first)
        last = first + timedelta(days=3 * 366)
        found = rules.between(first, last, inc=True)
        if "date" in start:
            return [at.date() for at in found]
        return [at.replace(tzinfo=zone) for at in found]

    # -------------------------------------------------------------- the API

    def get(self, name: str) -> Json:
        return self.shown(name)

    def insert(self, body: Json, updates: str) -> Json:
        name = body.get("id") or digest("made", self._turn, body.get("summary"))
        if "id" in body and not CLIENT_ID.fullmatch(str(name)):
            raise Refused(400, "invalid", "Invalid resource id value.")
        if name in self.events:
            raise Refused(409, "duplicate", "The requested identifier already exists.")
        if READ_ONLY & body.keys() or "sequence" in body:
            raise Refused(400, "invalid", "Read-only fields were sent.")
        event = {
            "status": "confirmed",
            "iCalUID": f"{name}@google.com",
            "organizer": {"email": self.owner, "self": True},
            **copy.deepcopy(body),
            "id": name,
        }
        _check(event)
        self._mail(event, updates)
        return copy.deepcopy(self.store(event))

    def patch(self, name: str, body: Json, etag: str, updates: str) -> Json:
        before = self.shown(name)
        if etag and etag != before.get("etag"):
            raise Refused(412, "conditionNotMet", "Precondition Failed")
        if READ_ONLY & body.keys() or "sequence" in body:
            raise Refused(400, "invalid", "Read-only fields were sent.")
        if before["status"] == "cancelled" and body.get("status") != "confirmed":
            raise Refused(403, "forbidden", "Forbidden")
        if before.get("eventType", "default") != "default":
            raise Refused(400, "eventTypeRestriction", domain="calendar")
        if not before["organizer"].get("self"):
            return self._answer(before, body)
        after = merged(before, body)
        if body.get("status") != "cancelled":
            _check(after)
        if "attendees" in body and not body.get("attendeesOmitted"):
            after["attendees"] = copy.deepcopy(body["attendees"])
        self._mail(after, updates)
        return copy.deepcopy(self.store(after))

    def _answer(self, before: Json, body: Json) -> Json:
        """Somebody else's event takes the own answer and private parts only."""
        if body.keys() - {"attendees", "attendeesOmitted", "extendedProperties"}:
            raise Refused(403, "forbiddenForNonOrganizer", domain="calendar")
        if body.get("attendees") and not body.get("attendeesOmitted"):
            raise Refused(403, "forbiddenForNonOrganizer", domain="calendar")
        for sent in body.get("attendees", []):
            for guest in before["attendees"]:
                if guest["email"] == sent["email"] == self.owner:
                    guest.update(sent)
        return copy.deepcopy(self.store(before))

    def delete(self, name: str, etag: str, updates: str) -> None:
        event = self.shown(name)
        if etag and etag != event["etag"]:
            raise Refused(412, "conditionNotMet", "Precondition Failed")
        if event["status"] == "cancelled":
            raise Refused(410, "deleted", "Resource has been deleted")
        self._mail(event, updates)
        self.store({**event, "status": "cancelled"})

    def _mail(self, event: Json, updates: str) -> None:
        if updates not in {"all", "externalOnly", "none"}:
            raise Refused(400, "required", "A client of ours says whom to notify.")
        guests = [g for g in event.get("attendees", []) if not g.get("self")]
        if updates == "all":
            self.mails += [(event["id"], guest["email"]) for guest in guests]

    # -------------------------------------------------------------- listing

    def page(self, query: dict[str, str]) -> Json:
        if self.is_gone:
            raise not_found()
        if query.keys() - LISTED:
            raise Refused(400, "badRequest", f"Unknown: {query.keys() - LISTED}")
        same = {k: v for k, v in query.items() if k not in
                {"pageToken", "syncToken", "timeMin", "timeMax"}}  # fmt: skip
        shape = repr(sorted(same.items()))
        if "pageToken" in query:
            items, token, was = self.pages[query["pageToken"]]
            if was != shape:
                raise Refused(400, "invalid", "The query differs from the first one.")
        else:
            items, token = self._first(query, shape)
        cap = min(self.page_cap, int(query.get("maxResults", 250)))
        page: Json = {"kind": "calendar#events"}
        if items[:cap]:
            page["items"] = items[:cap]
        if len(items) <= cap:
            page["nextSyncToken"] = token
            return page
        self.pages[digest("page", len(self.pages))] = (items[cap:], token, shape)
        page["nextPageToken"] = list(self.pages)[-1]
        return page

    def _first(self, query: dict[str, str], shape: str) -> tuple[list[Json], str]:
        since = -1
        if "syncToken" in query:
            if NEVER_WITH_TOKEN & query.keys():
                raise Refused(400, "badRequest", "Not together with a sync token.")
            since, was = self.tokens.get(query["syncToken"], (-1, ""))
            if since < self.oldest:
                raise Refused(410, "fullSyncRequired", domain="calendar")
            if was != shape:
                raise Refused(400, "invalid", "The query differs from the first one.")
        found = []
        for name in sorted(self.order, key=lambda n: self.order[n]):
            event = self.events[name]
            if self.order[name] > since and self._is_listed(event, query):
                found.append(_lean(event))
        token = digest("token", self._turn, len(self.tokens))
        self.tokens[token] = (self._turn, shape)
        return found, token

    def _is_listed(self, event: Json, query: dict[str, str]) -> bool:
        if event.get("eventType", "default") not in query.get("eventTypes", "default"):
            return False
        is_occurrence = "recurringEventId" in event
        if "syncToken" in query:
            return True
        if event["status"] == "cancelled":
            return is_occurrence
        if event.get("recurrence"):
            return True
        starts, ends = _at(event["start"]), _at(event["end"])
        after = datetime.fromisoformat(query.get("timeMin", "0001-01-01T00:00:00Z"))
        before = datetime.fromisoformat(query.get("timeMax", "9999-12-30T00:00:00Z"))
        return ends > after and starts < before


def merged(before: Json, body: Json) -> Json:
    """Return a PATCH's result: objects are merged, arrays replaced, nulls cleared."""
    after = dict(before)
    for name, value in body.items():
        if isinstance(value, dict):
            after[name] = merged(dict(before.get(name) or {}), value)
        else:
            after[name] = value
    return {k: v for k, v in after.items() if v is not None}


def _check(event: Json) -> None:
    for name in ("start", "end"):
        moment = event.get(name) or {}
        if ("date" in moment) == ("dateTime" in moment):
            raise Refused(400, "required", f"The {name} needs a date or a dateTime.")
    if ("date" in event["start"]) != ("date" in event["end"]):
        raise Refused(400, "invalid", "A date and a time of day are mixed.")
    if _at(event["end"]) < _at(event["start"]):
        raise Refused(400, "timeRangeEmpty", domain="calendar")
    is_timed = "dateTime" in event["start"]
    if event.get("recurrence") and is_timed and "timeZone" not in event["start"]:
        raise Refused(400, "required", "Missing time zone definition for start time.")


def _at(moment: Json) -> datetime:
    at = datetime.fromisoformat(moment.get("dateTime") or moment["date"])
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _suffix(slot: datetime | date) -> str:
    if isinstance(slot, datetime):
        return slot.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    return slot.strftime("%Y%m%d")


def _as_instance(master: Json, name: str, slot: datetime | date) -> Json:
    length = _at(master["end"]) - _at(master["start"])
    event = {k: copy.deepcopy(v) for k, v in master.items() if k != "recurrence"}
    if isinstance(slot, datetime):
        zone = {"timeZone": master["start"]["timeZone"]}
        start = {"dateTime": slot.isoformat(), **zone}
        end = (slot.astimezone(UTC) + length).astimezone(slot.tzinfo)
        times = {"start": start, "end": {"dateTime": end.isoformat(), **zone}}
    else:
        times = {"start": {"date": slot.isoformat()},
                 "end": {"date": (slot + length).isoformat()}}  # fmt: skip
    same = {"recurringEventId": master["id"], "originalStartTime": times["start"]}
    return {**event, **times, **same, "id": name, "etag": f'"i{master["etag"][1:]}'}


def _lean(event: Json) -> Json:
    """Return what a listing shows: of a tombstone, nothing more than is promised."""
    if event["status"] != "cancelled":
        return copy.deepcopy(event)
    kept = {"id", "status", "recurringEventId", "originalStartTime", "etag", "updated"}
    return {k: v for k, v in event.items() if k in kept}
