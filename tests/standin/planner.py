"""A minimal stand-in for Google Calendar and Tasks, written from the contract alone.

Its habits differ from other stand-ins' where the contract leaves a choice: short
pages, no `items` where there are none, answers to batches in any order.
"""

from __future__ import annotations

import random
import re
import threading
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

from tests.standin.agenda import Agenda, Refused, not_found
from tests.standin.basics import Clock, Json
from tests.standin.door import Answer, Call, Door, as_json
from tests.standin.todo import Todo

EVENTS = re.compile(r"/calendar/v3/calendars/([^/]+)/events(?:/([^/]+))?(/instances)?")
LISTS = re.compile(r"/tasks/v1/users/@me/lists(?:/([^/]+))?")
TASKS = re.compile(r"/tasks/v1/lists/([^/]+)/tasks(?:/([^/]+))?")
BATCHES = ("/batch/calendar/v3", "/batch")
LIMIT = 50


class Planner:
    """Google Calendar and Tasks of one account for the length of a `with`."""

    def __init__(self, owner: str = "me@x.example", *, ahead: float = 420.0) -> None:
        self.lock = threading.RLock()
        self.clock = Clock(ahead)
        self.crashes: list[BaseException] = []
        self.owner = owner
        self.agenda = Agenda(owner, self.clock)
        self.todo = Todo(self.clock)
        self.other = Todo(self.clock)
        self.requests: list[tuple[str, str]] = []
        self.parts: list[tuple[str, str, dict[str, str]]] = []
        self.tokens = {"good"}
        self.has_batches = True
        self.names_parts = True
        self._failures: list[tuple[str, Refused]] = []
        self._losses: list[str] = []
        self._dropped: list[str] = []
        self._dice = random.Random(7)

    def __enter__(self) -> Self:
        self._door = Door(self, "everything")
        self.root = f"{self._door.url}/"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._door.close()
        if self.crashes and error is None:
            raise self.crashes[0]

    # -------------------------------------------------------------- by hand

    def fail(self, where: str, refusal: Refused, times: int = 1) -> None:
        """Refuse the next requests of `METHOD path` that contain a text."""
        self._failures += [(where, refusal)] * times

    def forgive(self) -> None:
        """Refuse nothing any more, and forget what was asked."""
        self._failures.clear()
        self.parts.clear()

    def lose(self, where: str) -> None:
        """Execute the next request that contains a text and give no answer."""
        self._losses.append(where)

    def lose_second(self, where: str) -> None:
        """The same with the request after the next one."""
        self._losses += ["", where]

    def drop_part(self, where: str) -> None:
        """Leave the answer to the next such part out of its batch."""
        self._dropped.append(where)

    def writes(self) -> list[tuple[str, str, dict[str, str]]]:
        return [part for part in self.parts if part[0] != "GET"]

    # -------------------------------------------------------------- requests

    def answer(self, call: Call) -> Answer | None:
        with self.lock:
            self.requests.append((call.method, call.path))
            line = f"{call.method} {call.path}"
            is_lost = self._is_lost(line)
            is_batch = call.path in BATCHES and call.method == "POST"
            if is_batch and self.has_batches:
                found = self._batch(call)
            else:
                found = self._single(call)
            return None if is_lost else found

    def _is_lost(self, line: str) -> bool:
        if self._losses and not self._losses[0]:
            del self._losses[0]
            return False
        return _take(self._losses, line)

    def _single(self, call: Call) -> Answer:
        line = f"{call.method} {call.path}"
        self.parts.append((call.method, call.path, call.flat()))
        try:
            self._guard(call, line)
            found = self._routed(call)
        except Refused as refused:
            return as_json(refused.code, refused.body)
        return Answer(204) if found is None else as_json(200, found)

    def _guard(self, call: Call, line: str) -> None:
        if call.bearer.removeprefix("Bearer ") not in self.tokens:
            raise Refused(401, "authError", "Invalid Credentials")
        for number, (where, refusal) in enumerate(self._failures):
            if where in line:
                del self._failures[number]
                raise refusal

    def _routed(self, call: Call) -> Json | None:
        query = call.flat()
        if call.query.get("eventTypes"):
            query["eventTypes"] = ",".join(call.query["eventTypes"])
        if at := EVENTS.fullmatch(call.path):
            if at[1] not in {"primary", self.owner}:
                raise not_found()
            return self._event(call, at[2], bool(at[3]), query)
        if at := TASKS.fullmatch(call.path):
            return self._task(call, self._list(at[1]), at[2], query)
        if at := LISTS.fullmatch(call.path):
            if at[1]:
                return {"id": "other" if self._list(at[1]) is self.other else "main"}
            return {"items": [{"id": "main"}, {"id": "other"}]}
        raise not_found()

    def _event(
        self, call: Call, name: str, is_instances: bool, query: dict[str, str]
    ) -> Json | None:
        book, etag = self.agenda, call.headers.get("if-match", "")
        updates = query.get("sendUpdates", "")
        if call.method in {"POST", "PATCH"}:
            if query.get("conferenceDataVersion") != "1":
                raise Refused(400, "required", "Conferences would be dropped.")
            if "eventLabelVersion" in query:
                raise Refused(400, "invalid", "Labels would be dropped.")
        if call.method == "GET" and is_instances:
            return self._instances(name, query)
        if call.method == "GET":
            return book.get(name) if name else book.page(query)
        if call.method == "POST" and not name:
            return book.insert(call.body(), updates)
        if call.method == "PATCH" and name:
            return book.patch(name, call.body(), etag, updates)
        if call.method == "DELETE" and name:
            book.delete(name, etag, updates)
            return None
        raise not_found()

    def _instances(self, series: str, query: dict[str, str]) -> Json:
        wanted = query.get("originalStart", "")
        digits = wanted.replace("-", "").replace(":", "")
        for suffix in (digits, digits[:8]):
            try:
                return {"items": [self.agenda.shown(f"{series}_{suffix}")]}
            except Refused:
                continue
        return {}

    def _list(self, name: str) -> Todo:
        if name not in {"@default", "main", "other"}:
            raise not_found()
        return self.other if name == "other" else self.todo

    def _task(
        self, call: Call, book: Todo, name: str, query: dict[str, str]
    ) -> Json | None:
        if call.method == "GET":
            return book.get(name) if name else book.page(query)
        if call.method == "POST" and not name:
            return book.insert(call.body())
        if call.method == "PATCH" and name:
            return book.patch(name, call.body())
        if call.method == "DELETE" and name:
            book.delete(name)
            return None
        raise not_found()

    # -------------------------------------------------------------- batches

    def _batch(self, call: Call) -> Answer:
        kind = call.headers.get("content-type", "")
        edge = re.search(r'boundary="?([^";]+)', kind)
        if not kind.startswith("multipart/mixed") or edge is None:
            return as_json(400, Refused(400, "badRequest").body)
        sections = call.raw.split(b"--" + edge[1].encode())[1:-1]
        if not 0 < len(sections) <= LIMIT:
            return as_json(400, Refused(400, "badRequest", "Too many parts").body)
        order = list(range(len(sections)))
        self._dice.shuffle(order)
        found = {n: self._part(call, sections[n]) for n in order}
        if self.names_parts:
            self._dice.shuffle(order)
        else:
            order.sort()
        answers = [found[n] for n in order if found[n]]
        body = "".join(f"--edge\r\n{text}\r\n" for text in answers) + "--edge--\r\n"
        headers = {"Content-Type": "multipart/mixed; boundary=edge"}
        return Answer(200, body.encode(), headers)

    def _part(self, outer: Call, section: bytes) -> str:
        head, _, message = section.lstrip(b"\r\n").partition(b"\r\n\r\n")
        content_id = re.search(rb"(?i)content-id:\s*<([^>]+)>", head)
        top, _, body = message.partition(b"\r\n\r\n")
        lines = top.decode().split("\r\n")
        method, target, *_ = lines[0].split(" ")
        where = urlsplit(target)
        headers = dict(outer.headers)
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        size = int(headers.get("content-length", "0")) if body.strip() else 0
        query = parse_qs(where.query, keep_blank_values=True)
        inner = Call(
            outer.role, method, unquote(where.path), query,
            body[:size], outer.bearer, headers,
        )  # fmt: skip
        answer = self._single(inner)
        if _take(self._dropped, f"{method} {inner.path}"):
            return ""
        shown = content_id[1].decode() if content_id else ""
        named = f"Content-ID: <response-{shown}>\r\n" if self.names_parts else ""
        text = answer.body.decode()
        return (
            f"Content-Type: application/http\r\n{named}\r\n"
            f"HTTP/1.1 {answer.status} X\r\n"
            "Content-Type: application/json; charset=UTF-8\r\n"
            f"Content-Length: {len(answer.body)}\r\n\r\n{text}\r\n"
        )


def _take(wanted: list[str], line: str) -> bool:
    for text in wanted:
        if text in line:
            wanted.remove(text)
            return True
    return False
