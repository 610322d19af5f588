"""Calendar's own refusals, in the words reported in contract section 2.2."""

from __future__ import annotations

from sandbox.legacy import LegacyError, invalid

_DOMAIN = "calendar"


def full_sync_required() -> LegacyError:
    return LegacyError(
        410,
        "fullSyncRequired",
        "Sync token is no longer valid, a full sync is required.",
        domain=_DOMAIN,
        place=("parameter", "syncToken"),
    )


def updated_min_too_long_ago() -> LegacyError:
    return LegacyError(
        410,
        "updatedMinTooLongAgo",
        "The requested minimum modification time lies too far in the past.",
        domain=_DOMAIN,
        place=("parameter", "updatedMin"),
    )


def already_deleted() -> LegacyError:
    return LegacyError(410, "deleted", "Resource has been deleted")


def duplicate() -> LegacyError:
    return LegacyError(409, "duplicate", "The requested identifier already exists.")


def conflict() -> LegacyError:
    return LegacyError(409, "conflict", "Conflict")


def condition_not_met() -> LegacyError:
    return LegacyError(
        412, "conditionNotMet", "Precondition Failed", place=("header", "If-Match")
    )


def forbidden(message: str = "Forbidden") -> LegacyError:
    return LegacyError(403, "forbidden", message)


def non_organizer() -> LegacyError:
    return LegacyError(
        403,
        "forbiddenForNonOrganizer",
        "Shared properties can only be changed by the organizer of the event.",
        domain=_DOMAIN,
    )


def needs_writer() -> LegacyError:
    return LegacyError(
        403,
        "requiredAccessLevel",
        "You need to have writer access to this calendar.",
        domain=_DOMAIN,
    )


def type_restriction(message: str) -> LegacyError:
    return LegacyError(400, "eventTypeRestriction", message, domain=_DOMAIN)


def malformed(kind: str, message: str) -> LegacyError:
    name = kind[:1].upper() + kind[1:]
    return LegacyError(400, f"malformed{name}Event", message, domain=_DOMAIN)


def organizer_fixed(*, instance: bool) -> LegacyError:
    reason = "cannotChangeOrganizerOfInstance" if instance else "cannotChangeOrganizer"
    return LegacyError(
        400, reason, "Cannot change the organizer of an event.", domain=_DOMAIN
    )


def empty_range() -> LegacyError:
    return LegacyError(
        400, "timeRangeEmpty", "The specified time range is empty.", domain=_DOMAIN
    )


def missing(what: str) -> LegacyError:
    return LegacyError(400, "required", f"Missing {what}.")


def bad_id() -> LegacyError:
    return invalid("Invalid resource id value.")


def stale_sequence() -> LegacyError:
    return invalid(
        "Invalid sequence value. The specified sequence number is below the current "
        "sequence number of the resource. Re-fetch the resource and use its sequence "
        "number on the following request."
    )


def too_large() -> LegacyError:
    return invalid("A provided value exceeds the allowed size limit.")


def with_sync_token(name: str) -> LegacyError:
    return invalid(
        f"Sync token cannot be used together with the {name} parameter.",
        reason="badRequest",
        place="syncToken",
    )


def over_rate(form: str) -> LegacyError:
    """The per-minute quota in one of its three forms (11.21)."""
    code = 429 if form == "429" else 403
    user = form == "user"
    return LegacyError(
        code,
        "userRateLimitExceeded" if user else "rateLimitExceeded",
        "User Rate Limit Exceeded" if user else "Rate Limit Exceeded",
        domain="usageLimits",
    )


def over_quota() -> LegacyError:
    """The account's own limit: hours, not seconds (2.2)."""
    return LegacyError(
        403, "quotaExceeded", "Calendar usage limits exceeded.", domain="usageLimits"
    )


def push_refused(reason: str, message: str) -> LegacyError:
    return LegacyError(400, f"push.{reason}", message)
