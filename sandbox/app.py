"""The sandbox as one object: it takes requests and gives answers, without sockets."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sandbox import batch
from sandbox.accounts import Accounts
from sandbox.clock import Clock
from sandbox.control.routes import Control
from sandbox.discovery import (
    Api,
    Method,
    Routes,
    check_body,
    check_query,
    check_selection,
    known_scopes,
    overridden,
)
from sandbox.errors import ApiError, invalid, missing_scope, page
from sandbox.events.routes import Events
from sandbox.events.state import Env as EventsEnv
from sandbox.faults import AFTER, Faults, proxy_page, status_error
from sandbox.gmail.errors import as_gmail
from sandbox.gmail.routes import Gmail
from sandbox.gmail.state import Env as GmailEnv
from sandbox.journal import Entry, Journal
from sandbox.legacy import as_legacy
from sandbox.messages import Json, Request, Response, json_response
from sandbox.oauth.routes import OAuth
from sandbox.oauth.state import Token
from sandbox.oauth.tokens import authenticate, bearer
from sandbox.partial import BadSelection, parse, select
from sandbox.people.context import Context
from sandbox.people.routes import People
from sandbox.people.state import Env
from sandbox.store import Store
from sandbox.switches import Switches
from sandbox.tasks.routes import Tasks
from sandbox.tasks.state import Env as TasksEnv

_SECRET = re.compile(r"((?:access_token|oauth_token|token)=)[^&]*")
_BATCH = re.compile(r"/batch(?:/([a-z0-9]+/v\d+))?\Z")
_META = "meta"
_SHAPES: dict[str, Callable[[ApiError], ApiError]] = {
    "calendar": as_legacy,
    "tasks": as_legacy,
    "gmail": as_gmail,
}


class Sandbox:
    def __init__(self, folder: Path | None = None) -> None:
        self.store = Store(folder)
        saved = {key: doc for _, key, doc in self.store.load(_META)}
        self.clock = Clock(saved.get("offset", 0.0))
        self.switches = Switches()
        self.journal = Journal()
        self.faults = Faults()
        self.accounts = Accounts(self.store)
        self.oauth = OAuth(self.clock, self.store, self.switches, self.accounts)
        self.oauth.scopes = known_scopes()
        env = Env(self.clock, self.store, self.switches, self.accounts.profile_of)
        self.people = People(env)
        self.events = Events(
            EventsEnv(self.clock, self.store, self.switches, self.accounts)
        )
        self.tasks = Tasks(TasksEnv(self.clock, self.store, self.switches))
        self.gmail = Gmail(
            GmailEnv(self.clock, self.store, self.switches, self.accounts),
            self.oauth.keys.sign,
        )
        served = (
            ("people", "v1"),
            ("oauth2", "v2"),
            ("calendar", "v3"),
            ("tasks", "v1"),
            ("gmail", "v1"),
        )
        self.routes = Routes([Api(*names) for names in served])
        self.control = Control(self)
        self._fixed = self.oauth.routes()

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.store.put([(_META, "", "offset", self.clock.offset)])

    def close(self) -> None:
        self.store.close()

    # ------------------------------------------------------------ serving

    def handle(self, request: Request) -> Response:
        """One request, or one part of a batch: faults, the answer, the journal."""
        if request.path.startswith("/_sandbox"):
            return self.control.handle(request)
        started = time.perf_counter()
        size = len(request.body)
        request = overridden(request)
        token = self.oauth.authority.access(bearer(request))
        request.account = token.account if token else None
        response = self._with_faults(request) if self.faults.active else None
        if response is None:
            response = self._route(request)
        self.journal.add(
            Entry(
                n=self.journal.next_number(),
                at=self.clock.now(),
                account=request.account,
                method=request.method,
                path=request.path,
                query=_SECRET.sub(r"\1…", request.query),
                route=request.route,
                status=0 if response.cut else response.status,
                ms=round((time.perf_counter() - started) * 1000, 2),
                bytes_in=size,
                bytes_out=len(response.body),
                batch=request.in_batch,
                fault=request.fault,
            )
        )
        return response

    def _with_faults(self, request: Request) -> Response | None:
        action = self.faults.pick(request)
        if action is None:
            return None
        kind = action["type"]
        seconds = float(action.get("seconds", 1.0 if kind == "delay" else 300.0))
        if kind == "delay":
            time.sleep(seconds)
            return None
        if kind == "status":
            return status_error(action, request.path).response()
        if kind == "html":
            return proxy_page(action)
        response = self._route(request) if kind in AFTER else Response()
        if request.in_batch:
            return status_error({"code": 503}, request.path).response()
        response.hold = seconds if kind.startswith("hang") else 0.0
        response.cut = "close" if "close" in kind or "hang" in kind else kind
        if response.cut == "reset_after":
            response.cut = "reset"
        return response

    def _route(self, request: Request) -> Response:
        fixed = self._fixed.get((request.method, request.path))
        found = self.routes.find(request.method, unquote(request.path))
        if fixed is not None:
            return self._call_fixed(request, fixed, found)
        if found is not None and self._handles(found[1].id):
            request.route = found[1].id
            return self._call(request, *found)
        if self._is_batch(request):
            request.route = "batch"
            is_calendar = request.path == "/batch/calendar/v3"
            most = self.switches.calendar_batch_parts if is_calendar else batch.LIMIT
            return batch.run(request, self.handle, most)
        text = f"The requested URL <code>{_escaped(request.path)}</code> was not found."
        return page(404, text)

    def _handles(self, method_id: str) -> bool:
        services = (self.people, self.events, self.tasks, self.gmail)
        return any(service.handles(method_id) for service in services)

    def _is_batch(self, request: Request) -> bool:
        """Exactly /batch or /batch/<api>/<version>; a batch holds no batch."""
        many = _BATCH.match(request.path)
        if many is None or request.method != "POST" or request.in_batch:
            return False
        return many[1] is None or many[1] in self.routes.apis

    def _call_fixed(
        self,
        request: Request,
        handler: Callable[[Request], Response],
        found: tuple[Api, Method, dict[str, str]] | None,
    ) -> Response:
        """OAuth's addresses; those in the oauth2 document get its checks."""
        if found is not None:
            request.route = found[1].id
            try:
                check_query(found[1], request)
            except ApiError as error:
                return error.response()
        return handler(request)

    def _call(
        self, request: Request, api: Api, method: Method, names: dict[str, str]
    ) -> Response:
        pretty = "prettyPrint=false" not in request.query
        try:
            return self._checked_call(request, api, method, (names, pretty))
        except ApiError as error:
            refusal = _SHAPES.get(api.name, _as_it_is)(error)
            return refusal.response(pretty=pretty)

    def _checked_call(
        self,
        request: Request,
        api: Api,
        method: Method,
        more: tuple[dict[str, str], bool],
    ) -> Response:
        """The order Google checks in: form, credential, scope, then the method."""
        names, pretty = more
        params: Json = check_query(method, request) | names
        body = check_body(method, request)
        tree = _selection(api, method, params)
        token = authenticate(self.oauth, request, method.service, method.rpc)
        scopes = frozenset(token.scopes)
        if method.scopes and not scopes & method.scopes:
            raise missing_scope(method.service, method.rpc)
        answer: Any
        services = (self.events, self.tasks, self.gmail)
        service = next((s for s in services if s.handles(method.id)), None)
        if service is not None:
            caller = (token.account, token.project, scopes)
            answer = service.call(method, request, caller, (params, body))
        else:
            shape = (pretty, tree is not None)
            answer = self._people_call(request, method, (token, params, body), shape)
        if isinstance(answer, Response):
            return answer
        if tree is not None:
            answer = select(answer, tree)
        return json_response(answer, pretty=pretty)

    def _people_call(
        self,
        request: Request,
        method: Method,
        given: tuple[Token, Json, Json],
        shape: tuple[bool, bool],
    ) -> Json:
        token, params, body = given
        account = self.accounts.get(token.account)
        context = Context(
            book=self.people.book(token.account),
            params=params,
            body=body,
            request=request,
            project=token.project,
            now=self.clock.now(),
            me=account.person() if account else {},
            pretty=shape[0],
            selected=shape[1],
        )
        return self.people.call(method, context, frozenset(token.scopes))


def _as_it_is(error: ApiError) -> ApiError:
    return error


def _selection(api: Api, method: Method, params: Json) -> Json | None:
    if params.get("alt", "json") != "json":
        raise invalid("Unsupported alt: only json is answered.")
    text = params.get("fields")
    if not text:
        return None
    try:
        tree = parse(text)
    except BadSelection:
        raise invalid(f"Invalid field selection {text}")
    check_selection(api, method, tree)
    return tree


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
