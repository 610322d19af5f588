"""To-dos and tasks over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from crm import completion
from crm.common import Author
from tests.sandbox.harness import SandboxServer
from tests.support.office import Office, at
from tests.support.product import Product

ANNA = "anna@shop.example"

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
def office(product: Product, box: SandboxServer) -> Office:
    return Office(product, box)


def sync(office: Office, rounds: int = 2) -> None:
    for _ in range(rounds):
        office.cycle(office.users[ANNA], "tasks")


def todo(office: Office, **values: str) -> str:
    day = {} if "T" in values["start"] else {"duration": "1440"}
    return office.plan(ANNA, type="todo", **day, **values)


def tasks(office: Office) -> dict[str, dict[str, Any]]:
    found = office.box.tasks(ANNA)
    return {t["title"]: t for t in found if not t.get("deleted")}


def titles(office: Office) -> dict[str, Any]:
    return {
        row.values["subject"]: row for row in office.agenda(ANNA) if row.type == "todo"
    }


@pytest.mark.rule("TSK-1", "TSK-6")
def test_to_dos_and_tasks_are_made_on_the_other_side(office: Office) -> None:
    office.hire(ANNA)
    made = todo(office, subject="Call Jo", notes="About the offer", start=at()[:10])
    office.box.create_task(ANNA, {"title": "Buy stamps", "notes": "Ten"})
    sync(office)

    task = tasks(office)["Call Jo"]
    assert task["due"] == f"{at()[:10]}T00:00:00.000Z"
    assert task["notes"].startswith("About the offer")
    assert f"/activities/{made}" in task["notes"]
    assert task["notes"].splitlines()[-1].startswith("[crm-sync:")
    assert titles(office)["Buy stamps"].values["notes"] == "Ten"
    assert office.activity(made).values["notes"] == "About the offer"


@pytest.mark.rule("TSK-1")
def test_equal_title_and_date_are_linked(office: Office) -> None:
    office.box.account(ANNA)
    office.box.create_task(ANNA, {"title": "Call Jo", "due": f"{at()[:10]}T00:00:00Z"})
    office.box.create_task(ANNA, {"title": "Call Jo", "due": f"{at(1)[:10]}T00:00:00Z"})
    office.product.app.crm.ensure_user(ANNA, "Anna")
    todo(office, subject="Call Jo", start=at()[:10])
    office.hire(ANNA)
    sync(office)

    rows = [row for row in office.agenda(ANNA) if row.type == "todo"]
    assert sorted(row.values["start"] for row in rows) == [at()[:10], at(1)[:10]]
    assert len([t for t in office.box.tasks(ANNA) if not t.get("deleted")]) == 2


@pytest.mark.rule("TSK-2")
def test_a_new_date_moves_a_timed_to_do_by_whole_days(office: Office) -> None:
    office.hire(ANNA)
    made = todo(office, subject="Call Jo", start=at())
    sync(office)
    task = tasks(office)["Call Jo"]

    office.box.edit_task(ANNA, task["id"], {"due": f"{at(3)[:10]}T00:00:00.000Z"})
    sync(office)

    assert office.activity(made).values["start"] == at(3)


@pytest.mark.rule("TSK-2")
def test_an_undated_task_starts_today_and_stays_undated(office: Office) -> None:
    office.hire(ANNA)
    office.box.create_task(ANNA, {"title": "Some day"})
    sync(office, 3)

    row = titles(office)["Some day"]
    assert row.values["start"][:10] == f"{datetime.now(UTC):%Y-%m-%d}"
    assert "due" not in tasks(office)["Some day"]


@pytest.mark.rule("TSK-3")
def test_a_to_do_that_begins_to_recur_keeps_its_task_unlinked(office: Office) -> None:
    office.hire(ANNA)
    made = todo(office, subject="Report", start=at()[:10])
    todo(office, subject="Weekly", start=at()[:10], recurrence="RRULE:FREQ=WEEKLY")
    sync(office)
    assert set(tasks(office)) == {"Report"}

    office.edit(made, ANNA, recurrence="RRULE:FREQ=WEEKLY")
    sync(office)
    office.edit(made, ANNA, subject="Report, weekly")
    sync(office)

    assert set(tasks(office)) == {"Report"}
    assert len(titles(office)) == 2


@pytest.mark.rule("TSK-4")
def test_completing_and_reopening_goes_both_ways(office: Office) -> None:
    office.hire(ANNA)
    made = todo(office, subject="Call Jo", start=at()[:10])
    sync(office)
    task = tasks(office)["Call Jo"]

    office.complete(made, ANNA)
    sync(office)
    assert tasks(office)["Call Jo"]["status"] == "completed"

    office.box.act_on_task(ANNA, task["id"], "reopen")
    sync(office)
    assert office.activity(made).completed_at is None

    office.box.act_on_task(ANNA, task["id"], "complete")
    sync(office)
    assert office.activity(made).completed_at is not None
    assert not office.activity(made).deleted

    with office.product.app.database.write() as conn:
        completion.reopen(conn, made, by=Author(office.crm_id(ANNA)))
    sync(office)
    assert tasks(office)["Call Jo"]["status"] == "needsAction"


@pytest.mark.rule("TSK-4", "ENG-11")
@pytest.mark.parametrize("where", ["crm", "google"])
def test_a_deletion_goes_over(office: Office, where: str) -> None:
    office.hire(ANNA)
    made = todo(office, subject="Call Jo", start=at()[:10])
    todo(office, subject="Other", start=at()[:10])
    sync(office)

    if where == "crm":
        office.drop(made, ANNA)
    else:
        office.box.delete_task(ANNA, tasks(office)["Call Jo"]["id"])
    sync(office)

    assert set(tasks(office)) == set(titles(office)) == {"Other"}


@pytest.mark.rule("TSK-4")
def test_cleared_tasks_are_not_deleted_ones(office: Office) -> None:
    office.hire(ANNA)
    made = todo(office, subject="Call Jo", start=at()[:10])
    sync(office)
    office.box.act_on_task(ANNA, tasks(office)["Call Jo"]["id"], "complete")
    office.box.clear_tasks(ANNA)
    sync(office)

    row = office.activity(made)
    assert not row.deleted
    assert row.completed_at is not None


@pytest.mark.rule("TSK-4")
def test_subtasks_survive_and_assigned_tasks_are_left_alone(office: Office) -> None:
    office.hire(ANNA)
    parent = office.box.create_task(ANNA, {"title": "Parent"})
    child = office.box.create_task(ANNA, {"title": "Child", "parent": parent["id"]})
    office.box.create_task(ANNA, {"title": "Assigned", "assigned": "DOCUMENT"})
    sync(office)
    office.edit(titles(office)["Child"].id, ANNA, subject="Child, renamed")
    sync(office)

    assert "Assigned" not in titles(office)
    after = tasks(office)["Child, renamed"]
    assert (after["id"], after["parent"]) == (child["id"], parent["id"])


@pytest.mark.rule("TSK-5")
def test_another_task_list_can_be_picked(office: Office) -> None:
    office.box.account(ANNA)
    chosen = office.box.new_tasklist(ANNA, "Work")
    office.hire(ANNA)
    from crmsync.services import settings

    user = office.users[ANNA]
    settings.put(
        office.product.app, "task_list", chosen["id"], actor="test",
        user_id=user.user_id,
    )  # fmt: skip
    todo(office, subject="Call Jo", start=at()[:10])
    sync(office)

    assert [t["title"] for t in office.box.tasks(ANNA, list=chosen["id"])] == [
        "Call Jo"
    ]


@pytest.mark.rule("ENG-1", "TSK-1")
def test_cycles_without_an_edit_cost_one_request_and_write_nothing(
    office: Office, box: SandboxServer
) -> None:
    office.hire(ANNA)
    for number in range(5):
        todo(office, subject=f"Task {number}", start=at(number)[:10])
        box.create_task(ANNA, {"title": f"Mine {number}"})
    sync(office, 3)
    box.clear_log()

    sync(office, 10)

    found = box.requests(path="/tasks/")
    assert {r["method"] for r in found} == {"GET"}
    assert len(found) == 10
