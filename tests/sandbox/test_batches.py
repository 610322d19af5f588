"""Multipart batches, and mutates at the same time (1.2, 1.3, 4.6)."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from googleapiclient.errors import BatchError, HttpError
from googleapiclient.http import BatchHttpRequest

from tests.sandbox.client import User, bearer, contact
from tests.sandbox.harness import SandboxServer


@pytest.mark.point("G-2", "P-25")
def test_a_batch_has_a_part_for_each_part(
    anna: User, new_user: Callable[..., User]
) -> None:
    made = anna.create(contact("Ann"))["resourceName"]
    people = anna.service.people()
    seen: dict[str, tuple[Any, Any]] = {}
    batch = anna.service.new_batch_http_request(
        callback=lambda key, answer, error: seen.update({key: (answer, error)})
    )
    for key, name in (("good", made), ("bad", "people/c1")):
        batch.add(people.get(resourceName=name, personFields="names"), request_id=key)

    batch.execute()

    assert seen["good"][0]["names"][0]["displayName"] == "Ann Doe"
    assert seen["bad"][1].status_code == 404
    assert len(anna.box.requests(account=anna.email, batch="true")) == 2


@pytest.mark.point("G-2", "P-25")
def test_the_second_batch_address_and_the_form_of_the_answer(anna: User) -> None:
    part = (
        "--edge\r\nContent-Type: application/http\r\nContent-ID: <one+1>\r\n\r\n"
        "GET /v1/people/me?personFields=names HTTP/1.1\r\n\r\n\r\n"
        "--edge\r\nContent-Type: application/http\r\nContent-ID: <two+2>\r\n\r\n"
        "GET https://people.googleapis.com/v1/people/me HTTP/1.1\r\n\r\n\r\n"
        "--edge--\r\n"
    )
    headers = {**bearer(anna), "Content-Type": "multipart/mixed; boundary=edge"}

    status, found, body = anna.box.http("POST", "/batch/people/v1", part, headers)

    edge = found["content-type"].partition("boundary=")[2].encode()
    _, first, second, last = body.split(b"--" + edge)
    assert status == 200
    assert b"Content-ID: <response-one+1>\r\n\r\nHTTP/1.1 200 OK\r\n" in first
    assert b"Content-ID: <response-two+2>\r\n\r\nHTTP/1.1 400 " in second
    assert last == b"--\r\n"


@pytest.mark.point("G-2")
def test_more_than_a_hundred_parts_are_refused(anna: User) -> None:
    batch = anna.service.new_batch_http_request()
    for _ in range(101):
        batch.add(
            anna.service.people().get(resourceName="people/me", personFields="names")
        )

    with pytest.raises((HttpError, BatchError)) as caught:
        batch.execute()

    assert caught.value.resp.status == 400


# The library refreshes with a connection of its own that it never closes.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.point("G-2")
def test_only_the_dead_part_of_a_batch_is_sent_again(anna: User) -> None:
    anna.box.expire_access_tokens(anna.email)
    seen: list[Any] = []
    batch = anna.service.new_batch_http_request(
        callback=lambda _key, answer, _error: seen.append(answer)
    )
    batch.add(anna.service.people().get(resourceName="people/me", personFields="names"))

    batch.execute()

    assert seen[0]["names"]
    parts = anna.box.requests(path="people/me$", batch="true")[-2:]
    assert [r["status"] for r in parts] == [401, 200]


@pytest.mark.point("G-2", "P-10")
def test_mutates_in_one_batch_are_concurrent(anna: User) -> None:
    errors: list[Any] = []
    batch = BatchHttpRequest(
        callback=lambda _key, _answer, error: errors.append(error),
        batch_uri=f"{anna.box.url}/batch",
    )
    for n in range(4):
        body = contact(f"N{n}")
        batch.add(anna.service.people().createContact(body=body, personFields="names"))

    batch.execute(http=anna.service._http)

    assert sum(1 for error in errors if error is None) == 1
    assert {e.status_code for e in errors if e is not None} == {409}
    assert len(anna.names()) == 1


@pytest.mark.point("P-25")
def test_parts_run_in_any_order(anna: User) -> None:
    names = [f"people/c{n}" for n in range(12)]
    batch = anna.service.new_batch_http_request(callback=lambda *_: None)
    for name in names:
        batch.add(anna.service.people().get(resourceName=name, personFields="names"))

    batch.execute()

    ran = anna.box.requests(account=anna.email, batch="true")
    order = [r["path"].removeprefix("/v1/") for r in ran]
    assert sorted(order) == sorted(names)
    assert order != names


# ---------------------------------------------------------------- concurrency


@pytest.mark.point("P-10")
@pytest.mark.parametrize(
    ("mode", "status"), [("aborted", 409), ("unavailable", 503), ("latency", 200)]
)
def test_two_mutates_of_one_user_at_a_time(
    anna: User, box: SandboxServer, mode: str, status: int
) -> None:
    box.switch(concurrent_mutates=mode, mutate_seconds=0.4)
    body = json.dumps(contact("Ann"))
    found: list[int] = []

    def send() -> None:
        answer = box.http("POST", "/v1/people:createContact", body, bearer(anna))
        found.append(answer[0])

    first = threading.Thread(target=send)
    first.start()
    time.sleep(0.15)
    started = time.monotonic()
    send()
    waited = time.monotonic() - started
    first.join()

    assert sorted(found) == sorted([200, status])
    assert waited > 0.2


@pytest.mark.point("P-10")
def test_mutates_one_after_another_and_of_two_users_are_fine(
    new_user: Callable[..., User], box: SandboxServer
) -> None:
    box.switch(mutate_seconds=0.1)
    one, two = new_user(), new_user()
    other = threading.Thread(target=two.create, args=(contact("B"),))

    other.start()
    one.create(contact("A"))
    one.create(contact("A"))
    other.join()

    assert (len(one.names()), len(two.names())) == (2, 1)
