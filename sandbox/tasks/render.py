"""From a stored task or list to what an answer shows (contract 6.2)."""

from __future__ import annotations

from datetime import UTC, datetime

from sandbox.messages import Json
from sandbox.tasks.model import Task, TaskList

_ROOT = "https://www.googleapis.com/tasks/v1"


def stamp(seconds: float) -> str:
    shown = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return shown.replace("+00:00", "Z")


def task_list(found: TaskList) -> Json:
    return {
        "kind": "tasks#taskList",
        "id": found.id,
        "etag": f'"{found.stamp}"',
        "title": found.title,
        "updated": stamp(found.updated),
        "selfLink": f"{_ROOT}/users/@me/lists/{found.id}",
    }


def task(found: Task) -> Json:
    """The day of `due` is midnight in UTC; what is not there is left out."""
    shown: Json = {
        "kind": "tasks#task",
        "id": found.id,
        "etag": f'"{found.stamp}"',
        "title": found.title,
        "updated": stamp(found.updated),
        "selfLink": f"{_ROOT}/lists/{found.list_id}/tasks/{found.id}",
        "position": f"{found.place:020d}",
        "status": "completed" if found.is_done else "needsAction",
        "webViewLink": f"https://tasks.google.com/task/{found.id}?sa=6",
    }
    if found.parent:
        shown["parent"] = found.parent
    if found.notes:
        shown["notes"] = found.notes
    if found.due:
        shown["due"] = f"{found.due}T00:00:00.000Z"
    if found.completed is not None:
        shown["completed"] = stamp(found.completed)
    for name in ("deleted", "hidden"):
        if getattr(found, name):
            shown[name] = True
    if found.links:
        shown["links"] = found.links
    if found.assignment:
        shown["assignmentInfo"] = found.assignment
    return shown
