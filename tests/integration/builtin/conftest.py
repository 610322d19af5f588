from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crmsync.storage.database import Database, make_database
from tests.contract.benches import BuiltinBench


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = make_database(f"sqlite:///{tmp_path / 'crm.db'}")
    yield made
    made.close()


@pytest.fixture
def bench(database: Database) -> BuiltinBench:
    return BuiltinBench(database)
