"""Calendars, batches, quotas, faults, restarts of the Calendar API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.client import legacy_refusal, refusal
from tests.sandbox.events.client import Diary, answers, guests, meeting, weekly
from tests.sandbox.harness import Json, SandboxServer
from tests.sandbox.schemas import LEGACY_ERROR

OPTIONS = ("--account", "anna@x.example", "--account", "ben@x.example")


# ---------------------------------------------------------------- calendars


@pytest.mark.point("C-35")
def test_the_list_of_calendars(anna: Diary, ben: Diary, box: SandboxServer) -> None:
    lists = anna.service.calendarList()
    first = lists.list().execute()
    own = anna.service.calendars().insert(body={"summary": "CRM"}).execute()
    shared = box.new_calendar(ben.email, "Ben's")
    box.share_calendar(ben.email, shared["id"], anna.email, "reader")

    every = {entry["id"]: entry for entry in lists.list().execute()["items"]}
    changed = lists.list(syncToken=first["nextSyncToken"]).execute()["items"]

    assert [entry["id"] for entry in first["items"]] == [anna.email]
    assert every[anna.email]["primary"] is True
    assert every[own["id"]]["accessRole"] == "owner"
    assert every[shared["id"]]["accessRole"] == "reader"
    assert {entry["id"] for entry in changed} == {own["id"], shared["id"]}
    assert lists.get(calendarId="primary").execute()["id"] == anna.email
    writable = lists.list(minAccessRole="writer").execute()["items"]
    assert {entry["id"] for entry in writable} == {anna.email, own["id"]}
    page = lists.list(maxResults=2).execute()
    rest = lists.list(maxResults=2, pageToken=page["nextPageToken"]).execute()
    assert (len(page["items"]), len(rest["items"])) == (2, 1)
    assert "nextSyncToken" not in page


@pytest.mark.point("C-35")
def test_secondary_calendars(anna: Diary) -> None:
    calendars = anna.service.calendars()
    one = calendars.insert(body={"summary": "CRM", "description": "key"}).execute()
    two = calendars.insert(body={"summary": "CRM"}).execute()

    assert one["id"] != two["id"]
    assert calendars.get(calendarId=one["id"]).execute()["description"] == "key"
    assert anna.insert(meeting(), one["id"])["organizer"]["email"] == one["id"]
    assert calendars.patch(calendarId=one["id"], body={"summary": "X"}).execute()
    assert calendars.delete(calendarId=one["id"]).execute() == ""
    assert anna.refused("page", calendar=one["id"]) == (404, "notFound")
    refused = legacy_refusal(calendars.delete(calendarId="primary").execute)
    assert refused == (400, "cannotDeletePrimaryCalendar")
    assert legacy_refusal(calendars.insert(body={}).execute) == (400, "required")


@pytest.mark.point("C-35")
def test_an_event_of_a_secondary_calendar_reaches_guests(
    anna: Diary, ben: Diary, box: SandboxServer
) -> None:
    team = box.new_calendar(anna.email, "Team")["id"]
    body = meeting(attendees=guests(anna.email, ben.email))
    key = anna.insert(body, team)["id"]

    assert ben.get(key)["organizer"] == {"email": team, "displayName": "Team"}
    assert anna.get(key)["organizer"]["email"] == team
    box.answer_event(ben.email, key, "accepted")
    assert answers(anna.get(key, team))[ben.email] == "accepted"


# ---------------------------------------------------------------- transport


@pytest.mark.point("P-25", "C-36")
def test_a_batch_of_its_own_address_holds_more_than_a_hundred(anna: Diary) -> None:
    seen: dict[str, tuple[Any, Any]] = {}
    batch = anna.service.new_batch_http_request(
        callback=lambda key, answer, error: seen.update({key: (answer, error)})
    )
    keys = [f"a{n:05d}" for n in range(120)]
    for key in keys:
        request = anna.api.insert(calendarId="primary", body=meeting(id=key))
        batch.add(request, request_id=key)

    batch.execute()

    assert anna.ids() == keys
    assert {error for _, error in seen.values()} == {None}
    ran = anna.box.requests(account=anna.email, batch="true")
    assert len(ran) == 120
    assert all(r["path"].startswith("/calendar/v3/") for r in ran)


@pytest.mark.point("C-36")
def test_conditions_survive_into_a_batch_and_more_than_a_thousand_do_not(
    anna: Diary,
) -> None:
    made = anna.insert(meeting())
    errors: list[Any] = []
    batch = anna.service.new_batch_http_request(
        callback=lambda _key, _answer, error: errors.append(error)
    )
    request = anna.api.patch(
        calendarId="primary", eventId=made["id"], body={"summary": "X"}
    )
    request.headers["If-Match"] = '"old"'
    batch.add(request)
    batch.execute()
    part = "--e\r\nContent-Type: application/http\r\n\r\nGET /x HTTP/1.1\r\n\r\n\r\n"
    headers = {"Content-Type": "multipart/mixed; boundary=e"}

    status, _, _ = anna.box.http(
        "POST", "/batch/calendar/v3", part * 1001 + "--e--", headers
    )

    assert errors[0].status_code == 412
    assert status == 400
    anna.box.switch(calendar_batch_parts=50)
    status, _, _ = anna.box.http(
        "POST", "/batch/calendar/v3", part * 51 + "--e--", headers
    )
    assert status == 400


@pytest.mark.point("C-36")
def test_two_writes_of_one_event_in_a_batch_are_in_conflict(
    anna: Diary, box: SandboxServer
) -> None:
    key = anna.insert(meeting())["id"]

    def send() -> list[int]:
        codes: list[int] = []
        batch = anna.service.new_batch_http_request(
            callback=lambda _key, _answer, error: codes.append(
                error.status_code if error else 200
            )
        )
        for summary in ("A", "B"):
            body = {"summary": summary}
            batch.add(anna.api.patch(calendarId="primary", eventId=key, body=body))
        batch.execute()
        return sorted(codes)

    assert send() == [200, 409]
    box.switch(batch_conflicts=False)
    assert send() == [200, 200]


@pytest.mark.point("P-25")
def test_a_long_get_comes_as_a_post(anna: Diary) -> None:
    anna.insert(meeting("x" * 900))

    page = anna.page(q="x" * 900 + " " * 1500)

    assert "items" not in page
    assert anna.box.requests(account=anna.email)[-1]["method"] == "GET"


@pytest.mark.point("P-21")
@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("403", (403, "rateLimitExceeded")),
        ("user", (403, "userRateLimitExceeded")),
        ("429", (429, "rateLimitExceeded")),
    ],
)
def test_the_minutes_quota_in_three_forms(
    anna: Diary, box: SandboxServer, form: str, expected: tuple[int, str]
) -> None:
    key = anna.insert(meeting())["id"]
    box.switch(quota=True, calendar_rate_error=form, calendar_requests_per_minute=5)

    anna.page()
    anna.patch(key, {"summary": "X"})
    anna.page()

    assert anna.refused("page") == expected
    box.advance(61)
    assert anna.page()["items"]


@pytest.mark.point("P-21")
def test_the_accounts_own_budget(anna: Diary, box: SandboxServer) -> None:
    box.switch(quota=True, event_creations_budget=2, invitations_budget=2)
    strangers = meeting(attendees=guests(*(f"g{n}@out.example" for n in range(3))))
    over = (403, "quotaExceeded")

    assert anna.refused("insert", strangers) == over
    anna.insert(meeting())
    assert anna.refused("insert", meeting()) == over


@pytest.mark.point("P-21")
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("rate", (403, "rateLimitExceeded")),
        ("user_rate", (403, "userRateLimitExceeded")),
        ("quota", (403, "quotaExceeded")),
        ("too_many", (429, "rateLimitExceeded")),
        ("disabled", (403, "accessNotConfigured")),
        ("conflict", (409, "conflict")),
        ("backend", (503, "backendError")),
        ("expired_sync_token", (410, "fullSyncRequired")),
        ("auth", (401, "authError")),
    ],
)
def test_faults_have_the_older_shape(
    anna: Diary, box: SandboxServer, fault: str, expected: tuple[int, str]
) -> None:
    action = {"type": "status", "error": fault}
    box.fault(action, path="/calendar/v3/", account=anna.email, count=1)
    path = "/calendar/v3/calendars/primary/events"
    headers = {"Authorization": f"Bearer {anna.credentials.token}"}

    status, _, body = box.http("GET", path, None, headers)

    LEGACY_ERROR.validate(json.loads(body))
    assert (status, json.loads(body)["error"]["errors"][0]["reason"]) == expected
    assert anna.page()["kind"] == "calendar#events"


@pytest.mark.point("P-1")
def test_a_lost_answer_to_an_insert_is_sent_again_and_refused(
    anna: Diary, box: SandboxServer
) -> None:
    box.fault("close_after", method="POST", account=anna.email, count=1)

    assert anna.refused("insert", meeting(id="abcde")) == (409, "duplicate")
    assert anna.ids() == ["abcde"]


@pytest.mark.point("P-27")
def test_missing_and_dead_credentials(anna: Diary, box: SandboxServer) -> None:
    path = "/calendar/v3/calendars/primary/events"

    def reason(headers: dict[str, str]) -> tuple[int, Json]:
        status, _, body = box.http("GET", path, None, headers)
        return status, json.loads(body)["error"]["errors"][0]

    assert reason({})[1]["reason"] == "required"
    assert reason({"Authorization": "Bearer nonsense"}) == (
        401,
        {
            "domain": "global",
            "reason": "authError",
            "message": "Invalid Credentials",
            "locationType": "header",
            "location": "Authorization",
        },
    )


# ---------------------------------------------------------------- restarts


@pytest.mark.point("S-12")
def test_a_restart_forgets_nothing_of_the_calendars(tmp_path: Path) -> None:
    with SandboxServer(*OPTIONS, data=tmp_path) as box:
        box.switch(copy_delay=3600.0)
        anna = Diary(box, "anna@x.example")
        series = anna.insert(weekly())["id"]
        anna.patch(f"{series}_20260309T080000Z", {"summary": "Moved"})
        gone = anna.insert(meeting(id="abcde"))["id"]
        token = anna.token()
        anna.delete(gone)
        late = anna.insert(meeting(attendees=guests("ben@x.example")))["id"]
        first = anna.page(maxResults=2)
        anna.close()

        box.restart()

        anna, ben = (Diary(box, f"{name}@x.example") for name in ("anna", "ben"))
        rest = anna.page(maxResults=2, pageToken=first["nextPageToken"])
        assert len(first["items"]) == 2
        assert len({e["id"] for e in first["items"] + rest["items"]}) == 3
        assert anna.changes(token).keys() == {gone, late}
        assert anna.refused("insert", meeting(id="abcde")) == (409, "duplicate")
        assert len(box.notifications(kind="invite")) == 1
        assert ben.ids() == []
        box.settle("ben@x.example")
        assert ben.ids() == [late]
        anna.close()
        ben.close()


@pytest.mark.point("S-12")
def test_a_restart_in_memory_kills_the_tokens() -> None:
    with SandboxServer("--account", "anna@x.example") as box:
        anna = Diary(box, "anna@x.example")
        token = anna.token()
        anna.close()
        box.restart()

        again = Diary(box, "anna@x.example")
        error = refusal(lambda: again.page(syncToken=token), LEGACY_ERROR)
        again.close()

    assert error["errors"][0]["reason"] == "fullSyncRequired"
