"""A Google calendar as a side of a pair (CAL-1 … CAL-26).

A `ports.Side`: feed, look-ups and writes of events. It decides nothing about
synchronisation and stores nothing: the cursor is the cycle's to keep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from crmsync.connectors.google.activities_deletes import Deletes
from crmsync.connectors.google.activities_feed import Feed, Window
from crmsync.connectors.google.activities_series import WHOLE, Masters, series_id
from crmsync.connectors.google.activities_writes import Writes, with_hidden
from crmsync.connectors.google.adapter import GoogleHttp
from crmsync.connectors.google.events import EventsApi
from crmsync.connectors.google.mapping.activities import (
    PrivateEvents,
    Reading,
    SectionMode,
    event_to_remote,
    gone,
)
from crmsync.connectors.google.mapping.singles import is_plain, is_split, left, single
from crmsync.connectors.google.multipart import PARTS, Wire
from crmsync.errors import CrmSyncError, NotFound
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
from crmsync.records.values import FieldTable, SideName, Values


def _nobody(_address: str) -> bool:
    return False


def _every(_values: Values) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class ActivitiesOptions:
    """What differs between connections and users.

    Attributes:
        calendar_id: which calendar (CAL-23).
        address: of the Google account: whose answer is the user's own.
        installation: whose markers are ours.
        sign: signs and verifies markers (CAL-26); None: none are written.
        past_days: how far back full reads look (CAL-19).
        future_days: and how far ahead.
        private_events: what becomes of the user's own private events (CAL-21).
        context_section: when the CRM's section is written (CAL-5).
        is_colleague: whether an address is a colleague's.
        expresses: whether the CRM can express a series (CAL-17).
        source: what the calendar is called if it is only shown in the CRM (CAL-23).
        own_ids: Google takes ids of ours for new events (contract, 5.8: one report
            says no).
    """

    calendar_id: str = "primary"
    address: str = ""
    installation: str = ""
    sign: Callable[[str], str] | None = None
    past_days: int = 30
    future_days: int = 365
    private_events: PrivateEvents = "full"
    context_section: SectionMode = "colleagues_only"
    is_colleague: Callable[[str], bool] = _nobody
    expresses: Callable[[Values], bool] = _every
    source: str = ""
    own_ids: bool = True


class GoogleActivities:
    """One calendar of one Google account; one user of it at a time."""

    name = SideName.GOOGLE
    batch_size = PARTS

    def __init__(
        self,
        http: GoogleHttp,
        root: str,
        *,
        table: FieldTable,
        clock: Clock,
        options: ActivitiesOptions | None = None,
    ):
        """Build the side; nothing is requested yet.

        Args:
            http: the connection's way to the Calendar API.
            root: where the API is (`GoogleEndpoints.calendar`).
            table: the mapped fields.
            clock: tells the day and the age of a cursor.
            options: calendar, account and what the user chose.
        """
        chosen = options or ActivitiesOptions()
        self._http = http
        self._api = EventsApi(http, root, chosen.calendar_id)
        self._reading = Reading(
            own=chosen.address,
            installation=chosen.installation,
            sign=chosen.sign,
            private_events=chosen.private_events,
            context_section=chosen.context_section,
            is_colleague=chosen.is_colleague,
            expresses=chosen.expresses,
            source=chosen.source,
        )
        self._feed = Feed(
            self._api,
            clock,
            Window(chosen.past_days, chosen.future_days),
            self._reading,
            look=self._look,
            sleep=http.transport.nature.sleep,
        )
        self._writes = Writes(
            self._api,
            self._reading,
            table,
            self._look,
            self.project,
            own_ids=chosen.own_ids,
        )
        self._deletes = Deletes(self._api, self._reading, self._look)

    @property
    def requests(self) -> int:
        """How many requests went to the Calendar API so far; a batch is one."""
        return self._http.counter.total

    @property
    def quota_units(self) -> int:
        """How many of them count against the quota: the parts of batches, too."""
        return self._api.quota_units

    @property
    def skew(self) -> timedelta:
        """How far Google's clock is ahead of ours, as last seen (decision 15)."""
        return self._http.transport.skew(self._api.root)

    def open(self, memo: Mapping[str, str], *, verify: bool, may_write: bool) -> Opened:
        """Do nothing: reading tells whether the calendar is there."""
        return Opened(dict(memo))

    # ------------------------------------------------------------------ reading

    def read(self, cursor: str | None) -> Iterator[Page]:
        """Read the window's events, or the changes since; see `ports.Side.read`.

        Raises:
            CursorExpired: Google refuses the sync token, or what is read has changed.
            CollectionGone: the calendar is deleted, or not shared any more.
        """
        return self._feed.read(cursor)

    def fetch(self, remote_ids: Sequence[str]) -> Mapping[str, Remote]:
        """Read events as they are now; see `ports.Side.fetch`.

        Raises:
            Retryable: Google can not be asked just now.
        """
        found = self._look(remote_ids)
        shown = [event for event in found.values() if event is not None]
        masters = Masters(self._looked, self._reading, keeps=WHOLE)
        masters.learn(shown)
        return {
            name: gone(name) if event is None else self._fetched(event, masters)
            for name, event in found.items()
        }

    def _fetched(self, event: Wire, masters: Masters) -> Remote:
        """Return an event as the feed shows it."""
        if is_split(event, self._reading):
            return left(event)
        series = masters.series(series_id(event))
        if series is None:
            return event_to_remote(event, self._reading)
        if masters.is_split(series_id(event)):
            return single(event, self._reading)
        remote = event_to_remote(event, self._reading)
        is_same = is_plain(event, series)
        return replace(remote, record={**remote.record, "plain": is_same})

    def _look(self, names: Sequence[str]) -> Mapping[str, Wire | None]:
        """Return events by id, whole; None: there is none."""
        found = self._looked(names)
        shown = [event for event in found.values() if event is not None]
        whole = Masters(self._looked, self._reading).completed(shown)
        return {**found, **{str(event["id"]): event for event in whole}}

    def _looked(self, names: Sequence[str]) -> Mapping[str, Wire | None]:
        found: dict[str, Wire | None] = dict.fromkeys(names)
        wanted = [name for name in found if name]
        for start in range(0, len(wanted), PARTS):
            part = wanted[start : start + PARTS]
            answers = self._api.send([self._api.get(name) for name in part])
            for name, answer in zip(part, answers, strict=True):
                if isinstance(answer, NotFound):
                    continue
                if isinstance(answer, CrmSyncError):
                    raise answer
                found[name] = answer if answer.get("id") else None
        return found

    def holding(self, uids: Sequence[str]) -> frozenset[str]:
        """Return which of these iCalendar ids a live event of the calendar has.

        Raises:
            Retryable: Google can not be asked just now.
        """
        found: set[str] = set()
        for start in range(0, len(uids), PARTS):
            part = uids[start : start + PARTS]
            answers = self._api.send([self._api.with_uid(uid) for uid in part])
            for uid, answer in zip(part, answers, strict=True):
                if isinstance(answer, CrmSyncError):
                    raise answer
                if answer.get("items"):
                    found.add(uid)
        return frozenset(found)

    def project(self, remote: Remote, base: Values | None) -> Values:
        """Return an event's fields; those that Google hides are no blanks (5.5)."""
        return with_hidden(remote, base)

    # ------------------------------------------------------------------ writing

    def create(self, records: Sequence[NewRecord]) -> Sequence[Outcome]:
        """Create events and change occurrences; see `ports.Side.create`.

        A record whose key was used before is answered as it is: its id says so.

        Raises:
            Retryable: nothing of the call happened.
        """
        return self._writes.create(records)

    def update(self, edits: Sequence[Edit]) -> Sequence[Outcome]:
        """Write fields of events; see `ports.Side.update`.

        An outcome with `EtagMismatch` carries the event as it is now.

        Raises:
            Retryable: nothing of the call happened.
        """
        return self._writes.update(edits)

    def delete(
        self,
        remote_ids: Sequence[str],
        *,
        etags: Mapping[str, str] = NO_ETAGS,
        notifies: frozenset[str] = frozenset(),
    ) -> Sequence[Outcome]:
        """Delete events, or cancel occurrences; see `ports.Side.delete`.

        Raises:
            Retryable: nothing of the call happened.
        """
        return self._deletes.delete(remote_ids, etags, notifies)

    def select(self, remote_ids: Sequence[str]) -> Sequence[Outcome]:
        """Do nothing: every event of a calendar is selected."""
        return [Outcome() for _ in remote_ids]

    def deselect(self, remote_ids: Sequence[str]) -> Sequence[Outcome]:
        """Do nothing: no event can leave its calendar without being deleted."""
        return [Outcome() for _ in remote_ids]
