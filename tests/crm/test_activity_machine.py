"""Whoever follows the feed of activities knows the state, for each user."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection, Engine

from crm import (
    activities,
    activityfeed,
    agenda,
    completion,
    occurrences,
    participants,
)
from crm.activityrows import ActivityEdit, ActivityRow, Kind, other
from crm.errors import BadValue, NotFound
from crm.occurrences import OccurrenceEdit
from crm.tables import Activity
from tests.crm.builders import make_activity, make_series, member

USERS = ("U1", "U2", "U3")
_SLOTS = [f"2026-03-{day:02d}T08:00:00Z" for day in (2, 4, 9, 11, 16)]


class Follower:
    """One user's picture of the CRM, from the feed alone."""

    def __init__(self, user_id: str) -> None:
        self.user_id = user_id
        self.cursor = 0
        self.known: dict[str, int] = {}

    def follow(self, conn: Connection, limit: int) -> bool:
        """Read one page; False once the end is reached."""
        ids, self.cursor = activityfeed.changes_since(
            conn, self.user_id, self.cursor, limit=limit
        )
        for row in activities.read(conn, ids):
            if row.deleted or self.user_id not in row.user_ids:
                self.known.pop(row.id, None)
            else:
                self.known[row.id] = row.version
        return len(ids) == limit


def everything(conn: Connection) -> list[ActivityRow]:
    return activities.read(conn, conn.scalars(sa.select(Activity.id)).all())


class Machine(RuleBasedStateMachine):
    """Three people work on a few activities in any order."""

    made = Bundle("made")

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.conn = engine.connect()
        self.followers = [Follower(user) for user in USERS]

    def attempt(self, item: str) -> ActivityRow | None:
        (row,) = activities.read(self.conn, [item])
        return None if row.deleted or row.completed_at is not None else row

    @initialize(target=made)
    def begin(self) -> str:
        series = make_series(self.conn, member("U2"))
        edit = OccurrenceEdit({"location": "Elsewhere"})
        occurrences.change(self.conn, series.id, _SLOTS[1], edit)
        occurrences.cancel(self.conn, series.id, _SLOTS[2])
        return series.id

    @rule(target=made, mate=st.sampled_from(USERS), recurs=st.booleans())
    def create(self, mate: str, recurs: bool) -> str:
        make = make_series if recurs else make_activity
        return make(self.conn, member(mate)).id

    @rule(item=made, text=st.sampled_from(["a", "b", ""]))
    def rename(self, item: str, text: str) -> None:
        if self.attempt(item):
            activities.update(self.conn, item, changes={"subject": text})

    @rule(
        item=made,
        start=st.sampled_from(["2026-03-02T09:00:00Z", "2026-03-02", _SLOTS[0]]),
        recurrence=st.sampled_from(
            ["", "RRULE:FREQ=WEEKLY;BYDAY=MO,WE", "RRULE:FREQ=DAILY"]
        ),
        carries=st.booleans(),
    )
    def replan(self, item: str, start: str, recurrence: str, carries: bool) -> None:
        row = self.attempt(item)
        if row is not None and row.parent_id is None:
            edit = ActivityEdit(item, {"start": start, "recurrence": recurrence})
            activities.update_many(self.conn, [edit], carries=carries)

    @rule(item=made, user=st.sampled_from(USERS), stays=st.booleans())
    def invite(self, item: str, user: str, stays: bool) -> None:
        if self.attempt(item) and stays:
            participants.add(self.conn, item, [member(user), other("x@mail.example")])
        elif self.attempt(item):
            participants.remove(self.conn, item, [(Kind.USER, user)])

    @rule(item=made, user=st.sampled_from(USERS), leaves=st.booleans())
    def hand_over(self, item: str, user: str, leaves: bool) -> None:
        if self.attempt(item):
            people = () if leaves else None
            edit = ActivityEdit(item, leader=user, participants=people)
            activities.update_many(self.conn, [edit])

    @rule(
        item=made, user=st.sampled_from(USERS), given=st.sampled_from(["accepted", ""])
    )
    def answer(self, item: str, user: str, given: str) -> None:
        row = self.attempt(item)
        if row is not None and user in row.user_ids:
            participants.answer(self.conn, item, user, given)

    @rule(
        item=made,
        slot=st.sampled_from(_SLOTS),
        how=st.sampled_from(["change", "cancel", "complete", "split", "end"]),
    )
    def one_occurrence(self, item: str, slot: str, how: str) -> None:
        if not self.attempt(item):
            return
        try:
            with self.conn.begin_nested():
                self._do(item, slot, how)
        except (NotFound, BadValue):
            return  # there is no such occurrence, or it is history

    def _do(self, item: str, slot: str, how: str) -> None:
        if how == "change":
            edit = OccurrenceEdit({"location": "Elsewhere"})
            occurrences.change(self.conn, item, slot, edit)
        elif how == "cancel":
            occurrences.cancel(self.conn, item, slot)
        elif how == "complete":
            completion.complete_one(self.conn, item, slot)
        elif how == "split":
            occurrences.split(self.conn, item, slot)
        else:
            occurrences.delete_following(self.conn, item, slot)

    @rule(item=made)
    def complete(self, item: str) -> None:
        if self.attempt(item):
            completion.complete(self.conn, [item])

    @rule(item=made)
    def delete(self, item: str) -> None:
        activities.delete(self.conn, item)

    @rule(who=st.integers(0, 2), limit=st.integers(1, 3))
    def read(self, who: int, limit: int) -> None:
        self.followers[who].follow(self.conn, limit)

    def teardown(self) -> None:
        rows = everything(self.conn)
        self._check_feeds(rows)
        self._check_occurrences({row.id: row for row in rows if not row.deleted})
        self._check_calendars()
        self.conn.close()

    def _check_feeds(self, rows: list[ActivityRow]) -> None:
        for follower in (*self.followers, *map(Follower, USERS)):
            while follower.follow(self.conn, 3):
                pass
            assert follower.known == {
                row.id: row.version
                for row in rows
                if not row.deleted and follower.user_id in row.user_ids
            }

    def _check_occurrences(self, live: dict[str, ActivityRow]) -> None:
        """Each occurrence has a live series, and its slot, or is history."""
        for row in live.values():
            assert row.leader in row.user_ids or not row.leader
            if row.parent_id is None:
                continue
            series = live[row.parent_id]
            is_there = series.is_series and series.series.has(row.slot)
            assert is_there or row.completed_at is not None

    def _check_calendars(self) -> None:
        """A month is what its days are, and no occurrence is there twice."""
        zone, first = ZoneInfo("Europe/Berlin"), date(2026, 3, 1)
        for user in USERS:
            days = [first + timedelta(days=n) for n in range(31)]
            whole = agenda.occurrences(self.conn, user, days[0], days[-1], zone=zone)
            keys = [(item.row.parent_id or item.row.id, item.slot) for item in whole]
            assert len(set(keys)) == len(keys)
            single = {
                (item.row.id, item.slot)
                for day in days
                for item in agenda.occurrences(self.conn, user, day, day, zone=zone)
            }
            assert single == {(item.row.id, item.slot) for item in whole}


@pytest.mark.rule("CAL-17")
@pytest.mark.timeout(180)
def test_whoever_follows_the_feed_of_activities_knows_the_state(engine: Engine) -> None:
    class OnThisDatabase(Machine):
        def __init__(self) -> None:
            super().__init__(engine)

    run_state_machine_as_test(
        OnThisDatabase,
        settings=settings(max_examples=60, stateful_step_count=20, deadline=None),
    )
