"""A sandbox, a real Redis and a product that rings there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from crmsync.storage.people import User
from tests.e2e.conftest import ANNA
from tests.sandbox.harness import SandboxServer
from tests.support.product import Product
from tests.support.redis_server import RedisServer


@pytest.fixture
def box() -> Iterator[SandboxServer]:
    options = ("--quota", "off", "--delay", "0", "--account", ANNA)
    with SandboxServer(*options) as server:
        yield server


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with TemporaryDirectory(prefix="r-") as folder:
        server = RedisServer(Path(folder) / "redis.sock")
        server.start()
        yield server
        server.stop()


@pytest.fixture
def product(
    tmp_path: Path, box: SandboxServer, redis: RedisServer
) -> Iterator[Product]:
    made = Product(tmp_path, box.url, variables={"redis_url": redis.url})
    made.set("first_cycle", "run")
    yield made
    made.close()


@pytest.fixture
def anna(product: Product) -> User:
    user = product.add_user(ANNA)
    product.connect(user)
    return user
