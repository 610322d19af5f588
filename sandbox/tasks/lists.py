"""tasklists: the lists of an account (contract 6.1)."""

from __future__ import annotations

from dataclasses import replace

from sandbox.legacy import invalid
from sandbox.messages import Json, Response
from sandbox.tasks.context import Context
from sandbox.tasks.errors import over_limit, too_long
from sandbox.tasks.model import TaskList
from sandbox.tasks.render import task_list
from sandbox.tasks.state import new_id
from sandbox.tokens import pack, unpack

TITLE_MOST = 1024


def list_lists(ctx: Context) -> Json:
    """`GET users/@me/lists`; the page sizes of the older documents are a switch."""
    usual, most = (20, 100) if ctx.switches.old_tasklist_pages else (1000, 1000)
    size = ctx.params.get("maxResults", usual)
    if not 0 < size <= most:
        raise invalid("Invalid value for maxResults.", place="maxResults")
    token = ctx.params.get("pageToken")
    state = {"o": 0} if token is None else unpack(token)
    if state is None or "o" not in state:
        raise invalid("Invalid page token.", place="pageToken")
    found = [one for one in ctx.board.lists.values() if not one.deleted]
    page = found[state["o"] :][:size]
    answer: Json = {"kind": "tasks#taskLists", "etag": f'"{len(found)}"'}
    if page:
        answer["items"] = [task_list(one) for one in page]
    if state["o"] + size < len(found):
        answer["nextPageToken"] = pack({"o": state["o"] + size})
    return answer


def get_list(ctx: Context) -> Json:
    return task_list(ctx.board.find_list(ctx.params["tasklist"]))


def insert_list(ctx: Context) -> Json:
    live = sum(1 for one in ctx.board.lists.values() if not one.deleted)
    if live >= ctx.switches.task_lists:
        raise over_limit("task lists")
    made = TaskList(new_id(), checked_title(ctx.body), 0.0, 0)
    return task_list(ctx.board.put_list(made))


def change_list(ctx: Context) -> Json:
    """PATCH and PUT; there is only the title."""
    found = ctx.board.find_list(ctx.params["tasklist"])
    if ctx.request.method == "PUT":
        check_put_id(ctx, found.id)
    elif "title" not in ctx.body:
        return task_list(found)
    title = checked_title(ctx.body)
    return task_list(ctx.board.put_list(replace(found, title=title)))


def delete_list(ctx: Context) -> Response:
    """The list and its tasks; the default list stays."""
    found = ctx.board.find_list(ctx.params["tasklist"])
    if found.is_default:
        raise invalid("The default task list cannot be deleted.")
    ctx.board.put_list(replace(found, deleted=True))
    return Response(204)


def checked_title(body: Json) -> str:
    title = body.get("title") or ""
    if not title:
        raise invalid("Missing task list title.", reason="required")
    if len(title) > TITLE_MOST:
        raise too_long("title")
    return str(title)


def check_put_id(ctx: Context, key: str) -> None:
    """PUT needs the id in its body [M], and it must be the one of the address."""
    given = ctx.body.get("id")
    if given is None and ctx.switches.task_put_needs_id:
        raise invalid("Missing resource ID.", reason="required")
    if given is not None and given != key:
        raise invalid("Invalid resource ID.")
