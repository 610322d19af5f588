"""Series that the CRM cannot express: their occurrences, one by one (CAL-17)."""

from __future__ import annotations

from dataclasses import replace

from crmsync.connectors.google.mapping.activities import (
    Reading,
    Wire,
    event_to_remote,
    gone,
    imported,
    series_zone,
)
from crmsync.connectors.google.mapping.repeats import read_repeats
from crmsync.connectors.google.mapping.when import read_moment, read_when, zone_of
from crmsync.records.remote import Remote
from crmsync.records.values import SideName

SOURCE = "a series in Google that the CRM cannot express"
COMPARED = ("summary", "description", "location", "visibility", "attendees")


def is_split(event: Wire, reading: Reading) -> bool:
    """Whether an event is a series that comes in as single activities."""
    lines = event.get("recurrence")
    if not lines or event.get("status") == "cancelled":
        return False
    when = read_when(event)
    if not when.start or when.odd or (when.zone and zone_of(when.zone) is None):
        return False  # it has no occurrences that could be placed
    repeats = read_repeats(lines, when.start, when.zone)
    if repeats.odd:
        return True
    values = {"start": when.start, "zone": series_zone(when)}
    return not reading.expresses({**values, "recurrence": repeats.lines})


def single(event: Wire, reading: Reading) -> Remote:
    """Return an occurrence of such a series as an activity by itself."""
    remote = event_to_remote(event, reading)
    if remote.is_gone or remote.values.get("cancelled"):
        return gone(remote.remote_id, remote.etag, remote.stamp)
    shown = imported(remote, reading.source or SOURCE)
    values = {**shown.values, "slot": ""}
    return replace(shown, values=values, record={**shown.record, "series": ""})


def left(event: Wire) -> Remote:
    """Return such a series itself: no activity any more, if it ever was one."""
    return Remote(
        SideName.GOOGLE,
        str(event["id"]),
        etag=str(event.get("etag") or ""),
        record={"imported": SOURCE},
        is_selected=False,
        stamp=str(event.get("updated") or ""),
    )


def is_plain(event: Wire, series: Wire) -> bool:
    """Whether an occurrence is as its series says."""
    if event.get("status") == "cancelled" or any(
        event.get(name) != series.get(name) for name in COMPARED
    ):
        return False
    when = read_when(event)
    slot = read_moment(event.get("originalStartTime"))[0]
    return when.start == slot and when.minutes == read_when(series).minutes
