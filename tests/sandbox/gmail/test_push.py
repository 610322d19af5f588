"""watch, stop and the pushes of Cloud Pub/Sub (contract 2.10)."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from google.auth import jwt

from tests.sandbox.client import refusal
from tests.sandbox.gmail.client import INVALID, MISSING, Letters, refused
from tests.sandbox.harness import TOPIC, ControlError, Json, SandboxServer
from tests.sandbox.schemas import LEGACY_ERROR

SIGNER = "push@demo.iam.gserviceaccount.com"


class Endpoint:
    """A push endpoint that remembers; `statuses` are answered first."""

    def __init__(self) -> None:
        self.seen: list[Json] = []
        self.tokens: list[str] = []
        self.statuses: list[int] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                endpoint.tokens.append(self.headers["Authorization"])
                endpoint.seen.append(json.loads(self.rfile.read(length)))
                status = endpoint.statuses.pop(0) if endpoint.statuses else 204
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/push/gmail"
        threading.Thread(
            target=self.server.serve_forever, args=(0.02,), daemon=True
        ).start()

    def wait(self, count: int) -> list[Json]:
        """What the messages say, when there are so many."""
        until = time.monotonic() + 10
        while len(self.seen) < count and time.monotonic() < until:
            time.sleep(0.01)
        return [data(one) for one in self.seen]


def data(push: Json) -> Json:
    return dict(json.loads(base64.b64decode(push["message"]["data"])))


@pytest.fixture
def endpoint(box: SandboxServer) -> Iterator[Endpoint]:
    found = Endpoint()
    box.forget_pushes()
    box.push_to(found.url)
    yield found
    box.forget_pushes()
    found.server.shutdown()
    found.server.server_close()


def watch(mail: Letters, topic: str = TOPIC, **more: Any) -> Json:
    body = {"topicName": topic, **more}
    return dict(mail.users.watch(userId="me", body=body).execute())


@pytest.mark.point("G-5")
def test_a_watch_pushes_at_once_and_then_each_change(
    anna: Letters, box: SandboxServer, endpoint: Endpoint
) -> None:
    now = float(box.control("GET", "/clock")["now"])

    answer = watch(anna)
    key = anna.arrives()

    first, second = endpoint.wait(2)
    assert first == {"emailAddress": anna.email, "historyId": int(answer["historyId"])}
    assert str(second["historyId"]) == anna.get(key, "minimal")["historyId"]
    week = int(answer["expiration"]) / 1000 - now
    assert -1 < week - 7 * 86_400 < 60
    assert endpoint.seen[0]["subscription"].startswith("projects/demo/subscriptions/")
    assert {"messageId", "publishTime", "data"} <= endpoint.seen[0]["message"].keys()


@pytest.mark.point("G-5")
def test_a_push_is_signed_with_the_published_keys(
    anna: Letters, box: SandboxServer, endpoint: Endpoint
) -> None:
    box.push_to(endpoint.url, audience="https://crm.example/push", email=SIGNER)

    watch(anna)
    endpoint.wait(1)

    kind, _, text = endpoint.tokens[0].partition(" ")
    _, _, body = box.http("GET", "/oauth2/v1/certs")
    claims = jwt.decode(text, json.loads(body), audience="https://crm.example/push")
    assert (kind, claims["email"], claims["email_verified"]) == ("Bearer", SIGNER, True)
    assert claims["iss"] == "https://accounts.google.com"
    assert claims["sub"] == claims["azp"]


@pytest.mark.point("G-5")
def test_another_topic_is_refused_until_stop(
    anna: Letters, box: SandboxServer, endpoint: Endpoint
) -> None:
    other = "projects/demo/topics/other"
    box.push_to(endpoint.url, other)
    watch(anna)

    found = refusal(lambda: watch(anna, other), LEGACY_ERROR)

    assert (found["code"], found["message"]) == (
        400,
        "Only one user push notification client allowed per developer "
        "(call /stop then try again)",
    )
    assert watch(anna)["expiration"]
    anna.users.stop(userId="me").execute()
    assert watch(anna, other)["expiration"]


@pytest.mark.point("G-5")
def test_a_topic_must_be_of_the_project_and_exist(
    anna: Letters, endpoint: Endpoint
) -> None:
    assert endpoint.seen == []
    for topic in ("projects/other/topics/gmail", "gmail", ""):
        assert refused(partial(watch, anna, topic)) == INVALID
    assert refused(lambda: watch(anna, "projects/demo/topics/none")) == MISSING
    assert refused(lambda: watch(anna, labelIds=["Label_0"])) == INVALID


@pytest.mark.point("G-5")
@pytest.mark.parametrize(
    ("behaviour", "pushed"),
    [("include", "marked"), ("INCLUDE", "marked"), ("exclude", "plain")],
)
def test_labels_include_or_exclude_changes(
    anna: Letters,
    box: SandboxServer,
    endpoint: Endpoint,
    behaviour: str,
    pushed: str,
) -> None:
    box.switch(push_limit=False)
    label = anna.new_label("CRM")
    watch(anna, labelIds=[label], labelFilterBehavior=behaviour)
    ids = {
        "plain": box.message(anna.email, anna.arrives()),
        "marked": box.message(anna.email, anna.arrives(None, "CRM")),
    }

    told = endpoint.wait(2)[1:]

    history = anna.get(ids[pushed]["id"], "minimal")["historyId"]
    assert [str(one["historyId"]) for one in told] == [history]


@pytest.mark.point("G-5")
def test_a_watch_ends_by_itself_and_by_stop(
    anna: Letters, box: SandboxServer, endpoint: Endpoint
) -> None:
    watch(anna)
    endpoint.wait(1)
    anna.users.stop(userId="me").execute()
    anna.arrives()
    watch(anna)
    box.advance(7 * 86_400 + 1)
    anna.arrives()

    last = watch(anna)

    told = endpoint.wait(3)
    assert len(told) == 3
    assert str(told[-1]["historyId"]) == last["historyId"]


@pytest.mark.point("G-5")
def test_more_than_one_a_second_is_dropped(
    anna: Letters, box: SandboxServer, endpoint: Endpoint
) -> None:
    watch(anna)
    for _ in range(3):
        anna.arrives()
    box.advance(1.1)
    anna.arrives()

    endpoint.wait(3)

    dropped = [one for one in box.pushes()["deliveries"] if one["what"] == "dropped"]
    assert (len(endpoint.seen), len(dropped)) == (3, 2)


@pytest.mark.point("G-5")
def test_pushes_come_twice_late_or_as_text_if_they_are_told_to(
    anna: Letters, box: SandboxServer, endpoint: Endpoint
) -> None:
    box.switch(push_limit=False, push_duplicates=True, push_history_id="string")
    watch(anna)
    assert [type(one["historyId"]) for one in endpoint.wait(2)] == [str, str]
    assert len({one["message"]["messageId"] for one in endpoint.seen}) == 1

    box.switch(push_duplicates=False, push_out_of_order=True)
    endpoint.seen.clear()
    anna.arrives()
    anna.arrives()
    late = [int(one["historyId"]) for one in endpoint.wait(2)]
    assert late == sorted(late, reverse=True)

    box.switch(push_out_of_order=False, push_drops=1.0)
    anna.arrives()
    assert box.pushes()["deliveries"][-1]["what"] == "lost"


@pytest.mark.point("G-5")
def test_what_is_not_acknowledged_comes_again(
    anna: Letters, endpoint: Endpoint
) -> None:
    endpoint.statuses = [500, 401]

    watch(anna)

    told = endpoint.wait(3)
    assert len(told) == 3
    assert told[0] == told[1] == told[2]


@pytest.mark.point("G-5")
def test_nothing_is_pushed_to_another_machine(box: SandboxServer) -> None:
    with pytest.raises(ControlError, match="not on this machine"):
        box.push_to("https://crm.example/push")
