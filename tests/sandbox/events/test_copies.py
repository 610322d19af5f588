"""Guests with accounts: copies, answers, mails that would be sent (5.1, 5.5)."""

from __future__ import annotations

import pytest

from tests.sandbox.events.client import Diary, answers, guests, meeting, weekly
from tests.sandbox.harness import Json, SandboxServer


def invite(anna: Diary, *others: Diary, body: Json | None = None, **more: str) -> str:
    """An event with these guests; its id."""
    attendees = guests(anna.email, *(other.email for other in others))
    made = anna.insert({**(body or meeting()), "attendees": attendees}, **more)
    return str(made["id"])


def mails(box: SandboxServer, actor: Diary) -> list[tuple[str, str]]:
    listed = box.notifications(account=actor.email)
    return [(mail["kind"], mail["recipient"]) for mail in listed]


@pytest.mark.point("C-25")
def test_a_guest_has_a_copy_with_the_same_names(anna: Diary, ben: Diary) -> None:
    made = anna.insert(
        meeting(
            attendees=guests(anna.email, ben.email),
            colorId="3",
            reminders={"useDefault": False},
            visibility="private",
            source={"url": "https://crm.x.example/1", "title": "CRM"},
            extendedProperties={"private": {"p": "1"}, "shared": {"s": "1"}},
        )
    )

    copy = ben.get(made["id"])

    assert copy["iCalUID"] == made["iCalUID"]
    assert copy["organizer"] == {"email": anna.email}
    assert copy["extendedProperties"] == {"shared": {"s": "1"}}
    assert copy["visibility"] == "private"
    assert copy["reminders"] == {"useDefault": True}
    assert not copy.keys() & {"colorId", "source"}
    assert copy["attendees"] == [
        {"email": anna.email, "responseStatus": "needsAction", "organizer": True},
        {"email": ben.email, "responseStatus": "needsAction", "self": True},
    ]
    assert made["attendees"][0]["self"] is True
    assert "self" not in made["attendees"][1]


@pytest.mark.point("C-25")
def test_the_organizers_edits_reach_every_copy(
    anna: Diary, ben: Diary, clara: Diary
) -> None:
    key = invite(anna, ben, clara)
    ben.patch(key, {"colorId": "5", "extendedProperties": {"private": {"b": "1"}}})
    token = ben.token()

    anna.patch(key, {"summary": "New", "location": "Hall"})

    for diary in (ben, clara):
        copy = diary.get(key)
        assert (copy["summary"], copy["location"]) == ("New", "Hall")
    assert list(ben.changes(token)) == [key]
    assert ben.get(key)["colorId"] == "5"
    assert ben.get(key)["extendedProperties"] == {"private": {"b": "1"}}


@pytest.mark.point("C-26")
def test_an_answer_comes_back_and_goes_round(
    anna: Diary, ben: Diary, clara: Diary
) -> None:
    key = invite(anna, ben, clara)
    token = anna.token()
    whole = ben.get(key)
    for guest in whole["attendees"]:
        if guest.get("self"):
            guest["responseStatus"] = "accepted"
            guest["comment"] = "Gladly"

    ben.patch(key, {"attendees": whole["attendees"]})

    assert list(anna.changes(token)) == [key]
    for diary in (anna, ben, clara):
        event = diary.get(key)
        assert answers(event)[ben.email] == "accepted"
        assert [g.get("comment") for g in event["attendees"]] == [None, "Gladly", None]


@pytest.mark.point("C-26")
def test_an_answer_with_the_other_guests_left_out(anna: Diary, ben: Diary) -> None:
    key = invite(anna, ben)
    mine = [{"email": ben.email, "responseStatus": "tentative"}]

    after = ben.patch(key, {"attendees": mine, "attendeesOmitted": True})

    assert answers(after) == {anna.email: "needsAction", ben.email: "tentative"}
    assert answers(anna.get(key))[ben.email] == "tentative"
    assert "attendeesOmitted" not in after


@pytest.mark.point("P-18")
def test_a_guest_cannot_change_what_is_shared(anna: Diary, ben: Diary) -> None:
    key = invite(anna, ben)
    forbidden = (403, "forbiddenForNonOrganizer")

    assert ben.refused("patch", key, {"summary": "Mine"}) == forbidden
    assert ben.refused("patch", key, {"attendees": guests(ben.email)}) == forbidden
    assert ben.refused("update", key, meeting("Mine")) == forbidden
    own = {"attendees": [{"email": anna.email}, {"email": ben.email}]}
    whole = {**ben.get(key), "attendees": own["attendees"]}
    assert ben.update(key, {**whole, "colorId": "7"})["colorId"] == "7"
    assert anna.get(key)["summary"] == "Meeting"


@pytest.mark.point("P-18")
def test_a_guest_cannot_answer_for_others_or_forget_their_answers(
    anna: Diary, ben: Diary, clara: Diary
) -> None:
    key = invite(anna, ben, clara)
    mine = [{"email": clara.email, "responseStatus": "accepted"}]
    clara.patch(key, {"attendees": mine, "attendeesOmitted": True})
    bare = guests(anna.email, ben.email, clara.email)

    refused = ben.refused("patch", key, {"attendees": bare})

    assert refused == (403, "forbiddenForNonOrganizer")
    assert answers(anna.get(key))[clara.email] == "accepted"


@pytest.mark.point("P-18")
def test_private_properties_are_a_guests_own_unless_switched_off(
    anna: Diary, ben: Diary, box: SandboxServer
) -> None:
    key = invite(anna, ben)
    own = {"extendedProperties": {"private": {"k": "1"}}}

    assert ben.patch(key, own)["extendedProperties"] == {"private": {"k": "1"}}
    assert "extendedProperties" not in anna.get(key)
    box.switch(guests_write_private=False)
    own["extendedProperties"]["private"]["k"] = "2"
    assert ben.refused("patch", key, own) == (403, "forbiddenForNonOrganizer")


@pytest.mark.point("C-27")
def test_a_guest_who_may_modify_changes_the_event_for_all(
    anna: Diary, ben: Diary, clara: Diary
) -> None:
    key = invite(anna, ben, clara, body=meeting(guestsCanModify=True))

    ben.patch(key, {"summary": "By Ben"})

    assert [d.get(key)["summary"] for d in (anna, clara)] == ["By Ben"] * 2
    assert anna.get(key)["organizer"]["email"] == anna.email


@pytest.mark.point("C-27")
def test_guests_may_bring_others_unless_told_not_to(
    anna: Diary, ben: Diary, clara: Diary
) -> None:
    open_key = invite(anna, ben)
    closed = invite(anna, ben, body=meeting(guestsCanInviteOthers=False))
    more = guests(anna.email, ben.email, clara.email)

    ben.patch(open_key, {"attendees": more})

    assert clara.get(open_key)["summary"] == "Meeting"
    assert ben.refused("patch", closed, {"attendees": more})[0] == 403


@pytest.mark.point("C-28")
def test_deleting_cancels_the_copies_and_a_guest_only_declines(
    anna: Diary, ben: Diary, clara: Diary
) -> None:
    key = invite(anna, ben, clara)
    token = clara.token()

    ben.delete(key)

    assert ben.ids() == []
    assert answers(anna.get(key))[ben.email] == "declined"
    assert answers(clara.get(key))[ben.email] == "declined"
    anna.patch(key, {"summary": "New"})
    assert ben.ids() == []
    anna.delete(key)
    assert clara.changes(token)[key]["status"] == "cancelled"
    assert ben.refused("delete", key) == (410, "deleted")


@pytest.mark.point("C-28")
def test_a_removed_guest_loses_the_copy_and_gets_it_again(
    anna: Diary, ben: Diary, clara: Diary
) -> None:
    key = invite(anna, ben, clara)

    anna.patch(key, {"attendees": guests(anna.email, clara.email)})
    without = ben.ids()
    anna.patch(key, {"attendees": guests(anna.email, ben.email)})

    assert without == []
    assert ben.ids() == [key]
    assert clara.ids() == []


@pytest.mark.point("C-29")
def test_added_guests_come_without_an_answer(anna: Diary, box: SandboxServer) -> None:
    said = [{"email": "eve@out.example", "responseStatus": "accepted"}]

    made = anna.insert(meeting(attendees=said))
    box.switch(added_answers_reset=False)
    kept = anna.insert(meeting(attendees=said))

    assert answers(made) == {"eve@out.example": "needsAction"}
    assert answers(kept) == {"eve@out.example": "accepted"}


@pytest.mark.point("C-29")
def test_guests_who_may_not_see_each_other(anna: Diary, ben: Diary) -> None:
    key = invite(anna, ben, body=meeting(guestsCanSeeOtherGuests=False))

    copy = ben.get(key)

    assert [guest["email"] for guest in copy["attendees"]] == [ben.email]
    assert copy["attendeesOmitted"] is True
    mine = [{**copy["attendees"][0], "responseStatus": "accepted"}]
    ben.patch(key, {"attendees": mine, "attendeesOmitted": True})
    assert answers(anna.get(key))[ben.email] == "accepted"


@pytest.mark.point("C-30")
def test_answers_in_a_crowd_go_to_the_organizer_only(
    anna: Diary, ben: Diary, clara: Diary
) -> None:
    crowd = [f"g{n}@out.example" for n in range(199)]
    attendees = guests(ben.email, clara.email, *crowd)
    key = anna.insert(meeting(attendees=attendees), sendUpdates="none")["id"]
    mine = [{"email": ben.email, "responseStatus": "accepted"}]

    ben.patch(key, {"attendees": mine, "attendeesOmitted": True})
    anna.patch(key, {"summary": "Big"}, sendUpdates="none")

    assert answers(anna.get(key))[ben.email] == "accepted"
    assert answers(ben.get(key))[ben.email] == "accepted"
    assert answers(clara.get(key))[ben.email] == "needsAction"
    assert clara.get(key)["summary"] == "Big"


# ---------------------------------------------------------------- series


@pytest.mark.point("C-31")
def test_a_guest_of_one_occurrence_has_only_that(
    anna: Diary, ben: Diary, clara: Diary
) -> None:
    series = invite(anna, ben, body=weekly())
    key = f"{series}_20260309T080000Z"
    more = guests(anna.email, ben.email, clara.email)

    anna.patch(key, {"attendees": more})

    assert clara.ids() == [key]
    copy = clara.get(key)
    assert copy["recurringEventId"] == series
    assert copy["originalStartTime"]["dateTime"] == "2026-03-09T08:00:00Z"
    assert len(clara.ids(singleEvents=True)) == 1
    assert ben.ids() == sorted([series, key])
    anna.delete(series)
    assert clara.ids() == []
    assert ben.ids() == []


@pytest.mark.point("C-31")
def test_exceptions_reach_the_copies(anna: Diary, ben: Diary) -> None:
    series = invite(anna, ben, body=weekly())
    moved, hole = f"{series}_20260309T080000Z", f"{series}_20260316T080000Z"

    anna.patch(moved, {"summary": "Moved"})
    anna.delete(hole)
    out = f"{series}_20260323T080000Z"
    anna.patch(out, {"attendees": guests(anna.email)})

    assert ben.get(moved)["summary"] == "Moved"
    assert ben.get(hole)["status"] == "cancelled"
    assert ben.get(out)["status"] == "cancelled"
    assert len(ben.ids(singleEvents=True)) == 8


@pytest.mark.point("C-31")
def test_a_late_guest_of_a_series_does_not_see_moved_and_cancelled_places(
    anna: Diary, ben: Diary
) -> None:
    series = invite(anna, body=weekly())
    moved, hole = f"{series}_20260309T080000Z", f"{series}_20260316T080000Z"
    anna.patch(moved, {"summary": "Moved"})
    anna.delete(hole)

    anna.patch(series, {"attendees": guests(anna.email, ben.email)})

    assert len(ben.ids(singleEvents=True)) == 8
    assert ben.get(moved)["status"] == ben.get(hole)["status"] == "cancelled"
    anna.patch(moved, {"attendees": guests(anna.email, ben.email)})
    assert ben.get(moved)["summary"] == "Moved"


@pytest.mark.point("C-31")
def test_an_answer_to_one_occurrence_comes_back(anna: Diary, ben: Diary) -> None:
    series = invite(anna, ben, body=weekly())
    key = f"{series}_20260309T080000Z"
    mine = [{"email": ben.email, "responseStatus": "declined"}]

    ben.patch(key, {"attendees": mine, "attendeesOmitted": True})

    assert answers(anna.get(key))[ben.email] == "declined"
    assert answers(anna.get(series))[ben.email] == "needsAction"
    ben.delete(f"{series}_20260316T080000Z")
    assert answers(anna.get(f"{series}_20260316T080000Z"))[ben.email] == "declined"
    assert anna.get(f"{series}_20260316T080000Z")["status"] == "confirmed"


# ---------------------------------------------------------------- by hand


@pytest.mark.point("C-32")
def test_a_stranger_invites_and_the_answer_goes_nowhere(
    anna: Diary, box: SandboxServer
) -> None:
    body = meeting(
        organizer={"email": "boss@out.example"}, attendees=guests(anna.email)
    )
    key = box.create_event(anna.email, {**body, "id": "_60q30c1g"})["id"]

    box.answer_event(anna.email, key, "accepted")

    assert answers(anna.get(key)) == {anna.email: "accepted"}
    assert anna.refused("patch", key, {"summary": "X"})[0] == 403


@pytest.mark.point("C-32")
def test_the_hand_edits_answers_moves_and_deletes(
    anna: Diary, ben: Diary, box: SandboxServer
) -> None:
    key = invite(anna, ben)
    box.answer_event(ben.email, key, "accepted")
    box.edit_event(anna.email, key, {"summary": "By hand"})
    box.move_event(
        anna.email,
        key,
        {"dateTime": "2026-03-03T09:00:00Z"},
        {"dateTime": "2026-03-03T10:00:00Z"},
    )

    assert answers(anna.get(key))[ben.email] == "accepted"
    assert ben.get(key)["summary"] == "By hand"
    assert ben.get(key)["start"]["dateTime"] == "2026-03-03T09:00:00Z"
    box.delete_event(anna.email, key)
    assert box.events(anna.email) == []
    assert [e["id"] for e in box.events(ben.email, deleted="true")] == [key]


@pytest.mark.point("C-32")
def test_a_locked_copy_keeps_its_main_fields(anna: Diary, box: SandboxServer) -> None:
    key = anna.insert(meeting())["id"]
    box.edit_event(anna.email, key, {"locked": True})

    assert anna.get(key)["locked"] is True
    assert anna.refused("patch", key, {"summary": "X"}) == (403, "forbidden")
    assert anna.patch(key, {"colorId": "2"})["colorId"] == "2"


# ---------------------------------------------------------------- mails


@pytest.mark.point("C-33")
@pytest.mark.parametrize(
    ("send", "recipients"),
    [
        ("all", {"in", "out@far.example"}),
        ("externalOnly", {"out@far.example"}),
        ("none", set()),
        ("", {"in", "out@far.example"}),
    ],
)
def test_who_would_have_got_an_invitation(
    anna: Diary, ben: Diary, box: SandboxServer, send: str, recipients: set[str]
) -> None:
    more = {"sendUpdates": send} if send else {}
    body = meeting(attendees=guests(anna.email, ben.email, "out@far.example"))

    key = anna.insert(body, **more)["id"]

    listed = box.notifications(account=anna.email)
    found = {"in" if m["recipient"] == ben.email else m["recipient"] for m in listed}
    assert found == recipients
    assert all(m["kind"] == "invite" and m["event"] == key for m in listed)
    assert all(m["send_updates"] == send for m in listed)


@pytest.mark.point("C-33")
def test_updates_cancellations_and_answers_are_counted(
    anna: Diary, ben: Diary, clara: Diary, box: SandboxServer
) -> None:
    key = invite(anna, ben, sendUpdates="none")
    every = {"sendUpdates": "all"}

    anna.patch(key, {"colorId": "2"}, **every)
    anna.patch(key, {"extendedProperties": {"shared": {"a": "1"}}}, **every)
    anna.patch(key, {"reminders": {"useDefault": False}}, **every)
    quiet = mails(box, anna)
    anna.patch(key, {"summary": "New"}, **every)
    both = guests(anna.email, ben.email, clara.email)
    anna.patch(key, {"attendees": both}, **every)
    anna.patch(key, {"attendees": guests(anna.email, clara.email)}, **every)
    mine = [{"email": clara.email, "responseStatus": "accepted"}]
    clara.patch(key, {"attendees": mine, "attendeesOmitted": True}, **every)
    anna.delete(key, **every)

    assert quiet == []
    assert mails(box, anna) == [
        ("update", ben.email),
        ("invite", clara.email),
        ("cancel", ben.email),
        ("cancel", clara.email),
    ]
    assert mails(box, clara) == [("response", anna.email)]
    assert [m["kind"] for m in box.notifications(recipient=ben.email)] == [
        "update",
        "cancel",
    ]


@pytest.mark.point("C-33")
def test_a_put_that_forgets_the_guests_mails_them(
    anna: Diary, ben: Diary, box: SandboxServer
) -> None:
    key = invite(anna, ben, sendUpdates="none")

    anna.update(key, meeting())

    assert mails(box, anna) == [("cancel", ben.email)]
    box.control("DELETE", "/notifications", account=anna.email)
    assert mails(box, anna) == []


# ---------------------------------------------------------------- delay


@pytest.mark.point("C-34")
def test_copies_and_answers_may_come_late(
    anna: Diary, ben: Diary, box: SandboxServer
) -> None:
    box.switch(copy_delay=60.0)
    key = invite(anna, ben)

    before = ben.ids()
    box.settle(ben.email)
    mine = [{"email": ben.email, "responseStatus": "accepted"}]
    ben.patch(key, {"attendees": mine, "attendeesOmitted": True})
    own, theirs = answers(ben.get(key)), answers(anna.get(key))
    box.advance(61)

    assert before == []
    assert own[ben.email] == "accepted"
    assert theirs[ben.email] == "needsAction"
    assert answers(anna.get(key))[ben.email] == "accepted"
