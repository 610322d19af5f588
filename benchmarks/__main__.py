"""What a cycle costs, as ratios measured in one run: `make bench`.

Machines differ and are shared, so every figure is a quotient of two things that were
measured alternately, A B A B …, and the median of the quotients. Exit status 1 if a
target is missed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from math import ceil
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks import agenda, mail
from benchmarks.ours import Cycle, Installation
from benchmarks.peer import Peer
from benchmarks.runs import PAIRS, Cost
from benchmarks.table import Figure, keep, print_one

SMALL, MIDDLE, LARGE = 1_000, 10_000, 25_000


def requests(push: Installation, pull: Installation) -> Iterator[Figure]:
    """Compare requests with the fewest that Google's page and batch sizes allow."""
    pages = ceil(MIDDLE / 1000)
    with push.fresh() as box:
        first = push.cycle(box).requests
        push.cycle(box)  # shows our own writes once
        rest = push.cycle(box).requests
    with pull.fresh() as box:
        read = pull.cycle(box).requests
    # Batches of 200; one page of an empty book; the groups looked at, a label made.
    floor = ceil(MIDDLE / 200) + 1 + 2
    yield Figure(f"requests of a first push of {MIDDLE} ÷ floor", first / floor, 1.05)
    # Pages of 1,000; the groups looked at.
    yield Figure(
        f"requests of a first pull of {MIDDLE} ÷ floor", read / (pages + 1), 1.05
    )
    yield Figure("requests of a cycle without a change ÷ 1", rest, 1.0)


def first(name: str, ours: Installation, peer: Peer) -> Iterator[Figure]:
    """Compare a first cycle with vdirsyncer's first copy of the same vCards."""
    pairs: list[tuple[Cycle, Cost]] = []
    for _ in range(PAIRS):
        with ours.fresh() as box:
            mine = ours.cycle(box)
        peer.empty()
        pairs.append((mine, peer.sync()))
    what = f"{MIDDLE} contacts, first {name}"
    yield Figure(f"{what}, wall clock ÷ vdirsyncer's", _walls(pairs), 1.0)
    yield Figure(f"{what}, our processor time ÷ vdirsyncer's", _cpus(pairs))
    share = median(mine.sandbox_cpu / mine.cost.wall for mine, _ in pairs)
    yield Figure(f"{what}, the sandbox's processor time ÷ our wall clock", share)


def unchanged(ours: Installation, peer: Peer) -> Iterator[Figure]:
    """Compare cycles without a change."""
    pairs: list[tuple[Cycle, Cost]] = []
    with ours.fresh() as box:
        ours.cycle(box)
        ours.cycle(box)
        peer.empty()
        peer.sync()
        for _ in range(PAIRS):
            pairs.append((ours.cycle(box), peer.sync()))
        inside = median(ours.cycle_inside() / peer.sync().wall for _ in range(PAIRS))
    what = f"{MIDDLE} contacts, no change"
    yield Figure(f"{what}, wall clock ÷ vdirsyncer's", _walls(pairs), 0.5)
    yield Figure(f"{what}, our processor time ÷ vdirsyncer's", _cpus(pairs))
    yield Figure(f"{what}, in a running worker, wall clock ÷ vdirsyncer's", inside)


def _walls(pairs: list[tuple[Cycle, Cost]]) -> float:
    return median(mine.cost.wall / theirs.wall for mine, theirs in pairs)


def _cpus(pairs: list[tuple[Cycle, Cost]]) -> float:
    return median(mine.cost.cpu / theirs.cpu for mine, theirs in pairs)


def growth(name: str, large: Installation, small: Installation) -> Iterator[Figure]:
    """Compare what a first cycle needs for many contacts with what it needs for few."""

    def memory(which: Installation) -> float:
        with which.fresh() as box:
            return which.cycle(box).cost.memory

    ratio = median(memory(large) / memory(small) for _ in range(PAIRS))
    what = f"peak memory of a first {name}, {LARGE} ÷ {SMALL} contacts"
    yield Figure(what, ratio, 1.5)


def idle(large: Installation, small: Installation) -> Iterator[Figure]:
    """Compare the processor time of cycles without a change."""
    with large.fresh() as many, small.fresh() as few:
        for which, box in ((large, many), (small, few)):
            which.cycle(box)
            which.cycle(box)
        ratio = median(
            large.cycle(many).cost.cpu / small.cycle(few).cost.cpu for _ in range(PAIRS)
        )
    what = f"processor time without a change, {LARGE} ÷ {SMALL} links"
    yield Figure(what, ratio, 1.2)


def measure(folder: Path) -> Iterator[Figure]:
    """Measure everything."""

    def made(count: int, *, in_google: bool) -> Installation:
        name = f"{count}-{'pull' if in_google else 'push'}"
        return Installation(folder / name, count, in_google=in_google)

    push, pull = (made(MIDDLE, in_google=way) for way in (False, True))
    peer = Peer(folder / "peer", MIDDLE)
    yield from requests(push, pull)
    yield from first("push (CRM to Google)", push, peer)
    yield from first("pull (Google to CRM)", pull, peer)
    yield from unchanged(push, peer)
    large, small = (made(count, in_google=False) for count in (LARGE, SMALL))
    yield from idle(large, small)
    yield from growth("push", large, small)
    large, small = (made(count, in_google=True) for count in (LARGE, SMALL))
    yield from growth("pull", large, small)


def told(figures: Iterator[Figure], tell: Callable[[Figure], None]) -> list[Figure]:
    """Return all figures, each told as it comes."""
    found = []
    for figure in figures:
        tell(figure)
        found.append(figure)
    return found


def main() -> int:
    """Measure, print, and keep the tables; 1 if a target is missed."""
    tables = {"contacts": measure, "agenda": agenda.measure, "mail": mail.measure}
    status = 0
    for table in sys.argv[1:] or tables:
        with TemporaryDirectory(prefix="crm-sync-bench-") as folder:
            figures = told(tables[table](Path(folder)), print_one)
        keep(figures, table)
        if any(figure.verdict == "missed" for figure in figures):
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
