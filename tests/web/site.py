"""The pages as a person reaches them: a served application, people, a browser."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from flask import Flask
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from crmsync.ports import Clock
from crmsync.services import accounts
from crmsync.services.app import App
from crmsync.storage import people
from crmsync.storage.people import User
from tests.support.product import Product
from webapp.factory import create_app

ANNA = "anna@shop.example"
BEN = "ben@shop.example"
PASSWORD = "correct horse battery"
NOWHERE = "http://127.0.0.1:9"
"""An address that nothing serves: for tests in which nobody asks Google."""

_TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


class Site:
    """One installation with its pages."""

    def __init__(
        self,
        folder: Path,
        google: str = NOWHERE,
        *,
        clock: Clock | None = None,
        **variables: Any,
    ) -> None:
        self.product = Product(folder, google, variables=variables, clock=clock)
        self.web: Flask = create_app(self.product.app)
        self.url: str = self.product.app.config.public_url

    @property
    def app(self) -> App:
        return self.product.app

    def close(self) -> None:
        self.product.close()

    def add_user(
        self, email: str = ANNA, *, password: str = PASSWORD, is_admin: bool = False
    ) -> User:
        name = email.partition("@")[0].capitalize()
        user = accounts.add_user(self.app, email, name=name, is_admin=is_admin)
        if password:
            accounts.set_password(self.app, user, password)
        return people.user_by_email(self.app.database, email)

    def visitor(self, email: str = "", password: str = PASSWORD) -> Visitor:
        """Return a new visitor; signed in if an address is given."""
        made = Visitor(self)
        if email:
            answer = made.sign_in(email, password)
            assert answer.status_code == 302, answer.text
        return made

    @contextmanager
    def served(self) -> Iterator[str]:
        """Serve the pages on the port that `PUBLIC_URL` names."""
        port = urlsplit(self.url).port or 0
        server = make_server("127.0.0.1", port, self.web, threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield self.url
        finally:
            server.shutdown()
            thread.join(10)
            server.server_close()

    def fingerprint(self) -> str:
        """Return a hash of all rows of all tables."""
        digest = hashlib.sha256()
        with self.app.database.read() as connection:
            for name in sorted(sa.inspect(connection).get_table_names()):
                whole = sa.select(sa.text("*")).select_from(sa.table(name))
                rows = connection.execute(whole)
                lines = sorted(repr(tuple(row)) for row in rows)
                digest.update(f"{name}:{lines}".encode())
        return digest.hexdigest()


class Visitor:
    """A browser without a screen: keeps cookies and brings the form's token along."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.client = site.web.test_client()
        self._base = site.url

    def open(
        self, method: str, path: str, form: dict[str, Any] | None = None, **options: Any
    ) -> TestResponse:
        """Send one request and read its answer to the end."""
        return self.client.open(
            path,
            method=method,
            data=form,
            base_url=self._base,
            buffered=True,
            **options,
        )

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.open("GET", path, **options)

    def post(
        self, path: str, form: dict[str, Any] | None = None, **options: Any
    ) -> TestResponse:
        """Send a form with a valid token."""
        given = {"csrf_token": self.token(), **(form or {})}
        return self.bare_post(path, given, **options)

    def bare_post(
        self, path: str, form: dict[str, Any] | None = None, **options: Any
    ) -> TestResponse:
        headers = {"Referer": f"{self._base}/", **options.pop("headers", {})}
        return self.open("POST", path, form or {}, headers=headers, **options)

    def token(self) -> str:
        """Return a token of this visitor's session, out of a form."""
        page = self.get("/password")
        if page.status_code == 302:
            page = self.get("/login")
        found = _TOKEN.search(page.text)
        assert found, page.text
        return found[1]

    def sign_in(
        self, email: str, password: str = PASSWORD, **fields: str
    ) -> TestResponse:
        return self.post("/login", {"email": email, "password": password, **fields})

    @property
    def cookie(self) -> str:
        """The session cookie's value, "" if there is none."""
        name = self.site.web.config["SESSION_COOKIE_NAME"]
        host = urlsplit(self._base).hostname or ""
        found = self.client.get_cookie(name, domain=host)
        return found.value if found else ""

    def set_cookie(self, value: str) -> None:
        name = self.site.web.config["SESSION_COOKIE_NAME"]
        host = urlsplit(self._base).hostname or ""
        self.client.set_cookie(name, value, domain=host)
