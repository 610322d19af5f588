"""The socket side: HTTP/1.1 on loopback, one thread a connection, kept open."""

from __future__ import annotations

import contextlib
import gzip
import socket
import socketserver
import struct
import sys
import threading
import time
import traceback
from http import HTTPStatus
from io import BufferedIOBase
from typing import TYPE_CHECKING

from sandbox.errors import page
from sandbox.messages import Request, Response, json_response

if TYPE_CHECKING:
    from sandbox.app import Sandbox

_MAX_HEAD = 65_536
_MAX_BODY = 64 * 1024 * 1024
_GZIP_FROM = 512
_REASONS = {status.value: status.phrase for status in HTTPStatus}


class BadRequest(Exception):
    """What came in is no HTTP we serve."""


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, sandbox: Sandbox, port: int) -> None:
        self.sandbox = sandbox
        super().__init__(("127.0.0.1", port), Connection)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that goes away is no news; anything else is a bug of ours."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            traceback.print_exc()

    def start(self) -> threading.Thread:
        thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        return thread


class Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    rbufsize = 65_536
    server: Server

    def handle(self) -> None:
        going = True
        while going:
            try:
                request, keep = read_request(self.rfile, self.connection)
            except BadRequest as error:
                answer = page(
                    400, f"Your client has issued a malformed request. {error}"
                )
                self.connection.sendall(self._message(answer, b"", keep=False))
                return
            if request is None:
                return
            going = self._answer(request, keep=keep)

    def _answer(self, request: Request, *, keep: bool) -> bool:
        sandbox = self.server.sandbox
        try:
            response = sandbox.handle(request)
        except Exception:  # noqa: BLE001 - a bug of ours must answer 500, not hang the caller
            traceback.print_exc()
            error = {
                "code": 500,
                "message": "Bug in the sandbox.",
                "status": "INTERNAL",
            }
            response = json_response({"error": error}, 500)
        body = response.body
        wants_gzip = "gzip" in request.headers.get("accept-encoding", "")
        if wants_gzip and len(body) >= _GZIP_FROM:
            body = gzip.compress(body, compresslevel=1, mtime=0)
            response.headers.append(("Content-Encoding", "gzip"))
        message = self._message(response, body, keep=keep)
        if response.cut is not None:
            self._cut(response, message, len(body))
            return False
        self.connection.sendall(message)
        return keep

    def _message(self, response: Response, body: bytes, *, keep: bool) -> bytes:
        lines = [
            f"HTTP/1.1 {response.status} {_REASONS.get(response.status, 'Unknown')}",
            f"Content-Type: {response.content_type}",
            "Vary: Origin, X-Origin, Referer",
            f"Date: {self.server.sandbox.clock.http_date()}",
            "Server: ESF",
            *(f"{name}: {value}" for name, value in response.headers),
            f"Content-Length: {len(body)}",
        ]
        names = {name for name, _ in response.headers}
        if "Cache-Control" not in names:
            lines.append("Cache-Control: private")
        if not keep:
            lines.append("Connection: close")
        head = "\r\n".join(lines) + "\r\n\r\n"
        return head.encode("utf-8") + body

    def _cut(self, response: Response, message: bytes, size: int) -> None:
        """End the connection the way a fault rule asks for."""
        if response.hold:
            time.sleep(response.hold)
        if response.cut == "truncate":
            self.connection.sendall(message[: len(message) - size // 2 - 1])
        if response.cut == "reset":
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
            return
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


def read_request(
    stream: BufferedIOBase, connection: socket.socket
) -> tuple[Request | None, bool]:
    """The next request of a connection, and whether it stays open afterwards.

    Raises:
        BadRequest: malformed, or larger than we take.
    """
    line = stream.readline(_MAX_HEAD)
    while line in (b"\r\n", b"\n"):
        line = stream.readline(_MAX_HEAD)
    if not line:
        return None, False
    words = line.decode("latin-1").split()
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise BadRequest("The request line is broken.")
    method, target, version = words
    headers = _read_headers(stream)
    if headers.get("expect", "").lower() == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = _read_body(stream, headers)
    path, _, query = target.partition("?")
    wish = headers.get("connection", "").lower()
    keep = wish == "keep-alive" if version == "HTTP/1.0" else wish != "close"
    return Request(method, path, query, headers, body), keep


def _read_headers(stream: BufferedIOBase) -> dict[str, str]:
    headers: dict[str, str] = {}
    total = 0
    while True:
        line = stream.readline(_MAX_HEAD)
        total += len(line)
        if total > _MAX_HEAD or not line:
            raise BadRequest("The header is broken or too large.")
        if line in (b"\r\n", b"\n"):
            return headers
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            raise BadRequest("A header line has no colon.")
        headers[name.strip().lower()] = value.strip()


def _read_body(stream: BufferedIOBase, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return _read_chunks(stream)
    text = headers.get("content-length", "0")
    if not text.isdecimal() or int(text) > _MAX_BODY:
        raise BadRequest("The content length is broken or too large.")
    body = stream.read(int(text)) if int(text) else b""
    if headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    return body


def _read_chunks(stream: BufferedIOBase) -> bytes:
    found = b""
    while True:
        text = stream.readline(_MAX_HEAD).split(b";")[0].strip()
        try:
            size = int(text, 16)
        except ValueError:
            raise BadRequest("A chunk size is broken.")
        if len(found) + size > _MAX_BODY:
            raise BadRequest("The body is too large.")
        found += stream.read(size)
        stream.readline(_MAX_HEAD)
        if size == 0:
            return found
