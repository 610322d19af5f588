"""A second, minimal stand-in for Google's sign-in and People API, for tests.

It was written from the published contract alone and keeps other habits than any
other stand-in, wherever the contract leaves a choice.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from tests.standin.basics import Clock, Json, Refusal
from tests.standin.book import (
    MY_CONTACTS,
    READABLE,
    WRITABLE,
    Book,
    clean_fields,
    show_person,
)
from tests.standin.door import (
    Answer,
    Call,
    Door,
    Role,
    as_json,
    as_page,
    from_the_future,
)
from tests.standin.oauth import (
    KEY_ID,
    LONG,
    ROOT,
    OAuth,
    PageRefusal,
    TokenRefusal,
    certificate,
    key_set,
)
from tests.standin.paging import Expiry, Habits
from tests.standin.people import GROUP_FIELDS, People, find, the_only_write

ROLES: tuple[Role, ...] = ("everything", "oauth", "people")
PREFIX = "/some/proxy/"
READS = (ROOT + "contacts", ROOT + "contacts.readonly")
WRITES = (ROOT + "contacts",)
IDENTITY = ("openid", LONG["email"], LONG["profile"])
EVERYTHING = frozenset({"openid", LONG["email"], LONG["profile"], ROOT + "contacts"})
OAUTH_PATHS = {
    "/o/oauth2/v2/auth": "auth",
    "/o/oauth2/auth": "auth",
    "/token": "token",
    "/revoke": "revoke",
    "/oauth2/v1/certs": "pem",
    "/oauth2/v3/certs": "jwks",
    "/v1/userinfo": "userinfo",
    "/oauth2/v2/userinfo": "userinfo",
    "/oauth2/v3/userinfo": "userinfo",
    "/.well-known/openid-configuration": "configuration",
}
PRIVATE_PATHS = {
    "/door/ask": "auth",
    "/door/tokens": "token",
    "/door/forget": "revoke",
    "/door/keys": "keys",
    "/door/who": "userinfo",
}


class StandIn:
    """Google for the length of a `with`; all control is by its methods."""

    def __init__(
        self,
        accounts: Iterable[str] = ("x@y.example",),
        *,
        token_life: float = 3600,
        feed_delay: float = 0.0,
        page_cap: int = 37,
        write_seconds: float = 0.01,
        expired_as: Expiry = "FAILED_PRECONDITION",
        source_etag_passes: bool = False,
        pem_certs: bool = False,
        clock_ahead: float = 420.0,
        client_id: str | None = None,
        client_secret: str | None = None,
        redirect_uris: Iterable[str] | None = None,
        seed: int | None = None,
    ) -> None:
        self.lock = threading.RLock()
        self.accounts = list(accounts)
        self.clock = Clock(clock_ahead)
        self.pem_certs = pem_certs
        self.habits = Habits(
            page_cap, feed_delay, write_seconds, expired_as, source_etag_passes
        )
        self.oauth = OAuth(
            self.accounts,
            self.clock,
            token_life,
            client_id=client_id,
            client_secret=client_secret,
            redirect_uris=redirect_uris,
        )
        self.api = People(self.habits, self.clock)
        dice = random.Random(seed)
        self.books = {a: Book(a, self.clock, dice) for a in self.accounts}
        self.requests: list[tuple[str, str]] = []
        self.overlaps = 0
        self.crashes: list[BaseException] = []
        self._losses: list[str] = []
        self._failures: list[tuple[str, Answer]] = []

    def __enter__(self) -> Self:
        self._doors = [Door(self, r) for r in ROLES]
        self.url, door, people = (d.url for d in self._doors)
        self.auth_url = door + "/door/ask"
        self.token_url = door + "/door/tokens"
        self.revoke_url = door + "/door/forget"
        self.certs_url = door + "/door/keys"
        self.userinfo_url = door + "/door/who"
        self.people_root = people + PREFIX
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for door in self._doors:
            door.close()
        if self.crashes and error is None:
            raise AssertionError("The stand-in broke down.") from self.crashes[0]

    # --- answering
    def answer(self, call: Call) -> Answer | None:
        line = f"{call.method} {call.path}"
        with self.lock:
            self.requests.append((call.method, call.path))
            for failure in self._failures:
                if failure[0] in line:
                    self._failures.remove(failure)
                    return failure[1]
            lost = next((part for part in self._losses if part in line), None)
            if lost is not None:
                self._losses.remove(lost)
        answer = self._route(call)
        return None if lost is not None else answer

    def _route(self, call: Call) -> Answer:
        paths = PRIVATE_PATHS if call.role == "oauth" else OAUTH_PATHS
        if call.role != "people" and call.path in paths:
            with self.lock:
                return self._oauth(paths[call.path], call)
        root = {"everything": "/v1/", "people": PREFIX + "v1/"}.get(call.role)
        if root and call.path.startswith(root):
            return self._people(call, call.path.removeprefix(root))
        return as_page(404, "The requested address was not found on this server.")

    def _oauth(self, what: str, call: Call) -> Answer:
        try:
            return self._oauth_answer(what, call)
        except TokenRefusal as refusal:
            return as_json(refusal.code, refusal.body)
        except PageRefusal as refusal:
            return as_page(400, str(refusal))
        except Refusal as refusal:
            return as_json(refusal.code, refusal.body())

    def _oauth_answer(self, what: str, call: Call) -> Answer:
        if what == "auth":
            return Answer(302, headers={"Location": self.oauth.authorize(call.flat())})
        if what in {"token", "revoke"} and call.method != "POST":
            return as_page(405, "POST it.")
        if what == "token":
            return as_json(200, self.oauth.token(call.form()), Cache_Control="no-store")
        if what == "revoke":
            token = (call.flat() | call.form()).get("token", "")
            return as_json(200, self.oauth.revoke(token))
        if what == "userinfo":
            account = self.oauth.bearer(call.bearer, IDENTITY)
            return as_json(200, self.oauth.userinfo(account))
        if what == "configuration":
            return as_json(200, self._configuration())
        pem = what == "pem" or (what == "keys" and self.pem_certs)
        keys = {KEY_ID: certificate()} if pem else key_set()
        return as_json(200, keys, Cache_Control="public, max-age=61")

    def _configuration(self) -> Json:
        return {
            "issuer": "https://accounts.google.com",
            "authorization_endpoint": self.url + "/o/oauth2/v2/auth",
            "token_endpoint": self.url + "/token",
            "revocation_endpoint": self.url + "/revoke",
            "userinfo_endpoint": self.url + "/v1/userinfo",
            "jwks_uri": self.url + "/oauth2/v3/certs",
        }

    def _people(self, call: Call, path: str) -> Answer:
        try:
            with self.lock:
                scopes = READS if call.method == "GET" else WRITES
                book = self.books[self.oauth.bearer(call.bearer, scopes)]
                method, name = find(call.method, path)
                body = call.body()
            if call.method == "GET":
                with self.lock:
                    answer = method(self.api, book, name, call.query, body)
            else:
                with the_only_write(book, self.habits.write_seconds), self.lock:
                    answer = method(self.api, book, name, call.query, body)
        except Refusal as refusal:
            with self.lock:
                self.overlaps += refusal.code == 409 and refusal.status == "ABORTED"
            headers = (
                {"WWW_Authenticate": 'Bearer realm="people"'}
                if refusal.code == 401
                else {}
            )
            return as_json(refusal.code, refusal.body(), **headers)
        return as_json(200, from_the_future(answer))

    # --- control: the contacts
    def put(self, account: str, person: Json, labels: Iterable[str] = ()) -> str:
        """Create a contact as its owner would; labels are made as needed."""
        with self.lock:
            book = self.books[account]
            groups = book.memberships(person) or [MY_CONTACTS]
            groups += [book.group_called(label).name for label in labels]
            return book.create(clean_fields(person, WRITABLE), groups).name

    def edit(self, account: str, name: str, fields: Json) -> None:
        """Replace the given fields of a contact; None or [] clears one."""
        with self.lock:
            self._known(fields)
            self.books[account].change(name, clean_fields(fields, fields), fields)

    @staticmethod
    def _known(fields: Json) -> None:
        if unknown := set(fields) - WRITABLE | set(fields) & {"memberships"}:
            raise ValueError(f"Not fields to edit: {sorted(unknown)}")

    def remove(self, account: str, name: str) -> None:
        with self.lock:
            self.books[account].delete(name)

    def label(self, account: str, name: str, group_name: str) -> None:
        with self.lock:
            book = self.books[account]
            person, group = book.person(name), book.group_called(group_name).name
            book.change(name, {}, (), (*person.groups, group))

    def unlabel(self, account: str, name: str, group_name: str) -> None:
        """Take a label away; the last one gives way to My Contacts."""
        with self.lock:
            book = self.books[account]
            person, group = book.person(name), book.group_called(group_name).name
            left = [g for g in person.groups if g != group]
            book.change(name, {}, (), left or [MY_CONTACTS])

    def rename(self, account: str, name: str) -> str:
        """Give a contact a new resource name, as a verified address does."""
        with self.lock:
            return self.books[account].rename(name)

    def people(self, account: str) -> list[Json]:
        """Return the contacts that live now, with all fields."""
        with self.lock:
            persons = self.books[account].persons.values()
            return [show_person(person, READABLE) for person in persons]

    def groups(self, account: str) -> list[Json]:
        """Return all labels, those of the system too, with their members."""
        with self.lock:
            book = self.books[account]
            most = len(book.persons)
            return [
                book.show_group(g, GROUP_FIELDS, most) for g in book.groups.values()
            ]

    # --- control: the tokens and the time
    def tokens_for(
        self,
        account: str,
        scopes: Iterable[str] = EVERYTHING,
        client_id: str = "client",
    ) -> Json:
        """Return a token answer with a refresh token, without a browser."""
        with self.lock:
            wanted = frozenset(LONG.get(s, s) for s in scopes)
            self.oauth.granted[account, client_id] = wanted
            refresh = self.oauth.issue_refresh(account, client_id, wanted)
            answer = self.oauth.issue(account, client_id, wanted)
            return answer | {"refresh_token": refresh}

    def expire_sync_tokens(self) -> None:
        with self.lock:
            for token in self.api.sync_tokens.values():
                token.dead = True

    def expire_access_tokens(self) -> None:
        with self.lock:
            self.oauth.accesses.clear()

    def revoke(self, account: str) -> None:
        """Take all access back, as the user can: refreshing says invalid_grant."""
        with self.lock:
            self.oauth.end_grant(account)

    def withhold(self, *scopes: str) -> None:
        """Untick these scopes in every consent from now on."""
        with self.lock:
            self.oauth.withheld = frozenset(LONG.get(s, s) for s in scopes)

    def deny_next_consent(self) -> None:
        with self.lock:
            self.oauth.denials += 1

    def advance(self, seconds: float) -> None:
        """Let time pass for tokens, the feed's delay and the times of changes."""
        with self.lock:
            self.clock.moved += seconds

    # --- control: trouble on the line
    def lose_next_answer(self, path_part: str) -> None:
        """Carry the next such request out, then close without an answer.

        The part is looked for in "METHOD /path".
        """
        with self.lock:
            self._losses.append(path_part)

    def fail_next(
        self,
        path_part: str,
        status: int,
        body: Json | str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        """Answer the next such request with this, and carry nothing out."""
        answer = (
            as_page(status, body) if isinstance(body, str) else as_json(status, body)
        )
        answer.headers |= headers or {}
        with self.lock:
            self._failures.append((path_part, answer))
