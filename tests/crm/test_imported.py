"""What is only shown in the CRM: nobody edits it here; one may be done with it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Connection

from crm import activities, activitystore, completion, occurrences, participants
from crm.activityrows import ActivityEdit, ActivityRow, NewActivity, other
from crm.errors import Imported, TooLong
from crm.occurrences import OccurrenceEdit

SOURCE = "the calendar Team"
SLOT = "2026-03-04T08:00:00Z"
WEEKLY = {"recurrence": "RRULE:FREQ=WEEKLY;BYDAY=MO,WE", "zone": "Europe/Berlin"}


def make_import(conn: Connection, **values: str) -> ActivityRow:
    whole = {
        "type": "meeting",
        "subject": "Offer",
        "start": "2026-03-02T08:00:00Z",
        "duration": "60",
        **values,
    }
    new = NewActivity(whole, "U1", imported=SOURCE)
    return activities.create_many(conn, [new])[0]


REFUSED: dict[str, Callable[[Connection, ActivityRow], object]] = {
    "field": lambda conn, row: activities.update(
        conn, row.id, changes={"subject": "Mine"}
    ),
    "leader": lambda conn, row: activities.update_many(
        conn, [ActivityEdit(row.id, leader="U2")]
    ),
    "participant": lambda conn, row: participants.add(conn, row.id, [other("a@b.de")]),
    "answer": lambda conn, row: participants.answer(conn, row.id, "U1", "declined"),
    "occurrence": lambda conn, row: occurrences.change(
        conn, row.id, SLOT, OccurrenceEdit({"subject": "Mine"})
    ),
    "cancelled": lambda conn, row: occurrences.cancel(conn, row.id, SLOT),
    "split": lambda conn, row: occurrences.split(conn, row.id, SLOT),
    "following": lambda conn, row: occurrences.delete_following(conn, row.id, SLOT),
}


@pytest.mark.rule("CAL-23")
@pytest.mark.parametrize("what", REFUSED)
def test_an_import_can_not_be_edited(conn: Connection, what: str) -> None:
    row = make_import(conn, **WEEKLY)

    with pytest.raises(Imported, match="comes from the calendar Team and can only"):
        REFUSED[what](conn, row)

    assert activities.get(conn, row.id) == row
    assert activitystore.children_of(conn, [row.id]) == []


@pytest.mark.rule("CAL-23")
def test_whoever_says_where_it_comes_from_may_edit_an_import(conn: Connection) -> None:
    row = make_import(conn, **WEEKLY)
    edit = ActivityEdit(row.id, {"subject": "New"}, imported="the calendar Sales")

    (changed,) = activities.update_many(conn, [edit])
    child = occurrences.change(
        conn, row.id, SLOT, OccurrenceEdit({"location": "Room 2"}, imported=SOURCE)
    )

    assert activities.get(conn, row.id) == changed
    assert changed.imported == "the calendar Sales"
    assert child.imported == "the calendar Sales"
    with pytest.raises(Imported):
        activities.update(conn, child.id, changes={"subject": "Mine"})


@pytest.mark.rule("CAL-23", "CAL-14")
def test_an_import_can_be_deleted_and_completed(conn: Connection) -> None:
    deleted, completed = make_import(conn), make_import(conn)
    series = make_import(conn, **WEEKLY)

    activities.delete(conn, deleted.id)
    completion.complete(conn, [completed.id])
    one = completion.complete_one(conn, series.id, SLOT)

    assert activities.read(conn, [deleted.id])[0].deleted
    assert activities.get(conn, completed.id).completed_at is not None
    assert (one.slot, one.imported) == (SLOT, SOURCE)
    assert {row.activity_id for row in completion.history(conn)} == {
        completed.id,
        one.id,
    }


@pytest.mark.rule("CAL-16")
def test_a_source_that_is_too_long_is_refused(conn: Connection) -> None:
    row = make_import(conn)

    with pytest.raises(TooLong):
        activities.update_many(conn, [ActivityEdit(row.id, imported="x" * 301)])
