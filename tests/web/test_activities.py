"""The pages of activities and to-dos (WEB-3, WEB-4, CAL-13, CAL-17)."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from werkzeug.test import TestResponse

from crm import activities, activitystore, completion, contacts, occurrences, users
from crm.accounts import AccountRule
from crm.activityrows import (
    ActivityEdit,
    ActivityRow,
    Kind,
    NewActivity,
    Participant,
)
from crm.common import Author
from crm.occurrences import OccurrenceEdit
from crmsync.services import settings
from crmsync.storage import people
from tests.support.memory_state import VirtualClock
from tests.web.browsing import PHONE, assert_accessible, assert_fits
from tests.web.scenes import add_contact
from tests.web.site import ANNA, BEN, Site, Visitor
from tests.web.test_layout import Opener

pytestmark = pytest.mark.rule("WEB-3")

NOW = datetime(2026, 3, 2, 7, 20, tzinfo=UTC)
SLOT = "2026-03-09T08:00:00Z"
SPRING = "2026-03-30T07:00:00Z"
_FIELD = re.compile(
    r"<input[^>]*>|<textarea[^>]*>.*?</textarea>|<select.*?</select>", re.DOTALL
)
_ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')
_CHOSEN = re.compile(r'<option[^>]*\bselected\b[^>]*value="([^"]*)"')


@pytest.fixture
def site(tmp_path: Path) -> Any:
    """Pages on a Monday morning in Berlin."""
    made = Site(tmp_path, clock=VirtualClock(NOW))
    made.add_user(ANNA)
    made.add_user(BEN)
    settings.put(made.app, "time_zone", "Europe/Berlin", actor="test")
    yield made
    made.close()


def crm_id(site: Site, email: str) -> str:
    return site.app.crm.ensure_user(email, email.partition("@")[0].capitalize())


def put(site: Site, *members: str, leader: str = ANNA, **values: str) -> ActivityRow:
    whole = {
        "type": "meeting",
        "subject": "Offer",
        "start": "2026-03-02T08:00:00Z",
        "duration": "60",
        **values,
    }
    ids = [crm_id(site, email) for email in members]
    people = [Participant(Kind.USER, item, answer="needsAction") for item in ids]
    lead = crm_id(site, leader)
    with site.app.database.write() as connection:
        return activities.create(
            connection, whole, leader=lead, participants=people, by=Author(lead)
        )


def put_series(site: Site, *members: str, **values: str) -> ActivityRow:
    rule = {"zone": "Europe/Berlin", "recurrence": "RRULE:FREQ=WEEKLY"}
    return put(site, *members, **{**rule, **values})


def read(site: Site, activity_id: str) -> ActivityRow:
    with site.app.database.read() as connection:
        return activities.read(connection, [activity_id])[0]


def children(site: Site, series: ActivityRow) -> list[ActivityRow]:
    with site.app.database.read() as connection:
        return activitystore.children_of(connection, [series.id])


def every(site: Site) -> list[ActivityRow]:
    from crm import activitylist

    with site.app.database.read() as connection:
        query = activitylist.ActivityQuery(crm_id(site, ANNA), state="all")
        return [item.row for item in activitylist.page(connection, query)]


def form_of(page: str) -> dict[str, Any]:
    """Return what a browser would send of the activity's form, untouched."""
    given: dict[str, Any] = {}
    whole = page[page.index("data-activity-form") :]
    for tag in _FIELD.findall(whole):
        words = {k: html.unescape(v) for k, v in _ATTRIBUTE.findall(tag.split(">")[0])}
        name = words.get("name", "csrf_token")
        if name == "csrf_token":
            continue
        if tag.startswith("<textarea"):
            text = html.unescape(tag.partition(">")[2].removesuffix("</textarea>"))
            given[name] = text.removeprefix("\r\n").removeprefix("\n")
        elif tag.startswith("<select"):
            chosen = _CHOSEN.search(tag)
            given[name] = html.unescape(chosen[1]) if chosen else ""
        elif words.get("type") in {"checkbox", "radio"}:
            if " checked" in tag:
                given.setdefault(name, []).append(words.get("value", "y"))
        else:
            given[name] = words.get("value", "")
    return given


def begin(visitor: Visitor, path: str) -> dict[str, Any]:
    answer = visitor.get(path)
    assert answer.status_code == 200, answer.text
    return form_of(answer.text)


def fill(visitor: Visitor, path: str, **fields: Any) -> TestResponse:
    """Open a form, change some fields, and send it."""
    given = {**begin(visitor, path), **fields}
    return visitor.post(path, {k: v for k, v in given.items() if v is not None})


def found_in(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found, text
    return html.unescape(found[1])


def errors_of(answer: TestResponse) -> str:
    found = re.findall(r'invalid-feedback"[^>]*>([^<]*)<', answer.text)
    return " ".join(html.unescape(item) for item in found)


# ------------------------------------------------------------------ making


def test_an_activity_is_made_in_the_person_s_own_time_zone(site: Site) -> None:
    visitor = site.visitor(ANNA)

    answer = fill(
        visitor,
        "/activities/new",
        subject=" Offer ",
        start_date="2026-03-31",
        start_time="09:00",
        end_date="2026-03-31",
        end_time="10:30",
        location="Room 1",
        notes="One\r\nTwo",
    )

    assert answer.status_code == 302
    (row,) = every(site)
    assert answer.location == f"/activities/{row.id}"
    shown = {name: value for name, value in row.values.items() if value}
    assert shown == {
        "type": "meeting",
        "subject": "Offer",
        "start": "2026-03-31T07:00:00Z",
        "duration": "90",
        "location": "Room 1",
        "notes": "One\nTwo",
        "alarm": "15",
    }
    assert row.leader == crm_id(site, ANNA)
    page = visitor.get(answer.location).text
    assert "Tuesday, March 31, 2026, 9:00" in page.replace("\u202f", " ")


def test_a_new_form_begins_with_the_next_hour_or_the_day_that_was_chosen(
    site: Site,
) -> None:
    visitor = site.visitor(ANNA)

    now = begin(visitor, "/activities/new")
    later = begin(visitor, "/activities/new?day=2026-05-01&type=call")
    todo = begin(visitor, "/activities/new?type=todo&day=2026-05-01")

    assert (now["start_date"], now["start_time"], now["end_time"]) == (
        "2026-03-02",
        "09:00",
        "10:00",
    )
    assert (later["type"], later["start_date"]) == ("call", "2026-05-01")
    assert (todo["type"], todo["timeless"]) == ("todo", ["y"])


@pytest.mark.rule("CAL-24")
def test_timeless_activities_are_made_by_dates(site: Site) -> None:
    fill(
        site.visitor(ANNA),
        "/activities/new",
        timeless="y",
        start_date="2026-03-31",
        end_date="2026-04-02",
    )

    (row,) = every(site)
    assert (row.values["start"], row.values["duration"]) == ("2026-03-31", "4320")


@pytest.mark.rule("TSK-2")
def test_a_to_do_needs_no_date(site: Site) -> None:
    visitor = site.visitor(ANNA)

    made = fill(visitor, "/activities/new?type=todo", subject="Call", start_date="")

    (row,) = every(site)
    assert (row.type, row.is_undated, row.values["start"]) == (
        "todo",
        True,
        "2026-03-02",
    )
    assert "No date" in visitor.get(made.location).text
    fill(visitor, f"{made.location}/edit", subject="Call Jo")
    again = read(site, row.id)
    assert (again.is_undated, again.values["start"]) == (True, "2026-03-02")
    fill(visitor, f"{made.location}/edit", start_date="2026-03-05")
    assert read(site, row.id).values["start"] == "2026-03-05"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"start_date": ""}, "Enter a date."),
        ({"start_time": ""}, "Enter a time, or make it timeless."),
        ({"end_date": "2026-03-01"}, "The end lies before the start."),
        ({"subject": "x" * 65}, "64 characters at most."),
        ({"contact": "Nobody at all"}, "Matches no contact"),
        ({"account": "Nowhere"}, "Matches no account"),
        ({"freq": "WEEKLY", "ends": "until", "until": ""}, "Enter the last day."),
        (
            {"freq": "WEEKLY", "ends": "until", "until": "2026-01-01"},
            "lies before the start",
        ),
        ({"freq": "WEEKLY", "ends": "count", "count": ""}, "Enter how many times."),
        ({"freq": "WEEKLY", "interval": "0"}, "A number from 1 to 999."),
        ({"start_date": "1200-01-01", "end_date": "1200-01-01"}, "between 1583"),
    ],
)
def test_mistakes_stand_beside_their_fields_and_nothing_is_saved(
    site: Site, fields: dict[str, str], says: str
) -> None:
    answer = fill(site.visitor(ANNA), "/activities/new", notes="Kept", **fields)

    assert answer.status_code == 400
    assert says in errors_of(answer)
    assert form_of(answer.text)["notes"] == "Kept"
    assert every(site) == []


def test_a_contact_is_found_by_name_address_or_the_chosen_line(site: Site) -> None:
    with site.app.database.write() as connection:
        ada, *_ = [
            contacts.create(
                connection,
                {"first": name, "last": "Byron", "email": f"{name}@mail.example"},
                account=AccountRule(),
            )
            for name in ("Ada", "Annabella")
        ]
    visitor = site.visitor(ANNA)
    found = visitor.get("/activities/contacts.json?q=ada").get_json()
    names = found["names"]
    assert names == [f"Ada Byron · Ada@mail.example · {ada.id}"]

    for text in (names[0], "ada byron", "ada@mail.example"):
        made = fill(visitor, "/activities/new", contact=text)
        assert read(site, made.location.rpartition("/")[2]).values["contact_id"] == (
            ada.id
        )
    assert (
        "matches several contacts"
        in errors_of(fill(visitor, "/activities/new", contact="byron")).lower()
    )


# ------------------------------------------------------------------ repeating


@pytest.mark.rule("CAL-17")
@pytest.mark.parametrize(
    ("fields", "rule", "words"),
    [
        ({"freq": "DAILY"}, "FREQ=DAILY", "Every day"),
        (
            {"freq": "WEEKLY", "interval": "2", "days": ["MO", "TH"]},
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH",
            "Every 2 weeks on Monday and Thursday",
        ),
        ({"freq": "WEEKLY", "days": ["MO"]}, "FREQ=WEEKLY", "Every week on Monday"),
        (
            {"freq": "MONTHLY", "by": "weekday", "ends": "count", "count": "10"},
            "FREQ=MONTHLY;COUNT=10;BYDAY=1MO",
            "Every month on the first Monday, 10 times",
        ),
        ({"freq": "MONTHLY"}, "FREQ=MONTHLY", "Every month on day 2"),
        (
            {"freq": "YEARLY", "ends": "until", "until": "2030-03-02"},
            "FREQ=YEARLY;UNTIL=20300302T225959Z",
            "Every year on 2 March, until March 2, 2030",
        ),
    ],
)
def test_a_rule_is_said_in_plain_words_and_read_again(
    site: Site, fields: dict[str, Any], rule: str, words: str
) -> None:
    visitor = site.visitor(ANNA)

    made = fill(visitor, "/activities/new", **fields)

    (row,) = every(site)
    assert row.values["recurrence"] == f"RRULE:{rule}"
    assert row.values["zone"] == "Europe/Berlin"
    assert f"<dd>{words}</dd>" in visitor.get(made.location).text
    again = fill(visitor, f"{made.location}/edit", notes="New")
    assert again.status_code == 302
    now = read(site, row.id)
    assert now.values == {**row.values, "notes": "New"}


@pytest.mark.rule("CAL-17")
def test_a_rule_beyond_the_form_is_kept_and_told(site: Site) -> None:
    rule = "EXDATE:20260309T090000\nRRULE:FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=1"
    series = put_series(site, recurrence=rule)
    visitor = site.visitor(ANNA)

    fill(visitor, f"/activities/{series.id}/edit", subject="New")

    assert read(site, series.id).values["recurrence"] == rule
    page = visitor.get(f"/activities/{series.id}/edit").text
    assert "a rule that this form cannot show" in page
    assert "but not on 1 day" in page


@pytest.mark.rule("CAL-17")
def test_dates_left_out_stay_left_out_at_another_hour(site: Site) -> None:
    rule = "EXDATE:20260309T090000\nRRULE:FREQ=WEEKLY"
    series = put_series(site, recurrence=rule)

    fill(
        site.visitor(ANNA),
        f"/activities/{series.id}/edit",
        start_time="11:00",
        end_time="12:00",
    )

    now = read(site, series.id).values
    assert now["recurrence"] == "EXDATE:20260309T110000\nRRULE:FREQ=WEEKLY"
    assert (now["start"], now["duration"]) == ("2026-03-02T10:00:00Z", "60")


# ------------------------------------------------------------------ scopes


@pytest.mark.rule("CAL-17")
def test_only_one_occurrence_is_edited(site: Site) -> None:
    series = put_series(site)

    answer = fill(
        site.visitor(ANNA),
        f"/activities/{series.id}/edit?slot={SLOT}",
        scope="one",
        start_time="15:00",
        end_time="16:00",
        subject="Moved",
    )

    assert answer.status_code == 302
    (child,) = children(site, series)
    assert (child.slot, child.values["start"]) == (SLOT, "2026-03-09T14:00:00Z")
    assert child.values["subject"] == "Moved"
    assert read(site, series.id) == series


@pytest.mark.rule("CAL-17")
def test_this_and_all_following_are_edited(site: Site) -> None:
    series = put_series(site)

    answer = fill(
        site.visitor(ANNA),
        f"/activities/{series.id}/edit?slot={SPRING}",
        scope="following",
        start_time="10:00",
        end_time="11:00",
    )

    rest = read(site, answer.location.rpartition("/")[2])
    assert rest.id != series.id
    assert rest.values["start"] == "2026-03-30T08:00:00Z"
    assert "UNTIL=20260330T065959Z" in read(site, series.id).values["recurrence"]


@pytest.mark.rule("CAL-17")
def test_the_whole_series_is_edited_from_one_of_its_days(site: Site) -> None:
    series = put_series(site)

    fill(
        site.visitor(ANNA),
        f"/activities/{series.id}/edit?slot={SPRING}",
        scope="all",
        start_date="2026-03-31",
        end_date="2026-03-31",
        start_time="10:00",
        end_time="11:00",
        subject="New",
    )

    now = read(site, series.id)
    assert now.values["start"] == "2026-03-03T09:00:00Z"
    assert (now.values["subject"], now.values["duration"]) == ("New", "60")
    assert children(site, series) == []


@pytest.mark.rule("CAL-17")
@pytest.mark.parametrize("scope", ["one", "following", "all"])
def test_deleting_asks_what_of_a_series(site: Site, scope: str) -> None:
    series = put_series(site)
    visitor = site.visitor(ANNA)

    visitor.post(
        f"/activities/{series.id}/delete",
        {"slot": SLOT, "scope": scope, "version": str(series.version)},
    )

    now = read(site, series.id)
    cancelled = [child.slot for child in children(site, series)]
    assert (now.deleted, "UNTIL" in now.values["recurrence"], cancelled) == {
        "one": (False, False, [SLOT]),
        "following": (False, True, []),
        "all": (True, False, []),
    }[scope]


@pytest.mark.rule("CAL-14")
def test_completing_one_occurrence_leaves_the_series(site: Site) -> None:
    series = put_series(site)
    visitor = site.visitor(ANNA)

    answer = visitor.post(f"/activities/{series.id}/complete", {"slot": SLOT})

    (child,) = children(site, series)
    assert child.completed_at == NOW
    assert read(site, series.id).completed_at is None
    page = visitor.get(answer.location).text
    assert "It is history" in page
    assert ">Edit<" not in page


def test_a_differing_occurrence_is_reached_by_its_own_id(site: Site) -> None:
    series = put_series(site)
    with site.app.database.write() as connection:
        child = occurrences.change(
            connection, series.id, SLOT, OccurrenceEdit({"subject": "Special"})
        )

    page = site.visitor(ANNA).get(f"/activities/{child.id}").text

    assert "<h1>Special</h1>" in page
    assert f"/activities/{series.id}" in page
    missing = site.visitor(ANNA).get(f"/activities/{series.id}?slot=2026-03-10")
    assert missing.status_code == 404


# ------------------------------------------------------------------ two tabs


def test_two_people_who_edit_at_once_lose_nothing(site: Site) -> None:
    row = put(site, BEN)
    anna, ben = site.visitor(ANNA), site.visitor(BEN)
    path = f"/activities/{row.id}/edit"
    mine, theirs = begin(anna, path), begin(ben, path)
    ben.post(path, {**theirs, "location": "Room 2", "subject": "Ben's"})

    clash = anna.post(path, {**mine, "notes": "Anna's", "subject": "Anna's"})

    assert clash.status_code == 409
    assert "Ben&#39;s" in clash.text
    assert read(site, row.id).values["notes"] == ""
    again = {**form_of(clash.text), "notes": "Anna's", "subject": "Anna's"}
    assert anna.post(path, again).status_code == 302
    now = read(site, row.id).values
    assert (now["subject"], now["location"], now["notes"]) == (
        "Anna's",
        "Room 2",
        "Anna's",
    )


def test_saving_without_a_change_makes_no_version(site: Site) -> None:
    visitor = site.visitor(ANNA)
    rows = [
        put(site),
        put(site, zone="America/New_York"),
        put(site, start="2026-03-02", duration="2880"),
        put(site, type="todo", start="2026-03-02", duration="1440"),
        put(site, type="todo", duration="15", zone="Europe/Berlin"),
        put_series(site),
    ]

    for row in rows:
        assert fill(visitor, f"/activities/{row.id}/edit").status_code == 302
        assert read(site, row.id) == row


def test_what_was_changed_meanwhile_is_not_deleted_unseen(site: Site) -> None:
    row = put(site)
    with site.app.database.write() as connection:
        activities.update(connection, row.id, changes={"notes": "n"})
    visitor = site.visitor(ANNA)

    visitor.post(f"/activities/{row.id}/delete", {"version": "1"})

    assert not read(site, row.id).deleted
    visitor.post(f"/activities/{row.id}/delete", {"version": "2"})
    assert read(site, row.id).deleted


# ------------------------------------------------------------------ taking part


@pytest.mark.rule("CAL-13")
def test_a_member_accepts_and_declines_for_themselves(site: Site) -> None:
    row = put(site, BEN)
    visitor = site.visitor(BEN)
    assert "Anna invites you." in visitor.get(f"/activities/{row.id}").text
    assert "Offer" in visitor.get("/activities").text

    visitor.post(f"/activities/{row.id}/answer", {"answer": "accepted"})
    assert "Accepted" in visitor.get(f"/activities/{row.id}").text
    visitor.post(f"/activities/{row.id}/answer", {"answer": "declined"})

    me = read(site, row.id).participant(crm_id(site, BEN))
    assert me is not None
    assert me.answer == "declined"
    assert "Offer" not in visitor.get("/activities").text
    assert (
        visitor.post(f"/activities/{row.id}/answer", {"answer": "maybe"}).status_code
        == 400
    )
    stranger = put(site)
    assert (
        visitor.post(
            f"/activities/{stranger.id}/answer", {"answer": "accepted"}
        ).status_code
        == 404
    )


@pytest.mark.rule("CAL-4")
def test_only_the_leader_deletes_for_everybody(site: Site) -> None:
    row = put(site, BEN)
    ben = site.visitor(BEN)
    assert 'id="delete"' in ben.get(f"/activities/{row.id}").text
    assert 'data-opens="delete"' not in ben.get(f"/activities/{row.id}").text

    ben.post(f"/activities/{row.id}/delete", {"version": "1"})

    now = read(site, row.id)
    assert not now.deleted
    me = now.participant(crm_id(site, BEN))
    assert me is not None
    assert me.answer == "declined"


def test_members_contacts_and_others_come_and_go(site: Site) -> None:
    row = put(site)
    with site.app.database.write() as connection:
        ada = contacts.create(connection, {"first": "Ada"}, account=AccountRule())
    visitor, ben = site.visitor(ANNA), crm_id(site, BEN)
    path = f"/activities/{row.id}/participants"

    for form in (
        {"add": "member", "user": ben},
        {"add": "contact", "contact": "Ada"},
        {"add": "other", "name": "Gus", "address": "Gus@Mail.example"},
    ):
        assert visitor.post(path, form).status_code == 302
    page = visitor.get(path).text
    for word in ("Ben", "Ada", "Gus", "No answer yet"):
        assert word in page
    people = {(p.kind, p.ref) for p in read(site, row.id).participants}
    assert (Kind.OTHER, "gus@mail.example") in people
    for kind, ref in people - {(Kind.USER, row.leader)}:
        visitor.post(path, {"remove": f"{kind.value}:{ref}"})
    assert read(site, row.id).user_ids == {row.leader}
    for form in ({"add": "member"}, {"add": "contact"}, {"add": "other"}):
        answer = visitor.post(path, form)
        assert (answer.status_code, "Not added." in answer.text) == (400, True)
    assert "/contacts/" not in page or ada.id in page


@pytest.mark.rule("CAL-17")
def test_people_of_one_occurrence_change_that_day_only(site: Site) -> None:
    series = put_series(site)

    site.visitor(ANNA).post(
        f"/activities/{series.id}/participants",
        {"slot": SLOT, "add": "member", "user": crm_id(site, BEN)},
    )

    (child,) = children(site, series)
    assert crm_id(site, BEN) in child.user_ids
    assert read(site, series.id).user_ids == {series.leader}


def test_others_personal_activities_are_busy_and_not_reached(site: Site) -> None:
    row = put(site, leader=BEN, type="personal", subject="Doctor")
    visitor, ben = site.visitor(ANNA), crm_id(site, BEN)

    for view in ("month", "week"):
        page = visitor.get(f"/activities?view={view}&whose={ben}").text
        assert "Busy" in page
        assert "Doctor" not in page
    assert "Doctor" not in visitor.get(f"/activities?view=list&whose={ben}").text
    assert visitor.get(f"/activities/{row.id}").status_code == 404


@pytest.mark.rule("TSK-4")
def test_a_to_do_is_completed_and_opened_again(site: Site) -> None:
    row = put(site, type="todo", start="2026-03-02", duration="1440")
    visitor = site.visitor(ANNA)

    visitor.post(f"/activities/{row.id}/complete")
    page = visitor.get(f"/activities/{row.id}").text
    assert "Open again" in page
    assert "entry-done" in visitor.get("/activities").text
    visitor.post(f"/activities/{row.id}/reopen")

    assert read(site, row.id).completed_at is None
    with site.app.database.read() as connection:
        assert completion.history(connection) == []


# ------------------------------------------------------------------ month, week, list


def test_the_month_shows_each_day_what_it_has_in_the_person_s_zone(site: Site) -> None:
    put(site, subject="Late", start="2026-03-01T23:30:00Z")
    put(site, subject="Fair", start="2026-03-31", duration="2880")
    for number in range(6):
        put(site, subject=f"Call {number}", start=f"2026-03-10T{9 + number:02d}:00:00Z")
    visitor = site.visitor(ANNA)

    page = visitor.get("/activities").text
    cells = re.split(r'<td class="', page)[1:]
    by_day = {found_in(r'aria-label="([^"]*)"', cell): cell for cell in cells}

    assert "March 2026" in page
    assert "Late" in by_day["Monday, March 2, 2026"]
    assert "today" in by_day["Monday, March 2, 2026"][:20]
    assert "Fair" in by_day["Tuesday, March 31, 2026"]
    assert "Fair" in by_day["Wednesday, April 1, 2026"]
    assert "2 more" in by_day["Tuesday, March 10, 2026"]
    assert "Call 4" not in page


@pytest.mark.rule("WEB-4")
def test_what_is_shown_stands_in_the_url_and_stays_while_walking(site: Site) -> None:
    put(site, BEN, type="call", subject="Talk")
    visitor, ben = site.visitor(ANNA), crm_id(site, BEN)

    page = visitor.get(f"/activities?view=week&type=call&whose={ben}").text

    later = f"/activities?view=week&day=2026-03-09&type=call&whose={ben}"
    assert html.escape(later) in page
    assert "Talk" in page
    assert "Talk" not in visitor.get("/activities?type=todo").text
    for odd in (
        "day=nonsense",
        "day=9999-12-31",
        "day=0001-01-01",
        "view=x",
        "whose=x",
    ):
        assert visitor.get(f"/activities?{odd}").status_code == 200


def test_the_week_puts_what_overlaps_side_by_side(site: Site) -> None:
    put(site, subject="One", start="2026-03-03T08:00:00Z", duration="120")
    put(site, subject="Two", start="2026-03-03T08:30:00Z", duration="30")
    put(site, subject="Night", start="2026-03-04T22:30:00Z", duration="120")
    put(site, subject="Trip", start="2026-03-05", duration="2880")

    page = site.visitor(ANNA).get("/activities?view=week").text

    places = dict(re.findall(r"#(b\d+) \{ grid-row: ([^;]*;[^;]*);", page))
    rows = list(places.values())
    assert rows[0] == "19 / span 4; grid-column: 1"
    assert rows[1] == "20 / span 1; grid-column: 2"
    assert rows[2:4] == [
        "48 / span 1; grid-column: 1 / -1",
        "1 / span 3; grid-column: 1 / -1",
    ]
    assert page.count(">Trip<") == 2


def test_the_list_is_searched_filtered_sorted_and_paged(site: Site) -> None:
    with site.app.database.write() as connection:
        leader = users.get_by_email(connection, ANNA)
        assert leader is not None
        new = [
            activities.NewActivity(
                {
                    "type": "meeting",
                    "subject": f"Talk {n:02d}",
                    "start": f"2026-04-01T{n // 4:02d}:{n % 4 * 15:02d}:00Z",
                },
                leader.id,
            )
            for n in range(60)
        ]
        activities.create_many(connection, new)
    put(site, type="call", subject="Roof")
    visitor = site.visitor(ANNA)

    first = visitor.get("/activities?view=list&q=talk").text
    following = found_in(r'rel="next" href="([^"]*)"', first)
    second = visitor.get(following).text

    assert re.findall(r"Talk \d\d", first)[0] == "Talk 00"
    assert len(set(re.findall(r"Talk \d\d", first))) == 50
    assert set(re.findall(r"Talk \d\d", second)) == {f"Talk {n}" for n in range(50, 60)}
    falling = visitor.get("/activities?view=list&sort=-subject").text
    assert falling.index("Talk 59") < falling.index("Talk 58")
    assert "Talk" not in visitor.get("/activities?view=list&type=call").text
    assert "No activity matches" in visitor.get("/activities?view=list&q=zzz").text


def test_empty_pages_say_what_to_do(site: Site) -> None:
    visitor = site.visitor(ANNA)

    assert "Nothing is planned in this month" in visitor.get("/activities").text
    assert "There are no activities yet" in visitor.get("/activities?view=list").text


@pytest.mark.rule("CAL-12")
def test_a_reminder_comes_is_put_off_and_dismissed_without_an_edit(site: Site) -> None:
    row = put(site, subject="Soon", start="2026-03-02T07:30:00Z", alarm="15")
    visitor = site.visitor(ANNA)
    words = "Dismiss the reminder of Soon"
    assert words in visitor.get("/activities").text
    assert words in visitor.get("/activities?view=list").text

    visitor.post(f"/activities/{row.id}/alarm", {"do": "snooze"})
    assert words not in visitor.get("/activities").text
    clock = site.app.clock
    assert isinstance(clock, VirtualClock)
    clock.advance(601)
    assert words in visitor.get("/activities").text
    visitor.post(f"/activities/{row.id}/alarm", {"do": "dismiss"})

    assert words not in visitor.get("/activities").text
    assert read(site, row.id) == row


@pytest.mark.rule("CAL-17")
def test_a_series_says_when_it_is_next(site: Site) -> None:
    series = put_series(site, start="2026-01-05T08:00:00Z")

    page = site.visitor(ANNA).get(f"/activities/{series.id}").text

    assert "slot=2026-03-02T08:00:00Z" in page.replace("%3A", ":")


def test_a_contact_s_tab_shows_what_is_planned_and_what_was_done(site: Site) -> None:
    with site.app.database.write() as connection:
        ada = contacts.create(connection, {"first": "Ada"}, account=AccountRule())
    put(site, subject="Offer", contact_id=ada.id)
    done = put(site, subject="Call her", type="call", contact_id=ada.id)
    put(site, subject="Doctor", leader=BEN, type="personal", contact_id=ada.id)
    with site.app.database.write() as connection:
        completion.complete(connection, [done.id])
    visitor = site.visitor(ANNA)

    page = visitor.get(f"/contacts/{ada.id}/activities").text

    assert page.index("Offer") < page.index("Completed") < page.index("Call her")
    assert "Doctor" not in page
    prefilled = begin(visitor, f"/activities/new?contact={ada.id}")
    assert prefilled["contact"] == f"Ada · {ada.id}"


def test_a_handed_over_activity_has_its_new_leader(site: Site) -> None:
    row = put(site, BEN)

    fill(site.visitor(ANNA), f"/activities/{row.id}/edit", leader=crm_id(site, BEN))

    now = read(site, row.id)
    assert now.leader == crm_id(site, BEN)
    assert crm_id(site, ANNA) in now.user_ids


def test_a_long_invitation_is_shown(site: Site) -> None:
    guests = tuple(
        Participant(Kind.OTHER, f"g{n}@mail.example", address=f"g{n}@mail.example")
        for n in range(200)
    )
    row = put(site)
    with site.app.database.write() as connection:
        activities.update_many(connection, [ActivityEdit(row.id, participants=guests)])

    page = site.visitor(ANNA).get(f"/activities/{row.id}/participants").text

    assert page.count("@mail.example</strong>") == 200


# ------------------------------------------------------------------ in a browser


@pytest.mark.rule("WEB-4")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible_and_fit_a_phone(
    site: Site, open_desk: Opener, scheme: str
) -> None:
    series = put_series(site, BEN, location="Room 1")
    invited = put(site, ANNA, leader=BEN, subject="Budget")
    put(site, type="todo", start="2026-03-03", duration="1440")
    with site.app.database.write() as connection:
        ada = contacts.create(connection, {"first": "Ada"}, account=AccountRule())
    put(site, contact_id=ada.id)
    paths = [
        f"/contacts/{ada.id}/activities",
        "/activities",
        "/activities?view=week",
        "/activities?view=list",
        "/activities/new",
        f"/activities/{series.id}/edit?slot={SLOT}",
        f"/activities/{invited.id}",
        f"/activities/{series.id}/participants",
    ]
    with site.served() as url:
        desk = open_desk(url, color_scheme=scheme)
        page = desk.sign_in()
        for path in paths:
            page.goto(path)
            assert_accessible(page)
            assert_fits(page)
            page.set_viewport_size(PHONE)
            assert_accessible(page)
            assert_fits(page)
            page.set_viewport_size({"width": 1280, "height": 860})


@pytest.mark.rule("WEB-4")
def test_the_form_shows_what_fits_and_keeps_the_length(
    site: Site, open_desk: Opener
) -> None:
    with site.served() as url:
        page = open_desk(url).sign_in()
        page.goto("/activities/new")
        page.get_by_label("Regarding", exact=True).fill("Stand-up")
        expect(page.get_by_text("On these days")).to_be_hidden()

        page.get_by_label("How often").select_option("WEEKLY")
        page.get_by_label("Tue").check()
        page.get_by_label("Start", exact=True).fill("2026-03-04")
        page.get_by_label("Start", exact=True).blur()
        expect(page.get_by_label("End", exact=True)).to_have_value("2026-03-04")
        page.get_by_label("Timeless").check()
        expect(page.get_by_label("Start time")).to_be_hidden()
        page.get_by_role("button", name="Save").click()

        expect(page.get_by_role("heading", level=1)).to_have_text("Stand-up")
        expect(page.get_by_text("Every week on Tuesday")).to_be_visible()
    (row,) = every(site)
    assert row.values["recurrence"] == "RRULE:FREQ=WEEKLY;BYDAY=TU"


@pytest.mark.rule("WEB-4", "WEB-5")
def test_the_calendar_works_with_the_keyboard(site: Site, open_desk: Opener) -> None:
    put_series(site)
    with site.served() as url:
        page = open_desk(url).sign_in()
        page.get_by_role("link", name="Activities").first.click()

        page.get_by_role("link", name="9am Offer").nth(1).focus()
        page.keyboard.press("Enter")
        expect(page.get_by_text("Monday, March 9, 2026").first).to_be_visible()
        page.get_by_role("button", name="Delete").first.focus()
        page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_label("Only this occurrence")).to_be_checked()
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()


@pytest.mark.rule("WEB-4")
def test_an_activity_is_made_without_a_script(site: Site, open_desk: Opener) -> None:
    with site.served() as url:
        page = open_desk(url, java_script_enabled=False).sign_in()
        page.goto("/activities/new")
        page.get_by_label("Regarding", exact=True).fill("Plain")
        page.get_by_role("button", name="Save").click()

        expect(page.get_by_role("heading", level=1)).to_have_text("Plain")


# ------------------------------------------------------------------ only shown


def put_import(site: Site, **values: str) -> ActivityRow:
    me = crm_id(site, ANNA)
    whole = {"type": "meeting", "subject": "Stand-up", "duration": "30", **values}
    whole.setdefault("start", "2026-03-02T08:00:00Z")
    new = NewActivity(whole, me, imported="the calendar Team")
    with site.app.database.write() as connection:
        return activities.create_many(connection, [new])[0]


@pytest.mark.rule("CAL-17", "CAL-23")
def test_an_import_says_where_it_comes_from_and_can_not_be_edited(site: Site) -> None:
    row = put_import(site)
    visitor = site.visitor(ANNA)
    said = "This activity comes from the calendar Team and can only be changed there."

    page = visitor.get(f"/activities/{row.id}").text
    form = visitor.get(f"/activities/{row.id}/edit", follow_redirects=True).text
    people = visitor.get(f"/activities/{row.id}/participants").text
    saved = visitor.post(f"/activities/{row.id}/edit", {"subject": "Mine"})
    added = visitor.post(
        f"/activities/{row.id}/participants", {"add": "other", "name": "Jo"}
    )

    assert said in page
    assert "/edit" not in page
    assert said in form
    assert "data-activity-form" not in form
    assert 'name="add"' not in people
    assert saved.status_code == 400
    assert said in added.text
    assert read(site, row.id) == row


@pytest.mark.rule("CAL-14", "CAL-23")
def test_an_import_is_completed_and_deleted_like_any_other(site: Site) -> None:
    done, series = put_import(site), put_import(site, recurrence="RRULE:FREQ=WEEKLY")
    visitor = site.visitor(ANNA)

    page = visitor.get(f"/activities/{series.id}?slot={SLOT}").text
    refused = visitor.post(
        f"/activities/{series.id}/delete", {"slot": SLOT, "scope": "one"}
    )
    visitor.post(f"/activities/{done.id}/complete")
    visitor.post(f"/activities/{series.id}/delete", {"slot": SLOT, "scope": "all"})

    assert "In Google it stays as it is, and it does not come back here." in page
    assert "Only this occurrence" not in page
    assert "can only be changed there" in refused.text
    assert read(site, done.id).completed_at is not None
    assert read(site, series.id).deleted


@pytest.mark.rule("CAL-6", "CAL-18")
def test_participants_show_guests_of_the_event_with_answers_and_its_rooms(
    site: Site,
) -> None:
    user = people.user_by_email(site.app.database, ANNA)
    contact = add_contact(site, first="Jo", last="Doe", email="jo@x.example")
    me = site.app.crm.ensure_user(user.email, user.name)
    values = {
        "type": "meeting",
        "start": "2026-12-01T09:00:00Z",
        "rooms": "Aula",
        "guest_list": "accepted jo@x.example\ntentative al@y.example Al Bee",
    }
    guests = (
        Participant(Kind.CONTACT, contact, address="jo@x.example", is_guest=True),
        Participant(Kind.OTHER, "al@y.example", address="al@y.example", is_guest=True),
    )
    with site.app.database.write() as connection:
        made = activities.create(
            connection, values, leader=me, participants=guests, by=Author(me)
        )

    page = site.visitor(ANNA).get(f"/activities/{made.id}/participants").text

    assert f'href="/contacts/{contact}"' in page
    assert "Al Bee" in page
    for words in ("Accepted", "Perhaps", "Aula", "Rooms of the event"):
        assert words in page, words
