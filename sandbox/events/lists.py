"""calendarList and calendars: which calendars there are, and making one (5.1)."""

from __future__ import annotations

import secrets

from sandbox.events import times
from sandbox.events.context import Context
from sandbox.events.errors import forbidden, full_sync_required, missing
from sandbox.events.model import DEFAULT_REMINDERS, ROLES, Calendar
from sandbox.events.normalise import merged, without_nulls
from sandbox.events.state import Desk, Shelf
from sandbox.legacy import invalid
from sandbox.messages import Json, Response
from sandbox.tokens import fingerprint, pack, unpack

_FREE = ("syncToken", "pageToken", "fields", "prettyPrint", "maxResults", "alt", "key")
_VIEW = ("summaryOverride", "colorId", "hidden", "selected", "defaultReminders")


def list_calendars(ctx: Context) -> Json:
    """`GET users/me/calendarList`.

    Raises:
        ApiError: 400, a token that is none; 410, one that is dead.
    """
    params = ctx.params
    size = min(params.get("maxResults", 100), 250)
    if size < 1:
        raise invalid("Invalid value for maxResults.", place="maxResults")
    asked = {k: v for k, v in sorted(params.items()) if k not in _FREE}
    since = _since(ctx, fingerprint(asked))
    start, horizon = _start(ctx)
    found = [
        pair for pair in ctx.desk.visible(ctx.account) if _is_listed(ctx, pair, since)
    ]
    answer: Json = {
        "kind": "calendar#calendarList",
        "etag": f'"p{ctx.desk.list_seq}"',
    }
    items = [_entry(shelf, role, ctx.account) for shelf, role in found[start:][:size]]
    if items:
        answer["items"] = items
    if start + size < len(found):
        answer["nextPageToken"] = pack({"k": "l", "o": start + size, "h": horizon})
    else:
        epoch = ctx.desk.primary(ctx.account).info.epoch
        state = {"k": "L", "b": epoch, "q": horizon, "f": fingerprint(asked)}
        answer["nextSyncToken"] = pack(state)
    return answer


def get_entry(ctx: Context) -> Json:
    return _entry(ctx.shelf, ctx.role, ctx.account)


def change_entry(ctx: Context) -> Json:
    """Colour, name and visibility in the own list (PATCH or PUT)."""
    info = ctx.shelf.info
    wanted = {k: v for k, v in ctx.body.items() if k in _VIEW}
    before = {} if ctx.request.method == "PUT" else info.views.get(ctx.account, {})
    info.views[ctx.account] = merged(before, wanted)
    ctx.desk.save_calendar(info)
    return get_entry(ctx)


def get_calendar(ctx: Context) -> Json:
    return _calendar(ctx.shelf)


def insert_calendar(ctx: Context) -> Json:
    """A secondary calendar; there is no client's id, twice makes two (5.5)."""
    body = without_nulls(ctx.body)
    if not body.get("summary"):
        raise missing("title")
    key = f"c_{secrets.token_hex(32)}@group.calendar.google.com"
    info = Calendar(key, ctx.account, body["summary"], project=ctx.project)
    info.zone = ctx.desk.primary(ctx.account).info.zone
    _take(info, body)
    return _calendar(ctx.desk.add_calendar(info))


def change_calendar(ctx: Context) -> Json:
    if ctx.role != "owner":
        raise forbidden()
    _take(ctx.shelf.info, without_nulls(ctx.body))
    ctx.desk.save_calendar(ctx.shelf.info)
    return _calendar(ctx.shelf)


def delete_calendar(ctx: Context) -> Response:
    """A secondary calendar with all its events; the primary one stays."""
    info = ctx.shelf.info
    if ctx.role != "owner":
        raise forbidden()
    if info.primary:
        raise invalid(
            "Cannot delete the primary calendar.", reason="cannotDeletePrimaryCalendar"
        )
    info.deleted = True
    ctx.desk.save_calendar(info)
    return Response(204)


def share(desk: Desk, shelf: Shelf, account: str, role: str) -> None:
    """Give a role, or take it ("none"); sync tokens die with that (5.4.2)."""
    if role != "none" and role not in ROLES:
        raise invalid(f"{role} is no role")
    if role == "none":
        shelf.info.shares.pop(account, None)
    else:
        shelf.info.shares[account] = role
    desk.kill_tokens(shelf)


# ---------------------------------------------------------------- parts


def _take(info: Calendar, body: Json) -> None:
    name = body.get("timeZone")
    if name is not None and times.zone(name) is None:
        raise invalid("Invalid time zone.", place="timeZone")
    info.zone = name or info.zone
    info.summary = body.get("summary", info.summary)
    info.description = body.get("description", info.description)
    info.location = body.get("location", info.location)


def _since(ctx: Context, stamp: str) -> int:
    token = ctx.params.get("syncToken")
    if token is None:
        return -1
    state = unpack(token)
    if state is None or state.get("k") != "L" or state["f"] != stamp:
        raise invalid("Invalid sync token value.", place="syncToken")
    if state["b"] != ctx.desk.primary(ctx.account).info.epoch:
        raise full_sync_required()
    return int(state["q"])


def _start(ctx: Context) -> tuple[int, int]:
    token = ctx.params.get("pageToken")
    if token is None:
        return 0, ctx.desk.list_seq
    state = unpack(token)
    if state is None or state.get("k") != "l":
        raise invalid("Invalid page token value.", place="pageToken")
    return int(state["o"]), int(state["h"])


def _is_listed(ctx: Context, pair: tuple[Shelf, str], since: int) -> bool:
    (shelf, role), params = pair, ctx.params
    if since >= 0:
        return shelf.info.seq > since
    if shelf.info.deleted and not params.get("showDeleted"):
        return False
    least = params.get("minAccessRole")
    if least is not None and ROLES.index(role) < ROLES.index(least):
        return False
    hidden = shelf.info.views.get(ctx.account, {}).get("hidden")
    return not hidden or bool(params.get("showHidden"))


def _calendar(shelf: Shelf) -> Json:
    info = shelf.info
    shown: Json = {
        "kind": "calendar#calendar",
        "etag": f'"c{info.seq}"',
        "id": info.id,
        "summary": info.summary,
        "timeZone": info.zone,
        "conferenceProperties": {"allowedConferenceSolutionTypes": ["hangoutsMeet"]},
    }
    for name in ("description", "location"):
        if getattr(info, name):
            shown[name] = getattr(info, name)
    if not info.primary:
        shown["dataOwner"] = info.owner
    return shown


def _entry(shelf: Shelf, role: str, account: str) -> Json:
    info = shelf.info
    shown = {
        **_calendar(shelf),
        "kind": "calendar#calendarListEntry",
        "colorId": "14",
        "backgroundColor": "#9fe1e7",
        "foregroundColor": "#000000",
        "accessRole": role,
        **info.views.get(account, {}),
    }
    if info.deleted:
        shown["deleted"] = True
    if account == info.id:
        shown |= {"primary": True, "selected": True}
        shown.setdefault("defaultReminders", DEFAULT_REMINDERS)
    if not shown.get("defaultReminders"):
        shown.pop("defaultReminders", None)
    return shown
