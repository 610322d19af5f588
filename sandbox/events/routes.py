"""Which method of the Calendar API is which function, and who may call it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from sandbox.errors import missing_scope
from sandbox.events import feed, lists, reads, writes
from sandbox.events.channels import Channels
from sandbox.events.context import Context
from sandbox.events.copies import Copies
from sandbox.events.errors import conflict
from sandbox.events.paging import Pages
from sandbox.events.quotas import Quotas
from sandbox.events.state import Desk, Env, Shelf
from sandbox.legacy import not_found
from sandbox.messages import Json, Request, Response

if TYPE_CHECKING:
    from sandbox.discovery import Method

Handler = Callable[[Context], "Json | Response"]

_SCOPE = "https://www.googleapis.com/auth/calendar"
_OWN_ONLY = {f"{_SCOPE}.events.owned", f"{_SCOPE}.events.owned.readonly"}
_MADE_ONLY = f"{_SCOPE}.app.created"
_NARROW = _OWN_ONLY | {
    _MADE_ONLY,
    f"{_SCOPE}.events.freebusy",
    f"{_SCOPE}.events.public.readonly",
}


class Events:
    """The Calendar API of all accounts."""

    def __init__(self, env: Env) -> None:
        self.desk = Desk(env)
        self.copies = Copies(self.desk)
        self.quotas = Quotas(env.clock, env.switches)
        self.pages = Pages()
        self.channels = Channels(self.desk)
        self._table = _table(self.pages, self.copies)
        self._table["calendar.events.watch"] = self.channels.watch
        self._table["calendar.channels.stop"] = self.channels.stop

    def handles(self, method_id: str) -> bool:
        return method_id in self._table

    def call(
        self,
        method: Method,
        request: Request,
        caller: tuple[str, str, frozenset[str]],
        given: tuple[Json, Json],
    ) -> Json | Response:
        """Run one method for one account (`caller`: account, project, scopes).

        Raises:
            ApiError: the refusal, in Google's words.
        """
        account, project, scopes = caller
        params, body = given
        self.quotas.spend(project, account, method.id)
        with self.desk.turn():
            shelf, role = self._place(account, params)
            ctx = Context(
                desk=self.desk,
                account=account,
                shelf=shelf,
                role=role,
                params=params,
                body=body,
                request=request,
                project=project,
                method=method.id,
            )
            _check_narrow(method, ctx, scopes)
            self._check_siblings(request, params)
            if method.id.endswith((".insert", ".import")):
                self._check_budget(ctx)
            return self._table[method.id](ctx)

    def _place(self, account: str, params: Json) -> tuple[Shelf, str]:
        return self.desk.find(account, params.get("calendarId", "primary"))

    def _check_siblings(self, request: Request, params: Json) -> None:
        """Two parts of one batch that write the same event are in conflict (1.3)."""
        if not request.in_batch or request.method == "GET" or "eventId" not in params:
            return
        if not self.desk.env.switches.batch_conflicts:
            return
        key = f"{params['calendarId']} {params['eventId']}"
        if key in request.siblings:
            raise conflict()
        request.siblings.add(key)

    def _check_budget(self, ctx: Context) -> None:
        self.quotas.spend_budget(ctx.account, "creations", 1)
        accounts = self.desk.env.accounts
        guests = [str(g.get("email", "")) for g in ctx.body.get("attendees") or ()]
        strangers = [g for g in guests if accounts.get(g) is None]
        if ctx.send_updates != "none":
            self.quotas.spend_budget(ctx.account, "invitations", len(strangers))


def _table(pages: Pages, copies: Copies) -> dict[str, Handler]:
    table: dict[str, Handler] = {
        "calendarList.list": lists.list_calendars,
        "calendarList.get": lists.get_entry,
        "calendarList.patch": lists.change_entry,
        "calendarList.update": lists.change_entry,
        "calendars.get": lists.get_calendar,
        "calendars.insert": lists.insert_calendar,
        "calendars.patch": lists.change_calendar,
        "calendars.update": lists.change_calendar,
        "calendars.delete": lists.delete_calendar,
        "events.list": partial(feed.list_events, pages=pages),
        "events.instances": partial(feed.instances, pages=pages),
        "events.get": reads.get,
        "events.insert": partial(writes.insert, copies=copies),
        "events.update": partial(writes.update, copies=copies),
        "events.patch": partial(writes.patch, copies=copies),
        "events.delete": partial(writes.remove, copies=copies),
        "events.import": partial(writes.import_event, copies=copies),
        "events.move": partial(writes.move, copies=copies),
    }
    return {f"calendar.{name}": handler for name, handler in table.items()}


def _check_narrow(method: Method, ctx: Context, scopes: frozenset[str]) -> None:
    """Scopes that open only some calendars: owned ones, or those the client made.

    Raises:
        ApiError: 403; 404 for a calendar that the client did not make.
    """
    wide = (scopes & method.scopes) - _NARROW
    if wide or "calendarId" not in ctx.params:
        return
    if scopes & _OWN_ONLY & method.scopes and ctx.role == "owner":
        return
    made_by = ctx.shelf.info.project
    if _MADE_ONLY in scopes and made_by and made_by == ctx.project:
        return
    if _MADE_ONLY in scopes:
        raise not_found()
    raise missing_scope(method.service, method.rpc)
