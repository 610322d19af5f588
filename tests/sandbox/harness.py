"""Start the sandbox as a process of its own and steer it.

    with SandboxServer() as box:
        box.account("anna@x.example")
        box.fault("close_after", path=":createContact", count=1)

Everything goes over HTTP; nothing of the sandbox is imported.
"""

from __future__ import annotations

import base64
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from html.parser import HTMLParser
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

Json = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
CONTACTS = "https://www.googleapis.com/auth/contacts"
CALENDAR = "https://www.googleapis.com/auth/calendar"
TASKS = "https://www.googleapis.com/auth/tasks"
MAIL = "https://www.googleapis.com/auth/gmail.modify"
CLIENT_ID = "demo.apps.sandbox.example"
CLIENT_SECRET = "sandbox-client-secret"
TOPIC = "projects/demo/topics/gmail"
CALLBACK = "http://127.0.0.1:5000/oauth/callback"
_READY = re.compile(r"sandbox ready on (http://127\.0\.0\.1:\d+)")


class ControlError(Exception):
    """The sandbox refused a control call."""

    def __init__(self, status: int, answer: Any) -> None:
        super().__init__(f"{status}: {answer}")
        self.status = status
        self.answer = answer


class SandboxServer:
    """One sandbox process; `options` are those of `python -m sandbox`."""

    def __init__(self, *options: str, data: Path | None = None) -> None:
        self.options = options
        self.data = data
        self.url = ""
        self.defaults: Json = {}
        self._process: subprocess.Popen[str] | None = None
        self._errors: IO[str] | None = None

    # ------------------------------------------------------------ process

    def __enter__(self) -> Self:
        return self if self._process is not None else self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def start(self, port: int = 0, *, timeout: float = 15.0) -> Self:
        """Start and wait for the ready line."""
        command = [sys.executable, "-m", "sandbox", "--port", str(port), *self.options]
        if self.data is not None:
            command += ["--data", str(self.data)]
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - it lives as long as the process
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.url = self._wait_ready(timeout)
        return self

    def stop(self) -> int:
        """Ask it to stop (SIGTERM); returns its exit status."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int:
        """End it at once (SIGKILL), as a crash would."""
        return self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop, and start again on the same port."""
        port = self.port
        self.stop()
        self.start(port)

    def errors(self) -> str:
        """What it wrote to its error stream."""
        if self._errors is None:
            return ""
        self._errors.seek(0)
        return self._errors.read()

    def _wait_ready(self, timeout: float) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            ready, _, _ = select.select([self._process.stdout], [], [], 0.2)
            if ready:
                line = self._process.stdout.readline()
                found = _READY.search(line)
                if found:
                    return found[1]
                if not line:
                    break
        trouble = self.errors()
        self.stop()
        raise RuntimeError(f"the sandbox did not start: {trouble}")

    def _end(self, number: signal.Signals) -> int:
        status = 0
        if self._process is not None:
            if self._process.poll() is None:
                self._process.send_signal(number)
            try:
                status = self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                status = self._process.wait(10)
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None
        if self._errors is not None:
            self._errors.close()
            self._errors = None
        return status

    # ------------------------------------------------------------ HTTP

    def http(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """One plain request on a connection of its own, with nothing re-sent."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            response: HTTPResponse = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return response.status, found, response.read()
        finally:
            connection.close()

    def control(
        self, method: str, path: str, body: Json | None = None, /, **query: Any
    ) -> Any:
        """A call to /_sandbox; raises ControlError on a refusal."""
        address = "/_sandbox" + quote(path)
        if query:
            address += "?" + urlencode(query)
        text = json.dumps(body) if body is not None else None
        status, _, answer = self.http(method, address, text)
        value = json.loads(answer)
        if status != 200:
            raise ControlError(status, value)
        return value

    # ------------------------------------------------------------ steering

    def account(self, email: str, name: str = "") -> Json:
        return self._json("POST", "/accounts", {"email": email, "name": name})

    def profile(self, email: str, given: str, family: str) -> Json:
        """A Google user whose verified address links to contacts."""
        body = {"email": email, "given": given, "family": family}
        return self._json("POST", "/profiles", body)

    def client(self, client_id: str, secret: str, redirect: str) -> Json:
        body = {"id": client_id, "secret": secret, "redirect": redirect}
        return self._json("POST", "/clients", body)

    def token(self, account: str, scopes: Iterable[str] = (CONTACTS,)) -> Json:
        """Tokens as if the account had consented to the demo client."""
        return self._json(
            "POST", "/token", {"account": account, "scopes": list(scopes)}
        )

    def fault(self, action: str | Json, **match: Any) -> Json:
        """Add a rule; `match` takes method, path, account, nth, skip, count, …"""
        return self._json("POST", "/faults", {"match": match, "action": action})

    def faults(self) -> list[Json]:
        return list(self.control("GET", "/faults")["faults"])

    def clear_faults(self) -> None:
        self.control("DELETE", "/faults")

    def requests(self, **wanted: Any) -> list[Json]:
        """The journal: account, method, path (a pattern), route, status, since, …"""
        return list(self.control("GET", "/log", **wanted)["requests"])

    def clear_log(self) -> None:
        self.control("DELETE", "/log")

    def switch(self, **values: Any) -> Json:
        return self._json("PUT", "/switches", values)

    def switches(self) -> Json:
        return self._json("GET", "/switches")

    def advance(self, seconds: float) -> None:
        """Move the sandbox's clock forward (tokens, feeds, quotas, trash)."""
        self.control("POST", "/clock", {"advance": seconds})

    def settle(self, account: str | None = None) -> None:
        """Let every write be visible in the feeds now."""
        self.control("POST", "/settle", {"account": account} if account else {})

    def revoke(self, account: str) -> int:
        return int(self.control("POST", "/revoke", {"account": account})["tokens"])

    def change_password(self, account: str) -> int:
        return int(self.control("POST", "/password", {"account": account})["tokens"])

    def expire_sync_tokens(self, account: str) -> None:
        self.control("POST", "/expire", {"what": "sync", "account": account})

    def expire_access_tokens(self, account: str) -> None:
        self.control("POST", "/expire", {"what": "access", "account": account})

    def reset_quotas(self) -> None:
        self.control("POST", "/quotas/reset")

    def load(self, account: str, text: str, label: str | None = None) -> Json:
        body = {"text": text, "label": label}
        return self._json("POST", f"/accounts/{account}/load", body)

    # ------------------------------------------------------------ the user's hand

    def people(self, account: str) -> list[Json]:
        return list(self.control("GET", f"/accounts/{account}/people")["people"])

    def person(self, account: str, name: str) -> Json:
        return self._json("GET", self._at(account, name))

    def create_people(
        self, account: str, persons: list[Json], *, settled: bool = True
    ) -> list[Json]:
        """Contacts made by hand; a person may have `labels` (names)."""
        path = f"/accounts/{account}/people"
        query: Json = {"settled": "true"} if settled else {}
        return list(self.control("POST", path, {"people": persons}, **query)["people"])

    def create_person(
        self, account: str, person: Json, *, settled: bool = True
    ) -> Json:
        return self.create_people(account, [person], settled=settled)[0]

    def edit_person(
        self, account: str, name: str, fields: Json, *, settled: bool = True
    ) -> Json:
        """Replace the fields given, as a user would; others stay."""
        query: Json = {"settled": "true"} if settled else {}
        path = self._at(account, name)
        return dict(self.control("PATCH", path, fields, **query))

    def delete_person(self, account: str, name: str, *, settled: bool = True) -> None:
        query: Json = {"settled": "true"} if settled else {}
        self.control("DELETE", self._at(account, name), **query)

    def act(
        self, account: str, name: str, what: str, /, settled: bool = True, **body: Any
    ) -> Json:
        """label or unlabel (name), star, unstar, touch, rename, photo, merge (into)."""
        query: Json = {"settled": "true"} if settled else {}
        path = f"{self._at(account, name)}/{what}"
        return dict(self.control("POST", path, body, **query))

    def groups(self, account: str) -> dict[str, Json]:
        """Contact groups by name."""
        listed = self.control("GET", f"/accounts/{account}/groups")["groups"]
        return {group["name"]: group for group in listed}

    # ------------------------------------------------------------ the calendar

    def events(self, account: str, **query: str) -> list[Json]:
        """Events as stored; calendar, expand and deleted may be given."""
        path = f"/accounts/{account}/events"
        return list(self.control("GET", path, **query)["events"])

    def create_event(self, account: str, event: Json, **query: str) -> Json:
        """An event made by hand; with a strange organizer it is an invitation."""
        path = f"/accounts/{account}/events"
        return dict(self.control("POST", path, event, **query)["events"][0])

    def event(self, account: str, event_id: str, **query: str) -> Json:
        return dict(
            self.control("GET", f"/accounts/{account}/events/{event_id}", **query)
        )

    def edit_event(
        self, account: str, event_id: str, patch: Json, **query: str
    ) -> Json:
        path = f"/accounts/{account}/events/{event_id}"
        return dict(self.control("PATCH", path, patch, **query))

    def delete_event(self, account: str, event_id: str, **query: str) -> None:
        self.control("DELETE", f"/accounts/{account}/events/{event_id}", **query)

    def answer_event(
        self, account: str, event_id: str, answer: str, **query: str
    ) -> Json:
        path = f"/accounts/{account}/events/{event_id}/answer"
        return dict(self.control("POST", path, {"answer": answer}, **query))

    def move_event(self, account: str, event_id: str, start: Json, end: Json) -> Json:
        path = f"/accounts/{account}/events/{event_id}/move"
        return self._json("POST", path, {"start": start, "end": end})

    def split_event(self, account: str, event_id: str, at: str, **edit: Any) -> Json:
        """ "This and following": `at` is the occurrence's id."""
        path = f"/accounts/{account}/events/{event_id}/split"
        return self._json("POST", path, {"at": at, **edit})

    def new_calendar(self, account: str, summary: str) -> Json:
        path = f"/accounts/{account}/calendars"
        return self._json("POST", path, {"summary": summary})

    def set_zone(self, account: str, zone: str, calendar: str = "primary") -> None:
        path = f"/accounts/{account}/calendars/{calendar}"
        self.control("PATCH", path, {"timeZone": zone})

    def share_calendar(self, owner: str, calendar: str, guest: str, role: str) -> None:
        path = f"/accounts/{owner}/calendars/{calendar}/share"
        self.control("POST", path, {"account": guest, "role": role})

    def notifications(self, **wanted: str) -> list[Json]:
        """Mails that Google would have sent: account, kind, recipient, event."""
        return list(self.control("GET", "/notifications", **wanted)["notifications"])

    def forget_notifications(self) -> None:
        self.control("DELETE", "/notifications")

    def channels(self) -> Json:
        """Watch channels, and the messages that were sent (status 0: lost)."""
        return self._json("GET", "/channels")

    # ------------------------------------------------------------ tasks

    def tasks(self, account: str, **query: str) -> list[Json]:
        """Tasks of a list (`list`), hidden ones too; `deleted="true"` adds the dead."""
        path = f"/accounts/{account}/tasks"
        return list(self.control("GET", path, **query)["tasks"])

    def create_task(self, account: str, task: Json, **query: str) -> Json:
        """A task by hand; every (days), assigned and links may be given."""
        path = f"/accounts/{account}/tasks"
        return dict(self.control("POST", path, task, **query)["tasks"][0])

    def edit_task(self, account: str, task_id: str, patch: Json) -> Json:
        return self._json("PATCH", f"/accounts/{account}/tasks/{task_id}", patch)

    def delete_task(self, account: str, task_id: str) -> None:
        self.control("DELETE", f"/accounts/{account}/tasks/{task_id}")

    def act_on_task(
        self, account: str, task_id: str, what: str, /, **body: Any
    ) -> Json:
        """Complete (in the app, which hides it), reopen, move (list, parent, …)."""
        path = f"/accounts/{account}/tasks/{task_id}/{what}"
        return self._json("POST", path, body)

    def clear_tasks(self, account: str, task_list: str = "@default") -> None:
        path = f"/accounts/{account}/tasks/clear"
        self.control("POST", path, {}, list=task_list)

    def tasklists(self, account: str) -> list[Json]:
        path = f"/accounts/{account}/tasklists"
        return list(self.control("GET", path)["tasklists"])

    def new_tasklist(self, account: str, title: str) -> Json:
        return self._json("POST", f"/accounts/{account}/tasklists", {"title": title})

    # ------------------------------------------------------------ mail

    def mail(self, account: str, **query: str) -> list[Json]:
        """Messages, newest first, with the names of their labels.

        `label` (a name), `q`, and `hidden="true"` for spam and trash may be given.
        """
        path = f"/accounts/{account}/mail"
        return list(self.control("GET", path, **query)["messages"])

    def message(self, account: str, message_id: str) -> Json:
        """One message; `raw` are its bytes."""
        found = self._json("GET", f"/accounts/{account}/mail/{message_id}")
        return {**found, "raw": base64.b64decode(found["raw"])}

    def deliver(
        self,
        account: str,
        raw: bytes | str,
        labels: Iterable[str] = (),
        *,
        at: str | float | None = None,
        thread: str = "",
        arrives: Iterable[str] = ("INBOX", "UNREAD"),
    ) -> Json:
        """A message comes in, its bytes as they are; `labels` are names."""
        data = raw.encode() if isinstance(raw, str) else raw
        body = {
            "raw": base64.b64encode(data).decode(),
            "labels": list(labels),
            "at": at,
            "thread": thread,
            "arrives": list(arrives),
        }
        path = f"/accounts/{account}/mail"
        return dict(self.control("POST", path, body)["messages"][0])

    def label(self, account: str, message_id: str, name: str) -> Json:
        """Put a label on a message; a new one is made, with those above it."""
        return self.act_on_mail(account, message_id, "label", name=name)

    def unlabel(self, account: str, message_id: str, name: str) -> Json:
        return self.act_on_mail(account, message_id, "unlabel", name=name)

    def act_on_mail(
        self, account: str, message_id: str, what: str, /, **body: Any
    ) -> Json:
        """Label, unlabel (name), trash, untrash, read, unread, spam, archive."""
        path = f"/accounts/{account}/mail/{message_id}/{what}"
        return self._json("POST", path, body)

    def delete_mail(self, account: str, message_id: str) -> None:
        self.control("DELETE", f"/accounts/{account}/mail/{message_id}")

    def open_mail(self, account: str, message_id: str) -> Json:
        """What an add-on gets for a message that is opened: a token and an id."""
        return self._json("POST", f"/accounts/{account}/mail/{message_id}/open")

    def mail_labels(self, account: str) -> dict[str, Json]:
        """Labels by name."""
        listed = self.control("GET", f"/accounts/{account}/labels")["labels"]
        return {label["name"]: label for label in listed}

    def new_mail_label(self, account: str, name: str) -> Json:
        return self._json("POST", f"/accounts/{account}/labels", {"name": name})

    def rename_mail_label(self, account: str, label_id: str, name: str) -> Json:
        path = f"/accounts/{account}/labels/{label_id}"
        return self._json("PATCH", path, {"name": name})

    def delete_mail_label(self, account: str, label_id: str) -> None:
        self.control("DELETE", f"/accounts/{account}/labels/{label_id}")

    def set_aliases(self, account: str, *addresses: str) -> None:
        """The further addresses that the account may send from."""
        body = {"aliases": [{"email": address} for address in addresses]}
        self.control("PUT", f"/accounts/{account}/aliases", body)

    def expire_history(self, account: str) -> None:
        """Every history id given out so far is too old now."""
        self.control("POST", "/expire", {"what": "history", "account": account})

    def load_mail(self, account: str, data: bytes, label: str | None = None) -> Json:
        """An mbox or one message."""
        body = {"data": base64.b64encode(data).decode(), "label": label}
        return self._json("POST", f"/accounts/{account}/load", body)

    def push_to(
        self, endpoint: str, topic: str = TOPIC, *, audience: str = "", email: str = ""
    ) -> Json:
        """A topic whose messages are pushed to an endpoint; audience and signer."""
        body = {"topic": topic, "endpoint": endpoint}
        return self._json(
            "POST", "/push", {**body, "audience": audience, "email": email}
        )

    def pushes(self) -> Json:
        """Topics, watches and deliveries (what: sent, dropped, lost; status)."""
        return self._json("GET", "/push")

    def forget_pushes(self) -> None:
        self.control("DELETE", "/push")

    # ------------------------------------------------------------ consent

    def consent(
        self,
        address: str,
        account: str | None = None,
        scopes: Iterable[str] | None = None,
        *,
        deny: bool = False,
    ) -> dict[str, str]:
        """Walk the real pages as a person would; the callback's parameters come back.

        `scopes` are the boxes to tick; None ticks them all.
        """
        parts = urlsplit(address)
        step = self.visit("GET", f"{parts.path}?{parts.query}")
        while isinstance(step, Page):
            form = step.filled(account, scopes, deny)
            step = self.visit("POST", "/o/oauth2/v2/auth", form)
        return step

    def visit(
        self, method: str, path: str, form: str | None = None
    ) -> Page | dict[str, str]:
        """One step of the pages: the next page, or the callback's parameters."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
        status, found, body = self.http(method, path, form, headers)
        if status == 302:
            return dict(parse_qsl(urlsplit(found["location"]).query))
        page = Page()
        page.feed(body.decode())
        page.close()
        if status != 200:
            raise ControlError(status, page.text)
        return page

    def _at(self, account: str, name: str) -> str:
        return f"/accounts/{account}/people/{name.removeprefix('people/')}"

    def _json(self, method: str, path: str, body: Json | None = None) -> Json:
        return dict(self.control(method, path, body))


class Page(HTMLParser):
    """The forms of one consent page."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden: dict[str, str] = {}
        self.accounts: list[str] = []
        self.boxes: list[str] = []
        self.ticked: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        name, value = found.get("name") or "", found.get("value") or ""
        if tag == "input" and found.get("type") == "hidden":
            self.hidden[name] = value
        elif tag == "input" and found.get("type") == "checkbox":
            self.boxes.append(value)
            if "checked" in found:
                self.ticked.append(value)
        elif tag == "button" and name == "account":
            self.accounts.append(value)

    def handle_data(self, data: str) -> None:
        self.text += data

    def filled(
        self, account: str | None, scopes: Iterable[str] | None, deny: bool
    ) -> str:
        """The form as a person sends it."""
        pairs = list(self.hidden.items())
        if deny:
            return urlencode([*pairs, ("decision", "cancel")])
        if self.accounts:
            return urlencode([*pairs, ("account", account or self.accounts[0])])
        wanted = (
            self.boxes if scopes is None else [s for s in self.boxes if s in scopes]
        )
        pairs += [("scope", scope) for scope in wanted]
        return urlencode([*pairs, ("decision", "allow")])
