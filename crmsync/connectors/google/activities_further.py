"""A user's calendar and the further ones that are only shown in the CRM (CAL-23).

One side for all of them: the cursor holds one per calendar, and ids of a further
calendar's events begin with a mark of their calendar. What is marked is never written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TypeVar

import orjson

from crmsync.connectors.google.activities import GoogleActivities
from crmsync.connectors.google.mapping.activities import gone
from crmsync.connectors.google.multipart import PARTS
from crmsync.errors import (
    CollectionGone,
    CrmSyncError,
    CursorExpired,
    InvalidRecord,
    PermissionMissing,
)
from crmsync.ports import (
    NO_ETAGS,
    Clock,
    Edit,
    NewRecord,
    Opened,
    Outcome,
    Page,
)
from crmsync.records.remote import Remote
from crmsync.records.values import SideName, Values

T = TypeVar("T")

_MARK = "~"
_MAIN = ""
_UNSEEN = "unseen:"
"""Begins the cursor of a calendar that Google does not show, with the day of a look."""


def mark_of(calendar_id: str) -> str:
    """Return what the ids of a further calendar's events begin with."""
    digest = hashlib.blake2b(calendar_id.encode(), digest_size=8).hexdigest()
    return f"{_MARK}{digest}{_MARK}"


def _split(remote_id: str) -> tuple[str, str]:
    """Return an id's mark, "" for events of the user's calendar, and the rest."""
    if not remote_id.startswith(_MARK):
        return "", remote_id
    mark, _, rest = remote_id[1:].partition(_MARK)
    return f"{_MARK}{mark}{_MARK}", rest


@dataclass(frozen=True, slots=True)
class Further:
    """One further calendar.

    Attributes:
        name: what people call it.
        side: reads its events, with its name as their source.
    """

    calendar_id: str
    name: str
    side: GoogleActivities

    @property
    def mark(self) -> str:
        """What the ids of its events begin with."""
        return mark_of(self.calendar_id)

    def marked(self, remote: Remote) -> Remote:
        """Return an event under its id in the pair."""
        record = dict(remote.record)
        if record.get("series"):
            record["series"] = f"{self.mark}{record['series']}"
        return replace(
            remote, remote_id=f"{self.mark}{remote.remote_id}", record=record
        )


@dataclass(slots=True)
class _Reading:
    """One read of all calendars.

    Attributes:
        texts: the cursor of each calendar, by id.
        is_full: whether all are read from the beginning.
        uids: what a full read showed of the user's calendar.
        following: the cursors of the next read.
    """

    texts: Mapping[str, str]
    is_full: bool
    uids: set[str] = field(default_factory=set)
    following: dict[str, str] = field(default_factory=dict)


class GoogleCalendars:
    """One calendar that is synchronised, and those that are only read."""

    name = SideName.GOOGLE
    batch_size = PARTS

    def __init__(
        self, main: GoogleActivities, further: Sequence[Further], *, clock: Clock
    ) -> None:
        """Build the side; nothing is requested yet.

        Args:
            main: the user's calendar.
            further: those that are only shown, over the same connection.
            clock: tells the day.
        """
        self._main = main
        self._further = {item.mark: item for item in further}
        self._clock = clock

    @property
    def requests(self) -> int:
        """How many requests went to the Calendar API so far, for all calendars."""
        return self._main.requests

    @property
    def skew(self) -> timedelta:
        """How far Google's clock is ahead of ours, as last seen (decision 15)."""
        return self._main.skew

    def open(self, memo: Mapping[str, str], *, verify: bool, may_write: bool) -> Opened:
        """Do nothing: reading tells whether the calendars are there."""
        return Opened(dict(memo))

    # ------------------------------------------------------------------ reading

    def read(self, cursor: str | None) -> Iterator[Page]:
        """Read all calendars, the user's first; see `ports.Side.read`.

        Raises:
            CursorExpired: one of them has to be read anew, or others are chosen.
            CollectionGone: the user's calendar is not there any more.
        """
        reading = _Reading(self._parsed(cursor), cursor is None)
        last: Page | None = None
        for page in self._pages(reading):
            if last is not None:
                yield last
            last = page
        text = orjson.dumps(reading.following).decode()
        yield replace(last or Page(()), cursor=text)

    def _parsed(self, cursor: str | None) -> Mapping[str, str]:
        if cursor is None:
            return {}
        try:
            texts = {str(k): str(v) for k, v in orjson.loads(cursor).items()}
        except (orjson.JSONDecodeError, AttributeError):
            raise CursorExpired(
                "The cursor of Google's calendars is damaged."
            ) from None
        wanted = {_MAIN, *(item.calendar_id for item in self._further.values())}
        if texts.keys() != wanted:
            raise CursorExpired("Other calendars are chosen now.")
        return texts

    def _pages(self, reading: _Reading) -> Iterator[Page]:
        for page in self._main.read(reading.texts.get(_MAIN)):
            if reading.is_full:
                reading.uids |= {_uid(remote) for remote in page.records}
            yield self._noted(page, _MAIN, reading)
        for item in self._further.values():
            yield from self._shown(item, reading)

    def _noted(self, page: Page, calendar_id: str, reading: _Reading) -> Page:
        if page.cursor is not None:
            reading.following[calendar_id] = page.cursor
        return replace(page, cursor=None)

    def _shown(self, item: Further, reading: _Reading) -> Iterator[Page]:
        """Yield what a further calendar shows; one that is gone breaks nothing."""
        text = reading.texts.get(item.calendar_id)
        today = f"{_UNSEEN}{self._clock.now().date()}"
        if text == today:
            reading.following[item.calendar_id] = today
            return
        was_unseen = text is not None and text.startswith(_UNSEEN)
        try:
            for page in item.side.read(None if was_unseen else text):
                kept = self._kept(page.records, reading)
                records = tuple(item.marked(remote) for remote in kept)
                yield self._noted(
                    replace(page, records=records), item.calendar_id, reading
                )
        except (CollectionGone, PermissionMissing, InvalidRecord) as error:
            if not _is_barred(error):
                raise
            if text is not None and not was_unseen:
                # What it has shown so far leaves the CRM by not being shown.
                raise CursorExpired("A further calendar is gone.") from None
            reading.following[item.calendar_id] = today
            if reading.is_full:
                yield Page((_missing(item),))

    def _kept(self, records: Iterable[Remote], reading: _Reading) -> list[Remote]:
        """Return events that do not also stand in the user's calendar."""
        found = list(records)
        twice = reading.uids if reading.is_full else self._in_main(found)
        return [remote for remote in found if _uid(remote) not in twice - {""}]

    def _in_main(self, records: Sequence[Remote]) -> frozenset[str]:
        uids = {_uid(remote) for remote in records if not remote.is_gone} - {""}
        return self._main.holding(sorted(uids)) if uids else frozenset()

    def fetch(self, remote_ids: Sequence[str]) -> Mapping[str, Remote]:
        """Read events as they are now; see `ports.Side.fetch`.

        Raises:
            Retryable: Google can not be asked just now.
        """
        by_mark: dict[str, list[str]] = {}
        for remote_id in remote_ids:
            by_mark.setdefault(_split(remote_id)[0], []).append(remote_id)
        found = dict(self._main.fetch(by_mark.pop("", [])))
        for mark, ids in by_mark.items():
            found.update({remote_id: gone(remote_id) for remote_id in ids})
            item = self._further.get(mark)
            if item is not None:
                found.update(self._fetched(item, ids))
        return {remote_id: found[remote_id] for remote_id in remote_ids}

    def _fetched(self, item: Further, ids: Sequence[str]) -> Mapping[str, Remote]:
        names = [_split(remote_id)[1] for remote_id in ids]
        try:
            shown = item.side.fetch(names)
        except (PermissionMissing, InvalidRecord) as error:
            if not _is_barred(error):
                raise
            return {}
        twice = self._in_main(list(shown.values()))
        kept = (item.marked(r) for r in shown.values() if _uid(r) not in twice)
        return {remote.remote_id: remote for remote in kept}

    def project(self, remote: Remote, base: Values | None) -> Values:
        """Return an event's fields; see `GoogleActivities.project`."""
        return self._main.project(remote, base)

    # ------------------------------------------------------------------ writing

    def create(self, records: Sequence[NewRecord]) -> Sequence[Outcome]:
        """Create events in the user's calendar; see `ports.Side.create`."""
        return _own_only(records, lambda record: record.account, self._main.create)

    def update(self, edits: Sequence[Edit]) -> Sequence[Outcome]:
        """Write fields of the user's events; see `ports.Side.update`."""
        return _own_only(edits, lambda edit: edit.remote_id, self._main.update)

    def delete(
        self,
        remote_ids: Sequence[str],
        *,
        etags: Mapping[str, str] = NO_ETAGS,
        notifies: frozenset[str] = frozenset(),
    ) -> Sequence[Outcome]:
        """Delete events of the user's calendar; see `ports.Side.delete`."""
        delete = partial(self._main.delete, etags=etags, notifies=notifies)
        return _own_only(remote_ids, str, delete)

    def select(self, remote_ids: Sequence[str]) -> Sequence[Outcome]:
        """Do nothing: every event of a calendar is selected."""
        return self._main.select(remote_ids)

    def deselect(self, remote_ids: Sequence[str]) -> Sequence[Outcome]:
        """Do nothing: no event can leave its calendar without being deleted."""
        return self._main.deselect(remote_ids)


def _own_only(
    parts: Sequence[T],
    id_of: Callable[[T], str],
    write: Callable[[Sequence[T]], Sequence[Outcome]],
) -> Sequence[Outcome]:
    """Write what is about the user's calendar, and refuse the rest."""
    own = [part for part in parts if not _split(id_of(part))[0]]
    made = iter(write(own) if own else ())
    return [_refused() if _split(id_of(part))[0] else next(made) for part in parts]


def _uid(remote: Remote) -> str:
    return str(remote.record.get("uid") or "")


def _is_barred(error: CrmSyncError) -> bool:
    """Whether an error says that a calendar is not the user's to read any more."""
    return not isinstance(error, InvalidRecord) or error.code == "forbidden"


def _refused() -> Outcome:
    error: CrmSyncError = InvalidRecord(
        "This event is in a calendar that is only read.", code="only_read"
    )
    return Outcome(error=error)


def _missing(item: Further) -> Remote:
    """Return what tells that a further calendar is not there."""
    why = (
        f"Google does not show the calendar {item.name} any more: it was deleted, or "
        "is no longer shared with you. Its activities leave the CRM; the others go on."
    )
    step = "Ask for it to be shared again, or remove it in Options."
    return Remote(
        SideName.GOOGLE,
        item.mark,
        values={"subject": item.name},
        record={"odd": why, "odd_reason": "calendar_gone", "odd_step": step},
    )
