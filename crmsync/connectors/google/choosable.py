"""What a person may choose from: calendars and task lists (CAL-23, TSK-5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crmsync.connectors.google.adapter import GoogleHttp
from crmsync.connectors.google.service import build_service
from crmsync.connectors.google.tasklist import TaskListApi

_MOST = 250
WRITERS = frozenset({"owner", "writer"})
READERS = WRITERS | {"writerWithoutPrivateAccess", "reader"}


def calendars(
    http: GoogleHttp, root: str, roles: frozenset[str] = WRITERS
) -> list[tuple[str, str]]:
    """Return an account's calendars: id and name, the own one first.

    Args:
        http: the account.
        root: of the Calendar API.
        roles: what the account must be in a calendar.

    Raises:
        CrmSyncError: Google can not be asked, or did not grant the list.
    """
    listed = build_service("calendar", "v3", http, root).calendarList()
    found: list[tuple[str, str]] = []
    for entry in _pages(listed):
        if entry.get("accessRole") not in roles or entry.get("deleted"):
            continue
        is_own = bool(entry.get("primary"))
        name = str(entry.get("summaryOverride") or entry.get("summary") or entry["id"])
        choice = ("primary" if is_own else str(entry["id"]), name)
        found.insert(0 if is_own else len(found), choice)
    return found


def _pages(listed: Any) -> Iterator[dict[str, Any]]:
    token = ""
    while True:
        more = {"pageToken": token} if token else {}
        page = listed.list(maxResults=_MOST, prettyPrint=False, **more).execute()
        yield from page.get("items", ())
        token = page.get("nextPageToken", "")
        if not token:
            return


def task_lists(http: GoogleHttp, root: str) -> list[tuple[str, str]]:
    """Return an account's task lists: id and name, the default one first.

    Raises:
        CrmSyncError: Google can not be asked.
    """
    api = TaskListApi(http, root, "@default")
    default = str(api.this_list().get("id") or "")
    found: list[tuple[str, str]] = []
    token = ""
    while True:
        page = api.lists(token)
        for entry in page.get("items", ()):
            is_default = entry["id"] == default
            name = str(entry.get("title") or entry["id"])
            choice = ("@default" if is_default else str(entry["id"]), name)
            found.insert(0 if is_default else len(found), choice)
        token = str(page.get("nextPageToken") or "")
        if not token:
            return found
