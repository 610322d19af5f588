from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import Engine

from crm import activities, activitylist, activitystore, completion
from crm.activitylist import ActivityQuery
from crm.activityrows import ActivityRow, Kind
from crm.icalimport import import_ics
from crm.importresults import ImportResult
from tests.crm.builders import make_contact

BERLIN = ZoneInfo("Europe/Berlin")
START = "DTSTART:20260302T080000Z"


def event(*lines: str, uid: str = "one", name: str = "VEVENT") -> bytes:
    whole = [f"BEGIN:{name}", f"UID:{uid}", *lines, f"END:{name}"]
    return "\r\n".join(whole).encode() + b"\r\n"


def calendar(*parts: bytes) -> bytes:
    return (
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" + b"".join(parts) + b"END:VCALENDAR\r\n"
    )


def load(engine: Engine, *parts: bytes, zone: ZoneInfo = BERLIN) -> ImportResult:
    return import_ics(
        engine.begin, calendar(*parts), user="U1", zone=zone, today=date(2026, 3, 1)
    )


def everything(engine: Engine) -> list[ActivityRow]:
    with engine.connect() as conn:
        query = ActivityQuery("U1", state="all")
        return [item.row for item in activitylist.page(conn, query, limit=500)]


def only(engine: Engine) -> ActivityRow:
    (row,) = everything(engine)
    return row


def shown(row: ActivityRow) -> dict[str, str]:
    return {name: value for name, value in row.values.items() if value}


def counts(result: ImportResult) -> tuple[int, int, int, int]:
    return result.imported, result.normalised, result.unchanged, result.set_aside


def reasons(result: ImportResult) -> list[str]:
    return [line.reason for line in result.lines]


def test_an_event_is_imported_with_all_that_the_crm_has_a_field_for(
    engine: Engine,
) -> None:
    result = load(
        engine,
        event(
            "DTSTART;TZID=Europe/Berlin:20260302T090000",
            "DTEND;TZID=Europe/Berlin:20260302T103000",
            "SUMMARY:Offer\\, first",
            "DESCRIPTION:One\\nTwo",
            "LOCATION:Room 1",
            "CATEGORIES:Sales,Roofs",
            "PRIORITY:1",
            "RRULE:FREQ=WEEKLY;COUNT=4",
            "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT15M\r\nEND:VALARM",
        ),
    )

    assert counts(result) == (1, 0, 0, 0)
    assert shown(only(engine)) == {
        "type": "meeting",
        "subject": "Offer, first",
        "start": "2026-03-02T08:00:00Z",
        "duration": "90",
        "zone": "Europe/Berlin",
        "recurrence": "RRULE:FREQ=WEEKLY;COUNT=4",
        "location": "Room 1",
        "notes": "One\nTwo",
        "category": "Sales, Roofs",
        "priority": "High",
        "alarm": "15",
    }
    assert only(engine).leader == "U1"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("DTSTART;VALUE=DATE:20260302",), ("2026-03-02", "1440")),
        (
            ("DTSTART;VALUE=DATE:20260302", "DTEND;VALUE=DATE:20260305"),
            ("2026-03-02", "4320"),
        ),
        ((START,), ("2026-03-02T08:00:00Z", "0")),
        ((START, "DURATION:PT1H30M"), ("2026-03-02T08:00:00Z", "90")),
        (("DTSTART:20260302T090000",), ("2026-03-02T08:00:00Z", "0")),
        (
            ("DTSTART;TZID=Eastern Standard Time:20260302T090000",),
            (
                "2026-03-02T14:00:00Z",
                "0",
            ),
        ),
    ],
)
def test_times_are_instants_and_dates_stay_dates(
    engine: Engine, lines: tuple[str, ...], expected: tuple[str, str]
) -> None:
    load(engine, event(*lines))

    values = only(engine).values
    assert (values["start"], values["duration"]) == expected


@pytest.mark.rule("CAL-3")
def test_a_private_event_is_personal(engine: Engine) -> None:
    load(engine, event(START, "CLASS:PRIVATE"))

    assert only(engine).type == "personal"


@pytest.mark.rule("TSK-2")
def test_to_dos_come_in_open_done_dated_and_undated(engine: Engine) -> None:
    load(
        engine,
        event("SUMMARY:Open", "DUE;VALUE=DATE:20260310", uid="a", name="VTODO"),
        event("SUMMARY:Done", "STATUS:COMPLETED", uid="b", name="VTODO"),
        event("SUMMARY:Timed", "DUE:20260310T090000Z", uid="c", name="VTODO"),
    )

    rows = {row.values["subject"]: row for row in everything(engine)}
    assert {row.type for row in rows.values()} == {"todo"}
    assert rows["Open"].values["start"] == "2026-03-10"
    assert (rows["Done"].is_undated, rows["Done"].values["start"]) == (
        True,
        "2026-03-01",
    )
    assert rows["Done"].completed_at is not None
    assert rows["Timed"].values["start"] == "2026-03-10T09:00:00Z"
    with engine.connect() as conn:
        assert len(completion.history(conn)) == 1


@pytest.mark.rule("CAL-6")
def test_people_are_listed_and_never_guests_of_an_event(engine: Engine) -> None:
    with engine.begin() as conn:
        contact = make_contact(conn, email="ada@mail.example")

    load(
        engine,
        event(
            START,
            "ORGANIZER;CN=Ben:mailto:ben@mail.example",
            "ATTENDEE;PARTSTAT=ACCEPTED:mailto:Ada@mail.example",
            "ATTENDEE;CN=Nobody:urn:x",
            "ATTENDEE;CUTYPE=ROOM;CN=Hall:mailto:hall@mail.example",
        ),
    )

    row = only(engine)
    people = [p for p in row.participants if p.kind is not Kind.USER]
    assert [(p.kind, p.ref, p.answer) for p in people] == [
        (Kind.CONTACT, contact.id, "accepted"),
        (Kind.OTHER, "ben@mail.example", ""),
        (Kind.OTHER, "nobody", ""),
    ]
    assert not any(p.is_guest for p in people)
    assert row.values["resources"] == "Hall"


# ------------------------------------------------------------------ series


@pytest.mark.rule("CAL-17")
def test_occurrences_that_differ_find_their_series_wherever_they_stand(
    engine: Engine,
) -> None:
    result = load(
        engine,
        event(
            "RECURRENCE-ID:20260309T080000Z", "DTSTART:20260310T080000Z", "SUMMARY:M"
        ),
        event(START, "RRULE:FREQ=WEEKLY", "EXDATE:20260323T080000Z", "SUMMARY:S"),
        event("RECURRENCE-ID:20260316T080000Z", START, "STATUS:CANCELLED"),
    )

    assert counts(result) == (3, 0, 0, 0)
    series = only(engine)
    with engine.connect() as conn:
        children = activitystore.children_of(conn, [series.id])
    assert [(c.slot, c.values["start"], c.is_cancelled) for c in children] == [
        ("2026-03-09T08:00:00Z", "2026-03-10T08:00:00Z", False),
        ("2026-03-16T08:00:00Z", "2026-03-16T08:00:00Z", True),
    ]
    assert series.values["recurrence"] == "EXDATE:20260323T080000\nRRULE:FREQ=WEEKLY"


def test_an_occurrence_without_a_series_stands_alone_or_is_set_aside(
    engine: Engine,
) -> None:
    slot = "RECURRENCE-ID:20260309T080000Z"

    result = load(
        engine,
        event(slot, START, uid="lost"),
        event(slot, START, "STATUS:CANCELLED", uid="gone"),
        event(START, "RRULE:FREQ=DAILY;COUNT=2", uid="short"),
        event(slot, "DTSTART:20260310T080000Z", uid="short"),
    )

    assert counts(result) == (3, 2, 0, 1)
    assert reasons(result) == [
        "its series was not imported, so it stands alone",
        "it cancels an occurrence of an unknown series",
        "its series has no such occurrence, so it stands alone",
    ]


@pytest.mark.rule("CAL-17")
def test_dates_left_out_fit_the_series_however_they_are_written(
    engine: Engine,
) -> None:
    load(
        engine,
        event(
            "DTSTART;TZID=America/New_York:20260302T090000",
            "RRULE:FREQ=DAILY;UNTIL=20260401",
            "EXDATE;VALUE=DATE:20260303",
            "EXDATE:20260310T130000Z",
            "EXDATE;TZID=Europe/Berlin:20260312T140000",
        ),
    )

    assert only(engine).values["recurrence"] == (
        "EXDATE:20260303T090000,20260310T090000,20260312T090000\n"
        "RRULE:FREQ=DAILY;UNTIL=20260402T035959Z"
    )


ZONE = (
    b"BEGIN:VTIMEZONE\r\nTZID:Office\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
    b"TZOFFSETFROM:+0300\r\nTZOFFSETTO:+0300\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
)


@pytest.mark.rule("CAL-17")
def test_a_time_zone_of_the_file_s_own_is_read_and_remarked_on_in_series(
    engine: Engine,
) -> None:
    start = "DTSTART;TZID=Office:20260302T090000"

    result = load(
        engine,
        ZONE,
        event(start, uid="single"),
        event(start, "RRULE:FREQ=DAILY", uid="series"),
        event("DTSTART;TZID=Nowhere:20260302T090000", uid="lost"),
    )

    assert [row.values["start"] for row in everything(engine)] == [
        "2026-03-02T06:00:00Z",
        "2026-03-02T06:00:00Z",
        "2026-03-02T08:00:00Z",
    ]
    assert reasons(result) == [
        "the time zone Office is not known; it repeats by UTC",
        "the time zone Nowhere is not known; read as Europe/Berlin",
    ]


# ------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (("SUMMARY:No start",), "it has no DTSTART"),
        (("DTSTART:soon",), "its DTSTART cannot be read: soon"),
        (("DTSTART:00010101T000000Z",), "start must lie between 1583 and 8999"),
        (("DTSTART:99991231T230000Z",), "start must lie between 1583 and 8999"),
        ((START, "RRULE:FREQ=HOURLY"), "recurrence repeats by neither days"),
        ((START, "RRULE:FREQ=DAILY", "RRULE:FREQ=WEEKLY"), "more than one rule"),
        ((START, "RDATE:20260303T080000Z"), "no rule, only single dates"),
        (
            (START, "RRULE:FREQ=DAILY", "RDATE;VALUE=PERIOD:20260310T080000Z/PT1H"),
            "a length of its own",
        ),
        ((START, "RECURRENCE-ID;RANGE=THISANDFUTURE:20260302T080000Z"), "at once"),
        ((START, "STATUS:CANCELLED"), "it is cancelled"),
    ],
)
def test_what_cannot_be_imported_is_set_aside_with_its_line_and_the_rest_goes_on(
    engine: Engine, lines: tuple[str, ...], reason: str
) -> None:
    result = load(engine, event(*lines, uid="bad"), event(START, uid="good"))

    assert counts(result) == (1, 0, 0, 1)
    assert (result.lines[0].line, reason in result.lines[0].reason) == (3, True)


def test_what_does_not_fit_is_cut_and_told(engine: Engine) -> None:
    result = load(
        engine,
        event(
            START, "DTEND:20260302T070000Z", f"SUMMARY:{'x' * 70}", "LOCATION:a\x00b"
        ),
    )

    assert counts(result) == (1, 1, 0, 0)
    assert reasons(result) == [
        "subject was cut to 64 characters; "
        "location: characters that cannot be stored were dropped; "
        "it ends before it begins; its length is left out"
    ]
    assert only(engine).values["duration"] == "0"


def test_other_components_are_named_and_broken_ones_cost_one(engine: Engine) -> None:
    result = load(
        engine,
        event(START, uid="a"),
        event(name="VJOURNAL"),
        b"BEGIN:VEVENT\r\nUID:open\r\n",
        event(START, uid="b"),
    )

    assert result.imported == 1
    assert "a VJOURNAL is neither an event nor a to-do" in reasons(result)


def test_an_unfinished_event_is_set_aside(engine: Engine) -> None:
    source = calendar(event(START))[: -len("END:VEVENT\r\nEND:VCALENDAR\r\n")]

    result = import_ics(
        engine.begin, source, user="U1", zone=BERLIN, today=date(2026, 3, 1)
    )

    assert reasons(result) == ["the VEVENT has no end"]


def test_several_calendars_in_a_file_are_all_read(engine: Engine) -> None:
    source = calendar(event(START, uid="a")) + calendar(event(START, uid="b"))

    result = import_ics(
        engine.begin, source, user="U1", zone=BERLIN, today=date(2026, 3, 1)
    )

    assert result.imported == 2


# ------------------------------------------------------------------ again


def test_importing_again_updates_nothing_and_creates_nothing(engine: Engine) -> None:
    parts = (
        event(START, "RRULE:FREQ=WEEKLY"),
        event("RECURRENCE-ID:20260309T080000Z", "DTSTART:20260310T080000Z"),
        event("SUMMARY:Do", uid="todo", name="VTODO"),
        b"BEGIN:VEVENT\r\nSUMMARY:No uid\r\nDTSTART:20260302T080000Z\r\nEND:VEVENT\r\n",
    )
    load(engine, *parts)
    first = everything(engine)[0].id
    with engine.begin() as conn:
        activities.update(conn, first, changes={"notes": "mine"})
    before = everything(engine)

    again = load(engine, *parts)

    assert counts(again) == (0, 0, 4, 0)
    assert everything(engine) == before
    other = load(engine, event(START, "SUMMARY:Other", "RRULE:FREQ=WEEKLY"))
    assert reasons(other) == ["imported before, with other content; left alone"]


NOISE = st.one_of(
    st.binary(max_size=30),
    st.text(max_size=20).map(lambda text: text.encode("utf-8", "replace")),
    st.sampled_from(
        (b"\r\n", b";", b":", b"BEGIN:VEVENT\r\n", b"END:VEVENT\r\n", b"DTSTART", b"=")
    ),
)
WHOLE = calendar(
    ZONE,
    event(START, "RRULE:FREQ=WEEKLY;BYDAY=MO", "EXDATE:20260323T080000Z", uid="a"),
    event("RECURRENCE-ID:20260309T080000Z", START, "ATTENDEE:mailto:x@y.z", uid="a"),
    event("DTSTART;TZID=Office:20260302T090000", "DURATION:PT1H", uid="b"),
    event("DUE;VALUE=DATE:20260303", "PRIORITY:9", uid="c", name="VTODO"),
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_damaged_files_raise_nothing(engine: Engine, data: st.DataObject) -> None:
    source = WHOLE
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(source)))
        cut = data.draw(st.integers(0, 12))
        source = source[:at] + data.draw(NOISE) + source[at + cut :]

    result = import_ics(
        engine.begin, source, user="U1", zone=BERLIN, today=date(2026, 3, 1)
    )

    assert result.set_aside >= 0
