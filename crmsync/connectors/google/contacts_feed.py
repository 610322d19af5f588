"""The feed of a Google account's contacts: all of them, or what changed (4.4)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from crmsync.connectors.google.mapping.contacts import (
    LIST_FIELDS,
    Reading,
    person_to_remote,
)
from crmsync.connectors.google.people import PAGE_SIZE, SOURCES, PeopleApi, Wire
from crmsync.errors import CursorExpired, ProtocolBroken
from crmsync.ports import Clock, Page
from crmsync.records.remote import Remote

SOONEST = timedelta(days=5)
SPREAD_SECONDS = 86_400
"""A sync token lives 7 days from the full read; it is given up after 5 to 6."""

CUT_AT = 100
"""A listing shows at most so many addresses and phones of a person."""

Fetch = Callable[[Sequence[str]], Mapping[str, Remote]]


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the next incremental read starts.

    Attributes:
        token: Google's sync token.
        full_at: when the full read began that it goes back to, in seconds.
        params: fingerprint of the listing's parameters and of the mapped fields.
        label: the label that membership was read for.
    """

    token: str
    full_at: float
    params: str
    label: str

    def to_text(self) -> str:
        """Return the cursor as the cycle keeps it."""
        whole = {
            "token": self.token,
            "full_at": self.full_at,
            "params": self.params,
            "label": self.label,
        }
        return orjson.dumps(whole).decode()

    @classmethod
    def from_text(cls, text: str) -> Cursor:
        """Read what `to_text` returned.

        Raises:
            CursorExpired: it is no cursor of ours.
        """
        try:
            whole = orjson.loads(text)
            return cls(
                str(whole["token"]),
                float(whole["full_at"]),
                str(whole["params"]),
                str(whole["label"]),
            )
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            raise CursorExpired("The cursor of Google's contacts is damaged.") from None


class Feed:
    """Reads the contacts of one account page by page."""

    def __init__(
        self,
        api: PeopleApi,
        clock: Clock,
        account_id: str,
        reading: Callable[[], Reading],
    ):
        """Prepare.

        Args:
            api: the connection's People API.
            clock: tells the age of a cursor.
            account_id: spreads the full reads of accounts over a day.
            reading: what people are read with, as it is when a page comes.
        """
        self._api = api
        self._clock = clock
        self._reading = reading
        digest = hashlib.blake2b(account_id.encode(), digest_size=4).digest()
        jitter = int.from_bytes(digest) % SPREAD_SECONDS
        self._longest = SOONEST + timedelta(seconds=jitter)

    def read(self, text: str | None, fetch: Fetch) -> Iterator[Page]:
        """Yield pages; see `ports.Side.read`.

        Args:
            text: a cursor, None for a full read.
            fetch: reads people whose lists the listing cut off.

        Raises:
            CursorExpired: read again without a cursor.
        """
        now = self._clock.now()
        cursor = self._checked(text, now) if text is not None else None
        full_at = cursor.full_at if cursor else now.timestamp()
        tokens = {"syncToken": cursor.token} if cursor else {}
        while True:
            page = self._page(tokens, is_incremental=cursor is not None)
            following = str(page.get("nextPageToken") or "")
            records = self._records(page, fetch)
            if following:
                tokens["pageToken"] = following
                yield Page(records)
                continue
            token = str(page.get("nextSyncToken") or tokens.get("syncToken", ""))
            yield Page(records, self._cursor(token, full_at))
            return

    def _checked(self, text: str, now: datetime) -> Cursor:
        cursor = Cursor.from_text(text)
        reading = self._reading()
        if cursor.params != _params(reading) or cursor.label != reading.label:
            raise CursorExpired("The label or the fields that are read have changed.")
        age = now.timestamp() - cursor.full_at
        if not 0 <= age <= self._longest.total_seconds():
            raise CursorExpired("The last full read is too long ago.")
        return cursor

    def _cursor(self, token: str, full_at: float) -> str | None:
        if not token:
            return None
        reading = self._reading()
        return Cursor(token, full_at, _params(reading), reading.label).to_text()

    def _page(self, tokens: Mapping[str, str], *, is_incremental: bool) -> Wire:
        try:
            return self._api.list_connections(LIST_FIELDS, tokens)
        except ProtocolBroken as error:
            if not is_incremental:
                raise
            # Google says 400 in more than one way to a token that it does not want.
            raise CursorExpired(error.message) from error
        except CursorExpired as error:
            if is_incremental:
                raise
            raise ProtocolBroken(error.message) from error

    def _records(self, page: Wire, fetch: Fetch) -> tuple[Remote, ...]:
        people = _people(page)
        reading = self._reading()
        records = [person_to_remote(person, reading) for person in people]
        former = {old for record in records for old in record.previous_ids}
        cut = [str(p["resourceName"]) for p in people if _is_cut(p)]
        whole = fetch(cut) if cut else {}
        return tuple(
            whole.get(record.remote_id, record)
            for record in records
            # The tombstone of a former name speaks of a contact that lives on.
            if not (record.is_gone and record.remote_id in former)
        )


def _params(reading: Reading) -> str:
    """Return the fingerprint of what must not change along with a sync token.

    The mapped fields belong to it: a field that is switched on has to be compared
    in contacts that have not changed since (CON-17).
    """
    names = "\x1f".join(sorted(reading.table.names))
    text = f"{LIST_FIELDS}|{SOURCES}|{PAGE_SIZE}|True|{names}"
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _people(page: Wire) -> list[dict[str, Any]]:
    """Return a page's people; an empty listing has no such key at all."""
    found = page.get("connections") or []
    if not isinstance(found, list) or not all(isinstance(p, dict) for p in found):
        raise ProtocolBroken("Google's listing of contacts is malformed.")
    return found


def _is_cut(person: Mapping[str, Any]) -> bool:
    """Whether a listing may have left out some of a person's entries.

    Writing such a person back from the listing would delete the rest (4.4).
    """
    return any(
        len(person.get(name) or ()) >= CUT_AT
        for name in ("emailAddresses", "phoneNumbers")
    )
