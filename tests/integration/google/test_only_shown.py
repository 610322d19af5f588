"""Events that are only shown in the CRM, against the sandbox over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm.series import is_expressible
from crmsync.connectors.google.activities_further import (
    Further,
    GoogleCalendars,
    mark_of,
)
from crmsync.connectors.google.mapping.singles import SOURCE
from crmsync.connectors.transport import Transport
from crmsync.errors import CollectionGone, CursorExpired, InvalidRecord
from crmsync.ports import NewRecord
from crmsync.records.remote import Remote
from crmsync.records.values import Values
from tests.integration.google.conftest import Shifted
from tests.integration.google.planning import edit_of, new_key
from tests.integration.google.test_sandbox_planner import Planned, lunch, moment
from tests.sandbox.harness import SandboxServer

TEAM = "the calendar Team"
_addresses = iter(f"shown{number}@x.example" for number in range(1, 1000))


@dataclass
class Shown:
    """One account in the sandbox with further calendars."""

    planned: Planned
    cursor: str | None = None
    owner: str = ""
    full_reads: int = 0
    left: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.choose()

    @property
    def box(self) -> SandboxServer:
        return self.planned.box

    def choose(self, *further: tuple[str, str]) -> None:
        self.side = GoogleCalendars(
            self.planned.new_side(expresses=is_expressible),
            [
                Further(
                    key,
                    name,
                    self.planned.new_side(
                        calendar_id=key,
                        source=f"the calendar {name}",
                        expresses=is_expressible,
                    ),
                )
                for key, name in further
            ],
            clock=self.planned.clock,
        )

    def read(self) -> dict[str, Remote]:
        """Read what is new, or everything if Google or our side asks for that."""
        try:
            pages = list(self.side.read(self.cursor))
        except CursorExpired:
            pages = list(self.side.read(None))
            self.full_reads += 1
        self.cursor = pages[-1].cursor
        found = {r.remote_id: r for page in pages for r in page.records}
        self.left = {name for name, r in found.items() if not r.is_selected}
        return {n: r for n, r in found.items() if r.is_selected or r.is_gone}

    def put(self, calendar: str = "primary", **fields: Any) -> str:
        email = self.planned.email if calendar == "primary" else self.owner
        made = self.box.create_event(email, lunch(**fields), calendar=calendar)
        return str(made["id"])

    def fetched(self, name: str) -> Remote:
        return self.side.fetch([name])[name]

    def requests(self, do: Callable[[], object]) -> list[str]:
        self.box.clear_log()
        do()
        rows = self.box.requests(account=self.planned.email)
        return [f"{row['method']} {row['route']}" for row in rows]


@pytest.fixture
def anna(box: SandboxServer, clock: Shifted, transport: Transport) -> Shown:
    email = next(_addresses)
    box.account(email)
    return Shown(Planned(box, email, clock, transport))


def dates(*days: int) -> dict[str, Any]:
    """Return a series of single dates, so many days from now."""
    first = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    texts = [f"{first + timedelta(days=day):%Y%m%dT%H%M%SZ}" for day in days[1:]]
    begin = first + timedelta(days=days[0])
    return {
        "start": {"dateTime": begin.isoformat(), "timeZone": "UTC"},
        "end": {
            "dateTime": (begin + timedelta(hours=1)).isoformat(),
            "timeZone": "UTC",
        },
        "recurrence": ["RDATE:" + ",".join(texts)],
    }


HOURS = ",".join(map(str, range(24)))
INEXPRESSIBLE: dict[str, tuple[list[str], int]] = {
    "two rules": (["RRULE:FREQ=DAILY;COUNT=3", "RRULE:FREQ=WEEKLY;COUNT=3"], 5),
    "several times a day": ([f"RRULE:FREQ=DAILY;COUNT=30;BYHOUR={HOURS}"], 30),
    "left out by a rule": (
        ["RRULE:FREQ=DAILY;COUNT=9", "EXRULE:FREQ=DAILY;INTERVAL=2;COUNT=9"],
        4,
    ),
}


# ------------------------------------------------------------------ CAL-17


@pytest.mark.rule("CAL-17")
def test_single_dates_come_in_as_single_activities_that_say_so(anna: Shown) -> None:
    series = anna.put(**dates(2, 3, 9, 800))

    found = anna.read()

    assert len(found) == 3  # the last one is outside of the window
    for name, remote in found.items():
        assert name.startswith(f"{series}_")
        assert remote.values["imported"] == SOURCE
        assert remote.record["imported"] == SOURCE
        assert not remote.record["organizer"]
        assert (remote.values["slot"], remote.values["recurrence"]) == ("", "")
        assert remote.record["series"] == ""
        assert anna.fetched(name) == remote
    assert anna.left == {series}
    assert not anna.fetched(series).is_selected
    assert anna.read() == {}
    assert anna.requests(anna.read) == ["GET calendar.events.list"]


@pytest.mark.rule("CAL-17")
@pytest.mark.parametrize("what", INEXPRESSIBLE)
def test_what_the_crm_can_not_express_is_expanded_by_google(
    anna: Shown, what: str
) -> None:
    lines, count = INEXPRESSIBLE[what]
    start, end = moment(48), moment(49)
    anna.put(start=start, end=end, recurrence=lines)

    found = anna.read()

    assert len(found) in {count, count + 1}
    assert {r.values["imported"] for r in found.values()} == {SOURCE}


@pytest.mark.rule("CAL-17")
def test_a_series_of_too_many_occurrences_is_told_and_left(anna: Shown) -> None:
    rule = f"RRULE:FREQ=DAILY;BYHOUR={HOURS}"
    name = anna.put(recurrence=[rule])

    found = anna.read()

    assert found.keys() == {name}
    assert "more than 2,500 times" in found[name].record["odd"]
    assert not found[name].record.get("imported")
    assert found[name].is_selected

    anna.planned.clock.by += timedelta(days=2)
    anna.box.edit_event(anna.planned.email, _instance(anna, name), {"summary": "One"})
    assert anna.read() == {}
    assert anna.full_reads == 0


def _instance(anna: Shown, series: str) -> str:
    """Return the id of an occurrence of a series."""
    day = datetime.now(UTC) + timedelta(days=4)
    return f"{series}_{day:%Y%m%dT%H}0000Z"


@pytest.mark.rule("CAL-17")
def test_an_occurrence_that_is_edited_or_cancelled_is_followed(anna: Shown) -> None:
    anna.put(**dates(2, 3, 9))
    first, second, _ = sorted(anna.read())
    email = anna.planned.email
    anna.box.edit_event(email, first, {"summary": "Moved"})
    anna.box.delete_event(email, second)

    found = anna.read()

    assert found[first].values["subject"] == "Moved"
    assert found[first].values["imported"] == SOURCE
    assert found[second].is_gone
    assert anna.fetched(second).is_gone
    assert anna.full_reads == 0


@pytest.mark.rule("CAL-17")
def test_a_series_that_comes_later_is_expanded_without_a_full_read(
    anna: Shown,
) -> None:
    anna.read()
    series = anna.put(**dates(2, 3))

    found = anna.read()

    assert anna.left == {series}
    assert len(found) == 2
    assert anna.read() == {}
    assert anna.full_reads == 0


CHANGES: dict[str, Callable[[Shown, str], object]] = {
    "other dates": lambda anna, name: anna.box.edit_event(
        anna.planned.email, name, {"recurrence": dates(2, 5)["recurrence"]}
    ),
    "expressible": lambda anna, name: anna.box.edit_event(
        anna.planned.email, name, {"recurrence": ["RRULE:FREQ=DAILY;COUNT=4"]}
    ),
    "deleted": lambda anna, name: anna.box.delete_event(anna.planned.email, name),
}


@pytest.mark.rule("CAL-17")
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_such_a_series_is_read_whole_and_once(
    anna: Shown, change: str
) -> None:
    series = anna.put(**dates(2, 3))
    before = anna.read()
    last = max(before)
    CHANGES[change](anna, series)

    found = anna.read()

    assert anna.full_reads == 1
    assert last not in found
    now = anna.fetched(last)
    assert now.is_gone or not now.record.get("imported")
    if change == "expressible":
        assert found[series].values["recurrence"]
        assert now.record["plain"]
    anna.read()
    assert anna.full_reads == 1


@pytest.mark.rule("CAL-17")
def test_a_series_that_comes_to_be_inexpressible_leaves_as_one(anna: Shown) -> None:
    series = anna.put(recurrence=["RRULE:FREQ=DAILY;COUNT=3"])
    assert anna.read()[series].is_selected
    lines = ["RRULE:FREQ=DAILY;COUNT=3", "RRULE:FREQ=WEEKLY;COUNT=2"]
    anna.box.edit_event(anna.planned.email, series, {"recurrence": lines})

    found = anna.read()

    assert anna.left == {series}
    assert len(found) == 4
    assert {r.values["imported"] for r in found.values()} == {SOURCE}


@pytest.mark.rule("CAL-17", "CAL-19")
def test_occurrences_come_in_as_days_go_by(anna: Shown) -> None:
    anna.put(**dates(2, 370))
    assert len(anna.read()) == 1
    anna.planned.clock.by += timedelta(days=6)

    found = anna.read()

    assert len(found) == 1
    assert anna.full_reads == 0


@pytest.mark.rule("CAL-17", "CAL-19")
def test_an_occurrence_that_was_moved_into_the_window_comes_in(anna: Shown) -> None:
    series = anna.put(**dates(400, 410))
    name = max(
        event["id"]
        for event in anna.box.events(anna.planned.email, expand="true")
        if event["id"] != series
    )
    moved = lunch(start=moment(48), end=moment(49))
    anna.box.edit_event(anna.planned.email, name, moved)

    found = anna.read()

    assert found.keys() == {name}
    assert found[name].values["imported"] == SOURCE
    assert anna.fetched(name) == found[name]


@pytest.mark.rule("CAL-17")
def test_each_crm_says_itself_what_it_can_express(anna: Shown) -> None:
    asked: list[Values] = []

    def expresses(values: Values) -> bool:
        asked.append(values)
        return "MONTHLY" not in values["recurrence"]

    side = anna.planned.new_side(expresses=expresses)
    anna.put(recurrence=["RRULE:FREQ=MONTHLY;COUNT=2"])
    weekly = anna.put(recurrence=["RRULE:FREQ=WEEKLY;COUNT=2"])

    records = (r for page in side.read(None) for r in page.records)
    found = {r.remote_id: r for r in records if r.is_selected}

    assert len(found) == 3
    assert found.pop(weekly).values["imported"] == ""
    assert {r.values["imported"] for r in found.values()} == {SOURCE}
    assert {values["zone"] for values in asked} == {"UTC"}


# ------------------------------------------------------------------ CAL-23


@pytest.fixture
def team(anna: Shown) -> str:
    """A colleague's calendar that Anna may read, and has chosen to be shown."""
    anna.owner = next(_addresses)
    anna.box.account(anna.owner)
    key = str(anna.box.new_calendar(anna.owner, "Team")["id"])
    anna.box.share_calendar(anna.owner, key, anna.planned.email, "reader")
    anna.choose((key, "Team"))
    return key


@pytest.mark.rule("CAL-23")
def test_a_further_calendar_is_shown_beside_the_own_one(anna: Shown, team: str) -> None:
    own = anna.put()
    theirs = anna.put(team, summary="Stand-up", recurrence=["RRULE:FREQ=DAILY"])
    single = anna.put(team, **dates(2, 3))

    found = anna.read()

    marked = f"{mark_of(team)}{theirs}"
    assert found[own].values["imported"] == ""
    assert found[marked].values["imported"] == TEAM
    assert found[marked].values["recurrence"] == "RRULE:FREQ=DAILY"
    assert not found[marked].record["organizer"]
    ones = [name for name in found if name.startswith(f"{mark_of(team)}{single}_")]
    assert len(ones) == 2
    assert anna.fetched(marked) == found[marked]
    lists = anna.requests(anna.read)
    assert lists == ["GET calendar.events.list"] * 2


@pytest.mark.rule("CAL-23", "CAL-17")
def test_an_occurrence_of_a_further_calendars_series_names_it(
    anna: Shown, team: str
) -> None:
    series = anna.put(team, recurrence=["RRULE:FREQ=DAILY;COUNT=9"])
    anna.read()
    email = anna.owner
    (_, second, *_) = sorted(
        event["id"]
        for event in anna.box.events(email, calendar=team, expand="true")
        if event["id"] != series
    )
    anna.box.edit_event(email, second, {"summary": "Moved"}, calendar=team)

    found = anna.read()

    remote = found[f"{mark_of(team)}{second}"]
    assert remote.record["series"] == f"{mark_of(team)}{series}"
    assert remote.values["slot"]
    assert remote.values["imported"] == TEAM


@pytest.mark.rule("CAL-23")
def test_nothing_of_a_further_calendar_is_written(anna: Shown, team: str) -> None:
    name = anna.put(team)
    remote = anna.read()[f"{mark_of(team)}{name}"]
    before = anna.box.event(anna.owner, name, calendar=team)
    slot = {"slot": remote.values["start"], "subject": "Mine"}

    def write() -> None:
        for outcomes in (
            anna.side.update([edit_of(remote, subject="Mine")]),
            anna.side.delete([remote.remote_id]),
            anna.side.create([NewRecord(new_key(), slot, remote.remote_id)]),
        ):
            assert [type(o.error) for o in outcomes] == [InvalidRecord]

    assert anna.requests(write) == []
    assert anna.box.event(anna.owner, name, calendar=team) == before


@pytest.mark.rule("CAL-23")
def test_an_event_of_the_own_calendar_is_not_shown_twice(
    anna: Shown, team: str
) -> None:
    uid = {"iCalUID": "both@x.example"}
    own = anna.put(**uid)
    theirs = f"{mark_of(team)}{anna.put(team, **uid)}"

    assert anna.read().keys() == {own}
    assert anna.fetched(theirs).is_gone

    email = anna.owner
    later = {"iCalUID": "later@x.example"}
    anna.put(**later)
    anna.put(team, **later)
    anna.box.edit_event(
        email, theirs.removeprefix(mark_of(team)), {"summary": "New"}, calendar=team
    )
    found = anna.read()
    assert [r.values["imported"] for r in found.values()] == [""]


@pytest.mark.rule("CAL-23", "CAL-26")
def test_what_was_made_from_an_activity_does_not_come_back_by_a_further_calendar(
    anna: Shown, team: str
) -> None:
    anna.box.share_calendar(anna.owner, team, anna.planned.email, "writer")
    side = anna.planned.new_side(calendar_id=team)
    values = {"subject": "Visit", "start": moment(48)["dateTime"], "duration": "60"}
    values["start"] = values["start"].replace("+00:00", "Z")
    made = side.create([NewRecord(new_key(), values)])[0].remote
    assert made is not None

    assert not any(shown.is_selected for shown in anna.read().values())
    assert not anna.fetched(f"{mark_of(team)}{made.remote_id}").is_selected


@pytest.mark.rule("CAL-23")
def test_a_further_calendar_that_is_gone_is_told_once_and_breaks_nothing(
    anna: Shown, team: str
) -> None:
    own = anna.put()
    theirs = f"{mark_of(team)}{anna.put(team)}"
    anna.read()
    anna.box.share_calendar(anna.owner, team, anna.planned.email, "none")

    found = anna.read()

    assert anna.full_reads == 1
    assert found.pop(own).is_selected
    (told,) = found.values()
    assert "does not show the calendar Team" in told.record["odd"]
    assert anna.fetched(theirs).is_gone
    assert not anna.fetched(own).is_gone
    assert anna.read() == {}
    assert anna.requests(anna.read) == ["GET calendar.events.list"]
    anna.planned.clock.by += timedelta(days=1)
    assert anna.read() == {}
    assert anna.full_reads == 1


@pytest.mark.rule("CAL-23")
def test_the_own_calendar_that_is_gone_stops_the_cycle(anna: Shown) -> None:
    side = GoogleCalendars(
        anna.planned.new_side(calendar_id="nobody@x.example"),
        (),
        clock=anna.planned.clock,
    )

    with pytest.raises(CollectionGone):
        list(side.read(None))


@pytest.mark.rule("CAL-23")
def test_a_calendar_that_is_not_chosen_any_more_is_gone(anna: Shown, team: str) -> None:
    own = anna.put()
    theirs = f"{mark_of(team)}{anna.put(team)}"
    assert anna.read().keys() == {own, theirs}
    anna.choose()

    assert anna.read().keys() == {own}

    assert anna.full_reads == 1
    assert anna.fetched(theirs).is_gone
    anna.choose((team, "Sales"))
    assert anna.read()[theirs].values["imported"] == "the calendar Sales"
