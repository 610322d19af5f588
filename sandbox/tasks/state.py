"""One account's task lists and tasks; all calls are made with `lock` held."""

from __future__ import annotations

import base64
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from sandbox.clock import Clock
from sandbox.legacy import not_found
from sandbox.store import Row, Store
from sandbox.switches import Switches
from sandbox.tasks.errors import bad_place, over_limit
from sandbox.tasks.model import Task, TaskList

LIST_KIND = "taskList"
TASK_KIND = "task"
_MIDDLE = 5 * 10**18
_GAP = 2**20


@dataclass(slots=True)
class Env:
    """What the tasks need from the rest of the sandbox."""

    clock: Clock
    store: Store
    switches: Switches


class Board:
    """The task lists of one account."""

    def __init__(self, owner: str, env: Env) -> None:
        self.owner = owner
        self.env = env
        self.lock = threading.RLock()
        self.lists: dict[str, TaskList] = {}
        self.tasks: dict[str, dict[str, Task]] = {}
        self._late: dict[str, tuple[float, Task | None]] = {}
        self._last_updated = 0.0
        self._rows: list[Row] = []
        for _, key, document in env.store.load(LIST_KIND, owner):
            self._keep_list(TaskList(key, **document))
        for _, key, document in env.store.load(TASK_KIND, owner):
            task = Task(key, **document)
            self.tasks[task.list_id][key] = task
        if not self.lists:
            with self.turn():
                self.put_list(TaskList(new_id(), "My Tasks", 0.0, 0, is_default=True))

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One call; what it has changed is written down at its end."""
        with self.lock:
            try:
                yield
            finally:
                rows, self._rows = self._rows, []
                if rows:
                    self.env.store.put(rows)

    # ------------------------------------------------------------ reading

    def find_list(self, key: str) -> TaskList:
        """A list that is there, by its id or as `@default`.

        Raises:
            ApiError: 404.
        """
        if key == "@default":
            return next(found for found in self.lists.values() if found.is_default)
        found = self.lists.get(key)
        if found is None or found.deleted:
            raise not_found()
        return found

    def find(self, key: str, task_id: str) -> Task:
        """A task of a list, deleted ones too.

        Raises:
            ApiError: 404.
        """
        task = self.tasks[self.find_list(key).id].get(task_id)
        if task is None:
            raise not_found()
        return task

    def children(self, task: Task) -> list[Task]:
        listed = self.tasks[task.list_id].values()
        return [t for t in listed if t.parent == task.id and not t.deleted]

    def listed(self, key: str) -> list[Task]:
        """The tasks of a list as lists show them: by a switch a little late."""
        now = self.env.clock.now()
        self._late = {k: late for k, late in self._late.items() if late[0] > now}
        if not self._late:
            return list(self.tasks[key].values())
        seen = [self._late.get(t.id, (0.0, t))[1] for t in self.tasks[key].values()]
        return [task for task in seen if task is not None and task.list_id == key]

    def settle(self) -> None:
        """Let lists show everything now."""
        self._late.clear()

    # ------------------------------------------------------------ writing

    def put_list(self, found: TaskList) -> TaskList:
        updated = self._now()
        stamp = max(int(updated * 1000), found.stamp + 1)
        kept = replace(found, updated=updated, stamp=stamp)
        self._keep_list(kept)
        self._rows.append((LIST_KIND, self.owner, kept.id, kept.document()))
        return kept

    def put(self, task: Task, *, moves_time: bool = True) -> Task:
        """Keep a version; only its etag moves if `moves_time` is false."""
        switches = self.env.switches
        updated = self._now() if moves_time else task.updated
        stamp = max(int(updated * 1000), task.stamp + 1)
        kept = replace(task, updated=updated, stamp=stamp)
        delay = self.env.switches.tasks_delay
        if delay > 0:
            before = self.tasks[kept.list_id].get(kept.id)
            before = self._late.get(kept.id, (0.0, before))[1]
            self._late[kept.id] = (self.env.clock.now() + delay, before)
        self.tasks[kept.list_id][kept.id] = kept
        self._rows.append((TASK_KIND, self.owner, kept.id, kept.document()))
        if switches.tasklist_updated_follows and moves_time:
            self.put_list(self.lists[kept.list_id])
        return kept

    def add(self, task: Task, previous: str = "") -> Task:
        """A new task at its place: first, or behind a sibling (6.5).

        Raises:
            ApiError: 403, a limit; 400, the place does not exist.
        """
        self._check_room(task)
        return self.put(replace(task, place=self.place(task, previous)))

    def forget(self, task: Task) -> None:
        del self.tasks[task.list_id][task.id]
        self._rows.append((TASK_KIND, self.owner, task.id, None))

    def place(self, task: Task, previous: str) -> int:
        """The number that puts a task behind a sibling, or first.

        Raises:
            ApiError: 400; there is no such sibling.
        """
        siblings = self._siblings(task)
        if not previous:
            return siblings[0].place - _GAP if siblings else _MIDDLE
        index = next((i for i, s in enumerate(siblings) if s.id == previous), None)
        if index is None or siblings[index].hidden:
            raise bad_place("there is no such previous task.")
        if index + 1 == len(siblings):
            return siblings[index].place + _GAP
        low, high = siblings[index].place, siblings[index + 1].place
        if high - low < 2:
            for number, sibling in enumerate(siblings):
                spread = replace(sibling, place=_MIDDLE + number * _GAP)
                self.put(spread, moves_time=False)
            return self.place(task, previous)
        return (low + high) // 2

    def _siblings(self, task: Task) -> list[Task]:
        found = [
            t
            for t in self.tasks[task.list_id].values()
            if t.parent == task.parent and not t.deleted and t.id != task.id
        ]
        return sorted(found, key=lambda t: (t.place, t.id))

    def _check_room(self, task: Task) -> None:
        switches = self.env.switches
        mine = self.tasks[task.list_id]
        # Counting is slow; a list with less of everything has room for sure.
        if len(mine) >= switches.tasks_per_list:
            shown = sum(1 for t in mine.values() if not t.hidden and not t.deleted)
            if shown >= switches.tasks_per_list:
                raise over_limit("tasks in this list")
        if sum(len(tasks) for tasks in self.tasks.values()) >= switches.tasks_in_all:
            raise over_limit("tasks")
        if task.parent:
            under = sum(1 for t in mine.values() if t.parent == task.parent)
            if under >= switches.subtasks_per_task:
                raise over_limit("subtasks")

    def _now(self) -> float:
        """Milliseconds; by a switch edits that are close together share one time."""
        now = int(self.env.clock.now() * 1000) / 1000
        if now - self._last_updated < self.env.switches.tasks_same_updated:
            return self._last_updated
        self._last_updated = now
        return now

    def _keep_list(self, found: TaskList) -> None:
        self.lists[found.id] = found
        self.tasks.setdefault(found.id, {})


def new_id() -> str:
    """As Google's look: letters, digits, - and _."""
    data = base64.urlsafe_b64encode(secrets.token_bytes(16))
    return data.decode().rstrip("=")
