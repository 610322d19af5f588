"""Authorize Services over HTTP: what goes well and what people and thieves try."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from crmsync.connectors.google.tokens import Grant
from crmsync.services import accounts
from crmsync.storage import tables as t
from tests.sandbox.harness import SandboxServer
from tests.web.consent import (
    PREFIX,
    authorize,
    begin,
    come_back,
    connection_of,
    consent,
)
from tests.web.site import ANNA, BEN, Site, Visitor
from tests.web.test_sign_in import TurnedClock
from worker.schedule import Scheduler

Found = tuple[Site, Visitor]


@pytest.fixture
def site(tmp_path: Path, box: SandboxServer) -> Iterator[Site]:
    made = Site(tmp_path, box.url)
    yield made
    made.close()


@pytest.fixture
def anna(site: Site) -> Visitor:
    site.add_user(ANNA)
    return site.visitor(ANNA)


def stored(site: Site) -> tuple[int, int]:
    """Return how many connections and how many waiting grants there are."""
    with site.app.database.read() as connection:
        flows = connection.execute(
            select(t.oauth_flows).where(t.oauth_flows.c.grant != "")
        ).all()
        return len(connection.execute(select(t.connections)).all()), len(flows)


@pytest.mark.rule("AUTH-1", "AUTH-3")
def test_a_service_is_authorised_after_ok_and_not_before(
    site: Site, anna: Visitor, box: SandboxServer
) -> None:
    page = consent(anna, box)
    before = stored(site)

    anna.post("/oauth/google_sync/confirm", {"email": ANNA.upper()})

    assert "Configure Provider Token" in page.text
    assert f'value="{ANNA}"' in page.text
    assert before == (0, 1)
    assert stored(site) == (1, 0)
    shown = anna.get("/options/services").text
    assert "Authorized" in shown
    assert ANNA in shown


@pytest.mark.rule("AUTH-2")
def test_each_service_asks_for_its_own_scopes_only(site: Site, anna: Visitor) -> None:
    sync, mail = begin(anna), begin(anna, "google_mail")

    assert "contacts" in sync
    assert "gmail" not in sync
    assert "gmail.modify" in mail
    assert "contacts" not in mail
    assert "calendar" not in mail


@pytest.mark.rule("AUTH-1")
def test_the_account_chooser_is_always_asked_for(site: Site, anna: Visitor) -> None:
    assert "prompt=select_account" in begin(anna)


@pytest.mark.rule("AUTH-3")
def test_ok_with_another_address_stores_nothing_and_names_both(
    site: Site, anna: Visitor, box: SandboxServer
) -> None:
    consent(anna, box)

    anna.post("/oauth/google_sync/confirm", {"email": "eve@x.example"})

    shown = anna.get("/options/services").text
    assert "You entered eve@x.example, but Google authorised" in shown
    assert ANNA in shown
    assert "alias" in shown
    assert stored(site) == (0, 0)


@pytest.mark.rule("AUTH-3")
def test_cancel_drops_the_grant(site: Site, anna: Visitor, box: SandboxServer) -> None:
    consent(anna, box)

    anna.post("/oauth/google_sync/cancel")

    assert stored(site) == (0, 0)
    assert "Nothing was stored" in anna.get("/options/services").text


@pytest.mark.rule("AUTH-3")
def test_the_dialog_says_when_the_account_is_not_the_users_own(
    site: Site, anna: Visitor, box: SandboxServer
) -> None:
    page = consent(anna, box, BEN).text

    assert "not the address you signed in with" in page
    assert BEN in page


@pytest.mark.rule("AUTH-4")
def test_an_answer_works_once(site: Site, anna: Visitor, box: SandboxServer) -> None:
    answer = box.consent(begin(anna), ANNA)
    come_back(anna, answer)
    anna.post("/oauth/google_sync/confirm", {"email": ANNA})

    again = come_back(anna, answer)

    assert again.location == "/options/services"
    assert "belongs to no authorisation" in anna.get("/options/services").text
    assert stored(site) == (1, 0)


@pytest.mark.rule("AUTH-4")
@pytest.mark.parametrize(
    "change",
    [
        {"state": "made-up"},
        {"state": ""},
        {"state": "x" * 100_000},
        {"state": "\x00"},
        {"code": "made-up"},
        {"code": ""},
        {"code": "\x00\x01"},
    ],
)
def test_a_forged_answer_stores_nothing(
    site: Site, anna: Visitor, box: SandboxServer, change: dict[str, str]
) -> None:
    answer = box.consent(begin(anna), ANNA)

    come_back(anna, {**answer, **change})

    page = anna.get("/options/services")
    assert page.status_code == 200
    assert 'role="alert"' in page.text
    assert stored(site) == (0, 0)


@pytest.mark.rule("AUTH-4")
def test_an_answer_of_another_session_is_refused(
    site: Site, anna: Visitor, box: SandboxServer
) -> None:
    site.add_user(BEN)
    thief, stranger = site.visitor(BEN), site.visitor()
    answer = box.consent(begin(anna), ANNA)

    come_back(thief, answer)
    refused = come_back(stranger, answer)

    assert stored(site) == (0, 0)
    assert refused.location.startswith("/login")
    assert come_back(anna, answer).location.startswith("/options/services?confirm")


@pytest.mark.rule("AUTH-4")
def test_an_attackers_answer_does_not_bind_their_account_to_a_victim(
    site: Site, anna: Visitor, box: SandboxServer
) -> None:
    site.add_user(BEN)
    attacker = site.visitor(BEN)
    planted = box.consent(begin(attacker), BEN)

    come_back(anna, planted)

    assert stored(site) == (0, 0)


@pytest.mark.rule("AUTH-4")
def test_signing_in_anew_ends_what_was_under_way(
    site: Site, anna: Visitor, box: SandboxServer
) -> None:
    answer = box.consent(begin(anna), ANNA)
    anna.post("/logout")
    anna.sign_in(ANNA)

    come_back(anna, answer)

    assert stored(site) == (0, 0)


def test_a_denied_consent_says_so_and_stores_nothing(
    site: Site, anna: Visitor, box: SandboxServer
) -> None:
    come_back(anna, box.consent(begin(anna), ANNA, deny=True))

    assert "access was denied" in anna.get("/options/services").text
    assert stored(site) == (0, 0)


@pytest.mark.rule("AUTH-5")
def test_a_kind_that_was_not_granted_is_shown_and_can_be_asked_for_again(
    site: Site, anna: Visitor, box: SandboxServer
) -> None:
    page = consent(anna, box, scopes=[f"{PREFIX}tasks"]).text
    assert "Not granted:" in page
    anna.post("/oauth/google_sync/confirm", {"email": ANNA})
    services, options = (anna.get(p).text for p in ("/options/services", "/options"))

    assert "Not granted" in services
    assert "Ask again" in services
    assert "Its box was not ticked" in options
    assert 'action="/oauth/google_sync/start"' in options
    assert "Not granted" not in authorize(anna, box)


@pytest.mark.rule("AUTH-3", "AUTH-4")
@pytest.mark.parametrize("late", ["answer", "ok"])
def test_after_ten_minutes_nothing_is_stored(
    tmp_path: Path, box: SandboxServer, late: str
) -> None:
    clock = TurnedClock()
    site = Site(tmp_path, box.url, clock=clock)
    site.add_user(ANNA)
    anna = site.visitor(ANNA)
    answer = box.consent(begin(anna), ANNA)
    if late == "ok":
        come_back(anna, answer)
    clock.time += timedelta(minutes=10, seconds=1)

    come_back(anna, answer)
    anna.post("/oauth/google_sync/confirm", {"email": ANNA})

    connections, _ = stored(site)
    site.close()
    assert connections == 0


@pytest.mark.rule("AUTH-3")
def test_a_grant_that_nobody_confirms_is_deleted_and_so_are_ended_sessions(
    tmp_path: Path, box: SandboxServer
) -> None:
    clock = TurnedClock()
    site = Site(tmp_path, box.url, clock=clock)
    site.add_user(ANNA)
    anna = site.visitor(ANNA)
    consent(anna, box)
    site.visitor().post("/login/google")
    scheduler = Scheduler(site.app)

    def rows() -> list[int]:
        tables = (t.oauth_flows, t.sign_in_flows, t.web_sessions)
        with site.app.database.read() as connection:
            return [len(connection.execute(select(table)).all()) for table in tables]

    scheduler.tick()
    before = rows()
    clock.time += timedelta(minutes=10, seconds=1)
    scheduler.tick()
    later = rows()
    clock.time += timedelta(days=7)
    scheduler.tick()
    last = rows()

    site.close()
    assert (before, later, last) == ([1, 1, 1], [0, 0, 1], [0, 0, 0])


@pytest.mark.rule("AUTH-4")
def test_a_second_window_does_not_break_the_first(
    site: Site, anna: Visitor, box: SandboxServer
) -> None:
    first, second = begin(anna), begin(anna)
    of_second = come_back(anna, box.consent(second, BEN))
    of_first = come_back(anna, box.consent(first, ANNA))
    dialog = anna.get(of_first.location).text
    name = of_first.location.partition("grant=")[2]

    anna.post("/oauth/google_sync/confirm", {"email": ANNA, "grant": name})

    user = site.visitor(ANNA)
    assert of_second.location != of_first.location
    assert f'value="{ANNA}"' in dialog
    assert f"Google Sync is authorized as {ANNA}" in anna.get("/options/services").text
    assert stored(site) == (1, 1)
    assert ANNA in user.get("/options/services").text


def test_a_user_does_not_pile_up_consents_without_end(
    site: Site, anna: Visitor
) -> None:
    for _ in range(9):
        begin(anna)

    with site.app.database.read() as connection:
        assert len(connection.execute(select(t.oauth_flows)).all()) == 5


@pytest.mark.rule("AUTH-4")
def test_the_start_of_consents_is_limited(site: Site, anna: Visitor) -> None:
    statuses = [anna.post("/oauth/google_sync/start").status_code for _ in range(11)]

    assert statuses == [303] * 10 + [429]


def test_without_a_google_client_the_page_says_what_is_missing(tmp_path: Path) -> None:
    site = Site(tmp_path, google_client_id="", google_client_secret="")
    site.add_user(ANNA)
    anna = site.visitor(ANNA)

    page = anna.get("/options/services").text
    anna.post("/oauth/google_sync/start")
    tried = anna.get("/options/services").text
    login = site.visitor().get("/login").text

    site.close()
    assert "No Google client is configured" in page
    assert "GOOGLE_CLIENT_ID" in tried
    assert "Sign in with Google" not in login


@pytest.mark.rule("AUTH-8")
def test_disconnecting_asks_what_becomes_of_the_links(
    site: Site, anna: Visitor, box: SandboxServer
) -> None:
    authorize(anna, box)

    anna.post("/oauth/google_sync/disconnect")
    still = stored(site)
    anna.post("/oauth/google_sync/disconnect", {"links": "keep"})

    assert still == (1, 0)
    assert stored(site) == (0, 0)
    assert "Google Sync is disconnected" in anna.get("/options/services").text


@pytest.mark.rule("AUTH-8")
def test_a_grant_that_another_service_uses_is_not_revoked_and_it_is_said(
    site: Site, anna: Visitor, box: SandboxServer
) -> None:
    authorize(anna, box)
    authorize(anna, box, service="google_mail")

    anna.post("/oauth/google_sync/disconnect", {"links": "keep"})

    page = anna.get("/options/services").text
    assert "Not revoked at Google" in page
    assert stored(site) == (1, 0)


@pytest.mark.rule("AUTH-6")
def test_no_page_shows_a_token(site: Site, anna: Visitor, box: SandboxServer) -> None:
    user = site.visitor(ANNA)
    pages = [consent(anna, box).text]
    anna.post("/oauth/google_sync/confirm", {"email": ANNA})
    pages += [anna.get(p).text for p in ("/options", "/options/services", "/")]
    pages += [user.get("/options/services").text]
    with site.app.database.read() as connection:
        row = connection.execute(select(t.connections)).one()
    grant = Grant.from_text(site.app.cipher.decrypt(row.grant))

    assert grant.refresh_token
    for page in pages:
        assert grant.access_token not in page
        assert grant.refresh_token not in page
        assert row.grant not in page


def test_the_code_stays_in_no_address_of_ours(
    site: Site, anna: Visitor, box: SandboxServer
) -> None:
    answer = box.consent(begin(anna), ANNA)

    back = come_back(anna, answer)

    assert answer["code"] not in back.location
    assert answer["state"] not in back.location
    assert back.headers["Referrer-Policy"] == "same-origin"


def test_looking_at_the_callback_without_going_there_uses_nothing_up(
    site: Site, anna: Visitor, box: SandboxServer
) -> None:
    answer = box.consent(begin(anna), ANNA)

    anna.open("HEAD", "/oauth/callback", query_string=answer)

    assert come_back(anna, answer).location.startswith("/options/services?confirm")


@pytest.mark.rule("WEB-1")
class TestSigningInWithGoogle:
    """OpenID Connect finds a user; it makes none."""

    def enter(
        self, site: Site, box: SandboxServer, account: str = ANNA, target: str = ""
    ) -> tuple[Visitor, str]:
        visitor = site.visitor()
        url = visitor.post("/login/google", {"next": target}).location
        answer = come_back(visitor, box.consent(url, account))
        return visitor, answer.location

    def test_a_verified_address_finds_its_user(
        self, site: Site, box: SandboxServer
    ) -> None:
        site.add_user(ANNA)

        visitor, location = self.enter(site, box, target="/options")

        assert location == "/options"
        assert "Hello, Anna" in visitor.get("/").text

    def test_it_asks_for_who_one_is_and_for_nothing_more(
        self, site: Site, box: SandboxServer
    ) -> None:
        url = site.visitor().post("/login/google").location

        assert "contacts" not in url
        assert "access_type=online" in url
        assert "include_granted_scopes" not in url
        for word in ("state=", "nonce=", "code_challenge_method=S256"):
            assert word in url

    def test_nobody_is_created(self, site: Site, box: SandboxServer) -> None:
        site.add_user(ANNA)

        visitor, location = self.enter(site, box, BEN)

        assert location == "/login"
        assert "There is no user for the Google account" in visitor.get("/login").text
        with site.app.database.read() as connection:
            assert len(connection.execute(select(t.users)).all()) == 1

    def test_a_disabled_user_stays_outside(
        self, site: Site, box: SandboxServer
    ) -> None:
        accounts.disable(site.app, site.add_user(ANNA))

        visitor, location = self.enter(site, box)

        assert location == "/login"
        assert "is disabled" in visitor.get("/login").text

    def test_a_user_is_bound_to_the_first_subject(
        self, site: Site, box: SandboxServer
    ) -> None:
        site.add_user(ANNA)
        self.enter(site, box)
        with site.app.database.write() as connection:
            connection.execute(t.users.update().values(google_sub="another subject"))

        visitor, location = self.enter(site, box)

        assert location == "/login"
        assert "There is no user" in visitor.get("/login").text

    def test_a_user_is_known_by_subject_after_a_change_of_address(
        self, site: Site, box: SandboxServer
    ) -> None:
        site.add_user(ANNA)
        self.enter(site, box)
        with site.app.database.write() as connection:
            connection.execute(t.users.update().values(email="new@shop.example"))

        visitor, _ = self.enter(site, box)

        assert "new@shop.example" in visitor.get("/").text

    def test_an_answer_of_another_browser_signs_nobody_in(
        self, site: Site, box: SandboxServer
    ) -> None:
        site.add_user(ANNA)
        attacker, victim = site.visitor(), site.visitor()
        answer = box.consent(attacker.post("/login/google").location, ANNA)
        victim.get("/login")

        come_back(victim, answer)

        assert victim.get("/").status_code == 302
        assert come_back(attacker, answer).location == "/"
        assert come_back(attacker, answer).location != "/"

    def test_declining_leads_back_to_the_form(
        self, site: Site, box: SandboxServer
    ) -> None:
        visitor = site.visitor()
        url = visitor.post("/login/google").location

        come_back(visitor, box.consent(url, ANNA, deny=True))

        assert "You did not sign in at Google" in visitor.get("/login").text

    @pytest.mark.parametrize("target", ["//evil.example", "https:evil.example"])
    def test_it_leads_to_own_pages_only(
        self, site: Site, box: SandboxServer, target: str
    ) -> None:
        site.add_user(ANNA)

        _, location = self.enter(site, box, target=target)

        assert location == "/"


def test_connection_is_the_users_own(
    site: Site, anna: Visitor, box: SandboxServer
) -> None:
    ben = site.add_user(BEN)
    authorize(anna, box)

    assert connection_of(site, ben) is None
    assert ANNA not in site.visitor(BEN).get("/options/services").text
