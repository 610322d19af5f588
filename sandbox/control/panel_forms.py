"""What the panel's forms of events and tasks show, and what they change."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sandbox.control.panel import Form
from sandbox.events.times import zone
from sandbox.messages import Json


def starts(event: Json) -> str:
    return str(event["start"].get("date") or event["start"]["dateTime"])


def ends(event: Json) -> str:
    return str(event["end"].get("date") or event["end"]["dateTime"])


def event_row(event: Json) -> Json:
    tags = []
    if event.get("visibility") in ("private", "confidential"):
        tags.append("private")
    if "recurringEventId" in event:
        tags.append("repeats")
    if event.get("eventType", "default") != "default":
        tags.append(event["eventType"])
    for guest in event.get("attendees", []):
        if guest.get("self") and not event["organizer"].get("self"):
            tags.append(guest["responseStatus"])
    return {
        "id": event["id"],
        "summary": event.get("summary") or "(no title)",
        "starts": starts(event),
        "when": _when(event),
        "location": event.get("location", ""),
        "tags": tags,
    }


def _when(event: Json) -> str:
    start, end = starts(event), ends(event)
    if "date" in event["start"]:
        last = (date.fromisoformat(end) - timedelta(days=1)).isoformat()
        return start if last == start else f"{start} to {last}"
    return f"{start[:10]} {start[11:16]} to {end[11:16]}"


def event_values(event: Json, home: str, today: date) -> Json:
    """What the form shows; an all-day event's last day is the day it lasts through."""
    day = today.isoformat()
    start = event.get("start", {"dateTime": f"{day}T09:00:00"})
    end = event.get("end", {"dateTime": f"{day}T10:00:00"})
    is_day = "date" in start
    last = end.get("date") or end["dateTime"][:10]
    if is_day:
        last = (date.fromisoformat(last) - timedelta(days=1)).isoformat()
    rule = " ".join(event.get("recurrence", []))
    found = re.search(r"FREQ=([A-Z]+)", rule)
    return {
        "summary": event.get("summary", ""),
        "location": event.get("location", ""),
        "description": event.get("description", ""),
        "first": start.get("date") or start["dateTime"][:10],
        "last": last,
        "from": "" if is_day else start["dateTime"][11:16],
        "to": "" if is_day else end["dateTime"][11:16],
        "is_day": is_day,
        "guests": "\n".join(g["email"] for g in event.get("attendees", [])),
        "repeat": found[1] if found else "",
        "is_private": event.get("visibility") in ("private", "confidential"),
        "zone": home,
    }


def event_body(before: Json, form: Form, home: str) -> Json:
    """The fields that the form changes; what it does not show is kept."""
    today = datetime.now(UTC).date()
    was = event_values(before, home, today) if before else {}
    wanted: dict[str, Any] = {k: v.strip().replace("\r", "") for k, v in form.items()}
    wanted["is_day"] = "is_day" in form
    wanted["is_private"] = "is_private" in form
    body: Json = {}
    for name in ("summary", "location", "description"):
        if wanted.get(name, "") != was.get(name, ""):
            body[name] = wanted.get(name, "")
    moved = ("first", "last", "from", "to", "is_day")
    if any(wanted.get(name, "") != was.get(name) for name in moved):
        body |= _times(before, wanted, home)
    if wanted["is_private"] != was.get("is_private", False):
        body["visibility"] = "private" if wanted["is_private"] else "default"
    if wanted.get("guests", "") != was.get("guests", ""):
        known = {g["email"]: g for g in before.get("attendees", [])}
        lines = [line.strip().lower() for line in wanted.get("guests", "").split("\n")]
        body["attendees"] = [_guest(known, line) for line in lines if line]
    repeat = wanted.get("repeat", "")
    if repeat != was.get("repeat", "") and "recurringEventId" not in before:
        body["recurrence"] = [f"RRULE:FREQ={repeat}"] if repeat else []
        body = {**_times(before, wanted, home), **body}
    return body


def _guest(known: dict[str, Json], address: str) -> Json:
    kept = ("email", "displayName", "responseStatus", "optional", "comment", "resource")
    if address not in known:
        return {"email": address}
    return {k: v for k, v in known[address].items() if k in kept}


def _times(before: Json, wanted: dict[str, Any], home: str) -> Json:
    first = wanted.get("first", "")
    last = wanted.get("last") or first
    if wanted["is_day"]:
        end = (date.fromisoformat(last) + timedelta(days=1)).isoformat()
        return {
            "start": {"date": first, "dateTime": None, "timeZone": None},
            "end": {"date": end, "dateTime": None, "timeZone": None},
        }
    name = before.get("start", {}).get("timeZone", home)
    found = {}
    for key, day, clock in (
        ("start", first, wanted.get("from", "")),
        ("end", last, wanted.get("to", "")),
    ):
        local = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=zone(home))
        moment = local.astimezone(UTC).isoformat().replace("+00:00", "Z")
        found[key] = {"dateTime": moment, "timeZone": name, "date": None}
    return found


# ---------------------------------------------------------------- tasks


def nested(tasks: list[Json]) -> list[Json]:
    """Open tasks before done ones, each with its subtasks under it."""
    tops = [task for task in tasks if "parent" not in task]
    tops.sort(key=lambda task: bool(task["status"] == "completed"))
    found = []
    for top in tops:
        below = [task for task in tasks if task.get("parent") == top["id"]]
        found += [top, *below]
    return found


def task_values(task: Json) -> Json:
    return {
        "id": task.get("id", ""),
        "title": task.get("title", ""),
        "notes": task.get("notes", ""),
        "due": task.get("due", "")[:10],
        "is_done": task.get("status") == "completed",
        "is_hidden": bool(task.get("hidden")),
        "is_below": "parent" in task,
    }


def task_body(form: Form) -> Json:
    day = form.get("due", "").strip()
    return {
        "title": form.get("title", "").strip(),
        "notes": form.get("notes", "").replace("\r", "").strip(),
        "due": f"{day}T00:00:00.000Z" if day else None,
    }


def safe(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
