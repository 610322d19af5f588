"""The rules an admin chose for one pair, as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Direction(StrEnum):
    """CON-5."""

    BOTH = "both"
    TO_GOOGLE = "to_google"
    TO_CRM = "to_crm"


class Conflict(StrEnum):
    """CON-11: who wins a field that both sides changed to different values."""

    GOOGLE = "google"
    CRM = "crm"
    NEWEST = "newest"


class Granularity(StrEnum):
    """CON-11: whether a conflict decides the field or the whole record."""

    FIELD = "field"
    RECORD = "record"


class Match(StrEnum):
    """CON-7: whether unselected records are looked at."""

    ALL = "all"
    SELECTED = "selected"


class WeakMatch(StrEnum):
    """CON-7: what happens with candidates found without an address."""

    HOLD = "hold"
    LINK = "link"


class DeleteFromGoogle(StrEnum):
    """CON-12."""

    CREATED = "created"
    ALWAYS = "always"
    NEVER = "never"


class MemberEdit(StrEnum):
    """CAL-8, CAL-11: what becomes of an edit by somebody who does not organise it."""

    FORK = "fork"
    PROPOSE = "propose"
    WRITE_BACK = "write_back"


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that the engine decides by.

    Attributes:
        keeps_original: `fork_keeps_original` (CAL-11).
        notification_budget: guests that Google may tell in one cycle (CAL-20).
        hold_records, hold_percent, hold_creates: the numbers of ENG-6.
    """

    direction: Direction = Direction.BOTH
    conflict: Conflict = Conflict.GOOGLE
    granularity: Granularity = Granularity.FIELD
    match: Match = Match.ALL
    weak_match: WeakMatch = WeakMatch.HOLD
    delete_from_google: DeleteFromGoogle = DeleteFromGoogle.CREATED
    hold_records: int = 10
    hold_percent: int = 5
    hold_creates: int = 500
    member_edit: MemberEdit = MemberEdit.FORK
    keeps_original: bool = False
    notification_budget: int = 20

    @property
    def writes_google(self) -> bool:
        """Whether CRM changes go to Google."""
        return self.direction is not Direction.TO_CRM

    @property
    def writes_crm(self) -> bool:
        """Whether Google changes go to the CRM."""
        return self.direction is not Direction.TO_GOOGLE
