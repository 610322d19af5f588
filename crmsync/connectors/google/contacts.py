"""Google's contacts as a side of a pair, over the People API (CON-3 … CON-23).

A `ports.Side`: label, feed, look-ups and writes. It decides nothing about
synchronisation and stores nothing: memo and cursor are the cycle's to keep.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from crmsync.connectors.google.adapter import GoogleHttp
from crmsync.connectors.google.contacts_feed import Feed
from crmsync.connectors.google.contacts_label import Label
from crmsync.connectors.google.contacts_writes import Writes
from crmsync.connectors.google.faults import item_fault
from crmsync.connectors.google.mapping.contacts import (
    FULL_FIELDS,
    LIST_FIELDS,
    Reading,
    gone,
    person_to_remote,
)
from crmsync.connectors.google.people import BATCH_GET, BATCH_WRITE, PeopleApi, Wire
from crmsync.errors import NotFound, ProtocolBroken
from crmsync.ports import NO_ETAGS, Clock, Edit, NewRecord, Opened, Outcome, Page
from crmsync.records.cards import Card
from crmsync.records.remote import Remote
from crmsync.records.slots import assign
from crmsync.records.values import FieldTable, SideName, Values

_NAME = re.compile(r"people/[^/]+")


@dataclass(frozen=True, slots=True)
class ContactsOptions:
    """What differs between connections, and switches for what is unproven.

    Attributes:
        label_name: what the label is called when it has to be found or made.
        account_id: of the Google account (its subject); spreads full reads.
        installation: whose keys are ours (CON-20).
        batch_is_atomic: a refused batch of creates has done nothing, so that its
            halves may be sent again (contract, section 12: not verified).
    """

    label_name: str = "Infor CRM"
    account_id: str = ""
    installation: str = ""
    batch_is_atomic: bool = True


class GoogleContacts:
    """The contacts of one Google account; one user of it at a time."""

    name = SideName.GOOGLE
    batch_size = BATCH_WRITE

    def __init__(
        self,
        http: GoogleHttp,
        root: str,
        *,
        table: FieldTable,
        clock: Clock,
        options: ContactsOptions | None = None,
    ):
        """Build the side; nothing is requested yet.

        Args:
            http: the connection's way to the People API.
            root: where the API is (`GoogleEndpoints.people`).
            table: the mapped fields.
            clock: tells the age of memo and cursor.
            options: label, account and switches.
        """
        chosen = options or ContactsOptions()
        self._http = http
        self._api = PeopleApi(http, root)
        self._table = table
        self._installation = chosen.installation
        self._label = Label(self._api, chosen.label_name, clock)
        self._feed = Feed(self._api, clock, chosen.account_id, self._reading)
        self._writes = Writes(
            self._api, self._reading, self._look, is_atomic=chosen.batch_is_atomic
        )

    def _reading(self) -> Reading:
        return Reading(self._table, self._label.resource_name, self._installation)

    @property
    def requests(self) -> int:
        """How many requests went to the People API so far."""
        return self._http.counter.total

    @property
    def skew(self) -> timedelta:
        """How far Google's clock is ahead of ours, as last seen (decision 15)."""
        return self._http.transport.skew(self._api.root)

    @property
    def label(self) -> str:
        """The label's resource name, "" before `open` or if there is none."""
        return self._label.resource_name

    def open(self, memo: Mapping[str, str], *, verify: bool, may_write: bool) -> Opened:
        """Find, adopt or make the label; see `ports.Side.open`.

        Raises:
            Retryable: Google can not be asked just now.
        """
        return self._label.open(memo, verify=verify, may_write=may_write)

    # ------------------------------------------------------------------ reading

    def read(self, cursor: str | None) -> Iterator[Page]:
        """Read all contacts, or the changes since a cursor; see `ports.Side.read`.

        Raises:
            CursorExpired: the sync token is refused or too old, or the label or the
                mapped fields have changed.
        """
        return self._feed.read(cursor, self._fetch_cut)

    def fetch(self, remote_ids: Sequence[str]) -> Mapping[str, Remote]:
        """Read contacts as they are now, with all that they hold (CON-12).

        A renamed contact is answered under the name that was asked for.
        """
        return self._fetch(remote_ids, FULL_FIELDS)

    def _fetch_cut(self, names: Sequence[str]) -> Mapping[str, Remote]:
        return self._fetch(names, LIST_FIELDS)

    def _fetch(self, names: Sequence[str], fields: str) -> Mapping[str, Remote]:
        reading = self._reading()
        found: dict[str, Remote] = {}
        for name, person in self._look(names, fields).items():
            if person is None:
                found[name] = gone(name)
                continue
            remote = person_to_remote(person, reading, is_full=fields == FULL_FIELDS)
            if remote.remote_id != name and name not in remote.previous_ids:
                former = (*remote.previous_ids, name)
                remote = replace(remote, previous_ids=former)
            found[name] = remote
        return found

    def _look(self, names: Sequence[str], fields: str) -> Mapping[str, Wire | None]:
        """Return people by the name they were asked for; None if there is none."""
        found: dict[str, Wire | None] = dict.fromkeys(names)
        # What is no resource name was never Google's: there is no such contact.
        wanted = [name for name in found if _NAME.fullmatch(name)]
        for start in range(0, len(wanted), BATCH_GET):
            part = wanted[start : start + BATCH_GET]
            shown = self._look_at(part, fields)
            for name in part:
                found[name] = (
                    shown[name] if name in shown else self._look_singly(name, fields)
                )
        return found

    def _look_at(self, names: Sequence[str], fields: str) -> dict[str, Wire | None]:
        """Return what one request shows; names that it does not answer are left out."""
        shown: dict[str, Wire | None] = {}
        try:
            answer = self._api.batch_get(names, fields)
        except (NotFound, ProtocolBroken):
            # One name that Google can not digest refuses all: ask one by one.
            return shown
        for response in answer.get("responses") or []:
            person = response.get("person") or {}
            name = response.get("requestedResourceName") or person.get("resourceName")
            http = int(response.get("httpStatusCode") or 0)
            error = item_fault(response.get("status"), http)
            if isinstance(error, NotFound):
                shown[str(name)] = None
            elif error is not None:
                raise error
            elif person:
                is_deleted = (person.get("metadata") or {}).get("deleted")
                shown[str(name)] = None if is_deleted else person
        return shown

    def _look_singly(self, name: str, fields: str) -> Wire | None:
        try:
            return self._api.get(name, fields)
        except NotFound:
            return None

    def project(self, remote: Remote, base: Values | None) -> Values:
        """Return a contact's mapped fields, its lists read with a base (CON-16).

        While linking, the base is `slots.linking_base(values of the CRM's record)`.
        """
        if not base:
            return remote.values  # they were read so
        return assign(Card.from_dict(remote.record), base, self._table)

    # ------------------------------------------------------------------ writing

    def create(self, records: Sequence[NewRecord]) -> Sequence[Outcome]:
        """Create contacts in the label and in myContacts; see `ports.Side.create`.

        Raises:
            Retryable: nothing of the call happened.
        """
        return self._writes.create(records)

    def update(self, edits: Sequence[Edit]) -> Sequence[Outcome]:
        """Write fields of contacts; see `ports.Side.update`.

        An outcome with `EtagMismatch` carries the contact as it is now, or nothing if
        it could not be read again: what else was written is told in any case.

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
        """Delete contacts; one that is gone already counts as deleted.

        Raises:
            Retryable: nothing of the call happened.
        """
        return self._writes.delete(remote_ids)

    def select(self, remote_ids: Sequence[str]) -> Sequence[Outcome]:
        """Put contacts into the label.

        Raises:
            Retryable: nothing of the call happened; also if the label has vanished.
        """
        return self._label.add(remote_ids)

    def deselect(self, remote_ids: Sequence[str]) -> Sequence[Outcome]:
        """Take contacts out of the label; one that is gone is no error.

        Raises:
            Retryable: nothing of the call happened.
        """
        return self._label.remove(remote_ids)
