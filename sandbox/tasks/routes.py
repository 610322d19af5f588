"""Which method of the Tasks API is which function, and the daily quota."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from sandbox.clock import DAY
from sandbox.messages import Json, Request, Response
from sandbox.tasks import lists, reads, writes
from sandbox.tasks.context import Context
from sandbox.tasks.errors import over_daily_quota
from sandbox.tasks.state import Board, Env

if TYPE_CHECKING:
    from sandbox.discovery import Method

Handler = Callable[[Context], "Json | Response"]

_TABLE: dict[str, Handler] = {
    "tasks.tasklists.list": lists.list_lists,
    "tasks.tasklists.get": lists.get_list,
    "tasks.tasklists.insert": lists.insert_list,
    "tasks.tasklists.patch": lists.change_list,
    "tasks.tasklists.update": lists.change_list,
    "tasks.tasklists.delete": lists.delete_list,
    "tasks.tasks.list": reads.list_tasks,
    "tasks.tasks.get": reads.get_task,
    "tasks.tasks.insert": writes.insert_task,
    "tasks.tasks.patch": writes.patch_task,
    "tasks.tasks.update": writes.update_task,
    "tasks.tasks.delete": writes.delete_task,
    "tasks.tasks.move": writes.move_task,
    "tasks.tasks.clear": writes.clear,
}


class Tasks:
    """The Tasks API of all accounts."""

    def __init__(self, env: Env) -> None:
        self._env = env
        self._boards: dict[str, Board] = {}
        self._used: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def board(self, account: str) -> Board:
        with self._lock:
            if account not in self._boards:
                self._boards[account] = Board(account, self._env)
            return self._boards[account]

    def handles(self, method_id: str) -> bool:
        return method_id in _TABLE

    def call(
        self,
        method: Method,
        request: Request,
        caller: tuple[str, str, frozenset[str]],
        given: tuple[Json, Json],
    ) -> Json | Response:
        """Run one method for one account (`caller`: account, project, scopes).

        Raises:
            ApiError: the refusal.
        """
        account, project, _ = caller
        self._spend(project)
        board = self.board(account)
        with board.turn():
            return _TABLE[method.id](Context(board, *given, request))

    def reset_quotas(self) -> None:
        with self._lock:
            self._used.clear()

    def _spend(self, project: str) -> None:
        """All users of a project share the day's requests (6.6)."""
        limit = self._env.switches.tasks_per_day
        if not self._env.switches.quota or not limit:
            return
        now = self._env.clock.now()
        with self._lock:
            used = self._used.setdefault(project, deque())
            while used and used[0] <= now - DAY:
                used.popleft()
            if len(used) >= limit:
                raise over_daily_quota()
            used.append(now)
