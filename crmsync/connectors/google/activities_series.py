"""What an occurrence does not say itself: about the series that it belongs to.

Google's tombstone of an occurrence does not name the organiser (5.4.3), and whether an
occurrence comes in by itself depends on how its series repeats (CAL-17).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from crmsync.connectors.google.mapping.activities import Reading
from crmsync.connectors.google.mapping.singles import COMPARED, is_split
from crmsync.connectors.google.multipart import Wire

WHOLE = ("organizer", "start", "end", *COMPARED)

Look = Callable[[Sequence[str]], Mapping[str, Wire | None]]


class Masters:
    """The series that one read, or one look, has shown or asked for."""

    def __init__(
        self, look: Look, reading: Reading, *, keeps: tuple[str, ...] = ("organizer",)
    ):
        """Prepare.

        Args:
            look: reads series that were not shown.
            reading: what events are read with.
            keeps: what is kept of each series.
        """
        self._look = look
        self._reading = reading
        self._known: dict[str, Wire] = {}
        self._split: set[str] = set()
        self._keeps = keeps

    def learn(self, events: Iterable[Wire]) -> None:
        """Know the series of all these events."""
        self._learn(events, lambda event: bool(series_id(event)))

    def completed(self, events: Sequence[Wire]) -> list[Wire]:
        """Return the events; bare tombstones name the organiser of their series."""
        self._learn(events, _is_bare)
        return [
            {**event, "organizer": self._known[series_id(event)].get("organizer")}
            if _is_bare(event)
            else event
            for event in events
        ]

    def is_split(self, series: str) -> bool:
        """Whether a known series comes in as single activities (CAL-17)."""
        return series in self._split

    def series(self, name: str) -> Wire | None:
        """Return a known series; None: it is not known, or there is none."""
        return self._known.get(name) or None

    def _learn(self, events: Iterable[Wire], is_wanted: Callable[[Wire], bool]) -> None:
        wanted: set[str] = set()
        for event in events:
            if event.get("recurrence"):
                self._know(str(event.get("id")), event)
            elif is_wanted(event):
                wanted.add(series_id(event))
        missing = sorted(wanted - self._known.keys())
        for name, series in (self._look(missing) if missing else {}).items():
            self._know(name, series or {})

    def _know(self, name: str, series: Wire) -> None:
        self._known[name] = {n: series[n] for n in self._keeps if n in series}
        if is_split(series, self._reading):
            self._split.add(name)


def series_id(event: Wire) -> str:
    """Return the id of the series that an occurrence belongs to, or ""."""
    return str(event.get("recurringEventId") or "")


def _is_bare(event: Wire) -> bool:
    return bool(series_id(event)) and not event.get("organizer")
