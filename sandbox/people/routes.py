"""Which method of the People API is which function, and what it costs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sandbox.errors import missing_scope
from sandbox.messages import Json
from sandbox.people import groups, reads, writes
from sandbox.people.context import Context
from sandbox.people.feed import Pages, is_full_sync_start, list_connections
from sandbox.people.gate import Gate
from sandbox.people.quotas import Quotas
from sandbox.people.state import Book, Env

if TYPE_CHECKING:
    from sandbox.discovery import Method

Handler = Callable[[Context], Json]

_CONTACT_SCOPES = {
    "https://www.googleapis.com/auth/contacts",
    "https://www.googleapis.com/auth/contacts.readonly",
}


@dataclass(frozen=True, slots=True)
class Entry:
    handler: Handler
    mutates: bool = False


class People:
    """The People API of all accounts."""

    name = "people"

    def __init__(self, env: Env) -> None:
        self._env = env
        self.quotas = Quotas(env.clock, env.switches)
        self._pages = Pages()
        self._books: dict[str, Book] = {}
        self._gates: dict[str, Gate] = {}
        self._lock = threading.Lock()
        self._table = _table(self._pages)

    def book(self, account: str) -> Book:
        with self._lock:
            if account not in self._books:
                self._books[account] = Book(account, self._env)
                self._gates[account] = Gate(self._env.switches)
            return self._books[account]

    def gate(self, account: str) -> Gate:
        self.book(account)
        return self._gates[account]

    def handles(self, method_id: str) -> bool:
        return method_id in self._table

    def call(self, method: Method, ctx: Context, scopes: frozenset[str]) -> Json:
        """Run one method for one account.

        Raises:
            ApiError: the refusal, in Google's words.
        """
        entry = self._table[method.id]
        _check_contact_scope(method, ctx, scopes)
        costs = _costs(method.id, ctx, entry.mutates, self._env.switches.batch_cost)
        if not entry.mutates:
            self.quotas.spend(ctx.project, ctx.book.owner, costs)
            with ctx.book.lock:
                return entry.handler(ctx)
        gate = self._gates[ctx.book.owner]
        with gate.turn(alone=not ctx.request.concurrent):
            return self._mutate(entry.handler, ctx, costs)

    def _mutate(self, handler: Handler, ctx: Context, costs: dict[str, int]) -> Json:
        after = self._env.switches.write_quota_executes
        reading = {k: v for k, v in costs.items() if k == "critical"} if after else {}
        before = {k: v for k, v in costs.items() if k not in reading}
        self.quotas.spend(ctx.project, ctx.book.owner, before)
        with ctx.book.lock:
            answer = handler(ctx)
        self.quotas.spend(ctx.project, ctx.book.owner, reading)
        return answer


def _table(pages: Pages) -> dict[str, Entry]:
    read: dict[str, Handler] = {
        "people.connections.list": partial(list_connections, pages=pages),
        "people.get": reads.get_person,
        "people.getBatchGet": reads.get_batch,
        "people.searchContacts": reads.search,
        "people.listDirectoryPeople": reads.directory,
        "people.searchDirectoryPeople": reads.directory,
        "otherContacts.list": reads.list_other,
        "otherContacts.search": reads.search_other,
        "contactGroups.list": groups.list_groups,
        "contactGroups.get": groups.get_group,
        "contactGroups.batchGet": groups.batch_get,
    }
    write: dict[str, Handler] = {
        "people.createContact": writes.create_contact,
        "people.updateContact": writes.update_contact,
        "people.deleteContact": writes.delete_contact,
        "people.batchCreateContacts": writes.batch_create,
        "people.batchUpdateContacts": writes.batch_update,
        "people.batchDeleteContacts": writes.batch_delete,
        "people.updateContactPhoto": writes.update_photo,
        "people.deleteContactPhoto": writes.delete_photo,
        "otherContacts.copyOtherContactToMyContactsGroup": reads.copy_other,
        "contactGroups.create": groups.create_group,
        "contactGroups.update": groups.update_group,
        "contactGroups.delete": groups.delete_group,
        "contactGroups.members.modify": groups.modify_members,
    }
    table = {f"people.{k}": Entry(v) for k, v in read.items()}
    return table | {f"people.{k}": Entry(v, mutates=True) for k, v in write.items()}


def _check_contact_scope(method: Method, ctx: Context, scopes: frozenset[str]) -> None:
    """A profile scope opens people/me only, not the contacts."""
    if method.id not in ("people.people.get", "people.people.getBatchGet"):
        return
    one = [ctx.params["resourceName"]] if "resourceName" in ctx.params else []
    names = ctx.params.get("resourceNames", one)
    if any(name != "people/me" for name in names) and not scopes & _CONTACT_SCOPES:
        raise missing_scope(method.service, method.rpc)


def _costs(method_id: str, ctx: Context, mutates: bool, per: str) -> dict[str, int]:
    """Writes pay for their post-mutate read as a critical read (0.10, 4.5)."""
    size = 1
    if per == "each":
        size = max(_writes(ctx), len(ctx.params.get("resourceNames", ())))
    if ".contactGroups." in method_id:
        return {} if mutates else {"reads": 1}
    if not mutates:
        costs = {"critical": size, "reads": size}
        if method_id.endswith("connections.list") and is_full_sync_start(ctx.params):
            costs["full_sync"] = 1
        return costs
    costs = {"fbs": _writes(ctx)}
    if "Photo" in method_id:
        costs["photos"] = 1
    if _reads_back(method_id, ctx):
        costs["critical"] = size
    return costs


def _writes(ctx: Context) -> int:
    listed = ctx.body.get("contacts") or ctx.body.get("resourceNames")
    return len(listed) if listed else 1


def _reads_back(method_id: str, ctx: Context) -> bool:
    if method_id.endswith(("createContact", "updateContact")):
        return True
    if "batch" in method_id:
        return bool(ctx.body.get("readMask"))
    return bool(ctx.body.get("personFields") or ctx.params.get("personFields"))
