"""Tasks of one list, as the contract describes Google's (section 6)."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

from tests.standin.agenda import Refused, not_found
from tests.standin.basics import Clock, Json, digest, written

FLAGS = ("showCompleted", "showHidden", "showDeleted", "showAssigned")
LISTED = {
    *FLAGS,
    "maxResults",
    "pageToken",
    "updatedMin",
    "fields",
    "prettyPrint",
    "alt",
}
WRITABLE = {"title", "notes", "due", "status", "completed", "deleted", "id"}


@dataclass
class Todo:
    """One task list; a person's hand is `put`, `change` and `remove`."""

    clock: Clock
    tasks: dict[str, Json] = field(default_factory=dict)
    is_gone: bool = False
    page_cap: int = 100

    def put(self, **fields: Any) -> str:
        name = digest("task", len(self.tasks))
        self.store({"id": name, "status": "needsAction", "title": "", **fields})
        return name

    def change(self, name: str, **fields: Any) -> None:
        self.store({**self.tasks[name], **fields})

    def remove(self, name: str) -> None:
        self.store({**self.tasks[name], "deleted": True})

    def store(self, task: Json) -> Json:
        task = {k: v for k, v in task.items() if v is not None}
        if len(task.get("title", "")) > 1024 or len(task.get("notes", "")) > 8192:
            raise Refused(400, "invalid", "Too long.")
        if task["status"] == "completed":
            task.setdefault("completed", written(self.clock.stamp())[:23] + "Z")
        elif "completed" in task:
            raise Refused(400, "invalid", "An open task was not completed.")
        if "due" in task:
            task["due"] = f"{task['due'][:10]}T00:00:00.000Z"
        task["updated"] = written(self.clock.stamp())[:23] + "Z"
        task["etag"] = f'"{digest(task["updated"], task["id"])}"'
        self.tasks[task["id"]] = task
        return copy.deepcopy(task)

    def get(self, name: str) -> Json:
        if self.is_gone or name not in self.tasks:
            raise not_found()
        return copy.deepcopy(self.tasks[name])

    def insert(self, body: Json) -> Json:
        if self.is_gone:
            raise not_found()
        if body.keys() - (WRITABLE - {"id", "deleted"}):
            raise Refused(400, "invalid", "Output-only fields were sent.")
        return self.get(self.put(**body))

    def patch(self, name: str, body: Json) -> Json:
        task = self.get(name)
        if body.keys() - WRITABLE:
            raise Refused(400, "invalid", "Output-only fields were sent.")
        if task.get("deleted"):
            raise not_found()
        return self.store({**task, **body})

    def delete(self, name: str) -> None:
        task = self.get(name)
        if task.get("deleted"):
            raise not_found()
        self.remove(name)

    def page(self, query: dict[str, str]) -> Json:
        if self.is_gone:
            raise not_found()
        if query.keys() - LISTED:
            raise Refused(400, "badRequest", f"Unknown: {query.keys() - LISTED}")
        flags = {n: query.get(n, str(n == "showCompleted")).lower() for n in FLAGS}
        found = [task for task in self.tasks.values() if self._is_listed(task, flags)]
        found = [t for t in found if t["updated"] >= query.get("updatedMin", "")]
        start = int(query.get("pageToken", "p0")[1:])
        cap = min(self.page_cap, 100, int(query.get("maxResults", 20)))
        page: Json = {"kind": "tasks#tasks"}
        if found[start : start + cap]:
            page["items"] = copy.deepcopy(found[start : start + cap])
        if start + cap < len(found):
            page["nextPageToken"] = f"p{start + cap}"
        return page

    @staticmethod
    def _is_listed(task: Json, flags: dict[str, str]) -> bool:
        asked = {name: value == "true" for name, value in flags.items()}
        return not (
            (task["status"] == "completed" and not asked["showCompleted"])
            or (task.get("hidden") and not asked["showHidden"])
            or (task.get("deleted") and not asked["showDeleted"])
            or (task.get("assignmentInfo") and not asked["showAssigned"])
        )
