"""Delivering the messages of watch channels: late, lossy, and only on this machine."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from queue import SimpleQueue
from random import SystemRandom

from sandbox.messages import Json
from sandbox.outward import post
from sandbox.switches import Switches

_TRIES = 4
_RETRIED = (500, 502, 503, 504)
_random = SystemRandom()


@dataclass(frozen=True, slots=True)
class Message:
    address: str
    headers: dict[str, str]
    channel: str
    state: str


class Pusher:
    """One thread that sends; a receiver that refuses is asked again a few times."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self._queue: SimpleQueue[Message] = SimpleQueue()
        self._done: deque[Json] = deque(maxlen=1_000)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def put(self, message: Message, *, can_be_lost: bool) -> None:
        if can_be_lost and _random.random() < self._switches.watch_drops:
            self._note(message, 0)
            return
        count = 2 if can_be_lost and self._switches.watch_duplicates else 1
        for _ in range(count):
            self._queue.put(message)
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.start()

    def deliveries(self) -> list[Json]:
        """What was sent, or lost (status 0), the newest last."""
        with self._lock:
            return list(self._done)

    def _work(self) -> None:
        while True:
            message = self._queue.get()
            self._note(message, self._deliver(message))

    def _deliver(self, message: Message) -> int:
        status = 0
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(0.1 * 2**attempt)
            status = post(message.address, message.headers)
            if status not in _RETRIED:
                break
        return status

    def _note(self, message: Message, status: int) -> None:
        number = message.headers["X-Goog-Message-Number"]
        entry = {
            "channel": message.channel,
            "state": message.state,
            "number": int(number),
            "status": status,
        }
        with self._lock:
            self._done.append(entry)
