"""All sides keep the contract."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crmsync.storage.database import make_database
from tests.conftest import NewUrl
from tests.contract.benches import (
    ActivityBench,
    BuiltinBench,
    MemoryBench,
    MemoryCrmBench,
    TodoBench,
    meeting,
    memory_crm,
    memory_google,
    todo,
)
from tests.contract.crm_contract import AnyCrmSideContract, CrmSideContract
from tests.contract.side_contract import SideContract
from tests.support.memory_sides import MemoryGoogle

PLAIN = ("subject", "start", "duration", "location", "notes", "recurrence", "zone")
"""What a person's hand fills; the section of CAL-5 is the side's own."""


class TestMemoryGoogle(SideContract):
    @pytest.fixture
    def bench(self) -> MemoryBench[MemoryGoogle]:
        return memory_google()


class TestMemoryCrm(CrmSideContract):
    @pytest.fixture
    def bench(self) -> MemoryCrmBench:
        return memory_crm()


class TestBuiltinContacts(CrmSideContract):
    @pytest.fixture
    def bench(self, new_url: NewUrl) -> Iterator[BuiltinBench]:
        database = make_database(new_url())
        yield BuiltinBench(database)
        database.close()


class TestBuiltinActivities(AnyCrmSideContract):
    free, main = "notes", "subject"

    def values(self) -> dict[str, str]:
        return meeting()

    @pytest.fixture
    def bench(self, new_url: NewUrl) -> Iterator[ActivityBench]:
        database = make_database(new_url())
        yield ActivityBench(database, fields=PLAIN)
        database.close()


class TestBuiltinTasks(AnyCrmSideContract):
    free, main = "notes", "title"

    def values(self) -> dict[str, str]:
        return todo()

    @pytest.fixture
    def bench(self, new_url: NewUrl) -> Iterator[TodoBench]:
        database = make_database(new_url())
        yield TodoBench(database)
        database.close()
