"""Accounts, journal, faults, switches, clock and revocations (README.md lists them)."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

import orjson

from sandbox.control.hand import Hand
from sandbox.control.hand_events import EventsHand
from sandbox.control.hand_mail import MailHand
from sandbox.control.hand_tasks import TasksHand
from sandbox.control.panel import Panel
from sandbox.control.panel_days import DaysPanel
from sandbox.control.panel_mail import MailPanel
from sandbox.errors import ApiError, invalid, not_found
from sandbox.load.ical import load_calendar
from sandbox.load.icalendar_text import is_icalendar
from sandbox.load.loader import load_text
from sandbox.load.mail import load_mail
from sandbox.messages import Json, Request, Response, json_response

if TYPE_CHECKING:
    from sandbox.app import Sandbox

Action = Callable[[dict[str, str], Json], Any]

_ACCOUNT = r"/accounts/(?P<email>[^/]+)"


class Control:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._hand = Hand(sandbox)
        self._events = EventsHand(sandbox)
        self._tasks = TasksHand(sandbox)
        self._mail = MailHand(sandbox)
        self._panel = Panel(sandbox, self._hand)
        self._days = DaysPanel(sandbox, self._events, self._tasks)
        self._letters = MailPanel(self._mail)
        self._table = [
            (method, re.compile("/_sandbox" + path), action)
            for method, path, action in [
                *self._general(),
                *self._by_account(),
                *self._calendar_table(),
                *self._tasks_table(),
                *self._mail_table(),
            ]
        ]

    def handle(self, request: Request) -> Response:
        for panel in (self._days, self._letters, self._panel):
            shown = panel.handle(request)
            if shown is not None:
                return shown
        path = unquote(request.path)
        for method, pattern, action in self._table:
            match = pattern.fullmatch(path)
            if match and method == request.method:
                return self._run(action, request, match.groupdict())
        return json_response({"error": "no such address of the sandbox"}, 404)

    def _run(self, action: Action, request: Request, names: dict[str, str]) -> Response:
        given = dict(parse_qsl(request.query, keep_blank_values=True)) | names
        try:
            answer = action(given, _json_object(request.body))
        except ApiError as error:
            return json_response({"error": error.message}, error.code)
        except (ValueError, KeyError, TypeError, re.error) as error:
            return json_response({"error": f"{type(error).__name__}: {error}"}, 400)
        return json_response({} if answer is None else answer)

    # ------------------------------------------------------------ table

    def _general(self) -> list[tuple[str, str, Action]]:
        box = self._sandbox
        return [
            ("GET", "", self._status),
            ("GET", "/accounts", self._accounts),
            ("POST", "/accounts", self._new_account),
            ("POST", "/profiles", self._new_profile),
            ("GET", "/clients", self._clients),
            ("POST", "/clients", self._new_client),
            ("POST", "/token", self._mint),
            ("GET", "/grants", lambda _q, _b: {"grants": box.oauth.authority.grants()}),
            ("GET", "/log", lambda q, _: {"requests": box.journal.find(q)}),
            ("DELETE", "/log", lambda _q, _b: box.journal.clear()),
            ("GET", "/faults", lambda _q, _b: {"faults": box.faults.list()}),
            ("POST", "/faults", lambda _, b: box.faults.add(b)),
            ("DELETE", "/faults", lambda _q, _b: {"cleared": box.faults.clear()}),
            (
                "DELETE",
                r"/faults/(?P<id>\d+)",
                lambda q, _: {"cleared": box.faults.clear(int(q["id"]))},
            ),
            ("GET", "/switches", lambda _q, _b: box.switches.as_dict()),
            ("PUT", "/switches", self._set_switches),
            ("GET", "/clock", self._clock),
            ("POST", "/clock", self._advance),
            ("POST", "/revoke", self._revoke),
            ("POST", "/password", self._password),
            ("POST", "/reauth", self._reauth),
            ("POST", "/expire", self._expire),
            ("POST", "/settle", self._settle),
            ("POST", "/keys/rotate", lambda _q, _b: {"kid": box.oauth.keys.rotate()}),
            ("POST", "/quotas/reset", self._reset_quotas),
            ("GET", "/channels", lambda _q, _b: box.events.channels.list()),
            ("GET", "/notifications", self._notifications),
            ("DELETE", "/notifications", self._forget_notifications),
        ]

    def _by_account(self) -> list[tuple[str, str, Action]]:
        hand, people, groups = self._hand, _ACCOUNT + "/people", _ACCOUNT + "/groups"
        one, group = people + "/(?P<id>[^/]+)", groups + "/(?P<id>[^/]+)"
        return [
            ("POST", _ACCOUNT + "/load", self._load),
            ("GET", people, hand.list),
            ("POST", people, hand.create),
            ("GET", one, hand.get),
            ("PATCH", one, hand.edit),
            ("PUT", one, hand.edit),
            ("DELETE", one, hand.delete),
            ("POST", one + "/(?P<what>[a-z]+)", hand.act),
            ("GET", groups, hand.groups),
            ("POST", groups, hand.create_group),
            ("PATCH", group, hand.rename_group),
            ("DELETE", group, hand.delete_group),
        ]

    def _calendar_table(self) -> list[tuple[str, str, Action]]:
        hand = self._events
        events, calendars = _ACCOUNT + "/events", _ACCOUNT + "/calendars"
        one, calendar = events + "/(?P<id>[^/]+)", calendars + "/(?P<id>[^/]+)"
        return [
            ("GET", events, hand.list),
            ("POST", events, hand.create),
            ("GET", one, hand.get),
            ("PATCH", one, hand.edit),
            ("DELETE", one, hand.delete),
            ("POST", one + "/answer", hand.answer),
            ("POST", one + "/move", hand.move),
            ("POST", one + "/split", hand.split),
            ("GET", calendars, hand.calendars),
            ("POST", calendars, hand.new_calendar),
            ("PATCH", calendar, hand.edit_calendar),
            ("POST", calendar + "/share", hand.share),
        ]

    def _tasks_table(self) -> list[tuple[str, str, Action]]:
        hand = self._tasks
        tasks, lists = _ACCOUNT + "/tasks", _ACCOUNT + "/tasklists"
        one, one_list = tasks + "/(?P<id>[^/]+)", lists + "/(?P<id>[^/]+)"
        return [
            ("GET", tasks, hand.list),
            ("POST", tasks, hand.create),
            ("POST", tasks + "/clear", hand.clear),
            ("GET", one, hand.get),
            ("PATCH", one, hand.edit),
            ("DELETE", one, hand.delete),
            ("POST", one + "/(?P<what>[a-z]+)", hand.act),
            ("GET", lists, hand.lists),
            ("POST", lists, hand.new_list),
            ("PATCH", one_list, hand.edit_list),
            ("DELETE", one_list, hand.delete_list),
        ]

    def _mail_table(self) -> list[tuple[str, str, Action]]:
        hand = self._mail
        mail, labels = _ACCOUNT + "/mail", _ACCOUNT + "/labels"
        one, label = mail + "/(?P<id>[^/]+)", labels + "/(?P<id>[^/]+)"
        return [
            ("GET", mail, hand.list),
            ("POST", mail, hand.deliver),
            ("GET", one, hand.get),
            ("DELETE", one, hand.delete),
            ("POST", one + "/open", hand.open),
            ("POST", one + "/(?P<what>[a-z]+)", hand.act),
            ("GET", labels, hand.labels),
            ("POST", labels, hand.new_label),
            ("PATCH", label, hand.edit_label),
            ("DELETE", label, hand.delete_label),
            ("PUT", _ACCOUNT + "/aliases", hand.set_aliases),
            ("GET", "/push", lambda _q, _b: hand.pushes()),
            ("POST", "/push", hand.subscribe),
            ("DELETE", "/push", lambda _q, _b: hand.unsubscribe()),
        ]

    # ------------------------------------------------------------ actions

    def _status(self, _query: dict[str, str], _body: Json) -> Json:
        box = self._sandbox
        return {
            "ready": True,
            "persistent": box.store.persistent,
            "accounts": [a.email for a in box.accounts.all()],
            "clients": [c.id for c in box.oauth.clients.all()],
        }

    def _accounts(self, _query: dict[str, str], _body: Json) -> Json:
        return {"accounts": [asdict(a) for a in self._sandbox.accounts.all()]}

    def _new_account(self, _query: dict[str, str], body: Json) -> Json:
        account = self._sandbox.accounts.ensure(body["email"], body.get("name", ""))
        return asdict(account)

    def _new_profile(self, _query: dict[str, str], body: Json) -> Json:
        profile = self._sandbox.accounts.add_profile(
            body["email"], body.get("given", ""), body.get("family", "")
        )
        return asdict(profile)

    def _clients(self, _query: dict[str, str], _body: Json) -> Json:
        return {"clients": [asdict(c) for c in self._sandbox.oauth.clients.all()]}

    def _new_client(self, _query: dict[str, str], body: Json) -> Json:
        client = self._sandbox.oauth.clients.register(
            body["id"], body["secret"], body["redirect"]
        )
        return asdict(client)

    def _mint(self, _query: dict[str, str], body: Json) -> Json:
        """Tokens as if the account had consented, for tests that are not about it."""
        oauth = self._sandbox.oauth
        account = self._account(body["account"])
        client = oauth.clients.get(body.get("client") or oauth.clients.all()[0].id)
        if client is None:
            raise not_found()
        scopes = tuple(body["scopes"])
        oauth.authority.grant(account, client.project, list(scopes))
        owner = (client.id, client.project, account, scopes)
        access = oauth.authority.issue_access(*owner)
        answer: Json = {"access_token": access, "scope": " ".join(scopes)}
        answer["expires_in"] = oauth.switches.access_token_seconds
        if body.get("refresh", True):
            answer["refresh_token"] = oauth.authority.issue_refresh(*owner)
        return answer

    def _set_switches(self, _query: dict[str, str], body: Json) -> Json:
        self._sandbox.switches.update(body)
        return self._sandbox.switches.as_dict()

    def _clock(self, _query: dict[str, str], _body: Json) -> Json:
        clock = self._sandbox.clock
        return {"now": clock.now(), "offset": clock.offset}

    def _advance(self, query: dict[str, str], body: Json) -> Json:
        self._sandbox.advance(float(body["advance"]))
        return self._clock(query, body)

    def _revoke(self, _query: dict[str, str], body: Json) -> Json:
        """The user removed our access in the account's settings."""
        account = self._account(body["account"])
        dead = self._sandbox.oauth.authority.drop(account, body.get("project"))
        return {"tokens": dead}

    def _password(self, _query: dict[str, str], body: Json) -> Json:
        account = self._account(body["account"])
        return {"tokens": self._sandbox.oauth.authority.password_changed(account)}

    def _reauth(self, _query: dict[str, str], body: Json) -> Json:
        """A session-length policy: invalid_grant with a subtype; "" ends it."""
        account = self._account(body["account"])
        subtype = body.get("subtype", "invalid_rapt")
        self._sandbox.oauth.authority.subtypes[account] = subtype
        return {"subtype": subtype}

    def _expire(self, _query: dict[str, str], body: Json) -> Json:
        """Access tokens, sync tokens or mail history given out so far end now."""
        if body["what"] == "access":
            count = self._sandbox.oauth.authority.expire_access(body.get("account"))
            return {"tokens": count}
        if body["what"] == "history":
            for email in self._emails(body):
                self._mail.expire_history(email)
            return {}
        if body["what"] != "sync":
            raise invalid("what is access, sync or history")
        desk = self._sandbox.events.desk
        for email in self._emails(body):
            self._sandbox.people.book(email).kill_tokens()
            with desk.turn():
                for shelf in list(desk.shelves.values()):
                    if shelf.info.owner == email:
                        desk.kill_tokens(shelf)
        return {}

    def _reset_quotas(self, _query: dict[str, str], _body: Json) -> None:
        self._sandbox.people.quotas.reset()
        self._sandbox.events.quotas.reset()
        self._sandbox.tasks.reset_quotas()
        self._sandbox.gmail.reset_quotas()

    def _notifications(self, query: dict[str, str], _body: Json) -> Json:
        """The mails that Google would have sent."""
        with self._sandbox.events.desk.turn():
            return {"notifications": self._sandbox.events.desk.mails.find(query)}

    def _forget_notifications(self, query: dict[str, str], _body: Json) -> Json:
        with self._sandbox.events.desk.turn():
            account = query.get("account")
            return {"forgotten": self._sandbox.events.desk.clear_mails(account)}

    def _settle(self, _query: dict[str, str], body: Json) -> None:
        for email in self._emails(body):
            book = self._sandbox.people.book(email)
            with book.lock:
                book.settle()
            board = self._sandbox.tasks.board(email)
            with board.turn():
                board.settle()
        with self._sandbox.events.desk.turn():
            self._sandbox.events.desk.settle()

    def _load(self, query: dict[str, str], body: Json) -> Json:
        """VCards into the contacts, iCalendar into the calendar and the tasks.

        Mail, an mbox or a single message, comes as `data` in base64.
        """
        account = self._account(query["email"])
        if "data" in body:
            data = base64.b64decode(body["data"])
            return load_mail(self._sandbox, account, data, body.get("label")).as_dict()
        text = body["text"]
        if is_icalendar(text):
            return load_calendar(self._sandbox, account, text.encode()).as_dict()
        book = self._sandbox.people.book(account)
        return load_text(book, text.encode(), body.get("label")).as_dict()

    def _emails(self, body: Json) -> list[str]:
        if body.get("account"):
            return [self._account(body["account"])]
        return [a.email for a in self._sandbox.accounts.all()]

    def _account(self, email: str) -> str:
        account = self._sandbox.accounts.get(email)
        if account is None:
            raise not_found()
        return account.email


def _json_object(data: bytes) -> Json:
    value = orjson.loads(data) if data else {}
    if not isinstance(value, dict):
        raise TypeError("the body is no JSON object")
    return value
