"""The user's own hand in Google Tasks: edits that come from no API client."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sandbox.errors import bad_request
from sandbox.legacy import not_found
from sandbox.messages import Json, Request
from sandbox.tasks import lists, writes
from sandbox.tasks.context import Context
from sandbox.tasks.model import Task
from sandbox.tasks.render import task as shown
from sandbox.tasks.state import new_id

if TYPE_CHECKING:
    from sandbox.app import Sandbox

Query = dict[str, str]
Step = Callable[["TasksHand", Context, Task], Any]


class TasksHand:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._steps: dict[str, Step] = {
            "complete": TasksHand._complete,
            "reopen": TasksHand._reopen,
            "move": TasksHand._move,
        }

    # ------------------------------------------------------------ tasks

    def list(self, query: Query, _body: Json) -> Json:
        """All tasks of a list, hidden ones too; `deleted=true` shows the dead."""
        ctx = self._context(query)
        with ctx.board.turn():
            key = ctx.board.find_list(ctx.params["tasklist"]).id
            found = sorted(ctx.board.tasks[key].values(), key=lambda t: t.place)
            if query.get("deleted") != "true":
                found = [task for task in found if not task.deleted]
            return {"tasks": [shown(task) for task in found]}

    def get(self, query: Query, _body: Json) -> Json:
        ctx = self._context(query)
        with ctx.board.turn():
            return shown(self._find(ctx, query["id"]))

    def create(self, query: Query, body: Json) -> Json:
        """One task, or {"tasks": [...]}.

        `every` (days) makes it repeat, `assigned` (DOCUMENT or SPACE) makes it one
        from Docs or Chat, `links` come from Gmail.
        """
        ctx = self._context(query)
        with ctx.board.turn():
            made = [self._make(ctx, dict(one)) for one in body.get("tasks", [body])]
            return {"tasks": [shown(task) for task in made]}

    def edit(self, query: Query, body: Json) -> Json:
        ctx = self._context(query)
        with ctx.board.turn():
            ctx.body = self._checked(body)
            self._find(ctx, query["id"])
            return writes.patch_task(ctx)

    def delete(self, query: Query, _body: Json) -> None:
        ctx = self._context(query)
        with ctx.board.turn():
            writes.remove(ctx.board, self._find(ctx, query["id"]))

    def clear(self, query: Query, _body: Json) -> None:
        """Hide everything completed of a list."""
        ctx = self._context(query)
        with ctx.board.turn():
            writes.clear(ctx)

    def act(self, query: Query, body: Json) -> Json:
        """Complete (which hides, as Google's own apps do), reopen, or move."""
        step = self._steps.get(query["what"])
        if step is None:
            raise not_found()
        ctx = self._context(query)
        with ctx.board.turn():
            ctx.body = body
            task = step(self, ctx, self._find(ctx, query["id"]))
            return task if isinstance(task, dict) else shown(task)

    # ------------------------------------------------------------ lists

    def lists(self, query: Query, _body: Json) -> Json:
        ctx = self._context(query)
        with ctx.board.turn():
            ctx.params = {"maxResults": 100}
            return {"tasklists": lists.list_lists(ctx)["items"]}

    def new_list(self, query: Query, body: Json) -> Json:
        ctx = self._context(query)
        with ctx.board.turn():
            ctx.body = body
            return lists.insert_list(ctx)

    def edit_list(self, query: Query, body: Json) -> Json:
        ctx = self._context({**query, "list": query["id"]})
        with ctx.board.turn():
            ctx.body = body
            return lists.change_list(ctx)

    def delete_list(self, query: Query, _body: Json) -> None:
        ctx = self._context({**query, "list": query["id"]})
        with ctx.board.turn():
            lists.delete_list(ctx)

    # ------------------------------------------------------------ helpers

    def _context(self, query: Query) -> Context:
        account = self._sandbox.accounts.get(query["email"])
        if account is None:
            raise not_found()
        board = self._sandbox.tasks.board(account.email)
        params: Json = {"tasklist": query.get("list", "@default")}
        return Context(board, params, {}, Request("PATCH", "/_sandbox", "", {}))

    def _find(self, ctx: Context, key: str) -> Task:
        """A task of any list; people see them all."""
        for found in ctx.board.tasks.values():
            if key in found and not found[key].deleted:
                ctx.params["tasklist"] = found[key].list_id
                ctx.params["task"] = key
                return found[key]
        raise not_found()

    def _make(self, ctx: Context, body: Json) -> Task:
        extra: dict[str, Any] = {"every": int(body.pop("every", 0))}
        if "links" in body:
            extra["links"] = body.pop("links")
        surface = body.pop("assigned", None)
        if surface is not None:
            link = f"https://docs.sandbox.example/{new_id()}"
            extra["assignment"] = {"surfaceType": surface, "linkToTask": link}
        for name in ("parent", "previous"):
            if name in body:
                ctx.params[name] = body.pop(name)
        ctx.body = self._checked(body)
        made = writes.insert_task(ctx)
        task = ctx.board.find(ctx.params["tasklist"], made["id"])
        if any(extra.values()):
            task = ctx.board.put(replace(task, **extra))
        ctx.params = {"tasklist": ctx.params["tasklist"]}
        return task

    def _checked(self, body: Json) -> Json:
        wrong: list[tuple[str, str]] = []
        api = self._sandbox.routes.apis["tasks/v1"]
        cleaned: Json = api.schemas.checker("Task")(body, "", wrong)
        if wrong:
            raise bad_request(wrong)
        return cleaned

    def _complete(self, ctx: Context, task: Task) -> Task:
        now = ctx.board.env.clock.now()
        return writes.change(ctx.board, task, writes.done(task, now, in_app=True))

    def _reopen(self, ctx: Context, task: Task) -> Task:
        fields = {"is_done": False, "hidden": False, "completed": None}
        return writes.change(ctx.board, task, fields)

    def _move(self, ctx: Context, task: Task) -> Json:
        """`list`, `parent` and `previous` as tasks.move has them."""
        names = {"list": "destinationTasklist", "parent": "parent"}
        names["previous"] = "previous"
        ctx.params |= {names[k]: v for k, v in ctx.body.items() if k in names}
        return writes.move_task(ctx)
