"""From a body to the kept fields of an event: checked, in one writing, no defaults.

What is kept is split into what all guests share and what is this copy's own.
"""

from __future__ import annotations

import re
from typing import Any

from sandbox.errors import ApiError
from sandbox.events import times
from sandbox.events.errors import missing, too_large
from sandbox.events.properties import checked_properties
from sandbox.events.series import series_of
from sandbox.legacy import invalid
from sandbox.messages import Json
from sandbox.switches import Switches

_ANSWERS = ("needsAction", "declined", "tentative", "accepted")
_ADDRESS = re.compile(r"[^@\s<>,;\"]+@[^@\s<>,;\"]+\Z")
_CHOICES = {
    "visibility": ("default", "public", "private", "confidential"),
    "transparency": ("opaque", "transparent"),
    "status": ("confirmed", "tentative", "cancelled"),
}
# Left out when they say nothing: field, the value that is the default.
_DEFAULTS: dict[str, Any] = {
    "visibility": "default",
    "transparency": "opaque",
    "status": "confirmed",
    "endTimeUnspecified": False,
    "guestsCanModify": False,
    "guestsCanInviteOthers": True,
    "guestsCanSeeOtherGuests": True,
    "anyoneCanAddSelf": False,
    "summary": "",
    "description": "",
    "location": "",
    "attendees": [],
    "recurrence": [],
    "attachments": [],
}
_PLAIN = (
    "summary",
    "description",
    "location",
    "status",
    "endTimeUnspecified",
    "guestsCanModify",
    "guestsCanInviteOthers",
    "guestsCanSeeOtherGuests",
    "anyoneCanAddSelf",
    "birthdayProperties",
    "focusTimeProperties",
    "outOfOfficeProperties",
    "workingLocationProperties",
    "gadget",
)


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [without_nulls(v) for v in value]
    return value


def merged(base: Json, patch: Json) -> Json:
    """PATCH: objects are merged, arrays replaced, null deletes (contract 5.5)."""
    result = dict(base)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict) and isinstance(result.get(name), dict):
            result[name] = merged(result[name], value)
        else:
            result[name] = without_nulls(value)
    return result


def shared_fields(body: Json, switches: Switches, *, instance: bool = False) -> Json:
    """The shared part of a whole body; conference and attachments come elsewhere.

    Raises:
        ApiError: 400; the body is no event that Calendar takes.
    """
    _check_choices(body)
    if len(body.get("description", "")) > switches.description_limit:
        raise too_large()
    kept: Json = {name: body[name] for name in _PLAIN if name in body}
    for name in ("start", "end"):
        if not body.get(name):
            raise missing(f"{name} time")
        kept[name] = times.stored(body[name], name)
    times.check_pair(kept["start"], kept["end"])
    if body.get("recurrence"):
        if instance:
            raise invalid("Invalid recurrence rule: an instance has none.")
        kept["recurrence"] = list(body["recurrence"])
        _check_series(kept)
    if body.get("attendees"):
        kept["attendees"] = attendees(body["attendees"])
    if body.get("source"):
        kept["source"] = _source(body["source"])
    properties = checked_properties(body, "shared", switches)
    if properties:
        kept["shared"] = properties
    if kept.get("status") == "cancelled":
        del kept["status"]
    return _without_defaults(kept)


def own_fields(body: Json, switches: Switches) -> Json:
    """The part of a whole body that is this copy's own.

    Raises:
        ApiError: 400; a reminder, colour or property that Calendar does not take.
    """
    kept: Json = {n: body[n] for n in ("visibility", "transparency") if n in body}
    if body.get("colorId"):
        color = str(body["colorId"])
        if not (color.isdecimal() and 1 <= int(color) <= 11):
            raise invalid("Invalid color id.")
        kept["colorId"] = color
    if "reminders" in body:
        reminders = _reminders(body["reminders"])
        if reminders != {"useDefault": True}:
            kept["reminders"] = reminders
    properties = checked_properties(body, "private", switches)
    if properties:
        kept["private"] = properties
    return _without_defaults(kept)


def attendees(given: list[Json]) -> list[Json]:
    """Guests: addresses in lower case, an absent answer is none at all (5.5)."""
    found: dict[str, Json] = {}
    for one in given:
        address = one.get("email", "").strip().lower()
        if not address:
            raise missing("attendee email")
        if not _ADDRESS.match(address):
            raise invalid("Invalid attendee email.")
        answer = one.get("responseStatus", "needsAction")
        if answer not in _ANSWERS:
            raise invalid(f"Invalid value for: {answer} is not a valid value")
        kept: Json = {"email": address, "responseStatus": answer}
        name = one.get("displayName", "").strip()
        if name and name.lower() != address:
            kept["displayName"] = name
        for flag in ("optional", "resource"):
            if one.get(flag):
                kept[flag] = True
        if one.get("comment"):
            kept["comment"] = one["comment"]
        if one.get("additionalGuests"):
            kept["additionalGuests"] = one["additionalGuests"]
        found[address] = kept
    return list(found.values())


def _check_series(kept: Json) -> None:
    for name in ("start", "end"):
        if "dateTime" in kept[name] and "timeZone" not in kept[name]:
            raise missing(f"time zone definition for {name} time")
    series_of(kept)


def _check_choices(body: Json) -> None:
    for name, allowed in _CHOICES.items():
        value = body.get(name)
        if value is not None and value not in allowed:
            raise invalid(f"Invalid value for: {value} is not a valid value")


def _source(given: Json) -> Json:
    if not str(given.get("url", "")).startswith(("http://", "https://")):
        raise invalid("Invalid source URL.")
    return {k: given[k] for k in ("title", "url") if given.get(k)}


def _reminders(given: Json) -> Json:
    overrides = given.get("overrides", [])
    use_default = bool(given.get("useDefault", False))
    if use_default and overrides:
        raise _bad_reminder(
            "cannotUseDefaultRemindersAndSpecifyOverride",
            "Cannot specify both default reminders and overrides at the same time.",
        )
    if len(overrides) > 5:
        raise invalid("Too many reminder overrides.")
    kept = []
    for one in overrides:
        if one.get("method") not in ("email", "popup"):
            raise invalid("Invalid reminder method.")
        if not 0 <= one.get("minutes", -1) <= 40_320:
            raise invalid("Invalid reminder minutes.")
        kept.append({"method": one["method"], "minutes": one["minutes"]})
    if kept:
        return {"useDefault": False, "overrides": kept}
    return {"useDefault": use_default}


def _bad_reminder(reason: str, message: str) -> ApiError:
    return invalid(message, reason=reason)


def _without_defaults(kept: Json) -> Json:
    absent = object()
    return {k: v for k, v in kept.items() if v != _DEFAULTS.get(k, absent)}
