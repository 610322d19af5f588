"""The authorisation page's steps, and the table of OAuth's other addresses."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable

from sandbox.accounts import Account, Accounts
from sandbox.clock import Clock
from sandbox.messages import Request, Response, json_response, redirect
from sandbox.oauth import pages, tokens
from sandbox.oauth.clients import Clients
from sandbox.oauth.errors import PageError
from sandbox.oauth.flow import Flow, read_flow
from sandbox.oauth.keys import Keys
from sandbox.oauth.state import Authority, Code
from sandbox.store import Store
from sandbox.switches import Switches

_FLOW_SECONDS = 3600.0


class OAuth:
    """The authorisation server of all accounts."""

    def __init__(
        self, clock: Clock, store: Store, switches: Switches, accounts: Accounts
    ) -> None:
        self.clock = clock
        self.switches = switches
        self.accounts = accounts
        self.clients = Clients()
        self.authority = Authority(clock, store, switches)
        self.keys = Keys(store)
        self.scopes: frozenset[str] = frozenset()
        self._flows: dict[str, Flow] = {}
        self._lock = threading.Lock()

    def routes(self) -> dict[tuple[str, str], Callable[[Request], Response]]:
        def info(newer: bool) -> Callable[[Request], Response]:
            return lambda r: tokens.tokeninfo(self, r, newer=newer)

        def user(openid: bool) -> Callable[[Request], Response]:
            return lambda r: tokens.userinfo(self, r, openid=openid)

        table: dict[tuple[str, str], Callable[[Request], Response]] = {
            ("GET", "/o/oauth2/v2/auth"): self.authorize,
            ("POST", "/o/oauth2/v2/auth"): self.decide,
            ("POST", "/token"): lambda r: tokens.token_endpoint(self, r),
            ("POST", "/revoke"): lambda r: tokens.revoke_endpoint(self, r),
            ("GET", "/.well-known/openid-configuration"): tokens.configuration,
            ("GET", "/oauth2/v1/certs"): lambda _: _public(self.keys.certificates()),
            ("GET", "/oauth2/v3/certs"): lambda _: _public(self.keys.jwks()),
        }
        for method in ("GET", "POST"):
            table[method, "/tokeninfo"] = info(newer=True)
            table[method, "/oauth2/v2/tokeninfo"] = info(newer=False)
            table[method, "/v1/userinfo"] = user(openid=True)
        table["GET", "/oauth2/v2/userinfo"] = user(openid=False)
        table["GET", "/userinfo/v2/me"] = user(openid=False)
        return table

    # ------------------------------------------------------------ pages

    def authorize(self, request: Request) -> Response:
        """`GET /o/oauth2/v2/auth`: check, then choose an account, then consent."""
        try:
            flow = read_flow(request, self.clients, self.scopes, self.clock.now())
        except PageError as error:
            return pages.refusal(error)
        account = self._account_for(flow)
        if account is not None:
            request.account = account.email
            return self._with_account(self._keep(flow), flow, account)
        if "none" in flow.prompt:
            return redirect(flow.back({"error": "account_selection_required"}))
        return pages.chooser(self._keep(flow), flow, self.accounts.all())

    def decide(self, request: Request) -> Response:
        """The forms of our own pages: an account was chosen, or consent decided."""
        form = request.form_lists()
        flow_id = form.get("flow", [""])[-1]
        flow = self._flows.get(flow_id)
        if flow is None:
            return pages.refusal(
                PageError(400, "invalid_request", "This page is too old. Start again.")
            )
        decision = form.get("decision", [""])[-1]
        if decision == "cancel":
            self._flows.pop(flow_id, None)
            return redirect(flow.back({"error": "access_denied"}))
        account = self.accounts.get(form.get("account", [""])[-1])
        if account is None:
            return pages.chooser(flow_id, flow, self.accounts.all())
        request.account = account.email
        if decision == "allow":
            self._flows.pop(flow_id, None)
            return self._allow(flow, account, form.get("scope", []))
        return self._with_account(flow_id, flow, account)

    def _account_for(self, flow: Flow) -> Account | None:
        """Without a question: the hinted account, or the only one."""
        hinted = self.accounts.by_hint(flow.hint) if flow.hint else None
        accounts = self.accounts.all()
        if self.switches.consent == "auto":
            return hinted or (accounts[0] if accounts else None)
        if "select_account" in flow.prompt:
            return None
        if hinted is None and not flow.hint and len(accounts) == 1:
            return accounts[0]
        return hinted

    def _with_account(self, flow_id: str, flow: Flow, account: Account) -> Response:
        had = self.authority.granted(account.email, flow.client.project)
        known = set(flow.scopes) <= set(had)
        if known and "consent" not in flow.prompt:
            return self._finish(flow, account, flow.scopes, consented=False)
        if "none" in flow.prompt:
            return redirect(flow.back({"error": "interaction_required"}))
        if self.switches.consent == "auto":
            return self._allow(flow, account, flow.boxes)
        return pages.consent(flow_id, flow, account, had)

    def _allow(self, flow: Flow, account: Account, ticked: list[str]) -> Response:
        scopes = flow.chosen(ticked)
        if not scopes:
            return redirect(flow.back({"error": "access_denied"}))
        return self._finish(flow, account, scopes, consented=True)

    def _finish(
        self, flow: Flow, account: Account, scopes: list[str], *, consented: bool
    ) -> Response:
        """The code; a refresh token goes with it only after a consent (3.2)."""
        project = flow.client.project
        grant = self.authority.grant(account.email, project, scopes)
        if flow.include_granted:
            scopes = list(dict.fromkeys([*scopes, *grant.scopes]))
        code = self.authority.issue_code(
            Code(
                client=flow.client.id,
                account=account.email,
                scopes=tuple(scopes),
                redirect=flow.redirect,
                expires=self.clock.now() + self.switches.code_seconds,
                offline=flow.offline and consented,
                challenge=flow.challenge,
                challenge_method=flow.challenge_method,
                nonce=flow.nonce,
            )
        )
        values = {"code": code}
        if self.switches.scope_in_callback:
            values |= {"scope": " ".join(scopes), "authuser": "0"}
            if account.domain:
                values["hd"] = account.domain
            values["prompt"] = "consent" if consented else "none"
        return redirect(flow.back(values))

    def _keep(self, flow: Flow) -> str:
        key = secrets.token_urlsafe(24)
        oldest = self.clock.now() - _FLOW_SECONDS
        with self._lock:
            for old in [k for k, f in self._flows.items() if f.started < oldest]:
                del self._flows[old]
            self._flows[key] = flow
        return key


def _public(value: object) -> Response:
    response = json_response(value)
    response.headers.append(("Cache-Control", "public, max-age=3600, must-revalidate"))
    return response
