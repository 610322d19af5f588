"""Consent, refresh and revocation against the sandbox's pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from crmsync.connectors.google.adapter import GoogleHttp
from crmsync.connectors.google.contacts import GoogleContacts
from crmsync.connectors.google.oauth import (
    CONTACTS,
    SERVICE_SCOPES,
    TASKS,
    ConsentRequest,
    OAuthClient,
    is_granted,
    new_verifier,
)
from crmsync.connectors.google.service import GoogleEndpoints
from crmsync.connectors.google.tokens import Grant, GrantTokens
from crmsync.connectors.transport import Transport
from crmsync.errors import ReconnectNeeded
from tests.integration.google.conftest import TABLE, Shifted
from tests.sandbox.harness import (
    CALLBACK,
    CLIENT_ID,
    CLIENT_SECRET,
    SandboxServer,
)


@dataclass
class Person:
    """Somebody at the consent page."""

    box: SandboxServer
    transport: Transport
    clock: Shifted
    email: str = "walker@x.example"
    stored: list[Grant] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.box.account(self.email)
        self.endpoints = GoogleEndpoints.from_root(self.box.url)
        self.oauth = OAuthClient(
            CLIENT_ID,
            CLIENT_SECRET,
            endpoints=self.endpoints,
            transport=self.transport,
            clock=self.clock,
        )

    def walk(self, *ticked: str, knows: bool = False) -> Grant:
        request = ConsentRequest(
            SERVICE_SCOPES["google_sync"],
            CALLBACK,
            state="s0",
            nonce="n0",
            verifier=new_verifier(),
            login_hint=self.email,
            has_refresh_token=knows,
        )
        address = self.oauth.authorization_url(request)
        found = self.box.consent(address, self.email, ticked or None)
        assert found["state"] == "s0"
        return self.oauth.exchange(found["code"], request)

    def side(self, grant: Grant) -> GoogleContacts:
        tokens = GrantTokens(
            grant, self.oauth, store=self.stored.append, clock=self.clock
        )
        http = GoogleHttp(self.transport, tokens, api="people")
        return GoogleContacts(
            http, self.endpoints.people, table=TABLE, clock=self.clock
        )


@pytest.fixture
def person(box: SandboxServer, transport: Transport, clock: Shifted) -> Person:
    return Person(box, transport, clock)


@pytest.mark.rule("AUTH-3", "AUTH-4")
def test_a_walk_through_consent_gives_a_grant(person: Person) -> None:
    grant = person.walk()

    assert grant.refresh_token
    assert grant.claims["email"] == person.email
    assert all(is_granted(k, grant.scopes) for k in ("contacts", "calendar", "tasks"))
    assert person.oauth.userinfo(grant.access_token)["email"] == person.email


@pytest.mark.rule("AUTH-5")
def test_an_unticked_box_withholds_one_kind_only(person: Person) -> None:
    person.oauth.revoke(person.walk().refresh_token or "")

    grant = person.walk(CONTACTS)

    assert is_granted("contacts", grant.scopes)
    assert TASKS not in grant.scopes


def test_an_access_token_that_ended_is_renewed_unseen(person: Person) -> None:
    side = person.side(person.walk())
    person.box.expire_access_tokens(person.email)

    side.open({}, verify=True, may_write=True)

    assert len(person.stored) == 1
    assert person.stored[0].refresh_token


def test_a_token_is_renewed_before_google_refuses_it(
    person: Person, clock: Shifted
) -> None:
    side = person.side(person.walk())
    clock.by += timedelta(minutes=58)

    side.open({}, verify=True, may_write=True)

    assert len(person.stored) == 1


@pytest.mark.rule("AUTH-7")
def test_a_revoked_grant_asks_to_reconnect(person: Person) -> None:
    grant = person.walk()
    side = person.side(grant)
    person.oauth.revoke(grant.refresh_token or "")
    person.oauth.revoke(grant.refresh_token or "")

    with pytest.raises(ReconnectNeeded):
        side.open({}, verify=True, may_write=True)
    with pytest.raises(ReconnectNeeded):
        person.oauth.refresh(grant)
