"""Ports that speak HTTP/1.1 and hand what they read to the service behind them."""

from __future__ import annotations

import json
import socket
import sys
import threading
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from tests.standin.basics import Clock, Json, Refusal

Role = Literal["everything", "oauth", "people"]


@dataclass
class Call:
    role: Role
    method: str
    path: str
    query: dict[str, list[str]]
    raw: bytes
    bearer: str
    headers: dict[str, str] = field(default_factory=dict)

    def form(self) -> dict[str, str]:
        sent = parse_qs(self.raw.decode("utf-8", "replace"), keep_blank_values=True)
        return {k: v[-1] for k, v in sent.items()}

    def flat(self) -> dict[str, str]:
        return {k: v[-1] for k, v in self.query.items()}

    def body(self) -> Json:
        if not self.raw:
            return {}
        try:
            sent = json.loads(self.raw)
        except ValueError:
            sent = None
        if not isinstance(sent, dict):
            raise Refusal(400, "INVALID_ARGUMENT", "The body is no JSON object.")
        return sent


@dataclass
class Answer:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def as_json(status: int, body: Any, **headers: str) -> Answer:
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    named = {k.replace("_", "-"): v for k, v in headers.items()}
    kind = {"Content-Type": "application/json; charset=UTF-8"}
    return Answer(status, text.encode(), kind | named)


def as_page(status: int, words: str) -> Answer:
    text = f"<!DOCTYPE html><title>Error</title><p>{words}</p>"
    return Answer(status, text.encode(), {"Content-Type": "text/html; charset=UTF-8"})


def from_the_future(value: Any, *, map_of_names: bool = False) -> Any:
    """Put a field nobody knows yet in every object; a map has no place for it."""
    if isinstance(value, list):
        return [from_the_future(v) for v in value]
    if not isinstance(value, dict):
        return value
    grown = {
        k: from_the_future(v, map_of_names=k == "updateResult")
        for k, v in value.items()
    }
    if grown and not map_of_names:
        grown["futureField"] = {"kind": "later#thing", "weights": [3, 1]}
    return grown


class Service(Protocol):
    """What stands behind a port."""

    lock: threading.RLock
    clock: Clock
    crashes: list[BaseException]

    def answer(self, call: Call) -> Answer | None: ...


class Door(ThreadingHTTPServer):
    """One port; it ends its connections and threads when it is closed."""

    daemon_threads = False
    request_queue_size = 64

    def __init__(self, service: Service, role: Role) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.service = service
        self.role = role
        self.live: set[socket.socket] = set()
        self.closing = False
        self._thread = threading.Thread(
            target=self.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def enter(self, connection: socket.socket) -> bool:
        with self.service.lock:
            self.live.add(connection)
            return not self.closing

    def leave(self, connection: socket.socket) -> None:
        with self.service.lock:
            self.live.discard(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        if error and not isinstance(error, ConnectionError):
            self.service.crashes.append(error)

    def close(self) -> None:
        self.shutdown()
        self._thread.join()
        with self.service.lock:
            self.closing = True
            for connection in self.live:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_version = "GSE"
    sys_version = ""
    server: Door

    def handle(self) -> None:
        try:
            if self.server.enter(self.connection):
                super().handle()
        finally:
            self.server.leave(self.connection)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def date_time_string(self, timestamp: float | None = None) -> str:
        clock = self.server.service.clock
        return formatdate(clock.now() + clock.ahead, usegmt=True)

    def serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        query = parse_qs(parts.query, keep_blank_values=True)
        method = self.command
        override = self.headers.get("X-HTTP-Method-Override", "").upper()
        if method == "POST" and override == "GET":
            sent = parse_qs(raw.decode(), keep_blank_values=True)
            method, query, raw = "GET", query | sent, b""
        bearer = self.headers.get("Authorization", "")
        path = unquote(parts.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = Call(self.server.role, method, path, query, raw, bearer, headers)
        answer = self.server.service.answer(call)
        if answer is None:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def do_GET(self) -> None:
        self.serve()

    def do_POST(self) -> None:
        self.serve()

    def do_PUT(self) -> None:
        self.serve()

    def do_PATCH(self) -> None:
        self.serve()

    def do_DELETE(self) -> None:
        self.serve()
