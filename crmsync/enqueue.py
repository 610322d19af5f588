"""Job names and their arguments: the only door to the queue.

Jobs are enqueued by dotted name with ids as arguments, serialised as JSON, so that
whoever asks for work need not import the worker. The queue is a doorbell: what is to
be done stands in the database, and a ring that is lost is made up by the next tick.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from redis import Redis

NOW, MAIL, SYNC = "now", "mail", "sync"
QUEUES = (NOW, MAIL, SYNC)
"""In the order in which workers look: what a person waits for comes first."""

WORK_ON_PAIR = "worker.jobs.work_on_pair"
"""`(pair_id: str)`: carries out what is waiting or due for one pair."""

JOB_SECONDS = 3600
"""RQ's own limit. Slices end long before; a preview of a huge account may take long."""

_FAILED_SECONDS = 86400
_PATIENCE = 2.0

_log = structlog.get_logger("crmsync.enqueue")


def queue_of(kind: str) -> str:
    """Return the queue of a kind's regular cycles."""
    return MAIL if kind == "mail" else SYNC


def connect(url: str, *, patience: float | None = _PATIENCE) -> Redis:
    """Return a client of Redis that gives up after `patience` seconds."""
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    client: Redis = Redis.from_url(
        url,
        socket_timeout=patience,
        socket_connect_timeout=_PATIENCE,
        retry=Retry(NoBackoff(), 0),
    )
    return client


class RedisDoorbell:
    """Rings by putting a job into Redis; says so if Redis cannot be reached."""

    def __init__(self, url: str) -> None:
        """Remember the address; nothing is connected yet."""
        self._url = url

    @cached_property
    def _redis(self) -> Redis:
        return connect(self._url)

    def ring(self, pair_id: str, queue: str) -> bool:
        """Ask for a worker; return whether Redis took it."""
        from redis.exceptions import RedisError
        from rq import Queue
        from rq.serializers import JSONSerializer

        try:
            Queue(queue, connection=self._redis, serializer=JSONSerializer).enqueue(
                WORK_ON_PAIR,
                pair_id,
                job_timeout=JOB_SECONDS,
                result_ttl=0,
                failure_ttl=_FAILED_SECONDS,
            )
        except RedisError as error:
            _log.warning("doorbell.silent", pair_id=pair_id, why=type(error).__name__)
            return False
        return True
