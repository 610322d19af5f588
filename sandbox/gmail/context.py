"""What a Gmail method gets: the mailbox, the parameters, the body."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.gmail.post import PostOffice
from sandbox.gmail.state import Mailbox
from sandbox.messages import Json, Request
from sandbox.switches import Switches


@dataclass(slots=True)
class Context:
    office: PostOffice
    box: Mailbox
    params: Json
    body: Json
    request: Request
    project: str = ""
    scopes: frozenset[str] = frozenset()

    @property
    def switches(self) -> Switches:
        return self.box.env.switches
