"""iCalendar into the calendar and the tasks, broken files too."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sandbox.events.client import Diary, answers
from tests.sandbox.harness import CALENDAR, ROOT, TASKS, Json, SandboxServer

ICS = ROOT / "tests" / "data" / "ics" / "icalendar"
OPTIONS = ("--quota", "off", "--account", "anna@x.example")
ANNA, BEN = "anna@x.example", "ben@x.example"
NINE = "20260302T090000Z"
BERLIN = (
    "BEGIN:VTIMEZONE",
    "TZID:W. Europe Standard Time",
    "BEGIN:STANDARD",
    "DTSTART:16010101T030000",
    "TZOFFSETFROM:+0200",
    "TZOFFSETTO:+0100",
    "RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10",
    "END:STANDARD",
    "BEGIN:DAYLIGHT",
    "DTSTART:16010101T020000",
    "TZOFFSETFROM:+0100",
    "TZOFFSETTO:+0200",
    "RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3",
    "END:DAYLIGHT",
    "END:VTIMEZONE",
)


def calendar(*lines: str) -> str:
    head = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//y//EN")
    return "\r\n".join([*head, *lines, "END:VCALENDAR", ""])


def event(*lines: str) -> str:
    return calendar("BEGIN:VEVENT", *lines, "END:VEVENT")


@pytest.fixture
def someone_new(box: SandboxServer, request: pytest.FixtureRequest) -> str:
    address = f"ics{abs(hash(request.node.nodeid))}@x.example"
    box.account(address)
    return address


def loaded(box: SandboxServer, email: str, text: str) -> list[Json]:
    report = box.load(email, text)
    assert report["refused"] == []
    return box.events(email)


@pytest.mark.point("S-15")
def test_every_property_has_its_place(box: SandboxServer, someone_new: str) -> None:
    text = event(
        "UID:u1",
        "SUMMARY:Plan\\, with commas",
        "DESCRIPTION:one\\ntwo",
        "LOCATION:Room 1",
        "DTSTART;TZID=Europe/Berlin:20260302T090000",
        "DURATION:PT90M",
        "CLASS:PRIVATE",
        "TRANSP:TRANSPARENT",
        "STATUS:TENTATIVE",
        "SEQUENCE:3",
        f"ORGANIZER;CN=Me:mailto:{someone_new}",
        "ATTENDEE;PARTSTAT=ACCEPTED;CN=Eve:mailto:EVE@out.example",
        "ATTENDEE;ROLE=OPT-PARTICIPANT:mailto:joe@out.example",
        "ATTENDEE:not an address",
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        "TRIGGER:-PT15M",
        "END:VALARM",
    )

    (made,) = loaded(box, someone_new, text)

    assert made["summary"] == "Plan, with commas"
    assert made["description"] == "one\ntwo"
    assert made["start"]["dateTime"] == "2026-03-02T08:00:00Z"
    assert made["start"]["timeZone"] == "Europe/Berlin"
    assert made["end"]["dateTime"] == "2026-03-02T09:30:00Z"
    assert (made["visibility"], made["transparency"]) == ("private", "transparent")
    assert (made["status"], made["sequence"]) == ("tentative", 3)
    assert made["organizer"]["self"] is True
    assert answers(made) == {
        "eve@out.example": "accepted",
        "joe@out.example": "needsAction",
    }
    assert made["reminders"]["overrides"] == [{"method": "popup", "minutes": 15}]
    assert box.notifications(account=someone_new) == []


@pytest.mark.point("S-15")
def test_a_series_with_exceptions_and_a_zone_of_windows(
    box: SandboxServer, someone_new: str
) -> None:
    text = calendar(
        "BEGIN:VEVENT",
        "UID:s1",
        "RECURRENCE-ID;TZID=W. Europe Standard Time:20260309T090000",
        "DTSTART;TZID=W. Europe Standard Time:20260310T140000",
        "DTEND;TZID=W. Europe Standard Time:20260310T150000",
        "SUMMARY:Moved",
        "END:VEVENT",
        *BERLIN,
        "BEGIN:VEVENT",
        "UID:s1",
        "DTSTART;TZID=W. Europe Standard Time:20260302T090000",
        "DTEND;TZID=W. Europe Standard Time:20260302T100000",
        "RRULE:FREQ=WEEKLY;COUNT=6",
        "EXDATE;TZID=W. Europe Standard Time:20260316T090000",
        "RDATE;TZID=W. Europe Standard Time:20260501T090000",
        "SUMMARY:Weekly",
        "END:VEVENT",
        "BEGIN:VEVENT",
        "UID:s1",
        "RECURRENCE-ID;TZID=W. Europe Standard Time:20260323T090000",
        "DTSTART;TZID=W. Europe Standard Time:20260323T090000",
        "STATUS:CANCELLED",
        "END:VEVENT",
    )

    loaded(box, someone_new, text)
    found = box.events(someone_new, expand="true")
    starts = sorted(e["start"]["dateTime"] for e in found if "start" in e)

    assert starts == [
        "2026-03-02T08:00:00Z",
        "2026-03-10T13:00:00Z",
        "2026-03-30T07:00:00Z",
        "2026-04-06T07:00:00Z",
        "2026-05-01T07:00:00Z",
    ]
    series = next(e for e in box.events(someone_new) if "recurrence" in e)
    assert series["start"]["timeZone"] == "Europe/Berlin"
    assert box.load(someone_new, text) == {"added": 0, "known": 3, "refused": []}


@pytest.mark.point("S-15")
def test_days_floating_times_and_events_without_an_end(
    box: SandboxServer, someone_new: str
) -> None:
    box.set_zone(someone_new, "America/New_York")
    text = calendar(
        *("BEGIN:VEVENT", "UID:1", "DTSTART;VALUE=DATE:20260302", "END:VEVENT"),
        *("BEGIN:VEVENT", "UID:2", "DTSTART;VALUE=DATE:20260303"),
        *("DTEND;VALUE=DATE:20260306", "END:VEVENT"),
        *("BEGIN:VEVENT", "UID:3", "DTSTART:20260304T090000", "END:VEVENT"),
    )

    one, two, three = loaded(box, someone_new, text)

    assert (one["start"], one["end"]) == (
        {"date": "2026-03-02"},
        {"date": "2026-03-03"},
    )
    assert two["end"] == {"date": "2026-03-06"}
    assert three["start"]["dateTime"] == "2026-03-04T09:00:00-05:00"
    assert three["start"] == three["end"]


@pytest.mark.point("S-15")
@pytest.mark.parametrize(
    ("text", "why"),
    [
        (event("UID:x", "SUMMARY:No start"), "DTSTART is missing"),
        (event("UID:x", "DTSTART:tomorrow"), "DTSTART is not readable"),
        (
            event("UID:x", "DTSTART:20260302T090000Z", "DURATION:-PT1H"),
            "range is empty",
        ),
        (
            event("UID:x", "DTSTART:20260302T090000Z", "DTEND;VALUE=DATE:20260303"),
            "both be date or dateTime",
        ),
        (
            event("UID:x", "DTSTART;TZID=Mars:20260302T090000", "RRULE:FREQ=DAILY"),
            "time zone 'Mars'",
        ),
        (
            event("UID:x", "DTSTART:20260302T090000Z", "RRULE:FREQ=SECONDLY"),
            "Invalid recurrence rule",
        ),
        (
            event("UID:x", "DTSTART:20260302T090000Z", "STATUS:CANCELLED"),
            "the event is cancelled",
        ),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:x\n", "no END:VEVENT"),
        (calendar("BEGIN:VJOURNAL", "UID:x", "END:VJOURNAL"), "VJOURNAL has no place"),
        (calendar("BEGIN:VTODO", "UID:x", "END:VTODO"), "the to-do is empty"),
        (
            calendar("BEGIN:VTODO", "SUMMARY:x", "RRULE:FREQ=YEARLY", "END:VTODO"),
            "only days and weeks",
        ),
    ],
)
def test_a_broken_component_costs_itself_and_says_why(
    box: SandboxServer, someone_new: str, text: str, why: str
) -> None:
    good = event("UID:good", "DTSTART:20260302T090000Z", "SUMMARY:Fine")

    report = box.load(someone_new, good + text)

    assert report["added"] == 1
    assert [why in refusal["reason"] for refusal in report["refused"]] == [True]
    assert report["refused"][0]["line"] > 1


@pytest.mark.point("S-15")
def test_an_invitation_from_outside_is_a_private_copy(
    box: SandboxServer, someone_new: str
) -> None:
    (made,) = loaded(
        box,
        someone_new,
        event(
            "UID:o1",
            "DTSTART:20260302T090000Z",
            "ORGANIZER:mailto:boss@out.example",
            f"ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{someone_new}",
        ),
    )

    assert made["organizer"] == {"email": "boss@out.example"}
    assert made["privateCopy"] is True
    assert made["attendees"][0]["self"] is True


@pytest.mark.point("S-15")
def test_to_dos_become_tasks(box: SandboxServer, someone_new: str) -> None:
    text = calendar(
        *("BEGIN:VTODO", "UID:t1", "SUMMARY:Call", "DESCRIPTION:n"),
        *("DUE;TZID=Europe/Berlin:20260302T003000", "END:VTODO"),
        *("BEGIN:VTODO", "UID:t2", "SUMMARY:Done", "STATUS:COMPLETED"),
        *("COMPLETED:20260301T100000Z", "RELATED-TO:t1", "END:VTODO"),
    )

    report = box.load(someone_new, text)
    tasks = {task["title"]: task for task in box.tasks(someone_new)}

    assert report == {"added": 2, "known": 0, "refused": []}
    assert tasks["Call"]["due"] == "2026-03-02T00:00:00.000Z"
    assert tasks["Call"]["notes"] == "n"
    assert tasks["Done"]["completed"] == "2026-03-01T10:00:00.000Z"
    assert tasks["Done"]["parent"] == tasks["Call"]["id"]
    assert box.load(someone_new, text)["known"] == 2


@pytest.mark.point("S-15")
def test_files_of_others_are_loaded_or_refused_with_reasons(
    box: SandboxServer, someone_new: str
) -> None:
    files = sorted(ICS.glob("*.ics"))
    added = 0

    for file in files:
        text = file.read_bytes().decode("utf-8", "replace")
        report = box.load(someone_new, text if "VCALENDAR" in text else text + "\n")
        added += report["added"]
        assert all(refusal["reason"] for refusal in report["refused"])

    assert len(files) > 70
    assert added > 30
    diary = Diary(box, someone_new, (CALENDAR, TASKS))
    box.switch(quota=False)
    assert len(diary.all(singleEvents=True, maxResults=2500)[0]) > 30
    diary.close()


@pytest.mark.point("S-15")
def test_files_are_loaded_by_an_option(tmp_path: Path) -> None:
    mine, theirs = tmp_path / "a.ics", tmp_path / "b.ics"
    start = "DTSTART:20260302T090000Z"
    mine.write_text(event("UID:1", "SUMMARY:Mine", start), encoding="utf-8")
    invited = f"ATTENDEE:mailto:{ANNA}"
    text = event("UID:2", "SUMMARY:Theirs", start, invited)
    theirs.write_text(text, encoding="utf-8")
    options = (*OPTIONS, "--load", str(mine), f"{BEN}={theirs}")

    with SandboxServer(*options) as box:
        found = {e["summary"] for e in box.events(ANNA)}
        assert found == {"Mine", "Theirs"}
        assert [e["summary"] for e in box.events(BEN)] == ["Theirs"]
        assert "a.ics: 1 added" in box.errors()
