"""Google's older error shape, which Calendar and Tasks still use (contract 2.1)."""

from __future__ import annotations

from typing import Any

from sandbox.errors import ApiError
from sandbox.messages import Json

_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    410: "NOT_FOUND",
    412: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

_HEADER = ("header", "Authorization")
_LIMITS = "usageLimits"

# What a fault rule may ask for: code, domain, reason, message.
NAMED: dict[str, tuple[int, str, str, str]] = {
    "rate": (403, _LIMITS, "rateLimitExceeded", "Rate Limit Exceeded"),
    "user_rate": (403, _LIMITS, "userRateLimitExceeded", "User Rate Limit Exceeded"),
    "too_many": (429, _LIMITS, "rateLimitExceeded", "Rate Limit Exceeded"),
    "quota": (403, _LIMITS, "quotaExceeded", "Calendar usage limits exceeded."),
    "scope": (403, "global", "insufficientPermissions", "Insufficient Permission"),
    "disabled": (
        403,
        _LIMITS,
        "accessNotConfigured",
        "The API has not been used in project 0 before or it is disabled.",
    ),
    "forbidden": (403, "global", "forbidden", "Forbidden"),
    "auth": (401, "global", "authError", "Invalid Credentials"),
    "conflict": (409, "global", "conflict", "Conflict"),
    "backend": (503, "global", "backendError", "Backend Error"),
    "expired_sync_token": (
        410,
        "calendar",
        "fullSyncRequired",
        "Sync token is no longer valid, a full sync is required.",
    ),
}

_BY_CODE: dict[int, tuple[str, str]] = {
    400: ("badRequest", "Bad Request"),
    401: ("authError", "Invalid Credentials"),
    403: ("forbidden", "Forbidden"),
    404: ("notFound", "Not Found"),
    409: ("conflict", "Conflict"),
    410: ("deleted", "Resource has been deleted"),
    412: ("conditionNotMet", "Precondition Failed"),
    429: ("rateLimitExceeded", "Rate Limit Exceeded"),
    500: ("backendError", "Backend Error"),
    503: ("backendError", "Backend Error"),
    504: ("backendError", "Backend Error"),
}


class LegacyError(ApiError):
    """A refusal with `errors[]`: domain, reason and place."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        domain: str = "global",
        place: tuple[str, str] | None = None,
    ) -> None:
        super().__init__(_STATUS[code], message)
        self.code = code
        self.reason = reason
        self.domain = domain
        self.place = place
        self.newer: Json = {}  # what some answers carry besides: status and details

    def body(self) -> Json:
        one: Json = {
            "domain": self.domain,
            "reason": self.reason,
            "message": self.message,
        }
        if self.place is not None:
            one["locationType"], one["location"] = self.place
        return {
            "error": {
                "errors": [one],
                "code": self.code,
                "message": self.message,
                **self.newer,
            }
        }


def is_legacy(path: str) -> bool:
    return path.startswith(("/calendar/", "/tasks/", "/gmail/"))


def as_legacy(error: ApiError) -> LegacyError:
    """A refusal of the shared checks (form, credential, scope) in the older shape."""
    if isinstance(error, LegacyError):
        return error
    reason, message, place = "invalid", error.message, None
    if error.status == "UNAUTHENTICATED":
        sent = any(d.get("reason") == "ACCESS_TOKEN_EXPIRED" for d in error.details)
        reason, message = (
            ("authError", "Invalid Credentials")
            if sent
            else ("required", "Login Required.")
        )
        place = _HEADER
    elif error.status == "PERMISSION_DENIED":
        reason = "insufficientPermissions"
    elif error.code in _BY_CODE and error.code != 400:
        reason = _BY_CODE[error.code][0]
    found = LegacyError(error.code, reason, message, place=place)
    if error.status == "PERMISSION_DENIED":
        found.newer = {"status": error.status, "details": error.details}
    found.headers = error.headers
    return found


def fault_error(action: dict[str, Any]) -> LegacyError:
    """The refusal a status action asks for, by name or by code.

    Raises:
        ValueError: neither is known.
    """
    name, code = action.get("error"), action.get("code")
    if name in NAMED:
        number, domain, reason, message = NAMED[name]
    elif code in _BY_CODE:
        number, domain, (reason, message) = code, "global", _BY_CODE[code]
    else:
        raise ValueError(f"a status action needs error or code, not {action!r}")
    place = {"authError": _HEADER, "fullSyncRequired": ("parameter", "syncToken")}
    error = LegacyError(
        int(code or number),
        reason,
        str(action.get("message", message)),
        domain=domain,
        place=place.get(reason),
    )
    if "retry_after" in action:
        error.headers.append(("Retry-After", str(action["retry_after"])))
    return error


def invalid(
    message: str, *, reason: str = "invalid", place: str | None = None
) -> LegacyError:
    return LegacyError(
        400, reason, message, place=("parameter", place) if place else None
    )


def not_found() -> LegacyError:
    return LegacyError(404, "notFound", "Not Found")
