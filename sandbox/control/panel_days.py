"""The panel's calendar and tasks: a person in front of Google, with plain forms."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from sandbox.control.panel import ROOT, Form
from sandbox.errors import ApiError
from sandbox.events.times import zone
from sandbox.messages import Json, Request, Response, html_response, redirect
from sandbox.oauth.pages import page

if TYPE_CHECKING:
    from sandbox.app import Sandbox
    from sandbox.control.hand_events import EventsHand
    from sandbox.control.hand_tasks import TasksHand

_PATH = re.compile(
    ROOT + r"/(?P<email>[^/]+)/(?P<what>events|tasks)(?:/(?P<id>[^/]+))?"
)
_BACK, _AHEAD = timedelta(days=14), timedelta(days=60)
_MOST = 200
_REPEATS = {
    "": "Does not repeat",
    "DAILY": "Every day",
    "WEEKLY": "Every week",
    "MONTHLY": "Every month",
    "YEARLY": "Every year",
}
_ANSWERS = {"accepted": "Yes", "tentative": "Maybe", "declined": "No"}


class DaysPanel:
    def __init__(self, sandbox: Sandbox, events: EventsHand, tasks: TasksHand) -> None:
        self._sandbox = sandbox
        self._events = events
        self._tasks = tasks

    def handle(self, request: Request) -> Response | None:
        """Return a page; None if the address is not one of these."""
        found = _PATH.fullmatch(unquote(request.path))
        if found is None or request.method not in {"GET", "POST"}:
            return None
        names = {k: v for k, v in found.groupdict().items() if v is not None}
        is_post = request.method == "POST"
        try:
            if names["what"] == "events":
                return (
                    self._change_event(names, request.form())
                    if is_post
                    else self._show_events(names)
                )
            return (
                self._change_task(names, request.form())
                if is_post
                else self._show_tasks(names)
            )
        except (ApiError, ValueError) as error:
            code = error.code if isinstance(error, ApiError) else 400
            return html_response(f"<p>{_safe(str(error))}</p>", code)

    # ------------------------------------------------------------ events

    def _show_events(self, names: Form) -> Response:
        home = self._home(names["email"])
        if "id" not in names:
            return self._event_list(names["email"], home)
        found = {} if names["id"] == "new" else self._events.get(names, {})
        guests = found.get("attendees", [])
        mine = next((g for g in guests if g.get("self")), None)
        return page(
            "panel_event.html",
            account=names["email"],
            root=ROOT,
            key=names["id"],
            values=_event_values(found, home, self._today(home)),
            repeats=_REPEATS,
            answers=_ANSWERS,
            mine=mine,
            series=found.get("recurringEventId"),
            organizer=found.get("organizer", {}).get("email", names["email"]),
        )

    def _event_list(self, email: str, home: str) -> Response:
        listed = self._events.list({"email": email, "expand": "true"}, {})["events"]
        today = self._today(home)
        low, high = (today - _BACK).isoformat(), (today + _AHEAD).isoformat()
        rows = [
            _event_row(event)
            for event in listed
            if event["status"] != "cancelled"
            and _ends(event) >= low
            and _starts(event) < high
        ]
        rows.sort(key=lambda row: str(row["starts"]))
        return page(
            "panel_events.html",
            account=email,
            root=ROOT,
            zone=home,
            total=len(rows),
            rows=rows[:_MOST],
        )

    def _change_event(self, names: Form, form: Form) -> Response:
        back = redirect(f"{ROOT}/{quote(names['email'])}/events")
        what, home = form.get("do", "save"), self._home(names["email"])
        query = {**names, "sendUpdates": "all" if form.get("mails") else "none"}
        if what == "delete":
            self._events.delete(query, {})
        elif what.startswith("answer-"):
            self._events.answer(query, {"answer": what.removeprefix("answer-")})
        elif names.get("id", "new") == "new":
            self._events.create(query, _event_body({}, form, home))
        else:
            before = self._events.get(names, {})
            changed = _event_body(before, form, home)
            if changed:
                self._events.edit(query, changed)
        return back

    def _home(self, email: str) -> str:
        calendars = self._events.calendars({"email": email}, {})["calendars"]
        return str(calendars[0]["timeZone"])

    def _today(self, home: str) -> date:
        now = datetime.fromtimestamp(self._sandbox.clock.now(), UTC)
        return now.astimezone(zone(home)).date()

    # ------------------------------------------------------------ tasks

    def _show_tasks(self, names: Form) -> Response:
        if "id" in names:
            found = {} if names["id"] == "new" else self._tasks.get(names, {})
            return page(
                "panel_task.html",
                account=names["email"],
                root=ROOT,
                key=names["id"],
                values=_task_values(found),
            )
        tasks = self._tasks.list({"email": names["email"]}, {})["tasks"]
        rows = [_task_values(task) for task in _nested(tasks)]
        return page(
            "panel_tasks.html",
            account=names["email"],
            root=ROOT,
            total=len(rows),
            rows=rows[:_MOST],
        )

    def _change_task(self, names: Form, form: Form) -> Response:
        what = form.get("do", "save")
        key = names.get("id", "new")
        if what == "clear":
            self._tasks.clear(names, {})
        elif what in ("complete", "reopen"):
            self._tasks.act({**names, "what": what}, {})
        elif what == "delete":
            self._tasks.delete(names, {})
        elif key == "new":
            body = {k: v for k, v in _task_body(form).items() if v}
            self._tasks.create(names, body)
        else:
            self._tasks.edit(names, _task_body(form))
        return redirect(f"{ROOT}/{quote(names['email'])}/tasks")


# ---------------------------------------------------------------- events


def _starts(event: Json) -> str:
    return str(event["start"].get("date") or event["start"]["dateTime"])


def _ends(event: Json) -> str:
    return str(event["end"].get("date") or event["end"]["dateTime"])


def _event_row(event: Json) -> Json:
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
        "starts": _starts(event),
        "when": _when(event),
        "location": event.get("location", ""),
        "tags": tags,
    }


def _when(event: Json) -> str:
    start, end = _starts(event), _ends(event)
    if "date" in event["start"]:
        last = (date.fromisoformat(end) - timedelta(days=1)).isoformat()
        return start if last == start else f"{start} to {last}"
    return f"{start[:10]} {start[11:16]} to {end[11:16]}"


def _event_values(event: Json, home: str, today: date) -> Json:
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


def _event_body(before: Json, form: Form, home: str) -> Json:
    """The fields that the form changes; what it does not show is kept."""
    today = datetime.now(UTC).date()
    was = _event_values(before, home, today) if before else {}
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


def _nested(tasks: list[Json]) -> list[Json]:
    """Open tasks before done ones, each with its subtasks under it."""
    tops = [task for task in tasks if "parent" not in task]
    tops.sort(key=lambda task: bool(task["status"] == "completed"))
    found = []
    for top in tops:
        below = [task for task in tasks if task.get("parent") == top["id"]]
        found += [top, *below]
    return found


def _task_values(task: Json) -> Json:
    return {
        "id": task.get("id", ""),
        "title": task.get("title", ""),
        "notes": task.get("notes", ""),
        "due": task.get("due", "")[:10],
        "is_done": task.get("status") == "completed",
        "is_hidden": bool(task.get("hidden")),
        "is_below": "parent" in task,
    }


def _task_body(form: Form) -> Json:
    day = form.get("due", "").strip()
    return {
        "title": form.get("title", "").strip(),
        "notes": form.get("notes", "").replace("\r", "").strip(),
        "due": f"{day}T00:00:00.000Z" if day else None,
    }


def _safe(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
