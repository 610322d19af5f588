"""What is due is computed from the database; Redis is a doorbell."""

from __future__ import annotations

from datetime import timedelta

import pytest
from redis import Redis

from crmsync.errors import UsageError
from crmsync.services import accounts, scheduling, settings, working
from crmsync.storage import people, queueing
from crmsync.storage.people import User
from tests.e2e.conftest import ANNA
from tests.e2e.test_contacts_over_http import hurry
from tests.sandbox.harness import SandboxServer
from tests.support.product import ACTOR, Product
from tests.support.redis_server import RedisServer
from tests.worker.steps import (
    cycles_of,
    pair_id,
    select_people,
    set_pair,
    waiting_jobs,
    work_to_the_end,
)
from worker.schedule import Scheduler


@pytest.mark.timeout(60)
@pytest.mark.rule("RUN-3")
def test_a_due_pair_is_rung_for_once_and_then_when_its_time_comes(
    product: Product, anna: User, redis: RedisServer
) -> None:
    select_people(product, 1)

    first, second = scheduling.tick(product.app), scheduling.tick(product.app)
    work_to_the_end(product, anna)
    third = scheduling.tick(product.app)

    due = people.timing_of(product.app.database, pair_id(product, anna)).next_due_at
    assert (first, second, third) == ([pair_id(product, anna)], [], [])
    assert waiting_jobs(redis) == 1
    assert due is not None
    wait = (due - product.app.clock.now()).total_seconds()
    assert 260 < wait < 340


@pytest.mark.timeout(60)
@pytest.mark.rule("ENG-4")
def test_an_emptied_redis_loses_nothing(
    product: Product, anna: User, redis: RedisServer, box: SandboxServer
) -> None:
    select_people(product, 3)
    scheduling.tick(product.app)
    Redis.from_url(redis.url).flushall()
    assert waiting_jobs(redis) == 0

    now = product.app.clock.now()
    set_pair(product, anna, queued_until=now - timedelta(seconds=1))
    rung = scheduling.tick(product.app)
    work_to_the_end(product, anna)

    assert rung == [pair_id(product, anna)]
    assert len(box.people(ANNA)) == 3


@pytest.mark.timeout(60)
@pytest.mark.rule("ENG-4")
def test_a_redis_that_is_gone_delays_until_a_later_tick(
    product: Product, anna: User, redis: RedisServer
) -> None:
    redis.kill()

    asked = scheduling.sync_now(product.app, anna, ["contacts"], actor=ACTOR)
    silent = scheduling.tick(product.app)
    redis.start()
    heard = scheduling.tick(product.app)

    assert (asked, silent, heard) == (["contacts"], [], [pair_id(product, anna)])


@pytest.mark.timeout(60)
@pytest.mark.rule("WEB-2")
def test_what_is_asked_for_during_a_cycle_is_due_after_it(
    product: Product, anna: User
) -> None:
    select_people(product, 450)
    working.work_on_pair(product.app, pair_id(product, anna), seconds=0)

    scheduling.sync_now(product.app, anna, ["contacts"], actor=ACTOR)
    work_to_the_end(product, anna)

    now = product.app.clock.now()
    services = scheduling.SERVICES
    pair = pair_id(product, anna)
    assert queueing.is_due(product.app.database, services, pair, now)


@pytest.mark.timeout(60)
@pytest.mark.rule("AUTH-9")
def test_a_withheld_or_paused_kind_is_not_rung_for_and_cannot_be_asked_for(
    product: Product, anna: User
) -> None:
    settings.put(product.app, "kinds", "calendar", user_id=anna.user_id, actor=ACTOR)
    assert scheduling.tick(product.app) == []
    with pytest.raises(UsageError, match="withheld"):
        scheduling.sync_now(product.app, anna, ["contacts"], actor=ACTOR)
    with pytest.raises(UsageError, match="withheld"):
        scheduling.pause(product.app, anna, "contacts", actor=ACTOR)

    settings.reset(product.app, "kinds", user_id=anna.user_id)
    scheduling.pause(product.app, anna, "contacts", actor=ACTOR)
    assert scheduling.tick(product.app) == []
    with pytest.raises(UsageError, match="Paused"):
        scheduling.sync_now(product.app, anna, ["contacts"], actor=ACTOR)


@pytest.mark.timeout(60)
@pytest.mark.rule("AUTH-9", "ADM-1")
def test_a_job_that_was_queued_before_its_kind_was_withheld_does_nothing(
    product: Product, anna: User, box: SandboxServer
) -> None:
    select_people(product, 1)
    scheduling.tick(product.app)
    settings.put(product.app, "kinds", "mail", user_id=anna.user_id, actor=ACTOR)
    working.work_on_pair(product.app, pair_id(product, anna))
    settings.reset(product.app, "kinds", user_id=anna.user_id)
    accounts.disable(product.app, anna)
    working.work_on_pair(product.app, pair_id(product, anna))

    assert box.people(ANNA) == []
    assert cycles_of(product) == []


@pytest.mark.timeout(60)
@pytest.mark.rule("AUTH-7", "CON-2", "ENG-6")
def test_a_pair_that_waits_for_a_person_is_not_rung_for(
    product: Product, anna: User
) -> None:
    product.set("first_cycle", "preview")
    select_people(product, 1)
    work_to_the_end(product, anna)
    set_pair(product, anna, next_due_at=None)

    assert cycles_of(product)[-1].state == "held"
    assert scheduling.tick(product.app) == []


@pytest.mark.timeout(60)
@pytest.mark.rule("AUTH-7")
def test_a_dead_grant_is_told_once_and_then_not_tried_again(
    product: Product, anna: User, box: SandboxServer
) -> None:
    select_people(product, 1)
    box.revoke(ANNA)
    work_to_the_end(product, anna)
    set_pair(product, anna, next_due_at=None)

    rung = scheduling.tick(product.app)
    work_to_the_end(product, anna)

    assert rung == []
    assert [cycle.state for cycle in cycles_of(product)] == ["paused"]


@pytest.mark.timeout(60)
@pytest.mark.rule("ENG-8")
def test_a_cycle_cut_short_is_tried_again_sooner_and_each_time_later(
    product: Product, anna: User, box: SandboxServer
) -> None:
    select_people(product, 1)
    hurry(product)
    box.fault({"type": "status", "error": "rate"}, path="/v1/people")
    waits = []
    for _ in range(3):
        set_pair(product, anna, next_due_at=None)
        working.work_on_pair(product.app, pair_id(product, anna))
        timing = people.timing_of(product.app.database, pair_id(product, anna))
        assert timing.next_due_at is not None
        ended = cycles_of(product)[-1].finished_at
        waits.append((timing.next_due_at - ended).total_seconds())

    assert [cycle.state for cycle in cycles_of(product)] == ["partial"] * 3
    assert waits[0] < 40 < waits[1] < 70 < waits[2] < 130


@pytest.mark.timeout(60)
@pytest.mark.rule("RUN-3")
def test_a_second_scheduler_waits_until_the_first_is_silent(
    product: Product, anna: User
) -> None:
    select_people(product, 1)
    one, two = Scheduler(product.app), Scheduler(product.app)

    assert one.tick() == [pair_id(product, anna)]
    set_pair(product, anna, queued_until=None)
    assert two.tick() == []

    later = product.app.clock.now() + timedelta(minutes=5)
    assert queueing.take_scheduler(product.app.database, "third", later, 10)
    assert one.tick() == []


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-2", "HIS-1")
def test_a_group_that_stays_deleted_is_told_once_and_its_return_is_noticed(
    product: Product, anna: User, box: SandboxServer
) -> None:
    select_people(product, 2)
    group = people.pair_of(product.app.database, anna.user_id, "contacts").group_id
    set_pair(product, anna, group_id="no-such-group")
    for _ in range(3):
        set_pair(product, anna, next_due_at=None)
        work_to_the_end(product, anna)

    (paused,) = cycles_of(product)
    assert (paused.state, paused.error["code"]) == ("paused", "collection_gone")
    assert paused.finished_at > paused.started_at

    set_pair(product, anna, next_due_at=None, group_id=group)
    work_to_the_end(product, anna)
    assert [cycle.state for cycle in cycles_of(product)] == ["paused", "succeeded"]
    assert len(box.people(ANNA)) == 2
