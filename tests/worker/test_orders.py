"""What persons ask for on a page is carried out by a worker (decision 8)."""

from __future__ import annotations

import pytest

from cli import builtin
from crmsync.errors import UsageError
from crmsync.services import ordering, reporting, runs, working
from crmsync.services.ordering import PlacedOrder
from crmsync.storage import cycles, orders, people
from crmsync.storage.people import User
from tests.e2e.conftest import ANNA
from tests.sandbox.harness import SandboxServer
from tests.support.product import ACTOR, GROUP, Product
from tests.worker.steps import cycles_of, pair_id, select_people, work_to_the_end


def carry_out(
    product: Product, user: User, what: str, seconds: float = 20.0, **detail: object
) -> PlacedOrder:
    order_id = ordering.place(
        product.app, user, "contacts", what, actor=ACTOR, detail=detail
    )
    work_to_the_end(product, user, seconds=seconds)
    return ordering.look(product.app, order_id)


@pytest.mark.timeout(60)
@pytest.mark.rule("ENG-7", "WEB-2")
def test_a_preview_writes_nothing_and_accepting_it_does_what_it_said(
    product: Product, anna: User, box: SandboxServer
) -> None:
    product.set("first_cycle", "preview")
    select_people(product, 5)

    seen = carry_out(product, anna, "preview")
    assert (seen.state, box.people(ANNA)) == ("done", [])
    done = carry_out(product, anna, "accept", cycle=seen.cycle_id)

    preview = reporting.cycle_detail(product.app, seen.cycle_id)
    real = reporting.cycle_detail(product.app, done.cycle_id)
    assert preview["dry_run"]
    assert preview["counts"]["google"]["created"] == 5
    assert real["state"] == "succeeded"
    assert real["counts"]["google"] == preview["counts"]["google"]
    assert len(box.people(ANNA)) == 5


@pytest.mark.timeout(90)
@pytest.mark.rule("ENG-6")
def test_an_accepted_preview_does_not_cover_five_hundred_more(
    product: Product, anna: User, box: SandboxServer
) -> None:
    product.set("first_cycle", "preview")
    product.set("hold_creates", "5")
    select_people(product, 2)
    seen = carry_out(product, anna, "preview")
    select_people(product, 10, start=10)

    done = carry_out(product, anna, "accept", cycle=seen.cycle_id)

    assert reporting.cycle_detail(product.app, done.cycle_id)["state"] == "held"
    assert box.people(ANNA) == []


@pytest.mark.timeout(90)
@pytest.mark.rule("ENG-6", "HIS-3")
def test_a_held_cycle_is_approved_in_slices_and_its_order_ends_with_it(
    product: Product, anna: User, box: SandboxServer
) -> None:
    product.set("first_cycle", "preview")
    select_people(product, 250)
    work_to_the_end(product, anna)
    (held,) = cycles_of(product)

    done = carry_out(product, anna, "approve", seconds=0, cycle=held.id)

    (cycle,) = cycles_of(product)
    assert (done.state, done.cycle_id) == ("done", held.id)
    assert cycle.state == "succeeded"
    assert len(box.people(ANNA)) == 250


@pytest.mark.timeout(60)
@pytest.mark.rule("ENG-6")
def test_a_held_cycle_is_rejected(
    product: Product, anna: User, box: SandboxServer
) -> None:
    product.set("first_cycle", "preview")
    select_people(product, 2)
    work_to_the_end(product, anna)

    done = carry_out(product, anna, "reject", cycle=cycles_of(product)[0].id)

    assert done.state == "done"
    assert cycles_of(product)[0].state == "rejected"
    assert box.people(ANNA) == []


@pytest.mark.timeout(60)
@pytest.mark.rule("CON-11", "HIS-3")
def test_a_losing_value_is_restored_on_both_sides(
    product: Product, anna: User, box: SandboxServer
) -> None:
    (crm_id,) = select_people(product, 1)
    work_to_the_end(product, anna)
    name = box.people(ANNA)[0]["resourceName"]
    box.edit_person(ANNA, name, {"organizations": [{"title": "Google's"}]})
    builtin.edit_contact(product.app, crm_id, {"title": "The CRM's"})
    product.cycle(anna)
    cycle = reporting.cycle_detail(product.app, cycles_of(product)[-1].id)
    (item,) = [item for item in cycle["items"] if item["conflict"]]

    done = carry_out(product, anna, "restore", item=item["id"])

    assert done.state == "done"
    row = builtin.list_contacts(product.app, "", 5)[0]
    assert row["title"] == "The CRM's"
    assert box.person(ANNA, name)["organizations"][0]["title"] == "The CRM's"


@pytest.mark.timeout(60)
@pytest.mark.rule("HIS-5")
def test_an_order_that_cannot_be_carried_out_says_why(
    product: Product, anna: User
) -> None:
    select_people(product, 1)
    work_to_the_end(product, anna)
    (cycle,) = cycles_of(product)

    failed = carry_out(product, anna, "approve", cycle=cycle.id)

    assert failed.state == "failed"
    assert failed.error is not None
    assert "is not held; it is succeeded" in failed.error["message"]
    with pytest.raises(UsageError, match="has to name its cycle"):
        ordering.place(product.app, anna, "contacts", "approve", actor=ACTOR)


@pytest.mark.timeout(60)
@pytest.mark.rule("ENG-4", "ENG-5")
def test_an_order_waits_for_the_lease_and_outlives_its_worker(
    product: Product, anna: User
) -> None:
    select_people(product, 1)
    product.set("first_cycle", "preview")
    work_to_the_end(product, anna)
    held = cycles_of(product)[0].id
    order_id = ordering.place(
        product.app, anna, "contacts", "approve", actor=ACTOR, detail={"cycle": held}
    )
    pair = people.pair_of(product.app.database, anna.user_id, "contacts")
    with runs.held_lease(product.app, pair, 0):
        more = working.work_on_pair(product.app, pair.pair_id)
        waiting = ordering.look(product.app, order_id).state
    orders.move(product.app.database, order_id, "running")

    work_to_the_end(product, anna)

    assert (more, waiting) == (False, "waiting")
    assert ordering.look(product.app, order_id).state == "done"
    assert builtin.list_contacts(product.app, GROUP, 5) is not None
    assert cycles_of(product)[0].state == "succeeded"
    assert pair_id(product, anna) == pair.pair_id


@pytest.mark.timeout(60)
@pytest.mark.rule("ENG-5")
def test_a_second_job_does_not_disturb_an_order_that_is_being_carried_out(
    product: Product, anna: User
) -> None:
    product.set("first_cycle", "preview")
    select_people(product, 450)
    work_to_the_end(product, anna)
    held = cycles_of(product)[0].id
    order_id = ordering.place(
        product.app, anna, "contacts", "approve", actor=ACTOR, detail={"cycle": held}
    )
    pair = pair_id(product, anna)
    working.work_on_pair(product.app, pair, seconds=0)
    # The first worker is in its second slice: it has the lease and what was carried.
    row = people.pair_by_id(product.app.database, pair)
    now = product.app.clock.now()
    with runs.held_lease(product.app, row, 0) as lease:
        cycles.take_up(product.app.database, lease, held, now=now)
        more = working.work_on_pair(product.app, pair)
        during = ordering.look(product.app, order_id).state
    work_to_the_end(product, anna)

    assert (more, during) == (False, "running")
    assert ordering.look(product.app, order_id).state == "done"


@pytest.mark.timeout(60)
@pytest.mark.rule("ENG-7", "HIS-6")
def test_a_preview_lists_questions_that_an_earlier_cycle_asked_already(
    product: Product, anna: User, box: SandboxServer
) -> None:
    product.set("first_cycle", "preview")
    box.create_person(
        ANNA,
        {
            "names": [{"givenName": "Ada", "familyName": "Byron"}],
            "emailAddresses": [{"value": "p0@x.example"}],
        },
    )
    builtin.change_members(
        product.app,
        GROUP,
        [
            builtin.edit_contact(
                product.app,
                "new",
                {"first": "Ada", "last": "Lovelace", "email": "p0@x.example"},
            )["id"]
        ],
        selected=True,
    )
    work_to_the_end(product, anna)

    seen = carry_out(product, anna, "preview")

    preview = reporting.cycle_detail(product.app, seen.cycle_id)
    assert preview["counts"]["held"] == 1
    assert [item["state"] for item in preview["items"]] == ["held"]
    assert cycles_of(product)[0].counts["held"] == 1
