"""Batches byte by byte: what Google's answers to them may look like."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from crmsync.connectors.google.adapter import GoogleHttp
from crmsync.connectors.google.faults import CALENDAR_JUDGE
from crmsync.connectors.google.multipart import Multipart
from crmsync.connectors.transport import Transport
from crmsync.errors import (
    InvalidRecord,
    NotFound,
    OutcomeUnknown,
    ProtocolBroken,
    ProviderDown,
    RateLimited,
    ReconnectNeeded,
)
from tests.unit.connectors.conftest import FakeTime
from tests.unit.connectors.loopback import Loopback, Step, answer, close, serving

KIND = {"content-type": "multipart/mixed; boundary=b"}
RATE = b'{"error":{"code":403,"errors":[{"reason":"rateLimitExceeded"}]}}'


@dataclass
class Request:
    """What Google's client library builds."""

    method: str = "GET"
    uri: str = ""
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


class Tokens:
    def __init__(self) -> None:
        self.renewals = 0

    def token(self) -> str:
        return f"token{self.renewals}"

    def renewed(self, refused: str) -> str:
        self.renewals += 1
        return self.token()


def parts(*answers: tuple[str, int, bytes]) -> Step:
    """Answer a batch with parts: content id, status, body."""
    text = b""
    for name, status, body in answers:
        head = f"--b\r\nContent-Type: application/http\r\nContent-ID: <{name}>\r\n\r\n"
        inner = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n\r\n"
        text += head.encode() + inner.encode() + body + b"\r\n"
    return answer(body=text + b"--b--\r\n", headers=KIND)


def batch(server: Loopback, transport: Transport, tokens: Tokens | None = None) -> Any:
    http = GoogleHttp(transport, tokens or Tokens(), api="calendar")
    made = Multipart(http, f"{server.url}/batch", CALENDAR_JUDGE)

    def send(*methods: str) -> list[Any]:
        return made.send([Request(m, f"{server.url}/x/{m}") for m in methods])

    return send


def test_answers_are_told_apart_by_their_content_ids(transport: Transport) -> None:
    shuffled = parts(
        ("response-part-1", 200, b'{"n": 1}'),
        ("response-part-0", 204, b""),
        ("response-part-2", 404, b'{"error":{"code":404}}'),
    )
    with serving(shuffled) as server:
        first, second, third = batch(server, transport)("DELETE", "PATCH", "GET")

    assert (first, second) == ({}, {"n": 1})
    assert isinstance(third, NotFound)


def test_a_part_carries_its_method_version_and_body(transport: Transport) -> None:
    request = Request(
        "PATCH", "", '{"summary": "Grüße"}', {"If-Match": '"7"', "x": "y"}
    )
    with serving(parts(("response-part-0", 200, b"{}"))) as server:
        request.uri = f"{server.url}/calendar/v3/e?fields=id"
        http = GoogleHttp(transport, Tokens(), api="calendar")
        Multipart(http, f"{server.url}/batch", CALENDAR_JUDGE).send([request])
        sent = server.seen[0]

    text = sent.body.decode()
    assert "PATCH /calendar/v3/e?fields=id HTTP/1.1\r\n" in text
    assert 'If-Match: "7"\r\n' in text
    assert f"Content-Length: {len(request.body.encode())}\r\n" in text  # type: ignore[union-attr]  # set above
    assert "Authorization" not in text
    assert sent.headers["authorization"] == "Bearer token0"


@pytest.mark.rule("ENG-2")
@pytest.mark.parametrize(
    "strange",
    [
        answer(body=b"<html>hello</html>", headers={"content-type": "text/html"}),
        answer(body=b"--b--", headers=KIND),
        answer(body=b"", headers=KIND),
    ],
    ids=["html", "no part", "nothing"],
)
def test_an_answer_that_is_no_batch_leaves_writes_open(
    transport: Transport, strange: Step
) -> None:
    with serving(strange) as server:
        with pytest.raises(ProtocolBroken):
            batch(server, transport)("GET")
        with pytest.raises(OutcomeUnknown):
            batch(server, transport)("GET", "POST")


@pytest.mark.rule("ENG-2", "ENG-8")
@pytest.mark.parametrize("body", [b"[1, 2]", b'{"cut": ', b"<html>", b'"text"'])
def test_a_part_that_is_no_object_is_asked_for_again_and_then_open(
    transport: Transport, body: bytes
) -> None:
    with serving(parts(("response-part-0", 200, body))) as server:
        (read,) = batch(server, transport)("GET")
        (written,) = batch(server, transport)("POST")

    assert isinstance(read, ProviderDown)
    assert isinstance(written, OutcomeUnknown)
    assert len(server.seen) == 8


@pytest.mark.rule("ENG-8")
def test_only_limited_parts_go_out_again_after_a_growing_wait(
    transport: Transport, time: FakeTime
) -> None:
    first = parts(("response-part-0", 403, RATE), ("response-part-1", 200, b'{"n": 1}'))
    with serving(first, parts(("response-part-0", 200, b'{"n": 0}'))) as server:
        found = batch(server, transport)("POST", "POST")

    assert found == [{"n": 0}, {"n": 1}]
    assert server.seen[1].body.count(b"Content-ID") == 1
    assert len(time.slept) == 1


@pytest.mark.rule("ENG-8")
def test_limits_that_last_are_told_and_nothing_waits_beyond_the_budget(
    transport: Transport, time: FakeTime
) -> None:
    with serving(parts(("response-part-0", 403, RATE))) as server:
        (limited,) = batch(server, transport)("POST")

    assert isinstance(limited, RateLimited)
    assert sum(time.slept) <= transport.budget.total_seconds


@pytest.mark.rule("ENG-2")
def test_a_refused_part_that_was_lost_in_its_second_round_is_open(
    transport: Transport,
) -> None:
    with serving(parts(("response-part-0", 403, RATE)), close) as server:
        (outcome,) = batch(server, transport)("POST")

    assert isinstance(outcome, OutcomeUnknown)


@pytest.mark.rule("AUTH-7")
def test_a_token_refused_in_a_part_is_renewed_once_per_round(
    transport: Transport,
) -> None:
    refused = parts(("response-part-0", 401, b"{}"), ("response-part-1", 401, b"{}"))
    fine = parts(("response-part-0", 200, b"{}"), ("response-part-1", 200, b"{}"))
    tokens = Tokens()
    with serving(refused, fine) as server:
        found = batch(server, transport, tokens)("GET", "GET")

    assert found == [{}, {}]
    assert tokens.renewals == 1
    with serving(refused) as server:
        again = batch(server, transport)("GET", "GET")
    assert [type(error) for error in again] == [ReconnectNeeded, ReconnectNeeded]


def test_where_there_is_no_batch_address_requests_go_alone(
    transport: Transport,
) -> None:
    missing = answer(404, {"error": {"code": 404}})
    bad = answer(400, {"error": {"code": 400, "message": "no"}})
    with serving(missing, answer(body={"n": 1}), bad, close) as server:
        one, other, lost = batch(server, transport)("PATCH", "POST", "PUT")

    assert one == {"n": 1}
    assert isinstance(other, InvalidRecord)
    assert isinstance(lost, OutcomeUnknown)
