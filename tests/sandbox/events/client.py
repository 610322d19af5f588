"""One account with Google's Calendar client; answers are held to the schemas."""

from __future__ import annotations

import time
from typing import Any

import httplib2
from google.oauth2.credentials import Credentials
from google_auth_httplib2 import AuthorizedHttp

from tests.sandbox.client import legacy_refusal, service
from tests.sandbox.harness import (
    CALENDAR,
    CLIENT_ID,
    CLIENT_SECRET,
    Json,
    SandboxServer,
)

_TICK = 0.002
"""Seconds: `updated` tells writes apart that are a millisecond apart."""


class Diary:
    """One account's calendars through the API, in short forms."""

    def __init__(
        self, box: SandboxServer, email: str, scopes: tuple[str, ...] = (CALENDAR,)
    ) -> None:
        self.box = box
        self.email = email
        token = box.token(email, scopes)
        self.credentials = Credentials(
            token["access_token"],
            refresh_token=token.get("refresh_token"),
            token_uri=f"{box.url}/token",
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
        )
        self.http = httplib2.Http(timeout=20)
        authorized = AuthorizedHttp(self.credentials, http=self.http)
        self.service = service(box, authorized, "calendar", "v3")
        self.api = self.service.events()

    def close(self) -> None:
        self.service.close()
        self.http.close()

    # ------------------------------------------------------------ short forms

    def insert(self, body: Json, calendar: str = "primary", **more: Any) -> Json:
        time.sleep(_TICK)
        made: Json = self.api.insert(calendarId=calendar, body=body, **more).execute()
        return made

    def get(self, key: str, calendar: str = "primary", **more: Any) -> Json:
        found: Json = self.api.get(calendarId=calendar, eventId=key, **more).execute()
        return found

    def patch(
        self, key: str, body: Json, calendar: str = "primary", **more: Any
    ) -> Json:
        time.sleep(_TICK)
        request = self.api.patch(calendarId=calendar, eventId=key, body=body, **more)
        made: Json = request.execute()
        return made

    def update(
        self, key: str, body: Json, calendar: str = "primary", **more: Any
    ) -> Json:
        request = self.api.update(calendarId=calendar, eventId=key, body=body, **more)
        made: Json = request.execute()
        return made

    def delete(self, key: str, calendar: str = "primary", **more: Any) -> Any:
        return self.api.delete(calendarId=calendar, eventId=key, **more).execute()

    def page(self, calendar: str = "primary", **more: Any) -> Json:
        found: Json = self.api.list(calendarId=calendar, **more).execute()
        return found

    def all(self, calendar: str = "primary", **more: Any) -> tuple[list[Json], str]:
        """All pages, and the sync token at the end."""
        events: list[Json] = []
        request = self.api.list(calendarId=calendar, **more)
        for _ in range(500):
            page = request.execute()
            events += page.get("items", [])
            if "nextPageToken" not in page:
                return events, page.get("nextSyncToken", "")
            request = self.api.list_next(request, page)
        raise AssertionError("the list does not end")

    def ids(self, **more: Any) -> list[str]:
        return sorted(event["id"] for event in self.all(**more)[0])

    def changes(self, token: str, **more: Any) -> dict[str, Json]:
        return {e["id"]: e for e in self.all(syncToken=token, **more)[0]}

    def token(self, **more: Any) -> str:
        return self.all(**more)[1]

    def refused(self, verb: str, *given: Any, **more: Any) -> tuple[int, str]:
        """Code and reason with which a call is refused."""
        return legacy_refusal(lambda: getattr(self, verb)(*given, **more))


def at(day: str, hour: int = 9, minute: int = 0, zone: str = "") -> Json:
    """A time on a day; in UTC without a zone, else in the zone's wall time."""
    text = f"{day}T{hour:02d}:{minute:02d}:00"
    return {"dateTime": text, "timeZone": zone} if zone else {"dateTime": text + "Z"}


def meeting(summary: str = "Meeting", day: str = "2026-03-02", **more: Any) -> Json:
    return {"summary": summary, "start": at(day, 9), "end": at(day, 10), **more}


def whole_day(summary: str, first: str, end: str, **more: Any) -> Json:
    return {"summary": summary, "start": {"date": first}, "end": {"date": end}, **more}


def weekly(summary: str = "Weekly", zone: str = "Europe/Berlin", **more: Any) -> Json:
    """Mondays at nine from 2 March 2026 on, ten times, across a change of clocks."""
    return {
        "summary": summary,
        "start": at("2026-03-02", 9, zone=zone),
        "end": at("2026-03-02", 10, zone=zone),
        "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=10"],
        **more,
    }


def guests(*addresses: str) -> list[Json]:
    return [{"email": address} for address in addresses]


def answers(event: Json) -> dict[str, str]:
    return {g["email"]: g["responseStatus"] for g in event.get("attendees", [])}
