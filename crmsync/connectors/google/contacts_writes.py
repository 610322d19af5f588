"""Creates, updates and deletes of contacts, in batches, strictly one after the other.

Google's writes for one account have to be sequential (contract, 4.6).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from crmsync.connectors.google.batches import Ledger
from crmsync.connectors.google.faults import item_fault
from crmsync.connectors.google.mapping.contacts import (
    LIST_FIELDS,
    MY_CONTACTS,
    Patch,
    Reading,
    key_of,
    new_person,
    patch_of,
    person_to_card,
    person_to_remote,
    stamp_of,
    version_of,
)
from crmsync.connectors.google.people import (
    BATCH_DELETE,
    BATCH_WRITE,
    PeopleApi,
    Wire,
)
from crmsync.errors import (
    CollectionGone,
    CrmSyncError,
    EtagMismatch,
    InvalidRecord,
    NotFound,
    OutcomeUnknown,
    PreconditionFailed,
    ProtocolBroken,
)
from crmsync.ports import Edit, NewRecord, Outcome
from crmsync.records.cards import Card
from crmsync.records.remote import Remote
from crmsync.records.slots import assign, linking_base, place
from crmsync.records.values import SideName, Values

CREATE_MASK = "clientData,metadata"
UPDATE_MASK = "metadata"

People = Mapping[str, Wire | None]
"""People by the id they were asked for; None: there is none."""


def _parts(places: Sequence[int], size: int) -> list[Sequence[int]]:
    return [places[start : start + size] for start in range(0, len(places), size)]


@dataclass(frozen=True, slots=True)
class _Draft:
    """An update on its way: the person as just read, and what is sent."""

    edit: Edit
    person: Wire
    card: Card
    patch: Patch


class Writes:
    """Writes the contacts of one account."""

    def __init__(
        self,
        api: PeopleApi,
        reading: Callable[[], Reading],
        look: Callable[[Sequence[str], str], People],
        *,
        is_atomic: bool,
    ):
        """Prepare.

        Args:
            api: the connection's People API.
            reading: what people are read with.
            look: reads people with given fields, just now.
            is_atomic: a refused batch has done nothing (unproven: a switch).
        """
        self._api = api
        self._reading = reading
        self._look = look
        self._is_atomic = is_atomic

    # ------------------------------------------------------------------ create

    def create(self, records: Sequence[NewRecord]) -> list[Outcome]:
        """Create contacts in the label; see `ports.Side.create`."""
        reading = self._reading()
        if not reading.label:
            raise CollectionGone("The label was not opened.")
        ledger = Ledger(len(records))
        cards: dict[int, Card] = {}
        bodies: dict[int, Wire] = {}
        groups = (reading.label, MY_CONTACTS)
        for at, record in enumerate(records):
            try:
                cards[at] = place(Card(), None, record.values, reading.table)
                bodies[at] = new_person(cards[at], record.key, groups)
            except InvalidRecord as error:
                ledger.fail([at], error)

        def send(places: Sequence[int]) -> None:
            answer = self._api.batch_create([bodies[at] for at in places], CREATE_MASK)
            ledger.is_written = True
            made, refused = _by_key(answer, reading.installation)
            for at in places:
                person = made.get(records[at].key)
                if person is not None:
                    remote = _created(person, records[at], cards[at])
                    ledger.found[at] = Outcome(remote)
            rest = [at for at in places if at not in ledger.found]
            if len(rest) == len(refused) > 1 and all(map(_is_definite, refused)):
                # A refused item names no record: send those again to see which is
                # which. They were certainly not made.
                ledger.halve(rest, send, refused[0], is_atomic=True)
            elif len(rest) == len(refused) == 1:
                ledger.fail(rest, refused[0])
            elif rest:
                unclear = OutcomeUnknown("Google's answer does not show this contact.")
                ledger.fail(rest, unclear)

        parts = _parts(list(bodies), BATCH_WRITE)
        return ledger.send_all(parts, send, is_atomic=self._is_atomic)

    # ------------------------------------------------------------------ update

    def update(self, edits: Sequence[Edit]) -> list[Outcome]:
        """Write fields of contacts; see `ports.Side.update`.

        Everything is read again right before, for old etags fail whole batches, and
        so that what the plan did not see is never overwritten (ENG-3).
        """
        ledger = Ledger(len(edits))
        drafts: dict[int, _Draft] = {}
        people = self._look([edit.remote_id for edit in edits], LIST_FIELDS)
        for at, edit in enumerate(edits):
            found = self._drafted(edit, people[edit.remote_id])
            if isinstance(found, Outcome):
                ledger.found[at] = found
            else:
                drafts[at] = found

        def send(places: Sequence[int]) -> None:
            self._send_updates({at: drafts[at] for at in places}, ledger)

        masks: dict[tuple[str, ...], list[int]] = {}
        for at, draft in drafts.items():
            masks.setdefault(draft.patch.mask, []).append(at)
        parts = [
            part for places in masks.values() for part in _parts(places, BATCH_WRITE)
        ]
        # Halving repeats only what carries an etag: what was done already is refused.
        ledger.send_all(parts, send)
        self._show_current(ledger, edits)
        return ledger.outcomes()

    def _drafted(self, edit: Edit, person: Wire | None) -> _Draft | Outcome:
        """Return what to send for one edit, or why nothing is sent."""
        if person is None:
            return Outcome(error=NotFound(f"{edit.remote_id} does not exist."))
        reading = self._reading()
        remote = person_to_remote(person, reading)
        card = person_to_card(person)
        base = self._base(edit, card, remote.etag)
        if base is None:
            changed = EtagMismatch(f"{edit.remote_id} was changed meanwhile.")
            return Outcome(remote, changed)
        after = place(card, base, edit.values, reading.table)
        try:
            patch = patch_of(person, after, edit.key)
        except InvalidRecord as error:
            return Outcome(error=error)
        return _Draft(edit, person, after, patch) if patch.mask else Outcome(remote)

    def _base(self, edit: Edit, card: Card, etag: str) -> Values | None:
        """Return the base under which the card shows what the plan saw, or None.

        A record that is being linked was read with the CRM's values as its base. If
        the edit does not say so, the version tells: nothing has changed since.
        """
        table = self._reading().table
        bases: list[Values] = [edit.base]
        if etag and etag == edit.etag:
            bases.append(linking_base({**edit.seen, **edit.values}))
        for base in bases:
            if table.are_same(assign(card, base, table), edit.seen):
                return base
        return None

    def _send_updates(self, drafts: Mapping[int, _Draft], ledger: Ledger) -> None:
        first = next(iter(drafts.values()))
        bodies = {str(d.person["resourceName"]): d.patch.body for d in drafts.values()}
        answer = self._api.batch_update(bodies, ",".join(first.patch.mask), UPDATE_MASK)
        results = _results(answer)
        for at, draft in drafts.items():
            result = results.get(str(draft.person["resourceName"]), {})
            error = _item_error(result)
            if error is None:
                remote = self._updated(draft, result.get("person") or {})
                ledger.found[at] = Outcome(remote)
            else:
                ledger.fail([at], error)

    def _updated(self, draft: _Draft, shown: Wire) -> Remote:
        """Return a contact after its update; without an answer its version is open."""
        reading = self._reading()
        before = person_to_remote(draft.person, reading)
        stored = Card.from_dict(draft.card.to_dict())
        return replace(
            before,
            remote_id=str(shown.get("resourceName") or before.remote_id),
            etag=version_of(shown),
            stamp=stamp_of(shown),
            values=assign(stored, None, reading.table),
            record=stored.to_dict(),
            key=before.key or draft.edit.key,
        )

    def _show_current(self, ledger: Ledger, edits: Sequence[Edit]) -> None:
        """Add what is there now to outcomes that say "changed meanwhile".

        A fault of this look leaves them as they are: what was written counts.
        """
        stale = {
            at: edits[at].remote_id
            for at, outcome in ledger.found.items()
            if isinstance(outcome.error, EtagMismatch) and outcome.remote is None
        }
        if not stale:
            return
        with suppress(CrmSyncError):
            people = self._look(list(stale.values()), LIST_FIELDS)
            for at, name in stale.items():
                person = people[name]
                if person is None:
                    ledger.fail([at], NotFound(f"{name} does not exist."))
                else:
                    remote = person_to_remote(person, self._reading())
                    ledger.found[at] = Outcome(remote, ledger.found[at].error)

    # ------------------------------------------------------------------ delete

    def delete(self, names: Sequence[str]) -> list[Outcome]:
        """Delete contacts; one that is gone counts as deleted."""
        ledger = Ledger(len(names))

        def send(places: Sequence[int]) -> None:
            wanted = list(dict.fromkeys(names[at] for at in places))
            try:
                self._api.batch_delete(wanted)
            except (InvalidRecord, PreconditionFailed):
                self._delete_singly(places, names, ledger)
                return
            ledger.found.update({at: Outcome() for at in places})

        return ledger.send_all(_parts(range(len(names)), BATCH_DELETE), send)

    def _delete_singly(
        self, places: Sequence[int], names: Sequence[str], ledger: Ledger
    ) -> None:
        for at in places:
            try:
                self._api.delete(names[at])
            except NotFound:
                pass
            except (InvalidRecord, PreconditionFailed) as error:
                ledger.fail([at], error)
                continue
            except OutcomeUnknown as error:
                ledger.is_written = True
                ledger.fail([at], error)
                continue
            ledger.is_written = True
            ledger.found[at] = Outcome()


def _is_definite(error: CrmSyncError) -> bool:
    return isinstance(error, InvalidRecord | PreconditionFailed)


def _item_error(result: Wire) -> CrmSyncError | None:
    return item_fault(result.get("status"), int(result.get("httpStatusCode") or 0))


def _objects(found: object) -> list[Wire]:
    whole = found if isinstance(found, list) else []
    return [item for item in whole if isinstance(item, dict)]


def _by_key(
    answer: Wire, installation: str
) -> tuple[dict[str, Wire], list[CrmSyncError]]:
    """Return created people by our key (their order is not promised), and refusals."""
    made: dict[str, Wire] = {}
    refused: list[CrmSyncError] = []
    for result in _objects(answer.get("createdPeople")):
        error = _item_error(result)
        if error is not None:
            refused.append(error)
            continue
        with suppress(ProtocolBroken):  # a person that can not be read is not shown
            person = result.get("person") or {}
            if key := key_of(person, installation):
                made[key] = person
    return made, refused


def _results(answer: Wire) -> dict[str, Wire]:
    """Return update results by the name that was sent; names may change (4.3)."""
    found: dict[str, Wire] = {}
    shown = answer.get("updateResult", {})
    whole = shown.values() if isinstance(shown, dict) else [shown]
    if not all(isinstance(result, dict) for result in whole):
        raise OutcomeUnknown("Google's answer to an update is malformed.")
    for name, result in shown.items():
        found[str(result.get("requestedResourceName") or name)] = result
    return found


def _created(person: Wire, record: NewRecord, card: Card) -> Remote:
    """Return a contact that was just made: its id and version, our content."""
    return Remote(
        side=SideName.GOOGLE,
        remote_id=str(person.get("resourceName", "")),
        etag=version_of(person),
        values=record.values,
        record=card.to_dict(),
        key=record.key,
        is_selected=True,
        stamp=stamp_of(person),
    )
