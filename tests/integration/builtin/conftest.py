from __future__ import annotations

from collections.abc import Iterator

import pytest

from crmsync.storage.database import Database, make_database
from tests.conftest import NewUrl
from tests.contract.benches import BuiltinBench


@pytest.fixture
def database(new_url: NewUrl) -> Iterator[Database]:
    made = make_database(new_url())
    yield made
    made.close()


@pytest.fixture
def bench(database: Database) -> BuiltinBench:
    return BuiltinBench(database)
