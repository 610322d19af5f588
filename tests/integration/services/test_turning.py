"""Marks of events that go over, and conversions, on both databases (CAL-25)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, update

from crmsync.errors import UsageError
from crmsync.records.activities import Role
from crmsync.services import turning
from crmsync.storage import people
from crmsync.storage import tables as t
from tests.conftest import NewUrl
from tests.integration.services.test_proposals import Desk

pytestmark = pytest.mark.rule("CAL-25")


@pytest.fixture
def desk(tmp_path: Path, new_url: NewUrl) -> Iterator[Desk]:
    made = Desk(tmp_path, new_url())
    yield made
    made.product.close()


def rename(desk: Desk, role: Role, google_id: str, created_in: str = "google") -> None:
    """Give the event of the one link in a role an id, and its birthplace."""
    changed = {"google_id": google_id, "created_in": created_in}
    with desk.app.database.write() as conn:
        conn.execute(
            update(t.links).where(t.links.c.role == role.value).values(**changed)
        )


def marks(desk: Desk) -> list[tuple[str, str]]:
    with desk.app.database.read() as conn:
        rows = conn.execute(select(t.choices.c.remote_id, t.choices.c.kind))
        return sorted((row.remote_id, row.kind) for row in rows)


@pytest.mark.parametrize(
    ("old", "created_in", "marked"),
    [
        (Role.FORMER, "google", True),
        (Role.COPY, "", True),
        (Role.FORMER, "crm", False),
        (Role.SEPARATE, "google", False),
    ],
)
def test_a_leaders_new_event_marks_the_others_former_ones(
    desk: Desk, old: Role, created_in: str, marked: bool
) -> None:
    desk.link(desk.anna, desk.crm_id, Role.OWN)
    desk.link(desk.ben, desk.crm_id, old)
    rename(desk, Role.OWN, "new")
    rename(desk, old, "old", created_in)
    pair = people.pair_of(desk.app.database, desk.anna.user_id, "calendar")

    for _ in range(2):
        turning.hand_over(desk.app, pair)

    assert marks(desk) == ([("old", "over")] if marked else [])


def test_only_whoever_leads_marks(desk: Desk) -> None:
    desk.link(desk.ben, desk.crm_id, Role.OWN)
    desk.link(desk.anna, desk.crm_id, Role.COPY)
    rename(desk, Role.OWN, "new")

    turning.hand_over(desk.app, desk.pair)

    assert marks(desk) == []


@pytest.mark.parametrize("kept", [True, False])
def test_a_leader_who_stopped_is_told_until_somebody_converts(
    desk: Desk, kept: bool
) -> None:
    if kept:
        desk.link(desk.anna, desk.crm_id, Role.OWN)
    desk.link(desk.ben, desk.crm_id, Role.COPY)
    (told,) = turning.stopped(desk.app, desk.ben.user_id)
    assert told.leader == "ann"
    assert turning.stopped(desk.app, desk.anna.user_id) == []

    turning.convert(desk.app, desk.crm_id, actor="admin")

    assert marks(desk) == [("event1", "over")]
    assert turning.stopped(desk.app) == []
    with pytest.raises(UsageError):
        turning.convert(desk.app, desk.crm_id, actor="admin")


def test_a_preview_names_what_cannot_be_converted(desk: Desk) -> None:
    with pytest.raises(UsageError, match="No calendar holds"):
        turning.preview(desk.app, desk.crm_id)
