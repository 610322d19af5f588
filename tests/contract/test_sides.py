"""All sides keep the contract."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crmsync.storage.database import make_database
from tests.conftest import NewUrl
from tests.contract.benches import (
    BuiltinBench,
    MemoryBench,
    MemoryCrmBench,
    memory_crm,
    memory_google,
)
from tests.contract.crm_contract import CrmSideContract
from tests.contract.side_contract import SideContract
from tests.support.memory_sides import MemoryGoogle


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
