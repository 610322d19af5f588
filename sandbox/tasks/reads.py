"""tasks.list and tasks.get (contract 6.3); there is no sync token."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from datetime import UTC, datetime

from sandbox.clock import DAY
from sandbox.legacy import invalid
from sandbox.messages import Json
from sandbox.tasks.context import Context
from sandbox.tasks.model import Task
from sandbox.tasks.render import task as shown
from sandbox.tokens import fingerprint, pack, unpack

_FREE = ("pageToken", "fields", "prettyPrint", "maxResults", "alt", "key")
Fits = Callable[[Task], bool]


def get_task(ctx: Context) -> Json:
    return shown(ctx.board.find(ctx.params["tasklist"], ctx.params["task"]))


def list_tasks(ctx: Context) -> Json:
    """`GET lists/{l}/tasks`: 20 unless asked for more, never more than 100.

    Raises:
        ApiError: 400, a parameter does not fit; 404, the list is gone.
    """
    size = ctx.params.get("maxResults", 20)
    if not 0 < size <= 100:
        raise invalid("Invalid value for maxResults.", place="maxResults")
    key = ctx.board.find_list(ctx.params["tasklist"]).id
    asked = {k: v for k, v in sorted(ctx.params.items()) if k not in _FREE}
    stamp = fingerprint(asked)
    after = _after(ctx, stamp)
    fits = _filter(ctx)
    tasks = [task for task in ctx.board.listed(key) if fits(task)]
    tasks = sorted((t for t in tasks if _rank(t) > after), key=_rank)
    answer: Json = {"kind": "tasks#tasks", "etag": f'"{_newest(tasks)}"'}
    if tasks:
        answer["items"] = [shown(task) for task in tasks[:size]]
    if len(tasks) > size:
        last = _rank(tasks[size - 1])
        answer["nextPageToken"] = pack({"a": last, "f": stamp})
    return answer


def _newest(tasks: list[Task]) -> int:
    return max((task.stamp for task in tasks), default=0)


def _rank(task: Task) -> tuple[int, str]:
    """Stable, and no promise that parents come before children (section 9)."""
    return zlib.crc32(task.id.encode()), task.id


def _after(ctx: Context, stamp: str) -> tuple[int, str]:
    token = ctx.params.get("pageToken")
    if token is None:
        return -1, ""
    state = unpack(token)
    if state is None or state.get("f") != stamp:
        raise invalid("Invalid page token.", place="pageToken")
    return state["a"][0], state["a"][1]


def _filter(ctx: Context) -> Fits:
    """Which tasks are listed: four flags, and bounds of three times (6.3)."""
    params, switches = ctx.params, ctx.switches
    oldest = ctx.board.env.clock.now() - switches.task_tombstone_days * DAY
    updated_min = _bound(ctx, "updatedMin")
    inclusive = switches.tasks_updated_min_inclusive
    due = (_bound(ctx, "dueMin"), _bound(ctx, "dueMax"))
    done = (_bound(ctx, "completedMin"), _bound(ctx, "completedMax"))

    def flags(task: Task) -> bool:
        if task.deleted:
            return bool(params.get("showDeleted")) and task.updated > oldest
        if task.hidden and not params.get("showHidden"):
            return False
        if task.is_done and not params.get("showCompleted", True):
            return False
        return not task.assignment or bool(params.get("showAssigned"))

    def times(task: Task) -> bool:
        if updated_min is not None:
            at = round(task.updated, 3)
            if at < updated_min or (at == updated_min and not inclusive):
                return False
        return _within(_midnight(task.due), due) and _within(task.completed, done)

    return lambda task: flags(task) and times(task)


def _within(value: float | None, bounds: tuple[float | None, float | None]) -> bool:
    low, high = bounds
    if low is None and high is None:
        return True
    if value is None:
        return False
    return (low is None or value >= low) and (high is None or value < high)


def _midnight(day: str) -> float | None:
    if not day:
        return None
    return datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()


def _bound(ctx: Context, name: str) -> float | None:
    text = ctx.params.get(name)
    if text is None:
        return None
    moment = instant(text.replace(" ", "+"))
    if moment is None:
        raise invalid(f"Invalid value for {name}.", place=name)
    return round(moment.timestamp(), 3)


def instant(text: str) -> datetime | None:
    """An RFC 3339 time with an offset; None if it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None or "T" not in text.upper():
        return None
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return None
