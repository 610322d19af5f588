"""The feed of a calendar: all events of a window, or what changed (5.4).

The window bounds full reads and rolls daily: what has come into it since is read along
with the changes, for Google shows as a change only what somebody edited (CAL-19).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import orjson

from crmsync.connectors.google.activities_series import Look, Masters, series_id
from crmsync.connectors.google.activities_singles import Span, singles, too_many
from crmsync.connectors.google.events import LIST_FIELDS, PAGE_SIZE, TYPES, EventsApi
from crmsync.connectors.google.mapping.activities import Reading, event_to_remote
from crmsync.connectors.google.mapping.singles import left, single
from crmsync.connectors.google.mapping.when import read_when, stamp
from crmsync.connectors.google.multipart import Wire
from crmsync.errors import CollectionGone, CursorExpired, NotFound, ProtocolBroken
from crmsync.ports import Clock, Page
from crmsync.records.remote import Remote

SOONEST = timedelta(days=7)
SPREAD_SECONDS = 86_400
"""A full read comes every 7 to 8 days, though no token's end is known: whether the
first read's window keeps limiting later changes is not (contract, section 12)."""

AGAIN_SECONDS = 2.0
"""Google's own page asks to look twice before a calendar is gone (2.2)."""


@dataclass(frozen=True, slots=True)
class Window:
    """What full reads show, in whole days."""

    past_days: int = 30
    future_days: int = 365

    def since(self, day: date) -> datetime:
        """Return the first instant on a day's look."""
        return datetime.combine(day - timedelta(days=self.past_days), time(), UTC)

    def until(self, day: date) -> datetime:
        """Return the first instant after."""
        ahead = timedelta(days=self.future_days + 1)
        return datetime.combine(day + ahead, time(), UTC)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the next incremental read starts.

    Attributes:
        token: Google's sync token.
        calendar: the calendar that it belongs to.
        day: until when the window was read.
        full_at: when the full read began that it goes back to, in seconds.
        params: fingerprint of what is listed and how it is read.
        split: the series that the CRM can not express (CAL-17).
        too_many: those of them that take place too often to come in.
    """

    token: str
    calendar: str
    day: str
    full_at: float
    params: str
    split: tuple[str, ...] = ()
    too_many: tuple[str, ...] = ()

    def to_text(self) -> str:
        """Return the cursor as the cycle keeps it."""
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def from_text(cls, text: str) -> Cursor:
        """Read what `to_text` returned.

        Raises:
            CursorExpired: it is no cursor of ours.
        """
        try:
            whole = orjson.loads(text)
            found = cls(
                str(whole["token"]),
                str(whole["calendar"]),
                str(whole["day"]),
                float(whole["full_at"]),
                str(whole["params"]),
                tuple(map(str, whole["split"])),
                tuple(map(str, whole["too_many"])),
            )
            date.fromisoformat(found.day)
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            raise CursorExpired("The cursor of Google's calendar is damaged.") from None
        return found


class Feed:
    """Reads one calendar page by page."""

    def __init__(
        self,
        api: EventsApi,
        clock: Clock,
        window: Window,
        reading: Reading,
        *,
        look: Look,
        sleep: Callable[[float], None],
    ):
        """Prepare.

        Args:
            api: the calendar.
            clock: tells the day and the age of a cursor.
            window: what full reads show.
            reading: what events are read with.
            look: reads events as they are now.
            sleep: waits before a calendar is looked for a second time.
        """
        self._api = api
        self._clock = clock
        self._window = window
        self._reading = reading
        self._look = look
        self._sleep = sleep
        self._masters = Masters(look, reading)
        self._split: set[str] = set()
        self._too_many: set[str] = set()
        digest = hashlib.blake2b(reading.own.encode(), digest_size=4).digest()
        jitter = int.from_bytes(digest) % SPREAD_SECONDS
        self._longest = SOONEST + timedelta(seconds=jitter)
        self._params = _fingerprint(window, reading)

    def read(self, text: str | None) -> Iterator[Page]:
        """Yield pages; see `ports.Side.read`.

        Raises:
            CursorExpired: read again without a cursor.
            CollectionGone: the calendar is deleted, or not shared any more.
        """
        now = self._clock.now()
        self._masters = Masters(self._look, self._reading)
        self._split, self._too_many = set(), set()
        if text is None:
            yield from self._full(now)
        else:
            cursor = self._checked(text, now)
            self._split |= set(cursor.split)
            self._too_many |= set(cursor.too_many)
            yield from self._rolled_in(cursor, now)
            yield from self._changes(cursor, now)

    def _checked(self, text: str, now: datetime) -> Cursor:
        cursor = Cursor.from_text(text)
        is_same = cursor.params == self._params
        if not is_same or cursor.calendar != self._api.calendar_id:
            raise CursorExpired("The calendar, or what is read of it, has changed.")
        age = now.timestamp() - cursor.full_at
        if not 0 <= age <= self._longest.total_seconds():
            raise CursorExpired("The last full read is too long ago.")
        return cursor

    def _full(self, now: datetime) -> Iterator[Page]:
        day = now.date()
        first, end = self._window.since(day), self._window.until(day)
        bounds = {"timeMin": stamp(first), "timeMax": stamp(end)}
        token = ""
        for page in self._pages(bounds):
            token = str(page.get("nextSyncToken") or "")
            events = [e for e in _events(page) if not _is_outside(e, first, end)]
            yield from self._singles(events, Span(first, end))
            records = self._records(events)
            yield self._page(records, token, now.timestamp(), day)

    def _rolled_in(self, cursor: Cursor, now: datetime) -> Iterator[Page]:
        """Yield what came into the window as days went by; without a cursor."""
        first = self._window.until(date.fromisoformat(cursor.day))
        end = self._window.until(now.date())
        if end <= first:
            return
        bounds = {"timeMin": stamp(first), "timeMax": stamp(end)}
        for page in self._pages(bounds):
            events = _events(page)
            yield from self._singles(events, Span(first, end))
            yield Page(self._records(events))

    def _changes(self, cursor: Cursor, now: datetime) -> Iterator[Page]:
        day = max(date.fromisoformat(cursor.day), now.date())
        span = Span(self._window.since(day), self._window.until(day))
        try:
            for page in self._pages({"syncToken": cursor.token}):
                token = str(page.get("nextSyncToken") or "")
                if not token and not page.get("nextPageToken"):
                    token = cursor.token
                events = _events(page)
                if any(event.get("id") in cursor.split for event in events):
                    # Which of its occurrences are gone is told by what is not shown.
                    raise CursorExpired("A series that is read by itself has changed.")
                yield from self._singles(events, span)
                records = self._records(events)
                yield self._page(records, token, cursor.full_at, day)
        except ProtocolBroken as error:
            # Google says 400 in more than one way to a token that it does not want.
            raise CursorExpired(error.message) from error

    def _page(
        self, records: tuple[Remote, ...], token: str, full_at: float, day: date
    ) -> Page:
        if not token:
            return Page(records)
        cursor = Cursor(
            token,
            self._api.calendar_id,
            day.isoformat(),
            full_at,
            self._params,
            tuple(sorted(self._split)),
            tuple(sorted(self._too_many)),
        )
        return Page(records, cursor.to_text())

    def _pages(self, params: Mapping[str, str]) -> Iterator[Wire]:
        """Yield pages to the last one; one without events may have a next one."""
        tokens: dict[str, str] = {}
        while True:
            page = self._one({**params, **tokens}, is_first=not tokens)
            following = str(page.get("nextPageToken") or "")
            if following:
                page = {**page, "nextSyncToken": ""}
            yield page
            if not following:
                return
            tokens = {"pageToken": following}

    def _one(self, params: Mapping[str, str], *, is_first: bool) -> Wire:
        try:
            return self._api.page(params)
        except NotFound as error:
            if not is_first:
                raise ProtocolBroken(error.message) from error
        except CursorExpired as error:
            if "syncToken" in params:
                raise
            raise ProtocolBroken(error.message) from error
        self._sleep(AGAIN_SECONDS)
        try:
            return self._api.page(params)
        except NotFound:
            raise CollectionGone(
                "Google does not find the calendar: it was deleted, or it is not "
                "shared with this account any more.",
                next_step="Choose a calendar in Options.",
            ) from None

    # ------------------------------------------------------------------ records

    def _singles(self, events: list[Wire], span: Span) -> Iterator[Page]:
        """Yield the occurrences of series that the CRM can not express (CAL-17)."""
        self._masters.learn(events)
        for event in events:
            name = str(event.get("id") or "")
            if not self._masters.is_split(name) or name in self._too_many:
                continue
            self._split.add(name)
            found = singles(self._api, self._reading, event, span)
            if found is None:
                self._too_many.add(name)
                found = (too_many(event, self._reading),)
            yield Page(found)

    def _records(self, events: list[Wire]) -> tuple[Remote, ...]:
        return tuple(
            remote
            for event in self._masters.completed(events)
            if (remote := self._record(event)) is not None
        )

    def _record(self, event: Wire) -> Remote | None:
        """Return what a listing shows of an event, if that is not told elsewhere."""
        name, series = str(event.get("id") or ""), series_id(event)
        if self._too_many.intersection((name, series)):
            return None
        if self._masters.is_split(name):
            return left(event)
        if self._masters.is_split(series):
            return single(event, self._reading)
        return event_to_remote(event, self._reading)


def _fingerprint(window: Window, reading: Reading) -> str:
    """Return the fingerprint of what must not change along with a sync token."""
    read = f"{reading.private_events}|{reading.source}"
    text = f"{LIST_FIELDS}|{TYPES}|{PAGE_SIZE}|{window}|{read}"
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _events(page: Wire) -> list[dict[str, Any]]:
    """Return a page's events; an empty listing may have no such key at all."""
    found = page.get("items") or []
    if not isinstance(found, list) or not all(isinstance(e, dict) for e in found):
        raise ProtocolBroken("Google's listing of events is malformed.")
    return found


def _is_outside(event: Wire, first: datetime, end: datetime) -> bool:
    """Whether a single event lies outside the window; Google shows some (5.4.9)."""
    if event.get("recurrence") or event.get("recurringEventId"):
        return False
    when = read_when(event)
    if not when.start or event.get("status") == "cancelled":
        return False
    begin = datetime.fromisoformat(when.start)
    begin = begin if begin.tzinfo else begin.replace(tzinfo=UTC)
    slack = timedelta(days=2)  # a date is a whole day, somewhere on earth
    try:
        last = begin + timedelta(minutes=when.minutes)
        return begin >= end + slack or last <= first - slack
    except OverflowError:
        return True
