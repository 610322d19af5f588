"""The panel's calendar and tasks: a person in front of Google, with plain forms."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from sandbox.control.panel import ROOT, Form
from sandbox.control.panel_forms import (
    ends,
    event_body,
    event_row,
    event_values,
    nested,
    safe,
    starts,
    task_body,
    task_values,
)
from sandbox.errors import ApiError
from sandbox.events.times import zone
from sandbox.messages import Request, Response, html_response, redirect
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
            return html_response(f"<p>{safe(str(error))}</p>", code)

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
            values=event_values(found, home, self._today(home)),
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
            event_row(event)
            for event in listed
            if event["status"] != "cancelled"
            and ends(event) >= low
            and starts(event) < high
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
            self._events.create(query, event_body({}, form, home))
        else:
            before = self._events.get(names, {})
            changed = event_body(before, form, home)
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
                values=task_values(found),
            )
        tasks = self._tasks.list({"email": names["email"]}, {})["tasks"]
        rows = [task_values(task) for task in nested(tasks)]
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
            body = {k: v for k, v in task_body(form).items() if v}
            self._tasks.create(names, body)
        else:
            self._tasks.edit(names, task_body(form))
        return redirect(f"{ROOT}/{quote(names['email'])}/tasks")
