"""Who organises a cancelled occurrence: Google's tombstone does not say (5.4.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from crmsync.connectors.google.multipart import Wire

Look = Callable[[Sequence[str]], Mapping[str, Wire | None]]


class Organizers:
    """The organisers of the series that one read, or one look, has shown."""

    def __init__(self, look: Look):
        """Prepare.

        Args:
            look: reads series that were not shown.
        """
        self._look = look
        self._known: dict[str, Any] = {}

    def completed(self, events: Sequence[Wire]) -> list[Wire]:
        """Return the events; bare tombstones name the organiser of their series."""
        for event in events:
            if event.get("recurrence"):
                self._known[str(event.get("id"))] = event.get("organizer")
        bare = {_series(e) for e in events if _is_bare(e)} - self._known.keys()
        if bare:
            for name, series in self._look(sorted(bare)).items():
                self._known[name] = (series or {}).get("organizer")
        return [
            {**event, "organizer": self._known.get(_series(event))}
            if _is_bare(event)
            else event
            for event in events
        ]


def _series(event: Wire) -> str:
    return str(event.get("recurringEventId") or "")


def _is_bare(event: Wire) -> bool:
    return bool(_series(event)) and not event.get("organizer")
