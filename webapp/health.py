"""`/healthz` (alive) and `/readyz` (ready for requests), for whoever runs us."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, make_response
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from crmsync import enqueue, migrations
from crmsync.errors import StorageDown
from webapp.security import public
from webapp.wiring import core

pages = Blueprint("health", __name__)


@pages.get("/healthz")
@public
def alive() -> Response:
    """Say whether this process works and can read its database."""
    is_readable = _can_read()
    state = {"status": "ok" if is_readable else "failing", "database": is_readable}
    return _answer(state, is_good=is_readable)


@pages.get("/readyz")
@public
def ready() -> Response:
    """Say whether migrations are current, and database and Redis are reachable."""
    checks = {"database": _can_read()}
    checks["migrations"] = checks["database"] and _is_current()
    checks["redis"] = _has_redis(core().config.redis_url)
    is_good = all(checks.values())
    state: dict[str, Any] = {"status": "ok" if is_good else "failing", **checks}
    return _answer(state, is_good=is_good)


def _answer(state: dict[str, Any], *, is_good: bool) -> Response:
    return make_response(jsonify(state), 200 if is_good else 503)


def _can_read() -> bool:
    try:
        with core().database.read() as connection:
            connection.execute(text("SELECT 1"))
    except StorageDown:
        return False
    return True


def _is_current() -> bool:
    try:
        return migrations.is_current(core().database.engine)
    except SQLAlchemyError:
        return False


def _has_redis(url: str) -> bool:
    client = enqueue.connect(url)
    try:
        return bool(client.ping())
    except RedisError:
        return False
    finally:
        client.close()
