"""The feed of a task list, which has no sync token (contract, 6.4).

What has changed is asked for by the newest `updated` that Google has shown, never by
our own clock, with an overlap: what was shown already is shown again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import timedelta

import orjson

from crmsync.connectors.google.mapping.tasks import is_assigned, task_to_remote
from crmsync.connectors.google.multipart import Wire
from crmsync.connectors.google.tasklist import TaskListApi, items_of
from crmsync.connectors.google.tasks_moved import earlier, moved
from crmsync.errors import CollectionGone, CursorExpired, NotFound, ProtocolBroken
from crmsync.ports import Clock, Page
from crmsync.records.remote import Remote

LONGEST = timedelta(days=7)
"""Tombstones do not live for ever: a full read each week finds what is gone."""

AGAIN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the next incremental read starts.

    Attributes:
        list_id: the list that it belongs to.
        newest: the newest `updated` that Google has shown, "" if there was no task.
        full_at: when the last full read began, in seconds.
    """

    list_id: str
    newest: str
    full_at: float

    def to_text(self) -> str:
        """Return the cursor as the cycle keeps it."""
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def from_text(cls, text: str) -> Cursor:
        """Read what `to_text` returned.

        Raises:
            CursorExpired: it is no cursor of ours.
        """
        try:
            whole = orjson.loads(text)
            found = cls(
                str(whole["list_id"]), str(whole["newest"]), float(whole["full_at"])
            )
            if found.newest:
                earlier(found.newest)
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            raise CursorExpired("The cursor of Google's tasks is damaged.") from None
        return found


class Feed:
    """Reads one task list page by page."""

    def __init__(
        self, api: TaskListApi, clock: Clock, *, sleep: Callable[[float], None]
    ):
        """Prepare.

        Args:
            api: the list.
            clock: tells the age of a cursor.
            sleep: waits before a list is looked for a second time.
        """
        self._api = api
        self._clock = clock
        self._sleep = sleep

    def read(self, text: str | None) -> Iterator[Page]:
        """Yield pages; see `ports.Side.read`.

        Raises:
            CursorExpired: read again without a cursor.
            CollectionGone: the list is deleted.
        """
        now = self._clock.now().timestamp()
        cursor = Cursor(self._api.list_id, "", now)
        params: dict[str, str] = {}
        if text is not None:
            cursor = self._checked(text, now)
            if cursor.newest:
                params["updatedMin"] = earlier(cursor.newest)
        newest = cursor.newest
        while True:
            page = self._one(params, deleted=bool(cursor.newest))
            tasks = items_of(page)
            newest = max([newest, *(str(t.get("updated") or "") for t in tasks)])
            records = self._records(tasks)
            following = str(page.get("nextPageToken") or "")
            if not following:
                yield Page(records, replace(cursor, newest=newest).to_text())
                return
            yield Page(records)
            params["pageToken"] = following

    def _checked(self, text: str, now: float) -> Cursor:
        cursor = Cursor.from_text(text)
        if cursor.list_id != self._api.list_id:
            raise CursorExpired("Another task list was chosen.")
        if not 0 <= now - cursor.full_at <= LONGEST.total_seconds():
            raise CursorExpired("The last full read is too long ago.")
        return cursor

    def _one(self, params: dict[str, str], *, deleted: bool) -> Wire:
        try:
            return self._api.page(params, deleted=deleted)
        except NotFound as error:
            if "pageToken" in params:
                raise ProtocolBroken(error.message) from error
        self._sleep(AGAIN_SECONDS)
        try:
            return self._api.page(params, deleted=deleted)
        except NotFound:
            raise CollectionGone(
                "Google does not find the task list: it was deleted.",
                next_step="Choose a task list in Options.",
            ) from None

    def _records(self, tasks: list[Wire]) -> tuple[Remote, ...]:
        own = [task for task in tasks if not is_assigned(task)]
        return judged(self._api, own)


def judged(api: TaskListApi, tasks: list[Wire]) -> tuple[Remote, ...]:
    """Return tasks as the cycle sees them; who moved away has left, and lives on."""
    gone = {str(t.get("id") or ""): t for t in tasks if t.get("deleted")}
    elsewhere = moved(api, gone)
    records = []
    for task in tasks:
        name = str(task.get("id") or "")
        if name in elsewhere:
            alive = task_to_remote({**task, "deleted": False})
            records.append(replace(alive, is_selected=False))
        else:
            records.append(task_to_remote(task))
    return tuple(records)
