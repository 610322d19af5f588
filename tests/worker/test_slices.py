"""A long cycle is cut into slices, so that nobody waits behind it (ENG-9)."""

from __future__ import annotations

import pytest

from crmsync.services import checking, scheduling, settings, working
from crmsync.storage import people
from crmsync.storage.people import User
from tests.e2e.conftest import ANNA
from tests.sandbox.harness import SandboxServer
from tests.support.product import ACTOR, Product
from tests.support.redis_server import RedisServer
from tests.worker.steps import (
    cycles_of,
    links_of,
    pair_id,
    select_people,
    set_pair,
    waiting_jobs,
    work_to_the_end,
)

MANY = 450


@pytest.mark.timeout(90)
@pytest.mark.rule("ENG-4", "ENG-9")
def test_a_cycle_in_slices_is_one_cycle_that_makes_everything_once(
    product: Product, anna: User, box: SandboxServer
) -> None:
    select_people(product, MANY)

    slices = work_to_the_end(product, anna, seconds=0)

    (cycle,) = cycles_of(product)
    assert slices == 3
    assert cycle.state == "succeeded"
    assert cycle.counts["google"]["created"] == MANY
    assert cycle.carried is None
    assert len(box.people(ANNA)) == len(links_of(product)) == MANY
    assert checking.check(product.app)["ok"]
    pushes = [r for r in box.requests() if ":batchCreateContacts" in r["path"]]
    assert len(pushes) == -(-MANY // 200)


@pytest.mark.timeout(60)
@pytest.mark.rule("ENG-9")
def test_between_slices_the_cycle_shows_how_far_it_is_and_holds_no_lease(
    product: Product, anna: User, redis: RedisServer
) -> None:
    select_people(product, MANY)

    more = working.work_on_pair(product.app, pair_id(product, anna), seconds=0)

    (cycle,) = cycles_of(product)
    timing = people.timing_of(product.app.database, pair_id(product, anna))
    assert more
    assert (cycle.state, cycle.counts["google"]["created"]) == ("running", 200)
    assert cycle.requests["google"] > 0
    assert timing.lease_until is None
    assert waiting_jobs(redis) == 1


@pytest.mark.timeout(60)
@pytest.mark.rule("ENG-4")
def test_an_inline_cycle_goes_on_with_what_the_worker_began(
    product: Product, anna: User
) -> None:
    select_people(product, MANY)
    working.work_on_pair(product.app, pair_id(product, anna), seconds=0)

    cycle = product.cycle(anna)

    assert cycle["state"] == "succeeded"
    assert cycle["counts"]["google"]["created"] == MANY
    assert len(cycles_of(product)) == 1


@pytest.mark.timeout(60)
@pytest.mark.rule("WEB-2")
def test_pausing_ends_a_running_cycle_and_resuming_goes_on(
    product: Product, anna: User, box: SandboxServer
) -> None:
    select_people(product, MANY)
    working.work_on_pair(product.app, pair_id(product, anna), seconds=0)
    scheduling.pause(product.app, anna, "contacts", actor=ACTOR)

    more = working.work_on_pair(product.app, pair_id(product, anna))

    (cycle,) = cycles_of(product)
    assert not more
    assert (cycle.state, cycle.error["code"]) == ("partial", "paused_by_person")
    assert len(box.people(ANNA)) == 200
    assert scheduling.tick(product.app) == []

    scheduling.resume(product.app, anna, "contacts", actor=ACTOR)
    work_to_the_end(product, anna)

    assert len(box.people(ANNA)) == MANY
    assert cycles_of(product)[-1].state == "succeeded"


@pytest.mark.timeout(60)
@pytest.mark.rule("ENG-4", "ENG-2")
def test_a_cycle_whose_worker_died_in_its_second_slice_is_due_again(
    product: Product, anna: User, box: SandboxServer
) -> None:
    """What a killed worker leaves: a running cycle without a hand-over, its lease."""
    from datetime import timedelta

    from crmsync.storage import cycles
    from crmsync.storage.leases import acquire

    select_people(product, MANY)
    working.work_on_pair(product.app, pair_id(product, anna), seconds=0)
    now, pair = product.app.clock.now(), pair_id(product, anna)
    lease = acquire(product.app.database, pair, "", now=now, seconds=60)
    cycles.take_up(product.app.database, lease, cycles_of(product)[0].id, now=now)
    later = now + timedelta(hours=1)
    set_pair(
        product, anna, next_due_at=later, queued_until=None,
        lease_until=now - timedelta(seconds=1),
    )  # fmt: skip

    rung = scheduling.tick(product.app)
    work_to_the_end(product, anna)

    first, second = cycles_of(product)
    assert rung == [pair_id(product, anna)]
    assert (first.state, first.error["code"]) == ("partial", "interrupted")
    assert second.state == "succeeded"
    assert len(box.people(ANNA)) == len(links_of(product)) == MANY


@pytest.mark.timeout(60)
@pytest.mark.rule("AUTH-9", "ADM-1")
def test_a_kind_that_is_withheld_between_slices_ends_its_cycle(
    product: Product, anna: User, box: SandboxServer
) -> None:
    select_people(product, MANY)
    working.work_on_pair(product.app, pair_id(product, anna), seconds=0)
    settings.put(product.app, "kinds", "mail", user_id=anna.user_id, actor=ACTOR)

    more = working.work_on_pair(product.app, pair_id(product, anna))

    (cycle,) = cycles_of(product)
    assert not more
    assert (cycle.state, cycle.error["code"]) == ("partial", "withheld")
    assert len(box.people(ANNA)) == 200


@pytest.mark.timeout(60)
@pytest.mark.rule("WEB-2")
def test_a_paused_cycle_whose_ring_got_lost_is_ended_by_the_next_tick(
    product: Product, anna: User
) -> None:
    select_people(product, MANY)
    working.work_on_pair(product.app, pair_id(product, anna), seconds=0)
    scheduling.pause(product.app, anna, "contacts", actor=ACTOR)
    set_pair(product, anna, queued_until=None)

    rung = scheduling.tick(product.app)
    working.work_on_pair(product.app, pair_id(product, anna))

    assert rung == [pair_id(product, anna)]
    assert cycles_of(product)[0].state == "partial"
    assert scheduling.tick(product.app) == []
