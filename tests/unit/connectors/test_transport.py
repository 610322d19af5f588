"""The transport: one write on the wire, patient reads, no secrets."""

from __future__ import annotations

import gzip
import socket
import threading
import time as real_time
from datetime import timedelta

import pytest

from crmsync.connectors.transport import (
    Answer,
    Budget,
    Call,
    Nature,
    RequestCounter,
    Transport,
    _CarefulConnection,
    _NotSentError,
    parse_http_date,
    plain_judge,
    redact,
    retry_after,
)
from crmsync.errors import (
    OutcomeUnknown,
    ProtocolBroken,
    ProviderDown,
    RateLimited,
)
from tests.unit.connectors.conftest import FakeTime
from tests.unit.connectors.loopback import (
    Step,
    answer,
    close,
    cut,
    hang,
    reset,
    serving,
    then_close,
)

WRITES = ("POST", "PATCH", "PUT", "DELETE")
UNCLEAR = ("closed", "reset", "cut", "late", "503")


def write(url: str, method: str = "POST") -> Call:
    return Call(method, f"{url}/things", {"accept": "application/json"}, b"{}")


def read(url: str) -> Call:
    return Call("GET", f"{url}/things")


@pytest.mark.rule("ENG-2")
@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize(
    "step", [close, reset, cut(), hang(0.8), answer(503)], ids=UNCLEAR
)
def test_a_write_without_a_clear_answer_is_sent_once(
    transport: Transport, method: str, step: Step
) -> None:
    with serving(step) as server, pytest.raises(OutcomeUnknown):
        transport.send(write(server.url, method), plain_judge)

    assert len(server.seen) == 1


@pytest.mark.rule("ENG-8")
@pytest.mark.parametrize(
    "step", [close, reset, cut(), hang(0.8), answer(503)], ids=UNCLEAR
)
def test_a_read_is_repeated_until_it_is_answered(
    transport: Transport, time: FakeTime, step: Step
) -> None:
    with serving(step, step, answer(200, {"a": 1})) as server:
        found = transport.send(read(server.url), plain_judge)

    assert found.body == b'{"a":1}'
    assert len(server.seen) == 3
    assert time.slept == [0.5, 1.0]


@pytest.mark.rule("ENG-8")
def test_a_read_gives_up_within_the_budget(
    transport: Transport, time: FakeTime
) -> None:
    with serving(answer(500)) as server, pytest.raises(ProviderDown):
        transport.send(read(server.url), plain_judge)

    assert len(server.seen) == 4
    assert sum(time.slept) <= transport.budget.total_seconds


@pytest.mark.rule("ENG-2")
@pytest.mark.parametrize("method", WRITES)
def test_a_write_on_a_connection_that_the_server_closed_arrives_once(
    transport: Transport, method: str
) -> None:
    with serving(then_close(answer()), answer()) as server:
        transport.send(read(server.url), plain_judge)
        real_time.sleep(0.1)
        found = transport.send(write(server.url, method), plain_judge)

    assert found.status == 200
    assert [seen.method for seen in server.seen] == ["GET", method]


def test_a_write_does_not_trust_a_connection_that_rested_long() -> None:
    transport = Transport(Budget(idle_seconds=0.05))
    with serving(answer()) as server:
        transport.send(read(server.url), plain_judge)
        real_time.sleep(0.1)
        transport.send(write(server.url), plain_judge)
        transport.send(read(server.url), plain_judge)
        transport.close()

    assert [seen.connection for seen in server.seen] == [1, 2, 2]


def test_connections_are_kept(transport: Transport) -> None:
    with serving(answer()) as server:
        for _ in range(3):
            transport.send(write(server.url), plain_judge)

    assert server.connections == 1


def test_what_can_not_be_reached_was_not_written(
    transport: Transport, time: FakeTime
) -> None:
    with serving(answer()) as server:
        url = server.url

    with pytest.raises(ProviderDown):
        transport.send(write(url), plain_judge)

    assert len(time.slept) == 3


def test_a_long_get_that_travels_as_post_is_a_read(transport: Transport) -> None:
    call = Call("POST", "", {"x-http-method-override": "GET"}, b"a=1")

    assert call.may_repeat
    assert not Call("POST", "").may_repeat
    assert Call("POST", "", is_repeatable=True).may_repeat


@pytest.mark.rule("ENG-8")
def test_retry_after_is_honoured_within_the_budget(
    transport: Transport, time: FakeTime
) -> None:
    with serving(answer(429, b"", {"retry-after": "3"}), answer()) as server:
        transport.send(write(server.url), plain_judge)

    assert time.slept == [3.0]


def test_a_wait_beyond_the_budget_is_left_to_the_cycle(
    transport: Transport, time: FakeTime
) -> None:
    slow = answer(429, b"", {"retry-after": "120"})
    with serving(slow) as server, pytest.raises(RateLimited) as caught:
        transport.send(read(server.url), plain_judge)

    assert caught.value.retry_after == 120
    assert time.slept == []


def test_redirects_are_not_followed(transport: Transport) -> None:
    moved = answer(302, b"", {"location": "http://127.0.0.1:1/"})
    with serving(moved) as server, pytest.raises(ProtocolBroken):
        transport.send(read(server.url), plain_judge)

    assert len(server.seen) == 1


def test_answers_are_decompressed(transport: Transport) -> None:
    packed = gzip.compress(b'{"a": 1}')
    with serving(answer(200, packed, {"content-encoding": "gzip"})) as server:
        found = transport.send(read(server.url), plain_judge)

    assert found.body == b'{"a": 1}'
    assert server.seen[0].headers["accept-encoding"] == "gzip"
    assert "crm-sync" in server.seen[0].headers["user-agent"]


def test_a_broken_compression_is_a_passing_fault(transport: Transport) -> None:
    bad = answer(200, b"no gzip", {"content-encoding": "gzip"})
    with serving(bad, answer()) as server:
        assert transport.send(read(server.url), plain_judge).status == 200


def test_requests_are_counted_as_they_go_out(transport: Transport) -> None:
    mine = RequestCounter()
    with serving(answer(500), answer()) as server:
        call = Call("GET", server.url, api="people")
        transport.send(call, plain_judge, counter=mine)
        transport.send(read(server.url), plain_judge)

    assert mine.by_api() == {"people": 2}
    assert transport.counter.total == 3


def test_counting_from_many_threads_loses_nothing() -> None:
    counter = RequestCounter()

    def count() -> None:
        for _ in range(500):
            counter.add("x")

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert counter.total == 4000


def test_the_servers_clock_is_measured(transport: Transport, time: FakeTime) -> None:
    date = {"date": "Fri, 02 Jan 2026 03:05:05 GMT"}
    with serving(answer(200, b"{}", date)) as server:
        assert transport.skew(server.url) == timedelta()
        transport.send(read(server.url), plain_judge)

        assert transport.skew(server.url + "/x") == timedelta(seconds=60.5)


@pytest.mark.rule("AUTH-6")
def test_no_secret_is_in_an_error(transport: Transport) -> None:
    with serving(close) as server:
        call = Call(
            "POST",
            f"{server.url}/token?access_token=s3cret",
            {"authorization": "Bearer s3cret"},
            b"refresh_token=s3cret",
        )
        with pytest.raises(OutcomeUnknown) as caught:
            transport.send(call, plain_judge)

    assert "s3cret" not in f"{caught.value} {call!r}".replace(call.url, "")


@pytest.mark.rule("AUTH-6")
@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer SECRET",
        "ya29.SECRET-x_y",
        '{"refresh_token": "SECRET"}',
        "client_secret=SECRET&x=1",
        "1//SECRET",
        "eyJSECRET.eyJSECRET.SECRET",
        "Basic SECRET==",
    ],
)
def test_secrets_are_redacted(text: str) -> None:
    assert "SECRET" not in redact(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7", 7.0),
        ("Fri, 02 Jan 2026 03:04:15 GMT", 10.0),
        ("Fri, 02 Jan 2026 03:04:01 GMT", 0.0),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_read_in_both_forms(
    time: FakeTime, text: str, expected: float | None
) -> None:
    found = retry_after(Answer(429, {"retry-after": text}, b""), time.now())

    assert found == expected


def test_a_date_without_a_zone_is_utc() -> None:
    found = parse_http_date("Fri, 02 Jan 2026 03:04:15 -0000")

    assert found is not None
    assert found.utcoffset() == timedelta()


def test_the_defaults_are_real_time() -> None:
    nature = Nature()

    assert nature.now().utcoffset() == timedelta()
    assert nature.monotonic() <= nature.monotonic()


@pytest.mark.rule("ENG-2")
def test_a_handshake_that_fails_was_no_write(
    transport: Transport, time: FakeTime
) -> None:
    with serving(answer()) as server:
        secure = server.url.replace("http://", "https://")
        with pytest.raises(ProviderDown):
            transport.send(write(secure), plain_judge)

    assert len(time.slept) == 3
    assert server.seen == []


@pytest.mark.rule("ENG-2")
def test_a_connection_that_is_dead_before_the_first_byte_is_told_apart() -> None:
    mine, theirs = socket.socketpair()
    theirs.close()
    connection = _CarefulConnection("127.0.0.1")
    connection.sock = mine

    with pytest.raises(_NotSentError):
        connection.send(b"GET")
    connection._has_begun = True
    with pytest.raises(BrokenPipeError):
        connection.send(b"GET")
    connection.close()


def test_a_budget_without_attempts_sends_nothing() -> None:
    with serving(answer()) as server, pytest.raises(ProviderDown):
        Transport(Budget(attempts=0)).send(read(server.url), plain_judge)

    assert server.seen == []
