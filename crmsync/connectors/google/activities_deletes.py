"""Deletes of events, in batches (contract, 5.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crmsync.connectors.google.activities_sending import (
    is_forbidden,
    parts,
    send,
    stop,
)
from crmsync.connectors.google.activities_series import Look
from crmsync.connectors.google.batches import Ledger
from crmsync.connectors.google.events import EventsApi
from crmsync.connectors.google.mapping.activities import Reading, event_to_remote
from crmsync.errors import CrmSyncError, EtagMismatch, NotFound
from crmsync.ports import Outcome


class Deletes:
    """Deletes the events of one calendar."""

    def __init__(self, api: EventsApi, reading: Reading, look: Look):
        """Prepare.

        Args:
            api: the calendar.
            reading: what events are read with.
            look: reads events as they are now; None: there is none.
        """
        self._api = api
        self._reading = reading
        self._look = look

    def delete(
        self, ids: Sequence[str], etags: Mapping[str, str], notifies: frozenset[str]
    ) -> list[Outcome]:
        """Delete events; what is gone, or cancelled already, counts as deleted."""
        ledger = Ledger(len(ids))

        def remove(places: Sequence[int]) -> None:
            requests = {
                n: self._api.delete(
                    ids[n], etag=etags.get(ids[n], ""), notifies=ids[n] in notifies
                )
                for n in places
                if ids[n]
            }
            ledger.found.update({n: Outcome() for n in places if not ids[n]})
            results = send(self._api, requests)
            for n, result in results.items():
                if isinstance(result, CrmSyncError) and not isinstance(
                    result, NotFound
                ):
                    ledger.fail([n], result)
                else:
                    ledger.found[n] = Outcome()
            stale = {
                n: ids[n] for n, r in results.items() if isinstance(r, EtagMismatch)
            }
            self._show_changed(stale, ledger)
            doubtful = {n: ids[n] for n, r in results.items() if is_forbidden(r)}
            self._forgive_cancelled(doubtful, ledger)
            stop(results, ledger)

        return ledger.send_all(parts(range(len(ids))), remove)

    def _show_changed(self, stale: Mapping[int, str], ledger: Ledger) -> None:
        """Answer deletes of events that were changed meanwhile, as they are now."""
        events = self._look(list(stale.values())) if stale else {}
        for n, event_id in stale.items():
            event = events[event_id]
            if event is None or event.get("status") == "cancelled":
                ledger.found[n] = Outcome()
            else:
                remote = event_to_remote(event, self._reading)
                error = EtagMismatch("The event was changed meanwhile.")
                ledger.found[n] = Outcome(remote, error)

    def _forgive_cancelled(self, doubtful: Mapping[int, str], ledger: Ledger) -> None:
        """Look whether what Google forbids to delete is cancelled already."""
        if not doubtful:
            return
        events = self._look(list(doubtful.values()))
        for n, name in doubtful.items():
            event = events[name]
            if event is None or event.get("status") == "cancelled":
                ledger.found[n] = Outcome()
