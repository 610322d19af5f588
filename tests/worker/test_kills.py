"""Real processes are killed in the middle of a cycle: nothing lost, nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from redis import Redis

from crmsync.services import checking
from crmsync.storage.people import User
from tests.e2e.conftest import ANNA
from tests.sandbox.harness import SandboxServer
from tests.support.farm import KILLS, Farm
from tests.support.product import Product
from tests.worker.steps import links_of, select_people

LEASE, TICK = 3, 1
MANY = 450


@pytest.fixture
def farm(tmp_path: Path, box: SandboxServer) -> Iterator[Farm]:
    with TemporaryDirectory(prefix="f-") as folder:
        socket = Path(folder) / "redis.sock"
        variables = {
            "redis_url": f"unix://{socket}",
            "lease_seconds": LEASE,
            "tick_seconds": TICK,
            "settle_seconds": 2,
        }
        product = Product(tmp_path, box.url, variables=variables)
        product.set("first_cycle", "run")
        made = Farm(product, socket)
        try:
            made.start()
            yield made
        finally:
            made.stop()
            product.close()


@pytest.fixture
def anna(farm: Farm) -> User:
    user = farm.product.add_user(ANNA)
    farm.product.connect(user)
    return user


def begin(farm: Farm, box: SandboxServer, user: User) -> None:
    """Let a long first cycle begin, and wait until creates are on their way."""
    select_people(farm.product, MANY)
    box.fault({"type": "delay", "seconds": 1.0}, path=":batchCreateContacts")
    farm.sync_now(user)
    farm.wait_for(lambda: farm.is_writing(user), 20, "the first creates")


def check_everything_once(farm: Farm, box: SandboxServer, user: User) -> None:
    assert len(box.people(ANNA)) == MANY
    assert len(links_of(farm.product)) == MANY
    assert checking.check(farm.product.app)["ok"]


@pytest.mark.timeout(120)
@pytest.mark.rule("ENG-2", "ENG-4", "ENG-5")
@pytest.mark.parametrize("what", KILLS)
def test_a_cycle_is_finished_whoever_was_killed(
    farm: Farm, box: SandboxServer, anna: User, what: str
) -> None:
    begin(farm, box, anna)
    token, began = farm.pair(anna).lease_token, farm.product.app.clock.now()

    farm.kill(what)

    if what in {"work-horse", "both"}:
        farm.wait_for(
            lambda: farm.pair(anna).lease_token > token,
            LEASE + TICK + 20,
            "a successor",
        )
    box.clear_faults()
    farm.sync_now(anna)
    farm.wait_for(lambda: farm.is_quiet(anna, began), 60, "everything done")
    check_everything_once(farm, box, anna)


@pytest.mark.timeout(120)
@pytest.mark.rule("ENG-4")
def test_a_redis_that_is_emptied_in_the_middle_loses_nothing(
    farm: Farm, box: SandboxServer, anna: User
) -> None:
    begin(farm, box, anna)
    began = farm.product.app.clock.now()

    Redis.from_url(f"unix://{farm.socket}").flushall()

    box.clear_faults()
    farm.sync_now(anna)
    farm.wait_for(lambda: farm.is_quiet(anna, began), 60, "everything done")
    check_everything_once(farm, box, anna)
