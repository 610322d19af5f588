"""Grants at rest, and access tokens in use."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet

from crmsync.connectors.google.adapter import GoogleHttp
from crmsync.connectors.google.people import PeopleApi
from crmsync.connectors.google.tokens import Grant, GrantTokens, TokenCipher
from crmsync.connectors.transport import Transport
from crmsync.errors import (
    ConfigError,
    CrmSyncError,
    ProtocolBroken,
    ProviderDown,
    ReconnectNeeded,
)
from tests.unit.connectors.conftest import FakeTime
from tests.unit.connectors.loopback import answer, serving

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def test_a_grant_survives_storing(time: FakeTime) -> None:
    given = Grant("a", time.now(), "r", frozenset({"s"}), {"sub": "1"})

    found = Grant.from_text(given.to_text())

    assert found == Grant("a", time.now(), "r", frozenset({"s"}))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"access_token": "a"}'])
def test_a_damaged_grant_asks_to_reconnect(text: str) -> None:
    with pytest.raises(ReconnectNeeded):
        Grant.from_text(text)


@pytest.mark.rule("AUTH-6")
def test_keys_rotate_without_losing_a_token() -> None:
    stored = TokenCipher([OLD]).encrypt("s3cret")
    both = TokenCipher([NEW, OLD])

    rotated = both.rotate(stored)

    assert "s3cret" not in stored
    assert both.decrypt(stored) == "s3cret"
    assert TokenCipher([NEW]).decrypt(rotated) == "s3cret"


@pytest.mark.rule("AUTH-6")
def test_a_wrong_key_says_what_to_do() -> None:
    stored = TokenCipher([OLD]).encrypt("s3cret")

    for attempt in (TokenCipher([NEW]).decrypt, TokenCipher([NEW]).rotate):
        with pytest.raises(ReconnectNeeded) as caught:
            attempt(stored)
        assert "TOKEN_KEYS" in caught.value.next_step


@pytest.mark.parametrize("keys", [[], ["short"], ["ä" * 44]])
def test_keys_that_are_none_are_a_configuration_error(keys: list[str]) -> None:
    with pytest.raises(ConfigError, match="TOKEN_KEYS"):
        TokenCipher(keys)


@dataclass
class Refresher:
    """Hands out numbered tokens, or fails."""

    time: FakeTime
    error: CrmSyncError | None = None
    count: int = 0

    def refresh(self, grant: Grant) -> Grant:
        if self.error is not None:
            raise self.error
        self.count += 1
        return Grant(f"a{self.count}", self.time.now() + timedelta(hours=1))


@dataclass
class Holder:
    time: FakeTime
    minutes: float = 60
    refresh_token: str | None = "r"
    stored: list[Grant] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.refresher = Refresher(self.time)
        grant = Grant(
            "a0",
            self.time.now() + timedelta(minutes=self.minutes),
            self.refresh_token,
            frozenset({"s"}),
        )
        self.tokens = GrantTokens(
            grant, self.refresher, store=self.stored.append, clock=self.time
        )


def test_a_fresh_token_is_used_as_it_is(time: FakeTime) -> None:
    holder = Holder(time)

    assert [holder.tokens.token(), holder.tokens.token()] == ["a0", "a0"]
    assert holder.stored == []


def test_a_token_is_renewed_before_it_ends_and_stored(time: FakeTime) -> None:
    holder = Holder(time, minutes=3)

    assert holder.tokens.token() == "a1"
    assert [g.refresh_token for g in holder.stored] == ["r"]
    assert holder.stored[0].scopes == {"s"}


def test_a_token_that_still_lives_serves_while_google_is_down(time: FakeTime) -> None:
    holder = Holder(time, minutes=3)
    holder.refresher.error = ProviderDown("down")

    assert holder.tokens.token() == "a0"
    time.pass_by(minutes=3)
    with pytest.raises(ProviderDown):
        holder.tokens.token()


def test_a_refused_token_is_renewed_once_for_all(time: FakeTime) -> None:
    holder = Holder(time)

    assert holder.tokens.renewed("a0") == "a1"
    assert holder.tokens.renewed("a0") == "a1"


@pytest.mark.rule("AUTH-7")
def test_without_a_refresh_token_the_user_has_to_reconnect(time: FakeTime) -> None:
    holder = Holder(time, minutes=0, refresh_token=None)

    with pytest.raises(ReconnectNeeded):
        holder.tokens.token()


# ------------------------------------------------------------------ adapter


def http(transport: Transport, holder: Holder) -> GoogleHttp:
    return GoogleHttp(transport, holder.tokens, api="people")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_401_is_answered_with_a_new_token_and_one_repeat(
    transport: Transport, time: FakeTime, method: str
) -> None:
    holder = Holder(time)
    with serving(answer(401), answer(200, {"a": 1})) as server:
        connection = http(transport, holder)
        response, body = connection.request(f"{server.url}/x", method, body="{}")

    assert (response.status, body) == (200, b'{"a":1}')
    sent = [seen.headers["authorization"] for seen in server.seen]
    assert sent == ["Bearer a0", "Bearer a1"]
    assert connection.counter.total == 2


@pytest.mark.rule("AUTH-7")
def test_a_second_401_asks_to_reconnect(transport: Transport, time: FakeTime) -> None:
    with serving(answer(401)) as server, pytest.raises(ReconnectNeeded):
        http(transport, Holder(time)).request(f"{server.url}/x", "POST", body=b"{}")

    assert len(server.seen) == 2


def test_the_library_s_requests_go_our_way(
    transport: Transport, time: FakeTime
) -> None:
    with serving(answer(200, {"responses": []}), answer(200, [1])) as server:
        connection = http(transport, Holder(time))
        api = PeopleApi(connection, f"{server.url}/")
        found = api.batch_get([f"people/c{n}" * 3 for n in range(200)], "names")
        with pytest.raises(ProtocolBroken):
            api.get("people/c1", "names")
        connection.close()

    assert found == {"responses": []}
    # A long GET travels as POST, with the query as its body.
    assert server.seen[0].method == "POST"
    assert server.seen[0].headers["x-http-method-override"] == "GET"
    assert b"resourceNames=" in server.seen[0].body
    assert server.seen[1].target.startswith("/v1/people/c1?")
