"""Signing in and out with a password, and what a session is (WEB-1)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crmsync.services import accounts
from tests.web.site import ANNA, PASSWORD, Site

pytestmark = pytest.mark.rule("WEB-1")
HOME = "Hello, Anna"


def test_address_and_password_open_the_pages(site: Site) -> None:
    site.add_user()
    visitor = site.visitor()

    answer = visitor.sign_in(" ANNA@Shop.Example ")

    assert answer.status_code == 302
    assert answer.location == "/"
    assert HOME in visitor.get("/").text


@pytest.mark.parametrize(
    ("email", "password"),
    [
        (ANNA, "another password"),
        ("nobody@shop.example", PASSWORD),
        ("no address", "no password"),
    ],
)
def test_a_wrong_address_and_a_wrong_password_sound_the_same(
    site: Site, email: str, password: str
) -> None:
    site.add_user()
    visitor = site.visitor()

    answer = visitor.sign_in(email, password)

    assert answer.status_code == 401
    assert "The e-mail address or the password is wrong." in answer.text
    assert password not in answer.text
    assert visitor.get("/").status_code == 302


def test_a_user_without_a_password_cannot_sign_in_with_an_empty_one(site: Site) -> None:
    site.add_user(password="")

    assert site.visitor().sign_in(ANNA, "").status_code == 400
    assert site.visitor().sign_in(ANNA, "anything at all").status_code == 401


def test_a_disabled_user_is_told_so_only_with_the_right_password(site: Site) -> None:
    user = site.add_user()
    accounts.disable(site.app, user)

    right = site.visitor().sign_in(ANNA)
    wrong = site.visitor().sign_in(ANNA, "another password")

    assert right.status_code == 401
    assert "is disabled" in right.text
    assert "is disabled" not in wrong.text


def test_disabling_ends_the_session_at_once(site: Site) -> None:
    user = site.add_user()
    visitor = site.visitor(ANNA)

    accounts.disable(site.app, user)

    assert visitor.get("/").status_code == 302


def test_signing_in_gives_a_new_session_and_drops_the_old_one(site: Site) -> None:
    site.add_user()
    visitor = site.visitor(ANNA)
    former = visitor.cookie

    assert visitor.sign_in(ANNA).status_code == 302

    assert visitor.cookie != former
    thief = site.visitor()
    thief.set_cookie(former)
    assert thief.get("/").status_code == 302


def test_a_session_that_was_given_to_a_victim_is_not_signed_in_with_it(
    site: Site,
) -> None:
    site.add_user()
    attacker = site.visitor()
    attacker.get("/login")
    planted = attacker.cookie
    victim = site.visitor()
    victim.set_cookie(planted)

    victim.sign_in(ANNA)

    assert victim.cookie != planted
    assert attacker.get("/").status_code == 302


def test_signing_out_ends_the_session_in_the_database(site: Site) -> None:
    site.add_user()
    visitor = site.visitor(ANNA)
    kept = visitor.cookie

    answer = visitor.post("/logout")

    assert answer.location == "/login"
    replayed = site.visitor()
    replayed.set_cookie(kept)
    assert replayed.get("/").status_code == 302


def test_a_tampered_cookie_is_nobody(site: Site) -> None:
    site.add_user()
    visitor = site.visitor(ANNA)
    kept = visitor.cookie

    for forged in (kept[:-2], f"x{kept}", kept.replace(".", "", 1), "{}", "é" * 50):
        stranger = site.visitor()
        stranger.set_cookie(forged)
        assert stranger.get("/").status_code == 302


def test_the_database_does_not_hold_what_the_cookie_holds(site: Site) -> None:
    site.add_user()
    visitor = site.visitor(ANNA)

    with visitor.client.session_transaction(base_url=site.url) as held:
        secret = held["_user_id"]

    raw = (site.product.folder / "product.db").read_bytes()
    wal = site.product.folder / "product.db-wal"
    raw += wal.read_bytes() if wal.exists() else b""
    assert secret.encode() not in raw


def test_a_changed_password_ends_all_other_sessions(site: Site) -> None:
    site.add_user()
    here, there = site.visitor(ANNA), site.visitor(ANNA)
    former = here.cookie

    answer = here.post("/password", {"old": PASSWORD, "new": "a new long password"})

    assert answer.status_code == 302
    assert HOME in here.get("/").text
    assert there.get("/").status_code == 302
    thief = site.visitor()
    thief.set_cookie(former)
    assert thief.get("/").status_code == 302
    assert site.visitor().sign_in(ANNA).status_code == 401
    assert site.visitor().sign_in(ANNA, "a new long password").status_code == 302


def test_a_password_set_by_command_ends_the_sessions(site: Site) -> None:
    user = site.add_user()
    visitor = site.visitor(ANNA)

    accounts.set_password(site.app, user, "given by an admin")

    assert visitor.get("/").status_code == 302


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("wrong", "a new long password", "present password is wrong"),
        (PASSWORD, "short", "12 characters or more"),
        (PASSWORD, PASSWORD, "is the old one"),
        ("", "", "Enter your present password"),
    ],
)
def test_a_password_that_cannot_be_changed_says_why(
    site: Site, old: str, new: str, words: str
) -> None:
    site.add_user()
    visitor = site.visitor(ANNA)

    answer = visitor.post("/password", {"old": old, "new": new})

    assert answer.status_code == 400
    assert words in answer.text
    assert site.visitor().sign_in(ANNA).status_code == 302


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https:evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/%0d%0aLocation:%20//evil\r\n",
        "/\t/evil.example",
        " //evil.example",
        "evil.example",
    ],
)
def test_signing_in_leads_to_own_pages_only(site: Site, target: str) -> None:
    site.add_user()

    answer = site.visitor().sign_in(ANNA, next=target)
    shown = site.visitor().get("/login", query_string={"next": target})

    assert answer.location == "/"
    assert f'value="{target}"' not in shown.text
    assert "evil" not in shown.text


def test_signing_in_leads_to_the_page_that_was_asked_for(site: Site) -> None:
    site.add_user()
    visitor = site.visitor()

    asked = visitor.get("/password?x=1")
    answer = visitor.sign_in(ANNA, next="/password?x=1")

    assert asked.location == "/login?next=/password?x%3D1"
    assert answer.location == "/password?x=1"


def test_too_many_attempts_at_one_account_are_refused(site: Site) -> None:
    site.add_user()
    statuses = [site.visitor().sign_in(ANNA, "wrong").status_code for _ in range(11)]

    answer = site.visitor().sign_in(ANNA)

    assert statuses[:10] == [401] * 10
    assert answer.status_code == 429
    assert "Too fast" in answer.text
    assert int(answer.headers["Retry-After"]) > 0


def test_a_first_start_says_how_to_make_a_user(site: Site) -> None:
    page = site.visitor().get("/login").text
    site.add_user()
    later = site.visitor().get("/login").text

    command = "crm-sync user add you@example.com --admin --password-stdin"
    assert command in page
    assert command not in later


class TurnedClock:
    """The time that a test says."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC)

    def now(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def timed_site(tmp_path: Path, clock: TurnedClock) -> Iterator[Site]:
    made = Site(tmp_path, clock=clock)
    yield made
    made.close()


def test_a_session_ends_twelve_hours_after_the_last_sign_of_life(
    timed_site: Site, clock: TurnedClock
) -> None:
    timed_site.add_user()
    idle, busy = timed_site.visitor(ANNA), timed_site.visitor(ANNA)
    clock.time += timedelta(hours=11)
    assert 'name="sign-of-life"' in busy.get("/").text
    assert busy.post("/session/seen").status_code == 204
    assert 'name="sign-of-life"' not in busy.get("/").text

    clock.time += timedelta(hours=1, seconds=1)

    assert idle.get("/").status_code == 302
    assert busy.get("/").status_code == 200


def test_a_session_ends_after_seven_days_whatever_happens(
    timed_site: Site, clock: TurnedClock
) -> None:
    timed_site.add_user()
    visitor = timed_site.visitor(ANNA)
    for _ in range(7 * 24 // 8 - 1):
        clock.time += timedelta(hours=8)
        assert visitor.post("/session/seen").status_code == 204

    clock.time += timedelta(hours=8, seconds=1)

    assert visitor.get("/").status_code == 302
