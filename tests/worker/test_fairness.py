"""A long first cycle keeps nobody waiting (ENG-9)."""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from cli import builtin
from crmsync import enqueue
from crmsync.services import accounts, grouping, scheduling
from crmsync.storage.people import User
from tests.sandbox.harness import SandboxServer
from tests.support.farm import Farm
from tests.support.product import ACTOR, Product
from tests.support.redis_server import RedisServer
from tests.worker.steps import pair_id, select_people

BEN = "ben@shop.example"


@pytest.fixture
def product(
    tmp_path: Path, box: SandboxServer, redis: RedisServer
) -> Iterator[Product]:
    variables = {"redis_url": redis.url, "slice_seconds": 0.2, "tick_seconds": 60}
    made = Product(tmp_path, box.url, variables=variables)
    made.set("first_cycle", "run")
    made.set("hold_creates", "5000")
    yield made
    made.close()


def add_ben(product: Product, box: SandboxServer) -> User:
    box.account(BEN, "Ben")
    ben = accounts.add_user(product.app, BEN, name="Ben")
    builtin.create_group(product.app, "Bens", BEN)
    grouping.designate(product.app, ben, "Bens", actor=ACTOR)
    product.connect(ben)
    row = builtin.edit_contact(product.app, "new", {"first": "Zoe"})
    builtin.change_members(product.app, "Bens", [row["id"]], selected=True)
    return ben


def is_done(farm: Farm, user: User) -> bool:
    return [cycle.state for cycle in farm.cycles(user)] == ["succeeded"]


@pytest.mark.timeout(120)
@pytest.mark.rule("ENG-9")
def test_who_comes_second_is_done_before_a_long_cycle_ends(
    product: Product, anna: User, box: SandboxServer, redis: RedisServer
) -> None:
    ben = add_ben(product, box)
    select_people(product, 1000)
    box.fault({"type": "delay", "seconds": 0.3}, path=":batchCreateContacts")
    assert scheduling.tick(product.app) == [
        pair_id(product, anna),
        pair_id(product, ben),
    ]

    farm = Farm(product, redis.socket)
    farm.add_worker()
    try:
        farm.wait_for(lambda: is_done(farm, anna) and is_done(farm, ben), 60, "both")
    finally:
        farm.stop()

    (long,), (short,) = farm.cycles(anna), farm.cycles(ben)
    assert long.started_at < short.started_at
    assert short.finished_at < long.finished_at
    assert long.counts["google"]["created"] == 1000


@pytest.mark.rule("ENG-9")
def test_what_a_person_waits_for_comes_before_regular_cycles(
    redis: RedisServer,
) -> None:
    doorbell = enqueue.RedisDoorbell(redis.url)
    for pair, queue in (
        ("a:contacts", enqueue.SYNC),
        ("b:mail", enqueue.MAIL),
        ("c:contacts", enqueue.NOW),
    ):
        assert doorbell.ring(pair, queue)

    client = Redis.from_url(redis.url)
    queues = [
        Queue(name, connection=client, serializer=JSONSerializer)
        for name in enqueue.QUEUES
    ]
    order = [job.args[0] for queue in queues for job in queue.jobs]
    client.close()

    assert order == ["c:contacts", "b:mail", "a:contacts"]


@pytest.mark.rule("AUTH-6")
def test_a_job_carries_ids_only_and_no_pickle(redis: RedisServer) -> None:
    enqueue.RedisDoorbell(redis.url).ring("user1:contacts", enqueue.NOW)

    client = Redis.from_url(redis.url)
    (job_id,) = Queue("now", connection=client, serializer=JSONSerializer).job_ids
    data = client.hget(f"rq:job:{job_id}", "data")
    client.close()

    assert isinstance(data, bytes)
    assert zlib.decompress(data) == (
        b'["worker.jobs.work_on_pair", null, ["user1:contacts"], {}]'
    )


@pytest.mark.rule("AUTH-9")
def test_every_job_name_leads_to_a_function_with_its_parameters() -> None:
    module, _, name = enqueue.WORK_ON_PAIR.rpartition(".")
    function = getattr(import_module(module), name)

    assert list(inspect.signature(function).parameters) == ["pair_id"]
