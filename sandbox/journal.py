"""The list of requests that were served, for tests to look at."""

from __future__ import annotations

import itertools
import re
import threading
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(slots=True)
class Entry:
    n: int
    at: float
    account: str | None
    method: str
    path: str
    query: str
    route: str | None
    status: int
    ms: float
    bytes_in: int
    bytes_out: int
    batch: bool
    fault: str | None


class Journal:
    def __init__(self, size: int = 50_000) -> None:
        self._entries: deque[Entry] = deque(maxlen=size)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def next_number(self) -> int:
        return next(self._numbers)

    def add(self, entry: Entry) -> None:
        with self._lock:
            self._entries.append(entry)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()

    def find(self, wanted: dict[str, str]) -> list[dict[str, Any]]:
        """The last `limit` entries that fit.

        Wanted may be `account`, `method`, `path` (a pattern), `route`, `status`,
        `since` (a number) and `batch`.
        """
        with self._lock:
            entries = list(self._entries)
        pattern = re.compile(wanted.get("path", ""))
        since = int(wanted.get("since", "0"))
        found = [e for e in entries if e.n > since and pattern.search(e.path)]
        for name in ("account", "method", "route", "status"):
            if name in wanted:
                found = [e for e in found if str(getattr(e, name)) == wanted[name]]
        if "batch" in wanted:
            found = [e for e in found if e.batch == (wanted["batch"] == "true")]
        limit = int(wanted.get("limit", "0"))
        return [asdict(e) for e in (found[-limit:] if limit else found)]
