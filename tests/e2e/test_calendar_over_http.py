"""Calendars of one, two and three users over HTTP: leaders, members, forks."""

from __future__ import annotations

from typing import Any

import pytest

from crm import participants
from crm.activityrows import ActivityRow
from tests.sandbox.harness import SandboxServer
from tests.support.office import Office, at, slot
from tests.support.product import Product

ANNA, BEN, CARL = "anna@shop.example", "ben@shop.example", "carl@shop.example"
CUSTOMER = "jo@customer.example"

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def office(product: Product, box: SandboxServer) -> Office:
    return Office(product, box)


def one(found: list[Any]) -> Any:
    assert len(found) == 1, found
    return found[0]


def subjects(rows: list[ActivityRow]) -> list[str]:
    return sorted(row.values["subject"] for row in rows)


def answers(event: dict[str, Any]) -> dict[str, str]:
    return {g["email"]: g["responseStatus"] for g in event.get("attendees", ())}


# ------------------------------------------------------------------ one user


@pytest.mark.rule("CAL-1", "CAL-3", "CAL-24")
def test_each_kind_of_activity_becomes_its_kind_of_event(office: Office) -> None:
    anna = office.hire(ANNA)
    office.plan(ANNA, subject="Meeting", location="Room 1", notes="Bring the offer")
    office.plan(ANNA, subject="Call", type="call")
    office.plan(ANNA, subject="Dentist", type="personal")
    office.plan(ANNA, subject="Trip", start=at()[:10], duration="2880")
    office.plan(ANNA, subject="To do", type="todo")
    office.plan(ANNA, subject="Fair", type="event")

    office.cycle(anna)

    events = {event["summary"]: event for event in office.events(ANNA)}
    assert set(events) == {"Meeting", "Call", "Dentist", "Trip"}
    assert events["Meeting"]["location"] == "Room 1"
    assert "Bring the offer" in events["Meeting"]["description"]
    assert events["Dentist"]["visibility"] == "private"
    assert events["Trip"]["start"] == {"date": at()[:10]}
    assert events["Trip"]["end"] == {"date": at(2)[:10]}


@pytest.mark.rule("CAL-3", "CAL-6")
def test_events_come_in_as_meetings_private_ones_as_personal(office: Office) -> None:
    anna = office.hire(ANNA)
    office.box.create_event(ANNA, {"summary": "Meeting", **slot(at())})
    office.box.create_event(
        ANNA, {"summary": "Dentist", "visibility": "private", **slot(at())}
    )
    office.cycle(anna)

    types = {row.values["subject"]: row.type for row in office.agenda(ANNA)}
    assert types == {"Meeting": "meeting", "Dentist": "personal"}


@pytest.mark.rule("CAL-18")
def test_what_is_not_mapped_survives_an_update(office: Office) -> None:
    anna = office.hire(ANNA)
    made = office.invite(
        ANNA,
        CUSTOMER,
        reminders={
            "useDefault": False,
            "overrides": [{"method": "popup", "minutes": 7}],
        },
        colorId="5",
        transparency="transparent",
        guestsCanModify=False,
        extendedProperties={"private": {"other": "app"}},
        attendees=[
            {"email": CUSTOMER, "responseStatus": "tentative", "comment": "Maybe"},
            {"email": "room@customer.example", "resource": True},
        ],
    )
    office.cycle(anna)
    activity = one(office.agenda(ANNA))

    office.edit(activity.id, ANNA, location="Garden")
    office.cycle(anna)

    event = office.box.event(ANNA, made["id"])
    assert event["location"] == "Garden"
    for name in ("reminders", "colorId", "transparency"):
        assert event[name] == made[name]
    assert event["extendedProperties"]["private"]["other"] == "app"
    assert answers(event) == answers(made)
    assert "room@customer.example" in answers(event)


@pytest.mark.rule("CAL-4", "ENG-11")
def test_a_deletion_goes_over_and_an_edit_beats_it(office: Office) -> None:
    anna = office.hire(ANNA)
    office.plan(ANNA, subject="Gone")
    kept = office.plan(ANNA, subject="Kept")
    office.plan(ANNA, subject="Still")
    office.cycle(anna)
    events = {event["summary"]: event["id"] for event in office.events(ANNA)}

    office.box.delete_event(ANNA, events["Gone"])
    office.box.delete_event(ANNA, events["Kept"])
    office.edit(kept, ANNA, location="Here")
    office.settle()

    assert subjects(office.agenda(ANNA)) == ["Kept", "Still"]
    places = {e["summary"]: e.get("location") for e in office.events(ANNA)}
    assert places == {"Kept": "Here", "Still": None}


@pytest.mark.rule("CAL-14")
def test_a_completed_activity_leaves_an_event_with_asterisks(office: Office) -> None:
    anna = office.hire(ANNA)
    activity = office.plan(ANNA, subject="Review")
    office.cycle(anna)

    office.complete(activity, ANNA)
    office.settle()
    event = one(office.events(ANNA))
    office.box.edit_event(ANNA, event["id"], {"location": "Later"})
    office.settle()

    assert event["summary"] == "*Review*"
    assert office.agenda(ANNA) == []
    assert len(office.events(ANNA)) == 1


@pytest.mark.rule("CAL-17")
def test_a_series_with_moved_and_cancelled_occurrences_goes_both_ways(
    office: Office,
) -> None:
    anna = office.hire(ANNA)
    master = office.box.create_event(
        ANNA,
        {"summary": "Weekly", "recurrence": ["RRULE:FREQ=DAILY;COUNT=5"], **slot(at())},
    )
    items = office.box.events(ANNA, expand="true")
    days = sorted(
        (e for e in items if e.get("recurringEventId") == master["id"]),
        key=lambda e: str(e["start"]),
    )
    office.box.move_event(ANNA, days[1]["id"], **slot(at(1, 3)))
    office.box.delete_event(ANNA, days[2]["id"])
    office.settle()

    rows = office.agenda(ANNA)
    series = one([row for row in rows if row.is_series])
    children = {row.slot: row for row in rows if row.parent_id == series.id}
    assert children[at(1)].values["start"] == at(1, 3)
    assert children[at(2)].is_cancelled
    report = office.cycle(anna)
    assert report["counts"]["google"] == report["counts"]["crm"] == {
        "created": 0, "updated": 0, "deleted": 0, "unlinked": 0,
    }  # fmt: skip


@pytest.mark.rule("CAL-17")
def test_this_and_following_becomes_a_second_series(office: Office) -> None:
    office.hire(ANNA)
    master = office.box.create_event(
        ANNA,
        {"summary": "Weekly", "recurrence": ["RRULE:FREQ=DAILY;COUNT=6"], **slot(at())},
    )
    office.settle()
    days = sorted(
        (
            e
            for e in office.box.events(ANNA, expand="true")
            if e.get("recurringEventId") == master["id"]
        ),
        key=lambda e: str(e["start"]),
    )
    office.box.split_event(ANNA, master["id"], days[3]["id"], summary="Weekly, new")
    office.settle()

    series = [row for row in office.agenda(ANNA) if row.is_series]
    assert subjects(series) == ["Weekly", "Weekly, new"]
    assert len(office.agenda(ANNA)) == 2


@pytest.mark.rule("CAL-20")
def test_a_first_cycle_mails_nobody_and_a_later_edit_each_guest_once(
    office: Office, box: SandboxServer
) -> None:
    office.product.set("invite_contacts", "on")
    made = box.create_event(
        ANNA, {"summary": "Lunch", **slot(at()), "attendees": [{"email": CUSTOMER}]}
    )
    box.forget_notifications()
    anna = office.hire(ANNA)
    office.settle()
    assert office.mails() == []

    office.edit(one(office.agenda(ANNA)).id, ANNA, location="Room 9")
    office.settle()

    assert box.event(ANNA, made["id"])["location"] == "Room 9"
    assert [(m["kind"], m["recipient"]) for m in office.mails()] == [
        ("update", CUSTOMER)
    ]
    assert anna.email == ANNA


@pytest.mark.rule("ENG-1", "CAL-20")
def test_cycles_without_an_edit_write_nothing(
    office: Office, box: SandboxServer
) -> None:
    anna, ben = office.hire(ANNA), office.hire(BEN)
    office.plan(ANNA, BEN, subject="Shared")
    office.invite(BEN, ANNA, CUSTOMER)
    office.plan(
        ANNA, subject="Series", recurrence="RRULE:FREQ=WEEKLY", zone="Europe/Berlin"
    )
    office.settle()
    box.forget_notifications()
    box.clear_log()

    for _ in range(10):
        office.cycle(anna)
        office.cycle(ben)

    writes = [
        r
        for r in box.requests()
        if r["method"] not in {"GET"} and "/token" not in r["path"]
    ]
    assert writes == []
    assert len(box.requests(path="/events")) == 20
    assert office.mails() == []


# ------------------------------------------------------------------ leaders and members


@pytest.mark.rule("CAL-9", "CAL-26")
def test_a_leader_who_syncs_shares_one_event_with_the_members(office: Office) -> None:
    for email in (ANNA, BEN, CARL):
        office.hire(email)
    activity = office.plan(ANNA, BEN, CARL)
    office.settle()

    events = [one(office.events(email)) for email in (ANNA, BEN, CARL)]
    assert len({event["iCalUID"] for event in events}) == 1
    assert set(answers(events[0])) - {ANNA} == {BEN, CARL}
    for email in (ANNA, BEN, CARL):
        assert [row.id for row in office.agenda(email)] == [activity]


@pytest.mark.rule("CAL-9")
@pytest.mark.parametrize("where", ["crm", "google"])
def test_the_leaders_edit_reaches_everybody(office: Office, where: str) -> None:
    for email in (ANNA, BEN):
        office.hire(email)
    activity = office.plan(ANNA, BEN)
    office.settle()

    if where == "crm":
        office.edit(activity, ANNA, location="Room 7")
    else:
        event = one(office.events(ANNA))
        office.box.edit_event(ANNA, event["id"], {"location": "Room 7"})
    office.settle()

    assert office.activity(activity).values["location"] == "Room 7"
    assert one(office.events(ANNA))["location"] == "Room 7"
    assert one(office.events(BEN))["location"] == "Room 7"


@pytest.mark.rule("CAL-9")
def test_a_members_edit_in_the_crm_reaches_the_event_by_the_leaders_cycle(
    office: Office,
) -> None:
    for email in (ANNA, BEN):
        office.hire(email)
    activity = office.plan(ANNA, BEN)
    office.settle()

    office.edit(activity, BEN, location="Room 8")
    office.settle()

    assert one(office.events(ANNA))["location"] == "Room 8"
    assert one(office.events(BEN))["location"] == "Room 8"
    assert len(office.agenda(BEN)) == 1


@pytest.mark.rule("CAL-13", "CAL-9")
@pytest.mark.parametrize("where", ["crm", "google"])
@pytest.mark.parametrize("answer", ["accepted", "declined"])
def test_a_members_answer_goes_over(office: Office, where: str, answer: str) -> None:
    for email in (ANNA, BEN):
        office.hire(email)
    activity = office.plan(ANNA, BEN)
    office.settle()

    if where == "crm":
        office.answer(activity, BEN, answer)
    else:
        office.box.answer_event(BEN, one(office.events(BEN))["id"], answer)
    office.settle()

    mine = office.activity(activity).participant(office.crm_id(BEN))
    assert mine is not None
    assert mine.answer == answer
    assert answers(one(office.events(ANNA)))[BEN] == answer
    assert not office.activity(activity).deleted


@pytest.mark.rule("CAL-4", "CAL-9")
@pytest.mark.parametrize("where", ["crm", "google"])
def test_the_leaders_deletion_removes_everybodys(office: Office, where: str) -> None:
    for email in (ANNA, BEN):
        office.hire(email)
    activity = office.plan(ANNA, BEN)
    office.settle()

    if where == "crm":
        office.drop(activity, ANNA)
    else:
        office.box.delete_event(ANNA, one(office.events(ANNA))["id"])
    office.settle()

    assert office.activity(activity).deleted
    assert office.events(ANNA) == office.events(BEN) == []


@pytest.mark.rule("CAL-4", "CAL-13")
def test_a_member_who_deletes_their_copy_declines(office: Office) -> None:
    for email in (ANNA, BEN):
        office.hire(email)
    activity = office.plan(ANNA, BEN)
    office.settle()

    office.box.delete_event(BEN, one(office.events(BEN))["id"])
    office.settle()

    mine = office.activity(activity).participant(office.crm_id(BEN))
    assert mine is not None
    assert mine.answer == "declined"
    assert len(office.events(ANNA)) == 1


@pytest.mark.rule("CAL-10")
def test_members_of_a_leader_who_does_not_sync_get_separate_events(
    office: Office,
) -> None:
    office.hire(ANNA, syncs=False)
    for email in (BEN, CARL):
        office.hire(email)
    activity = office.plan(ANNA, BEN, CARL)
    office.settle()

    ben, carl = one(office.events(BEN)), one(office.events(CARL))
    assert ben["iCalUID"] != carl["iCalUID"]
    assert answers(ben) == answers(carl) == {}
    assert office.events(ANNA) == []
    assert office.mails() == []

    office.edit(activity, ANNA, location="Room 4")
    office.settle()
    office.edit(activity, CARL, notes="Bring samples")
    office.settle()
    for email in (BEN, CARL):
        event = one(office.events(email))
        assert event["location"] == "Room 4"
        assert "Bring samples" in event["description"]


@pytest.mark.rule("CAL-11")
@pytest.mark.parametrize("keeps", ["off", "on"])
def test_a_members_edit_of_a_separate_event_forks(office: Office, keeps: str) -> None:
    office.product.set("fork_keeps_original", keeps)
    office.hire(ANNA, syncs=False)
    for email in (BEN, CARL):
        office.hire(email)
    activity = office.plan(ANNA, BEN, CARL)
    office.settle()

    office.box.edit_event(BEN, one(office.events(BEN))["id"], {"summary": "My plan"})
    office.settle()

    mine = one([row for row in office.agenda(BEN) if row.id != activity])
    assert mine.leader == office.crm_id(BEN)
    assert mine.values["subject"] == "My plan"
    assert office.crm_id(BEN) in office.activity(activity).user_ids
    assert len(office.events(BEN)) == (2 if keeps == "on" else 1)
    assert one(office.events(CARL))["summary"] == "Review"
    assert subjects(office.agenda(CARL)) == ["Review"]


@pytest.mark.rule("CAL-25")
def test_a_leader_who_starts_later_gets_a_separate_event(office: Office) -> None:
    office.hire(ANNA, syncs=False)
    office.hire(BEN)
    activity = office.plan(ANNA, BEN)
    office.settle()

    anna = office.users[ANNA]
    office.product.connect(anna)
    office.settle()

    assert answers(one(office.events(ANNA))) == {}
    assert len(office.events(BEN)) == 1
    assert office.mails() == []
    assert [row.id for row in office.agenda(ANNA)] == [activity]


# ------------------------------------------------------------------ made in Google


@pytest.mark.rule("CAL-6")
def test_every_synchronising_guest_gets_an_activity_of_their_own(
    office: Office,
) -> None:
    for email in (ANNA, BEN):
        office.hire(email)
    office.hire(CARL, syncs=False)
    office.invite(ANNA, BEN, CARL, CUSTOMER)
    office.settle()

    anna, ben = one(office.agenda(ANNA)), one(office.agenda(BEN))
    assert anna.id != ben.id
    assert (anna.leader, ben.leader) == (office.crm_id(ANNA), office.crm_id(BEN))
    assert office.agenda(CARL) == []
    listed = {p.address for p in anna.participants} | {p.ref for p in anna.participants}
    assert CUSTOMER in listed


@pytest.mark.rule("CAL-6", "CAL-18", "ENG-1")
def test_guests_answers_and_rooms_are_shown_and_follow_the_event(
    office: Office,
) -> None:
    anna = office.hire(ANNA)
    office.box.account(CARL)
    event = office.invite(
        ANNA,
        attendees=[
            {"email": CARL, "displayName": "Carl Customer"},
            {"email": "room@shop.example", "displayName": "Aula", "resource": True},
        ],
    )
    office.cycle(anna)
    office.box.forget_notifications()
    assert one(office.agenda(ANNA)).values["rooms"] == "Aula"

    office.box.answer_event(CARL, event["id"], "accepted")
    office.settle()

    row = one(office.agenda(ANNA))
    fact = participants.guest_facts(row)[CARL]
    assert (fact.name, fact.answer) == ("Carl Customer", "accepted")
    assert len([p for p in row.participants if p.is_guest]) == 1
    report = office.cycle(anna)
    assert report["counts"]["crm"]["updated"] == 0
    assert [
        mail["recipient"] for mail in office.mails() if mail["kind"] == "update"
    ] == []


@pytest.mark.rule("CAL-7")
def test_the_organisers_edit_in_the_crm_updates_everybodys_activity(
    office: Office,
) -> None:
    for email in (ANNA, BEN):
        office.hire(email)
    office.invite(ANNA, BEN)
    office.settle()

    office.edit(one(office.agenda(ANNA)).id, ANNA, location="Canteen")
    office.settle()

    assert one(office.events(BEN))["location"] == "Canteen"
    assert one(office.agenda(BEN)).values["location"] == "Canteen"


@pytest.mark.rule("CAL-8")
def test_a_guests_edit_in_the_crm_forks_without_guests(office: Office) -> None:
    for email in (ANNA, BEN):
        office.hire(email)
    original = office.invite(ANNA, BEN, CUSTOMER)
    office.settle()
    office.box.forget_notifications()

    office.edit(one(office.agenda(BEN)).id, BEN, location="My desk")
    office.settle()
    office.box.edit_event(ANNA, original["id"], {"summary": "Renamed"})
    office.settle()

    mine = one([e for e in office.events(BEN) if e["id"] != original["id"]])
    assert mine["location"] == "My desk"
    assert answers(mine) == {}
    assert one(office.agenda(BEN)).values["subject"] == "Lunch"
    assert one(office.agenda(ANNA)).values["subject"] == "Renamed"
    assert office.mails() == []


@pytest.mark.rule("CAL-13")
def test_a_guest_accepts_in_the_crm(office: Office) -> None:
    for email in (ANNA, BEN):
        office.hire(email)
    office.invite(ANNA, BEN, CUSTOMER)
    office.settle()

    office.answer(one(office.agenda(BEN)).id, BEN, "accepted")
    office.settle()

    seen = answers(one(office.events(ANNA)))
    assert seen[BEN] == "accepted"
    assert seen[CUSTOMER] == "needsAction"


@pytest.mark.rule("CAL-4")
def test_a_guest_who_deletes_their_activity_declines(office: Office) -> None:
    for email in (ANNA, BEN):
        office.hire(email)
    office.invite(ANNA, BEN)
    office.settle()

    office.drop(one(office.agenda(BEN)).id, BEN)
    office.settle()

    assert answers(one(office.events(ANNA)))[BEN] == "declined"
    assert office.agenda(BEN) == []
    assert len(office.agenda(ANNA)) == 1
