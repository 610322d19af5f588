"""Creates and updates of events, in batches (contract, 5.5 and 5.8).

Both may be repeated without harm: an insert carries our own id, an update the version
that it was made from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from crmsync.connectors.google.activities_idless import IdlessCreates
from crmsync.connectors.google.activities_sending import (
    Result,
    is_forbidden,
    note,
    parts,
    send,
    stop,
)
from crmsync.connectors.google.activities_series import Look
from crmsync.connectors.google.activities_slots import Slots
from crmsync.connectors.google.batches import Ledger
from crmsync.connectors.google.events import EventsApi
from crmsync.connectors.google.mapping.activities import (
    Reading,
    event_to_remote,
    gone,
)
from crmsync.connectors.google.mapping.activities_out import (
    needs_fresh,
    new_event,
    patch_of,
)
from crmsync.connectors.google.mapping.properties import key_of
from crmsync.connectors.google.multipart import Request, Wire
from crmsync.errors import (
    AlreadyExists,
    EtagMismatch,
    InvalidRecord,
    NotFound,
)
from crmsync.ports import Edit, NewRecord, Outcome
from crmsync.records.remote import Remote
from crmsync.records.values import FieldTable, Values

AGAIN_SECONDS = 2.0
GENERATIONS = 3
"""Ids that are tried where somebody else's event has ours."""

_STAYS_CANCELLED = (
    "Google does not bring this cancelled occurrence back. Make a single activity at "
    "that time instead."
)

Project = Callable[[Remote, Values | None], Values]


def event_id(key: str, generation: int = 0) -> str:
    """Return the id of the event that a key makes: the same one each time.

    >>> event_id("1|inst|u|A7|x") == event_id("1|inst|u|A7|x")
    True
    """
    text = f"{key}|{generation}" if generation else key
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


@dataclass(frozen=True, slots=True)
class _Draft:
    """An update on its way.

    Attributes:
        place: of its outcome.
        edit: what it is to do.
        body: what is sent.
        etag: the version that it is based on.
        is_last: it has met another version before.
    """

    place: int
    edit: Edit
    body: Wire
    etag: str
    is_last: bool = False


class Writes:
    """Writes the events of one calendar."""

    def __init__(
        self,
        api: EventsApi,
        reading: Reading,
        table: FieldTable,
        look: Look,
        project: Project,
        *,
        own_ids: bool,
    ):
        """Prepare.

        Args:
            api: the calendar.
            reading: what events are read and written with.
            table: the mapped fields.
            look: reads events as they are now; None: there is none.
            project: reads an event's fields with a base.
            own_ids: Google takes ids of ours (unproven: a switch).
        """
        self._api = api
        self._reading = reading
        self._table = table
        self._look = look
        self._project = project
        self._slots = Slots(api, reading, table, look)
        self._idless = None if own_ids else IdlessCreates(api, reading)

    def _note(self, place: int, result: Result, ledger: Ledger) -> None:
        note(place, result, ledger, self._reading)

    # ------------------------------------------------------------------ create

    def create(self, records: Sequence[NewRecord]) -> list[Outcome]:
        """Create events and changed occurrences; see `ports.Side.create`."""
        ledger = Ledger(len(records))
        slots = {n for n, record in enumerate(records) if record.values.get("slot")}
        singles = [n for n in range(len(records)) if n not in slots]

        def insert(places: Sequence[int]) -> None:
            taken = list(places)
            for generation in range(GENERATIONS):
                taken = self._insert(records, taken, generation, ledger)
                if not taken:
                    return
            ledger.fail(taken, AlreadyExists("Google has this event's id already."))

        def change(places: Sequence[int]) -> None:
            self._change({n: records[n] for n in places}, ledger)

        if self._idless is not None:
            self._idless.create(records, singles, ledger)
        else:
            ledger.send_all(parts(singles), insert)
        left = [place for place in sorted(slots) if place not in ledger.found]
        return ledger.send_all(parts(left), change)

    def _insert(
        self,
        records: Sequence[NewRecord],
        places: Sequence[int],
        generation: int,
        ledger: Ledger,
    ) -> list[int]:
        """Insert events; return the places whose id is somebody else's."""
        requests: dict[int, Request] = {}
        ids: dict[int, str] = {}
        for n in places:
            ids[n] = event_id(records[n].key, generation)
            try:
                body = new_event(records[n], ids[n], self._reading)
            except InvalidRecord as error:
                ledger.fail([n], error)
                continue
            requests[n] = self._api.insert(body, notifies=records[n].notifies)
        taken: list[int] = []
        results = send(self._api, requests)
        for n, result in results.items():
            if isinstance(result, AlreadyExists):
                taken.append(n)
            else:
                self._note(n, result, ledger)
        foreign = self._adopt({n: (ids[n], records[n].key) for n in taken}, ledger)
        stop(results, ledger)
        return foreign

    def _adopt(self, taken: Mapping[int, tuple[str, str]], ledger: Ledger) -> list[int]:
        """Answer creates that were made before; return those that somebody else made.

        Nobody but us makes the id of our key: what is not shown any more was ours.
        """
        if not taken:
            return []
        foreign = []
        events = self._look_twice([name for name, _ in taken.values()])
        for n, (name, key) in taken.items():
            event = events[name]
            if event is None or event.get("status") == "cancelled":
                ledger.found[n] = Outcome(gone(name))
            elif key_of(event) == key:
                ledger.found[n] = Outcome(event_to_remote(event, self._reading))
            else:
                foreign.append(n)
        return foreign

    def _look_twice(self, names: Sequence[str]) -> Mapping[str, Wire | None]:
        """Look again for what is said to be there and is not shown."""
        events = dict(self._look(names))
        hidden = [name for name in names if events[name] is None]
        if hidden:
            self._api.http.transport.nature.sleep(AGAIN_SECONDS)
            events.update(self._look(hidden))
        return events

    def _change(self, records: Mapping[int, NewRecord], ledger: Ledger) -> None:
        """Change single occurrences: each is there already, as its series has it."""
        drafts = []
        for n, found in self._slots.find(records).items():
            if isinstance(found, Outcome):
                ledger.found[n] = found
                continue
            edit, fresh = found
            draft = self._drafted(n, edit, fresh)
            if isinstance(draft, Outcome):
                ledger.found[n] = draft
            else:
                drafts.append(draft)
        self._send_drafts(drafts, ledger)

    # ------------------------------------------------------------------ update

    def update(self, edits: Sequence[Edit]) -> list[Outcome]:
        """Write fields of events; see `ports.Side.update`."""
        ledger = Ledger(len(edits))

        def write(places: Sequence[int]) -> None:
            stale = [n for n in places if needs_fresh(edits[n], self._reading)]
            events = self._look([edits[n].remote_id for n in stale])
            drafts = []
            for n in places:
                fresh = events[edits[n].remote_id] if n in stale else None
                draft = self._checked(n, edits[n], fresh, is_read=n in stale)
                if isinstance(draft, Outcome):
                    ledger.found[n] = draft
                else:
                    drafts.append(draft)
            self._send_drafts(drafts, ledger)

        # The parts of a batch are executed in any order: series before occurrences.
        slots = {n for n, edit in enumerate(edits) if edit.seen.get("slot")}
        series = [n for n in range(len(edits)) if n not in slots]
        return ledger.send_all([*parts(series), *parts(sorted(slots))], write)

    def _checked(
        self, place: int, edit: Edit, fresh: Wire | None, *, is_read: bool
    ) -> _Draft | Outcome:
        """Return what to send, if the event still says what the plan was made from."""
        if not is_read:
            return self._drafted(place, edit, None)
        if fresh is None:
            return Outcome(error=NotFound(f"The event {edit.remote_id} is gone."))
        remote = event_to_remote(fresh, self._reading)
        if remote.is_gone:
            return Outcome(error=NotFound(f"The event {edit.remote_id} is gone."))
        is_known = bool(remote.etag) and remote.etag == edit.etag
        if is_known or self._is_seen(edit, remote):
            return self._drafted(place, edit, fresh)
        return Outcome(remote, EtagMismatch("The event was changed meanwhile."))

    def _is_seen(self, edit: Edit, remote: Remote) -> bool:
        return self._table.are_same(self._project(remote, edit.base), edit.seen)

    def _drafted(
        self, place: int, edit: Edit, fresh: Wire | None, *, is_last: bool = False
    ) -> _Draft | Outcome:
        try:
            body = patch_of(edit, fresh, self._reading)
        except InvalidRecord as error:
            return Outcome(error=error)
        if body or fresh is None:
            etag = edit.etag if fresh is None else str(fresh.get("etag") or "")
            return _Draft(place, edit, body, etag, is_last)
        return Outcome(event_to_remote(fresh, self._reading))

    def _send_drafts(self, drafts: Sequence[_Draft], ledger: Ledger) -> None:
        requests = {
            draft.place: self._api.patch(
                draft.edit.remote_id,
                draft.body,
                draft.etag,
                notifies=draft.edit.notifies,
            )
            for draft in drafts
        }
        results = send(self._api, requests)
        stale, doubtful = [], []
        for draft in drafts:
            result = results[draft.place]
            if isinstance(result, EtagMismatch):
                stale.append(draft)
            elif is_forbidden(result):
                doubtful.append(draft)
            self._note(draft.place, result, ledger)
        self._explain_forbidden(doubtful, ledger)
        stop(results, ledger)
        self._look_again(stale, ledger)

    def _explain_forbidden(self, drafts: Sequence[_Draft], ledger: Ledger) -> None:
        """Look what Google forbids: a deleted event is gone, a cancelled one stays."""
        if not drafts:
            return
        events = self._look([draft.edit.remote_id for draft in drafts])
        for draft in drafts:
            event = events[draft.edit.remote_id]
            if event is None or event_to_remote(event, self._reading).is_gone:
                error = NotFound(f"The event {draft.edit.remote_id} is gone.")
                ledger.fail([draft.place], error)
            elif event.get("status") == "cancelled":
                ledger.fail([draft.place], InvalidRecord(_STAYS_CANCELLED))

    def _look_again(self, stale: Sequence[_Draft], ledger: Ledger) -> None:
        """Deal with other versions: ours that had arrived, unmapped edits, and edits.

        Of an event whose mapped fields are as the plan saw them, only something that
        is not ours has changed (a colour, an answer): it is written once more.
        """
        if not stale:
            return
        events = self._look([draft.edit.remote_id for draft in stale])
        again = []
        for draft in stale:
            fresh = events[draft.edit.remote_id]
            found = self._met(draft, fresh)
            if isinstance(found, Outcome):
                ledger.found[draft.place] = found
            else:
                again.append(found)
        if again:
            self._send_drafts(again, ledger)

    def _met(self, draft: _Draft, fresh: Wire | None) -> _Draft | Outcome:
        edit = draft.edit
        remote = gone(edit.remote_id)
        if fresh is not None:
            remote = event_to_remote(fresh, self._reading)
        if fresh is None or remote.is_gone:
            return Outcome(error=NotFound(f"The event {edit.remote_id} is gone."))
        wished = {**edit.seen, **edit.values}
        shown = self._project(remote, edit.base)
        if self._table.are_same(shown, wished):
            return Outcome(remote)
        if not draft.is_last and self._table.are_same(shown, edit.seen):
            return self._drafted(draft.place, edit, fresh, is_last=True)
        return Outcome(remote, EtagMismatch("The event was changed meanwhile."))


def with_hidden(remote: Remote, base: Values | None) -> Values:
    """Return an event's fields; those that Google hides are as last agreed on."""
    hidden = remote.record.get("hidden") or ()
    if not base or not hidden:
        return remote.values
    kept = {name: base[name] for name in hidden if name in base}
    return {**remote.values, **kept}
