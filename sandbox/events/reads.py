"""Single reads: an event, the instances of a series; how a caller sees them."""

from __future__ import annotations

from sandbox.events import render, times
from sandbox.events.context import Context
from sandbox.events.instances import look_up
from sandbox.events.model import Event
from sandbox.legacy import invalid, not_found
from sandbox.messages import Json, Response


def view(ctx: Context, *, full_tombstones: bool = False) -> render.View:
    """How this caller sees events of this calendar in this answer."""
    name = ctx.params.get("timeZone")
    found = times.zone(name) if name else None
    if name and found is None:
        raise invalid("Invalid time zone.", place="timeZone")
    most = ctx.params.get("maxAttendees")
    if most is not None and most < 1:
        raise invalid("Invalid value for maxAttendees.", place="maxAttendees")
    shelves = ctx.desk.shelves

    def named(address: str) -> str:
        shelf = shelves.get(address)
        return shelf.info.summary if shelf and not shelf.info.primary else ""

    return render.View(
        shelf=ctx.shelf,
        account=ctx.account,
        zone=found or ctx.shelf.home,
        names=named,
        most_guests=most,
        sees_private=ctx.can_see_private,
        busy_only=ctx.role == "freeBusyReader",
        full_tombstones=full_tombstones,
    )


def shown(ctx: Context, event: Event) -> Json:
    return render.event(event, view(ctx, full_tombstones=True))


def get(ctx: Context) -> Json | Response:
    """One event; a deleted one still answers, so that it can be restored (5.4.3)."""
    event = look_up(ctx.shelf, ctx.params["eventId"])
    if event is None:
        raise not_found()
    known = ctx.request.headers.get("if-none-match")
    if known is not None and known in ("*", event.etag):
        return Response(304, headers=[("ETag", event.etag)])
    return shown(ctx, event)
