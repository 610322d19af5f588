"""What the built-in CRM refuses, each with a sentence that a person can read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crm.accounts import AccountRow
    from crm.activityrows import ActivityRow
    from crm.rows import ContactRow
    from crm.shelves import Record


class CrmError(Exception):
    """Base of all refusals of the built-in CRM."""


class NotFound(CrmError):
    """There is no such record, or it is deleted."""


class AlreadyThere(CrmError):
    """A record with that name or address exists."""


class BadFile(CrmError):
    """A file cannot be read as what it is said to be; nothing was imported."""


class BadValue(CrmError):
    """A value is refused.

    Attributes:
        field: the name of the field at fault.
    """

    def __init__(self, field: str, reason: str) -> None:
        """Keep the field; `reason` completes the sentence "<field> …"."""
        super().__init__(f"{field} {reason}")
        self.field = field


class TooLong(BadValue):
    """A text is longer than its column (the CRM refuses; callers truncate, CON-15).

    Attributes:
        limit: code points that the field takes.
    """

    def __init__(self, field: str, limit: int, length: int) -> None:
        """Name the field, its limit and the length it was given."""
        super().__init__(field, f"takes {limit} characters, not {length}")
        self.limit = limit


class Imported(BadValue):
    """An activity is only shown here; it is somebody else's to change (CAL-23)."""

    def __init__(self, source: str) -> None:
        """Say where it comes from."""
        super().__init__("activity", "is imported")
        self.args = (
            f"this activity comes from {source} and can only be changed there",
        )


class VersionMismatch(CrmError):
    """Somebody changed the record since it was read.

    Attributes:
        current: the record as it is now.
    """

    def __init__(self, current: ContactRow | ActivityRow | Record) -> None:
        """Keep the record as it is now."""
        super().__init__(f"{current.id} has version {current.version}")
        self.current = current


class AmbiguousAccount(CrmError):
    """Several accounts have that name and the rule says to ask (CON-9).

    Attributes:
        candidates: the accounts, oldest first.
    """

    def __init__(self, candidates: Sequence[AccountRow]) -> None:
        """Keep the accounts to choose from."""
        super().__init__(f"{len(candidates)} accounts are named {candidates[0].name!r}")
        self.candidates = tuple(candidates)
