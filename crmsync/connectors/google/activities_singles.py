"""The occurrences of series that the CRM cannot express (CAL-17; contract, 5.5).

Google expands them, within the window. A series that takes place more often than one
page of Google's has room for is a machine's, and is told instead of flooding the CRM.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from crmsync.connectors.google.events import PAGE_SIZE, EventsApi
from crmsync.connectors.google.mapping.activities import Reading, event_to_remote
from crmsync.connectors.google.mapping.singles import single
from crmsync.connectors.google.mapping.when import stamp
from crmsync.connectors.google.multipart import Wire
from crmsync.errors import NotFound
from crmsync.records.remote import Remote

MOST = PAGE_SIZE


@dataclass(frozen=True, slots=True)
class Span:
    """A part of time; its end is not in it."""

    first: datetime
    end: datetime


def singles(
    api: EventsApi, reading: Reading, series: Wire, span: Span
) -> tuple[Remote, ...] | None:
    """Return the occurrences of a series in a span, as activities by themselves.

    None: there are too many.
    """
    bounds = stamp(span.first), stamp(span.end)
    try:
        found = list(islice(api.between(str(series["id"]), *bounds), MOST + 1))
    except NotFound:
        return ()  # it was deleted just now; the next read tells
    if len(found) > MOST:
        return None
    return tuple(single(event, reading) for event in found)


def too_many(series: Wire, reading: Reading) -> Remote:
    """Return what tells that a series takes place too often to come in."""
    remote = event_to_remote(series, reading)
    why = (
        "It repeats in a way that the CRM cannot express, and takes place more than "
        f"{MOST:,} times in the days that are synchronised: it stays in Google."
    )
    return replace(remote, record={**remote.record, "odd": why, "odd_in": "recurrence"})
