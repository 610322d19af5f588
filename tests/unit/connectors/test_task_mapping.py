"""Tasks <-> to-dos: dates, completion, and the three parts of the notes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmsync.connectors.google.mapping.tasks import (
    LONGEST_NOTES,
    TASK_FIELDS,
    Notes,
    new_task,
    read_notes,
    task_patch,
    task_to_remote,
)
from crmsync.errors import InvalidRecord
from crmsync.ports import Edit, NewRecord
from crmsync.records.equivalence import text as folded
from crmsync.records.tasks import FIELDS

KEY = "1|inst|u|A7|n1"
LINK = "https://crm.example/activities/"
SECTION = f"— CRM —\nAccount: A\n— end of CRM details —\n{LINK}A7"


def task(**fields: Any) -> dict[str, Any]:
    return {
        "id": "t1",
        "etag": '"1"',
        "title": "Call",
        "status": "needsAction",
        "updated": "2026-11-24T09:00:00.000Z",
        **fields,
    }


def patched(wire: dict[str, Any], *, key: str = "", **values: str) -> dict[str, Any]:
    remote = task_to_remote(wire)
    edit = Edit("t1", remote.etag, remote.values, values, remote.values, key)
    return task_patch(edit, wire, LINK)


@pytest.mark.rule("TSK-6")
def test_a_task_is_read_whole() -> None:
    notes = f"Bring cake\n\n{SECTION}\n[crm-sync:{KEY}]"

    remote = task_to_remote(task(due="2026-11-24T00:00:00.000Z", notes=notes))

    assert remote.values == {
        "title": "Call",
        "due": "2026-11-24",
        "done": "",
        "notes": "Bring cake",
        "context": "Account: A",
    }
    assert set(remote.values) == {field.name for field in FIELDS}
    assert remote.key == KEY
    assert remote.stamp == "2026-11-24T09:00:00.000Z"
    assert not remote.is_gone


@pytest.mark.rule("TSK-2")
@pytest.mark.parametrize("due", ["2026-11-24T23:59:59.000-11:00", "2026-11-24"])
def test_only_the_date_is_read_through_no_time_zone(due: str) -> None:
    assert task_to_remote(task(due=due)).values["due"] == "2026-11-24"


@pytest.mark.rule("TSK-2")
def test_the_local_date_is_written() -> None:
    assert patched(task(), due="2026-11-24T23:30:00") == {
        "due": "2026-11-24T00:00:00.000Z"
    }
    assert patched(task(due="2026-11-24T00:00:00.000Z"), due="") == {"due": None}
    with pytest.raises(InvalidRecord):
        patched(task(), due="soon")


@pytest.mark.rule("TSK-4")
def test_completing_and_reopening() -> None:
    done = task(status="completed", completed="2026-11-24T09:00:00.000Z")

    assert task_to_remote(done).values["done"] == "yes"
    assert patched(task(), done="yes") == {"status": "completed"}
    assert patched(done, done="") == {"status": "needsAction", "completed": None}


@pytest.mark.rule("TSK-4")
def test_hidden_tasks_are_there_and_deleted_ones_are_gone() -> None:
    assert not task_to_remote(task(hidden=True, status="completed")).is_gone
    assert task_to_remote(task(deleted=True)).is_gone
    assert task_to_remote(task(assignmentInfo={"surfaceType": "DOCUMENT"})).record[
        "odd"
    ]


def test_an_edit_that_keeps_google_s_etag_is_another_version() -> None:
    assert task_to_remote(task()).etag != task_to_remote(task(title="Ring")).etag


@pytest.mark.rule("TSK-6", "CAL-5")
def test_an_insert_ends_with_section_link_and_key() -> None:
    values = {"title": "Call", "due": "2026-11-24", "notes": "Bring cake",
              "context": "Account: A"}  # fmt: skip

    body = new_task(NewRecord(KEY, values), LINK)

    assert body == {
        "title": "Call",
        "due": "2026-11-24T00:00:00.000Z",
        "notes": f"Bring cake\n\n{SECTION}\n[crm-sync:{KEY}]",
    }
    assert new_task(NewRecord(KEY, {"done": "yes"}), "")["status"] == "completed"


@pytest.mark.rule("TSK-6")
def test_an_edit_of_the_notes_keeps_section_and_key() -> None:
    wire = task(notes=f"old\n\n{SECTION}\n[crm-sync:{KEY}]")

    assert patched(wire, notes="new")["notes"] == f"new\n\n{SECTION}\n[crm-sync:{KEY}]"
    assert "notes" not in patched(wire, title="Ring")


@pytest.mark.rule("TSK-6", "ENG-2")
def test_a_missing_key_is_written_along_with_the_link() -> None:
    assert patched(task(notes="mine"), key=KEY) == {
        "notes": f"mine\n\n{LINK}A7\n[crm-sync:{KEY}]"
    }
    assert patched(task(notes=f"[crm-sync:{KEY}]"), key=KEY) == {}


@pytest.mark.rule("TSK-6", "CAL-5")
def test_a_section_is_refreshed_and_not_added_again_once_deleted() -> None:
    wire = task(notes=f"mine\n\n{SECTION}\n[crm-sync:{KEY}]")
    lost = task(notes=f"mine\n\n{LINK}A7\n[crm-sync:{KEY}]")
    edit = Edit("t1", "", {}, {"context": "Account: B"}, {"context": "Account: A"})

    assert patched(wire, context="Account: B")["notes"] == (
        f"mine\n\n{SECTION}\n[crm-sync:{KEY}]".replace("Account: A", "Account: B")
    )
    assert task_patch(edit, lost, LINK) == {}


def test_a_person_s_text_below_the_key_is_theirs() -> None:
    found = read_notes(f"above\n[crm-sync:{KEY}]\nbelow")

    assert found == Notes("above\nbelow", None, "", KEY)
    assert read_notes("[crm-sync:nothing of ours]").text == "[crm-sync:nothing of ours]"


def test_notes_that_are_too_long_lose_the_section_and_never_the_key() -> None:
    values = {"notes": "x" * 8000, "context": "y" * 500}

    notes = new_task(NewRecord(KEY, values), LINK)["notes"]

    assert len(notes) <= LONGEST_NOTES
    assert read_notes(notes) == Notes("x" * 8000, None, f"{LINK}A7", KEY)
    with pytest.raises(InvalidRecord):
        new_task(NewRecord(KEY, {"notes": "x" * 8192}), LINK)


@given(st.text(max_size=60), st.text(max_size=30))
def test_any_notes_come_back_as_they_were(text: str, context: str) -> None:
    if "CRM" in text or "CRM" in context or "crm-sync" in text + context:
        return  # what looks like a marker is one
    plain = text.replace("\r", "\n")

    body = new_task(NewRecord(KEY, {"notes": plain, "context": context}), LINK)

    found = read_notes(body["notes"])
    assert folded(found.text) == folded(plain)
    assert found.key == KEY


_TEXTS = st.text(max_size=20) | st.sampled_from(
    ["2026-11-24", "completed", "— CRM —", f"[crm-sync:{KEY}]", "\ud800\x00"]
)
_ANY = _TEXTS | st.none() | st.booleans() | st.integers() | st.lists(_TEXTS, max_size=2)


@given(
    st.dictionaries(st.sampled_from(TASK_FIELDS.split(",")), _ANY),
    st.dictionaries(st.sampled_from([f.name for f in FIELDS]), _TEXTS),
)
def test_any_task_is_read_and_any_edit_written_or_refused(
    wire: dict[str, Any], values: dict[str, str]
) -> None:
    remote = task_to_remote(wire)

    "".join(remote.values.values()).encode()
    edit = Edit("t1", remote.etag, remote.values, values, remote.values, KEY)
    with suppress(InvalidRecord):
        task_patch(replace(edit, key=""), wire, "")
        task_patch(edit, wire, LINK)
