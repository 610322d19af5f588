"""Watch channels: messages without a body, first a sync one (contract 5.6)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.sandbox.client import legacy_refusal
from tests.sandbox.events.client import Diary, meeting
from tests.sandbox.harness import Json, SandboxServer

INVALID = (400, "invalid")


class Receiver:
    """A web hook that remembers what it was sent; `statuses` are answered first."""

    def __init__(self) -> None:
        self.seen: list[dict[str, str]] = []
        self.statuses: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", "0"))
                found = {k.lower(): v for k, v in self.headers.items()}
                found["body"] = self.rfile.read(length).decode()
                receiver.seen.append(found)
                status = receiver.statuses.pop(0) if receiver.statuses else 200
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"

    def wait(self, count: int) -> list[dict[str, str]]:
        until = time.monotonic() + 10
        while len(self.seen) < count and time.monotonic() < until:
            time.sleep(0.01)
        return list(self.seen)

    def states(self, count: int) -> list[str]:
        return [found["x-goog-resource-state"] for found in self.wait(count)]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.server.shutdown()
    found.server.server_close()
    found.thread.join()


def _statuses(box: SandboxServer, channel: str, count: int) -> list[int]:
    """How the messages of a channel ended; the last ones may be under way."""
    until = time.monotonic() + 10
    found: list[int] = []
    while len(found) < count and time.monotonic() < until:
        deliveries = box.channels()["deliveries"]
        found = [d["status"] for d in deliveries if d["channel"] == channel]
    return found


def watch(diary: Diary, key: str, address: str, **more: Any) -> Json:
    body = {"id": key, "type": "web_hook", "address": address, **more}
    made: Json = diary.api.watch(calendarId="primary", body=body).execute()
    return made


def stop(diary: Diary, channel: Json) -> Any:
    body = {"id": channel["id"], "resourceId": channel["resourceId"]}
    return diary.service.channels().stop(body=body).execute()


@pytest.mark.point("P-22")
def test_a_change_is_told_and_the_first_message_is_sync(
    anna: Diary, box: SandboxServer, receiver: Receiver
) -> None:
    box.switch(watch_http_loopback=True)
    key = f"{anna.email}-1".replace("@", "-").replace(".", "-")

    channel = watch(anna, key, receiver.url, token="secret")
    event = anna.insert(meeting())["id"]
    receiver.wait(2)
    anna.patch(event, {"summary": "X"})
    first, second, third = receiver.wait(3)

    assert first["x-goog-resource-state"] == "sync"
    assert first["x-goog-message-number"] == "1"
    assert second["x-goog-resource-state"] == "exists"
    assert second["x-goog-channel-id"] == key
    assert second["x-goog-channel-token"] == "secret"
    assert second["x-goog-resource-id"] == channel["resourceId"]
    assert "/events?" in second["x-goog-resource-uri"]
    assert second["x-goog-channel-expiration"].endswith("GMT")
    numbers = [int(m["x-goog-message-number"]) for m in (first, second, third)]
    assert numbers == sorted(set(numbers))
    assert {m["body"] for m in (first, second, third)} == {""}
    lasts = int(channel["expiration"]) / 1000 - box.control("GET", "/clock")["now"]
    assert 604_700 < lasts <= 604_800


@pytest.mark.point("P-22")
def test_a_stopped_and_an_expired_channel_are_silent(
    anna: Diary, ben: Diary, box: SandboxServer, receiver: Receiver
) -> None:
    box.switch(watch_http_loopback=True)
    one = watch(anna, f"{ben.email[:6]}-stop", receiver.url)
    watch(ben, f"{ben.email[:6]}-ttl", receiver.url, params={"ttl": "60"})
    receiver.wait(2)

    assert legacy_refusal(lambda: stop(ben, one)) == (404, "notFound")
    wrong = {**one, "resourceId": "other"}
    assert legacy_refusal(lambda: stop(anna, wrong)) == (404, "notFound")
    assert stop(anna, one) == ""
    ben.insert(meeting())
    assert receiver.states(3)[2:] == ["exists"]
    box.advance(61)
    for diary in (anna, ben):
        diary.insert(meeting())
    time.sleep(0.1)
    assert len(receiver.seen) == 3


@pytest.mark.point("P-22")
def test_messages_come_twice_get_lost_and_are_sent_again(
    anna: Diary, box: SandboxServer, receiver: Receiver
) -> None:
    box.switch(watch_http_loopback=True, watch_duplicates=True)
    receiver.statuses = [503, 500]
    key = f"{anna.email[:8]}-again".replace("@", "-")

    watch(anna, key, receiver.url)
    assert receiver.states(3) == ["sync"] * 3
    anna.insert(meeting())
    assert receiver.states(5)[3:] == ["exists"] * 2
    box.switch(watch_drops=1.0)
    anna.insert(meeting())

    assert sorted(_statuses(box, key, 4)) == [0, 200, 200, 200]
    assert len(receiver.seen) == 5


@pytest.mark.point("P-22")
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"address": "http://127.0.0.1:1/hook"}, (400, "push.webhookUrlNotHttps")),
        ({"address": "http://shop.example/hook"}, (400, "push.webhookUrlNotHttps")),
        ({"address": ""}, (400, "required")),
        ({"id": ""}, (400, "required")),
        ({"id": "x" * 65}, INVALID),
        ({"id": "a b"}, INVALID),
        ({"type": "email"}, INVALID),
        ({"token": "x" * 257}, INVALID),
        ({"expiration": "1000"}, INVALID),
        ({"params": {"ttl": "soon"}}, INVALID),
    ],
)
def test_what_makes_no_channel(
    anna: Diary, change: Json, expected: tuple[int, str]
) -> None:
    body = {"id": "chan", "type": "web_hook", "address": "https://x.example/", **change}

    refused = legacy_refusal(anna.api.watch(calendarId="primary", body=body).execute)

    assert refused == expected


@pytest.mark.point("P-22")
def test_an_id_makes_one_channel_and_a_week_is_the_longest(
    new_diary: Callable[..., Diary], box: SandboxServer
) -> None:
    one, two = new_diary(), new_diary()
    key = one.email.partition("@")[0]
    month = {"ttl": str(30 * 86_400)}
    made = watch(one, key, "https://far.example/hook", params=month)

    lasts = int(made["expiration"]) / 1000 - box.control("GET", "/clock")["now"]
    assert lasts <= 604_800
    for diary in (one, two):
        body = {"id": key, "type": "webhook", "address": "https://far.example/"}
        call = diary.api.watch(calendarId="primary", body=body).execute
        assert legacy_refusal(call) == (400, "push.channelIdNotUnique")
    assert key in {channel["id"] for channel in box.channels()["channels"]}
