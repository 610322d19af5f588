"""Messages for the tests: real ones from files, and a builder for small ones."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "data" / "mail"
FILES = sorted(
    path for path in FOLDER.rglob("*") if path.is_file() and path.name != "LICENSE"
)


def letter(*lines: str, body: bytes = b"Hello") -> bytes:
    """Return a message with these header lines and this body."""
    head = "\r\n".join(lines).encode("utf-8", "surrogateescape")
    return head + b"\r\n\r\n" + body


def mixed(*parts: bytes, kind: str = "mixed", head: tuple[str, ...] = ()) -> bytes:
    """Return a message of several parts; each begins with its own header."""
    inner = b"".join(b"--cut\r\n" + part + b"\r\n" for part in parts)
    lines = (*head, f'Content-Type: multipart/{kind}; boundary="cut"')
    return letter(*lines, body=inner + b"--cut--\r\n")
