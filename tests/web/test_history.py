"""Sync History's list, its exports, and who sees what (HIS-1, HIS-8)."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import expect
from sqlalchemy import event, update

from crmsync.storage import tables as t
from tests.web.browsing import PHONE, assert_accessible, assert_fits
from tests.web.scenes import add_cycle, add_item, change, conflict
from tests.web.site import ANNA, BEN, Site
from tests.web.test_layout import Opener

pytestmark = pytest.mark.rule("HIS-1")

GOOGLE = {"created": 3, "updated": 0, "deleted": 0, "unlinked": 0}
NASTY = '<script>alert("x")</script>'


def jobs(text: str) -> list[str]:
    return re.findall(r'class="row-name" href="/history/([^"]+)"', text)


def next_page(text: str) -> str:
    found = re.search(r'rel="next" href="([^"]+)"', text)
    return found[1].replace("&amp;", "&") if found else ""


def test_a_first_visit_says_what_to_do_next(site: Site) -> None:
    site.add_user()

    page = site.visitor(ANNA).get("/history").text

    assert "Nothing has been synchronised yet" in page


@pytest.mark.rule("HIS-8", "ENG-9")
def test_a_user_sees_their_own_cycles_and_an_admin_sees_all(site: Site) -> None:
    anna, ben = site.add_user(ANNA), site.add_user(BEN, is_admin=True)
    hers = add_cycle(site, anna, counts={"google": GOOGLE})
    his = add_cycle(site, ben, counts={"google": GOOGLE})

    by_her = site.visitor(ANNA)
    by_him = site.visitor(BEN)

    assert jobs(by_her.get("/history").text) == [hers]
    assert jobs(by_her.get(f"/history?user={ben.user_id}").text) == [hers]
    assert jobs(by_him.get("/history").text) == [his, hers]
    assert jobs(by_him.get(f"/history?user={anna.user_id}").text) == [hers]
    for way in ("/history.csv", "/history.json"):
        assert his not in by_her.get(f"{way}?user={ben.user_id}").text
        assert hers in by_him.get(way).text
    assert by_her.get(f"/history/live.json?ids={his}").json == {"cycles": []}
    assert by_her.get(f"/history/{his}").status_code == 404
    assert by_her.get(f"/history/{his}.json").status_code == 404
    assert by_him.get(f"/history/{hers}").status_code == 200


def test_filters_narrow_the_list_and_stay_in_its_links(site: Site) -> None:
    anna = site.add_user()
    good = add_cycle(site, anna, counts={"google": GOOGLE})
    bad = add_cycle(
        site,
        anna,
        state="failed",
        error={"code": "x", "message": "Google is away.", "next_step": "Wait."},
    )
    disputed = add_cycle(
        site, anna, counts={"google": GOOGLE, "conflicts": 1}, minutes_ago=60 * 24 * 10
    )
    visitor = site.visitor(ANNA)

    def shown(query: str) -> list[str]:
        return sorted(jobs(visitor.get(f"/history?{query}").text))

    assert shown("") == sorted([good, bad, disputed])
    assert shown("state=failed") == [bad]
    assert shown("errors=1") == [bad]
    assert shown("conflicts=1") == [disputed]
    assert shown("frame=week") == sorted([good, bad])
    assert shown("kind=mail") == []
    assert shown("text=contacts+anna") == sorted([good, bad, disputed])
    assert shown("text=nobody") == []
    page = visitor.get("/history?state=failed&errors=1&frame=today&sort=-duration")
    link = re.search(r'href="([^"]+)">Started', page.text)
    assert link
    for part in ("state=failed", "errors=1", "frame=today", "sort=started"):
        assert part in link[1]


@pytest.mark.parametrize(
    "query",
    [
        "sort=nonsense&after=%00%ff",
        "sort=-duration&after=WyIiLCJhIiwiYiJd",
        "after=bm90IGpzb24",
        "before=WzFd&sort=state",
        "frame=next&state=%3Cscript%3E&kind=%27--",
        "after=" + "A" * 3000,
        "text=" + "%E2%80%AE" * 300,
        "user=%00",
    ],
)
def test_a_list_that_is_asked_for_nonsense_shows_something_sensible(
    site: Site, query: str
) -> None:
    anna = site.add_user()
    add_cycle(site, anna, counts={"google": GOOGLE})

    answer = site.visitor(ANNA).get(f"/history?{query}")

    assert answer.status_code == 200
    assert "<script>" not in answer.text.replace("<script nonce", "")


def test_pages_follow_each_other_without_a_gap(site: Site) -> None:
    anna = site.add_user()
    made = [
        add_cycle(site, anna, counts={"google": GOOGLE}, minutes_ago=200 - n)
        for n in range(120)
    ]
    visitor = site.visitor(ANNA)

    seen, url = [], "/history"
    while url:
        text = visitor.get(url).text
        seen += jobs(text)
        url = next_page(text)

    assert seen == made[::-1]


def test_cycles_without_a_change_are_one_row_that_opens(site: Site) -> None:
    anna = site.add_user()
    first = add_cycle(site, anna, counts={"google": GOOGLE}, minutes_ago=90)
    quiet = [add_cycle(site, anna, minutes_ago=80 - 5 * n) for n in range(12)]
    last = add_cycle(site, anna, counts={"google": GOOGLE}, minutes_ago=1)
    visitor = site.visitor(ANNA)

    page = visitor.get("/history").text
    fold = re.search(r'<a href="([^"]+)">12 cycles</a> without|">12 cycles', page)

    assert jobs(page) == [last, first]
    assert "12 cycles" in page
    assert fold
    link = re.search(r'<tr class="quiet"><td colspan="7"><a href="([^"]+)"', page)
    assert link
    opened = visitor.get(link[1].replace("&amp;", "&")).text
    assert jobs(opened) == [*quiet[::-1], first]


def test_a_history_of_nothing_but_quiet_cycles_is_one_row(site: Site) -> None:
    anna = site.add_user()
    for number in range(3):
        add_cycle(site, anna, minutes_ago=number)

    page = site.visitor(ANNA).get("/history").text

    assert jobs(page) == []
    assert "3 cycles" in page


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_of_an_export_is_a_formula(site: Site, cell: str) -> None:
    anna = site.add_user()
    add_cycle(
        site,
        anna,
        state="failed",
        error={"code": "x", "message": cell, "next_step": ""},
    )

    answer = site.visitor(ANNA).get("/history.csv")

    rows = list(csv.DictReader(io.StringIO(answer.text.lstrip("\ufeff"), newline="")))
    assert rows[0]["error"] == f"'{cell}"
    assert rows[0]["google_created"] == "0"
    assert answer.headers["Content-Disposition"].startswith("attachment")


def test_the_json_export_is_what_the_list_shows(site: Site) -> None:
    anna = site.add_user()
    wanted = add_cycle(site, anna, state="failed", counts={"errors": 2})
    add_cycle(site, anna)

    whole = json.loads(site.visitor(ANNA).get("/history.json").text)
    failed = json.loads(site.visitor(ANNA).get("/history.json?state=failed").text)

    assert len(whole["cycles"]) == 2
    assert [cycle["id"] for cycle in failed["cycles"]] == [wanted]
    assert failed["cycles"][0]["counts"]["errors"] == 2


@pytest.mark.rule("HIS-4", "HIS-7")
def test_lookup_goes_to_what_is_named(site: Site) -> None:
    anna, ben = site.add_user(ANNA), site.add_user(BEN)
    cycle = add_cycle(site, anna)
    add_item(site, cycle, "Jo Doe", crm_id="CABC", google_id="people/c1")
    foreign = add_cycle(site, ben)
    add_item(site, foreign, "Secret", crm_id="CXYZ")
    visitor = site.visitor(ANNA)

    def leads(text: str) -> str:
        answer = visitor.get("/history/lookup", query_string={"q": text})
        return answer.location

    assert leads(cycle) == f"/history/{cycle}"
    assert leads("CABC") == "/trace?q=CABC"
    assert leads("https://contacts.google.com/person/c1?hl=en").startswith("/trace?q=")
    assert leads("contacts") == "/history?text=contacts"
    assert leads(foreign) == f"/history?text={foreign}"
    assert leads("CXYZ") == "/history?text=CXYZ"
    assert "Jo Doe" in visitor.get("/trace?q=people/c1").text
    assert "Secret" not in visitor.get("/trace?q=CXYZ").text
    assert "Nothing is known" in visitor.get("/trace?q=CXYZ").text


def test_names_reasons_and_errors_are_shown_as_text(site: Site) -> None:
    anna = site.add_user()
    cycle = add_cycle(
        site,
        anna,
        state="failed",
        error={"code": "x", "message": NASTY, "next_step": NASTY},
    )
    add_item(
        site,
        cycle,
        NASTY,
        crm_id="C1",
        google_id='people/"><b>',
        reason=NASTY,
        state="failed",
        changes=[change("custom:<b>", crm_after=NASTY), conflict(NASTY, NASTY)],
        has_conflict=True,
        error={"code": "x", "message": NASTY, "next_step": NASTY},
    )
    visitor = site.visitor(ANNA)

    for path in ("/history", f"/history/{cycle}", "/trace?q=C1", "/inbox"):
        page = visitor.get(path).text
        assert NASTY not in page
        assert "<b>" not in page
    assert "&lt;script&gt;" in visitor.get(f"/history/{cycle}").text


def test_a_running_cycle_moves_by_itself_until_it_is_done(
    site: Site, open_desk: Opener
) -> None:
    anna = site.add_user()
    cycle = add_cycle(site, anna, state="running", minutes_ago=1)
    for number in range(10):
        state = "done" if number < 6 else "planned"
        add_item(site, cycle, f"P{number}", state=state)
    with site.served() as url:
        page = open_desk(url).sign_in()
        page.goto("/history")
        row = page.get_by_role("row", name=re.compile("Contacts – Anna"))
        expect(row).to_contain_text("6 of 10")
        expect(row).to_contain_text("left")

        with site.app.database.write() as connection:
            connection.execute(
                update(t.cycles).values(
                    state="succeeded",
                    counts={**row_counts(), "google": {**GOOGLE, "created": 10}},
                    finished_at=site.app.clock.now() + timedelta(seconds=1),
                )
            )

        expect(row).to_contain_text("Done")
        expect(row).to_contain_text("10 created in Google")


def row_counts() -> dict[str, object]:
    from crmsync.storage.cycles import empty_counts

    return empty_counts()


@pytest.mark.rule("HIS-6")
def test_the_number_beside_the_inbox_is_found_by_indexes(site: Site) -> None:
    anna = site.add_user()
    for number in range(30):
        add_item(site, add_cycle(site, anna, minutes_ago=number))
    visitor = site.visitor(ANNA)
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _k: Any, statement: str, given: Any, *_: Any) -> None:
        asked.append((statement, given))

    event.listen(site.app.database.engine, "before_cursor_execute", note)
    visitor.get("/inbox")
    event.remove(site.app.database.engine, "before_cursor_execute", note)

    plans = []
    with site.app.database.read() as connection:
        for statement, given in asked:
            if re.search(r"FROM (cycle|item)\b", statement):
                told = connection.exec_driver_sql(
                    f"EXPLAIN QUERY PLAN {statement}", given
                )
                plans.append("\n".join(row[3] for row in told))
    assert plans
    for plan in plans:
        assert "SCAN cycle" not in plan, plan
        assert "SCAN item" not in plan, plan
        for line in plan.splitlines():
            if line.startswith(("SEARCH cycle", "SEARCH item")):
                assert re.search(r"state=\?|[( ]id=\?", line), line


@pytest.mark.rule("WEB-4")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_of_sync_history_are_accessible(
    site: Site, open_desk: Opener, scheme: str
) -> None:
    anna = site.add_user(is_admin=True)
    cycle = add_cycle(site, anna, counts={"google": GOOGLE, "conflicts": 1})
    add_item(site, cycle, changes=[conflict("x" * 300)], has_conflict=True, crm_id="C1")
    add_item(
        site,
        cycle,
        "Failed One",
        state="failed",
        error={"code": "x", "message": "Refused.", "next_step": "Shorten the name."},
    )
    add_item(
        site,
        cycle,
        "Who Is It",
        state="held",
        reason="several_candidates",
        google_id="people/c9",
        plan={"choices": [{"record_id": "C2", "name": "Jo", "facts": "Acme"}]},
    )
    add_cycle(site, anna, state="running")
    held = add_cycle(
        site, anna, state="held", objection="first_cycle", counts={"google": GOOGLE}
    )
    for _ in range(3):
        add_cycle(site, anna)
    with site.served() as url:
        page = open_desk(url, color_scheme=scheme).sign_in()
        for path in (
            "/history",
            "/history?state=paused",
            f"/history/{cycle}",
            f"/history/{held}",
            "/inbox",
            "/trace?q=C1",
        ):
            page.set_viewport_size({"width": 1280, "height": 860})
            page.goto(path)
            assert_accessible(page)
            page.set_viewport_size(PHONE)
            assert_fits(page)
            assert_accessible(page)
