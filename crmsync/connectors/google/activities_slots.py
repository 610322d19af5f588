"""The occurrences of a series that are about to be changed (contract, 5.4.7).

An occurrence is not made: it is there as its series has it. Its id is the series' id
and its slot; where a split has changed the series' id, Google is asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress

from crmsync.connectors.google.activities_series import Look
from crmsync.connectors.google.events import EventsApi
from crmsync.connectors.google.mapping.activities import Reading, event_to_remote
from crmsync.connectors.google.mapping.properties import key_of
from crmsync.connectors.google.mapping.when import instance_suffix
from crmsync.connectors.google.multipart import Wire
from crmsync.errors import CrmSyncError, InvalidRecord, NotFound, ProtocolBroken
from crmsync.ports import Edit, NewRecord, Outcome
from crmsync.records.activities import CANCELLED
from crmsync.records.values import FieldTable

_FOLLOWER = re.compile(r"_R\d{8}(T\d{6}Z?)?$")

Found = tuple[Edit, Wire]


class Slots:
    """Finds occurrences of one calendar's series by series and slot."""

    def __init__(
        self,
        api: EventsApi,
        reading: Reading,
        table: FieldTable,
        look: Look,
    ):
        """Prepare.

        Args:
            api: the calendar.
            reading: what events are read with.
            table: the mapped fields.
            look: reads events as they are now.
        """
        self._api = api
        self._reading = reading
        self._table = table
        self._look = look

    def find(self, records: Mapping[int, NewRecord]) -> dict[int, Found | Outcome]:
        """Return the edit that makes each occurrence what it is to be, and the event.

        An outcome says that nothing is to be written, or why nothing can be.
        """
        names = {n: _name(record) for n, record in records.items()}
        events = self._look(list(names.values()))
        found: dict[int, Found | Outcome] = {}
        for n, record in records.items():
            event = events[names[n]] or self._ask(record)
            if isinstance(event, CrmSyncError):
                found[n] = Outcome(error=event)
            elif key_of(event) == record.key:
                found[n] = Outcome(event_to_remote(event, self._reading))
            else:
                found[n] = (self._edit(record, event), event)
        return found

    def _ask(self, record: NewRecord) -> Wire | CrmSyncError:
        series, slot = record.account, record.values["slot"]
        original = slot if "T" in slot else f"{slot}T00:00:00Z"
        with suppress(NotFound, ProtocolBroken, InvalidRecord):
            for event in self._api.instances(series, original) if series else ():
                shown = event_to_remote(event, self._reading)
                if shown.values.get("slot") == slot:
                    return dict(event)
        return InvalidRecord(
            "The series in Google has no occurrence at that time.", ("slot",)
        )

    def _edit(self, record: NewRecord, event: Wire) -> Edit:
        """Return what differs from the occurrence as its series has it."""
        remote = event_to_remote(event, self._reading)
        seen, values = remote.values, dict(record.values)
        if values.get("cancelled") == CANCELLED:
            wanted = {"cancelled": CANCELLED}
        else:
            wanted = {
                name: values.get(name, "")
                for name in self._table.names
                if name in values
                and name not in {"slot", "zone", "recurrence"}
                and not self._table.is_same(name, seen.get(name, ""), values[name])
            }
            if seen.get("cancelled"):
                wanted["cancelled"] = ""
        return Edit(
            remote_id=remote.remote_id,
            etag=remote.etag,
            seen=seen,
            values=wanted,
            base={},
            key=record.key,
            notifies=record.notifies,
        )


def _name(record: NewRecord) -> str:
    series = _FOLLOWER.sub("", record.account)
    return f"{series}_{instance_suffix(record.values['slot'])}"
