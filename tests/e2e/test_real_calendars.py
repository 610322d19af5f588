"""Real iCalendar files through the whole product: in the CRM, or said why not."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crmsync.services import checking, reporting
from tests.sandbox.harness import ROOT, SandboxServer
from tests.support.crm_icalendar import shown_by_crm, shown_by_google
from tests.support.office import Office
from tests.support.product import Product

FILES = sorted((ROOT / "tests" / "data" / "ics" / "icalendar").glob("*.ics"))
ANNA = "anna@shop.example"
WIDEST = 3650
"""Days: the widest window that Options allow."""


@dataclass
class Moved:
    """The real time, moved into another year."""

    by: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.by


def told_why(product: Product, cycle_id: str) -> dict[str, str]:
    """Return what history says about events that were set aside."""
    items = reporting.cycle_detail(product.app, cycle_id)["items"]
    aside = [item for item in items if item["state"] == "skipped"]
    return {item["google"]["id"]: item["error"]["message"] for item in aside}


def master_of(event: dict[str, Any]) -> str:
    return str(event.get("recurringEventId") or event["id"])


@pytest.mark.rule("CAL-17", "CAL-19", "ENG-1")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("year", [2006, 0], ids=["long ago", "now"])
def test_each_event_of_real_files_comes_in_or_history_says_why_not(
    tmp_path: Path, year: int
) -> None:
    with ExitStack() as stack:
        options = ("--quota", "off", "--delay", "0", "--account", ANNA)
        box = stack.enter_context(SandboxServer(*options))
        clock = Moved()
        product = Product(tmp_path, box.url, clock=clock)
        stack.callback(product.close)
        office = Office(product, box)
        for path in FILES:
            box.load(ANNA, path.read_text(errors="replace"))
        for name in ("window_past_days", "window_future_days"):
            product.set(name, str(WIDEST))
        user = product.add_user(ANNA)
        product.connect(user)
        if year:
            clock.by = datetime(year, 6, 1, tzinfo=UTC) - datetime.now(UTC)
            box.advance(clock.by.total_seconds())
        since, until = (clock.now() + timedelta(days=d) for d in (-WIDEST, 2 * 365))

        first, second = office.cycle(user), office.cycle(user)

        aside = told_why(product, first["id"])
        assert all(aside.values())
        listed = [
            event
            for event in box.events(ANNA, expand="true")
            if master_of(event) not in aside
        ]
        theirs = shown_by_google(listed, since, until)
        assert shown_by_crm(office.agenda(ANNA), since, until) == theirs
        assert len(theirs) > 15
        wrote = [n for s in ("google", "crm") for n in second["counts"][s].values()]
        assert sum(wrote) == 0
        assert checking.check(product.app)["ok"]
        assert box.notifications() == []
