"""Options › General over HTTP: the group, region, kinds, previews (WEB-2, CON-2)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import builtin
from crmsync.services import scheduling, settings, working
from crmsync.storage import people
from crmsync.storage.people import User
from tests.sandbox.harness import SandboxServer
from tests.support.product import ACTOR, GROUP
from tests.web.consent import PREFIX, authorize
from tests.web.site import ANNA, BEN, Site, Visitor
from tests.worker.steps import select_people


@pytest.fixture
def site(tmp_path: Path, box: SandboxServer) -> Iterator[Site]:
    made = Site(tmp_path, box.url)
    builtin.create_group(made.app, GROUP, "")
    yield made
    made.close()


def group_id(site: Site, name: str = GROUP) -> str:
    (found,) = [g for g in site.app.crm.groups(ANNA) if g.name == name]
    return found.group_id


def ready(site: Site, box: SandboxServer, *, is_admin: bool = False) -> Visitor:
    """Return Anna with an authorised account and a chosen group of three."""
    site.add_user(ANNA, is_admin=is_admin)
    anna = site.visitor(ANNA)
    select_people(site.product, 3)
    authorize(anna, box)
    anna.post("/options/group", {"group": group_id(site)})
    return anna


def user(site: Site, email: str = ANNA) -> User:
    return people.user_by_email(site.app.database, email)


def pair_id(site: Site) -> str:
    return people.pair_of(site.app.database, user(site).user_id, "contacts").pair_id


def work(site: Site) -> None:
    """Do what a worker would do for Anna's contacts."""
    for _ in range(20):
        if not working.work_on_pair(site.app, pair_id(site)):
            return
    raise AssertionError("the work does not end")


def carry_out(site: Site, anna: Visitor, path: str, **form: str) -> str:
    """Order something, let a worker do it, and return where it leads."""
    placed = anna.post(path, form)
    assert placed.status_code == 302, placed.text
    work(site)
    return str(anna.get(placed.location).location)


def accept_first_cycle(site: Site, anna: Visitor) -> None:
    seen = carry_out(site, anna, "/options/contacts/preview")
    cycle = seen.rpartition("/")[2]
    carry_out(site, anna, "/options/contacts/accept", cycle=cycle)


@pytest.mark.rule("CON-2")
def test_the_group_is_chosen_from_a_list_with_member_counts(site: Site) -> None:
    select_people(site.product, 3)
    site.add_user(ANNA)
    anna = site.visitor(ANNA)

    before = anna.get("/options").text
    anna.post("/options/group", {"group": group_id(site)})
    after = anna.get("/options").text

    assert "Google contacts (3 contacts)" in before
    assert f'value="{group_id(site)}" selected' not in before
    assert f'value="{group_id(site)}" selected' in after
    assert "The Contact Sync Group is Google contacts." in after


def test_without_groups_the_page_says_how_to_make_one(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.add_user(ANNA)

    page = site.visitor(ANNA).get("/options").text

    site.close()
    assert "save them as a group; then choose it here" in page


@pytest.mark.parametrize("given", ["", "nothing-has-this-id", "' OR 1=1 --"])
def test_a_group_that_does_not_exist_cannot_be_chosen(site: Site, given: str) -> None:
    site.add_user(ANNA)
    anna = site.visitor(ANNA)

    answer = anna.post("/options/group", {"group": given})

    assert answer.status_code in {302, 400}
    assert (
        people.seen_pair(site.app.database, user(site).user_id, "contacts").group_id
        == ""
    )


@pytest.mark.rule("CON-2")
def test_after_the_first_cycle_the_group_is_fixed(
    site: Site, box: SandboxServer
) -> None:
    anna = ready(site, box)
    builtin.create_group(site.app, "VIP", "")
    accept_first_cycle(site, anna)

    page = anna.get("/options").text
    forced = anna.post(
        "/options/group", {"group": group_id(site, "VIP"), "confirmed": "yes"}
    )
    review = anna.get(f"/options/group?to={group_id(site, 'VIP')}")

    assert "Fixed since the first cycle" in page
    assert forced.status_code == 400
    assert "cannot be changed after the first cycle" in forced.text
    assert review.status_code == 403


@pytest.mark.rule("CON-2")
def test_an_admin_sees_what_another_group_adds_and_removes_before_it_is_changed(
    site: Site, box: SandboxServer
) -> None:
    anna = ready(site, box, is_admin=True)
    builtin.create_group(site.app, "VIP", "")
    vip = str(builtin.edit_contact(site.app, "new", {"first": "Vera"})["id"])
    builtin.change_members(site.app, "VIP", [vip], selected=True)
    accept_first_cycle(site, anna)

    asked = anna.post("/options/group", {"group": group_id(site, "VIP")})
    page = anna.get(asked.location).text
    before = people.pair_by_id(site.app.database, pair_id(site))
    anna.post("/options/group", {"group": group_id(site, "VIP"), "confirmed": "yes"})
    after = people.pair_by_id(site.app.database, pair_id(site))

    assert "Would be added to synchronisation (1)" in page
    assert "Vera" in page
    assert "Would be taken out of synchronisation (3)" in page
    assert before.group_id == group_id(site)
    assert (after.group_id, after.is_accepted) == (group_id(site, "VIP"), False)


@pytest.mark.rule("CON-2")
def test_a_deleted_group_is_told_and_another_can_be_chosen_by_an_admin(
    site: Site, box: SandboxServer
) -> None:
    from crm import groups

    anna = ready(site, box)
    with site.app.database.write() as connection:
        groups.delete(connection, group_id(site))

    assert "The chosen group is gone." in anna.get("/options").text


@pytest.mark.rule("WEB-2")
def test_region_and_language_are_saved_and_used(site: Site, box: SandboxServer) -> None:
    anna = ready(site, box)
    form = {"time_zone": "Asia/Tokyo", "language": "de", "default_region": "DE"}

    anna.post("/options/region", form)

    page = anna.get("/options").text
    for name, value in form.items():
        assert settings.get(site.app, name, user_id=user(site).user_id) == value
        assert f'<option value="{value}"' in page
    assert "Deutschland" in page
    assert settings.get(site.app, "time_zone") == "UTC"


@pytest.mark.parametrize(
    ("name", "value"),
    [("time_zone", "Mars/Base"), ("language", "tlh"), ("default_region", "ZZ")],
)
def test_a_region_that_does_not_exist_is_refused(
    site: Site, name: str, value: str
) -> None:
    site.add_user(ANNA)
    anna = site.visitor(ANNA)

    anna.post("/options/region", {name: value})

    assert "it was given" in anna.get("/options").text
    assert settings.get(site.app, name, user_id=user(site).user_id) != value
    assert anna.get("/").status_code == 200


def test_a_browsers_time_zone_is_taken_until_somebody_chooses(site: Site) -> None:
    site.add_user(ANNA)

    for zone in ("Mars/Base", "Europe/Berlin", "Asia/Tokyo"):
        site.visitor().sign_in(ANNA, zone=zone)

    found = settings.get(site.app, "time_zone", user_id=user(site).user_id)
    assert found == "Europe/Berlin"


@pytest.mark.rule("WEB-2", "ENG-7")
def test_a_preview_shows_counts_and_items_and_nothing_is_written(
    site: Site, box: SandboxServer
) -> None:
    anna = ready(site, box)
    placed = anna.post("/options/contacts/preview")
    waiting = anna.get(f"{placed.location}.json").json or {}
    page = anna.get(placed.location).text
    work(site)
    done = anna.get(f"{placed.location}.json").json or {}
    preview = anna.get(done["next"]).text

    assert (waiting["state"], waiting["next"]) == ("waiting", None)
    assert "Waiting for a worker" in page
    assert done["is_over"]
    assert anna.get(placed.location).location == done["next"]
    for text in ("What would the next cycle do?", "P0", "P1", "P2", "Create"):
        assert text in preview
    assert "Accept and start" in preview
    assert box.people(ANNA) == []


@pytest.mark.rule("WEB-2")
def test_accepting_a_preview_starts_the_first_cycle(
    site: Site, box: SandboxServer
) -> None:
    anna = ready(site, box)

    accept_first_cycle(site, anna)

    assert len(box.people(ANNA)) == 3
    page = anna.get("/options").text
    assert "Succeeded" in page
    assert "Sync now" in page
    assert "Accept" not in page


@pytest.mark.rule("WEB-2")
def test_a_first_cycle_that_waits_is_shown_and_can_be_accepted(
    site: Site, box: SandboxServer
) -> None:
    anna = ready(site, box)
    anna.post("/options/contacts/sync")
    work(site)

    page = anna.get("/options").text
    (held,) = [
        state.held
        for state in scheduling.kind_states(site.app, user(site))
        if state.held
    ]
    preview = anna.get(f"/options/preview/{held}").text
    carry_out(site, anna, "/options/contacts/accept", cycle=held)

    assert "Waits for you" in page
    assert "See and decide" in page
    assert "Accept and start" in preview
    assert len(box.people(ANNA)) == 3


def test_anothers_preview_cannot_be_accepted(site: Site, box: SandboxServer) -> None:
    anna = ready(site, box)
    seen = carry_out(site, anna, "/options/contacts/preview").rpartition("/")[2]
    site.add_user(BEN, is_admin=True)
    ben = site.visitor(BEN)

    shown = ben.get(f"/options/preview/{seen}")
    accepted = ben.post("/options/contacts/accept", {"cycle": seen})

    assert shown.status_code == 200
    assert "Accept and start" not in shown.text
    assert accepted.status_code == 404
    assert anna.post("/options/contacts/accept", {"cycle": "x"}).status_code == 404
    assert anna.post("/options/contacts/accept").status_code == 404


@pytest.mark.rule("WEB-2")
def test_a_kind_can_be_paused_and_resumed(site: Site, box: SandboxServer) -> None:
    anna = ready(site, box)
    accept_first_cycle(site, anna)

    anna.post("/options/contacts/pause")
    paused = anna.get("/options").text
    refused = anna.post("/options/contacts/sync")
    anna.post("/options/contacts/resume")
    resumed = anna.get("/options").text

    assert "Contacts is paused until you resume it." in paused
    assert "when you resume it" in paused
    assert refused.status_code == 400
    assert "Contacts goes on." in resumed


@pytest.mark.rule("WEB-2")
def test_sync_now_makes_a_cycle_due(site: Site, box: SandboxServer) -> None:
    anna = ready(site, box)
    accept_first_cycle(site, anna)
    builtin.edit_contact(site.app, "new", {"first": "Zoe"})
    select_people(site.product, 1, start=9)

    anna.post("/options/contacts/sync")
    work(site)

    assert len(box.people(ANNA)) == 4


@pytest.mark.rule("AUTH-9")
def test_a_withheld_kind_is_shown_disabled_and_cannot_be_started(
    site: Site, box: SandboxServer
) -> None:
    anna = ready(site, box)
    settings.put(site.app, "kinds", "mail", user_id=user(site).user_id, actor=ACTOR)

    page = anna.get("/options").text
    tried = [
        anna.post(f"/options/contacts/{what}")
        for what in ("sync", "pause", "resume", "preview")
    ]

    assert "Ask your administrator: this kind is withheld from you." in page
    assert "/options/contacts/" not in page
    assert [answer.status_code for answer in tried] == [400] * 4
    assert all("Ask your administrator" in answer.text for answer in tried)


def test_mail_waits_for_its_own_authorisation(site: Site, box: SandboxServer) -> None:
    anna = ready(site, box)

    page = anna.get("/options").text

    assert "Mail needs a Google account" in page
    assert anna.post("/options/mail/sync").status_code == 400
    assert anna.post("/options/nonsense/sync").status_code == 404


@pytest.mark.rule("AUTH-5")
def test_a_kind_without_its_scope_has_a_button_that_asks_again(
    site: Site, box: SandboxServer
) -> None:
    site.add_user(ANNA)
    anna = site.visitor(ANNA)
    authorize(anna, box, scopes=[f"{PREFIX}tasks"])

    page = anna.get("/options").text

    assert "Not granted" in page
    assert "Ask Google again" in page
    assert anna.post("/options/contacts/sync").status_code == 400


@pytest.mark.rule("AUTH-7")
def test_a_revoked_grant_asks_to_reauthorise_and_then_goes_on(
    site: Site, box: SandboxServer
) -> None:
    anna = ready(site, box)
    accept_first_cycle(site, anna)
    box.revoke(ANNA)
    site.app.clock.now()
    anna.post("/options/contacts/sync")
    work(site)

    options, services = (anna.get(p).text for p in ("/options", "/options/services"))
    authorize(anna, box)
    select_people(site.product, 1, start=5)
    anna.post("/options/contacts/sync")
    work(site)

    assert "Reauthorize" in options
    assert "Google has ended this authorization." in services
    assert "Reauthorize" not in anna.get("/options").text
    assert len(box.people(ANNA)) == 4


@pytest.mark.rule("AUTH-8")
def test_another_account_is_asked_about_on_the_page(
    site: Site, box: SandboxServer
) -> None:
    anna = ready(site, box)
    accept_first_cycle(site, anna)
    page = authorize(anna, box, BEN)
    options = anna.get("/options").text
    refused = anna.post("/options/contacts/sync")

    anna.post("/oauth/google_sync/afresh")

    assert "These links are another account&#39;s." in page
    assert f"Go back to {ANNA}" in page
    assert f"Start afresh with {BEN}" in page
    assert "Decide" in options
    assert refused.status_code == 400
    after = anna.get("/options/services").text
    assert "3 links are forgotten; no record was touched." in after
    assert "another account" not in after
    assert len(box.people(ANNA)) == 3
    assert anna.post("/oauth/google_sync/afresh").status_code == 400


def test_an_order_that_fails_says_why(site: Site, box: SandboxServer) -> None:
    anna = ready(site, box)
    placed = anna.post("/options/contacts/preview")
    settings.put(site.app, "kinds", "mail", user_id=user(site).user_id, actor=ACTOR)
    work(site)

    page = anna.get(placed.location)
    state = anna.get(f"{placed.location}.json").json or {}

    assert page.status_code == 200
    assert "It did not work" in page.text
    assert "withheld" in page.text
    assert (state["state"], state["next"]) == ("failed", None)


@pytest.mark.rule("WEB-2")
def test_sync_now_is_limited(site: Site, box: SandboxServer) -> None:
    anna = ready(site, box)

    statuses = [anna.post("/options/contacts/sync").status_code for _ in range(7)]

    assert statuses == [302] * 6 + [429]


@pytest.mark.rule("WEB-2")
def test_the_start_page_leads_to_the_first_cycle(
    site: Site, box: SandboxServer
) -> None:
    site.add_user(ANNA)
    anna = site.visitor(ANNA)
    select_people(site.product, 3)
    pages = [anna.get("/").text]
    authorize(anna, box)
    pages.append(anna.get("/").text)
    anna.post("/options/group", {"group": group_id(site)})
    pages.append(anna.get("/").text)
    accept_first_cycle(site, anna)
    last = anna.get("/").text

    buttons = ("Authorize Services", "Choose a group", "To the preview")
    for number, page in enumerate(pages):
        shown = [button for button in buttons if f">{button}<" in page]
        assert shown == [buttons[number]]
    assert "Three steps" not in last
    assert "Succeeded" in last
