"""Proposals of members: who is asked, once, and what becomes of it (CAL-8, CAL-11)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from crm import activities
from crm import users as crm_users
from crm.activityrows import ActivityRow, Kind, Participant
from crm.common import Author
from crmsync.engine.reasons import REASONS
from crmsync.errors import UsageError
from crmsync.records.activities import Role
from crmsync.services import accounts, proposing
from crmsync.storage import people
from crmsync.storage import tables as t
from crmsync.storage.people import User
from tests.conftest import NewUrl
from tests.support.product import Product

ANNA, BEN = "anna@shop.example", "ben@shop.example"
NOWHERE = "http://127.0.0.1:9"


class Desk:
    """Anna leads an activity; Ben's cycles tell what he changed."""

    def __init__(self, folder: Path, url: str) -> None:
        self.product = Product(folder, NOWHERE, variables={"database_url": url})
        self.app = self.product.app
        self.anna, self.ben = self._hire(ANNA), self._hire(BEN)
        self.pair = people.pair_of(self.app.database, self.ben.user_id, "calendar")
        self.crm_id = self._plan()

    def _hire(self, email: str) -> User:
        user = accounts.add_user(self.app, email, name=email[:3])
        self.app.crm.ensure_user(email, email[:3])
        return user

    def crm_user(self, email: str) -> str:
        with self.app.database.read() as conn:
            found = crm_users.get_by_email(conn, email)
        assert found is not None
        return found.id

    def _plan(self) -> str:
        values = {
            "type": "meeting",
            "subject": "Review",
            "location": "Room 1",
            "start": "2026-12-01T09:00:00Z",
            "duration": "60",
        }
        anna = self.crm_user(ANNA)
        ben = Participant(Kind.USER, self.crm_user(BEN), answer="accepted")
        with self.app.database.write() as conn:
            return activities.create(
                conn, values, leader=anna, participants=(ben,), by=Author(anna)
            ).id

    def activity(self) -> ActivityRow:
        with self.app.database.read() as conn:
            return activities.read(conn, [self.crm_id])[0]

    def edit(self, **changes: str) -> None:
        author = Author(self.crm_user(ANNA))
        with self.app.database.write() as conn:
            activities.update(conn, self.crm_id, changes=changes, by=author)

    def link(self, user: User, crm_id: str, role: Role) -> None:
        pair = people.pair_of(self.app.database, user.user_id, "calendar")
        row = {
            "id": self.app.ids.new(),
            "pair_id": pair.pair_id,
            "crm_id": crm_id,
            "google_id": "event1",
            "crm_base": {},
            "google_base": {},
            "role": role.value,
        }
        with self.app.database.write() as conn:
            conn.execute(t.links.insert().values(**row))

    def propose(self, side: str = "google", crm_id: str = "", **fields: str) -> str:
        """Let a cycle of Ben's tell an edit that went back to the original."""
        now, ids = self.app.clock.now(), self.app.ids
        crm = "crm" if side == "google" else "google"
        cycle = {
            "id": ids.new(),
            "pair_id": self.pair.pair_id,
            "user_id": self.ben.user_id,
            "kind": "calendar",
            "state": "succeeded",
            "started_at": now,
        }
        item = {
            "id": ids.new(),
            "pair_id": self.pair.pair_id,
            "cycle_id": cycle["id"],
            "at": now,
            "action": "update",
            "direction": f"to_{side}",
            "state": "done",
            "reason": "proposed",
            "crm_id": crm_id or self.crm_id,
            "google_id": "event1",
            "name": "Review",
            "changes": [
                _lost(name, value, side, crm) for name, value in fields.items()
            ],
        }
        with self.app.database.write() as conn:
            conn.execute(t.cycles.insert().values(**cycle))
            conn.execute(t.items.insert().values(**item))
        proposing.collect(self.app, self.pair)
        return str(item["id"])

    def reason(self, item_id: str) -> str:
        with self.app.database.read() as conn:
            found = conn.scalars(
                select(t.items.c.reason).where(t.items.c.id == item_id)
            )
            return str(found.one())

    def waiting(self) -> list[proposing.Proposal]:
        return proposing.waiting(self.app, self.anna.user_id)


def _lost(name: str, value: str, side: str, winner: str) -> dict[str, Any]:
    was = "Room 1" if name == "location" else ""
    return {
        "field": name,
        "crm_before": was,
        "crm_after": was,
        "google_before": value if side == "google" else was,
        "google_after": was,
        "winner": winner,
        "lost": value,
        "lost_side": side,
        "note": None,
    }


@pytest.fixture
def desk(tmp_path: Path, new_url: NewUrl) -> Iterator[Desk]:
    made = Desk(tmp_path, new_url())
    yield made
    made.product.close()


@pytest.mark.rule("CAL-11")
def test_the_leader_is_asked_and_accepting_edits_the_original(desk: Desk) -> None:
    item = desk.propose(location="Garden", answer="declined")
    (asked,) = desk.waiting()
    assert [dict(change) for change in asked.changes] == [
        {"field": "location", "before": "Room 1", "now": "Room 1", "after": "Garden"}
    ]

    proposing.accept(desk.app, asked.proposal_id, actor=ANNA)

    assert desk.activity().values["location"] == "Garden"
    assert desk.activity().modified_by == desk.crm_user(ANNA)
    assert desk.reason(item) == "proposal_accepted"
    assert desk.waiting() == []


@pytest.mark.rule("CAL-8")
def test_the_organiser_of_an_invitation_is_asked_about_their_activity(
    desk: Desk,
) -> None:
    desk.link(desk.anna, desk.crm_id, Role.OWN)

    desk.propose("crm", crm_id="BensOwn", location="Garden")

    (asked,) = desk.waiting()
    assert asked.crm_id == desk.crm_id
    assert asked.proposer == "ben"


@pytest.mark.rule("CAL-8", "CAL-11")
@pytest.mark.parametrize(
    "why", ["organiser is nobody here", "guest of it, too", "leader is disabled"]
)
def test_history_says_when_nobody_could_be_asked(desk: Desk, why: str) -> None:
    if why == "leader is disabled":
        accounts.disable(desk.app, desk.anna)
        item = desk.propose(location="Garden")
    else:
        if why == "guest of it, too":
            desk.link(desk.anna, desk.crm_id, Role.INVITED)
        item = desk.propose("crm", crm_id="BensOwn", location="Garden")

    assert desk.waiting() == []
    assert desk.reason(item) == "proposal_unasked"
    assert "nobody could be asked" in REASONS["proposal_unasked"]


@pytest.mark.rule("CAL-8")
def test_declining_changes_nothing_and_is_told(desk: Desk) -> None:
    item = desk.propose(location="Garden")
    before = desk.activity()

    proposing.decline(desk.app, desk.waiting()[0].proposal_id, actor=ANNA)

    assert desk.activity() == before
    assert desk.reason(item) == "proposal_declined"


@pytest.mark.rule("CAL-8")
def test_a_newer_proposal_replaces_the_older_one(desk: Desk) -> None:
    older = desk.propose(location="Garden")
    newer = desk.propose(location="Roof")

    (asked,) = desk.waiting()
    assert asked.changes[0]["after"] == "Roof"
    assert desk.reason(older) == "proposal_replaced"
    assert desk.reason(newer) == "proposed"


@pytest.mark.rule("CAL-8", "ENG-4")
@pytest.mark.parametrize("how", ["has the values", "deleted"])
def test_a_proposal_without_a_question_ends_by_itself(desk: Desk, how: str) -> None:
    item = desk.propose(location="Garden")
    if how == "deleted":
        with desk.app.database.write() as conn:
            activities.delete(conn, desk.crm_id, by=Author(desk.crm_user(ANNA)))
    else:
        desk.edit(location="Garden")
    assert desk.waiting() == []

    proposing.collect(desk.app, desk.pair)

    assert desk.reason(item) == "proposal_settled"
    assert proposing.waiting_count(desk.app, desk.anna.user_id) == 0


@pytest.mark.rule("CAL-8")
@pytest.mark.parametrize("first", [proposing.accept, proposing.decline])
@pytest.mark.parametrize("second", [proposing.accept, proposing.decline])
def test_of_two_who_decide_one_wins_and_the_other_is_told(
    desk: Desk, first: Any, second: Any
) -> None:
    desk.propose(location="Garden")
    proposal_id = desk.waiting()[0].proposal_id
    first(desk.app, proposal_id, actor=ANNA)
    after = desk.activity()

    with pytest.raises(UsageError, match=f"already by {ANNA}"):
        second(desk.app, proposal_id, actor="admin@shop.example")

    assert desk.activity() == after


@pytest.mark.rule("CAL-8", "ENG-3")
def test_accepting_keeps_what_the_organiser_changed_meanwhile(desk: Desk) -> None:
    desk.propose(location="Garden")
    desk.edit(subject="Renamed", location="Cellar")
    (asked,) = desk.waiting()
    assert asked.changes[0]["now"] == "Cellar"

    proposing.accept(desk.app, asked.proposal_id, actor=ANNA)

    values = desk.activity().values
    assert (values["subject"], values["location"]) == ("Renamed", "Garden")


@pytest.mark.rule("CAL-8", "ENG-4")
@pytest.mark.parametrize(
    ("written", "reason"), [(True, "proposal_accepted"), (False, "proposed")]
)
def test_an_acceptance_that_died_is_finished_or_waits_again(
    desk: Desk, written: bool, reason: str
) -> None:
    item = desk.propose(location="Garden")
    proposal_id = desk.waiting()[0].proposal_id
    with desk.app.database.write() as conn:
        conn.execute(
            t.proposals.update().values(
                state="taken",
                decided_by=ANNA,
                decided_at=datetime(2026, 1, 1, tzinfo=UTC),
            )
        )
    if written:
        desk.edit(location="Garden")

    proposing.collect(desk.app, desk.pair)

    assert desk.reason(item) == reason
    waiting = [found.proposal_id for found in desk.waiting()]
    assert waiting == ([] if written else [proposal_id])


@pytest.mark.rule("CAL-8")
def test_what_the_crm_refuses_waits_again_and_says_why(desk: Desk) -> None:
    desk.propose(start="never")
    proposal_id = desk.waiting()[0].proposal_id

    with pytest.raises(UsageError, match="refuses"):
        proposing.accept(desk.app, proposal_id, actor=ANNA)

    assert [found.proposal_id for found in desk.waiting()] == [proposal_id]
