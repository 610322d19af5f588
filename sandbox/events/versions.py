"""What of a calendar its lists show, if lists lag behind (the switch calendar_delay).

A single read is always current, as Google's are; only lists and syncs may be late.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from sandbox.events.model import Event


class Versions:
    """The older versions that late lists still need, of one calendar."""

    def __init__(self) -> None:
        self._floor = 0  # everything up to here is visible
        self._marks: deque[tuple[float, int]] = deque(maxlen=10_000)
        self._older: dict[str, list[Event]] = {}

    def settle(self, seq: int) -> None:
        """Let everything be visible now."""
        self._floor = max(self._floor, seq)
        self._marks.clear()
        self._older.clear()

    def note(self, at: float, kept: Event, old: Event | None) -> None:
        """A write that lists will show later."""
        self._marks.append((at, kept.seq))
        if old is not None:
            self._older.setdefault(old.id, []).append(old)

    def horizon(self, seq: int, visible_until: float) -> int:
        """The last change that lists show; it never goes back."""
        while self._marks and self._marks[0][0] <= visible_until:
            self._floor = max(self._floor, self._marks.popleft()[1])
        if not self._marks:
            self.settle(seq)
        return self._floor

    def seen(self, events: Iterable[Event], horizon: int) -> Iterator[Event]:
        """The events as lists show them; what is too new is not there yet."""
        for event in events:
            if event.seq <= horizon:
                yield event
                continue
            for older in reversed(self._older.get(event.id, ())):
                if older.seq <= horizon:
                    yield older
                    break
