"""What a Calendar method gets: the caller, the calendar, the parameters, the body."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.events.errors import needs_writer
from sandbox.events.state import Desk, Shelf
from sandbox.messages import Json, Request


@dataclass(slots=True)
class Context:
    desk: Desk
    account: str
    shelf: Shelf
    role: str
    params: Json
    body: Json
    request: Request
    project: str = ""
    method: str = ""
    is_hand: bool = False  # a person in Google's own pages, no API client

    @property
    def send_updates(self) -> str:
        """Who is told: all, externalOnly, none; "" if the client did not say."""
        if self.params.get("sendNotifications") and "sendUpdates" not in self.params:
            return "all"
        return str(self.params.get("sendUpdates", ""))

    @property
    def can_see_private(self) -> bool:
        return self.role in ("owner", "writer")

    def need_writer(self) -> None:
        """Refuse who may only read.

        Raises:
            ApiError: 403.
        """
        if self.role not in ("owner", "writer", "writerWithoutPrivateAccess"):
            raise needs_writer()
