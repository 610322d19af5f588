"""One RQ worker: takes jobs from the queues, each in a process of its own.

Imports happen before the fork, engines and clients are built after it (architecture,
decision 2).
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Sequence
from typing import Any

import structlog
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from rq import Queue, Worker
from rq.serializers import JSONSerializer

from crmsync import enqueue
from crmsync.config import Config

_PRELOADED = (
    "worker.jobs",
    "crmsync.bootstrap",
    "crmsync.services.working",
    "crmsync.connectors.builtin.contacts",
    "alembic.migration",
    "alembic.script",
    "pydantic_settings",
    "phonenumbers",
    "crm.contacts",
)


_PAUSE = 2.0
_SEEN_SECONDS = 60
"""A worker that is not heard of for longer is not counted any more."""

_log = structlog.get_logger("crmsync.worker")


class PatientWorker(Worker):
    """A worker that outlives its Redis: it looks again within a few seconds."""

    max_connection_wait_time = 5.0
    was_stopped = False

    def request_stop(self, signum: Any, frame: Any) -> None:
        """Note that somebody wants it to end, whatever becomes of Redis."""
        self.was_stopped = True
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]  # RQ's is


def make_worker(
    config: Config, queues: Sequence[str] = enqueue.QUEUES
) -> PatientWorker:
    """Return a worker on our queues, in the order in which it looks at them."""
    connection = enqueue.connect(config.redis_url, patience=None)
    return PatientWorker(
        [
            Queue(name, connection=connection, serializer=JSONSerializer)
            for name in queues
        ],
        connection=connection,
        serializer=JSONSerializer,
        worker_ttl=_SEEN_SECONDS,
        exception_handlers=[_log_failure],
        disable_default_exception_handler=True,
        work_horse_killed_handler=_log_kill,
        log_job_description=False,
    )


def _log_failure(job: Any, *failure: Any) -> bool:
    """Say that a job failed; the tick brings its pair back, whatever it was."""
    _log.error("job.failed", job=job.id, exc_info=failure)
    return True


def _log_kill(job: Any, _pid: int, status: int, _usage: Any) -> None:
    _log.warning("horse.killed", job=job.id, status=status)


def run(config: Config, *, burst: bool = False) -> None:
    """Work until told to stop; what is running is finished first.

    A Redis that is away, at the start or later, is waited for.
    """
    for name in _PRELOADED:
        importlib.import_module(name)
    while True:
        worker = make_worker(config)
        try:
            worker.work(burst=burst, logging_level="CRITICAL")
        except (RedisConnectionError, RedisTimeoutError) as error:
            _log.warning("redis.away", why=str(error), retry_seconds=_PAUSE)
            if not worker.was_stopped:
                time.sleep(_PAUSE)
        else:
            return
        if worker.was_stopped:
            return
