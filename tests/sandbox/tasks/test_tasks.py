"""Tasks and task lists, as strict as section 6 of the contract."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.client import legacy_refusal
from tests.sandbox.harness import Json, SandboxServer
from tests.sandbox.tasks.client import ToDo

INVALID = (400, "invalid")
MISSING = (404, "notFound")


@pytest.mark.point("T-1")
def test_a_new_task_has_what_google_adds(anna: ToDo) -> None:
    made = anna.insert({"title": "Call", "notes": "n"})

    assert made["status"] == "needsAction"
    assert made["selfLink"].endswith(f"/tasks/{made['id']}")
    assert made["webViewLink"].startswith("https://")
    assert len(made["updated"]) == len("2026-03-02T09:00:00.000Z")
    assert not made.keys() & {"due", "completed", "deleted", "hidden", "parent"}
    assert anna.get(made["id"]) == made


@pytest.mark.point("P-23")
@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2026-03-02T00:00:00.000Z", "2026-03-02"),
        ("2026-03-02T23:59:59Z", "2026-03-02"),
        ("2026-03-02T23:00:00-05:00", "2026-03-03"),
        ("2026-03-02T00:30:00+02:00", "2026-03-01"),
    ],
)
def test_only_the_date_of_due_is_kept(anna: ToDo, given: str, kept: str) -> None:
    made = anna.insert({"title": "Call", "due": given})

    assert made["due"] == f"{kept}T00:00:00.000Z"


@pytest.mark.point("T-2")
@pytest.mark.parametrize(
    "body",
    [
        {"title": "x" * 1025},
        {"notes": "x" * 8193},
        {"due": "2026-03-02"},
        {"due": "tomorrow"},
        {"status": "done"},
        {"status": "completed", "completed": "yesterday"},
        {"nonsense": 1},
    ],
)
def test_what_does_not_fit_is_refused(anna: ToDo, body: Json) -> None:
    assert anna.refused("insert", body) == INVALID
    assert anna.insert({"title": "x" * 1024, "notes": "y" * 8192})["id"]


@pytest.mark.point("P-23")
def test_a_task_is_put_first_or_where_it_is_told(anna: ToDo) -> None:
    one = anna.insert({"title": "1"})["id"]
    two = anna.insert({"title": "2"})["id"]
    three = anna.insert({"title": "3"}, previous=one)["id"]
    four = anna.insert({"title": "4"}, previous=two)["id"]

    assert anna.ids() == [two, four, one, three]
    assert anna.refused("insert", {"title": "5"}, previous="nobody") == INVALID


@pytest.mark.point("P-23")
def test_pages_are_of_twenty_and_never_of_more_than_a_hundred(anna: ToDo) -> None:
    tasks = [{"title": f"T{n}"} for n in range(230)]
    anna.box.control("POST", f"/accounts/{anna.email}/tasks", {"tasks": tasks})

    assert len(anna.page()["items"]) == 20
    assert len(anna.page(maxResults=100)["items"]) == 100
    assert anna.refused("page", maxResults=101) == INVALID
    assert len({task["id"] for task in anna.all(maxResults=100)}) == 230
    token = anna.page()["nextPageToken"]
    assert anna.refused("page", pageToken=token, showHidden=True) == INVALID
    assert "nextSyncToken" not in anna.page(maxResults=100)


@pytest.mark.point("P-28")
def test_an_empty_list_has_no_items(anna: ToDo) -> None:
    assert "items" not in anna.page()


# ---------------------------------------------------------------- flags


@pytest.mark.point("P-23")
def test_what_is_shown_unless_asked_for_more(anna: ToDo, box: SandboxServer) -> None:
    open_ = anna.insert({"title": "open"})["id"]
    done = anna.insert({"title": "done", "status": "completed"})["id"]
    in_app = anna.insert({"title": "in the app"})["id"]
    box.act_on_task(anna.email, in_app, "complete")
    dead = anna.insert({"title": "dead"})["id"]
    anna.delete(dead)
    given = box.create_task(anna.email, {"title": "doc", "assigned": "DOCUMENT"})["id"]

    def shown(**flags: bool) -> set[str]:
        return set(anna.ids(**flags))

    assert shown() == {open_, done}
    assert shown(showCompleted=False) == {open_}
    assert shown(showHidden=True) == {open_, done, in_app}
    assert shown(showHidden=True, showCompleted=False) == {open_}
    assert shown(showDeleted=True) == {open_, done, dead}
    assert shown(showAssigned=True) == {open_, done, given}
    assert anna.get(in_app)["hidden"] is True
    assert anna.everything()[dead]["deleted"] is True


@pytest.mark.point("T-3")
def test_completing_and_reopening(anna: ToDo, box: SandboxServer) -> None:
    key = anna.insert({"title": "Call"})["id"]

    done = anna.patch(key, {"status": "completed"})
    half = anna.patch(key, {"status": "needsAction"})
    open_ = anna.patch(key, {"completed": None})

    assert done["completed"] == done["updated"]
    assert "hidden" not in done
    assert half["completed"] == done["completed"]
    assert "completed" not in open_
    anna.patch(key, {"status": "completed"})
    box.switch(reopening_clears_completed=True)
    assert "completed" not in anna.patch(key, {"status": "needsAction"})
    at = {"status": "completed", "completed": "2026-03-02T10:00:00Z"}
    assert anna.patch(key, at)["completed"] == "2026-03-02T10:00:00.000Z"


@pytest.mark.point("T-3")
def test_clearing_hides_what_is_completed(anna: ToDo) -> None:
    open_ = anna.insert({"title": "open"})["id"]
    done = anna.insert({"title": "done", "status": "completed"})["id"]

    assert anna.api.clear(tasklist="@default").execute() == ""

    assert anna.ids() == [open_]
    assert anna.get(done)["hidden"] is True
    assert "deleted" not in anna.get(done)
    again = anna.patch(done, {"status": "needsAction", "completed": None})
    assert "hidden" not in again


@pytest.mark.point("T-4")
def test_patch_keeps_and_put_wipes(anna: ToDo, box: SandboxServer) -> None:
    body = {"title": "Call", "notes": "n", "due": "2026-03-02T00:00:00Z"}
    key = anna.insert(body)["id"]

    patched = anna.patch(key, {"title": "Phone", "due": None})
    assert (patched["title"], patched["notes"]) == ("Phone", "n")
    assert "due" not in patched
    assert anna.refused("update", key, {"title": "X"}) == (400, "required")
    assert anna.refused("update", key, {"id": "other", "title": "X"}) == INVALID
    put = anna.update(key, {"id": key, "title": "X"})
    assert "notes" not in put
    box.switch(task_put_needs_id=False)
    assert anna.update(key, {"title": "Y"})["title"] == "Y"


@pytest.mark.point("T-4")
def test_every_edit_has_an_etag_and_none_changes_nothing(
    anna: ToDo, box: SandboxServer
) -> None:
    made = anna.insert({"title": "Call"})

    assert anna.patch(made["id"], {"title": "Call"}) == made
    etags = {anna.patch(made["id"], {"title": f"{n}"})["etag"] for n in range(10)}
    assert len(etags) == 10
    box.switch(tasks_same_updated=60.0)
    seen = {anna.patch(made["id"], {"title": f"s{n}"})["updated"] for n in range(3)}
    assert len(seen) == 1


@pytest.mark.point("T-5")
def test_deleting_takes_subtasks_along_and_happens_once(
    anna: ToDo, box: SandboxServer
) -> None:
    key = anna.insert({"title": "Parent"})["id"]
    child = anna.insert({"title": "Child"}, parent=key)["id"]

    assert anna.delete(key) == ""

    assert anna.everything()[child]["deleted"] is True
    assert anna.refused("delete", key) == MISSING
    assert anna.refused("patch", key, {"title": "X"}) == MISSING
    assert anna.refused("delete", "nobody") == MISSING
    box.switch(dead_tasks="tolerated")
    assert anna.delete(key) == ""
    assert "deleted" not in anna.patch(key, {"deleted": False})
    box.switch(dead_tasks="missing")
    assert anna.patch(key, {"deleted": True})["deleted"] is True
    box.advance(31 * 86_400)
    assert key not in anna.everything()


# ---------------------------------------------------------------- watermark


@pytest.mark.point("T-6")
def test_changes_since_a_time(anna: ToDo, box: SandboxServer) -> None:
    one = anna.insert({"title": "1"})
    box.advance(1)
    two = anna.insert({"title": "2"})
    box.advance(1)
    anna.delete(one["id"])

    assert anna.everything(updatedMin=two["updated"]).keys() == {one["id"]}
    box.switch(tasks_updated_min_inclusive=True)
    both = {one["id"], two["id"]}
    assert anna.everything(updatedMin=two["updated"]).keys() == both
    assert anna.refused("page", updatedMin="yesterday") == INVALID


@pytest.mark.point("T-12")
def test_lists_may_be_late(anna: ToDo, box: SandboxServer) -> None:
    old = anna.insert({"title": "Old"})["id"]
    box.switch(tasks_delay=60.0)
    anna.patch(old, {"title": "New"})
    fresh = anna.insert({"title": "Fresh"})["id"]

    assert [task["title"] for task in anna.all()] == ["Old"]
    assert anna.get(old)["title"] == "New"
    box.advance(61)
    assert {task["title"] for task in anna.all()} == {"New", "Fresh"}
    anna.delete(fresh)
    box.settle(anna.email)
    assert [task["title"] for task in anna.all()] == ["New"]


@pytest.mark.point("T-6")
def test_bounds_of_due_and_completed(anna: ToDo) -> None:
    early = anna.insert({"title": "1", "due": "2026-03-02T00:00:00Z"})["id"]
    late = anna.insert({"title": "2", "due": "2026-03-05T00:00:00Z"})["id"]
    anna.insert({"title": "3"})
    at = {"status": "completed", "completed": "2026-03-02T10:00:00Z"}
    done = anna.insert({"title": "4", **at})["id"]

    assert anna.ids(dueMin="2026-03-05T00:00:00Z") == [late]
    assert anna.ids(dueMax="2026-03-05T00:00:00Z") == [early]
    day = {"completedMin": "2026-03-02T00:00:00Z"}
    assert anna.ids(completedMax="2026-03-03T00:00:00Z", **day) == [done]


@pytest.mark.point("T-6")
def test_an_edit_of_a_task_need_not_move_its_list(
    anna: ToDo, box: SandboxServer
) -> None:
    def stamp() -> str:
        return str(anna.lists.get(tasklist="@default").execute()["updated"])

    before = stamp()
    box.advance(1)
    anna.insert({"title": "1"})
    assert stamp() == before
    box.switch(tasklist_updated_follows=True)
    anna.insert({"title": "2"})
    assert stamp() > before


# ---------------------------------------------------------------- moves


@pytest.mark.point("T-7")
def test_moves_within_a_list(anna: ToDo) -> None:
    one, two, three = (anna.insert({"title": t})["id"] for t in "abc")
    before = {key: anna.get(key)["updated"] for key in (one, two)}
    anna.box.advance(1)

    anna.move(three, previous=one)

    assert anna.ids() == [two, one, three]
    assert {key: anna.get(key)["updated"] for key in (one, two)} == before
    assert anna.move(two, parent=one)["parent"] == one
    assert anna.refused("move", three, parent=two) == INVALID
    assert anna.refused("move", one, parent=three) == INVALID
    assert anna.refused("move", three, parent="nobody") == INVALID
    assert "parent" not in anna.move(two)
    for _ in range(60):
        anna.move(two, previous=one)
        anna.move(three, previous=one)
    assert anna.ids() == [one, three, two]


@pytest.mark.point("T-7")
@pytest.mark.parametrize("is_kept", [False, True])
def test_a_move_to_another_list(anna: ToDo, box: SandboxServer, is_kept: bool) -> None:
    box.switch(move_keeps_task_id=is_kept)
    other = box.new_tasklist(anna.email, "Other")["id"]
    key = anna.insert({"title": "Parent"})["id"]
    anna.insert({"title": "Child"}, parent=key)

    moved = anna.move(key, destinationTasklist=other)

    assert (moved["id"] == key) is is_kept
    assert len(anna.all(other)) == 2
    assert anna.all() == []
    assert (key in anna.everything()) is not is_kept
    assert anna.refused("move", key, destinationTasklist="nowhere")[0] in (400, 404)


@pytest.mark.point("P-24")
def test_assigned_tasks_are_restricted(anna: ToDo, box: SandboxServer) -> None:
    doc = {"title": "Read", "assigned": "DOCUMENT"}
    key = box.create_task(anna.email, doc)["id"]
    plain = anna.insert({"title": "Plain"})["id"]

    assert anna.get(key)["assignmentInfo"]["surfaceType"] == "DOCUMENT"
    assert anna.refused("patch", key, {"notes": "n"}) == INVALID
    assert anna.refused("patch", key, {"deleted": True}) == INVALID
    assert anna.refused("move", plain, parent=key) == INVALID
    assert anna.refused("move", key, parent=plain) == INVALID
    assert anna.patch(key, {"status": "completed"})["status"] == "completed"
    assert anna.delete(key) == ""


@pytest.mark.point("P-24")
def test_a_repeating_task_makes_another_when_completed(
    anna: ToDo, box: SandboxServer
) -> None:
    due = "2026-03-02T00:00:00Z"
    key = box.create_task(anna.email, {"title": "Pay", "due": due, "every": 7})["id"]
    other = box.new_tasklist(anna.email, "Other")["id"]
    plain = anna.insert({"title": "Plain"})["id"]

    assert anna.refused("move", key, destinationTasklist=other) == INVALID
    assert anna.refused("move", plain, parent=key) == INVALID
    anna.patch(key, {"status": "completed"})

    fresh = [t for t in anna.all(showCompleted=False) if t["id"] != plain]
    assert [t["due"][:10] for t in fresh] == ["2026-03-09"]
    assert fresh[0]["id"] != key
    box.act_on_task(anna.email, fresh[0]["id"], "complete")
    assert len(anna.all(showCompleted=False)) == 2


@pytest.mark.point("P-24")
def test_a_hidden_task_is_nobodys_parent_and_moves_only_to_the_top(
    anna: ToDo, box: SandboxServer
) -> None:
    key = anna.insert({"title": "Done"})["id"]
    plain = anna.insert({"title": "Plain"})["id"]
    box.act_on_task(anna.email, key, "complete")

    assert anna.refused("insert", {"title": "X"}, parent=key) == INVALID
    assert anna.refused("insert", {"title": "X"}, previous=key) == INVALID
    assert anna.refused("move", key, previous=plain) == INVALID
    assert anna.move(key)["id"] == key


# ---------------------------------------------------------------- lists


@pytest.mark.point("T-8")
def test_task_lists(anna: ToDo, box: SandboxServer) -> None:
    (default,) = anna.lists.list().execute()["items"]
    made = anna.lists.insert(body={"title": "CRM"}).execute()
    key = made["id"]

    assert anna.lists.get(tasklist="@default").execute()["id"] == default["id"]
    patched = anna.lists.patch(tasklist=key, body={"title": "New"}).execute()
    assert (patched["title"], patched["etag"] != made["etag"]) == ("New", True)
    bare = anna.lists.update(tasklist=key, body={"title": "Put"})
    assert legacy_refusal(bare.execute) == (400, "required")
    anna.insert({"title": "Task"}, key)
    page = anna.lists.list(maxResults=1).execute()
    rest = anna.lists.list(maxResults=1, pageToken=page["nextPageToken"]).execute()
    assert rest["items"][0]["id"] == key
    assert anna.lists.delete(tasklist=key).execute() == ""
    assert anna.refused("page", key) == MISSING
    refused = legacy_refusal(anna.lists.delete(tasklist="@default").execute)
    assert refused == INVALID
    assert legacy_refusal(anna.lists.insert(body={}).execute) == (400, "required")
    for n in range(25):
        box.new_tasklist(anna.email, f"L{n}")
    assert len(anna.lists.list().execute()["items"]) == 26
    box.switch(old_tasklist_pages=True)
    assert len(anna.lists.list().execute()["items"]) == 20


@pytest.mark.point("T-9")
def test_limits(anna: ToDo, box: SandboxServer) -> None:
    over = (403, "quotaExceeded")
    parent = anna.insert({"title": "1"})["id"]
    anna.insert({"title": "2"}, parent=parent)

    box.switch(subtasks_per_task=1)
    assert anna.refused("insert", {"title": "3"}, parent=parent) == over
    box.switch(tasks_per_list=2)
    assert anna.refused("insert", {"title": "3"}) == over
    anna.patch(parent, {"status": "completed"})
    anna.api.clear(tasklist="@default").execute()
    assert anna.insert({"title": "3"})["id"]
    box.switch(tasks_per_list=20, tasks_in_all=3)
    assert anna.refused("insert", {"title": "4"}) == over
    box.switch(task_lists=1)
    refused = legacy_refusal(anna.lists.insert(body={"title": "X"}).execute)
    assert refused == over
    box.switch(tasks_per_day=1)
    box.reset_quotas()
    anna.page()
    assert anna.refused("page") == (403, "dailyLimitExceeded")
    box.advance(86_401)
    assert anna.page()["kind"] == "tasks#tasks"


# ---------------------------------------------------------------- transport


@pytest.mark.point("P-25", "T-10")
@pytest.mark.parametrize("address", ["/batch", "/batch/tasks/v1"])
def test_batches(anna: ToDo, address: str) -> None:
    from googleapiclient.http import BatchHttpRequest

    keys = [anna.insert({"title": f"T{n}"})["id"] for n in range(12)]
    batch = BatchHttpRequest(batch_uri=anna.box.url + address)
    for key in keys:
        batch.add(anna.api.delete(tasklist="@default", task=key))

    batch.execute(http=anna.service._http)

    assert anna.all() == []
    ran = anna.box.requests(account=anna.email, batch="true")
    order = [r["path"].rpartition("/")[2] for r in ran]
    assert sorted(order) == sorted(keys)
    assert order != keys
    assert "%40default" in ran[0]["path"]


@pytest.mark.point("P-27")
def test_scopes(new_todo: Callable[..., ToDo]) -> None:
    todo = new_todo("https://www.googleapis.com/auth/tasks.readonly")

    assert todo.page()["kind"] == "tasks#tasks"
    assert todo.refused("insert", {"title": "X"}) == (403, "insufficientPermissions")


@pytest.mark.point("P-1")
def test_a_lost_answer_to_an_insert_makes_two(anna: ToDo, box: SandboxServer) -> None:
    box.fault("close_after", method="POST", account=anna.email, count=1)

    anna.insert({"title": "Call"})

    assert [task["title"] for task in anna.all()] == ["Call", "Call"]


@pytest.mark.point("P-21")
@pytest.mark.parametrize("code", [403, 429, 500, 503])
def test_faults_have_the_older_shape(anna: ToDo, box: SandboxServer, code: int) -> None:
    box.fault({"type": "status", "code": code}, account=anna.email, count=1)

    assert anna.refused("page")[0] == code
    assert anna.page()["kind"] == "tasks#tasks"


@pytest.mark.point("S-12")
def test_a_restart_forgets_nothing_of_the_tasks(tmp_path: Path) -> None:
    options = ("--account", "anna@x.example", "--quota", "off")
    with SandboxServer(*options, data=tmp_path) as box:
        anna = ToDo(box, "anna@x.example")
        key = anna.insert({"title": "Call", "due": "2026-03-02T00:00:00Z"})["id"]
        child = anna.insert({"title": "Sub"}, parent=key)["id"]
        dead = anna.insert({"title": "Dead"})["id"]
        anna.delete(dead)
        before: dict[str, Any] = anna.everything()
        anna.close()

        box.restart()

        anna = ToDo(box, "anna@x.example")
        assert anna.everything() == before
        assert anna.get(child)["parent"] == key
        anna.close()


@pytest.mark.point("T-11")
def test_the_hand(anna: ToDo, box: SandboxServer) -> None:
    key = box.create_task(anna.email, {"title": "By hand"})["id"]
    link = {"type": "email", "link": "https://mail.x.example", "description": "Mail"}
    linked = box.create_task(anna.email, {"title": "Mail", "links": [link]})["id"]

    box.edit_task(anna.email, key, {"notes": "more"})
    assert anna.get(key)["notes"] == "more"
    assert anna.get(linked)["links"] == [link]
    box.act_on_task(anna.email, key, "complete")
    box.act_on_task(anna.email, key, "reopen")
    assert "completed" not in anna.get(key)
    box.act_on_task(anna.email, linked, "move", parent=key)
    assert anna.get(linked)["parent"] == key
    anna.patch(key, {"status": "completed"})
    box.clear_tasks(anna.email)
    assert anna.get(key)["hidden"] is True
    box.delete_task(anna.email, key)
    assert box.tasks(anna.email) == []
    assert len(box.tasks(anna.email, deleted="true")) == 2
    assert [found["title"] for found in box.tasklists(anna.email)] == ["My Tasks"]
