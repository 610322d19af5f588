"""The user's own hand in Google Calendar: edits that come from no API client."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from sandbox.errors import bad_request
from sandbox.events import lists
from sandbox.events.change import change, create, delete
from sandbox.events.context import Context
from sandbox.events.copies import with_answer
from sandbox.events.instances import expanded, look_up, span
from sandbox.events.model import Event
from sandbox.events.normalise import own_fields, shared_fields, without_nulls
from sandbox.events.reads import shown
from sandbox.events.render import own_address
from sandbox.events.split import split
from sandbox.events.writes import patched
from sandbox.legacy import invalid, not_found
from sandbox.messages import Json, Request

if TYPE_CHECKING:
    from sandbox.app import Sandbox

Query = dict[str, str]


class EventsHand:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._events = sandbox.events

    # ------------------------------------------------------------ events

    def list(self, query: Query, _body: Json) -> Json:
        """All events of a calendar as stored; `expand=true` gives occurrences."""
        with self._events.desk.turn():
            ctx = self._context(query)
            stored = sorted(ctx.shelf.live(), key=lambda e: span(e, ctx.shelf)[0])
            if query.get("deleted") == "true":
                stored = list(ctx.shelf.events.values())
            if query.get("expand") == "true":
                stored = [e for event in stored for e in _occurrences(ctx, event)]
            return {"events": [shown(ctx, event) for event in stored]}

    def get(self, query: Query, _body: Json) -> Json:
        with self._events.desk.turn():
            ctx = self._context(query)
            return shown(ctx, self._find(ctx, query["id"]))

    def create(self, query: Query, body: Json) -> Json:
        """One event, or {"events": [...]}.

        Every type may be made; with an `organizer` who is somebody else it is an
        invitation from there.
        """
        with self._events.desk.turn():
            ctx = self._context(query)
            wanted = [self._checked(one) for one in body.get("events", [body])]
            drafts = [self._draft(ctx, one) for one in wanted]
            made = [create(ctx, self._events.copies, draft) for draft in drafts]
            return {"events": [shown(ctx, event) for event in made]}

    def edit(self, query: Query, body: Json) -> Json:
        """Merged as PATCH does it; `locked` may be set as well."""
        with self._events.desk.turn():
            ctx = self._context(query)
            event = self._find(ctx, query["id"])
            checked = self._checked(body)
            locked = checked.pop("locked", event.locked)
            if locked != event.locked:
                event = ctx.desk.put(replace(event, locked=False))
            made = patched(ctx, self._events.copies, event, checked)
            if locked:
                made = ctx.desk.put(replace(made, locked=True))
            return shown(ctx, made)

    def delete(self, query: Query, _body: Json) -> None:
        with self._events.desk.turn():
            ctx = self._context(query)
            delete(ctx, self._events.copies, self._find(ctx, query["id"]))

    def answer(self, query: Query, body: Json) -> Json:
        """Answer an invitation; `answer` is a responseStatus."""
        with self._events.desk.turn():
            ctx = self._context(query)
            event = self._find(ctx, query["id"])
            mine: Json = {"responseStatus": body["answer"]}
            if body.get("comment"):
                mine["comment"] = body["comment"]
            guests = with_answer(event.guests, own_address(event, ctx.shelf), mine)
            if guests == event.guests:
                raise invalid("You are no guest of this event, or it is your answer.")
            shared = {**event.shared, "attendees": guests}
            new = replace(event, shared=shared)
            return shown(ctx, change(ctx, self._events.copies, event, new))

    def move(self, query: Query, body: Json) -> Json:
        """Move an event or one occurrence: `start` and `end` as in a body."""
        return self.edit(query, {name: body[name] for name in ("start", "end")})

    def split(self, query: Query, body: Json) -> Json:
        """Split a series at an occurrence (`at`, its id); the rest is its edit."""
        with self._events.desk.turn():
            ctx = self._context(query)
            event = self._find(ctx, query["id"])
            at = self._find(ctx, body["at"])
            edit = self._checked({k: v for k, v in body.items() if k != "at"})
            made = split(ctx, self._events.copies, (event, at), edit)
            return shown(ctx, made)

    # ------------------------------------------------------------ calendars

    def calendars(self, query: Query, _body: Json) -> Json:
        with self._events.desk.turn():
            ctx = self._context(query)
            ctx.params = {"showHidden": True}
            listed = lists.list_calendars(ctx).get("items", [])
            return {"calendars": listed}

    def new_calendar(self, query: Query, body: Json) -> Json:
        with self._events.desk.turn():
            ctx = self._context(query)
            ctx.body = body
            return lists.insert_calendar(ctx)

    def edit_calendar(self, query: Query, body: Json) -> Json:
        """`timeZone`, `summary`, `description` of a calendar of one's own."""
        with self._events.desk.turn():
            ctx = self._context({**query, "calendar": query["id"]})
            ctx.body = body
            return lists.change_calendar(ctx)

    def share(self, query: Query, body: Json) -> Json:
        """Give `account` a `role`; "none" takes it away."""
        with self._events.desk.turn():
            ctx = self._context({**query, "calendar": query["id"]})
            lists.share(ctx.desk, ctx.shelf, body["account"], body["role"])
            return {"shares": ctx.shelf.info.shares}

    # ------------------------------------------------------------ helpers

    def _context(self, query: Query) -> Context:
        account = self._sandbox.accounts.get(query["email"])
        if account is None:
            raise not_found()
        desk = self._events.desk
        shelf, role = desk.find(account.email, query.get("calendar", "primary"))
        params: Json = {"sendUpdates": query.get("sendUpdates", "none")}
        request = Request("PATCH", "/_sandbox", "", {})
        return Context(
            desk, account.email, shelf, role, params, {}, request, is_hand=True
        )

    def _find(self, ctx: Context, key: str) -> Event:
        event = look_up(ctx.shelf, key)
        if event is None:
            raise not_found()
        return event

    def _checked(self, body: Json) -> Json:
        wrong: list[tuple[str, str]] = []
        api = self._sandbox.routes.apis["calendar/v3"]
        cleaned: Json = api.schemas.checker("Event")(body, "", wrong)
        if wrong:
            raise bad_request(wrong)
        return cleaned

    def _draft(self, ctx: Context, given: Json) -> Event:
        body = without_nulls(given)
        switches = ctx.desk.env.switches
        key = body.get("id") or secrets.token_hex(13)
        if key in ctx.shelf.events:
            raise invalid("The requested identifier already exists.")
        shared = shared_fields(body, switches)
        for name in ("conferenceData", "hangoutLink", "attachments"):
            if name in body:
                shared[name] = body[name]
        organizer = body.get("organizer") or {"email": ctx.shelf.id}
        organizer = {k: v for k, v in organizer.items() if k != "self"}
        return Event(
            calendar=ctx.shelf.id,
            id=key,
            uid=body.get("iCalUID") or f"{key}@google.com",
            shared=shared,
            own=own_fields(body, switches),
            organizer=organizer,
            creator=str(organizer["email"])
            if organizer["email"] != ctx.shelf.id
            else ctx.account,
            created=0.0,
            updated=0.0,
            sequence=body.get("sequence", 0),
            kind=body.get("eventType", "default"),
            locked=bool(body.get("locked")),
        )


def _occurrences(ctx: Context, event: Event) -> list[Event]:
    if event.is_series and not event.cancelled:
        return list(expanded(ctx.shelf, event, ctx.desk, (None, None)))
    return [] if event.is_instance else [event]
