"""The calendar's and the task list's sides against the sandbox, over real HTTP."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crmsync.connectors.google.activities import ActivitiesOptions, GoogleActivities
from crmsync.connectors.google.adapter import GoogleHttp
from crmsync.connectors.google.faults import CALENDAR_JUDGE, TASKS_JUDGE
from crmsync.connectors.google.oauth import KIND_SCOPES, SERVICE_SCOPES
from crmsync.connectors.google.service import GoogleEndpoints
from crmsync.connectors.google.tasks import GoogleTasks, TasksOptions
from crmsync.connectors.transport import Transport
from crmsync.errors import (
    CursorExpired,
    EtagMismatch,
    InvalidRecord,
    OutcomeUnknown,
    PermissionMissing,
)
from crmsync.ports import NewRecord
from crmsync.records import tasks
from crmsync.records.expansion import expand
from crmsync.records.remote import Remote
from crmsync.records.values import FieldTable
from tests.integration.google.conftest import FixedTokens, Shifted
from tests.integration.google.planning import (
    TABLE,
    edit_of,
    meeting,
    new_key,
    new_meeting,
    remote_of,
    sign,
)
from tests.sandbox.harness import SandboxServer
from tests.unit.connectors.series_table import SERIES, Series

_numbers = itertools.count(1)


def moment(hours: float, zone: str = "UTC") -> dict[str, str]:
    at = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return {"dateTime": (at + timedelta(hours=hours)).isoformat(), "timeZone": zone}


def lunch(**fields: Any) -> dict[str, Any]:
    given = {"summary": "Lunch", "start": moment(48), "end": moment(49)}
    return {**given, **fields}


@dataclass
class Planned:
    """One account in the sandbox, and our two sides on it."""

    box: SandboxServer
    email: str
    clock: Shifted
    transport: Transport

    def __post_init__(self) -> None:
        token = self.box.token(self.email, SERVICE_SCOPES["google_sync"])[
            "access_token"
        ]
        self.tokens = FixedTokens([token])
        self.roots = GoogleEndpoints.from_root(self.box.url)
        self.side = self.new_side()
        http = GoogleHttp(self.transport, self.tokens, api="tasks", judge=TASKS_JUDGE)
        self.tasks = GoogleTasks(
            http,
            self.roots.tasks,
            table=FieldTable(tasks.FIELDS),
            clock=self.clock,
            options=TasksOptions(link_prefix="https://crm.example/a/"),
        )

    def new_side(self, **options: Any) -> GoogleActivities:
        http = GoogleHttp(
            self.transport, self.tokens, api="calendar", judge=CALENDAR_JUDGE
        )
        given: dict[str, Any] = {
            "address": self.email,
            "installation": "inst",
            "sign": sign,
            "is_colleague": lambda address: address.endswith("@x.example"),
        }
        return GoogleActivities(
            http,
            self.roots.calendar,
            table=TABLE,
            clock=self.clock,
            options=ActivitiesOptions(**{**given, **options}),
        )

    def read(self, cursor: str | None = None) -> tuple[dict[str, Remote], str]:
        pages = list(self.side.read(cursor))
        assert pages[-1].cursor
        found = {r.remote_id: r for page in pages for r in page.records}
        return found, pages[-1].cursor

    def by_hand(self, **fields: Any) -> str:
        return str(self.box.create_event(self.email, lunch(**fields))["id"])

    def event(self, name: str) -> dict[str, Any]:
        return self.box.event(self.email, name)

    def fetched(self, name: str) -> Remote:
        return self.side.fetch([name])[name]


@pytest.fixture
def new_user(
    box: SandboxServer, clock: Shifted, transport: Transport
) -> Callable[[], Planned]:
    def make() -> Planned:
        email = f"plan{next(_numbers)}@x.example"
        box.account(email)
        return Planned(box, email, clock, transport)

    box.forget_notifications()
    return make


@pytest.fixture
def anna(new_user: Callable[[], Planned]) -> Planned:
    return new_user()


@pytest.fixture
def ben(new_user: Callable[[], Planned]) -> Planned:
    return new_user()


# ------------------------------------------------------------------ calendar


@pytest.mark.rule("CAL-24", "CAL-20")
def test_events_are_made_read_changed_and_deleted(anna: Planned) -> None:
    cursor = anna.read()[1]
    made = [remote_of(o) for o in anna.side.create([new_meeting(), new_meeting()])]

    found, cursor = anna.read(cursor)
    assert {name: remote.etag for name, remote in found.items()} == {
        remote.remote_id: remote.etag for remote in made
    }
    changed = remote_of(
        anna.side.update([edit_of(made[0], subject="New", notes="a <b> & c")])[0]
    )
    assert anna.fetched(changed.remote_id) == changed
    assert changed.values["notes"] == "a <b> & c"
    assert [o.error for o in anna.side.delete([made[1].remote_id] * 2)] == [None, None]
    found, cursor = anna.read(cursor)
    assert found[made[1].remote_id].is_gone
    assert anna.read(cursor)[0] == {}
    assert anna.box.notifications() == []


@pytest.mark.rule("CAL-9", "CAL-26", "CAL-13")
def test_a_colleague_s_copy_is_known_and_answered(anna: Planned, ben: Planned) -> None:
    record = replace(
        new_meeting(attendees=ben.email, context="Account: A"), notifies=True
    )
    made = remote_of(anna.side.create([record])[0])

    copy = ben.read()[0][made.remote_id]

    assert copy.record["organizer"] is False
    assert copy.record["marker"] == made.record["marker"]
    assert copy.record["uid"] == made.record["uid"]
    assert copy.key == ""
    assert copy.values["attendees"] == anna.email
    assert copy.values["context"] == "Account: A"
    assert len(anna.box.notifications()) == 1

    after = remote_of(ben.side.update([edit_of(copy, answer="accepted")])[0])

    assert after.values["answer"] == "accepted"
    guests = {g["email"]: g for g in anna.event(made.remote_id)["attendees"]}
    assert guests[ben.email]["responseStatus"] == "accepted"
    refused = ben.side.update([edit_of(after, subject="Mine")])[0]
    assert isinstance(refused.error, InvalidRecord)
    assert refused.error.code == "not_organizer"


@pytest.mark.rule("CAL-18", "CAL-20")
def test_what_is_not_ours_survives_an_update(anna: Planned, ben: Planned) -> None:
    name = anna.by_hand(
        attendees=[{"email": ben.email}, {"email": "stranger@y.example"}],
        reminders={
            "useDefault": False,
            "overrides": [{"method": "popup", "minutes": 7}],
        },
        colorId="4",
        guestsCanModify=True,
        description="a <b>bold</b> word",
    )
    ben.box.answer_event(ben.email, name, "tentative")
    before = anna.event(name)
    remote = anna.fetched(name)

    guests = remote.values["attendees"] + "\nnew@x.example"
    anna.side.update([edit_of(remote, subject="New", attendees=guests)])

    after = anna.event(name)
    for field in ("reminders", "colorId", "guestsCanModify", "description", "start"):
        assert after[field] == before[field]
    answers = {g["email"]: g["responseStatus"] for g in after["attendees"]}
    assert answers[ben.email] == "tentative"
    assert answers["new@x.example"] == "needsAction"


@pytest.mark.rule("CAL-17")
def test_an_occurrence_is_moved_cancelled_and_brought_back(anna: Planned) -> None:
    values = meeting(
        start="2026-12-07T08:00:00Z", zone="Europe/Berlin",
        recurrence="RRULE:FREQ=WEEKLY;COUNT=20",
    )  # fmt: skip
    series = remote_of(anna.side.create([NewRecord(new_key(), values)])[0])
    cursor = anna.read()[1]
    slots = ("2026-12-14T08:00:00Z", "2026-12-21T08:00:00Z")
    moved = {**meeting(start="2026-12-15T10:00:00Z"), "slot": slots[0]}
    records = [
        NewRecord(new_key(), moved, series.remote_id),
        NewRecord(new_key(), {"slot": slots[1], "cancelled": "yes"}, series.remote_id),
    ]

    one, other = (remote_of(outcome) for outcome in anna.side.create(records))

    assert one.values["start"] == "2026-12-15T10:00:00Z"
    assert (one.values["slot"], one.record["series"]) == (slots[0], series.remote_id)
    assert dict(other.values) == {"slot": slots[1], "cancelled": "yes"}
    assert [o.remote for o in anna.side.create(records)] == [one, other]
    found, cursor = anna.read(cursor)
    assert found[one.remote_id].values == one.values
    assert found[other.remote_id].values == other.values
    assert found[other.remote_id].record["organizer"] is True

    edit = edit_of(other, cancelled="", **meeting(start=slots[1]))
    anna.box.switch(undelete=False)
    refused = anna.side.update([edit])[0]
    assert isinstance(refused.error, InvalidRecord)
    assert "bring this cancelled occurrence back" in refused.error.message
    anna.box.switch(undelete=True)
    back = remote_of(anna.side.update([edit])[0])

    assert back.values["cancelled"] == ""
    assert back.values["start"] == slots[1]


@pytest.mark.rule("CAL-17")
def test_a_person_s_changes_of_a_series_are_read(anna: Planned) -> None:
    zone = "America/St_Johns"
    name = anna.by_hand(
        start=moment(24, zone), end=moment(25, zone), recurrence=["RRULE:FREQ=DAILY"]
    )
    cursor = anna.read()[1]
    series = anna.fetched(name)
    now = datetime.now(UTC)
    slots = [o.slot for o in expand(series.values, now, now + timedelta(days=9))]
    ids = [f"{name}_{s.replace('-', '').replace(':', '')}" for s in slots]
    anna.box.move_event(anna.email, ids[1], moment(50, zone), moment(51, zone))
    anna.box.delete_event(anna.email, ids[2])
    anna.box.split_event(anna.email, name, ids[4], summary="Later")

    found, _ = anna.read(cursor)

    assert found[ids[1]].values["slot"] == slots[1]
    assert found[ids[2]].values == {"slot": slots[2], "cancelled": "yes"}
    follower = next(r for r in found.values() if r.values.get("subject") == "Later")
    assert follower.values["start"] == slots[4]
    assert follower.values["zone"] == zone
    assert "UNTIL" in found[name].values["recurrence"]
    cancel = NewRecord(
        new_key(), {"slot": slots[5], "cancelled": "yes"}, follower.remote_id
    )
    assert remote_of(anna.side.create([cancel])[0]).values["slot"] == slots[5]


@pytest.mark.rule("CAL-17", "ENG-2")
def test_what_follows_a_split_inherits_neither_key_nor_marker(anna: Planned) -> None:
    values = meeting(
        start="2026-12-07T08:00:00Z", zone="Europe/Berlin",
        recurrence="RRULE:FREQ=WEEKLY;COUNT=20",
    )  # fmt: skip
    series = remote_of(anna.side.create([NewRecord(new_key(), values)])[0])
    assert series.record["marker"]

    anna.box.split_event(
        anna.email, series.remote_id, f"{series.remote_id}_20261221T080000Z"
    )

    found, _ = anna.read()
    follower = next(r for n, r in found.items() if n != series.remote_id)
    assert found[series.remote_id].key == series.key
    assert (follower.key, follower.record["marker"]) == ("", "")


@pytest.mark.rule("ENG-3", "ENG-4")
def test_other_versions_and_dead_tokens_are_told(anna: Planned) -> None:
    name = anna.by_hand()
    cursor = anna.read()[1]
    remote = anna.fetched(name)
    anna.box.edit_event(anna.email, name, {"location": "Elsewhere"})

    outcome = anna.side.update([edit_of(remote, subject="New")])[0]

    assert isinstance(outcome.error, EtagMismatch)
    anna.box.expire_sync_tokens(anna.email)
    with pytest.raises(CursorExpired):
        anna.read(cursor)


@pytest.mark.rule("ENG-2")
def test_a_lost_answer_makes_no_second_event(anna: Planned) -> None:
    anna.box.fault("close_after", path="/batch/calendar/v3", count=1)
    record = new_meeting()

    first = anna.side.create([record])[0]
    again = remote_of(anna.side.create([record])[0])

    assert isinstance(first.error, OutcomeUnknown)
    assert [e["id"] for e in anna.box.events(anna.email)] == [again.remote_id]


@pytest.mark.rule("CAL-17")
@pytest.mark.parametrize("part", range(4))
def test_every_series_is_read_written_and_read_again(anna: Planned, part: int) -> None:
    chosen = SERIES[part::4]
    names = [
        str(anna.box.create_event(anna.email, _without_id(series))["id"])
        for series in chosen
    ]
    read = anna.side.fetch(names)
    records = [NewRecord(new_key(), read[name].values) for name in names]

    made = [
        remote_of(outcome)
        for start in range(0, len(records), 50)
        for outcome in anna.side.create(records[start : start + 50])
    ]

    for name, remote in zip(names, made, strict=True):
        assert "odd" not in read[name].record
        assert _times(remote) == _times(read[name])
        assert TABLE.are_same(remote.values, {**read[name].values})


def _without_id(series: Series) -> dict[str, Any]:
    drop = {"id", "etag", "status"}
    return {k: v for k, v in series.wire().items() if k not in drop}


def _times(remote: Remote) -> list[str]:
    since, until = datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 12, 1, tzinfo=UTC)
    return [one.start for one in expand(remote.values, since, until)]


@pytest.mark.rule("ENG-2")
def test_where_google_takes_no_ids_of_ours_the_key_finds_what_was_made(
    anna: Planned,
) -> None:
    anna.side = anna.new_side(own_ids=False)
    weekly = {"zone": "UTC", "recurrence": "RRULE:FREQ=WEEKLY;COUNT=9"}
    records = [new_meeting(), NewRecord(new_key(), meeting(**weekly)), new_meeting()]
    anna.box.fault("close_after", method="POST", path="/events", count=1)

    lost, *rest = anna.side.create(records)
    again = [remote_of(outcome) for outcome in anna.side.create(records)]

    assert isinstance(lost.error, OutcomeUnknown)
    assert [outcome.remote for outcome in rest] == again[1:]
    assert [remote.key for remote in again] == [record.key for record in records]
    assert len(anna.box.events(anna.email)) == 3
    assert all(not remote.record["marker"] for remote in again)
    anna.side.delete([again[0].remote_id])
    assert remote_of(anna.side.create(records[:1])[0]).is_gone


@pytest.mark.rule("CAL-23")
def test_another_calendar_may_be_chosen(anna: Planned) -> None:
    other = str(anna.box.new_calendar(anna.email, "Team")["id"])
    anna.by_hand()
    anna.side = anna.new_side(calendar_id=other)
    made = remote_of(anna.side.create([new_meeting()])[0])

    found, cursor = anna.read()

    assert found.keys() == {made.remote_id}
    assert found[made.remote_id].record["organizer"] is True
    changed = edit_of(found[made.remote_id], subject="New")
    assert remote_of(anna.side.update([changed])[0]).values["subject"] == "New"
    assert len(anna.box.events(anna.email, calendar=other)) == 1
    assert len(anna.box.events(anna.email)) == 1
    assert anna.read(cursor)[0].keys() == {made.remote_id}


@pytest.mark.rule("CAL-15", "CAL-18")
def test_attachments_stay_where_they_are(anna: Planned) -> None:
    attached = [{"fileUrl": "https://files.example/offer.pdf", "title": "Offer"}]
    name = anna.by_hand(attachments=attached)
    remote = anna.fetched(name)
    assert "offer" not in str(remote).casefold()

    anna.side.update([edit_of(remote, subject="New", notes="Text")])

    kept = anna.event(name)["attachments"]
    assert [item["fileUrl"] for item in kept] == [attached[0]["fileUrl"]]


@pytest.mark.rule("AUTH-5")
def test_a_scope_that_was_not_granted_stops_its_kind_only(anna: Planned) -> None:
    calendar, tasks_scope = KIND_SCOPES["calendar"], KIND_SCOPES["tasks"]
    anna.tokens.tokens = [anna.box.token(anna.email, (calendar,))["access_token"]]
    anna.read()
    with pytest.raises(PermissionMissing):
        list(anna.tasks.read(None))

    anna.tokens.tokens = [anna.box.token(anna.email, (tasks_scope,))["access_token"]]
    list(anna.tasks.read(None))
    with pytest.raises(PermissionMissing):
        anna.read()
    with pytest.raises(PermissionMissing):
        anna.side.create([new_meeting()])


# ------------------------------------------------------------------ tasks


@pytest.mark.rule("TSK-4", "TSK-6")
def test_tasks_are_made_read_changed_and_deleted(anna: Planned) -> None:
    record = NewRecord(
        new_key(), {"title": "Call", "due": "2026-12-01", "notes": "Bring cake"}
    )
    cursor = next(iter(anna.tasks.read(None))).cursor
    made = remote_of(anna.tasks.create([record])[0])

    pages = list(anna.tasks.read(cursor))

    shown = {r.remote_id: r for page in pages for r in page.records}
    assert shown[made.remote_id] == made
    done = remote_of(anna.tasks.update([edit_of(made, done="yes", due="")])[0])
    assert (done.values["done"], done.values["due"]) == ("yes", "")
    back = remote_of(anna.tasks.update([edit_of(done, done="")])[0])
    assert back.values["done"] == ""
    assert back.key == record.key
    assert remote_of(anna.tasks.create([record])[0]).remote_id == made.remote_id
    assert [o.error for o in anna.tasks.delete([made.remote_id] * 2)] == [None, None]
    assert anna.tasks.fetch([made.remote_id])[made.remote_id].is_gone


@pytest.mark.rule("TSK-4")
def test_tasks_that_are_hidden_cleared_or_moved_are_not_deleted(anna: Planned) -> None:
    names = [
        str(anna.box.create_task(anna.email, {"title": f"t{n}"})["id"])
        for n in range(2)
    ]
    other = anna.box.new_tasklist(anna.email, "Other")["id"]
    kept = remote_of(anna.tasks.create([NewRecord(new_key(), {"title": "Moves"})])[0])
    cursor = list(anna.tasks.read(None))[-1].cursor
    anna.box.act_on_task(anna.email, names[0], "complete")
    anna.box.clear_tasks(anna.email)
    anna.box.act_on_task(anna.email, kept.remote_id, "move", list=other)

    pages = list(anna.tasks.read(cursor))

    shown = {r.remote_id: r for page in pages for r in page.records}
    assert not shown[names[0]].is_gone
    assert shown[names[0]].values["done"] == "yes"
    assert not shown[kept.remote_id].is_gone
    assert not shown[kept.remote_id].is_selected


@pytest.mark.rule("ENG-2")
def test_a_lost_answer_makes_no_second_task(anna: Planned) -> None:
    anna.box.fault("close_after", method="POST", path="/tasks/v1/lists", count=1)
    record = NewRecord(new_key(), {"title": "Call"})

    first = anna.tasks.create([record])[0]
    again = remote_of(anna.tasks.create([record])[0])

    assert isinstance(first.error, OutcomeUnknown)
    assert [t["id"] for t in anna.box.tasks(anna.email)] == [again.remote_id]
