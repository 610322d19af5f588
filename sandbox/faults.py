"""Faults by rule: what goes wrong, for which request, how often.

A rule is {"match": {...}, "action": {...}}; see README.md for the names.
"""

from __future__ import annotations

import itertools
import re
import threading
from dataclasses import dataclass, field
from random import SystemRandom
from typing import Any

from sandbox.errors import HTTP_OF, ApiError, error_info, page
from sandbox.gmail.errors import NAMED as GMAIL_NAMED
from sandbox.gmail.errors import as_gmail
from sandbox.gmail.errors import fault as gmail_fault
from sandbox.legacy import NAMED, fault_error, is_legacy
from sandbox.messages import Request, Response

BEFORE = {"status", "close_before", "reset", "hang", "html", "delay"}
AFTER = {"close_after", "truncate", "hang_after", "reset_after"}

_NAMED: dict[str, tuple[str, str, str]] = {
    # name: status, message, reason
    "rate": (
        "RESOURCE_EXHAUSTED",
        "Quota exceeded for quota metric 'Critical read requests (Contact and "
        "Profile Reads)' and limit 'Critical read requests (Contact and Profile "
        "Reads) per minute per user' of service 'people.googleapis.com' for "
        "consumer 'project_number:0'.",
        "RATE_LIMIT_EXCEEDED",
    ),
    "fbs": ("RESOURCE_EXHAUSTED", "FBS quota limit exceeded.", ""),
    "scope": (
        "PERMISSION_DENIED",
        "Request had insufficient authentication scopes.",
        "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
    ),
    "disabled": (
        "PERMISSION_DENIED",
        "People API has not been used in project 0 before or it is disabled.",
        "SERVICE_DISABLED",
    ),
    "auth": (
        "UNAUTHENTICATED",
        "Request had invalid authentication credentials.",
        "ACCESS_TOKEN_EXPIRED",
    ),
    "expired_sync_token": (
        "INVALID_ARGUMENT",
        "Sync token is expired. Clear local cache and retry call without the sync "
        "token.",
        "EXPIRED_SYNC_TOKEN",
    ),
}

_BY_CODE = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

_TEXT = {
    "INTERNAL": "Internal error encountered.",
    "UNAVAILABLE": "The service is currently unavailable.",
    "DEADLINE_EXCEEDED": "Deadline expired before operation could complete.",
    "NOT_FOUND": "Requested entity was not found.",
    "ABORTED": "The operation was aborted.",
    "RESOURCE_EXHAUSTED": "Resource has been exhausted (e.g. check quota).",
}


@dataclass(slots=True)
class Rule:
    id: int
    match: dict[str, Any]
    action: dict[str, Any]
    path: re.Pattern[str]
    seen: int = 0
    used: int = 0
    numbers: set[int] = field(default_factory=set)

    def as_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "match": self.match,
            "action": self.action,
            "seen": self.seen,
            "used": self.used,
        }


class Faults:
    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._random = SystemRandom()

    @property
    def active(self) -> bool:
        return bool(self._rules)

    def add(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Keep a rule.

        Raises:
            ValueError: the rule is not of the form README.md gives.
        TypeError: as above.
        """
        rule = _checked(next(self._ids), wanted)
        with self._lock:
            self._rules.append(rule)
        return rule.as_dict()

    def list(self) -> list[dict[str, Any]]:
        with self._lock:
            return [rule.as_dict() for rule in self._rules]

    def clear(self, rule_id: int | None = None) -> int:
        with self._lock:
            before = len(self._rules)
            self._rules = [r for r in self._rules if rule_id not in (None, r.id)]
            return before - len(self._rules)

    def pick(self, request: Request) -> dict[str, Any] | None:
        """The action of the first rule that wants this request."""
        with self._lock:
            for rule in self._rules:
                if self._wants(rule, request):
                    rule.used += 1
                    request.fault = f"{rule.id}:{rule.action['type']}"
                    return rule.action
        return None

    def _wants(self, rule: Rule, request: Request) -> bool:
        match = rule.match
        if not _fits(rule, request):
            return False
        rule.seen += 1
        if rule.numbers and rule.seen not in rule.numbers:
            return False
        if rule.seen <= int(match.get("skip", 0)):
            return False
        if "count" in match and rule.used >= int(match["count"]):
            return False
        return self._random.random() < float(match.get("probability", 1.0))


def _fits(rule: Rule, request: Request) -> bool:
    match = rule.match
    if match.get("method", request.method) != request.method:
        return False
    if match.get("account", request.account) != request.account:
        return False
    return rule.path.search(request.path) is not None


def _checked(rule_id: int, wanted: dict[str, Any]) -> Rule:
    match, action = wanted.get("match", {}), wanted.get("action")
    if isinstance(action, str):
        action = {"type": action}
    if not isinstance(match, dict) or not isinstance(action, dict):
        raise TypeError("a rule is {match: {...}, action: {...}}")
    unknown = set(match) - {
        "method",
        "path",
        "account",
        "nth",
        "skip",
        "count",
        "probability",
    }
    if unknown:
        raise ValueError(f"unknown in match: {sorted(unknown)}")
    if action.get("type") not in BEFORE | AFTER:
        raise ValueError(f"unknown action {action.get('type')!r}")
    if action["type"] == "status":
        _check_status(action)
    nth = match.get("nth", [])
    numbers = {int(n) for n in (nth if isinstance(nth, list) else [nth])}
    try:
        pattern = re.compile(str(match.get("path", "")))
    except re.error as error:
        raise ValueError(f"path is no pattern: {error}")
    return Rule(rule_id, match, action, pattern, numbers=numbers)


def _check_status(action: dict[str, Any]) -> None:
    """One of the two shapes must know the refusal."""
    if action.get("error") not in {*NAMED, *GMAIL_NAMED}:
        try:
            status_error(action)
        except ValueError:
            fault_error(action)


def status_error(action: dict[str, Any], path: str = "") -> ApiError:
    """The refusal a status action asks for, by name or by code."""
    if path.startswith("/gmail/"):
        return as_gmail(gmail_fault(action) or fault_error(action))
    if is_legacy(path):
        return fault_error(action)
    name = action.get("error")
    if name in _NAMED:
        status, message, reason = _NAMED[name]
    elif name in HTTP_OF:
        status, message, reason = name, _TEXT.get(name, "Refused by a fault rule."), ""
    else:
        code = action.get("code")
        if code not in _BY_CODE:
            raise ValueError(f"a status action needs error or code, not {action!r}")
        status = _BY_CODE[code]
        message, reason = _TEXT.get(status, "Refused by a fault rule."), ""
    error = ApiError(status, str(action.get("message", message)))
    if reason:
        domain = "people.googleapis.com" if "SYNC" in reason else "googleapis.com"
        error.details = [error_info(reason, domain)]
    error.code = int(action.get("code", error.code))
    if "retry_after" in action:
        error.headers.append(("Retry-After", str(action["retry_after"])))
    return error


def proxy_page(action: dict[str, Any]) -> Response:
    """The HTML page that a proxy or front end answers with instead of JSON."""
    code = int(action.get("code", 502))
    return page(code, "The server encountered a temporary error. Please try again.")
