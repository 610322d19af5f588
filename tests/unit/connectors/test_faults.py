"""What Google's error answers mean."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from crmsync.connectors.google.faults import GoogleJudge, item_fault, parse_fault
from crmsync.connectors.transport import Again, Answer, Call
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

READ, WRITE = Call("GET", "https://x/y"), Call("POST", "https://x/y")
N, A, U = Again.NEVER, Again.ALWAYS, Again.UNLESS_WRITTEN
JUDGE = GoogleJudge()


def legacy(reason: str, message: str = "m") -> dict[str, Any]:
    return {"message": message, "errors": [{"reason": reason, "domain": "global"}]}


def rpc(status: str, reason: str = "", message: str = "m") -> dict[str, Any]:
    error: dict[str, Any] = {"message": message, "status": status}
    if reason:
        kind = "type.googleapis.com/google.rpc.ErrorInfo"
        error["details"] = [{"@type": kind, "reason": reason}]
    return error


def quota(message: str = "m") -> dict[str, Any]:
    kind = "type.googleapis.com/google.rpc.QuotaFailure"
    return {**rpc("RESOURCE_EXHAUSTED", "", message), "details": [{"@type": kind}]}


LIMITED = "RESOURCE_EXHAUSTED"
NO_SCOPE = rpc("PERMISSION_DENIED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT")
NO_TOKEN = rpc("INVALID_ARGUMENT", "EXPIRED_SYNC_TOKEN")
FBS = rpc(LIMITED, "", "FBS quota limit exceeded")
EXPIRED = "Sync token is expired. Clear local cache and retry call."
CASES: list[tuple[str, Call, int, Any, type[CrmSyncError], Again]] = [
    ("no json", READ, 400, b"<html>", ProtocolBroken, N),
    ("no object", READ, 400, b"[]", ProtocolBroken, N),
    ("text error", READ, 400, b'{"error": "x"}', ProtocolBroken, N),
    ("bad write", WRITE, 400, rpc("INVALID_ARGUMENT"), InvalidRecord, N),
    ("big write", WRITE, 413, b"", InvalidRecord, N),
    ("odd write", WRITE, 418, b"", ProtocolBroken, N),
    ("stale", WRITE, 400, rpc("FAILED_PRECONDITION"), EtagMismatch, N),
    ("412", WRITE, 412, legacy("conditionNotMet"), EtagMismatch, N),
    ("token", READ, 400, NO_TOKEN, CursorExpired, N),
    ("token 2", READ, 400, rpc("FAILED_PRECONDITION", "", EXPIRED), CursorExpired, N),
    ("token 3", READ, 410, rpc("GONE"), CursorExpired, N),
    ("full", READ, 410, legacy("fullSyncRequired"), CursorExpired, N),
    ("deleted", WRITE, 410, legacy("deleted"), NotFound, N),
    ("401", READ, 401, legacy("authError"), ReconnectNeeded, N),
    ("404", READ, 404, rpc("NOT_FOUND"), NotFound, N),
    ("409", WRITE, 409, rpc("ALREADY_EXISTS"), AlreadyExists, N),
    ("aborted", WRITE, 409, rpc("ABORTED"), ProviderDown, A),
    ("scope", WRITE, 403, NO_SCOPE, PermissionMissing, N),
    ("scope 2", READ, 403, legacy("insufficientPermissions"), PermissionMissing, N),
    ("off", WRITE, 403, legacy("accessNotConfigured"), PermissionMissing, N),
    ("domain", WRITE, 403, legacy("domainPolicy"), PermissionMissing, N),
    ("hidden", READ, 403, legacy("forbidden"), PermissionMissing, N),
    ("forbidden", WRITE, 403, legacy("forbidden"), InvalidRecord, N),
    ("rate", WRITE, 403, legacy("userRateLimitExceeded"), RateLimited, A),
    ("rate 2", WRITE, 429, rpc(LIMITED, "RATE_LIMIT_EXCEEDED"), RateLimited, A),
    ("rate 3", READ, 429, b"slow down", RateLimited, A),
    ("account", WRITE, 403, legacy("quotaExceeded"), RateLimited, N),
    ("fbs", WRITE, 429, FBS, RateLimited, N),
    ("fbs 2", READ, 429, quota(), RateLimited, N),
    ("over", WRITE, 400, rpc("X", "", "MY_CONTACTS_OVERFLOW_COUNT"), InvalidRecord, N),
    ("503", WRITE, 503, b"<html>", ProviderDown, U),
    ("408", READ, 408, b"", ProviderDown, U),
    ("300", READ, 302, b"", ProtocolBroken, N),
]  # fmt: skip


@pytest.mark.parametrize(
    ("call", "status", "body", "error", "again"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_an_error_answer_means(
    call: Call, status: int, body: Any, error: type[CrmSyncError], again: Again
) -> None:
    data = body if isinstance(body, bytes) else orjson.dumps({"error": body})

    found = JUDGE(call, Answer(status, {}, data))

    assert type(found.error) is error
    assert found.again is again


@pytest.mark.rule("ENG-8")
def test_the_budget_of_an_account_is_left_alone_for_minutes() -> None:
    data = orjson.dumps({"error": legacy("quotaExceeded")})

    short = JUDGE(WRITE, Answer(403, {"retry-after": "5"}, data)).error
    long = JUDGE(WRITE, Answer(403, {"retry-after": "900"}, data)).error

    assert isinstance(short, RateLimited)
    assert isinstance(long, RateLimited)
    assert (short.retry_after, long.retry_after) == (300, 900)


def test_refused_writes_are_not_repeated_if_the_switch_says_so() -> None:
    judge = GoogleJudge(repeats_refused_writes=False, aborted_passes=False)
    limited = Answer(429, {}, b"")
    taken = Answer(409, {}, orjson.dumps({"error": rpc("ABORTED")}))

    assert judge(WRITE, limited).again is N
    assert judge(READ, limited).again is A
    assert isinstance(judge(WRITE, taken).error, AlreadyExists)


def test_a_full_address_book_has_a_code_of_its_own() -> None:
    data = orjson.dumps({"error": rpc("X", "MY_CONTACTS_OVERFLOW_COUNT")})

    error = JUDGE(WRITE, Answer(400, {}, data)).error

    assert error is not None
    assert error.code == "contacts_full"


def test_an_answer_that_was_cut_off_is_no_answer() -> None:
    wants = Call("GET", "https://x/y", {"accept": "application/json"})
    good = Answer(200, {"content-type": "application/json"}, b"{}")

    assert JUDGE(wants, Answer(200, {}, b'{"a": ')).again is U
    assert JUDGE(wants, Answer(200, {}, b"<html>")).again is U
    assert JUDGE(wants, good).error is None
    assert JUDGE(wants, Answer(204, {}, b"")).error is None
    assert JUDGE(READ, Answer(200, {}, b"<html>")).error is None
    parts = Answer(200, {"content-type": "multipart/mixed; boundary=x"}, b"--x")
    assert JUDGE(wants, parts).error is None


@pytest.mark.rule("AUTH-6")
def test_a_sentence_of_google_s_gives_no_secret_away() -> None:
    error = {"message": "bad ya29.SECRET"}

    found = parse_fault(400, orjson.dumps({"error": error}))

    assert found.sentence == "Google answered 400 : bad ***"


@pytest.mark.parametrize(
    ("status", "http", "error"),
    [
        (None, 0, None),
        ({"code": 0}, 200, None),
        ({"code": 5}, 0, NotFound),
        (None, 404, NotFound),
        ({"code": 9}, 0, EtagMismatch),
        ({"code": 6}, 0, AlreadyExists),
        ({"code": 8}, 0, RateLimited),
        ({"code": 3, "message": "m"}, 400, InvalidRecord),
        ({"code": 13}, 500, ProviderDown),
    ],
)
def test_an_item_of_a_batch_has_its_own_status(
    status: dict[str, Any] | None, http: int, error: type[CrmSyncError] | None
) -> None:
    found = item_fault(status, http)

    assert found is None if error is None else type(found) is error
