"""Options › Calendar and to-dos: which calendar, which list, which window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from crmsync.services import settings
from crmsync.services.syncing import Order, run_kinds
from crmsync.storage import people
from tests.sandbox.harness import SandboxServer
from tests.support.office import at, slot
from tests.web.browsing import Desk, assert_accessible, assert_fits
from tests.web.consent import authorize
from tests.web.site import ANNA, BEN, Site, Visitor

OPEN_DESK = Callable[..., Desk]


@pytest.fixture
def site(tmp_path: Path, box: SandboxServer) -> Site:
    return Site(tmp_path, box.url)


@pytest.fixture
def anna(site: Site, box: SandboxServer) -> Visitor:
    site.add_user(ANNA)
    visitor = site.visitor(ANNA)
    authorize(visitor, box)
    return visitor


def chosen(site: Site, name: str) -> str:
    user = people.user_by_email(site.app.database, ANNA)
    return settings.get(site.app, name, user_id=user.user_id)


@pytest.mark.rule("CAL-23", "TSK-5", "WEB-2")
def test_the_calendars_and_lists_of_the_account_are_offered(
    site: Site, anna: Visitor, box: SandboxServer
) -> None:
    work = box.new_calendar(ANNA, "Work")
    errands = box.new_tasklist(ANNA, "Errands")

    page = anna.get("/options/collections").text
    anna.post("/options/collections/calendar", {"chosen": work["id"]})
    anna.post("/options/collections/tasks", {"chosen": errands["id"]})

    assert "Work</option>" in page
    assert "Errands</option>" in page
    assert chosen(site, "calendar") == work["id"]
    assert chosen(site, "task_list") == errands["id"]


@pytest.mark.rule("CAL-23", "ENG-6")
def test_another_calendar_unlinks_and_deletes_nothing(
    site: Site, anna: Visitor, box: SandboxServer
) -> None:
    user = people.user_by_email(site.app.database, ANNA)
    box.create_event(ANNA, {"summary": "Lunch", **slot(at())})
    run_kinds(site.app, user, ["calendar"], Order(accepts=True))
    work = box.new_calendar(ANNA, "Work")

    anna.post("/options/collections/calendar", {"chosen": work["id"]})
    first = run_kinds(site.app, user, ["calendar"], Order())[0]
    run_kinds(site.app, user, ["calendar"], Order(accepts=True))

    assert first["state"] == "held"
    assert [e["summary"] for e in box.events(ANNA)] == ["Lunch"]
    assert [e["summary"] for e in box.events(ANNA, calendar=work["id"])] == ["Lunch"]


@pytest.mark.rule("CAL-23")
def test_a_calendar_that_is_not_offered_is_refused(site: Site, anna: Visitor) -> None:
    answer = anna.post("/options/collections/calendar", {"chosen": "somebody@else"})

    assert "That is not a calendar that you may write." in answer.text
    assert chosen(site, "calendar") == "primary"


@pytest.mark.rule("CAL-19", "CAL-21")
def test_the_window_and_private_events_are_chosen(site: Site, anna: Visitor) -> None:
    form = {"private_events": "busy", "window_past_days": "10"}
    anna.post("/options/calendar-rules", form)
    wrong = anna.post("/options/calendar-rules", {"window_past_days": "-1"})

    assert chosen(site, "private_events") == "busy"
    assert chosen(site, "window_past_days") == "10"
    assert "a whole number from 0 to 3650" in wrong.text


@pytest.mark.rule("CAL-23")
def test_further_calendars_are_shown_read_only_until_they_are_not_chosen(
    site: Site, anna: Visitor, box: SandboxServer
) -> None:
    box.account(BEN)
    team = box.new_calendar(BEN, "Team")["id"]
    box.share_calendar(BEN, team, ANNA, "reader")
    box.create_event(BEN, {"summary": "Stand-up", **slot(at())}, calendar=team)
    user = people.user_by_email(site.app.database, ANNA)

    page = anna.get("/options/collections").text
    anna.post("/options/collections/further", {"further": team})
    after = anna.get("/options/collections").text
    run_kinds(site.app, user, ["calendar"], Order(accepts=True))

    assert f'value="{team}"> Team' in page
    assert f'value="{team}" checked> Team' in after
    assert chosen(site, "further_calendars") == f"{team} Team"
    shown = anna.get("/activities?view=list").text
    assert "Stand-up" in shown
    assert "Comes from the calendar Team" in shown

    anna.post("/options/collections/further", {})
    run_kinds(site.app, user, ["calendar"], Order(accepts=True))

    assert "Stand-up" not in anna.get("/activities?view=list").text
    assert [e["summary"] for e in box.events(BEN, calendar=team)] == ["Stand-up"]
    assert box.events(ANNA) == []


@pytest.mark.rule("CAL-23")
def test_a_calendar_that_may_not_be_read_is_refused(site: Site, anna: Visitor) -> None:
    answer = anna.post("/options/collections/further", {"further": "somebody@else"})

    assert "One of these is not a calendar that you may read." in answer.text
    assert chosen(site, "further_calendars") == ""


@pytest.mark.rule("WEB-4")
def test_the_page_is_sound_in_both_schemes(
    google_site: Site, box: SandboxServer, open_desk: OPEN_DESK
) -> None:
    google_site.add_user(ANNA)
    authorize(google_site.visitor(ANNA), box)
    for scheme in ("light", "dark"):
        desk = open_desk(google_site.url, color_scheme=scheme)
        desk.sign_in(ANNA)
        desk.page.goto("/options/collections")
        assert_accessible(desk.page)
        assert_fits(desk.page)
