"""`make chaos`: kill real processes at random moments, at production's timings.

Each round selects new people and lets a blow fall while they are created. Measured is
how long it takes until somebody works on the pair again; at the end every person must
be in Google exactly once and the checker must be content.

Usage: python -m tests.support.chaos [KILLS] [SEED]
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from crmsync.services import checking
from crmsync.storage.people import User
from tests.e2e.conftest import ANNA
from tests.sandbox.harness import SandboxServer
from tests.support.farm import KILLS, Farm
from tests.support.product import Product
from tests.worker.steps import links_of, select_people

LEASE, TICK, LIMIT = 60, 15, 90.0
PEOPLE = 450


def _round(
    farm: Farm, box: SandboxServer, user: User, what: str, chance: float
) -> float:
    """Let one blow fall; return the seconds until somebody worked again."""
    began = farm.product.app.clock.now()
    farm.sync_now(user)
    farm.wait_for(lambda: farm.is_writing(user), 120, "creates on their way")
    end = time.monotonic() + chance
    farm.wait_for(lambda: time.monotonic() > end, 30, "the moment")
    token = farm.pair(user).lease_token
    farm.kill(what)
    if what in {"work-horse", "both"}:
        again = farm.wait_for(
            lambda: farm.pair(user).lease_token > token, LIMIT + 30, "a successor"
        )
        farm.sync_now(user)
        farm.wait_for(lambda: farm.is_quiet(user, began), 300, "everything done")
        return again
    farm.sync_now(user)
    return farm.wait_for(lambda: farm.is_quiet(user, began), 300, "everything done")


def storm(farm: Farm, box: SandboxServer, user: User, blows: int, seed: int) -> bool:
    """Let all blows fall; print and return whether everything is there once."""
    chance = random.Random(seed)
    total, slowest = 0, 0.0
    for number in range(1, blows + 1):
        what = KILLS[(number - 1) % len(KILLS)]
        select_people(farm.product, PEOPLE, start=total)
        total += PEOPLE
        box.fault({"type": "delay", "seconds": 1.5}, path=":batchCreateContacts")
        seconds = _round(farm, box, user, what, chance.random() * 2)
        box.clear_faults()
        slowest = max(slowest, seconds)
        print(f"{number:3} {what:10} running again after {seconds:5.1f} s", flush=True)  # noqa: T201  its answer
    found, links = len(box.people(ANNA)), len(links_of(farm.product))
    is_well = checking.check(farm.product.app)["ok"]
    print(  # noqa: T201  its answer
        f"{blows} kills, slowest {slowest:.1f} s; selected {total}, in Google {found}, "
        f"links {links}, checker {'content' if is_well else 'NOT content'}"
    )
    return found == links == total and is_well and slowest <= LIMIT


def main() -> int:
    """Run the storm; the exit status says whether it left no damage."""
    blows = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    options = ("--quota", "off", "--delay", "1", "--account", ANNA)
    with TemporaryDirectory(prefix="chaos-") as folder, SandboxServer(*options) as box:
        socket = Path(folder) / "redis.sock"
        variables = {
            "redis_url": f"unix://{socket}",
            "lease_seconds": LEASE,
            "tick_seconds": TICK,
            "settle_seconds": 5,
        }
        product = Product(Path(folder), box.url, variables=variables)
        product.set("first_cycle", "run")
        farm = Farm(product, socket)
        try:
            farm.start()
            user = product.add_user(ANNA)
            product.connect(user)
            return 0 if storm(farm, box, user, blows, seed) else 1
        finally:
            farm.stop()
            product.close()


if __name__ == "__main__":
    raise SystemExit(main())
