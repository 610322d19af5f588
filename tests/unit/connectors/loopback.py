"""A tiny HTTP server on the loopback that does what a test scripts, byte by byte."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import orjson

_DROPPED = contextlib.suppress(OSError, ValueError)
"""What ends a connection quietly: it broke, or it did not speak HTTP."""


@dataclass(frozen=True)
class Seen:
    """One complete request as it came over the wire."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    connection: int


Step = Callable[[socket.socket, Seen], bool]
"""Answers one request; returns whether the connection stays open."""


def answer(
    status: int = 200,
    body: object = b"{}",
    headers: Mapping[str, str] | None = None,
    *,
    keeps: bool = True,
) -> Step:
    """Answer properly; anything but bytes is sent as JSON."""

    def step(conn: socket.socket, _seen: Seen) -> bool:
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        lines = [f"HTTP/1.1 {status} X", f"content-length: {len(data)}"]
        given = {"content-type": "application/json", **(headers or {})}
        lines += [f"{name}: {value}" for name, value in given.items()]
        conn.sendall("\r\n".join([*lines, "", ""]).encode() + data)
        return keeps

    return step


def cut(body: bytes = b'{"a": ', promised: int = 100) -> Step:
    """Promise more bytes than come."""

    def step(conn: socket.socket, _seen: Seen) -> bool:
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {promised}\r\n\r\n"
        conn.sendall(head.encode() + body)
        return False

    return step


def close(_conn: socket.socket, _seen: Seen) -> bool:
    """Read the request and close without a word."""
    return False


def reset(conn: socket.socket, _seen: Seen) -> bool:
    """Read the request and reset the connection."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def hang(seconds: float) -> Step:
    """Read the request and say nothing."""

    def step(_conn: socket.socket, _seen: Seen) -> bool:
        time.sleep(seconds)
        return False

    return step


def then_close(step: Step) -> Step:
    """Answer as a kept connection, and close it right after."""

    def closing(conn: socket.socket, seen: Seen) -> bool:
        step(conn, seen)
        return False

    return closing


@dataclass
class Loopback:
    """The server: each request takes the next step; the last one is repeated."""

    steps: list[Step]
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def stop(self) -> None:
        # A close alone does not wake a thread that waits for connections.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for conn in self._open:
                with contextlib.suppress(OSError):
                    conn.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(2)

    def _accept(self) -> None:
        while True:
            try:
                conn, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                number = self.connections
                self._open.append(conn)
            thread = threading.Thread(
                target=self._serve, args=(conn, number), daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def _serve(self, conn: socket.socket, number: int) -> None:
        with conn, conn.makefile("rb") as stream, _DROPPED:
            while True:
                line = stream.readline().decode()
                if not line:
                    return
                method, target, _ = line.split()
                headers = {}
                while (line := stream.readline().decode().strip()) != "":
                    name, _, value = line.partition(":")
                    headers[name.lower()] = value.strip()
                body = stream.read(int(headers.get("content-length", 0)))
                seen = Seen(method, target, headers, body, number)
                with self._lock:
                    self.seen.append(seen)
                    at = min(len(self.seen), len(self.steps)) - 1
                if not self.steps[at](conn, seen):
                    return


@contextlib.contextmanager
def serving(*steps: Step) -> Iterator[Loopback]:
    """Serve the steps for the time of a test."""
    server = Loopback(list(steps))
    try:
        yield server
    finally:
        server.stop()
