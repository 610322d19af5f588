"""The only way out: a POST to an address of this machine, and to no other."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

_LOCAL = ("127.0.0.1", "localhost", "::1")


def is_local(address: str) -> bool:
    return urlsplit(address).hostname in _LOCAL


def post(address: str, headers: dict[str, str], body: bytes | None = None) -> int:
    """The status of the answer; 0 if nobody answers, or it is far away."""
    if not is_local(address):
        return 0
    parts = urlsplit(address)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=5)
    path = parts.path or "/"
    try:
        connection.request(
            "POST",
            f"{path}?{parts.query}" if parts.query else path,
            body,
            {**headers, "User-Agent": "APIs-Google", "Accept": "*/*"},
        )
        return connection.getresponse().status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()
