"""The seeded simulation: one number tells one story.

Usage: python -m tests.support.simulation [STORIES] [FIRST]
"""

from __future__ import annotations

import gc
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from crmsync.engine.report import CycleState
from tests.support.story import FAULTS, Fault, Story

CROWD = 24
"""People in a story in which many of them leave at once (I9)."""
EFFECTS = (6, 14, 40)


def _faults(chance: random.Random, kinds: tuple[str, ...]) -> list[Fault]:
    return [
        Fault(
            1 + int(chance.random() * chance.choice(EFFECTS)),
            chance.choice(kinds),
            int(chance.random() * 6),
            int(chance.random() * 6),
        )
        for _ in range(chance.choice((0, 0, 1, 1, 2, 3)))
    ]


def step(story: Story, chance: random.Random, kinds: tuple[str, ...]) -> None:
    """Let one thing happen."""
    roll = chance.random()
    a, b = int(chance.random() * 6), int(chance.random() * 6)
    c = int(chance.random() * 6)
    if roll < 0.14:
        story.put(chance.randrange(105))
    elif roll < 0.38:
        story.edit(a, b, c)
    elif roll < 0.41:
        story.blank(a, b, c)
    elif roll < 0.45:
        story.remove(a, b)
    elif roll < 0.51:
        story.select(a, b, selected=c % 2 == 0)
    elif roll < 0.55:
        story.scribble(a, b) if c % 2 else story.touch(a)
    elif roll < 0.59:
        story.expire(a)
    elif roll < 0.69:
        story.advance(chance.choice((1, 5, 15, 30, 90)))
    elif roll < 0.72:
        _seldom(story, a, b, c)
    else:
        in_slices = [Fault(1, "slice")] * ("slice" in kinds and b % 3 == 0)
        report = story.cycle(_faults(chance, kinds) + in_slices)
        story.check_always()
        troubled = report is None or report.state is not CycleState.SUCCEEDED
        if troubled and c < 3:
            story.haste(a, b)
        elif troubled:
            story.edit_again()


def _seldom(story: Story, a: int, b: int, c: int) -> None:
    if story.stopped:
        story.go_on(a, b)
    elif c == 0:
        story.poison(a, b)
    elif c < 4:
        story.twice()
    story.check_always()


def kinds_of(chance: random.Random) -> tuple[str, ...]:
    """Choose the kinds of faults of a story; some find more than all at once."""
    kinds = tuple(kind for kind in FAULTS if chance.random() < 0.7)
    # An answer can only be lost where something is written, so it is tried more often.
    return kinds + ("lost", "lost") * ("lost" in kinds) or ("edit",)


def simulate(
    seed: int, *, steps: int = 30, epochs: int = 2, story: Story | None = None
) -> Story:
    """Tell the story of one seed and check it; the same seed tells the same story.

    Raises:
        AssertionError: with the whole trace, if an invariant does not hold.
    """
    chance = random.Random(seed)
    story = story or Story()
    kinds = kinds_of(chance)
    crowded = chance.random() < 0.04
    for _ in range(epochs):
        if crowded:
            _crowd(story, chance)
        for _ in range(steps):
            step(story, chance, kinds)
        if crowded:
            story.exodus(chance.randrange(2), chance.randrange(2), chance.randrange(30))
        story.check_at_rest()
    return story


def _crowd(story: Story, chance: random.Random) -> None:
    story.most_people = CROWD
    while story.people < CROWD - 3:
        story.put(chance.randrange(105))


def tell(
    seeds: Sequence[int], story: Story | None = None
) -> tuple[list[tuple[int, str]], Counter[str]]:
    """Tell the stories of some seeds.

    Args:
        seeds: their numbers.
        story: where to tell a single one.

    Returns:
        Those that broke, with their traces, and how often what happened.
    """
    broken: list[tuple[int, str]] = []
    counts: Counter[str] = Counter()
    gc.disable()
    for at, seed in enumerate(seeds):
        told = story or Story()
        try:
            simulate(seed, story=told)
        except AssertionError as error:
            broken.append((seed, str(error)))
        sides = (told.world.crm, told.world.google)
        counts.update(told.counts)
        counts["calls"] += sum(side.calls for side in sides)
        counts["writes"] += told.world.writes()
        if at % 100 == 99:
            gc.collect()
    gc.enable()
    return broken, counts


def main() -> int:
    """Tell N stories on all cores: `python -m tests.support.simulation 100000`."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    size = 250
    ends = range(first, first + count, size)
    parts = [range(s, min(s + size, first + count)) for s in ends]
    started, told, broken = time.monotonic(), 0, 0
    counts: Counter[str] = Counter()
    with ProcessPoolExecutor() as pool:
        for part, (found, more) in zip(parts, pool.map(tell, parts), strict=True):
            told += len(part)
            broken += len(found)
            counts += more
            for seed, trace in found[:3]:
                print(f"seed {seed}: {trace}\n")  # noqa: T201  its answer
    seconds = time.monotonic() - started
    print(f"{told} stories, {broken} broken, {told / seconds:.0f} a second")  # noqa: T201  its answer
    per = ", ".join(f"{counts[name] / told:.2f} {name}" for name in sorted(counts))
    print(f"Per story: {per}.")  # noqa: T201  its answer
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
