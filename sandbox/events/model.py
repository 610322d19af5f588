"""The stored forms: a calendar, and one version of an event on one calendar.

An event is never changed: each write makes a new version. What all guests share and
what belongs to one copy alone are kept apart (contract 5.1, 5.3).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sandbox.messages import Json

ROLES = ("freeBusyReader", "reader", "writerWithoutPrivateAccess", "writer", "owner")
DEFAULT_REMINDERS = [{"method": "popup", "minutes": 30}]

# The fields of a copy that its calendar's owner has alone; `private` stands for
# extendedProperties.private, `shared` (below) for extendedProperties.shared.
OWN = ("reminders", "colorId", "eventLabelId", "visibility", "transparency", "private")
SHARED = (
    "summary",
    "description",
    "location",
    "start",
    "end",
    "endTimeUnspecified",
    "recurrence",
    "attendees",
    "status",
    "shared",
    "guestsCanModify",
    "guestsCanInviteOthers",
    "guestsCanSeeOtherGuests",
    "anyoneCanAddSelf",
    "conferenceData",
    "hangoutLink",
    "attachments",
    "source",
    "gadget",
    "birthdayProperties",
    "focusTimeProperties",
    "outOfOfficeProperties",
    "workingLocationProperties",
)


@dataclass(slots=True)
class Calendar:
    """What is known of a calendar besides its events."""

    id: str
    owner: str
    summary: str
    zone: str = "UTC"
    description: str = ""
    location: str = ""
    primary: bool = False
    project: str = ""  # whose client made it (scope calendar.app.created)
    shares: dict[str, str] = field(default_factory=dict)
    views: dict[str, Json] = field(default_factory=dict)  # colour, hidden, …
    epoch: str = ""
    dead_before: float = 0.0  # sync tokens given out earlier are dead
    deleted: bool = False
    seq: int = 0

    def role(self, account: str) -> str | None:
        if account == self.owner:
            return "owner"
        return self.shares.get(account)

    def document(self) -> Json:
        return {name: getattr(self, name) for name in self.__slots__ if name != "id"}


@dataclass(frozen=True, slots=True)
class Event:
    """One version of an event, or of an exception of a series, on one calendar."""

    calendar: str
    id: str
    uid: str
    shared: Json
    own: Json
    organizer: Json
    creator: str
    created: float
    updated: float
    seq: int = 0
    stamp: int = 0
    sequence: int = 0
    kind: str = "default"
    cancelled: bool = False
    master: str | None = None
    original: Json | None = None
    private_copy: bool = False
    locked: bool = False
    removed: bool = False  # a guest threw this copy away
    gone: bool = False  # an exception whose series has no such place any more

    @property
    def is_series(self) -> bool:
        return bool(self.shared.get("recurrence"))

    @property
    def is_instance(self) -> bool:
        return self.master is not None

    @property
    def is_organized(self) -> bool:
        """Whether this copy is the organizer's own."""
        return bool(self.organizer.get("email") == self.calendar)

    @property
    def guests(self) -> list[Json]:
        listed: list[Json] = self.shared.get("attendees", [])
        return listed

    @property
    def etag(self) -> str:
        return f'"{self.stamp}"'

    def document(self) -> Json:
        skipped = ("calendar", "id")
        return {n: getattr(self, n) for n in self.__slots__ if n not in skipped}


def event_of(calendar: str, key: str, document: Json) -> Event:
    return Event(calendar=calendar, id=key, **document)


def calendar_of(key: str, document: dict[str, Any]) -> Calendar:
    return Calendar(id=key, **document)
