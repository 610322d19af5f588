"""The sandbox's own time: the machine's clock plus an offset that a test can move."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import formatdate

DAY = 86_400.0


class Clock:
    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset

    def now(self) -> float:
        return time.time() + self.offset

    def advance(self, seconds: float) -> None:
        self.offset += seconds

    def http_date(self) -> str:
        return formatdate(self.now(), usegmt=True)


def rfc3339(moment: float) -> str:
    """A time as People writes it, in microseconds (contract 4.3 [M])."""
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds")
    return text.replace("+00:00", "Z")
