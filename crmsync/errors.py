"""The error tree, named by what must happen next (docs/glossary.md)."""

from __future__ import annotations

from typing import Any


class CrmSyncError(Exception):
    """Base of all errors that are raised on purpose.

    Attributes:
        code: a stable, lower-case name that Sync History shows and tests check.
        next_step: what a person can do about it, one plain sentence.
    """

    code = "error"
    next_step = "Ask your administrator to look at the log."

    def __init__(self, message: str, *, next_step: str | None = None) -> None:
        """Keep the sentence that a person reads and, if given, the way on."""
        super().__init__(message)
        self.message = message
        if next_step is not None:
            self.next_step = next_step


class ConfigError(CrmSyncError):
    """A configuration value is missing or wrong; the process ends with status 2."""

    code = "configuration"
    next_step = "Correct the variable and start again."


class UsageError(CrmSyncError):
    """A person asked for something that does not exist or is not allowed."""

    code = "usage"
    next_step = "Check the name or number and try again."


class ReconnectNeeded(CrmSyncError):
    """The grant is dead (401, revoked, expired): the user has to authorise again."""

    code = "reauthorise"
    next_step = "Open Options, Authorize Services, and authorise the service again."


class OtherAccount(ReconnectNeeded):
    """The links are another Google account's than the one now authorised (AUTH-8)."""

    code = "other_account"
    next_step = (
        "Open Options, Authorize Services, and go back to the former account, or "
        "forget its links."
    )


class PermissionMissing(CrmSyncError):
    """A scope was not granted (403)."""

    code = "scope_missing"
    next_step = "Authorise the service again and tick all boxes."


class CollectionGone(CrmSyncError):
    """The Contact Sync Group (or another collection) is deleted or unreadable."""

    code = "collection_gone"
    next_step = "Choose a Contact Sync Group in Options."


class Retryable(CrmSyncError):
    """A passing fault: the cycle ends early and goes on later.

    Attributes:
        retry_after: seconds the provider asked us to wait, or None.
    """

    code = "provider_down"
    next_step = "Nothing to do: the next cycle goes on where this one stopped."

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        """Keep the wait that the provider asked for, in seconds."""
        super().__init__(message)
        self.retry_after = retry_after


class RateLimited(Retryable):
    """The provider's quota is used up for now (429, 403 with a rate reason)."""

    code = "rate_limited"


class ProviderDown(Retryable):
    """Time-outs, refused connections and 5xx answers outlasted the retry budget."""


class OutcomeUnknown(Retryable):
    """A write left us and no answer came: it may or may not have happened."""

    code = "outcome_unknown"
    next_step = "Nothing to do: the next cycles find out whether it arrived."


class StorageDown(Retryable):
    """Our own database is locked, full, read-only, damaged or gone.

    What was being stored is not stored; a cycle ends and the next one goes on.
    """

    code = "storage_down"

    def __init__(self, message: str, *, code: str, next_step: str) -> None:
        """Keep which of them it is, and the way on."""
        super().__init__(message)
        self.code = code
        self.next_step = next_step


class CursorExpired(CrmSyncError):
    """The cursor is too old or was lost: a full comparison follows (ENG-4)."""

    code = "cursor_expired"


class PreconditionFailed(CrmSyncError):
    """The record is not as we last saw it: read again, merge, retry once."""

    code = "precondition_failed"
    next_step = "Nothing to do: the record is read again and merged."


class EtagMismatch(PreconditionFailed):
    """Somebody changed the record since we read it."""


class NotFound(PreconditionFailed):
    """The record is gone."""

    code = "not_found"


class AlreadyExists(PreconditionFailed):
    """A record with that name or id is there already."""

    code = "already_exists"


class InvalidRecord(CrmSyncError):
    """The provider (or our mapping) refuses the record itself.

    Attributes:
        fields: the names of the fields at fault, if known.
    """

    code = "invalid_record"
    next_step = "Correct the record; it is tried again after that."

    def __init__(
        self, message: str, fields: tuple[str, ...] = (), *, code: str | None = None
    ) -> None:
        """Keep the names of the fields at fault."""
        super().__init__(message)
        self.fields = fields
        if code is not None:
            self.code = code


class LeaseLost(CrmSyncError):
    """Another worker took the pair over; nothing of ours may be committed (ENG-5)."""

    code = "lease_lost"
    next_step = "Nothing to do: another worker is running this synchronisation."


class LeaseTaken(CrmSyncError):
    """Another worker is running this pair, or writes to this Google account."""

    code = "lease_taken"
    next_step = "Wait until the running cycle has ended."


class ProtocolBroken(CrmSyncError):
    """The provider answered something that its contract excludes."""

    code = "protocol"
    next_step = "Report this to the maintainers with the cycle's number."


def describe(error: CrmSyncError) -> dict[str, Any]:
    """Return the error as Sync History stores it: code, message and next step."""
    return {"code": error.code, "message": error.message, "next_step": error.next_step}
