"""The calls of the Tasks API that we make, typed; nothing is decided here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crmsync.connectors.google.adapter import GoogleHttp
from crmsync.connectors.google.faults import TASKS_JUDGE
from crmsync.connectors.google.mapping.tasks import TASK_FIELDS
from crmsync.connectors.google.multipart import Multipart, Request, Wire
from crmsync.connectors.google.service import batch_url, build_service
from crmsync.errors import CrmSyncError, OutcomeUnknown, ProtocolBroken

PAGE_SIZE = 100
LISTS = 1000


class TaskListApi:
    """One connection's tasks; every call may raise as `GoogleHttp.request`."""

    def __init__(self, http: GoogleHttp, root: str, list_id: str):
        """Build the client.

        Args:
            http: the connection's way to the API.
            root: where the API is, ending in `/`.
            list_id: which task list.
        """
        self.http = http
        self.root = root
        self.list_id = list_id
        service = build_service("tasks", "v1", http, root)
        self._tasks = service.tasks()
        self._lists = service.tasklists()
        self._batch = Multipart(http, batch_url("tasks", "v1", root), TASKS_JUDGE)

    @property
    def quota_units(self) -> int:
        """How many requests counted against the quota so far, parts of batches too."""
        return self.http.counter.total + self._batch.parts

    def page(
        self, params: Mapping[str, str], *, deleted: bool, list_id: str = ""
    ) -> Wire:
        """Return one page of tasks, completed and hidden ones too.

        Args:
            params: `updatedMin` and `pageToken`, where there are any.
            deleted: deleted ones too.
            list_id: of another list than this one.
        """
        request = self._tasks.list(
            tasklist=list_id or self.list_id,
            showCompleted=True,
            showHidden=True,
            showDeleted=deleted,
            showAssigned=False,
            maxResults=PAGE_SIZE,
            fields=f"nextPageToken,items({TASK_FIELDS})",
            prettyPrint=False,
            **params,
        )
        return _wire(request.execute())

    def lists(self, page_token: str) -> Wire:
        """Return one page of the account's task lists."""
        more = {"pageToken": page_token} if page_token else {}
        request = self._lists.list(maxResults=LISTS, prettyPrint=False, **more)
        return _wire(request.execute())

    def this_list(self) -> Wire:
        """Return this list; its id where it is known by another name only."""
        request = self._lists.get(tasklist=self.list_id, prettyPrint=False)
        return _wire(request.execute())

    def insert(self, body: Wire) -> Wire:
        """Make a task: one request, sent once, for nothing tells a repeat from it."""
        request = self._tasks.insert(
            tasklist=self.list_id, body=body, fields=TASK_FIELDS, prettyPrint=False
        )
        try:
            return _wire(request.execute())
        except ProtocolBroken as error:
            raise OutcomeUnknown(error.message) from error

    def get(self, task_id: str, list_id: str = "") -> Request:
        """Return the request that reads one task."""
        request: Request = self._tasks.get(
            tasklist=list_id or self.list_id,
            task=task_id,
            fields=TASK_FIELDS,
            prettyPrint=False,
        )
        return request

    def patch(self, task_id: str, body: Wire) -> Request:
        """Return the request that changes some fields of a task."""
        request: Request = self._tasks.patch(
            tasklist=self.list_id,
            task=task_id,
            body=body,
            fields=TASK_FIELDS,
            prettyPrint=False,
        )
        return request

    def delete(self, task_id: str) -> Request:
        """Return the request that deletes a task."""
        request: Request = self._tasks.delete(tasklist=self.list_id, task=task_id)
        return request

    def send(self, requests: Sequence[Request]) -> list[Wire | CrmSyncError]:
        """Send up to 50 requests at once; creates are never among them."""
        return self._batch.send(requests)


def _wire(found: Any) -> Wire:
    """Return an answer's object; an empty answer is an empty object."""
    if found is None or found in ("", b""):
        return {}
    if not isinstance(found, dict):
        raise ProtocolBroken("Google answered something other than a JSON object.")
    return found


def items_of(page: Wire) -> list[Wire]:
    """Return a page's items; an empty listing may have no such key at all.

    Raises:
        ProtocolBroken: they are none.
    """
    found = page.get("items") or []
    if not isinstance(found, list) or not all(isinstance(t, dict) for t in found):
        raise ProtocolBroken("Google's listing of tasks is malformed.")
    return found
