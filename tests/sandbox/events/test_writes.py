"""Inserting, changing and deleting single events (contract 5.1, 5.5)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.sandbox.client import refusal
from tests.sandbox.events.client import Diary, at, guests, meeting, weekly, whole_day
from tests.sandbox.harness import Json, SandboxServer
from tests.sandbox.schemas import LEGACY_ERROR

MEET = {"createRequest": {"requestId": "r1"}}


@pytest.mark.point("C-1")
def test_a_new_event_has_what_google_adds(anna: Diary) -> None:
    made = anna.insert(meeting(description="<b>Hi</b>", location="Room 1"))

    assert made["status"] == "confirmed"
    assert made["organizer"] == {"email": anna.email, "self": True}
    assert made["creator"] == {"email": anna.email, "self": True}
    assert made["iCalUID"] == f"{made['id']}@google.com"
    assert made["sequence"] == 0
    assert made["eventType"] == "default"
    assert made["reminders"] == {"useDefault": True}
    assert made["created"] == made["updated"]
    assert len(made["updated"]) == len("2026-03-02T09:00:00.000Z")
    assert anna.get(made["id"]) == made


@pytest.mark.point("P-20")
def test_defaults_are_dropped_and_addresses_are_lower_case(anna: Diary) -> None:
    body = meeting(
        transparency="opaque",
        visibility="default",
        guestsCanModify=False,
        description="",
        attendees=[
            {"email": "Bob@X.example", "displayName": "bob@x.example"},
            {"email": "eve@x.example", "displayName": "Eve", "optional": False},
        ],
    )

    made = anna.insert(body)

    assert not made.keys() & {
        "transparency",
        "visibility",
        "guestsCanModify",
        "description",
    }
    assert made["attendees"] == [
        {"email": "bob@x.example", "responseStatus": "needsAction"},
        {
            "email": "eve@x.example",
            "responseStatus": "needsAction",
            "displayName": "Eve",
        },
    ]


@pytest.mark.point("C-1")
def test_offsets_are_shown_in_the_calendars_zone(anna: Diary) -> None:
    anna.box.set_zone(anna.email, "America/New_York")
    start = {"dateTime": "2026-03-02T09:00:00.900+01:00", "timeZone": "Europe/Berlin"}
    end = {"dateTime": "2026-03-02T10:00:00", "timeZone": "Europe/Berlin"}

    made = anna.insert({"summary": "X", "start": start, "end": end})
    in_tokyo = anna.get(made["id"], timeZone="Asia/Tokyo")

    assert made["start"] == {
        "dateTime": "2026-03-02T03:00:00-05:00",
        "timeZone": "Europe/Berlin",
    }
    assert in_tokyo["end"]["dateTime"] == "2026-03-02T18:00:00+09:00"


@pytest.mark.point("C-2")
@pytest.mark.parametrize(
    ("change", "code", "why"),
    [
        ({"start": None}, 400, "required"),
        ({"end": None}, 400, "required"),
        ({"end": {"date": "2026-03-03"}}, 400, "invalid"),
        ({"end": at("2026-03-02", 8)}, 400, "timeRangeEmpty"),
        ({"start": {"date": "2026-03-02", "dateTime": "x"}}, 400, "invalid"),
        ({"start": {"dateTime": "2026-03-02T09:00:00"}}, 400, "required"),
        ({"start": {"dateTime": "2026-03-02"}}, 400, "invalid"),
        ({"start": at("2026-03-02", 9, zone="Mars/Base")}, 400, "invalid"),
        ({"status": "done"}, 400, "invalid"),
        ({"status": "cancelled"}, 400, "invalid"),
        ({"visibility": "secret"}, 400, "invalid"),
        ({"colorId": "12"}, 400, "invalid"),
        ({"attendees": [{"displayName": "X"}]}, 400, "required"),
        ({"attendees": [{"email": "no address"}]}, 400, "invalid"),
        (
            {"attendees": [{"email": "a@x.example", "responseStatus": "yes"}]},
            400,
            "invalid",
        ),
        ({"source": {"url": "ftp://x.example"}}, 400, "invalid"),
        ({"created": "2026-01-01T00:00:00Z"}, 400, "invalid"),
        ({"description": "x" * 8193}, 400, "invalid"),
        ({"nonsense": 1}, 400, "invalid"),
        ({"recurrence": ["RRULE:FREQ=DAILY"]}, 400, "required"),
    ],
)
def test_what_google_refuses_is_refused(
    anna: Diary, change: Json, code: int, why: str
) -> None:
    assert anna.refused("insert", {**meeting(), **change}) == (code, why)


@pytest.mark.point("C-2")
def test_a_day_ends_on_the_next_and_may_be_the_first_and_last_of_time(
    anna: Diary,
) -> None:
    made = anna.insert(whole_day("Trip", "2026-03-02", "2026-03-03"))

    assert made["start"] == {"date": "2026-03-02"}
    body = whole_day("Trip", "2026-03-02", "2026-03-02")
    assert anna.refused("insert", body) == (400, "timeRangeEmpty")
    assert anna.insert(whole_day("Old", "0001-01-01", "0001-01-02"))["id"]
    assert anna.insert(whole_day("Late", "9999-12-30", "9999-12-31"))["id"]
    assert len(anna.page(timeMin="2026-01-01T00:00:00Z")["items"]) == 2


@pytest.mark.point("C-2")
def test_an_event_without_length_or_summary_is_taken(anna: Diary) -> None:
    made = anna.insert({"start": at("2026-03-02"), "end": at("2026-03-02")})

    assert "summary" not in made


# ---------------------------------------------------------------- client ids


@pytest.mark.point("P-12")
@pytest.mark.parametrize("key", ["abcd", "ABCDE", "abcdez", "a_bcde", "a" * 1025])
def test_ids_outside_base32hex_are_refused(anna: Diary, key: str) -> None:
    assert anna.refused("insert", meeting(id=key)) == (400, "invalid")


@pytest.mark.point("P-12")
def test_an_id_is_used_once_also_after_deletion(anna: Diary) -> None:
    key = "a1" * 512
    anna.insert(meeting(id=key))

    assert anna.refused("insert", meeting(id=key)) == (409, "duplicate")
    anna.delete(key)
    assert anna.refused("insert", meeting(id=key)) == (409, "duplicate")
    assert anna.get(key)["status"] == "cancelled"


@pytest.mark.point("P-12")
def test_any_id_may_be_refused_as_one_report_has_it(
    anna: Diary, box: SandboxServer
) -> None:
    box.switch(refuse_client_ids=True)

    assert anna.refused("insert", meeting(id="abcde")) == (400, "invalid")
    assert anna.insert(meeting())["id"]


@pytest.mark.point("P-12")
def test_an_id_does_not_come_with_an_ical_uid(anna: Diary) -> None:
    body = meeting(id="abcde", iCalUID="abcde@x.example")

    assert anna.refused("insert", body) == (400, "invalid")
    assert anna.insert(meeting(iCalUID="u@x.example"))["iCalUID"] == "u@x.example"


# ---------------------------------------------------------------- update, patch


@pytest.mark.point("C-3")
def test_a_put_wipes_what_it_does_not_have(anna: Diary) -> None:
    made = anna.insert(
        meeting(
            description="D",
            colorId="3",
            attendees=guests("bob@out.example"),
            extendedProperties={"private": {"a": "1"}},
            reminders={"useDefault": False},
        )
    )

    after = anna.update(made["id"], meeting("New"), sendUpdates="none")

    assert after["summary"] == "New"
    assert not after.keys() & {"description", "colorId", "attendees"}
    assert "extendedProperties" not in after
    assert after["reminders"] == {"useDefault": True}
    assert after["etag"] != made["etag"]
    assert anna.refused("update", made["id"], {"summary": "X"}) == (400, "required")


@pytest.mark.point("C-3", "P-17")
def test_a_patch_merges_objects_replaces_arrays_and_deletes_by_null(
    anna: Diary,
) -> None:
    made = anna.insert(
        meeting(
            description="D",
            location="L",
            attendees=guests("bob@out.example", "eve@out.example"),
            extendedProperties={"private": {"a": "1", "b": "2"}},
        )
    )
    patch = {
        "description": None,
        "attendees": guests("eve@out.example"),
        "extendedProperties": {"private": {"a": None, "c": "3"}},
    }

    after = anna.patch(made["id"], patch, sendUpdates="none")

    assert "description" not in after
    assert after["location"] == "L"
    assert [g["email"] for g in after["attendees"]] == ["eve@out.example"]
    assert after["extendedProperties"] == {"private": {"b": "2", "c": "3"}}


@pytest.mark.point("C-3")
def test_a_timed_event_turns_into_days_only_if_the_time_is_nulled(anna: Diary) -> None:
    key = anna.insert(meeting())["id"]
    days = {"start": {"date": "2026-03-02"}, "end": {"date": "2026-03-03"}}

    assert anna.refused("patch", key, days) == (400, "invalid")
    nulled = {name: {**day, "dateTime": None} for name, day in days.items()}
    assert anna.patch(key, nulled)["start"] == {"date": "2026-03-02"}


@pytest.mark.point("P-17")
def test_an_absent_answer_is_read_as_none(anna: Diary) -> None:
    answered = [{"email": "bob@out.example", "responseStatus": "accepted"}]
    made = anna.insert(meeting(attendees=guests("bob@out.example")), sendUpdates="none")
    anna.patch(made["id"], {"attendees": answered}, sendUpdates="none")

    after = anna.patch(made["id"], {"attendees": guests("bob@out.example")})

    assert after["attendees"][0]["responseStatus"] == "needsAction"


@pytest.mark.point("C-3")
def test_a_write_that_changes_nothing_is_no_change(anna: Diary) -> None:
    made = anna.insert(meeting(attendees=guests("bob@out.example")))
    token = anna.token()

    assert anna.patch(made["id"], {"summary": "Meeting"}) == made
    assert anna.update(made["id"], made) == made
    assert anna.changes(token) == {}


@pytest.mark.point("C-4")
def test_sequence_rises_with_the_time_and_an_old_one_is_refused(anna: Diary) -> None:
    key = anna.insert(meeting())["id"]

    assert anna.patch(key, {"summary": "X"})["sequence"] == 0
    moved = anna.patch(key, {"start": at("2026-03-02", 8)})
    assert moved["sequence"] == 1
    assert anna.refused("patch", key, {"sequence": 0}) == (400, "invalid")
    assert anna.patch(key, {"sequence": 5})["sequence"] == 5


@pytest.mark.point("C-4")
def test_what_names_an_event_cannot_be_changed(anna: Diary) -> None:
    made = anna.insert(meeting())
    key = made["id"]
    other = {"organizer": {"email": "boss@x.example"}}

    assert anna.refused("patch", key, other) == (400, "cannotChangeOrganizer")
    assert anna.refused("patch", key, {"iCalUID": "x"}) == (400, "invalid")
    assert anna.refused("patch", key, {"id": "abcde"}) == (400, "invalid")
    assert anna.refused("patch", "unknown1", {"summary": "X"}) == (404, "notFound")


@pytest.mark.point("P-15")
def test_conditions_on_writes_and_reads(anna: Diary) -> None:
    made = anna.insert(meeting())

    def conditional(request: Any, header: str, value: str) -> Any:
        request.headers[header] = value
        return request

    def patch(etag: str) -> Any:
        request = anna.api.patch(
            calendarId="primary", eventId=made["id"], body={"summary": "X"}
        )
        return conditional(request, "If-Match", etag)

    after = patch(made["etag"]).execute()
    error = refusal(patch(made["etag"]).execute, LEGACY_ERROR)
    stale = anna.api.delete(calendarId="primary", eventId=made["id"])
    known = anna.api.get(calendarId="primary", eventId=made["id"])
    status, _, body = anna.box.http(
        "GET",
        f"/calendar/v3/calendars/primary/events/{made['id']}",
        None,
        {
            "Authorization": f"Bearer {anna.credentials.token}",
            "If-None-Match": after["etag"],
        },
    )

    assert error["code"] == 412
    assert error["errors"] == [
        {
            "domain": "global",
            "reason": "conditionNotMet",
            "message": "Precondition Failed",
            "locationType": "header",
            "location": "If-Match",
        }
    ]
    assert patch("*").execute()["id"] == made["id"]
    refused = refusal(conditional(stale, "If-Match", "old").execute, LEGACY_ERROR)
    assert refused["code"] == 412
    assert (status, body) == (304, b"")
    assert conditional(known, "If-None-Match", made["etag"]).execute()["id"]


# ---------------------------------------------------------------- deletion


@pytest.mark.point("P-12")
def test_deleting_twice_is_gone_and_updating_the_dead_is_forbidden(
    anna: Diary,
) -> None:
    made = anna.insert(meeting())
    key = made["id"]

    assert anna.delete(key) == ""
    assert anna.refused("delete", key) == (410, "deleted")
    assert anna.refused("update", key, meeting()) == (403, "forbidden")
    assert anna.refused("patch", key, {"status": "confirmed"}) == (403, "forbidden")
    assert anna.get(key)["summary"] == "Meeting"
    assert anna.refused("delete", "unknown1") == (404, "notFound")


@pytest.mark.point("C-5")
def test_a_deleted_event_comes_back_by_status_only_with_the_switch(
    anna: Diary, box: SandboxServer
) -> None:
    key = anna.insert(meeting())["id"]
    anna.delete(key)
    box.switch(undelete=True)

    back = anna.patch(key, {"status": "confirmed"})

    assert back["status"] == "confirmed"
    assert anna.ids() == [key]
    assert anna.refused("insert", meeting(id=key)) == (409, "duplicate")


@pytest.mark.point("C-5")
def test_the_status_cancelled_is_a_deletion(anna: Diary) -> None:
    key = anna.insert(meeting())["id"]

    assert anna.patch(key, {"status": "cancelled"})["status"] == "cancelled"
    assert anna.ids() == []


# ---------------------------------------------------------------- own parts


@pytest.mark.point("P-19")
def test_reminders_move_neither_the_time_nor_the_feed(
    anna: Diary, box: SandboxServer
) -> None:
    made = anna.insert(meeting())
    token = anna.token()
    own = {"overrides": [{"method": "popup", "minutes": 5}], "useDefault": False}

    after = anna.patch(made["id"], {"reminders": own})

    assert after["reminders"] == own
    assert (after["updated"], after["etag"]) == (made["updated"], made["etag"])
    assert anna.changes(token) == {}
    box.switch(reminders_in_feed=True)
    assert anna.patch(made["id"], {"reminders": None})["etag"] != made["etag"]
    assert list(anna.changes(token)) == [made["id"]]


@pytest.mark.point("C-6")
@pytest.mark.parametrize(
    "reminders",
    [
        {"useDefault": True, "overrides": [{"method": "popup", "minutes": 5}]},
        {"useDefault": False, "overrides": [{"method": "sms", "minutes": 5}]},
        {"useDefault": False, "overrides": [{"method": "popup", "minutes": 40321}]},
        {"useDefault": False, "overrides": [{"method": "popup", "minutes": 1}] * 6},
    ],
)
def test_impossible_reminders_are_refused(anna: Diary, reminders: Json) -> None:
    assert anna.refused("insert", meeting(reminders=reminders))[0] == 400


@pytest.mark.point("C-6")
def test_extended_properties_have_limits(anna: Diary, box: SandboxServer) -> None:
    long = {"k" * 45: "v", "k" * 44: "v" * 1025}
    made = anna.insert(meeting(extendedProperties={"shared": long}))

    assert made["extendedProperties"] == {"shared": {"k" * 44: "v" * 1024}}
    many = {"private": {f"k{n}": "v" for n in range(301)}}
    large = {"private": {f"k{n}": "v" * 1000 for n in range(33)}}
    for too_much in (many, large):
        body = meeting(extendedProperties=too_much)
        assert anna.refused("insert", body) == (400, "invalid")
    box.switch(long_properties="refuse")
    body = meeting(extendedProperties={"shared": long})
    assert anna.refused("insert", body) == (400, "invalid")


@pytest.mark.point("C-7")
def test_a_conference_needs_its_parameter_on_every_write(
    anna: Diary, box: SandboxServer
) -> None:
    plain = anna.insert(meeting(conferenceData=MEET))
    made = anna.insert(meeting(conferenceData=MEET), conferenceDataVersion=1)
    pending = made["conferenceData"]["createRequest"]["status"]["statusCode"]
    box.settle(anna.email)
    ready = anna.get(made["id"])

    assert "conferenceData" not in plain
    assert pending == "pending"
    assert ready["conferenceData"]["createRequest"]["status"]["statusCode"] == "success"
    assert ready["hangoutLink"] == ready["conferenceData"]["entryPoints"][0]["uri"]
    patched = anna.patch(made["id"], {"summary": "X"})
    again = anna.patch(made["id"], {"conferenceData": MEET}, conferenceDataVersion=1)
    kept = anna.update(made["id"], again, conferenceDataVersion=1)
    for event in (patched, again, kept):
        assert event["hangoutLink"] == ready["hangoutLink"]
    assert "conferenceData" not in anna.update(made["id"], kept)


@pytest.mark.point("C-7")
def test_a_conference_can_be_removed_and_is_kept_by_a_switch(
    anna: Diary, box: SandboxServer
) -> None:
    box.switch(conference_delay=0.0)
    made = anna.insert(meeting(conferenceData=MEET), conferenceDataVersion=1)

    box.switch(put_keeps_conference=True)
    assert "hangoutLink" in anna.update(made["id"], meeting())
    gone = anna.patch(made["id"], {"conferenceData": None}, conferenceDataVersion=1)
    assert not gone.keys() & {"conferenceData", "hangoutLink"}


@pytest.mark.point("C-8")
def test_attachments_need_their_parameter(anna: Diary) -> None:
    files = [{"fileUrl": "https://drive.x.example/1", "title": "Plan"}]
    plain = anna.insert(meeting(attachments=files))
    made = anna.insert(meeting(attachments=files), supportsAttachments=True)

    assert "attachments" not in plain
    assert anna.update(made["id"], meeting())["attachments"] == files
    gone = anna.update(made["id"], meeting(), supportsAttachments=True)
    assert "attachments" not in gone
    body = meeting(attachments=files * 26)
    assert anna.refused("insert", body, supportsAttachments=True) == (400, "invalid")


# ---------------------------------------------------------------- event types


@pytest.mark.point("P-18")
@pytest.mark.parametrize(
    ("body", "why"),
    [
        (meeting(eventType="fromGmail"), "eventTypeRestriction"),
        (meeting(eventType="birthday"), "eventTypeRestriction"),
        (meeting(eventType="outOfOffice"), "malformedOutOfOfficeEvent"),
        (meeting(eventType="workingLocation"), "malformedWorkingLocationEvent"),
        (
            whole_day("F", "2026-03-02", "2026-03-03", eventType="focusTime"),
            "malformedFocusTimeEvent",
        ),
        (meeting(eventType="party"), "invalid"),
    ],
)
def test_special_types_have_their_shapes(anna: Diary, body: Json, why: str) -> None:
    assert anna.refused("insert", body) == (400, why)


@pytest.mark.point("P-18")
def test_birthdays_and_events_from_mail_are_read_only(anna: Diary) -> None:
    birthday = whole_day(
        "Bob's birthday",
        "2026-03-02",
        "2026-03-03",
        eventType="birthday",
        visibility="private",
        transparency="transparent",
        recurrence=["RRULE:FREQ=YEARLY"],
    )
    made = anna.insert(birthday)["id"]
    mail = anna.box.create_event(anna.email, meeting(eventType="fromGmail"))["id"]
    restricted = (400, "eventTypeRestriction")

    assert anna.patch(made, {"colorId": "4"})["colorId"] == "4"
    keys = {"extendedProperties": {"private": {"a": "1"}}}
    assert anna.refused("patch", made, keys) == restricted
    assert anna.refused("patch", made, {"location": "X"}) == restricted
    assert anna.refused("delete", made) == restricted
    assert anna.refused("patch", mail, {"summary": "X"}) == restricted
    assert anna.refused("delete", mail) == restricted
    key = anna.insert(meeting())["id"]
    assert anna.refused("patch", key, {"eventType": "focusTime"}) == restricted


# ---------------------------------------------------------------- import, move


@pytest.mark.point("C-9")
def test_an_import_is_a_private_copy_and_happens_once(
    anna: Diary, box: SandboxServer
) -> None:
    body = meeting(
        iCalUID="u1@x.example",
        organizer={"email": "boss@x.example"},
        attendees=guests("first@x.example", anna.email),
    )

    def bring(given: Json) -> Json:
        request = anna.api.import_(calendarId="primary", body=given)
        made: Json = request.execute()
        return made

    made = bring(body)

    assert made["organizer"]["email"] == "boss@x.example"
    assert made["privateCopy"] is True
    assert box.events("first@x.example") == []
    assert box.notifications(account=anna.email) == []
    assert anna.page(iCalUID="u1@x.example")["items"][0]["id"] == made["id"]
    error = refusal(lambda: bring(body), LEGACY_ERROR)
    assert error["errors"][0]["reason"] == "duplicate"
    box.switch(reimport="update")
    assert bring({**body, "summary": "New"})["id"] == made["id"]
    error = refusal(lambda: bring(meeting()), LEGACY_ERROR)
    assert error["errors"][0]["reason"] == "required"


@pytest.mark.point("C-9")
def test_a_move_changes_the_organizer(anna: Diary, box: SandboxServer) -> None:
    other = anna.service.calendars().insert(body={"summary": "Team"}).execute()["id"]
    key = anna.insert(meeting())["id"]

    def move(event: str, target: str) -> Json:
        request = anna.api.move(calendarId="primary", eventId=event, destination=target)
        made: Json = request.execute()
        return made

    moved = move(key, other)

    assert moved["organizer"] == {"email": other, "displayName": "Team", "self": True}
    assert anna.ids() == []
    assert anna.get(key, other)["id"] == key
    series = anna.insert(weekly())["id"]
    error = refusal(lambda: move(f"{series}_20260302T080000Z", other), LEGACY_ERROR)
    assert error["errors"][0]["reason"] == "cannotChangeOrganizerOfInstance"


@pytest.mark.point("C-10")
def test_each_edit_has_a_time_and_an_etag_of_its_own(anna: Diary) -> None:
    key = anna.insert(meeting())["id"]
    started = time.monotonic()

    seen = [anna.patch(key, {"summary": f"S{n}"}) for n in range(20)]

    assert time.monotonic() - started < 20
    assert len({event["etag"] for event in seen}) == 20
    assert sorted(e["updated"] for e in seen) == [e["updated"] for e in seen]


@pytest.mark.point("C-11")
def test_writes_need_a_scope_and_a_role(
    new_diary: Callable[..., Diary], box: SandboxServer
) -> None:
    base = "https://www.googleapis.com/auth/calendar"
    owner, reader = new_diary(), new_diary(f"{base}.events.readonly")
    writer, hidden = new_diary(), new_diary()
    for diary, role in ((writer, "reader"), (hidden, "writerWithoutPrivateAccess")):
        box.share_calendar(owner.email, owner.email, diary.email, role)
    secret = owner.insert(meeting("Doctor", visibility="private"))["id"]
    there = {"calendar": owner.email}

    assert reader.page()["accessRole"] == "owner"
    assert reader.refused("insert", meeting()) == (403, "insufficientPermissions")
    body = meeting()
    assert writer.refused("insert", body, **there) == (403, "requiredAccessLevel")
    assert "summary" not in writer.get(secret, **there)
    shown = hidden.get(secret, **there)
    assert shown["visibility"] == "private"
    assert not shown.keys() & {"summary", "attendees", "description"}
    assert hidden.refused("patch", secret, {"summary": "X"}, **there)[0] == 403
    assert hidden.insert(meeting(), **there)["organizer"]["email"] == owner.email
    assert reader.refused("get", secret, calendar="a@b.example") == (404, "notFound")


@pytest.mark.point("C-11")
def test_narrow_scopes_open_only_their_own_calendars(
    new_diary: Callable[..., Diary],
) -> None:
    base = "https://www.googleapis.com/auth/calendar"
    diary = new_diary(f"{base}.app.created")
    own = diary.service.calendars().insert(body={"summary": "CRM"}).execute()["id"]

    assert diary.insert(meeting(), own)["id"]
    assert diary.refused("page") == (404, "notFound")
    lists = diary.service.calendarList()
    error = refusal(lists.list().execute, LEGACY_ERROR)
    assert (error["code"], error["status"]) == (403, "PERMISSION_DENIED")
    assert error["details"][0]["reason"] == "ACCESS_TOKEN_SCOPE_INSUFFICIENT"
