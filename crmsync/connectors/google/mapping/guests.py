"""An event's guests, its organiser, and the user's own answer (CAL-13, CAL-18).

Another guest's entry is never changed: a list that is written holds it as it was read
(contract, 5.5: arrays are replaced whole).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from crmsync.errors import InvalidRecord
from crmsync.records.activities import ANSWERS, DECLINED

Wire = Mapping[str, Any]

_UNANSWERED = "needsAction"
_GENERATED = ".calendar.google.com"


def entries(event: Wire) -> list[dict[str, Any]]:
    """Return the entries of an event's list of guests, as they are."""
    found = event.get("attendees")
    return [e for e in found if isinstance(e, dict)] if isinstance(found, list) else []


def address(entry: Wire) -> str:
    """Return an entry's address, folded."""
    return str(entry.get("email") or "").strip().casefold()


def is_self(entry: Wire, own: str) -> bool:
    """Whether an entry is the user's own."""
    return bool(entry.get("self")) or bool(own and address(entry) == own.casefold())


def is_organizer(event: Wire, own: str) -> bool:
    """Whether the user organises an event; true where it has no organiser."""
    organizer = event.get("organizer")
    return (
        not isinstance(organizer, Mapping) or not organizer or is_self(organizer, own)
    )


def others(event: Wire, own: str) -> list[dict[str, Any]]:
    """Return the entries of guests who are neither the user nor a room."""
    return [
        entry
        for entry in entries(event)
        if address(entry) and not entry.get("resource") and not is_self(entry, own)
    ]


def read_guests(event: Wire, own: str) -> str:
    """Return the other guests' addresses, the organiser's among them.

    >>> guests = [{"email": "A@x.example"}, {"email": "room@y", "resource": True}]
    >>> read_guests({"attendees": guests}, "me@x.example")
    'a@x.example'
    """
    found = {address(entry) for entry in others(event, own)}
    if not is_organizer(event, own):
        host = address(event.get("organizer") or {})
        if not host.endswith(_GENERATED):
            found.add(host)
    return "\n".join(sorted(found - {""}))


def read_list(event: Wire, own: str) -> str:
    """Return what Google tells of the other guests: answer, address and name.

    >>> guests = [{"email": "a@x", "responseStatus": "accepted", "displayName": "Al B"}]
    >>> read_list({"attendees": guests}, "me@x")
    'accepted a@x Al B'
    """
    lines = {address(entry): _line(entry) for entry in others(event, own)}
    return _whole_lines(lines[key] for key in sorted(lines))


def _line(entry: Wire) -> str:
    answer = str(entry.get("responseStatus") or "")
    name = " ".join(str(entry.get("displayName") or "").split())
    known = answer if answer in ANSWERS else _UNANSWERED
    return f"{known} {address(entry)} {name}".strip()


def read_rooms(event: Wire) -> str:
    """Return the names of the rooms (CAL-18), one per line."""
    names = (
        " ".join(str(entry.get("displayName") or entry.get("email") or "").split())
        for entry in entries(event)
        if entry.get("resource")
    )
    return _whole_lines(dict.fromkeys(filter(None, names)))


def _whole_lines(lines: Iterable[str], limit: int = 4000) -> str:
    """Return as many lines as are sensible to show."""
    found: list[str] = []
    size = 0
    for line in lines:
        size += len(line) + 1
        if size > limit:
            break
        found.append(line)
    return "\n".join(found)


def read_answer(event: Wire, own: str) -> str:
    """Return the user's own answer; who organises an event answers nobody."""
    if is_organizer(event, own):
        return ""
    for entry in entries(event):
        if is_self(entry, own):
            answer = str(entry.get("responseStatus") or _UNANSWERED)
            return answer if answer in ANSWERS else _UNANSWERED
    return ""


# ------------------------------------------------------------------ writing


def write_guests(event: Wire, own: str, wanted: str) -> list[dict[str, Any]] | None:
    """Return the whole list of guests; None if it is as wanted already.

    Raises:
        InvalidRecord: Google does not show all guests.
    """
    lines = [line.strip().casefold() for line in wanted.splitlines()]
    addresses = dict.fromkeys(line for line in lines if line)
    present = {address(entry) for entry in others(event, own)}
    if present == set(addresses):
        return None
    if event.get("attendeesOmitted"):
        raise InvalidRecord(
            "Google does not show all guests of this event, so they can not be changed "
            "from here. Change them in Google Calendar.",
            ("attendees",),
        )
    kept = [
        entry
        for entry in entries(event)
        if entry.get("resource") or is_self(entry, own) or address(entry) in addresses
    ]
    added = [a for a in addresses if a not in present and a != own.casefold()]
    return [*kept, *({"email": a, "responseStatus": _UNANSWERED} for a in added)]


def write_answer(event: Wire, own: str, answer: str) -> list[dict[str, Any]] | None:
    """Return the list that changes the own answer only; None if nothing is to be said.

    It goes together with `attendeesOmitted` (contract, 5.5). Unconfirmed never
    overwrites tentative (CAL-13).
    """
    if is_organizer(event, own):
        return None
    said = answer if answer in {"accepted", "tentative", DECLINED} else _UNANSWERED
    now = read_answer(event, own)
    if said == now or (said == _UNANSWERED and now in {"tentative", ""}):
        return None
    entry: dict[str, Any] = {"email": own}
    for found in entries(event):
        if is_self(found, own):
            entry = {k: v for k, v in found.items() if k not in {"self", "organizer"}}
    return [{**entry, "responseStatus": said}]
