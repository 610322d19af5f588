"""Cloud Pub/Sub's push: signed, at least once, in no order, not too often (2.10)."""

from __future__ import annotations

import base64
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from random import SystemRandom

import orjson

from sandbox.clock import Clock
from sandbox.messages import Json
from sandbox.outward import post
from sandbox.switches import Switches

_TRIES = 4
_SECOND = 1.0
_HELD = 0.3  # so long a message waits for another one to come before it
_random = SystemRandom()

Sign = Callable[[Json], str]


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic, and the one subscription that pushes what is published to it."""

    name: str
    endpoint: str
    audience: str
    email: str  # the service account that signs the pushes

    @property
    def subscription(self) -> str:
        return self.name.replace("/topics/", "/subscriptions/") + "-push"


@dataclass(frozen=True, slots=True)
class Notice:
    topic: Topic
    account: str
    history: int


class Pusher:
    """One thread that sends; whoever does not answer 2xx is asked again a few times."""

    def __init__(self, clock: Clock, switches: Switches, sign: Sign) -> None:
        self._clock = clock
        self._switches = switches
        self._sign = sign
        self._queue: SimpleQueue[tuple[int, str, Notice]] = SimpleQueue()
        self._done: deque[Json] = deque(maxlen=1_000)
        self._last: dict[str, float] = {}
        self._numbers = itertools.count(_random.randrange(10**15, 10**16))
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._round = 0

    def put(self, notice: Notice, *, is_first: bool = False) -> None:
        """Publish a notice; surplus ones are dropped (2.10)."""
        now = self._clock.now()
        with self._lock:
            since = now - self._last.get(notice.account, 0.0)
            is_surplus = self._switches.push_limit and since < _SECOND
            is_lost = _random.random() < self._switches.push_drops
            if not is_first:
                if is_surplus or is_lost:
                    self._note(notice, "", "dropped" if is_surplus else "lost", 0)
                    return
                self._last[notice.account] = now
            key = str(next(self._numbers))
            for _ in range(2 if self._switches.push_duplicates else 1):
                self._queue.put((self._round, key, notice))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.start()

    def deliveries(self) -> list[Json]:
        """What was sent, dropped or lost, the newest last."""
        with self._lock:
            return list(self._done)

    def clear(self) -> None:
        """Forget what was sent, and what is on its way."""
        with self._lock:
            self._round += 1
            self._done.clear()
            self._last.clear()

    def _work(self) -> None:
        while True:
            waiting = self._queue.get()
            if self._switches.push_out_of_order:
                try:
                    later = self._queue.get(timeout=_HELD)
                except Empty:
                    later = None
                if later is not None:
                    self._deliver(*later)
            self._deliver(*waiting)

    def _deliver(self, round_: int, key: str, notice: Notice) -> None:
        body = self._body(key, notice)
        status = 0
        for attempt in range(_TRIES):
            if round_ != self._round:
                return
            if attempt:
                time.sleep(0.1 * 2**attempt)
            status = post(notice.topic.endpoint, self._headers(notice.topic), body)
            if 200 <= status < 300:
                break
        with self._lock:
            self._note(notice, key, "sent", status)

    def _headers(self, topic: Topic) -> dict[str, str]:
        """The receiver goes by its own clock, so the token does not go by ours."""
        now = int(time.time())
        claims = {
            "iss": "https://accounts.google.com",
            "aud": topic.audience,
            "azp": str(sum(topic.email.encode()) + 10**20),
            "sub": str(sum(topic.email.encode()) + 10**20),
            "email": topic.email,
            "email_verified": True,
            "iat": now,
            "exp": now + 3600,
        }
        return {
            "Authorization": f"Bearer {self._sign(claims)}",
            "Content-Type": "application/json",
        }

    def _body(self, key: str, notice: Notice) -> bytes:
        is_text = self._switches.push_history_id == "string"
        history = str(notice.history) if is_text else notice.history
        data = orjson.dumps({"emailAddress": notice.account, "historyId": history})
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        text = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        message = {
            "data": base64.b64encode(data).decode(),
            "messageId": key,
            "message_id": key,
            "publishTime": text,
            "publish_time": text,
        }
        return orjson.dumps(
            {"message": message, "subscription": notice.topic.subscription}
        )

    def _note(self, notice: Notice, key: str, what: str, status: int) -> None:
        entry = {
            "account": notice.account,
            "topic": notice.topic.name,
            "historyId": str(notice.history),
            "messageId": key,
            "what": what,
            "status": status,
        }
        self._done.append(entry)
