"""Benches for the side contract: the fakes in memory, and the built-in CRM."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from crm import activities, completion, contacts, groups, users
from crm.accounts import AccountRule
from crm.activityrows import Kind, Participant
from crm.common import Author
from crm.tables import metadata
from crmsync.connectors.builtin.activities import ActivityOptions, BuiltinActivities
from crmsync.connectors.builtin.contacts import BuiltinContacts, BuiltinOptions
from crmsync.connectors.builtin.faults import Store
from crmsync.connectors.builtin.tasks import BuiltinTasks, TaskOptions
from crmsync.storage.database import Database
from tests.contract.side_contract import INSTALLATION, USER
from tests.support.memory_sides import Memory, MemoryCrm, MemoryGoogle
from tests.support.memory_state import VirtualClock

DELAY = 20.0
_numbers = itertools.count(1)

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


def meeting(**values: str) -> dict[str, str]:
    """Return the neutral values of an invented meeting, another one each time."""
    number = next(_numbers)
    return {
        "subject": f"Meeting {number}",
        "start": f"2026-01-{6 + number % 20:02d}T09:00:00Z",
        "duration": "60",
        "notes": "Notes",
        **values,
    }


def todo(**values: str) -> dict[str, str]:
    """Return the neutral values of an invented to-do, another one each time."""
    number = next(_numbers)
    return {
        "title": f"To-do {number}",
        "due": f"2026-01-{6 + number % 20:02d}",
        "notes": "Notes",
        **values,
    }


class ActivityBench:
    """The built-in CRM's activities, and another user's hand on them.

    The CRM's users are Anna, whose side it is, Ben and Cleo; who synchronises and who
    has an address can be changed.
    """

    unknown_id = "VNEVERTHERE2"

    def __init__(self, database: Database, **options: Any) -> None:
        self.database = database
        self.clock = VirtualClock()
        metadata.create_all(database.engine)
        with database.write() as conn:
            self.anna, self.ben, self.cleo = (
                users.add(conn, f"{name}@crm.example", name=name.capitalize()).id
                for name in ("anna", "ben", "cleo")
            )
        self.hand = Author(self.ben)
        self.syncing = {self.anna}
        self.addresses = {
            user: f"{name}@work.example"
            for user, name in ((self.anna, "anna"), (self.ben, "ben"))
        }
        self.side = self.new_side(**options)

    def new_side(
        self, *, store: Store | None = None, **options: Any
    ) -> BuiltinActivities:
        given = {
            "crm_user_id": self.anna,
            "installation": INSTALLATION,
            "user": USER,
            "syncs": lambda user: user in self.syncing,
            "address_of": lambda user: self.addresses.get(user, ""),
            **options,
        }
        return BuiltinActivities(
            store or self.database, ActivityOptions(**given), clock=self.clock
        )

    def put(self, values: Mapping[str, str]) -> str:
        return self.put_for(self.anna, values)

    def put_for(
        self, leader: str, values: Mapping[str, str], *members: str, **more: str
    ) -> str:
        people = [
            Participant(Kind.USER, item, answer="needsAction") for item in members
        ]
        with self.database.write() as conn:
            return activities.create(
                conn,
                {"type": "meeting", **values, **more},
                leader=leader,
                participants=people,
                by=self.hand,
            ).id

    def edit(self, remote_id: str, values: Mapping[str, str]) -> None:
        with self.database.write() as conn:
            activities.update(conn, remote_id, changes=values, by=self.hand)

    def remove(self, remote_id: str) -> None:
        with self.database.write() as conn:
            activities.delete(conn, remote_id, by=self.hand)

    def settle(self) -> None:
        """Nothing to wait for: the feed shows what is committed."""


class TodoBench:
    """The built-in CRM's to-dos, and another user's hand on them."""

    unknown_id = "VNEVERTHERE2"

    def __init__(self, database: Database, **options: Any) -> None:
        self.database = database
        self.clock = VirtualClock()
        metadata.create_all(database.engine)
        with database.write() as conn:
            self.anna = users.add(conn, "anna@crm.example", name="Anna").id
        self.hand = Author("U0")
        self.side = self.new_side(**options)

    def new_side(self, *, store: Store | None = None, **options: Any) -> BuiltinTasks:
        given = {
            "crm_user_id": self.anna,
            "installation": INSTALLATION,
            "user": USER,
            **options,
        }
        return BuiltinTasks(
            store or self.database, TaskOptions(**given), clock=self.clock
        )

    def put(self, values: Mapping[str, str]) -> str:
        with self.database.write() as conn:
            return activities.create(
                conn, {"type": "todo", **_ours(values)}, leader=self.anna, by=self.hand
            ).id

    def edit(self, remote_id: str, values: Mapping[str, str]) -> None:
        with self.database.write() as conn:
            activities.update(conn, remote_id, changes=_ours(values), by=self.hand)

    def complete(self, remote_id: str) -> None:
        with self.database.write() as conn:
            completion.complete(conn, [remote_id], by=self.hand)

    def remove(self, remote_id: str) -> None:
        with self.database.write() as conn:
            activities.delete(conn, remote_id, by=self.hand)

    def settle(self) -> None:
        """Nothing to wait for: the feed shows what is committed."""


def _ours(values: Mapping[str, str]) -> dict[str, str]:
    names = {"title": "subject", "due": "start"}
    return {names.get(name, name): value for name, value in values.items()}
