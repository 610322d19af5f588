"""Gmail's refusals: the older shape, with a status besides (contract 2.14)."""

from __future__ import annotations

from typing import Any

from sandbox.errors import ApiError
from sandbox.legacy import LegacyError, as_legacy

_LIMITS = "usageLimits"
_RENAMED = {"invalid": "invalidArgument", "conflict": "aborted"}

# What a fault rule may ask for besides the names of the other older services.
NAMED: dict[str, tuple[int, str, str, str]] = {
    "concurrent": (
        429,
        _LIMITS,
        "rateLimitExceeded",
        "Too many concurrent requests for user",
    ),
    "sending": (
        429,
        _LIMITS,
        "rateLimitExceeded",
        "User-rate limit exceeded. (Mail sending)",
    ),
    "daily": (403, _LIMITS, "dailyLimitExceeded", "Daily Limit Exceeded"),
    "domain": (
        403,
        "global",
        "domainPolicy",
        "The domain administrators have disabled Gmail apps.",
    ),
    "no_mail": (400, "global", "failedPrecondition", "Mail service not enabled"),
}


def as_gmail(error: ApiError) -> LegacyError:
    """A refusal with what Gmail's live bodies add: the status, and details."""
    found = as_legacy(error)
    if not isinstance(error, LegacyError):
        found.reason = _RENAMED.get(found.reason, found.reason)
    found.newer = {"status": found.status, **found.newer}
    return found


def fault(action: dict[str, Any]) -> LegacyError | None:
    """The refusal of a fault rule by one of Gmail's own names."""
    if action.get("error") not in NAMED:
        return None
    code, domain, reason, message = NAMED[action["error"]]
    text = str(action.get("message", message))
    error = LegacyError(code, reason, text, domain=domain)
    if reason == "failedPrecondition":
        error.status = "FAILED_PRECONDITION"
    if "retry_after" in action:
        error.headers.append(("Retry-After", str(action["retry_after"])))
    return error


def invalid(message: str) -> LegacyError:
    return LegacyError(400, "invalidArgument", message)


def failed_precondition(message: str = "Precondition check failed.") -> LegacyError:
    error = LegacyError(400, "failedPrecondition", message)
    error.status = "FAILED_PRECONDITION"
    return error


def not_found(message: str = "Requested entity was not found.") -> LegacyError:
    return LegacyError(404, "notFound", message)


def forbidden(message: str) -> LegacyError:
    return LegacyError(403, "forbidden", message)


def label_conflict(reason: str) -> LegacyError:
    """409; reports differ about the reason, so a switch chooses (2.6)."""
    error = LegacyError(409, reason, "Label name exists or conflicts")
    if reason != "aborted":
        error.status = "ALREADY_EXISTS"
    return error


def over_rate(kind: str) -> LegacyError:
    """A quota of units is used up; `kind` is the switch mail_rate_error."""
    code = 429 if kind == "429" else 403
    reason = "userRateLimitExceeded" if kind == "403" else "rateLimitExceeded"
    text = "Quota exceeded for quota metric 'Queries' per minute per user"
    return LegacyError(code, reason, text, domain=_LIMITS)


def too_many_at_once() -> LegacyError:
    _, domain, reason, message = NAMED["concurrent"]
    return LegacyError(429, reason, message, domain=domain)


def over_sending(retry_at: str) -> LegacyError:
    text = f"User-rate limit exceeded.  Retry after {retry_at} (Mail sending)"
    return LegacyError(429, "rateLimitExceeded", text, domain=_LIMITS)
