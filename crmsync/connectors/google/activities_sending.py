"""Sending a batch of requests about events, and what its answers mean for a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crmsync.connectors.google.batches import Ledger
from crmsync.connectors.google.events import EventsApi
from crmsync.connectors.google.mapping.activities import Reading, event_to_remote
from crmsync.connectors.google.multipart import PARTS, Request, Wire
from crmsync.errors import (
    CrmSyncError,
    InvalidRecord,
    PermissionMissing,
    ReconnectNeeded,
    Retryable,
)
from crmsync.errors import OutcomeUnknown as Unknown
from crmsync.ports import Outcome

Result = Wire | CrmSyncError
Results = Mapping[int, Result]


def parts(places: Sequence[int]) -> list[Sequence[int]]:
    """Return positions in as many groups as there will be batches."""
    return [places[start : start + PARTS] for start in range(0, len(places), PARTS)]


def send(api: EventsApi, requests: Mapping[int, Request]) -> Results:
    """Send the requests of some positions at once."""
    if not requests:
        return {}
    answers = api.send(list(requests.values()))
    return dict(zip(requests, answers, strict=True))


def note(place: int, result: Result, ledger: Ledger, reading: Reading) -> None:
    """Note what became of one write."""
    if isinstance(result, CrmSyncError):
        ledger.fail([place], result)
    elif not result.get("id"):
        ledger.fail([place], Unknown("Google's answer does not show the event."))
    else:
        ledger.is_written = True
        ledger.found[place] = Outcome(event_to_remote(result, reading))


def is_forbidden(result: Result) -> bool:
    """Whether Google refuses for a reason that may be the event's own end."""
    return isinstance(result, InvalidRecord) and result.code == "forbidden"


def stop(results: Results, ledger: Ledger) -> None:
    """End the call where nothing more can be written just now.

    Raises:
        CrmSyncError: the quota is used up, or the grant is dead; what was written and
            what was refused is in the ledger.
    """
    lasting = (Retryable, PermissionMissing, ReconnectNeeded)
    if any(isinstance(result, (dict, Unknown)) for result in results.values()):
        ledger.is_written = True
    for result in results.values():
        if isinstance(result, lasting) and not isinstance(result, Unknown):
            raise result
