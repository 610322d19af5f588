"""A series split at an occurrence: "this and following events" (5.4.6)."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, timedelta

from sandbox.events import times
from sandbox.events.change import change, create
from sandbox.events.context import Context
from sandbox.events.copies import Copies
from sandbox.events.model import Event
from sandbox.events.normalise import merged, own_fields, shared_fields
from sandbox.events.render import editable
from sandbox.events.series import series_of, split_id
from sandbox.legacy import invalid
from sandbox.messages import Json

_LIMIT = re.compile(r";?(UNTIL|COUNT)=[^;]*", re.I)


def split(ctx: Context, copies: Copies, pair: tuple[Event, Event], edit: Json) -> Event:
    """Cut a series before one of its occurrences and go on with a new series.

    Raises:
        ApiError: 400; the occurrence is not of this series.
    """
    master, at = pair
    if not master.is_series or at.master != master.id or at.original is None:
        raise invalid("The occurrence is not of this series.")
    rest = _rest_of(master, at)
    cut = _shortened(master, at.original)
    before = replace(master, shared={**master.shared, "recurrence": cut})
    change(ctx, copies, master, before)
    body = merged({**editable(at), "recurrence": rest}, edit)
    switches = ctx.desk.env.switches
    suffix = (split_id(at.id) or ("", ""))[1].removesuffix("Z")
    key = f"{master.id}_R{suffix}"
    follower = replace(
        master,
        id=key,
        uid=f"{key}@google.com",
        shared={**master.shared, **shared_fields(body, switches)},
        own=own_fields(body, switches),
        created=0.0,
        seq=0,
        stamp=0,
        sequence=0,
    )
    return create(ctx, copies, follower)


def _shortened(master: Event, original: Json) -> list[str]:
    """The lines of the old series: it ends before the occurrence."""
    if "date" in original:
        until = times.add_days(original["date"], -1).replace("-", "")
    else:
        moment = times.instant(original, UTC) - timedelta(seconds=1)
        until = f"{moment:%Y%m%dT%H%M%SZ}"
    return [
        f"{_LIMIT.sub('', line)};UNTIL={until}" if _is_rule(line) else line
        for line in master.shared["recurrence"]
    ]


def _rest_of(master: Event, at: Event) -> list[str]:
    """The lines of the new series; a count is what is left of it."""
    series = series_of(master.shared)
    home = series.zone or UTC
    moment = times.instant(at.original or {}, home)
    gone = sum(1 for s in series.starts() if series.instant(s, home) < moment)
    lines = []
    for line in master.shared["recurrence"]:
        found = re.search(r"COUNT=(\d+)", line, re.I)
        if found:
            lines.append(
                line.replace(found[0], f"COUNT={max(1, int(found[1]) - gone)}")
            )
        else:
            lines.append(line)
    return lines


def _is_rule(line: str) -> bool:
    return line.upper().startswith("RRULE")
