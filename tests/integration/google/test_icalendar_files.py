"""Real iCalendar files in the calendar: each event is read, or it is said why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crmsync.connectors.transport import Transport
from crmsync.records.expansion import expand
from crmsync.records.remote import Remote
from tests.integration.google.conftest import Shifted
from tests.integration.google.test_sandbox_planner import Planned
from tests.sandbox.harness import ROOT, SandboxServer

FILES = sorted((ROOT / "tests" / "data" / "ics" / "icalendar").glob("*.ics"))
SINCE = datetime(1990, 1, 1, tzinfo=UTC)
UNTIL = datetime.now(UTC) + timedelta(days=700)


@pytest.fixture
def loaded(
    box: SandboxServer, clock: Shifted, transport: Transport
) -> Callable[[int], Planned]:
    def load(number: int) -> Planned:
        email = f"ics{number}@x.example"
        box.account(email)
        box.load(email, FILES[number].read_text(errors="replace"))
        return Planned(box, email, clock, transport)

    return load


def expanded(found: Mapping[str, Remote]) -> list[str]:
    starts: list[str] = []
    for name, remote in found.items():
        if not remote.record["series"]:
            changes = [
                r.values for r in found.values() if r.record.get("series") == name
            ]
            shown = expand(remote.values, SINCE, UNTIL, changes)
            starts += [one.start for one in shown]
    return sorted(starts)


def start_of(event: Mapping[str, Any]) -> str:
    start = event["start"]
    if "date" in start:
        return str(start["date"])
    at = datetime.fromisoformat(start["dateTime"]).astimezone(UTC)
    return f"{at.replace(tzinfo=None).isoformat()}Z"


def test_there_are_files() -> None:
    assert len(FILES) > 50


@pytest.mark.rule("CAL-17")
@pytest.mark.parametrize("eighth", range(8))
def test_events_of_files_take_place_when_the_calendar_shows_them(
    loaded: Callable[[int], Planned], eighth: int
) -> None:
    for number in range(eighth, len(FILES), 8):
        user = loaded(number)
        listed = {event["id"] for event in user.box.events(user.email)}
        occurrences = user.box.events(user.email, expand="true")

        found = user.side.fetch(sorted(listed))

        assert not any(remote.is_gone for remote in found.values())
        odd = {
            remote.record["odd"] for remote in found.values() if "odd" in remote.record
        }
        assert odd == set(), FILES[number].name
        last = UNTIL.isoformat()
        shown = sorted(map(start_of, occurrences))
        assert expanded(found) == [s for s in shown if "1990" <= s < last]
