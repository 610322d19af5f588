"""A Google task list as a side of a pair (TSK-1 … TSK-6).

A `ports.Side`: feed, look-ups and writes of tasks. Google knows no conditional write
of a task: it is read, compared and written, as close together as can be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from crmsync.connectors.google.adapter import GoogleHttp
from crmsync.connectors.google.batches import Ledger
from crmsync.connectors.google.mapping.tasks import (
    gone,
    is_assigned,
    new_task,
    task_patch,
    task_to_remote,
)
from crmsync.connectors.google.multipart import PARTS, Request, Wire
from crmsync.connectors.google.tasklist import TaskListApi, items_of
from crmsync.connectors.google.tasks_feed import Feed
from crmsync.connectors.google.tasks_moved import moved
from crmsync.errors import (
    CrmSyncError,
    EtagMismatch,
    InvalidRecord,
    NotFound,
    OutcomeUnknown,
    PermissionMissing,
    ReconnectNeeded,
    Retryable,
)
from crmsync.ports import NO_ETAGS, Clock, Edit, NewRecord, Opened, Outcome, Page
from crmsync.records.remote import Remote
from crmsync.records.values import FieldTable, SideName, Values

PROBE = timedelta(minutes=15)
"""A create that comes again is looked for among what is not older than this."""


@dataclass(frozen=True, slots=True)
class TasksOptions:
    """What differs between users.

    Attributes:
        list_id: which task list (TSK-5).
        link_prefix: with the id of a CRM record behind it, its address; "" for none.
    """

    list_id: str = "@default"
    link_prefix: str = ""


class GoogleTasks:
    """One task list of one Google account; one user of it at a time."""

    name = SideName.GOOGLE
    batch_size = PARTS

    def __init__(
        self,
        http: GoogleHttp,
        root: str,
        *,
        table: FieldTable,
        clock: Clock,
        options: TasksOptions | None = None,
    ):
        """Build the side; nothing is requested yet.

        Args:
            http: the connection's way to the Tasks API.
            root: where the API is (`GoogleEndpoints.tasks`).
            table: the mapped fields.
            clock: tells the age of a cursor.
            options: the list, and where the CRM is.
        """
        chosen = options or TasksOptions()
        self._http = http
        self._api = TaskListApi(http, root, chosen.list_id)
        self._table = table
        self._clock = clock
        self._link_prefix = chosen.link_prefix
        self._feed = Feed(self._api, clock, sleep=http.transport.nature.sleep)

    @property
    def requests(self) -> int:
        """How many requests went to the Tasks API so far; a batch is one."""
        return self._http.counter.total

    @property
    def quota_units(self) -> int:
        """How many of them count against the quota: the parts of batches, too."""
        return self._api.quota_units

    @property
    def skew(self) -> timedelta:
        """How far Google's clock is ahead of ours, as last seen (decision 15)."""
        return self._http.transport.skew(self._api.root)

    def open(self, memo: Mapping[str, str], *, verify: bool, may_write: bool) -> Opened:
        """Do nothing: reading tells whether the list is there."""
        return Opened(dict(memo))

    # ------------------------------------------------------------------ reading

    def read(self, cursor: str | None) -> Iterator[Page]:
        """Read all tasks, or the changes since; see `ports.Side.read`.

        Raises:
            CursorExpired: the last full read is too old, or of another list.
            CollectionGone: the list is deleted.
        """
        return self._feed.read(cursor)

    def fetch(self, remote_ids: Sequence[str]) -> Mapping[str, Remote]:
        """Read tasks as they are now; see `ports.Side.fetch`.

        Who was moved to another list is answered as not selected any more.

        Raises:
            Retryable: Google can not be asked just now.
        """
        tasks = self._look(remote_ids)
        missing = {n: t for n, t in tasks.items() if t is None or t.get("deleted")}
        elsewhere = moved(self._api, missing)
        found = {}
        for name, task in tasks.items():
            if name in elsewhere:
                alive = task_to_remote({**(task or {"id": name}), "deleted": False})
                found[name] = replace(alive, is_selected=False)
            else:
                found[name] = gone(name) if task is None else task_to_remote(task)
        return found

    def _look(self, names: Sequence[str]) -> dict[str, Wire | None]:
        """Return tasks by id; None: there is none."""
        found: dict[str, Wire | None] = dict.fromkeys(names)
        wanted = [name for name in found if name]
        for start in range(0, len(wanted), PARTS):
            part = wanted[start : start + PARTS]
            answers = self._api.send([self._api.get(name) for name in part])
            for name, answer in zip(part, answers, strict=True):
                if isinstance(answer, NotFound):
                    continue
                if isinstance(answer, CrmSyncError):
                    raise answer
                found[name] = answer if answer.get("id") else None
        return found

    def project(self, remote: Remote, base: Values | None) -> Values:
        """Return a task's fields; none of them depends on a base."""
        return remote.values

    # ------------------------------------------------------------------ writing

    def create(self, records: Sequence[NewRecord]) -> Sequence[Outcome]:
        """Create tasks one after the other; see `ports.Side.create`.

        Google takes no id of ours and has no place for a key but the notes. What was
        made before, without our hearing of it, is looked for first.

        Raises:
            Retryable: nothing of the call happened.
        """
        ledger = Ledger(len(records))
        if not records:
            return []
        known = self._made_before({record.key for record in records})

        def insert(places: Sequence[int]) -> None:
            record = records[places[0]]
            if record.key in known:
                ledger.found[places[0]] = Outcome(known[record.key])
                return
            task = self._api.insert(new_task(record, self._link_prefix))
            if not task.get("id"):
                raise OutcomeUnknown("Google's answer does not show the task.")
            ledger.found[places[0]] = Outcome(task_to_remote(task))

        return ledger.send_all([[place] for place in range(len(records))], insert)

    def _made_before(self, keys: set[str]) -> dict[str, Remote]:
        """Return tasks of the last minutes that carry one of our keys."""
        since = self._clock.now() + self.skew - PROBE
        text = since.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        params, found = {"updatedMin": text}, {}
        while True:
            page = self._api.page(params, deleted=True)
            for task in items_of(page):
                alive = task_to_remote({**task, "deleted": False})
                if alive.key in keys:
                    found[alive.key] = task_to_remote(task)
            if not page.get("nextPageToken"):
                return found
            params["pageToken"] = str(page["nextPageToken"])

    def update(self, edits: Sequence[Edit]) -> Sequence[Outcome]:
        """Write fields of tasks; see `ports.Side.update`.

        Raises:
            Retryable: nothing of the call happened.
        """
        ledger = Ledger(len(edits))

        def send(places: Sequence[int]) -> None:
            tasks = self._look([edits[n].remote_id for n in places])
            requests = {}
            for n in places:
                found = self._drafted(edits[n], tasks[edits[n].remote_id])
                if isinstance(found, Outcome):
                    ledger.found[n] = found
                else:
                    requests[n] = self._api.patch(edits[n].remote_id, found)
            self._send(requests, ledger)

        return ledger.send_all(_parts(len(edits)), send)

    def _drafted(self, edit: Edit, fresh: Wire | None) -> Wire | Outcome:
        if fresh is None or fresh.get("deleted"):
            return Outcome(error=NotFound(f"The task {edit.remote_id} is gone."))
        if is_assigned(fresh):
            why = "The task was assigned in a document or chat: change it there."
            return Outcome(error=InvalidRecord(why, code="assigned"))
        remote = task_to_remote(fresh)
        is_seen = self._table.are_same(remote.values, edit.seen)
        if remote.etag != edit.etag and not is_seen:
            return Outcome(remote, EtagMismatch("The task was changed meanwhile."))
        try:
            return task_patch(edit, fresh, self._link_prefix) or Outcome(remote)
        except InvalidRecord as error:
            return Outcome(error=error)

    def delete(
        self,
        remote_ids: Sequence[str],
        *,
        etags: Mapping[str, str] = NO_ETAGS,
        notifies: frozenset[str] = frozenset(),
    ) -> Sequence[Outcome]:
        """Delete tasks; see `ports.Side.delete`.

        An assigned task is left alone: its original would go along (contract, 6.1).

        Raises:
            Retryable: nothing of the call happened.
        """
        ledger = Ledger(len(remote_ids))

        def send(places: Sequence[int]) -> None:
            tasks = self._look([remote_ids[n] for n in places])
            requests = {}
            for n in places:
                name = remote_ids[n]
                found = _checked(tasks[name], etags.get(name, ""))
                if found is None:
                    requests[n] = self._api.delete(name)
                else:
                    ledger.found[n] = found
            self._send(requests, ledger)

        return ledger.send_all(_parts(len(remote_ids)), send)

    def _send(self, requests: Mapping[int, Request], ledger: Ledger) -> None:
        if not requests:
            return
        lasting: CrmSyncError | None = None
        answers = self._api.send(list(requests.values()))
        for (n, request), answer in zip(requests.items(), answers, strict=True):
            if isinstance(answer, NotFound) and request.method == "DELETE":
                ledger.found[n] = Outcome()
            elif isinstance(answer, CrmSyncError):
                ledger.fail([n], answer)
                lasting = answer if _lasts(answer) else lasting
            else:
                ledger.is_written = True
                remote = task_to_remote(answer) if answer.get("id") else None
                ledger.found[n] = Outcome(remote)
        if lasting is not None:
            raise lasting

    def select(self, remote_ids: Sequence[str]) -> Sequence[Outcome]:
        """Do nothing: every task of a list is selected."""
        return [Outcome() for _ in remote_ids]

    def deselect(self, remote_ids: Sequence[str]) -> Sequence[Outcome]:
        """Do nothing: no task can leave its list without being moved or deleted."""
        return [Outcome() for _ in remote_ids]


def _checked(task: Wire | None, etag: str) -> Outcome | None:
    """Return why a task is not to be deleted, or not any more; None if it is."""
    if task is None or task.get("deleted"):
        return Outcome()
    if is_assigned(task):
        why = "The task was assigned in a document or chat: delete it there."
        return Outcome(error=InvalidRecord(why, code="assigned"))
    remote = task_to_remote(task)
    if etag and etag != remote.etag:
        return Outcome(remote, EtagMismatch("The task was changed meanwhile."))
    return None


def _lasts(error: CrmSyncError) -> bool:
    """Whether nothing more can be written just now."""
    if isinstance(error, OutcomeUnknown):
        return False
    return isinstance(error, (Retryable, PermissionMissing, ReconnectNeeded))


def _parts(count: int) -> list[Sequence[int]]:
    return [range(count)[start : start + PARTS] for start in range(0, count, PARTS)]
