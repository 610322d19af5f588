"""The whole product in a folder of its own, against a Google on loopback."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli import builtin
from cli.browser import Browser
from cli.callback import CallbackServer
from cli.demo import free_port
from crmsync import migrations
from crmsync.bootstrap import build
from crmsync.config import load_config
from crmsync.ports import Clock
from crmsync.services import accounts, connecting, grouping, settings
from crmsync.services.app import App
from crmsync.services.syncing import Order, run_kinds
from crmsync.storage import people
from crmsync.storage.database import make_database
from crmsync.storage.people import User

CLIENT = ("demo.apps.sandbox.example", "sandbox-client-secret")
GROUP = "Google contacts"
ACTOR = "test"


class Product:
    """One installation with one user, driven through its services."""

    def __init__(
        self,
        folder: Path,
        google: str,
        *,
        client: tuple[str, str] = CLIENT,
        variables: Mapping[str, Any] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.folder = folder
        self.variables: dict[str, Any] = {
            "instance_path": folder / "instance",
            "database_url": f"sqlite:///{folder / 'product.db'}",
            "google_root_url": google,
            "google_client_id": client[0],
            "google_client_secret": client[1],
            "public_url": f"http://127.0.0.1:{free_port()}",
            "settle_seconds": 3,
            **(variables or {}),
        }
        config = load_config(self.variables)
        config.make_instance()
        database = make_database(config.database_url)
        migrations.upgrade(database.engine)
        database.close()
        self.app: App = build(config, clock=clock)

    def close(self) -> None:
        self.app.close()

    def add_user(self, email: str, *, group: str = GROUP) -> User:
        """Add a user with a Contact Sync Group and an authorised Google account."""
        user = accounts.add_user(self.app, email, name=email.partition("@")[0])
        if not any(g.name == group for g in self.app.crm.groups(email)):
            builtin.create_group(self.app, group, "")
        grouping.designate(self.app, user, group, actor=ACTOR)
        return user

    def connect(
        self, user: User, account: str = "", *, service: str = "google_sync"
    ) -> None:
        """Agree on the consent page over HTTP, and confirm."""
        session = secrets.token_urlsafe(16)
        browser = Browser()
        with CallbackServer(self.app.config.public_url) as server:
            url = connecting.start(self.app, user, service, session)
            browser.agree(url, account or user.email)
            answer = server.wait(20)
        browser.close()
        waiting = connecting.callback(self.app, session, answer)
        connecting.confirm(self.app, user, service, session, waiting.email)
        # A worker has one pair per user to look after, which is easier to count.
        for kind in ("calendar", "tasks"):
            pair = people.pair_of(self.app.database, user.user_id, kind)
            people.edit_pair(self.app.database, pair.pair_id, is_paused=True)

    def load_crm(self, path: Path, user: User, group: str | None = GROUP) -> Any:
        return builtin.import_file(self.app, path, user.email, group)

    def cycle(self, user: User, *, dry: bool = False) -> dict[str, Any]:
        order = Order(is_dry=dry, accepts=not dry)
        return run_kinds(self.app, user, ["contacts"], order)[0]

    def set(self, name: str, value: str) -> None:
        settings.put(self.app, name, value, actor=ACTOR)
