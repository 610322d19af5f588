"""One visit to the authorisation page, from its parameters to its code (3.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit, urlunsplit

from sandbox.messages import Request
from sandbox.oauth.clients import Client, Clients
from sandbox.oauth.errors import PageError
from sandbox.oauth.state import SIGN_IN, long_form

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}\Z")


@dataclass(slots=True)
class Flow:
    client: Client
    redirect: str
    scopes: list[str]
    state: str | None
    prompt: frozenset[str]
    hint: str
    offline: bool
    include_granted: bool
    challenge: str
    challenge_method: str
    nonce: str
    started: float

    @property
    def boxes(self) -> list[str]:
        """The scopes with a check-box: a single one has none (3.5)."""
        others = [scope for scope in self.scopes if scope not in SIGN_IN]
        return others if len(others) > 1 else []

    def chosen(self, ticked: list[str]) -> list[str]:
        """What Allow grants: everything without a box, and the ticked ones."""
        boxes = set(self.boxes)
        return [s for s in self.scopes if s not in boxes or s in ticked]

    def back(self, values: dict[str, str]) -> str:
        """The application's address with the outcome; `state` verbatim."""
        parts = urlsplit(self.redirect)
        pairs = {"state": self.state} if self.state is not None else {}
        query = urlencode({**pairs, **values})
        joined = f"{parts.query}&{query}" if parts.query else query
        return urlunsplit(parts._replace(query=joined))


def read_flow(
    request: Request, clients: Clients, known: frozenset[str], now: float
) -> Flow:
    """The parameters of `GET /o/oauth2/v2/auth`.

    Raises:
        PageError: what Google refuses on its own page, without a redirect.
    """
    given = {name: values[-1] for name, values in request.params().items()}
    client = _client(given, clients)
    redirect = _redirect(given, client)
    _check_response_type(given)
    scopes = _scopes(given, known)
    challenge, method = _challenge(given)
    prompt = frozenset(given.get("prompt", "").split())
    if prompt - {"none", "consent", "select_account"} or (
        "none" in prompt and len(prompt) > 1
    ):
        raise _invalid_request(f"Invalid parameter value for prompt: {given['prompt']}")
    if given.get("access_type", "online") not in ("online", "offline"):
        raise _invalid_request("Invalid parameter value for access_type")
    return Flow(
        client=client,
        redirect=redirect,
        scopes=scopes,
        state=given.get("state"),
        prompt=prompt,
        hint=given.get("login_hint", ""),
        offline=given.get("access_type") == "offline",
        include_granted=given.get("include_granted_scopes") == "true",
        challenge=challenge,
        challenge_method=method,
        nonce=given.get("nonce", ""),
        started=now,
    )


def _client(given: dict[str, str], clients: Clients) -> Client:
    if not given.get("client_id"):
        raise _missing("client_id")
    client = clients.get(given["client_id"])
    if client is None:
        raise PageError(401, "invalid_client", "The OAuth client was not found.")
    return client


def _redirect(given: dict[str, str], client: Client) -> str:
    redirect = given.get("redirect_uri", "")
    if not redirect:
        raise _missing("redirect_uri")
    if not client.allows(redirect):
        raise PageError(
            400,
            "redirect_uri_mismatch",
            f"The redirect URI in the request, {redirect}, does not match the ones "
            f"authorized for the OAuth client.",
        )
    return redirect


def _check_response_type(given: dict[str, str]) -> None:
    if "response_type" not in given:
        raise _missing("response_type")
    if given["response_type"] != "code":
        raise PageError(
            400,
            "unsupported_response_type",
            f"Invalid response_type: {given['response_type']}",
        )


def _scopes(given: dict[str, str], known: frozenset[str]) -> list[str]:
    wanted = given.get("scope", "").split()
    if not wanted:
        raise _missing("scope")
    unknown = [scope for scope in wanted if scope not in known]
    if unknown:
        raise PageError(
            400,
            "invalid_scope",
            f"Some requested scopes were invalid. {{invalid={unknown}}}",
        )
    return long_form(wanted)


def _challenge(given: dict[str, str]) -> tuple[str, str]:
    challenge = given.get("code_challenge", "")
    method = given.get("code_challenge_method", "plain" if challenge else "")
    if method not in ("", "plain", "S256"):
        raise _invalid_request(f"Invalid code_challenge_method: {method}")
    if challenge and not _VERIFIER.match(challenge):
        raise _invalid_request("Invalid code_challenge")
    if method and not challenge:
        raise _missing("code_challenge")
    return challenge, method


def _missing(name: str) -> PageError:
    return _invalid_request(f"Required parameter is missing: {name}")


def _invalid_request(sentence: str) -> PageError:
    return PageError(400, "invalid_request", sentence)
