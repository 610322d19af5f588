"""The panel's calendar and tasks: a person's hand, through plain forms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

import pytest

from tests.sandbox.harness import Json, SandboxServer

ANNA, BEN = "anna@shop.example", "ben@shop.example"
PANEL = "/_sandbox/panel"
TODAY = datetime.now(UTC).date()
SOON = (TODAY + timedelta(days=3)).isoformat()
LATER = (TODAY + timedelta(days=4)).isoformat()


@pytest.fixture
def box() -> Iterator[SandboxServer]:
    options = ("--quota", "off", "--account", ANNA, "--account", BEN)
    with SandboxServer(*options) as server:
        yield server


def page(box: SandboxServer, path: str, account: str = ANNA) -> str:
    status, _, answer = box.http("GET", f"{PANEL}/{quote(account)}/{path}")
    assert status == 200
    return answer.decode()


def send(box: SandboxServer, path: str, account: str = ANNA, **form: str) -> int:
    status, _, _ = box.http(
        "POST",
        f"{PANEL}/{quote(account)}/{path}",
        urlencode(form),
        {"Content-Type": "application/x-www-form-urlencoded"},
    )
    return status


def form_of(text: str) -> dict[str, str]:
    """What a browser would send of a page without a change."""
    found = dict(re.findall(r'<input id="(\w+)"[^>]* value="([^"]*)"', text))
    found |= dict(re.findall(r'<textarea id="(\w+)"[^>]*>([^<]*)<', text))
    found |= dict.fromkeys(
        re.findall(r'type="checkbox" name="(\w+)" checked', text), "on"
    )
    chosen = re.search(r'<option value="(\w*)" selected', text)
    return {**found, "repeat": chosen[1]} if chosen else found


def made(box: SandboxServer, **form: str) -> Json:
    times = {"first": SOON, "last": SOON, "from": "09:00", "to": "10:00"}
    assert send(box, "events/new", **{**times, **form}) == 302
    (event,) = box.events(ANNA)
    return event


def test_the_panel_links_to_calendars_and_tasks(box: SandboxServer) -> None:
    _, _, answer = box.http("GET", PANEL)

    assert f"{PANEL}/{quote(ANNA)}/events".replace("@", "%40") in answer.decode()
    assert "Nothing is planned" in page(box, "events")
    assert "Nothing to do" in page(box, "tasks")


def test_an_event_is_made_shown_changed_and_deleted(box: SandboxServer) -> None:
    box.set_zone(ANNA, "Europe/Berlin")
    event = made(box, summary="<b>Plan", guests=f"{BEN}\r\nout@far.example", mails="on")
    local = datetime.fromisoformat(event["start"]["dateTime"])
    assert (local.hour, event["start"]["timeZone"]) == (9, "Europe/Berlin")
    assert len(box.notifications(kind="invite")) == 2

    assert "&lt;b&gt;Plan" in page(box, "events")
    box.answer_event(BEN, event["id"], "accepted")
    box.edit_event(ANNA, event["id"], {"colorId": "3"})
    shown = form_of(page(box, f"events/{event['id']}"))
    assert send(box, f"events/{event['id']}", **{**shown, "location": "Hall"}) == 302

    after = box.event(ANNA, event["id"])
    assert after["location"] == "Hall"
    assert after["colorId"] == "3"
    assert after["start"] == event["start"]
    assert [g["responseStatus"] for g in after["attendees"]] == [
        "accepted",
        "needsAction",
    ]
    assert send(box, f"events/{event['id']}", do="delete") == 302
    assert box.events(ANNA) == []


def test_days_and_series(box: SandboxServer) -> None:
    event = made(box, summary="Trip", is_day="on", last=LATER, repeat="WEEKLY")

    assert event["start"] == {"date": SOON}
    assert event["recurrence"] == ["RRULE:FREQ=WEEKLY"]
    assert page(box, "events").count("Trip") > 5
    one = f"{event['id']}_{SOON.replace('-', '')}"
    shown = form_of(page(box, f"events/{one}"))
    send(box, f"events/{one}", **{**shown, "first": LATER})
    moved = box.event(ANNA, one)
    assert moved["start"] == {"date": LATER}
    assert moved["originalStartTime"] == {"date": SOON}
    shown = form_of(page(box, f"events/{event['id']}"))
    timed = {k: v for k, v in shown.items() if k != "is_day"}
    timed |= {"from": "08:00", "to": "09:00", "last": SOON, "repeat": ""}
    assert send(box, f"events/{event['id']}", **timed) == 302
    assert "recurrence" not in box.event(ANNA, event["id"])


def test_a_guest_answers_and_a_private_event_says_so(box: SandboxServer) -> None:
    event = made(box, summary="Plan", guests=f"{ANNA}\n{BEN}", is_private="on")

    assert "needsAction" in page(box, "events", BEN)
    assert "private" in page(box, "events")
    path = f"events/{event['id']}"
    assert send(box, path, BEN, do="answer-declined") == 302

    answers = [g["responseStatus"] for g in box.event(ANNA, event["id"])["attendees"]]
    assert answers == ["needsAction", "declined"]


def test_tasks_are_made_completed_and_cleared(box: SandboxServer) -> None:
    assert send(box, "tasks/new", title="<i>Call", notes="n", due=SOON) == 302
    (task,) = box.tasks(ANNA)
    path = f"tasks/{task['id']}"
    assert task["due"][:10] == SOON
    assert "&lt;i&gt;Call" in page(box, "tasks")

    assert send(box, path, **{**form_of(page(box, path)), "due": ""}) == 302
    assert "due" not in box.tasks(ANNA)[0]
    assert send(box, path, do="complete") == 302
    assert box.tasks(ANNA)[0]["hidden"] is True
    assert send(box, path, do="reopen") == 302
    assert send(box, "tasks", do="clear") == 302
    assert "hidden" not in box.tasks(ANNA)[0]
    assert send(box, path, do="delete") == 302
    assert box.tasks(ANNA) == []


def test_what_cannot_be_gets_a_page_that_says_so(box: SandboxServer) -> None:
    for path in ("events/nobody", "tasks/nobody"):
        status, _, _ = box.http("GET", f"{PANEL}/{quote(ANNA)}/{path}")
        assert status == 404
    assert send(box, "events/new", first=SOON, last=SOON, to="x", summary="X") == 400


def test_the_return_key_saves(box: SandboxServer) -> None:
    event = made(box, summary="Plan", guests=ANNA)

    for path in (f"events/{event['id']}", "tasks/new"):
        first = re.search(r'<button[^>]* value="(\w+)"', page(box, path))
        assert first is not None
        assert first[1] == "save"
