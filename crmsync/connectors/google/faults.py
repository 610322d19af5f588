"""What Google's error answers mean (contract, sections 2.1 to 2.4).

Answers are told apart by (status, reason), where the reason may stand in the legacy
`errors[]`, in rpc `details[]` or nowhere. The text of a message is looked at only
where Google gives no reason: an expired sync token, a full address book, and the
write budget of an account ("FBS").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from crmsync.connectors.google.mapping.texts import clean, parse_json
from crmsync.connectors.transport import (
    FINE,
    Again,
    Answer,
    Call,
    Verdict,
    redact,
    retry_after,
)
from crmsync.errors import (
    AlreadyExists,
    CrmSyncError,
    CursorExpired,
    EtagMismatch,
    InvalidRecord,
    NotFound,
    PermissionMissing,
    ProtocolBroken,
    ProviderDown,
    RateLimited,
    ReconnectNeeded,
)

PARKED_SECONDS = 300.0
"""First wait after an account's own budget is used up: hours to recover (2.3)."""

MINUTE_SECONDS = 60.0
"""Per-minute quotas slide: a full minute is always enough."""

PARKED_HOURS = 7200.0
"""The same for a calendar: an anti-abuse limit, "hours, not seconds" (2.2)."""

NOT_ORGANIZER = "not_organizer"
"""Code of the error that says that only an event's organiser may do that."""

CONTACTS_FULL = "contacts_full"
"""Code of the error that stops all creates: 25,000 contacts, trash included."""

_RATE = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"})
_ACCOUNT = frozenset({"quotaExceeded", "dailyLimitExceeded"})
_EXPIRED = frozenset({"EXPIRED_SYNC_TOKEN", "fullSyncRequired", "updatedMinTooLongAgo"})
_SCOPE = frozenset(
    {"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "insufficientScopes"}
)
_API_OFF = frozenset({"accessNotConfigured", "SERVICE_DISABLED"})
_PLAIN: Mapping[str, tuple[str, str]] = {
    "forbiddenForNonOrganizer": (
        "Only the organiser of this event can change that.",
        NOT_ORGANIZER,
    ),
    "cannotChangeOrganizer": (
        "Google does not let the organiser of this event be changed.",
        NOT_ORGANIZER,
    ),
    "cannotChangeOrganizerOfInstance": (
        "Google does not let the organiser of one occurrence be changed.",
        NOT_ORGANIZER,
    ),
    "eventTypeRestriction": (
        "Google lets nobody change this kind of event from outside, as with birthdays "
        "and events from Gmail.",
        "event_type",
    ),
}
"""What people read instead of Google's sentence, and the error's code."""

_BY_STATUS: Mapping[int, type[CrmSyncError]] = {
    401: ReconnectNeeded,
    404: NotFound,
    409: AlreadyExists,
    412: EtagMismatch,
}
_EXPIRED_TEXT = "sync token is expired"
_FULL_TEXT = "MY_CONTACTS_OVERFLOW_COUNT"


@dataclass(frozen=True, slots=True)
class Fault:
    """An error answer, parsed.

    Attributes:
        status: the HTTP status.
        rpc: the rpc status, e.g. `FAILED_PRECONDITION`, or "".
        reasons: every reason the answer gives, in either shape.
        message: Google's sentence, without secrets.
        has_quota_detail: it names a quota instead of a reason.
    """

    status: int
    rpc: str = ""
    reasons: frozenset[str] = frozenset()
    message: str = ""
    has_quota_detail: bool = False

    @property
    def sentence(self) -> str:
        """What a person reads."""
        names = ", ".join(sorted(self.reasons)) or self.rpc
        return f"Google answered {self.status} {names}: {self.message}".strip(" :")


def parse_fault(status: int, body: bytes) -> Fault:
    """Read an error answer of any shape; HTML and broken JSON give no reasons."""
    try:
        whole = clean(parse_json(body))
    except ValueError:
        return Fault(status)
    error = whole.get("error") if isinstance(whole, dict) else None
    if not isinstance(error, dict):
        return Fault(status)
    legacy = _dicts(error.get("errors"))
    details = _dicts(error.get("details"))
    reasons = {str(item["reason"]) for item in (*legacy, *details) if "reason" in item}
    types = [str(item.get("@type", "")) for item in details]
    return Fault(
        status,
        str(error.get("status", "")),
        frozenset(reasons),
        redact(str(error.get("message", "")))[:300],
        any(name.endswith(".QuotaFailure") for name in types),
    )


def _dicts(found: Any) -> list[Mapping[str, Any]]:
    return [item for item in found if isinstance(item, dict)] if found else []


@dataclass(frozen=True, slots=True)
class GoogleJudge:
    """Says what an answer of a Google API means; usable as a transport's judge.

    Attributes:
        repeats_refused_writes: whether a write that was refused for its rate may be
            sent again. Google is believed not to have executed it (2.4, unproven).
        aborted_passes: 409 `ABORTED` means that another write of the account was
            under way (4.6). Gmail says the same of a label's name that is taken: its
            judge turns this off.
        conflict_passes: 409 `conflict` of a batch's part means that another part was
            under way (1.3). People says the same of a label's name that is taken.
        parked_seconds: the first wait after the account's own budget is used up.
    """

    repeats_refused_writes: bool = True
    aborted_passes: bool = True
    conflict_passes: bool = False
    parked_seconds: float = PARKED_SECONDS

    def __call__(self, call: Call, answer: Answer) -> Verdict:
        """Return the verdict on an answer."""
        if answer.status < 300:
            return _check_body(call, answer)
        fault = parse_fault(answer.status, answer.body)
        wait = retry_after(answer, datetime.now(UTC))
        if answer.status >= 500 or answer.status == 408:
            error = ProviderDown(fault.sentence, retry_after=wait)
            return Verdict(error, Again.UNLESS_WRITTEN)
        may = call.may_repeat or self.repeats_refused_writes
        if fault.status == 409 and self._passes(fault):
            aborted = ProviderDown(fault.sentence, retry_after=wait)
            return Verdict(aborted, Again.ALWAYS if may else Again.NEVER)
        limited = _rate(fault, wait, self.parked_seconds)
        if limited is not None:
            is_passing = limited.retry_after is None or wait is not None
            return Verdict(limited, Again.ALWAYS if may and is_passing else Again.NEVER)
        return Verdict(_refusal(call, fault))

    def _passes(self, fault: Fault) -> bool:
        """Whether a conflict is with another write that is under way."""
        is_aborted = fault.rpc == "ABORTED" and self.aborted_passes
        return is_aborted or ("conflict" in fault.reasons and self.conflict_passes)


CALENDAR_JUDGE = GoogleJudge(conflict_passes=True, parked_seconds=PARKED_HOURS)
TASKS_JUDGE = GoogleJudge(conflict_passes=True)


def _check_body(call: Call, answer: Answer) -> Verdict:
    """Find answers that were cut off, or that a proxy gave in Google's place."""
    wants_json = "application/json" in call.headers.get("accept", "")
    kind = answer.headers.get("content-type", "")
    if not wants_json or not answer.body or kind.startswith("multipart/"):
        return FINE
    try:
        parse_json(answer.body)
    except ValueError:
        error = ProviderDown(f"{call.place}: the answer is no JSON.")
        return Verdict(error, Again.UNLESS_WRITTEN)
    return FINE


def _rate(fault: Fault, wait: float | None, parked: float) -> RateLimited | None:
    """Return the limit that an answer speaks of; None if it speaks of none.

    A limit of the account itself asks for minutes to hours; one per minute asks for
    nothing unless a header does.
    """
    if fault.status not in {403, 429}:
        return None
    is_account = bool(fault.reasons & _ACCOUNT) or "FBS" in fault.message
    is_account = is_account or (fault.has_quota_detail and not fault.reasons & _RATE)
    if is_account and (fault.status == 429 or fault.reasons & _ACCOUNT):
        seconds = max(wait or 0.0, parked)
        return RateLimited(fault.sentence, retry_after=seconds)
    if fault.status == 429 or fault.reasons & _RATE:
        return RateLimited(fault.sentence, retry_after=wait)
    return None


def _refusal(call: Call, fault: Fault) -> CrmSyncError:
    """Return the error for an answer that no repeat will change."""
    sentence = fault.sentence
    if _FULL_TEXT in fault.message or _FULL_TEXT in fault.reasons:
        full = InvalidRecord(sentence, code=CONTACTS_FULL)
        full.next_step = "Delete contacts in Google, or empty its trash; none fits in."
        return full
    for reason in sorted(fault.reasons & _PLAIN.keys()):
        plain, code = _PLAIN[reason]
        return InvalidRecord(plain, code=code)
    if fault.status == 410 and "deleted" in fault.reasons:
        return NotFound(sentence)
    if fault.reasons & _EXPIRED or _EXPIRED_TEXT in fault.message.casefold():
        return CursorExpired(sentence)
    if fault.status == 403:
        return _forbidden(call, fault)
    if fault.status in _BY_STATUS:
        return _BY_STATUS[fault.status](sentence)
    return _as_read(fault) if call.may_repeat else _as_write(fault)


def _as_read(fault: Fault) -> CrmSyncError:
    kind = CursorExpired if fault.status == 410 else ProtocolBroken
    return kind(fault.sentence)


def _as_write(fault: Fault) -> CrmSyncError:
    if fault.status == 410:
        return NotFound(fault.sentence)
    if fault.status == 400 and fault.rpc == "FAILED_PRECONDITION":
        # "Request person.etag is different than the current person.etag."
        return EtagMismatch(fault.sentence)
    kind = InvalidRecord if fault.status in {400, 413, 422} else ProtocolBroken
    return kind(fault.sentence)


def _forbidden(call: Call, fault: Fault) -> CrmSyncError:
    sentence = fault.sentence
    if fault.reasons & _API_OFF:
        step = "Ask the administrator to switch the API on in the Google project."
        return PermissionMissing(sentence, next_step=step)
    if "domainPolicy" in fault.reasons:
        step = "Ask the administrator of your Google domain to allow this app."
        return PermissionMissing(sentence, next_step=step)
    if fault.reasons & _SCOPE or call.may_repeat:
        return PermissionMissing(sentence)
    return InvalidRecord(sentence, code="forbidden")


def item_fault(status: Mapping[str, Any] | None, http: int = 0) -> CrmSyncError | None:
    """Return the error of one item of a batch answer; None if the item is fine.

    Args:
        status: `google.rpc.Status` of the item.
        http: the item's deprecated `httpStatusCode`, 0 if absent.
    """
    code = int((status or {}).get("code", 0) or 0)
    if code == 0 and http < 300:
        return None
    sentence = redact(clean(str((status or {}).get("message", ""))))[:300] or "refused"
    known: CrmSyncError
    if code == 5 or http == 404:
        known = NotFound(sentence)
    elif code in {9, 10} or http == 412:
        known = EtagMismatch(sentence)
    elif code == 6 or http == 409:
        known = AlreadyExists(sentence)
    elif code in {8, 14} or http in {429, 503}:
        known = RateLimited(sentence, retry_after=MINUTE_SECONDS)
    elif code == 3 or http == 400:
        known = InvalidRecord(sentence)
    else:
        known = ProviderDown(sentence)
    return known
