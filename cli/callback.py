"""A small HTTP server that waits for one OAuth callback on `PUBLIC_URL`'s port."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from crmsync.errors import ConfigError, UsageError

_PAGE = (
    b"<!doctype html><html lang=en><meta charset=utf-8><title>CRM Sync</title>"
    b"<body style='font-family:sans-serif;margin:4rem'><h1>Thank you.</h1>"
    b"<p>You can close this window and go back to the terminal.</p>"
)


class CallbackServer:
    """Serves `/oauth/callback` until the answer has come."""

    def __init__(self, public_url: str) -> None:
        """Bind the port that `PUBLIC_URL` names.

        Raises:
            ConfigError: if the port cannot be served.
        """
        parts = urlsplit(public_url)
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            raise ConfigError("PUBLIC_URL names no usable port.") from None
        self.answer: dict[str, str] = {}
        self._came = threading.Event()
        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        except OSError as error:
            raise ConfigError(
                f"PUBLIC_URL: port {port} cannot be served here ({error.strerror}). "
                "Stop what uses it, or authorise on the Options page."
            ) from None
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                is_callback = parts.path == "/oauth/callback"
                self.send_response(200 if is_callback else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Referrer-Policy", "no-referrer")
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                if is_callback and not outer._came.is_set():
                    outer.answer = dict(parse_qsl(parts.query))
                    self.wfile.write(_PAGE)
                    outer._came.set()

            def log_message(self, *args: Any) -> None:
                """Log nothing: the query holds the code."""

        return Handler

    def __enter__(self) -> CallbackServer:
        """Start serving."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait(self, timeout: float) -> dict[str, str]:
        """Return the callback's query.

        Raises:
            UsageError: if none came in time.
        """
        if not self._came.wait(timeout):
            raise UsageError("No answer came from Google in time. Nothing was changed.")
        return self.answer
