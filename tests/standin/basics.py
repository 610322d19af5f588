"""What every part of the stand-in uses: refusals, the clock, digests."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

Json = dict[str, Any]


class Refusal(Exception):
    """An answer in the shape of google.rpc.Status."""

    def __init__(
        self, code: int, status: str, message: str, details: list[Json] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.details = details

    def body(self) -> Json:
        error: Json = {"code": self.code, "message": str(self), "status": self.status}
        if self.details:
            error["details"] = self.details
        return {"error": error}


def invalid(message: str) -> Refusal:
    return Refusal(400, "INVALID_ARGUMENT", message)


def not_found() -> Refusal:
    return Refusal(404, "NOT_FOUND", "Requested entity was not found.")


class Clock:
    """The time of the service, which a test may move and which runs ahead of ours."""

    def __init__(self, ahead: float) -> None:
        self.ahead = ahead
        self.moved = 0.0
        self._last = 0
        self._lock = threading.Lock()

    def now(self) -> float:
        return time.time() + self.moved

    def stamp(self) -> int:
        """Nanoseconds as the service writes them; no two stamps are equal."""
        with self._lock:
            now = time.time_ns() + int((self.moved + self.ahead) * 1_000_000_000)
            self._last = max(self._last + 1, now)
            return self._last


def written(stamp: int) -> str:
    seconds, nanoseconds = divmod(stamp, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"


def digest(*parts: object) -> str:
    return blake2b(repr(parts).encode(), digest_size=9).hexdigest()
