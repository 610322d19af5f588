"""Benches for the side contract: the fakes in memory, and the built-in CRM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from crm import contacts, groups
from crm.accounts import AccountRule
from crm.common import Author
from crm.tables import metadata
from crmsync.connectors.builtin.contacts import BuiltinContacts, BuiltinOptions
from crmsync.storage.database import Database
from tests.contract.side_contract import INSTALLATION, USER
from tests.support.memory_sides import Memory, MemoryCrm, MemoryGoogle
from tests.support.memory_state import VirtualClock

DELAY = 20.0

M = TypeVar("M", bound=Memory)


class MemoryBench(Generic[M]):
    """A side in memory and a hand on its rows."""

    def __init__(self, side: M, unknown_id: str) -> None:
        self.side = side
        self.unknown_id = unknown_id

    def put(self, values: Mapping[str, str], *, selected: bool = True) -> str:
        return self.side.put(values, selected=selected).remote_id

    def edit(self, remote_id: str, values: Mapping[str, str]) -> None:
        self.side.edit(remote_id, **values)

    def mark(self, remote_id: str, *, selected: bool) -> None:
        self.side.set_selected(remote_id, selected)

    def remove(self, remote_id: str) -> None:
        self.side.remove(remote_id)

    def settle(self) -> None:
        self.side.clock.advance(DELAY + 1)


class MemoryCrmBench(MemoryBench[MemoryCrm]):
    def drop_collection(self) -> None:
        self.side.group_is_gone = True


def memory_google() -> MemoryBench[MemoryGoogle]:
    """Google in memory; its feed is late."""
    return MemoryBench(MemoryGoogle(VirtualClock(), delay=DELAY), "people/c99999")


def memory_crm() -> MemoryCrmBench:
    return MemoryCrmBench(MemoryCrm(VirtualClock()), "C99999")


class BuiltinBench:
    """The built-in CRM over a database, and another user's hand on its contacts."""

    unknown_id = "CNEVERTHERE2"

    def __init__(self, database: Database, **options: Any) -> None:
        self.database = database
        self.clock = VirtualClock()
        self.hand = Author("U0")
        metadata.create_all(database.engine)
        with database.write() as conn:
            self.group_id = groups.create(conn, "Sync").id
        self.side = self.new_side(**options)

    def new_side(self, **options: Any) -> BuiltinContacts:
        given = {
            "group_id": self.group_id,
            "crm_user_id": "U1",
            "installation": INSTALLATION,
            "user": USER,
            **options,
        }
        return BuiltinContacts(self.database, BuiltinOptions(**given), clock=self.clock)

    def put(self, values: Mapping[str, str], *, selected: bool = True) -> str:
        with self.database.write() as conn:
            made = contacts.create(conn, values, account=AccountRule(), by=self.hand)
            if selected:
                groups.add_members(conn, self.group_id, contact_ids=[made.id])
        return made.id

    def edit(self, remote_id: str, values: Mapping[str, str]) -> None:
        with self.database.write() as conn:
            contacts.update(conn, remote_id, changes=values, by=self.hand)

    def mark(self, remote_id: str, *, selected: bool) -> None:
        change = groups.add_members if selected else groups.remove_members
        with self.database.write() as conn:
            change(conn, self.group_id, contact_ids=[remote_id])

    def remove(self, remote_id: str) -> None:
        with self.database.write() as conn:
            contacts.delete(conn, remote_id, by=self.hand)

    def settle(self) -> None:
        """Nothing to wait for: the feed shows what is committed."""

    def drop_collection(self) -> None:
        with self.database.write() as conn:
            groups.delete(conn, self.group_id, by=self.hand)
