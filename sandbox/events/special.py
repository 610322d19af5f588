"""What is special: event types, conferences, attachments, client ids (5.1, 5.2)."""

from __future__ import annotations

import re
import secrets
from typing import Any

from sandbox.events.errors import bad_id, malformed, type_restriction
from sandbox.events.model import Event
from sandbox.legacy import invalid
from sandbox.messages import Json

KINDS = (
    "default",
    "birthday",
    "focusTime",
    "fromGmail",
    "outOfOffice",
    "workingLocation",
)
_ID = re.compile(r"[a-v0-9]{5,1024}\Z")
_BIRTHDAY_MAY = frozenset({"colorId", "summary", "reminders", "start", "end"})
_TYPED = ("focusTime", "outOfOffice", "workingLocation")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def checked_id(body: Json) -> str:
    """The client's id, or a new one (5.8).

    Raises:
        ApiError: 400; the id breaks the rules, or an iCalUID came with it.
    """
    given = body.get("id")
    if given is None:
        return secrets.token_hex(13)
    if "iCalUID" in body or not _ID.match(given):
        raise bad_id()
    return str(given)


def check_new_kind(body: Json) -> str:
    """The type of a new event.

    Raises:
        ApiError: 400; it cannot be made, or has not the shape of its type.
    """
    kind = body.get("eventType", "default")
    if kind not in KINDS:
        raise invalid(f"Invalid value for: {kind} is not a valid value")
    if kind == "fromGmail":
        raise type_restriction("Events of type fromGmail cannot be created.")
    if kind == "birthday":
        _check_birthday(body)
    if kind in _TYPED:
        _check_typed(kind, body)
    return str(kind)


def _check_birthday(body: Json) -> None:
    yearly = any("FREQ=YEARLY" in line for line in body.get("recurrence", ()))
    dated = "date" in body.get("start", {})
    hidden = body.get("visibility") == "private"
    free = body.get("transparency") == "transparent"
    if not (yearly and dated and hidden and free):
        raise type_restriction(
            "A birthday must be a private, transparent all-day event that recurs "
            "every year."
        )
    if body.get("extendedProperties", {}).get("private"):
        raise type_restriction("A birthday cannot have private properties.")


def _check_typed(kind: str, body: Json) -> None:
    if f"{kind}Properties" not in body and kind != "focusTime":
        raise malformed(kind, f"{kind}Properties are missing.")
    if kind != "workingLocation" and "date" in body.get("start", {}):
        raise malformed(kind, "Events of this type cannot last whole days.")
    if body.get("attendees"):
        raise malformed(kind, "Events of this type cannot have attendees.")


def check_change(event: Event, body: Json, *, whole: bool) -> None:
    """Refuse what cannot be changed on an event of this type (5.2).

    Raises:
        ApiError: 400 eventTypeRestriction.
    """
    if body.get("eventType", event.kind) != event.kind:
        raise type_restriction("The type of an event cannot be changed.")
    if event.kind == "fromGmail":
        raise type_restriction("Events of type fromGmail cannot be changed.")
    if event.kind == "birthday":
        if (body.get("extendedProperties") or {}).get("private"):
            raise type_restriction("A birthday cannot have private properties.")
        if not whole and set(body) - _BIRTHDAY_MAY:
            raise type_restriction("This field of a birthday cannot be changed.")
        if "dateTime" in (body.get("start") or {}):
            raise type_restriction("A birthday lasts a whole day.")


def check_delete(event: Event) -> None:
    if event.kind in ("birthday", "fromGmail"):
        raise type_restriction(f"Events of type {event.kind} cannot be deleted.")


# ---------------------------------------------------------------- conference


def conference(body: Json, old: Json | None, *, is_kept: bool) -> Json | None:
    """The conference after a write; without the version parameter it is ignored.

    A request with the id of the one before is ignored, so a retry makes no second
    conference (5.1).
    """
    if is_kept:
        return old
    given = body.get("conferenceData")
    if not given:
        return None
    request = given.get("createRequest")
    if request is None:
        if not given.get("conferenceSolution") or not given.get("entryPoints"):
            if old is not None and given.get("conferenceId") == old.get("conferenceId"):
                return old
            raise invalid("Invalid conference data.")
        return dict(given)
    before = (old or {}).get("createRequest", {})
    if request.get("requestId") == before.get("requestId"):
        return old
    if not request.get("requestId"):
        raise invalid("Invalid conference create request.")
    key = request.get("conferenceSolutionKey") or {"type": "hangoutsMeet"}
    return {
        "createRequest": {
            "requestId": request["requestId"],
            "conferenceSolutionKey": key,
            "status": {"statusCode": "pending"},
        }
    }


def finished(pending: Json) -> tuple[Json, str]:
    """A conference that has been made, and its link."""
    parts = ["".join(secrets.choice(_LETTERS) for _ in range(n)) for n in (3, 4, 3)]
    code = "-".join(parts)
    link = f"https://meet.sandbox.example/{code}"
    request = pending["createRequest"]
    made: Json = {
        "createRequest": {**request, "status": {"statusCode": "success"}},
        "entryPoints": [
            {"entryPointType": "video", "uri": link, "label": link.partition("//")[2]}
        ],
        "conferenceSolution": {
            "key": request["conferenceSolutionKey"],
            "name": "Google Meet",
            "iconUri": "https://photos.sandbox.example/meet.png",
        },
        "conferenceId": code,
    }
    return made, link


def is_pending(shared: Json) -> bool:
    request: Any = shared.get("conferenceData", {}).get("createRequest", {})
    return bool(request.get("status", {}).get("statusCode") == "pending")


# ---------------------------------------------------------------- attachments


def attachments(given: list[Json]) -> list[Json]:
    if len(given) > 25:
        raise invalid("There can be at most 25 attachments per event.")
    kept = []
    for one in given:
        if not str(one.get("fileUrl", "")).startswith("https://"):
            raise invalid("Invalid attachment URL.")
        names = ("fileUrl", "title", "mimeType", "iconLink", "fileId")
        kept.append({name: one[name] for name in names if one.get(name)})
    return kept
