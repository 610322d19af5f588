"""What holds for each route of the application, whoever adds one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from tests.web.routes import OPEN, RECORDS, UNKNOWN, ways
from tests.web.site import ANNA, BEN, Site

NOT_OUR_PAGES = {"services.callback"}
"""The one GET that writes: Google's answer, bound to its session and used once."""


FRAMED = {"mail.body"}
"""What others wrote, shown in a frame: it may do less still."""


def assert_guarded(
    answer: TestResponse, *, is_file: bool = False, is_framed: bool = False
) -> None:
    policy = answer.headers["Content-Security-Policy"]
    if is_framed:
        parts = ("default-src 'none'", "sandbox allow-popups", "frame-ancestors 'self'")
        assert "script" not in policy
    else:
        parts = ("default-src 'self'", "object-src 'none'", "frame-ancestors 'none'")
        assert "'unsafe-" not in policy
    for part in (*parts, "base-uri 'none'"):
        assert part in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == ("SAMEORIGIN" if is_framed else "DENY")
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert "camera=()" in answer.headers["Permissions-Policy"]
    if not is_file:
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("who", ["", ANNA])
def test_every_answer_carries_the_security_headers(site: Site, who: str) -> None:
    site.add_user()
    visitor = site.visitor(who)

    for way in ways(site):
        answer = visitor.open(way.method, way.path)
        assert_guarded(
            answer,
            is_file=way.endpoint in OPEN,
            is_framed=way.endpoint in FRAMED,
        )
        assert "Strict-Transport-Security" not in answer.headers


def test_errors_carry_the_security_headers_too(site: Site) -> None:
    site.add_user()
    visitor = site.visitor(ANNA)

    for answer in (
        visitor.get("/no-such-page"),
        visitor.get("/no-such-page.json"),
        visitor.get("/static/no-such-file.css"),
        visitor.open("PUT", "/login"),
        visitor.bare_post("/logout"),
    ):
        assert answer.status_code >= 400
        assert_guarded(answer, is_file=answer.request.path.startswith("/static"))


SIGNED = {"push.gmail"}
"""What Google calls: it shows its own signature instead of our token."""


def test_every_change_without_a_token_is_refused(site: Site) -> None:
    site.add_user()
    visitor = site.visitor(ANNA)
    before = site.fingerprint()

    for way in ways(site):
        if way.method == "GET":
            continue
        for form in ({}, {"csrf_token": "made-up"}):
            answer = visitor.open(way.method, way.path, form)
            refused = 403 if way.endpoint in SIGNED else 400
            assert answer.status_code == refused, way
    assert site.fingerprint() == before


def test_no_page_writes_when_it_is_only_read(site: Site) -> None:
    site.add_user()
    visitor = site.visitor(ANNA)
    before = site.fingerprint()

    for way in ways(site):
        if way.method == "GET" and way.endpoint not in NOT_OUR_PAGES:
            answer = visitor.get(way.path)
            assert answer.status_code < 500 or way.endpoint == "health.ready", way
            assert site.fingerprint() == before, f"{way.path} wrote to the database"


def test_every_page_but_the_open_ones_asks_to_sign_in(site: Site) -> None:
    site.add_user()
    stranger = site.visitor()

    for way in ways(site):
        view = site.web.view_functions[way.endpoint]
        if way.endpoint in OPEN or getattr(view, "is_public", False):
            continue
        form = {"csrf_token": stranger.token()} if way.method != "GET" else {}
        answer = stranger.open(way.method, way.path, form)
        if way.path.endswith(".json"):
            assert answer.status_code == 401, way
        else:
            assert answer.status_code == 302, way
            assert answer.location.startswith("/login"), way


def test_records_that_do_not_exist_are_not_found(site: Site) -> None:
    site.add_user()
    visitor = site.visitor(ANNA)
    token = visitor.token()

    for way in ways(site, UNKNOWN):
        if way.endpoint in RECORDS:
            form = {"csrf_token": token} if way.method != "GET" else {}
            answer = visitor.open(way.method, way.path, form)
            assert answer.status_code == 404, way


@pytest.mark.rule("HIS-8", "ENG-9")
def test_records_of_others_are_not_found(site: Site) -> None:
    site.add_user(ANNA)
    ben = site.add_user(BEN)
    visitor = site.visitor(ANNA)
    token = visitor.token()

    for endpoint, record in RECORDS.items():
        for way in ways(site, record.make(site, ben)):
            if way.endpoint != endpoint:
                continue
            form = {"csrf_token": token} if way.method != "GET" else {}
            answer = visitor.open(way.method, way.path, form)
            assert answer.status_code == 404, way


def test_trace_is_refused(site: Site) -> None:
    visitor = site.visitor()

    for path in ("/login", "/static/app.css", "/healthz"):
        assert visitor.open("TRACE", path).status_code == 405


@pytest.fixture
def secure_site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path, public_url="https://crm.example")
    yield made
    made.close()


def test_behind_https_cookies_and_pages_stay_with_https(secure_site: Site) -> None:
    site = secure_site
    site.add_user()
    visitor = site.visitor(ANNA)

    answer = visitor.get("/")

    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert site.web.config["SESSION_COOKIE_NAME"] == "__Host-crm-sync"
    cookie = site.visitor().get("/login").headers["Set-Cookie"]
    assert cookie.startswith("__Host-crm-sync=")
    for word in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert word in cookie
    assert "Domain" not in cookie
