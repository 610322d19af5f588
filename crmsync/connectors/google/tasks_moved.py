"""Whether a task that left its list is deleted, or in another list (TSK-4).

Google shows both alike: as a tombstone, or as nothing at all. Whether a task keeps its
id when it is moved is not known: it is looked for by its id and by our key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from crmsync.connectors.google.mapping.tasks import read_notes
from crmsync.connectors.google.multipart import PARTS, Wire
from crmsync.connectors.google.tasklist import TaskListApi, items_of
from crmsync.errors import CrmSyncError, NotFound

OVERLAP = timedelta(seconds=300)
MOST_LISTS = 50
MOST_PAGES = 20


def moved(api: TaskListApi, gone: Mapping[str, Wire | None]) -> frozenset[str]:
    """Return which tasks live on in another list of the account.

    Args:
        api: the list that they left.
        gone: their tombstones by id; None where there is none.

    Raises:
        CrmSyncError: Google can not be asked just now.
    """
    if not gone:
        return frozenset()
    keys = {
        key: name
        for name, task in gone.items()
        if task and (key := read_notes(task.get("notes")).key)
    }
    stamps = [str(task.get("updated") or "") for task in gone.values() if task]
    found: set[str] = set()
    for list_id in _others(api):
        found |= _by_id(api, list_id, [name for name in gone if name not in found])
        if keys and all(stamps):
            found |= _by_key(api, list_id, keys, min(stamps))
    return frozenset(found)


def _others(api: TaskListApi) -> list[str]:
    own = str(api.this_list().get("id") or "")
    token, found = "", []
    while True:
        page = api.lists(token)
        found += [str(item.get("id") or "") for item in items_of(page)]
        token = str(page.get("nextPageToken") or "")
        if not token or len(found) > MOST_LISTS:
            return [name for name in found if name and name != own][:MOST_LISTS]


def _by_id(api: TaskListApi, list_id: str, names: Sequence[str]) -> set[str]:
    found = set()
    for start in range(0, len(names), PARTS):
        part = names[start : start + PARTS]
        answers = api.send([api.get(name, list_id) for name in part])
        for name, answer in zip(part, answers, strict=True):
            if isinstance(answer, NotFound):
                continue
            if isinstance(answer, CrmSyncError):
                raise answer
            if answer.get("id") and not answer.get("deleted"):
                found.add(name)
    return found


def _by_key(
    api: TaskListApi, list_id: str, keys: Mapping[str, str], since: str
) -> set[str]:
    return {
        keys[key]
        for task in _changed(api, list_id, since)
        if (key := read_notes(task.get("notes")).key) in keys
    }


def _changed(api: TaskListApi, list_id: str, since: str) -> Iterator[Wire]:
    params = {"updatedMin": earlier(since)}
    for _ in range(MOST_PAGES):
        page = api.page(params, deleted=False, list_id=list_id)
        yield from items_of(page)
        if not page.get("nextPageToken"):
            return
        params["pageToken"] = str(page["nextPageToken"])


def earlier(stamp: str) -> str:
    """Return the time from which changes are asked for, to miss none (6.4).

    >>> earlier("2026-11-24T09:00:00.123Z")
    '2026-11-24T08:55:00.123Z'

    Raises:
        ValueError: it is no time.
    """
    at = datetime.fromisoformat(stamp) - OVERLAP
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
