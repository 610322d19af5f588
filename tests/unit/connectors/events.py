"""Invented events as Google shows them; a test spells out what matters to it."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from crmsync.connectors.google.mapping.activities import Reading, event_to_remote
from crmsync.connectors.google.mapping.activities_out import new_event
from crmsync.ports import Edit, NewRecord
from crmsync.records.remote import Remote
from crmsync.records.values import Values

OWN = "me@x.example"
KEY = "1|inst|u|A7|n1"


def sign(text: str) -> str:
    return hmac.new(b"secret", text.encode(), hashlib.sha256).hexdigest()


def reading(**options: Any) -> Reading:
    given: dict[str, Any] = {
        "own": OWN,
        "installation": "inst",
        "sign": sign,
        "is_colleague": lambda address: address.endswith("@x.example"),
    }
    return Reading(**{**given, **options})


def event(**fields: Any) -> dict[str, Any]:
    """Return an event; a field of None is left out."""
    whole = {
        "id": "e1",
        "etag": '"1"',
        "status": "confirmed",
        "updated": "2026-11-24T09:00:00.000Z",
        "summary": "Lunch",
        "start": {"dateTime": "2026-11-24T09:00:00Z"},
        "end": {"dateTime": "2026-11-24T10:00:00Z"},
        "organizer": {"email": OWN, "self": True},
        "iCalUID": "e1@google.com",
        **fields,
    }
    return {name: value for name, value in whole.items() if value is not None}


def all_day(first: str, end: str) -> dict[str, Any]:
    return {"start": {"date": first}, "end": {"date": end}}


def timed(first: str, end: str, zone: str = "") -> dict[str, Any]:
    more = {"timeZone": zone} if zone else {}
    return {"start": {"dateTime": first, **more}, "end": {"dateTime": end, **more}}


def read(**fields: Any) -> Remote:
    return event_to_remote(event(**fields), reading())


def written(values: Values, key: str = KEY, **options: Any) -> dict[str, Any]:
    return new_event(NewRecord(key, values), "made1", reading(**options))


def edit_of(remote: Remote, *, key: str = "", **values: str) -> Edit:
    return Edit(
        remote.remote_id, remote.etag, remote.values, values, remote.values, key
    )
