"""The task list's side over HTTP, against a stand-in written from the contract."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from crmsync.connectors.google.adapter import GoogleHttp
from crmsync.connectors.google.faults import TASKS_JUDGE
from crmsync.connectors.google.tasks import GoogleTasks, TasksOptions
from crmsync.connectors.transport import Transport
from crmsync.errors import (
    CollectionGone,
    CursorExpired,
    EtagMismatch,
    InvalidRecord,
    NotFound,
    OutcomeUnknown,
    ProtocolBroken,
    ProviderDown,
    RateLimited,
)
from crmsync.ports import Edit, NewRecord
from crmsync.records.remote import Remote
from crmsync.records.tasks import FIELDS
from crmsync.records.values import FieldTable
from tests.integration.google.conftest import FixedTokens, Shifted
from tests.integration.google.planning import new_key, remote_of
from tests.standin.agenda import Refused
from tests.standin.planner import Planner

LINK = "https://crm.example/activities/"
RATE = Refused(403, "rateLimitExceeded", domain="usageLimits")
ASSIGNED = {"assignmentInfo": {"surfaceType": "DOCUMENT"}}


@dataclass
class Board:
    """One user's task list: the stand-in, a person's hand on it, and our side."""

    planner: Planner
    clock: Shifted
    transport: Transport

    def __post_init__(self) -> None:
        self.side = self.new_side()
        self.hand = self.planner.todo

    def new_side(self, list_id: str = "@default") -> GoogleTasks:
        http = GoogleHttp(
            self.transport, FixedTokens(["good"]), api="tasks", judge=TASKS_JUDGE
        )
        return GoogleTasks(
            http,
            self.planner.root,
            table=FieldTable(FIELDS),
            clock=self.clock,
            options=TasksOptions(list_id, LINK),
        )

    def read(self, cursor: str | None = None) -> tuple[dict[str, Remote], str]:
        pages = list(self.side.read(cursor))
        assert pages[-1].cursor
        assert not any(page.cursor for page in pages[:-1])
        found = {r.remote_id: r for page in pages for r in page.records}
        return found, pages[-1].cursor

    def fetched(self, name: str) -> Remote:
        return self.side.fetch([name])[name]


@pytest.fixture
def board(clock: Shifted, transport: Transport) -> Iterator[Board]:
    with Planner() as planner:
        yield Board(planner, clock, transport)


def new_task(**values: str) -> NewRecord:
    return NewRecord(new_key(), {"title": "Call", **values})


def edit_of(remote: Remote, **values: str) -> Edit:
    return Edit(remote.remote_id, remote.etag, remote.values, values, remote.values)


# ------------------------------------------------------------------ reading


@pytest.mark.rule("TSK-4", "ENG-10")
def test_all_tasks_are_read_completed_and_hidden_ones_too(board: Board) -> None:
    names = {board.hand.put(title=f"t{n}") for n in range(210)}
    hidden = board.hand.put(status="completed", hidden=True)
    board.hand.remove(board.hand.put())
    board.hand.put(**ASSIGNED)

    found, _ = board.read()

    assert found.keys() == names | {hidden}
    assert found[hidden].values["done"] == "yes"
    assert board.side.requests == 3


@pytest.mark.rule("ENG-1")
def test_a_read_without_changes_is_one_request(board: Board) -> None:
    board.hand.put()
    cursor = board.read()[1]
    before = board.side.requests

    board.read(cursor)

    assert board.side.requests == before + 1


@pytest.mark.rule("TSK-4")
def test_changes_and_tombstones_come_after_the_cursor(board: Board) -> None:
    old = board.hand.put()
    cursor = board.read()[1]
    new = board.hand.put(title="new")
    board.hand.remove(old)

    found, later = board.read(cursor)

    assert found[new].values["title"] == "new"
    assert found[old].is_gone
    assert board.fetched(old).is_gone
    assert board.read(later)[1] == later


def test_an_empty_list_is_read_and_its_first_task_found(board: Board) -> None:
    found, cursor = board.read()

    assert found == {}
    name = board.hand.put()
    assert board.read(cursor)[0].keys() == {name}


@pytest.mark.rule("ENG-4")
def test_a_cursor_expires_each_week_and_with_the_list(board: Board) -> None:
    board.hand.put()
    cursor = board.read()[1]

    for text in ("", "{}", "nonsense"):
        with pytest.raises(CursorExpired):
            list(board.side.read(text))
    with pytest.raises(CursorExpired):
        list(board.new_side("other").read(cursor))
    board.clock.by += timedelta(days=7, hours=1)
    with pytest.raises(CursorExpired):
        list(board.side.read(cursor))


@pytest.mark.rule("TSK-5")
def test_another_list_may_be_chosen(board: Board) -> None:
    name = board.planner.other.put(title="there")
    board.side = board.new_side("other")

    assert board.read()[0].keys() == {name}


@pytest.mark.rule("ENG-4")
def test_a_missing_list_is_looked_for_twice(board: Board) -> None:
    board.planner.fail("GET /tasks", Refused(404, "notFound"))
    assert board.read()[0] == {}

    board.hand.is_gone = True

    with pytest.raises(CollectionGone):
        board.read()


@pytest.mark.rule("TSK-4")
@pytest.mark.parametrize("keeps_id", [True, False])
def test_a_task_that_was_moved_to_another_list_has_left_and_is_not_deleted(
    board: Board, keeps_id: bool
) -> None:
    made = remote_of(board.side.create([new_task()])[0])
    cursor = board.read()[1]
    task = board.hand.get(made.remote_id)
    if keeps_id:
        board.planner.other.store(task)
        del board.hand.tasks[made.remote_id]
    else:
        board.planner.other.put(title=task["title"], notes=task["notes"])
        board.hand.remove(made.remote_id)

    now = board.fetched(made.remote_id)

    assert not now.is_gone
    assert not now.is_selected
    if not keeps_id:
        shown = board.read(cursor)[0][made.remote_id]
        assert not shown.is_gone
        assert not shown.is_selected


def test_a_list_needs_no_opening_and_has_no_selection(board: Board) -> None:
    before = board.side.requests

    assert board.side.open({"a": "b"}, verify=True, may_write=True).memo == {"a": "b"}
    assert [o.error for o in board.side.select(["x"])] == [None]
    assert [o.error for o in board.side.deselect(["x", "y"])] == [None, None]
    assert board.side.create([]) == []
    assert board.side.requests == before
    remote = board.fetched(board.hand.put())
    assert board.side.project(remote, None) == remote.values
    assert timedelta(minutes=6) < board.side.skew < timedelta(minutes=8)


def test_a_list_that_vanishes_between_two_pages_is_not_taken_for_empty(
    board: Board,
) -> None:
    for _ in range(101):
        board.hand.put()
    pages = board.side.read(None)
    next(pages)
    board.hand.is_gone = True

    with pytest.raises(ProtocolBroken):
        next(pages)


def test_a_fault_while_looking_is_no_absence(board: Board) -> None:
    board.planner.fail("GET /tasks", Refused(503, "backendError"), times=99)

    with pytest.raises(ProviderDown):
        board.side.fetch(["t1"])


# ------------------------------------------------------------------ create


@pytest.mark.rule("TSK-6")
def test_creates_are_answered_in_order_with_key_and_link(board: Board) -> None:
    records = [new_task(title=f"t{n}", due="2026-11-24") for n in range(5)]

    remotes = [remote_of(outcome) for outcome in board.side.create(records)]

    assert [r.values["title"] for r in remotes] == [f"t{n}" for n in range(5)]
    assert [r.key for r in remotes] == [record.key for record in records]
    notes = board.hand.get(remotes[0].remote_id)["notes"]
    assert notes.startswith(f"{LINK}A")
    assert notes.endswith(f"\n[crm-sync:{records[0].key}]")
    assert remotes[0].values["notes"] == ""


@pytest.mark.rule("ENG-2")
def test_a_create_whose_answer_was_lost_is_found_when_it_comes_again(
    board: Board,
) -> None:
    record = new_task()
    board.planner.lose("POST /tasks")

    first = board.side.create([record])[0]
    again = remote_of(board.side.create([record])[0])

    assert isinstance(first.error, OutcomeUnknown)
    assert again.key == record.key
    assert len(board.hand.tasks) == 1


@pytest.mark.rule("ENG-2")
def test_a_lost_create_is_sent_once(board: Board) -> None:
    board.planner.lose("POST /tasks")

    board.side.create([new_task(), new_task()])

    posts = [m for m, path, _ in board.planner.parts if m == "POST"]
    assert len(posts) == 2
    assert len(board.hand.tasks) == 2


@pytest.mark.rule("ENG-2")
def test_a_create_that_comes_again_is_found_among_many_tasks(board: Board) -> None:
    record = new_task()
    made = remote_of(board.side.create([record])[0])
    for _ in range(150):
        board.hand.put()

    assert remote_of(board.side.create([record])[0]).remote_id == made.remote_id


@pytest.mark.rule("ENG-2")
def test_a_known_key_is_answered_even_if_deleted(board: Board) -> None:
    record = new_task()
    made = remote_of(board.side.create([record])[0])
    board.hand.remove(made.remote_id)

    again = remote_of(board.side.create([record])[0])

    assert again.is_gone
    assert again.remote_id == made.remote_id


@pytest.mark.rule("ENG-8")
def test_one_to_do_that_is_no_task_does_not_cost_the_others(board: Board) -> None:
    first, second, third = board.side.create(
        [new_task(), new_task(notes="x" * 9000), new_task()]
    )

    assert isinstance(second.error, InvalidRecord)
    assert remote_of(first).remote_id != remote_of(third).remote_id


@pytest.mark.rule("ENG-8")
def test_a_used_up_quota_ends_the_call_and_keeps_what_was_done(board: Board) -> None:
    board.planner.fail("POST /tasks", RATE, times=99)
    with pytest.raises(RateLimited):
        board.side.create([new_task()])
    board.planner.forgive()
    made = remote_of(board.side.create([new_task()])[0])
    other = board.hand.put()
    board.planner.fail(f"PATCH /tasks/v1/lists/@default/tasks/{other}", RATE, times=99)

    first, second = board.side.update(
        [edit_of(made, title="a"), edit_of(board.fetched(other), title="b")]
    )

    assert remote_of(first).values["title"] == "a"
    assert isinstance(second.error, RateLimited)


# ------------------------------------------------------------------ update, delete


@pytest.mark.rule("TSK-4")
def test_a_task_is_renamed_dated_completed_and_reopened(board: Board) -> None:
    name = board.hand.put(title="Call", links=[{"type": "email"}], parent="p")
    remote = board.fetched(name)

    done = remote_of(
        board.side.update(
            [edit_of(remote, title="Ring", due="2026-12-01", done="yes")]
        )[0]
    )
    reopened = remote_of(board.side.update([edit_of(done, done="", due="")])[0])

    assert done.values == {
        "title": "Ring", "due": "2026-12-01", "done": "yes", "notes": "",
        "context": "",
    }  # fmt: skip
    assert reopened.values["done"] == ""
    task: dict[str, Any] = board.hand.get(name)
    assert "completed" not in task
    assert "due" not in task
    assert (task["links"], task["parent"]) == ([{"type": "email"}], "p")


@pytest.mark.rule("ENG-3")
def test_an_edit_of_another_version_is_answered_with_it(board: Board) -> None:
    remote = board.fetched(board.hand.put(title="Call"))
    board.hand.change(remote.remote_id, title="By hand")

    outcome = board.side.update([edit_of(remote, due="2026-12-01")])[0]

    assert isinstance(outcome.error, EtagMismatch)
    assert outcome.remote is not None
    assert outcome.remote.values["title"] == "By hand"
    assert "due" not in board.hand.get(remote.remote_id)


@pytest.mark.rule("ENG-3")
def test_a_change_of_what_is_not_ours_is_no_conflict(board: Board) -> None:
    remote = board.fetched(board.hand.put(title="Call"))
    board.hand.change(remote.remote_id, position="00000000000000000007")

    after = remote_of(board.side.update([edit_of(remote, title="Ring")])[0])

    assert after.values["title"] == "Ring"


@pytest.mark.rule("ENG-3")
def test_an_update_of_a_deleted_task_finds_none(board: Board) -> None:
    remote = board.fetched(board.hand.put())
    board.hand.remove(remote.remote_id)

    assert isinstance(
        board.side.update([edit_of(remote, title="x")])[0].error, NotFound
    )


@pytest.mark.rule("TSK-4")
def test_a_deletion_is_repeatable_and_spares_assigned_tasks(board: Board) -> None:
    name, assigned = board.hand.put(), board.hand.put(**ASSIGNED)

    first = board.side.delete([name, assigned, "neverwas"])
    again = board.side.delete([name])

    assert [o.error is None for o in (*first, *again)] == [True, False, True, True]
    assert board.hand.get(name)["deleted"]
    assert "deleted" not in board.hand.get(assigned)
    refused = board.side.update([edit_of(board.fetched(assigned), title="x")])[0]
    assert isinstance(refused.error, InvalidRecord)
    assert not [m for m, p, _ in board.planner.writes() if assigned in p]


@pytest.mark.rule("ENG-3", "ENG-11")
def test_only_the_version_that_was_looked_at_is_deleted(board: Board) -> None:
    remotes = [board.fetched(board.hand.put()) for _ in range(2)]
    etags = {remote.remote_id: remote.etag for remote in remotes}
    edited, plain = etags
    board.hand.change(edited, title="By hand")

    first, second = board.side.delete([edited, plain], etags=etags)

    assert isinstance(first.error, EtagMismatch)
    assert second.error is None
    assert "deleted" not in board.hand.get(edited)
    assert board.hand.get(plain)["deleted"]


def test_many_tasks_are_written_in_few_requests(board: Board) -> None:
    names = [board.hand.put(title=f"t{n}") for n in range(60)]
    remotes = board.side.fetch(names)
    before = board.side.requests

    outcomes = board.side.update(
        [edit_of(remotes[name], due="2026-12-01") for name in names]
    )

    assert all(remote_of(o).values["due"] == "2026-12-01" for o in outcomes)
    assert board.side.requests == before + 4
    assert board.side.quota_units >= 120
