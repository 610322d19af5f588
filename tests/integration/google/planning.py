"""A calendar and a task list over HTTP, with the product's sides on top."""

from __future__ import annotations

import hashlib
import hmac
import itertools
from dataclasses import dataclass
from typing import Any

from crmsync.connectors.google.activities import ActivitiesOptions, GoogleActivities
from crmsync.connectors.google.adapter import GoogleHttp
from crmsync.connectors.google.faults import CALENDAR_JUDGE
from crmsync.connectors.transport import Transport
from crmsync.ports import Edit, NewRecord, Outcome, Page
from crmsync.records.activities import FIELDS
from crmsync.records.keys import SyncKey
from crmsync.records.remote import Remote
from crmsync.records.values import FieldTable
from tests.integration.google.conftest import FixedTokens, Shifted
from tests.standin.planner import Planner

OWN = "me@x.example"
TABLE = FieldTable(FIELDS)
AT_NINE = {"dateTime": "2026-11-24T09:00:00Z"}
AT_TEN = {"dateTime": "2026-11-24T10:00:00Z"}
_numbers = itertools.count(1)


def sign(text: str) -> str:
    return hmac.new(b"secret", text.encode(), hashlib.sha256).hexdigest()


def new_key() -> str:
    number = next(_numbers)
    return SyncKey("inst", "u", f"A{number}", f"n{number}").text


def meeting(**values: str) -> dict[str, str]:
    return {
        "subject": "Visit",
        "start": "2026-11-24T09:00:00Z",
        "duration": "60",
        **values,
    }


def new_meeting(**values: str) -> NewRecord:
    return NewRecord(new_key(), meeting(**values))


def edit_of(remote: Remote, **values: str) -> Edit:
    return Edit(
        remote.remote_id, remote.etag, remote.values, values, remote.values,
    )  # fmt: skip


def remote_of(outcome: Outcome) -> Remote:
    assert outcome.error is None, outcome.error
    assert outcome.remote is not None
    return outcome.remote


@dataclass
class Desk:
    """One user's calendar: the stand-in, a person's hand on it, and our side."""

    planner: Planner
    clock: Shifted
    transport: Transport

    def __post_init__(self) -> None:
        self.side = self.new_side()

    def new_side(self, **options: Any) -> GoogleActivities:
        tokens = FixedTokens(["good"])
        http = GoogleHttp(self.transport, tokens, api="calendar", judge=CALENDAR_JUDGE)
        given: dict[str, Any] = {
            "address": OWN,
            "installation": "inst",
            "sign": sign,
            "is_colleague": lambda address: address.endswith("@x.example"),
        }
        chosen = ActivitiesOptions(**{**given, **options})
        return GoogleActivities(
            http, self.planner.root, table=TABLE, clock=self.clock, options=chosen
        )

    def put(self, **fields: Any) -> str:
        given = {"summary": "Lunch", "start": AT_NINE, "end": AT_TEN}
        return self.planner.agenda.put(**{**given, **fields})

    def event(self, name: str) -> dict[str, Any]:
        return self.planner.agenda.events[name]

    def fetched(self, name: str) -> Remote:
        return self.side.fetch([name])[name]

    def read(self, cursor: str | None = None) -> tuple[dict[str, Remote], str]:
        pages: list[Page] = list(self.side.read(cursor))
        assert pages[-1].cursor
        assert not any(page.cursor for page in pages[:-1])
        found = {r.remote_id: r for page in pages for r in page.records}
        return found, pages[-1].cursor

    def made(self, **values: str) -> Remote:
        return remote_of(self.side.create([new_meeting(**values)])[0])
