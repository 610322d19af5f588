"""A sandbox and a product per test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.harness import SandboxServer
from tests.support.product import Product

ANNA = "anna@shop.example"


@pytest.fixture
def box() -> Iterator[SandboxServer]:
    options = ("--quota", "off", "--delay", "0", "--account", ANNA)
    with SandboxServer(*options) as server:
        yield server


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """Where the product keeps its state and the CRM; some tests run on both kinds."""
    return f"sqlite:///{tmp_path / 'product.db'}"


@pytest.fixture
def product(tmp_path: Path, box: SandboxServer, database_url: str) -> Iterator[Product]:
    made = Product(tmp_path, box.url, variables={"database_url": database_url})
    yield made
    made.close()
