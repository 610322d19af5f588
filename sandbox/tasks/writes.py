"""The writes of tasks: insert, patch, update, delete, move, clear (contract 6.5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from sandbox.legacy import invalid, not_found
from sandbox.messages import Json, Response
from sandbox.tasks.context import Context
from sandbox.tasks.errors import bad_place, too_long
from sandbox.tasks.lists import TITLE_MOST, check_put_id
from sandbox.tasks.model import Task
from sandbox.tasks.reads import instant
from sandbox.tasks.render import task as shown
from sandbox.tasks.state import Board, new_id

NOTES_MOST = 8192


def insert_task(ctx: Context) -> Json:
    """A new task: first of its list, or where the parameters put it (6.1)."""
    found = ctx.board.find_list(ctx.params["tasklist"])
    body = {k: v for k, v in ctx.body.items() if v is not None}
    blank = Task(new_id(), found.id)
    task = replace(blank, **_fields(ctx, blank, body))
    parent = ctx.params.get("parent", "")
    _check_parent(ctx.board, task, parent)
    task = replace(task, parent=parent)
    return shown(ctx.board.add(task, ctx.params.get("previous", "")))


def patch_task(ctx: Context) -> Json:
    """What is given is changed, null clears."""
    task = _target(ctx)
    return shown(change(ctx.board, task, _fields(ctx, task, ctx.body)))


def update_task(ctx: Context) -> Json:
    """PUT: what the body does not have is gone (6.1)."""
    task = _target(ctx)
    check_put_id(ctx, task.id)
    names = ("title", "notes", "due", "status", "completed")
    whole = {**dict.fromkeys(names), **ctx.body}
    return shown(change(ctx.board, task, _fields(ctx, task, whole)))


def delete_task(ctx: Context) -> Response:
    """204; its subtasks go along. Once more is a switch [M]."""
    task = ctx.board.find(ctx.params["tasklist"], ctx.params["task"])
    if task.deleted and ctx.switches.dead_tasks == "missing":
        raise not_found()
    if not task.deleted:
        remove(ctx.board, task)
    return Response(204)


def clear(ctx: Context) -> Response:
    """Hide all completed tasks of a list."""
    key = ctx.board.find_list(ctx.params["tasklist"]).id
    for task in list(ctx.board.tasks[key].values()):
        if task.is_done and not task.hidden and not task.deleted:
            ctx.board.put(replace(task, hidden=True))
    return Response(204)


def move_task(ctx: Context) -> Json:
    """To another place, under another task, or to another list (6.1, 6.5).

    Raises:
        ApiError: 400; the task cannot go there.
    """
    task = ctx.board.find(ctx.params["tasklist"], ctx.params["task"])
    if task.deleted:
        raise not_found()
    parent = ctx.params.get("parent", "")
    previous = ctx.params.get("previous", "")
    target = ctx.params.get("destinationTasklist")
    if task.is_done and task.hidden and (parent or previous):
        raise bad_place("a hidden task can only be the first of its list.")
    if target is not None:
        target = ctx.board.find_list(target).id
    if target is not None and target != task.list_id:
        if task.every:
            raise bad_place("a repeating task cannot change its list.")
        return shown(_to_other_list(ctx, task, target))
    _check_parent(ctx.board, task, parent)
    moved = replace(task, parent=parent)
    place = ctx.board.place(moved, previous)
    return shown(ctx.board.put(replace(moved, place=place)))


# ---------------------------------------------------------------- changes


def change(board: Board, task: Task, fields: dict[str, Any]) -> Task:
    """Store new fields; completing a repeating task makes the next one (6.2)."""
    new = replace(task, **fields)
    if new == task:
        return task
    if new.every and new.is_done and not task.is_done:
        following = replace(
            task,
            id=new_id(),
            due=_later(task.due, task.every),
            completed=None,
            hidden=False,
            stamp=0,
        )
        new = replace(new, every=0)
        board.add(following)
    return board.put(new)


def remove(board: Board, task: Task) -> None:
    for child in board.children(task):
        board.put(replace(child, deleted=True))
    board.put(replace(task, deleted=True))


def done(task: Task, now: float, *, in_app: bool) -> dict[str, Any]:
    """Completing; in Google's own apps it hides as well (6.2)."""
    at = int(now * 1000) / 1000
    return {"is_done": True, "completed": at, "hidden": in_app or task.hidden}


def _later(day: str, days: int) -> str:
    if not day:
        return ""
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def _to_other_list(ctx: Context, task: Task, target: str) -> Task:
    """The old list keeps a tombstone; whether the id stays is a switch (12)."""
    parent = ctx.params.get("parent", "")
    key = task.id if ctx.switches.move_keeps_task_id else new_id()
    moved = replace(task, id=key, list_id=target, parent=parent, stamp=0)
    _check_parent(ctx.board, moved, parent)
    children = ctx.board.children(task)
    made = ctx.board.add(moved, ctx.params.get("previous", ""))
    if key == task.id:
        ctx.board.tasks[task.list_id].pop(task.id)
    else:
        ctx.board.put(replace(task, deleted=True))
    for child in children:
        child_id = child.id if key == task.id else new_id()
        there = replace(child, id=child_id, list_id=target, parent=made.id, stamp=0)
        ctx.board.add(there)
        if child_id == child.id:
            ctx.board.tasks[task.list_id].pop(child.id)
        else:
            ctx.board.put(replace(child, deleted=True))
    return made


# ---------------------------------------------------------------- checks


def _target(ctx: Context) -> Task:
    task = ctx.board.find(ctx.params["tasklist"], ctx.params["task"])
    if task.deleted and ctx.switches.dead_tasks == "missing":
        raise not_found()
    return task


def _check_parent(board: Board, task: Task, parent: str) -> None:
    """One level, and nothing assigned or repeating (6.2, 6.5)."""
    if not parent:
        return
    above = board.tasks[task.list_id].get(parent)
    if above is None or above.deleted or above.hidden or above.id == task.id:
        raise bad_place("there is no such parent task.")
    if above.parent or board.children(task):
        raise bad_place("tasks nest only one level deep.")
    if above.is_fixed or task.is_fixed:
        raise bad_place("assigned and repeating tasks are not nested.")


def _fields(ctx: Context, task: Task, body: Json) -> dict[str, Any]:
    """The stored fields that a body changes.

    Raises:
        ApiError: 400; a text is too long, a time is none, a field is fixed.
    """
    new: dict[str, Any] = {}
    for name, most in (("title", TITLE_MOST), ("notes", NOTES_MOST)):
        if name in body:
            new[name] = body[name] or ""
            if len(new[name]) > most:
                raise too_long(name)
    _check_assigned(task, body, new)
    if "due" in body:
        new["due"] = _day(body["due"]) if body["due"] else ""
    if body.get("deleted") is not None:
        new["deleted"] = bool(body["deleted"])
    return new | _status(ctx, task, body)


def _check_assigned(task: Task, body: Json, new: dict[str, Any]) -> None:
    if not task.assignment:
        return
    if body.get("deleted") is not None:
        raise invalid("The deleted flag of an assigned task is read-only.")
    if new.get("notes") and task.assignment.get("surfaceType") == "DOCUMENT":
        raise invalid("Tasks assigned from documents cannot have notes.")


def _status(ctx: Context, task: Task, body: Json) -> dict[str, Any]:
    """Completing sets the time; reopening clears it only by a switch [M]."""
    given = body.get("status", "absent")
    if given is None:
        given = "needsAction"
    if given not in ("absent", "needsAction", "completed"):
        raise invalid("Invalid value for: status")
    new: dict[str, Any] = {}
    now = ctx.board.env.clock.now()
    if given == "completed" and not task.is_done:
        new = done(task, now, in_app=False)
    elif given == "needsAction" and task.is_done:
        new = {"is_done": False, "hidden": False}
        if ctx.switches.reopening_clears_completed:
            new["completed"] = None
    if "completed" in body:
        is_done = new.get("is_done", task.is_done)
        if body["completed"] is None:
            new["completed"] = new.get("completed") if is_done else None
        elif is_done:
            new["completed"] = _moment(body["completed"])
    return new


def _day(text: str) -> str:
    """Only the date is kept, as UTC has it (6.2)."""
    moment = instant(text)
    if moment is None:
        raise invalid("Invalid value for: due")
    return f"{moment.year:04d}-{moment:%m-%d}"


def _moment(text: str) -> float:
    moment = instant(text)
    if moment is None:
        raise invalid("Invalid value for: completed")
    return int(moment.timestamp() * 1000) / 1000
