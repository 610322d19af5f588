"""The built-in CRM's to-dos beyond the contract: dates, completion, what recurs."""

from __future__ import annotations

import pytest

from crm import activities, completion
from crm.activityrows import ActivityEdit
from crmsync.errors import CursorExpired, InvalidRecord
from crmsync.ports import NewRecord
from crmsync.records.remote import Remote
from crmsync.storage.database import Database
from tests.contract.benches import TodoBench, todo
from tests.contract.side_contract import (
    Reader,
    edit_of,
    fetched,
    new_key,
    remote_of,
)


@pytest.fixture
def bench(database: Database) -> TodoBench:
    return TodoBench(database)


def made(bench: TodoBench, **values: str) -> Remote:
    record = NewRecord(new_key(), {n: v for n, v in todo(**values).items() if v})
    return remote_of(bench.side.create([record])[0])


def row_of(bench: TodoBench, remote: Remote) -> activities.ActivityRow:
    with bench.database.read() as conn:
        return activities.get(conn, remote.remote_id)


@pytest.mark.rule("TSK-2", "TSK-6")
def test_a_task_comes_in_as_a_timeless_to_do(bench: TodoBench) -> None:
    remote = made(bench, due="2026-02-03")

    row = row_of(bench, remote)
    assert (row.type, row.leader, row.values["start"]) == (
        "todo",
        bench.anna,
        "2026-02-03",
    )


@pytest.mark.rule("TSK-2")
def test_a_task_without_a_date_begins_at_its_creation_and_stays_undated(
    bench: TodoBench,
) -> None:
    remote = made(bench, due="")

    assert "due" not in remote.values
    assert row_of(bench, remote).values["start"] == "2026-01-05"
    bench.edit(remote.remote_id, {"title": "New"})
    assert "due" not in fetched(bench.side, remote.remote_id).values
    bench.edit(remote.remote_id, {"due": "2026-02-01"})
    assert fetched(bench.side, remote.remote_id).values["due"] == "2026-02-01"


@pytest.mark.rule("TSK-2")
def test_a_date_taken_away_in_google_leaves_an_undated_to_do(bench: TodoBench) -> None:
    remote = made(bench, due="2026-02-03")

    now = remote_of(bench.side.update([edit_of(remote, {"due": ""})])[0])

    assert "due" not in now.values
    assert row_of(bench, now).is_undated


@pytest.mark.rule("TSK-2")
def test_a_new_date_moves_a_timed_to_do_by_whole_days_in_the_user_s_zone(
    bench: TodoBench,
) -> None:
    side = bench.new_side(zone="America/New_York")
    one = bench.put({"title": "Call", "due": "2026-03-03T02:30:00Z", "duration": "15"})
    before = fetched(side, one)
    assert before.values["due"] == "2026-03-02T21:30:00"

    now = remote_of(side.update([edit_of(before, {"due": "2026-03-10"})])[0])

    assert now.values["due"] == "2026-03-10T21:30:00"
    assert row_of(bench, now).values["start"] == "2026-03-11T01:30:00Z"
    assert row_of(bench, now).values["duration"] == "15"


@pytest.mark.rule("TSK-4")
def test_completing_and_reopening_go_through_and_stay_visible(
    bench: TodoBench,
) -> None:
    remote = made(bench)
    reader = Reader(bench)
    reader.read()

    done = remote_of(bench.side.update([edit_of(remote, {"done": "yes"})])[0])
    assert done.values["done"] == "yes"
    assert row_of(bench, done).completed_at == bench.clock.now()
    assert [r.values.get("done") for r in Reader(bench).read()] == ["yes"]
    again = remote_of(bench.side.update([edit_of(done, {"done": ""})])[0])

    assert "done" not in again.values
    assert reader.read_by_id()[remote.remote_id].etag == again.etag
    with bench.database.read() as conn:
        assert completion.history(conn) == []


@pytest.mark.rule("TSK-4")
def test_a_completed_task_comes_in_as_completed_once(bench: TodoBench) -> None:
    record = NewRecord(new_key(), todo(done="yes"))

    first = remote_of(bench.side.create([record])[0])
    again = remote_of(bench.side.create([record])[0])

    assert first.values["done"] == "yes"
    assert first.etag == again.etag
    with bench.database.read() as conn:
        assert len(completion.history(conn)) == 1


@pytest.mark.rule("TSK-3")
def test_a_to_do_that_recurs_is_not_selected_and_keeps_its_values(
    bench: TodoBench,
) -> None:
    remote = made(bench)
    bench.put(
        {"title": "Weekly", "due": "2026-02-03", "recurrence": "RRULE:FREQ=DAILY"}
    )
    reader = Reader(bench)
    assert [r.remote_id for r in reader.read()] == [remote.remote_id]

    bench.edit(remote.remote_id, {"recurrence": "RRULE:FREQ=WEEKLY"})

    (now,) = reader.read()
    assert (now.is_selected, now.is_gone, now.record["recurs"]) == (False, False, True)
    assert now.values == remote.values


def test_a_to_do_with_another_leader_is_not_selected(bench: TodoBench) -> None:
    remote = made(bench)
    reader = Reader(bench)
    reader.read()
    with bench.database.write() as conn:
        activities.update_many(conn, [ActivityEdit(remote.remote_id, leader="U9")])

    (now,) = reader.read()

    assert (now.is_selected, now.is_gone, now.record["left"]) == (False, False, True)
    bench.side.delete([remote.remote_id])
    assert not fetched(bench.side, remote.remote_id).is_gone


def test_meetings_are_no_to_dos(bench: TodoBench) -> None:
    with bench.database.write() as conn:
        activities.create(
            conn,
            {"type": "meeting", "start": "2026-01-06T09:00:00Z"},
            leader=bench.anna,
        )

    assert Reader(bench).read() == []


@pytest.mark.rule("TSK-6")
def test_the_section_and_the_link_are_beside_the_notes(bench: TodoBench) -> None:
    side = bench.new_side(url_prefix="https://crm.example/activities/")
    one = bench.put({"title": "Call", "due": "2026-02-03", "ticket": "T-7"})

    remote = fetched(side, one)

    assert remote.values["context"] == "Ticket: T-7\nActivity leader: Anna"
    assert remote.record["url"] == f"https://crm.example/activities/{one}"
    assert "context" not in made(bench).values


@pytest.mark.parametrize(
    ("bad", "field", "says"),
    [
        ({"title": "x" * 65}, "title", "Regarding takes 64 characters"),
        ({"due": "2026-02-30"}, "due", "Date is not a date of the calendar"),
    ],
)
def test_a_refused_to_do_names_its_field_and_stops_no_other(
    bench: TodoBench, bad: dict[str, str], field: str, says: str
) -> None:
    records = [NewRecord(new_key(), todo()), NewRecord(new_key(), todo(**bad))]

    outcomes = bench.side.create(records)

    error = outcomes[1].error
    assert isinstance(error, InvalidRecord)
    assert error.fields == (field,)
    assert says in error.message
    assert outcomes[0].error is None


@pytest.mark.rule("ENG-10")
@pytest.mark.parametrize("count", [200, 201])
def test_many_to_dos_come_in_pages(bench: TodoBench, count: int) -> None:
    with bench.database.write() as conn:
        new = activities.NewActivity(
            {"type": "todo", "start": "2026-02-03"}, bench.anna
        )
        ids = {row.id for row in activities.create_many(conn, [new] * count)}

    pages = list(bench.side.read(None))

    assert {r.remote_id for page in pages for r in page.records} == ids
    assert [page.cursor is None for page in pages] == [True, False]
    with pytest.raises(CursorExpired):
        list(bench.new_side(crm_user_id="U9").read(pages[-1].cursor))
