"""events.list: filters, pages, sync tokens, tombstones (contract 5.4)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.client import refusal
from tests.sandbox.events.client import Diary, at, guests, meeting, weekly, whole_day
from tests.sandbox.harness import SandboxServer
from tests.sandbox.schemas import LEGACY_ERROR


@pytest.mark.point("P-28")
def test_an_empty_calendar_has_no_list(anna: Diary) -> None:
    page = anna.page()

    assert "items" not in page
    assert page["accessRole"] == "owner"
    assert page["nextSyncToken"]


@pytest.mark.point("P-5")
def test_the_sync_token_comes_on_the_last_page_only(anna: Diary) -> None:
    for n in range(3):
        anna.insert(meeting(f"M{n}"))

    first = anna.page(maxResults=2)
    last = anna.page(maxResults=2, pageToken=first["nextPageToken"])

    assert "nextSyncToken" not in first
    assert len(first["items"]) == 2
    assert "nextPageToken" not in last
    assert last["nextSyncToken"]
    assert anna.refused("page", maxResults=0) == (400, "invalid")


@pytest.mark.point("P-5")
@pytest.mark.parametrize(
    "query",
    [
        {"orderBy": "updated"},
        {"q": "x"},
        {"iCalUID": "x"},
        {"updatedMin": "NOW"},
        {"privateExtendedProperty": "a=b"},
        {"sharedExtendedProperty": "a=b"},
    ],
)
def test_some_first_calls_give_no_sync_token(
    anna: Diary, query: dict[str, str]
) -> None:
    if query.get("updatedMin"):
        query = {"updatedMin": anna.insert(meeting())["updated"]}

    assert "nextSyncToken" not in anna.page(**query)


@pytest.mark.point("C-12")
def test_a_window_gives_a_token_that_sees_beyond_it(
    anna: Diary, box: SandboxServer
) -> None:
    inside = anna.insert(meeting(day="2026-03-02"))["id"]
    outside = anna.insert(meeting(day="2030-03-02"))["id"]
    window = {"timeMin": "2026-01-01T00:00:00Z", "timeMax": "2027-01-01T00:00:00Z"}

    events, token = anna.all(**window)
    anna.patch(outside, {"summary": "Far"})

    assert [event["id"] for event in events] == [inside]
    assert list(anna.changes(token)) == [outside]
    box.switch(window_limits_incremental=True)
    assert anna.changes(token) == {}


@pytest.mark.point("P-13")
@pytest.mark.parametrize(
    "query",
    [
        {"iCalUID": "x"},
        {"orderBy": "updated"},
        {"q": "x"},
        {"timeMin": "2026-01-01T00:00:00Z"},
        {"timeMax": "2026-01-01T00:00:00Z"},
        {"updatedMin": "2026-01-01T00:00:00Z"},
        {"privateExtendedProperty": "a=b"},
        {"sharedExtendedProperty": "a=b"},
        {"showDeleted": False},
    ],
)
def test_a_sync_token_forbids_filters(anna: Diary, query: dict[str, Any]) -> None:
    token = anna.token()

    assert anna.refused("page", syncToken=token, **query) == (400, "badRequest")


@pytest.mark.point("P-4")
@pytest.mark.parametrize(
    "query",
    [{"singleEvents": True}, {"maxResults": 7}, {"eventTypes": "birthday"}],
)
def test_a_sync_token_is_bound_to_the_other_parameters(
    anna: Diary, query: dict[str, Any]
) -> None:
    token = anna.token()

    assert anna.refused("page", syncToken=token, **query) == (400, "invalid")
    assert anna.refused("page", syncToken="nonsense") == (400, "invalid")
    assert anna.refused("page", pageToken="nonsense") == (400, "invalid")


@pytest.mark.point("P-13")
def test_a_dead_token_needs_a_full_sync(anna: Diary, box: SandboxServer) -> None:
    token = anna.token()
    box.expire_sync_tokens(anna.email)

    error = refusal(lambda: anna.page(syncToken=token), LEGACY_ERROR)

    assert error == {
        "errors": [
            {
                "domain": "calendar",
                "reason": "fullSyncRequired",
                "message": "Sync token is no longer valid, a full sync is required.",
                "locationType": "parameter",
                "location": "syncToken",
            }
        ],
        "code": 410,
        "message": "Sync token is no longer valid, a full sync is required.",
    }
    assert anna.changes(anna.token()) == {}


@pytest.mark.point("P-13")
def test_tokens_die_of_a_new_access_rule_and_of_age(
    anna: Diary, ben: Diary, box: SandboxServer
) -> None:
    token = anna.token()
    box.share_calendar(anna.email, anna.email, ben.email, "reader")
    assert anna.refused("page", syncToken=token) == (410, "fullSyncRequired")

    token = anna.token()
    box.switch(calendar_token_days=1e-12)
    assert anna.refused("page", syncToken=token) == (410, "fullSyncRequired")


@pytest.mark.point("P-13")
def test_a_time_too_long_ago_is_gone(anna: Diary) -> None:
    asked = "2020-01-01T00:00:00Z"

    assert anna.refused("page", updatedMin=asked) == (410, "updatedMinTooLongAgo")
    assert anna.refused("page", updatedMin="2026-01-01") == (400, "badRequest")


@pytest.mark.point("P-16")
def test_tombstones_have_only_an_id(anna: Diary, box: SandboxServer) -> None:
    key = anna.insert(meeting())["id"]
    token = anna.token()
    anna.delete(key)

    changed = anna.changes(token)[key]

    assert changed.keys() == {"kind", "etag", "id", "status"}
    assert anna.ids() == []
    assert anna.ids(showDeleted=True) == [key]
    box.switch(tombstone_details=True)
    assert anna.changes(token)[key]["summary"] == "Meeting"
    box.advance(31 * 86_400)
    assert anna.ids(showDeleted=True) == []


@pytest.mark.point("P-16")
def test_a_cancelled_occurrence_has_its_place(anna: Diary) -> None:
    series = anna.insert(weekly())["id"]
    token = anna.token()
    hole = f"{series}_20260309T080000Z"
    anna.delete(hole)

    for shown in (anna.changes(token)[hole], anna.page()["items"]):
        found = shown if isinstance(shown, dict) else _one(shown, hole)
        assert found == {
            "kind": "calendar#event",
            "etag": found["etag"],
            "id": hole,
            "status": "cancelled",
            "recurringEventId": series,
            "originalStartTime": {
                "dateTime": "2026-03-09T08:00:00Z",
                "timeZone": "Europe/Berlin",
            },
        }


def _one(items: list[dict[str, Any]], key: str) -> dict[str, Any]:
    (found,) = [item for item in items if item["id"] == key]
    return found


@pytest.mark.point("P-14")
def test_pages_may_be_short_and_empty(anna: Diary, box: SandboxServer) -> None:
    keys = sorted(anna.insert(meeting(f"M{n}"))["id"] for n in range(12))
    box.switch(short_pages=True)

    assert anna.ids(maxResults=5) == keys


@pytest.mark.point("C-13")
def test_what_changes_while_paging_is_not_lost(anna: Diary) -> None:
    for n in range(6):
        anna.insert(meeting(f"M{n}"))
    first = anna.page(maxResults=3)
    served = first["items"][0]["id"]
    anna.patch(served, {"summary": "Late"})
    late = anna.insert(meeting("New"))["id"]

    last = anna.page(maxResults=3, pageToken=first["nextPageToken"])
    changed = anna.changes(last["nextSyncToken"], maxResults=3)

    assert len(first["items"] + last["items"]) == 6
    assert changed.keys() == {served, late}


@pytest.mark.point("C-38")
def test_lists_may_be_late_and_lose_nothing(anna: Diary, box: SandboxServer) -> None:
    old = anna.insert(meeting("Old"))["id"]
    box.switch(calendar_delay=60.0)
    anna.patch(old, {"summary": "New"})
    fresh = anna.insert(meeting("Fresh"))["id"]

    events, token = anna.all()
    assert [event["summary"] for event in events] == ["Old"]
    assert anna.get(old)["summary"] == "New"
    assert anna.changes(token) == {}
    box.advance(61)
    anna.delete(fresh)
    changed, token = anna.all(syncToken=token)
    assert sorted(event["summary"] for event in changed) == ["Fresh", "New"]
    box.settle()
    assert anna.changes(token)[fresh]["status"] == "cancelled"
    anna.patch(old, {"summary": "Newer"})
    box.switch(calendar_delay=0.0)
    assert anna.page()["items"][0]["summary"] == "Newer"


@pytest.mark.point("C-14")
def test_the_window_bounds_ends_and_starts(anna: Diary) -> None:
    key = anna.insert(meeting(day="2026-03-02"))["id"]
    day = anna.insert(whole_day("Day", "2026-03-03", "2026-03-04"))["id"]

    def within(low: str, high: str) -> list[str]:
        return anna.ids(timeMin=f"2026-03-{low}Z", timeMax=f"2026-03-{high}Z")

    assert within("02T09:30:00", "02T09:40:00") == [key]
    assert within("02T10:00:00", "02T12:00:00") == []
    assert within("02T08:00:00", "02T09:00:00") == []
    assert within("03T23:00:00", "03T23:30:00") == [day]
    assert anna.refused("page", timeMin="2026-03-02T00:00:00")[0] == 400
    empty = {"timeMin": "2026-03-03T00:00:00Z", "timeMax": "2026-03-02T00:00:00Z"}
    assert anna.refused("page", **empty) == (400, "timeRangeEmpty")


@pytest.mark.point("C-14")
def test_a_series_is_in_the_window_of_its_occurrences(anna: Diary) -> None:
    series = anna.insert(weekly())["id"]
    endless = anna.insert(weekly(recurrence=["RRULE:FREQ=YEARLY"]))["id"]

    assert series in anna.ids(timeMin="2026-04-01T00:00:00Z")
    assert anna.ids(timeMin="2026-06-01T00:00:00Z") == [endless]
    assert anna.ids(timeMax="2026-03-01T00:00:00Z") == []


@pytest.mark.point("C-15")
def test_filters(anna: Diary, box: SandboxServer) -> None:
    one = anna.insert(
        meeting(
            "Alpha",
            attendees=guests("zoe@out.example"),
            extendedProperties={"private": {"k": "1"}, "shared": {"s": "1"}},
        )
    )
    two = anna.insert(
        meeting("Beta", extendedProperties={"private": {"k": "2", "x": "1"}})
    )
    off = box.create_event(anna.email, meeting("Off", eventType="outOfOffice"))["id"]

    assert anna.ids(q="ALPHA") == [one["id"]]
    assert anna.ids(q="zoe@") == [one["id"]]
    assert anna.ids(iCalUID=two["iCalUID"]) == [two["id"]]
    assert anna.ids(privateExtendedProperty="k=2") == [two["id"]]
    assert anna.ids(sharedExtendedProperty="s=1") == [one["id"]]
    assert anna.ids(eventTypes="outOfOffice") == [off]
    assert anna.ids(updatedMin=two["updated"]) == sorted([two["id"], off])
    assert anna.refused("page", privateExtendedProperty="k") == (400, "invalid")
    both = {"privateExtendedProperty": ["k=1", "x=1"]}
    assert anna.ids(**both) == sorted([one["id"], two["id"]])
    box.switch(property_filter="and")
    assert anna.ids(**both) == []


@pytest.mark.point("C-15")
def test_deleted_events_since_a_time_are_always_there(anna: Diary) -> None:
    key = anna.insert(meeting())["id"]
    before = anna.get(key)["updated"]
    anna.delete(key)

    assert anna.ids(updatedMin=before) == [key]


@pytest.mark.point("C-16")
def test_orders(anna: Diary) -> None:
    late = anna.insert(meeting("Late", day="2026-03-05"))["id"]
    early = anna.insert(meeting("Early", day="2026-03-02"))["id"]
    anna.patch(late, {"summary": "Later"})

    by_start = anna.page(orderBy="startTime", singleEvents=True)["items"]
    by_change = anna.page(orderBy="updated")["items"]

    assert [e["id"] for e in by_start] == [early, late]
    assert [e["id"] for e in by_change] == [early, late]
    assert anna.refused("page", orderBy="startTime") == (400, "invalid")


@pytest.mark.point("C-17")
def test_a_cut_guest_list_has_only_oneself(anna: Diary, ben: Diary) -> None:
    many = guests(ben.email, *(f"g{n}@out.example" for n in range(5)))
    key = anna.insert(meeting(attendees=many))["id"]

    mine = ben.page(maxAttendees=3)["items"][0]

    assert mine["attendeesOmitted"] is True
    assert [guest["email"] for guest in mine["attendees"]] == [ben.email]
    assert len(ben.get(key, maxAttendees=6)["attendees"]) == 6
    assert "attendeesOmitted" not in ben.get(key)


@pytest.mark.point("S-2")
def test_partial_answers(anna: Diary) -> None:
    anna.insert(meeting(attendees=guests("bob@out.example")))

    page = anna.page(fields="items(id,attendees/email),nextSyncToken")

    assert page.keys() == {"items", "nextSyncToken"}
    assert page["items"][0].keys() == {"id", "attendees"}
    assert anna.refused("page", fields="items(nothing)") == (400, "invalid")


@pytest.mark.point("S-1")
def test_unknown_parameters_are_refused(anna: Diary) -> None:
    path = "/calendar/v3/calendars/primary/events?maxresults=3"
    headers = {"Authorization": f"Bearer {anna.credentials.token}"}

    status, _, _ = anna.box.http("GET", path, None, headers)

    assert status == 400


# ---------------------------------------------------------------- occurrences


@pytest.mark.point("C-18")
def test_single_events_are_occurrences_without_masters(anna: Diary) -> None:
    series = anna.insert(weekly())["id"]
    anna.patch(f"{series}_20260316T080000Z", {"summary": "Moved"})
    anna.delete(f"{series}_20260323T080000Z")
    alone = anna.insert(meeting(day="2026-03-03"))["id"]

    items = anna.page(singleEvents=True, orderBy="startTime")["items"]

    assert len(items) == 10
    assert items[1]["id"] == alone
    assert all("recurrence" not in item for item in items)
    assert items[3]["summary"] == "Moved"
    shown = anna.page(singleEvents=True, showDeleted=True)["items"]
    assert len(shown) == 11
    assert {e["status"] for e in shown} == {"confirmed", "cancelled"}


@pytest.mark.point("C-18")
def test_a_deleted_series_is_reported_in_part_to_expanded_syncs(anna: Diary) -> None:
    body = weekly(recurrence=["RRULE:FREQ=DAILY"])
    series = anna.insert(body)["id"]
    events, token = anna.all(singleEvents=True, maxResults=2500)
    anna.delete(series)

    gone = anna.changes(token, singleEvents=True, maxResults=2500)

    assert 0 < len(gone) < len(events)
    assert {event["status"] for event in gone.values()} == {"cancelled"}


@pytest.mark.point("C-18")
def test_instances_of_a_series(anna: Diary) -> None:
    series = anna.insert(weekly())["id"]
    anna.delete(f"{series}_20260309T080000Z")

    def instances(**more: Any) -> list[str]:
        request = anna.api.instances(calendarId="primary", eventId=series, **more)
        return [item["id"] for item in request.execute().get("items", [])]

    assert len(instances()) == 9
    assert len(instances(showDeleted=True)) == 10
    assert len(instances(timeMin="2026-04-20T00:00:00Z")) == 3
    one = instances(originalStart="2026-04-06T09:00:00+02:00")
    assert one == [f"{series}_20260406T070000Z"]
    error = refusal(
        anna.api.instances(calendarId="primary", eventId="nobody1").execute,
        LEGACY_ERROR,
    )
    assert error["code"] == 404


@pytest.mark.point("C-18")
def test_instances_come_in_pages_and_without_a_sync_token(
    anna: Diary, box: SandboxServer
) -> None:
    series = anna.insert(weekly())["id"]

    def pages(**more: Any) -> list[dict[str, Any]]:
        api, found = anna.api, []
        request = api.instances(calendarId="primary", eventId=series, **more)
        while request is not None:
            found.append(request.execute())
            request = api.instances_next(request, found[-1])
        return found

    found = pages(maxResults=4)

    assert [len(page["items"]) for page in found] == [4, 4, 2]
    assert not any("nextSyncToken" in page for page in found)
    starts = [item["start"]["dateTime"] for page in found for item in page["items"]]
    assert starts == sorted(starts)
    box.switch(short_pages=True)
    try:
        short = [item["id"] for page in pages() for item in page.get("items", [])]
    finally:
        box.switch(short_pages=False)
    assert short == [item["id"] for page in found for item in page["items"]]


@pytest.mark.point("C-18")
def test_the_span_of_instances_is_closed_below_and_open_above(anna: Diary) -> None:
    series = anna.insert(weekly())["id"]  # Mondays from nine to ten in Berlin

    def many(**more: Any) -> int:
        request = anna.api.instances(calendarId="primary", eventId=series, **more)
        return len(request.execute().get("items", []))

    assert many(timeMin="2026-03-02T09:00:00Z") == 10
    assert many(timeMin="2026-03-02T09:00:01Z") == 9
    assert many(timeMax="2026-03-09T08:00:00Z") == 1
    assert many(timeMax="2026-03-09T08:00:01Z") == 2


@pytest.mark.point("C-18")
def test_a_reader_sees_the_instances_in_anothers_calendar(
    anna: Diary, ben: Diary, box: SandboxServer
) -> None:
    key = box.new_calendar(ben.email, "Team")["id"]
    made = box.create_event(ben.email, weekly(), calendar=key)["id"]

    def ask() -> Any:
        return anna.api.instances(calendarId=key, eventId=made).execute

    assert refusal(ask(), LEGACY_ERROR)["code"] == 404
    box.share_calendar(ben.email, key, anna.email, "reader")
    assert len(ask()()["items"]) == 10


@pytest.mark.point("C-19")
def test_ten_thousand_events_come_in_five_requests(
    anna: Diary, box: SandboxServer
) -> None:
    day = at("2026-03-02")
    body = [{"summary": f"E{n}", "start": day, "end": day} for n in range(10_000)]
    path = f"/accounts/{anna.email}/events"
    box.control("POST", path, {"events": body})
    box.clear_log()

    events, token = anna.all(maxResults=2500)

    assert len({event["id"] for event in events}) == 10_000
    assert len(box.requests(account=anna.email)) == 4
    assert len(anna.page(maxResults=9999)["items"]) == 2500
    assert anna.changes(token, maxResults=2500) == {}
