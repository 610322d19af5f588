"""All calendars and their events; what a call has changed is written down at its end.

One lock for all accounts: an organizer's edit reaches the copies of the guests.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo
from itertools import takewhile
from typing import Any

from sandbox.accounts import Accounts
from sandbox.clock import Clock
from sandbox.events.mail import KIND as MAIL_KIND
from sandbox.events.mail import Ledger
from sandbox.events.model import Calendar, Event, calendar_of, event_of
from sandbox.events.times import zone
from sandbox.events.versions import Versions
from sandbox.legacy import not_found
from sandbox.messages import Json
from sandbox.store import Row, Store
from sandbox.switches import Switches

EVENT_KIND = "event"
CALENDAR_KIND = "calendar"
JOB_KIND = "eventJob"


@dataclass(slots=True)
class Env:
    """What the calendars need from the rest of the sandbox."""

    clock: Clock
    store: Store
    switches: Switches
    accounts: Accounts


class Shelf:
    """One calendar and its events, in the order of their last change."""

    def __init__(self, info: Calendar) -> None:
        self.info = info
        self.events: dict[str, Event] = {}
        self.seq = 0
        self.versions = Versions()
        self._children: dict[str, dict[str, None]] = {}
        self._uids: dict[str, dict[str, None]] = {}

    @property
    def id(self) -> str:
        return self.info.id

    @property
    def home(self) -> tzinfo:
        return zone(self.info.zone) or UTC

    def keep(self, event: Event) -> None:
        self.events.pop(event.id, None)
        self.events[event.id] = event
        self.seq = max(self.seq, event.seq)
        self._uids.setdefault(event.uid, {})[event.id] = None
        if event.master is not None:
            self._children.setdefault(event.master, {})[event.id] = None

    def drop(self, key: str) -> None:
        event = self.events.pop(key)
        self._uids[event.uid].pop(key, None)
        if event.master is not None:
            self._children[event.master].pop(key, None)

    def exceptions(self, master: str) -> dict[str, Event]:
        """The stored exceptions of a series that still have a place in it."""
        listed = (self.events[key] for key in self._children.get(master, ()))
        return {event.id: event for event in listed if not event.gone}

    def with_uid(self, uid: str) -> list[Event]:
        return [self.events[key] for key in self._uids.get(uid, ())]

    def live(self) -> list[Event]:
        return [event for event in self.events.values() if not event.cancelled]

    def changed(self, since: int, horizon: int) -> list[Event]:
        """What a sync shows since a number, the deleted too."""
        newest = reversed(self.events.values())
        newer = takewhile(lambda event: event.seq > since, newest)
        seen = self.versions.seen(newer, horizon)
        return [event for event in seen if event.seq > since]


class Desk:
    """The calendars of all accounts."""

    def __init__(self, env: Env) -> None:
        self.env = env
        self.lock = threading.RLock()
        self.shelves: dict[str, Shelf] = {}
        self.list_seq = 0
        self.run_job: Callable[[Json], None] = lambda _job: None
        self.on_change: Callable[[set[str]], None] = lambda _ids: None
        self._jobs: dict[int, Json] = {}
        self._rows: list[Row] = []
        self._changed: set[str] = set()
        self._load()

    def _load(self) -> None:
        store = self.env.store
        for _, key, document in store.load(CALENDAR_KIND):
            self.shelves[key] = Shelf(calendar_of(key, document))
            self.list_seq = max(self.list_seq, document["seq"])
        rows = [event_of(*row) for row in store.load(EVENT_KIND)]
        for event in sorted(rows, key=lambda event: event.seq):
            self.shelves[event.calendar].keep(event)
        for shelf in self.shelves.values():
            shelf.versions.settle(shelf.seq)
        self._jobs = {int(key): job for _, key, job in store.load(JOB_KIND)}
        self.mails = Ledger(document for _, _, document in store.load(MAIL_KIND))

    # ------------------------------------------------------------ a call

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One call: what is due is done first, what has changed is written last."""
        with self.lock:
            self._do_due()
            try:
                yield
            finally:
                self.flush()

    def flush(self) -> None:
        rows, self._rows = self._rows, []
        changed, self._changed = self._changed, set()
        if rows:
            self.env.store.put(rows)
        if changed:
            self.on_change(changed)

    def later(self, seconds: float, job: Json) -> None:
        """Do a job now, or when its time has come."""
        if seconds <= 0:
            self.run_job(job)
            return
        number = max(self._jobs, default=0) + 1
        self._jobs[number] = {**job, "due": self.now() + seconds}
        self._rows.append((JOB_KIND, "", str(number), self._jobs[number]))

    def settle(self) -> None:
        """Do everything that waits, and let lists show it."""
        self._do_due(everything=True)
        for shelf in self.shelves.values():
            shelf.versions.settle(shelf.seq)

    def _do_due(self, *, everything: bool = False) -> None:
        if not self._jobs:
            return
        now = self.now()
        due = [n for n, job in self._jobs.items() if everything or job["due"] <= now]
        for number in sorted(due):
            job = self._jobs.pop(number)
            self._rows.append((JOB_KIND, "", str(number), None))
            self.run_job(job)

    # ------------------------------------------------------------ calendars

    def primary(self, account: str) -> Shelf:
        """An account's own calendar, made when it is first looked at."""
        shelf = self.shelves.get(account)
        if shelf is None:
            info = Calendar(account, account, account, primary=True)
            shelf = self.add_calendar(info)
        return shelf

    def add_calendar(self, info: Calendar) -> Shelf:
        info.epoch = secrets.token_hex(6)
        shelf = self.shelves[info.id] = Shelf(info)
        self.save_calendar(info)
        return shelf

    def save_calendar(self, info: Calendar) -> None:
        self.list_seq += 1
        info.seq = self.list_seq
        self._rows.append((CALENDAR_KIND, info.owner, info.id, info.document()))

    def find(self, account: str, calendar: str) -> tuple[Shelf, str]:
        """A calendar that an account may see, and its role there.

        Raises:
            ApiError: 404; it does not exist, or not for this account.
        """
        mine = self.primary(account)
        if calendar == "primary":
            return mine, "owner"
        shelf = self.shelves.get(calendar.casefold()) or self.shelves.get(calendar)
        role = shelf.info.role(account) if shelf is not None else None
        if shelf is None or role is None or shelf.info.deleted:
            raise not_found()
        return shelf, role

    def visible(self, account: str) -> list[tuple[Shelf, str]]:
        """All calendars of an account's list, its own first."""
        self.primary(account)
        found = [(s, s.info.role(account)) for s in self.shelves.values()]
        mine = [(s, role) for s, role in found if role is not None]
        return sorted(mine, key=lambda pair: not pair[0].info.primary)

    def horizon(self, shelf: Shelf) -> int:
        """The last change that lists of a calendar show by now."""
        until = self.now() - self.env.switches.calendar_delay
        return shelf.versions.horizon(shelf.seq, until)

    def kill_tokens(self, shelf: Shelf) -> None:
        """Every sync token of this calendar is dead from now on."""
        shelf.info.dead_before = self.env.clock.now()
        self.save_calendar(shelf.info)

    # ------------------------------------------------------------ events

    def now(self) -> float:
        return self.env.clock.now()

    def put(self, event: Event, *, silent: bool = False) -> Event:
        """Keep a version as the current one; `silent` spares time and feed."""
        shelf = self.shelves[event.calendar]
        old = shelf.events.get(event.id)
        if silent and old is not None and old.seq:
            kept = replace(event, seq=old.seq, updated=old.updated, stamp=old.stamp)
            shelf.events[event.id] = kept
        else:
            kept = self._stamped(shelf, event, old)
            shelf.keep(kept)
            if self.env.switches.calendar_delay > 0:
                shelf.versions.note(self.now(), kept, old)
            else:
                shelf.versions.settle(shelf.seq)
            self._changed.add(shelf.id)
        self._rows.append((EVENT_KIND, shelf.id, kept.id, kept.document()))
        return kept

    def _stamped(self, shelf: Shelf, event: Event, old: Event | None) -> Event:
        """Time in milliseconds; the etag always differs from the one before (5.1)."""
        updated = int(self.now() * 1000) / 1000
        last = max(old.stamp if old is not None else 0, event.stamp)
        stamp = max(2 * int(updated * 1_000_000), last + 2)
        created = event.created or updated
        return replace(
            event, seq=shelf.seq + 1, updated=updated, stamp=stamp, created=created
        )

    def forget(self, shelf: Shelf, key: str) -> None:
        shelf.drop(key)
        self._rows.append((EVENT_KIND, shelf.id, key, None))

    def mail(self, **what: str) -> None:
        self._rows.append(self.mails.add(self.now(), **what))

    def clear_mails(self, account: str | None) -> int:
        rows = self.mails.clear(account)
        self._rows += rows
        return len(rows)

    def row(self, kind: str, account: str, key: str, document: Any) -> None:
        """Write a row of somebody else's with this call."""
        self._rows.append((kind, account, key, document))
