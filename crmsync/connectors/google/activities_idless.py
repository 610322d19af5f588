"""Creates of events that leave the id to Google: a switch (contract, 5.8).

One report says that Google refused an id of the client's. Without one, nothing tells a
repeated insert from another event: each is sent once, and what was made before is
looked for by our key.
"""

from __future__ import annotations

from collections.abc import Sequence

from crmsync.connectors.google.activities_sending import note
from crmsync.connectors.google.batches import Ledger
from crmsync.connectors.google.events import EventsApi
from crmsync.connectors.google.mapping.activities import (
    Reading,
    event_to_remote,
    gone,
)
from crmsync.connectors.google.mapping.activities_out import new_event
from crmsync.connectors.google.mapping.properties import KEY, key_of
from crmsync.ports import NewRecord, Outcome
from crmsync.records.remote import Remote


class IdlessCreates:
    """Makes events of one calendar one after the other."""

    def __init__(self, api: EventsApi, reading: Reading):
        """Prepare.

        Args:
            api: the calendar.
            reading: what events are read and written with.
        """
        self._api = api
        self._reading = reading

    def create(
        self, records: Sequence[NewRecord], places: Sequence[int], ledger: Ledger
    ) -> None:
        """Create the records at some positions and note their outcomes.

        Raises:
            CrmSyncError: nothing was written before the fault.
        """

        def insert(place: Sequence[int]) -> None:
            record = records[place[0]]
            made = self._made_before(record.key)
            if made is not None:
                ledger.found[place[0]] = Outcome(made)
                return
            body = new_event(record, "", self._reading)
            event = self._api.insert_alone(body, notifies=record.notifies)
            note(place[0], event, ledger, self._reading)

        ledger.send_all([[place] for place in places], insert)

    def _made_before(self, key: str) -> Remote | None:
        for event in self._api.with_key(KEY, key):
            if key_of(event) != key and event.get("status") != "cancelled":
                continue  # it only inherited our key
            if event.get("recurringEventId"):
                continue
            if event.get("status") == "cancelled":
                return gone(str(event.get("id") or ""))
            return event_to_remote(event, self._reading)
        return None
