"""One HTTP path for every provider (architecture, decision 5).

A write goes on the wire once: nothing below this module repeats a request by itself,
and this module repeats a write only when it certainly was not executed. Reads are
repeated with growing waits, within a small budget. It counts requests, measures the
provider's clock and lets no secret into logs or errors. It knows no provider.
"""

from __future__ import annotations

import random
import re
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import Enum
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import structlog
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    SSLError,
)

from crmsync.errors import (
    CrmSyncError,
    OutcomeUnknown,
    ProtocolBroken,
    ProviderDown,
    RateLimited,
    Retryable,
)

_log = structlog.get_logger("crmsync.transport")

USER_AGENT = "crm-sync-for-gmail (gzip)"
READS = frozenset({"GET", "HEAD", "OPTIONS"})
_SECRETS = re.compile(
    r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+"
    r"|\bya29\.[\w.-]+|\b1//[\w-]+|\beyJ[\w-]+\.[\w-]+\.[\w-]*"
    r"|\b(access_token|refresh_token|id_token|token|client_secret|code|code_verifier"
    r"|password)(\"?\s*[=:]\s*\"?)[^\s\"&,}]+"
)


def redact(text: str) -> str:
    """Return a text without anything that opens a door.

    >>> redact("Authorization: Bearer ya29.abc and refresh_token=1//x&a=b")
    'Authorization: *** and ***&a=b'
    """
    return _SECRETS.sub("***", text)


class Again(Enum):
    """Whether a failed request may be sent once more."""

    NEVER = "never"
    UNLESS_WRITTEN = "unless_written"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer means: fine without an error.

    Attributes:
        error: what to raise.
        again: `ALWAYS` says that the provider did not execute the request;
            `UNLESS_WRITTEN` that a write may have happened: its outcome is unknown.
    """

    error: CrmSyncError | None = None
    again: Again = Again.NEVER


FINE = Verdict()


@dataclass(frozen=True, slots=True)
class Answer:
    """One complete answer; header names are lower case, the body is decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    Attributes:
        api: what it is counted under, e.g. `people`.
        is_repeatable: whether a repeat does no harm; by default reads only.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    api: str = "http"
    is_repeatable: bool | None = None

    @property
    def may_repeat(self) -> bool:
        """Whether the request may be sent again although it may have been executed."""
        if self.is_repeatable is not None:
            return self.is_repeatable
        # A long GET of Google's client travels as POST (its 2048-character limit).
        override = self.headers.get("x-http-method-override", self.method)
        return override.upper() in READS

    @property
    def place(self) -> str:
        """Method, host and path, for messages; never the query."""
        parts = urlsplit(self.url)
        return f"{self.method} {parts.netloc}{parts.path}"


Judge = Callable[[Call, Answer], Verdict]
"""Turns an answer into a verdict; each provider has its own."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How long one call may go on.

    Attributes:
        timeout_seconds: for connecting, and for each wait for bytes.
        attempts: sends of one call, the first included.
        total_seconds: no new attempt is begun, or waited for, beyond this.
        first_wait_seconds: before the second attempt; it doubles, with jitter.
        idle_seconds: a kept connection that was idle longer is not trusted with a
            write, for servers close idle connections at any moment.
    """

    timeout_seconds: float = 20.0
    attempts: int = 4
    total_seconds: float = 10.0
    first_wait_seconds: float = 0.5
    idle_seconds: float = 4.0


class RequestCounter:
    """Counts requests as they go on the wire, per API; thread-safe."""

    def __init__(self) -> None:
        """Start at zero."""
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def add(self, api: str) -> None:
        """Count one request."""
        with self._lock:
            self._counts[api] += 1

    @property
    def total(self) -> int:
        """All requests so far."""
        with self._lock:
            return self._counts.total()

    def by_api(self) -> Mapping[str, int]:
        """Return the requests so far per API."""
        with self._lock:
            return MappingProxyType(dict(self._counts))


# ------------------------------------------------------------------ connections


class _NotSentError(Exception):
    """The connection was dead before the first byte of the request."""


class _CarefulConnection(HTTPConnection):
    """A connection that knows whether anything of the request was written."""

    idle_limit = 4.0
    _rested_at = 0.0
    _has_begun = False

    def request(self, method: str, url: str, *rest: Any, **more: Any) -> None:
        """Reconnect before a write if the connection has rested too long."""
        rested = time.monotonic() - self._rested_at
        if self.sock is not None and method not in READS and rested > self.idle_limit:
            self.close()
        self._has_begun = False
        super().request(method, url, *rest, **more)

    def send(self, data: Any) -> None:
        """Write, and tell a connection that was dead from one that broke."""
        try:
            super().send(data)
        except (BrokenPipeError, ConnectionResetError) as error:
            if not self._has_begun:
                raise _NotSentError(str(error)) from error
            raise
        self._has_begun = True

    def getresponse(self) -> Any:
        """Note when the connection came to rest."""
        response = super().getresponse()
        self._rested_at = time.monotonic()
        return response


class _CarefulSecureConnection(_CarefulConnection, HTTPSConnection):
    """The same over TLS."""

    def connect(self) -> None:
        """Shake hands; what fails here was never sent."""
        try:
            super().connect()
        except (TimeoutError, ssl.SSLError, SSLError) as error:
            raise _NotSentError(f"TLS: {error}") from error


def _pool(budget: Budget) -> urllib3.PoolManager:
    """Return a pool whose connections never repeat and never redirect."""
    limit = {"idle_limit": budget.idle_seconds}
    plain = type("_Plain", (_CarefulConnection,), dict(limit))
    secure = type("_Secure", (_CarefulSecureConnection,), dict(limit))
    pool = urllib3.PoolManager(
        num_pools=20,
        maxsize=16,
        retries=False,
        timeout=urllib3.Timeout(
            connect=min(5.0, budget.timeout_seconds), read=budget.timeout_seconds
        ),
    )
    pool.pool_classes_by_scheme = {
        "http": type("_Http", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("_Https", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }
    return pool


# ------------------------------------------------------------------ transport


def _monotonic() -> float:
    return time.monotonic()


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Nature:
    """Time and chance, given from outside so that tests are quick and repeatable.

    Attributes:
        now: aware UTC time.
        monotonic: seconds that only grow.
        sleep: waits for so many seconds.
        chance: a number from 0 up to 1.
    """

    now: Callable[[], datetime] = _utc_now
    monotonic: Callable[[], float] = _monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random


class Transport:
    """Sends calls; shared by all connectors and threads of a process.

    Build it after a fork, close it at the end.
    """

    def __init__(self, budget: Budget | None = None, nature: Nature | None = None):
        """Prepare a pool; nothing is connected yet."""
        self.budget = budget or Budget()
        self.nature = nature or Nature()
        self.counter = RequestCounter()
        self._pool = _pool(self.budget)
        self._skews: dict[str, timedelta] = {}

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    def skew(self, url: str) -> timedelta:
        """Return how far a server's clock is ahead of ours, as last seen (±1 s)."""
        return self._skews.get(urlsplit(url).netloc, timedelta())

    def send(
        self, call: Call, judge: Judge, *, counter: RequestCounter | None = None
    ) -> Answer:
        """Send a call and return an answer that its judge finds fine.

        Args:
            call: the request.
            judge: what answers mean.
            counter: counts beside the transport's own counter.

        Raises:
            OutcomeUnknown: a write left us and no clear answer came.
            RateLimited: the provider's quota is used up for longer than the budget.
            ProviderDown: it could not be reached within the budget.
            CrmSyncError: what the judge found.
        """
        began = self.nature.monotonic()
        for attempt in range(1, self.budget.attempts + 1):
            verdict, answer = self._attempt(call, judge, counter)
            if verdict.error is None and answer is not None:
                return answer
            error = verdict.error or ProtocolBroken(f"{call.place}: no answer")
            if not self._may_go_on(call, verdict):
                raise self._final(call, error, verdict)
            wait = self._wait(attempt, error)
            spent = self.nature.monotonic() - began
            is_last = attempt == self.budget.attempts
            if is_last or spent + wait > self.budget.total_seconds:
                raise error
            _log.info(
                "request.retried",
                place=call.place,
                code=error.code,
                attempt=attempt,
                wait=round(wait, 2),
            )
            self.nature.sleep(wait)
        raise ProviderDown(f"{call.place}: no attempt was allowed.")

    @staticmethod
    def _may_go_on(call: Call, verdict: Verdict) -> bool:
        if verdict.again is Again.ALWAYS:
            return True
        return verdict.again is Again.UNLESS_WRITTEN and call.may_repeat

    @staticmethod
    def _final(call: Call, error: CrmSyncError, verdict: Verdict) -> CrmSyncError:
        """Say so if nobody knows whether a write happened."""
        if verdict.again is Again.UNLESS_WRITTEN and not call.may_repeat:
            return OutcomeUnknown(f"No clear answer came: {error.message}")
        return error

    def _wait(self, attempt: int, error: CrmSyncError) -> float:
        """Return seconds to wait: what was asked for, else growing with jitter."""
        asked = error.retry_after if isinstance(error, Retryable) else None
        grown: float = self.budget.first_wait_seconds * 2.0 ** (attempt - 1)
        return max(asked or 0.0, grown * (0.5 + self.nature.chance()))

    def _attempt(
        self, call: Call, judge: Judge, counter: RequestCounter | None
    ) -> tuple[Verdict, Answer | None]:
        for one in (self.counter, counter):
            if one is not None:
                one.add(call.api)
        try:
            answer = self._exchange(call)
        except (
            _NotSentError,
            NewConnectionError,
            ConnectTimeoutError,
            NameResolutionError,
        ) as error:
            return Verdict(_down(call, error), Again.ALWAYS), None
        except HTTPError as error:
            return Verdict(_down(call, error), Again.UNLESS_WRITTEN), None
        return judge(call, answer), answer

    def _exchange(self, call: Call) -> Answer:
        headers = {"user-agent": USER_AGENT, "accept-encoding": "gzip"}
        for name, value in call.headers.items():
            if name.lower() not in {"user-agent", "accept-encoding", "content-length"}:
                headers[name.lower()] = value
        sent_at = self.nature.now()
        response = self._pool.urlopen(
            call.method,
            call.url,
            body=call.body,
            headers=headers,
            redirect=False,
            retries=False,
        )
        found = {name.lower(): value for name, value in response.headers.items()}
        self._note_clock(call.url, found, sent_at)
        return Answer(response.status, found, response.data)

    def _note_clock(
        self, url: str, headers: Mapping[str, str], sent_at: datetime
    ) -> None:
        served_at = parse_http_date(headers.get("date", ""))
        if served_at is None:
            return
        midway = sent_at + (self.nature.now() - sent_at) / 2
        # The header is cut to whole seconds: on average half a second is missing.
        self._skews[urlsplit(url).netloc] = served_at + timedelta(seconds=0.5) - midway


def _down(call: Call, error: Exception) -> ProviderDown:
    return ProviderDown(redact(f"{call.place}: {type(error).__name__}"))


def parse_http_date(text: str) -> datetime | None:
    """Read an HTTP date; None if there is none.

    >>> parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").isoformat()
    '1994-11-06T08:49:37+00:00'
    """
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def retry_after(answer: Answer, now: datetime) -> float | None:
    """Return the seconds that an answer asks us to wait, or None."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isdigit():
        return float(text)
    at = parse_http_date(text)
    return max(0.0, (at - now).total_seconds()) if at is not None else None


def plain_judge(call: Call, answer: Answer) -> Verdict:
    """Judge by the status alone: for certificates and other plain resources."""
    if answer.status < 300:
        return FINE
    message = f"{call.place} answered {answer.status}."
    if answer.status == 429:
        wait = retry_after(answer, _utc_now())
        return Verdict(RateLimited(message, retry_after=wait), Again.ALWAYS)
    if answer.status >= 500 or answer.status == 408:
        wait = retry_after(answer, _utc_now())
        return Verdict(ProviderDown(message, retry_after=wait), Again.UNLESS_WRITTEN)
    return Verdict(ProtocolBroken(message))
