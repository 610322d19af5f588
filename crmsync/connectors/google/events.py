"""The calls of the Calendar API that we make, typed; nothing is decided here.

Every write says whether guests are told (`sendUpdates` is never left out) and keeps
conferences and attachments (contract, 5.1 and 5.5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from crmsync.connectors.google.adapter import GoogleHttp
from crmsync.connectors.google.faults import CALENDAR_JUDGE
from crmsync.connectors.google.mapping.activities import EVENT_FIELDS
from crmsync.connectors.google.multipart import Multipart, Request, Wire
from crmsync.connectors.google.service import batch_url, build_service
from crmsync.errors import CrmSyncError, OutcomeUnknown, ProtocolBroken

PAGE_SIZE = 2500
MOST_PAGES = 50
TYPES = ["default"]
"""Constant along with a sync token; other kinds are not ours (contract, 5.2)."""

LIST_FIELDS = f"nextPageToken,nextSyncToken,items({EVENT_FIELDS})"

_WRITING: Mapping[str, Any] = {
    "conferenceDataVersion": 1,
    "supportsAttachments": True,
    "prettyPrint": False,
    "fields": EVENT_FIELDS,
}


class EventsApi:
    """One calendar of one connection; every call may raise as `GoogleHttp.request`."""

    def __init__(self, http: GoogleHttp, root: str, calendar_id: str):
        """Build the client.

        Args:
            http: the connection's way to the API.
            root: where the API is, ending in `/`.
            calendar_id: which calendar.
        """
        self.http = http
        self.root = root
        self.calendar_id = calendar_id
        self._events = build_service("calendar", "v3", http, root).events()
        self._batch = Multipart(http, batch_url("calendar", "v3", root), CALENDAR_JUDGE)

    @property
    def quota_units(self) -> int:
        """How many requests counted against the quota so far, parts of batches too."""
        return self.http.counter.total + self._batch.parts

    def page(self, params: Mapping[str, str]) -> Wire:
        """Return one page of events.

        Args:
            params: `syncToken`, `pageToken`, `timeMin` and `timeMax`, where there are
                any; all others are the same for one sync token.
        """
        request = self._events.list(
            calendarId=self.calendar_id,
            singleEvents=False,
            eventTypes=TYPES,
            maxResults=PAGE_SIZE,
            fields=LIST_FIELDS,
            prettyPrint=False,
            **params,
        )
        return _wire(request.execute())

    def with_key(self, name: str, key: str) -> Iterator[Wire]:
        """Yield the events that have a private property, deleted ones too."""
        request = self._events.list(
            calendarId=self.calendar_id,
            privateExtendedProperty=f"{name}={key}",
            showDeleted=True,
            fields=LIST_FIELDS,
            prettyPrint=False,
        )
        yield from _items(request, self._events.list_next)

    def insert_alone(self, body: Wire, *, notifies: bool) -> Wire:
        """Make an event without an id of ours: one request, sent once."""
        request = self._events.insert(
            calendarId=self.calendar_id,
            body=body,
            sendUpdates=_updates(notifies),
            **_WRITING,
        )
        try:
            return _wire(request.execute())
        except ProtocolBroken as error:
            raise OutcomeUnknown(error.message) from error

    def instances(self, series_id: str, original_start: str) -> Iterator[Wire]:
        """Yield the occurrence of a series that would have been at some time."""
        request = self._events.instances(
            calendarId=self.calendar_id,
            eventId=series_id,
            originalStart=original_start,
            showDeleted=True,
            prettyPrint=False,
            fields=f"nextPageToken,items({EVENT_FIELDS})",
        )
        yield from _items(request, self._events.instances_next)

    def between(self, series_id: str, first: str, end: str) -> Iterator[Wire]:
        """Yield the occurrences of a series that touch a span, but cancelled ones."""
        request = self._events.instances(
            calendarId=self.calendar_id,
            eventId=series_id,
            timeMin=first,
            timeMax=end,
            maxResults=PAGE_SIZE,
            prettyPrint=False,
            fields=f"nextPageToken,items({EVENT_FIELDS})",
        )
        yield from _items(request, self._events.instances_next)

    def get(self, event_id: str) -> Request:
        """Return the request that reads one event."""
        request: Request = self._events.get(
            calendarId=self.calendar_id,
            eventId=event_id,
            fields=EVENT_FIELDS,
            prettyPrint=False,
        )
        return request

    def with_uid(self, uid: str) -> Request:
        """Return the request that looks for a live event by its iCalendar id."""
        request: Request = self._events.list(
            calendarId=self.calendar_id,
            iCalUID=uid,
            fields="items(id)",
            prettyPrint=False,
        )
        return request

    def insert(self, body: Wire, *, notifies: bool) -> Request:
        """Return the request that makes an event; its body carries our id."""
        request: Request = self._events.insert(
            calendarId=self.calendar_id,
            body=body,
            sendUpdates=_updates(notifies),
            **_WRITING,
        )
        return request

    def patch(self, event_id: str, body: Wire, etag: str, *, notifies: bool) -> Request:
        """Return the request that changes an event of a certain version."""
        request: Request = self._events.patch(
            calendarId=self.calendar_id,
            eventId=event_id,
            body=body,
            sendUpdates=_updates(notifies),
            **_WRITING,
        )
        if etag:
            request.headers["If-Match"] = etag
        return request

    def delete(self, event_id: str, *, etag: str = "", notifies: bool) -> Request:
        """Return the request that deletes an event, of a certain version if given."""
        request: Request = self._events.delete(
            calendarId=self.calendar_id,
            eventId=event_id,
            sendUpdates=_updates(notifies),
        )
        if etag:
            request.headers["If-Match"] = etag
        return request

    def send(self, requests: Sequence[Request]) -> list[Wire | CrmSyncError]:
        """Send up to 50 requests at once and return what became of each."""
        return self._batch.send(requests)


def _updates(notifies: bool) -> str:
    return "all" if notifies else "none"


def _items(request: Any, following: Callable[[Any, Wire], Any]) -> Iterator[Wire]:
    """Yield what all pages hold; one without events may have a next one (5.4).

    Raises:
        ProtocolBroken: they do not end; what is missing must not look deleted.
    """
    for _ in range(MOST_PAGES):
        page = _wire(request.execute())
        yield from page.get("items") or []
        request = following(request, page)
        if request is None:
            return
    raise ProtocolBroken("Google's pages of events do not end.")


def _wire(found: Any) -> Wire:
    """Return an answer's object; an empty answer is an empty object."""
    if found is None or found in ("", b""):
        return {}
    if not isinstance(found, dict):
        raise ProtocolBroken("Google answered something other than a JSON object.")
    return found
