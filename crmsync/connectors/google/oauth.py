"""OAuth 2.0 and OpenID Connect with Google (AUTH-1 … AUTH-5, contract section 3).

oauthlib builds requests and reads answers; our transport carries them. Nothing is
kept here between the start and the callback: state, nonce and verifier are the
caller's to store.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import orjson
from oauthlib.oauth2 import MissingTokenError, OAuth2Error, WebApplicationClient

from crmsync.connectors.google.faults import GoogleJudge
from crmsync.connectors.google.idtoken import IdTokens
from crmsync.connectors.google.service import GoogleEndpoints
from crmsync.connectors.google.tokens import Grant
from crmsync.connectors.transport import (
    FINE,
    Again,
    Answer,
    Call,
    Transport,
    Verdict,
    redact,
    retry_after,
)
from crmsync.errors import (
    ConfigError,
    CrmSyncError,
    PermissionMissing,
    ProtocolBroken,
    ProviderDown,
    RateLimited,
    ReconnectNeeded,
    UsageError,
)
from crmsync.ports import Clock

_PREFIX = "https://www.googleapis.com/auth/"
IDENTITY = ("openid", f"{_PREFIX}userinfo.email", f"{_PREFIX}userinfo.profile")
CONTACTS = f"{_PREFIX}contacts"
CALENDAR = f"{_PREFIX}calendar.events"
CALENDAR_LIST = f"{_PREFIX}calendar.calendarlist.readonly"
TASKS = f"{_PREFIX}tasks"
MAIL = f"{_PREFIX}gmail.modify"

SERVICE_SCOPES: Mapping[str, tuple[str, ...]] = {
    "google_sync": (*IDENTITY, CONTACTS, CALENDAR, CALENDAR_LIST, TASKS),
    "google_mail": (*IDENTITY, MAIL),
}
"""What each service asks for, and nothing more (AUTH-2)."""

KIND_SCOPES: Mapping[str, str] = {
    "contacts": CONTACTS,
    "calendar": CALENDAR,
    "tasks": TASKS,
    "mail": MAIL,
}
"""What each kind can not do without (AUTH-5)."""

_SPELLINGS = {"email": IDENTITY[1], "profile": IDENTITY[2]}
_WIDER: Mapping[str, frozenset[str]] = {
    CALENDAR: frozenset({f"{_PREFIX}calendar"}),
    CALENDAR_LIST: frozenset({f"{_PREFIX}calendar", f"{_PREFIX}calendar.readonly"}),
    MAIL: frozenset({"https://mail.google.com/"}),
}
_LASTING = {"access_type": "offline", "include_granted_scopes": "true"}
_PASSING = frozenset({"internal_failure", "server_error", "temporarily_unavailable"})
_OUR_FAULT = frozenset(
    {"invalid_client", "deleted_client", "unauthorized_client", "redirect_uri_mismatch"}
)


def normalise_scopes(scopes: str | Collection[str]) -> frozenset[str]:
    """Return scopes in their full spelling.

    >>> sorted(normalise_scopes("openid email"))
    ['https://www.googleapis.com/auth/userinfo.email', 'openid']
    """
    listed = scopes.split() if isinstance(scopes, str) else scopes
    return frozenset(_SPELLINGS.get(scope, scope) for scope in listed)


def is_granted(kind: str, granted: Collection[str]) -> bool:
    """Whether a kind may run with what was granted (AUTH-5)."""
    scope = KIND_SCOPES[kind]
    found = normalise_scopes(granted)
    return scope in found or not _WIDER.get(scope, frozenset()).isdisjoint(found)


@dataclass(frozen=True, slots=True)
class ConsentRequest:
    """What one walk through Google's consent page is made of.

    Attributes:
        scopes: what to ask for.
        redirect_uri: registered with Google, byte for byte.
        state, nonce, verifier: random, stored by the caller until the callback.
        login_hint: an address or subject to preselect, or "".
        has_refresh_token: one is stored, so consent need not be asked again.
        is_sign_in: who it is, is all that is asked; no lasting access.
    """

    scopes: tuple[str, ...]
    redirect_uri: str
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    login_hint: str = ""
    has_refresh_token: bool = False
    is_sign_in: bool = False


def new_verifier() -> str:
    """Return a random PKCE verifier of 96 characters (AUTH-4)."""
    verifier: str = WebApplicationClient("").create_code_verifier(96)
    return verifier


class OAuthClient:
    """Our OAuth client at Google, for one installation."""

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        *,
        endpoints: GoogleEndpoints,
        transport: Transport,
        clock: Clock,
    ):
        """Take the client's credentials.

        Raises:
            ConfigError: they are not configured.
        """
        if not client_id or not client_secret:
            raise ConfigError(
                "GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET are not configured. Set "
                "them to your OAuth client's; to try without one: crm-sync demo --stay"
            )
        self.id_tokens = IdTokens(transport, endpoints.certs, clock)
        self._client_id = client_id
        self._client_secret = client_secret
        self._endpoints = endpoints
        self._transport = transport
        self._clock = clock

    @property
    def token_address(self) -> str:
        """The token endpoint's address, for those who ask for its clock."""
        return self._endpoints.token

    def authorization_url(self, request: ConsentRequest) -> str:
        """Return where to send the browser: account chooser, then consent."""
        client = WebApplicationClient(self._client_id)
        challenge = client.create_code_challenge(request.verifier, "S256")
        prompt = ["select_account"]
        if not request.has_refresh_token and not request.is_sign_in:
            # Google gives a refresh token at the first consent only (3.3).
            prompt.append("consent")
        address = self._endpoints.auth
        secure = "https" + address.removeprefix("https").removeprefix("http")
        # oauthlib refuses plain http; `GoogleEndpoints` allows it on loopback only.
        url: str = client.prepare_request_uri(
            secure,
            redirect_uri=request.redirect_uri,
            scope=list(request.scopes),
            state=request.state,
            code_challenge=challenge,
            code_challenge_method="S256",
            **({"access_type": "online"} if request.is_sign_in else _LASTING),
            prompt=" ".join(prompt),
            nonce=request.nonce,
            login_hint=request.login_hint,
        )
        return url if address.startswith("https") else "http" + url[len("https") :]

    def exchange(self, code: str, request: ConsentRequest) -> Grant:
        """Turn the callback's code into a grant with verified claims.

        Raises:
            ReconnectNeeded: the code is used, too old or not ours.
            UsageError: the ID token is missing or refused.
            Retryable: Google can not be asked just now; the code may be used up.
        """
        client = WebApplicationClient(self._client_id)
        body = client.prepare_request_body(
            code=code,
            redirect_uri=request.redirect_uri,
            code_verifier=request.verifier,
            client_secret=self._client_secret,
        )
        whole = self._ask(client, body, is_repeatable=False)
        token = whole.get("id_token")
        if not isinstance(token, str):
            raise UsageError("Google's answer says nobody's identity.")
        claims = self.id_tokens.verify(token, [self._client_id], nonce=request.nonce)
        return self._grant(whole, claims)

    def refresh(self, grant: Grant) -> Grant:
        """Return the grant with a new access token; the refresh token is kept.

        Raises:
            ReconnectNeeded: it is revoked or expired (`invalid_grant`).
            Retryable: Google can not be asked just now.
        """
        client = WebApplicationClient(self._client_id)
        body = client.prepare_refresh_body(
            refresh_token=grant.refresh_token,
            client_id=self._client_id,
            client_secret=self._client_secret,
        )
        whole = self._ask(client, body, is_repeatable=True)
        return grant.after_refresh(self._grant(whole, {}))

    def revoke(self, token: str) -> None:
        """End a grant at Google; one that has ended already is no error.

        The whole grant of that user for our project ends with it (3.7).

        Raises:
            Retryable: Google can not be asked just now.
        """
        call = Call(
            "POST",
            self._endpoints.revoke,
            {"content-type": "application/x-www-form-urlencoded"},
            urlencode({"token": token}).encode(),
            api="oauth",
            is_repeatable=True,
        )
        answer = self._transport.send(call, _token_judge)
        if answer.status not in {200, 400}:
            raise ProtocolBroken(f"Google answered {answer.status} to a revocation.")

    def userinfo(self, access_token: str) -> Mapping[str, Any]:
        """Return the user's profile, e.g. `sub`, `email`, `email_verified`, `name`.

        Raises:
            ReconnectNeeded: the token is refused.
            Retryable: Google can not be asked just now.
        """
        headers = {
            "authorization": f"Bearer {access_token}",
            "accept": "application/json",
        }
        call = Call("GET", self._endpoints.userinfo, headers, api="oauth")
        whole = orjson.loads(self._transport.send(call, GoogleJudge()).body)
        if not isinstance(whole, dict):
            raise ProtocolBroken("Google's answer about the user is no object.")
        return whole

    def _ask(
        self, client: WebApplicationClient, body: str, *, is_repeatable: bool
    ) -> Mapping[str, Any]:
        """Post to the token endpoint and read the answer, whatever scopes it has."""
        call = Call(
            "POST",
            self._endpoints.token,
            {
                "content-type": "application/x-www-form-urlencoded",
                "accept": "application/json",
            },
            body.encode(),
            api="oauth",
            is_repeatable=is_repeatable,
        )
        answer = self._transport.send(call, _token_judge)
        try:
            # Without a scope to compare with, oauthlib accepts any: users untick some.
            found = client.parse_request_body_response(answer.body.decode(), scope=None)
        except MissingTokenError:
            raise ProtocolBroken("Google's answer holds no access token.") from None
        except OAuth2Error as error:
            raise _refusal(str(error.error), str(error.description or "")) from None
        except ValueError:
            raise ProtocolBroken(
                "Google's answer to a token request is no JSON."
            ) from (None)
        return dict(found)

    def _grant(self, whole: Mapping[str, Any], claims: Mapping[str, Any]) -> Grant:
        seconds = int(whole.get("expires_in") or 3600)
        return Grant(
            access_token=str(whole["access_token"]),
            expires_at=self._clock.now() + timedelta(seconds=seconds),
            refresh_token=whole.get("refresh_token") or None,
            scopes=normalise_scopes(whole.get("scope") or ()),
            claims=claims,
        )


def _token_judge(call: Call, answer: Answer) -> Verdict:
    """Repeat what passes by itself; leave refusals, which are JSON, to oauthlib."""
    if answer.status < 400:
        return FINE
    code = _error_code(answer)
    message = f"{call.place} answered {answer.status} {code}.".replace(" .", ".")
    if answer.status == 429:
        wait = retry_after(answer, datetime.now(UTC))
        return Verdict(RateLimited(message, retry_after=wait), Again.ALWAYS)
    if answer.status >= 500 or answer.status == 408 or code in _PASSING:
        return Verdict(ProviderDown(message), Again.UNLESS_WRITTEN)
    return (
        FINE if answer.status in {400, 401, 403} else Verdict(ProtocolBroken(message))
    )


def _error_code(answer: Answer) -> str:
    try:
        whole = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return ""
    found = whole.get("error") if isinstance(whole, dict) else None
    return found if isinstance(found, str) else ""


def _refusal(code: str, description: str) -> CrmSyncError:
    """Return the error for an OAuth error code (contract, 3.6)."""
    sentence = redact(f"Google refused: {code} {description}".strip())[:300]
    if code in _PASSING:
        return ProviderDown(sentence)
    if code in _OUR_FAULT:
        step = "Check GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET and the redirect URI."
        return ConfigError(sentence, next_step=step)
    if code in {"invalid_scope", "admin_policy_enforced", "access_denied"}:
        return PermissionMissing(sentence)
    return ReconnectNeeded(sentence)
