"""The seeded simulation: one number tells one story."""

from __future__ import annotations

import random
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from crmsync.engine.report import CycleState
from tests.support.story import FAULTS, Fault, Story


def _faults(chance: random.Random, kinds: tuple[str, ...]) -> list[Fault]:
    return [
        Fault(
            chance.randrange(1, 40),
            chance.choice(kinds),
            chance.randrange(6),
            chance.randrange(6),
        )
        for _ in range(chance.choice((0, 0, 1, 1, 2, 3)))
    ]


def step(story: Story, chance: random.Random, kinds: tuple[str, ...]) -> None:
    """Let one thing happen."""
    roll = chance.random()
    a, b, c = chance.randrange(6), chance.randrange(6), chance.randrange(6)
    if roll < 0.14:
        story.put(chance.randrange(105))
    elif roll < 0.40:
        story.edit(a, b, c)
    elif roll < 0.43:
        story.blank(a, b, c)
    elif roll < 0.47:
        story.remove(a, b)
    elif roll < 0.53:
        story.select(a, b, selected=c % 2 == 0)
    elif roll < 0.56:
        story.touch(a)
    elif roll < 0.60:
        story.expire(a)
    elif roll < 0.70:
        story.advance(chance.choice((1, 5, 15, 30, 90)))
    else:
        report = story.cycle(_faults(chance, kinds))
        story.check_always()
        troubled = report is None or report.state is not CycleState.SUCCEEDED
        if troubled and c < 4:
            story.haste(a, b)


def simulate(seed: int, *, steps: int = 30, epochs: int = 2) -> Story:
    """Tell the story of one seed and check it; the same seed tells the same story.

    Raises:
        AssertionError: with the whole trace, if an invariant does not hold.
    """
    chance = random.Random(seed)
    story = Story()
    kinds = tuple(kind for kind in FAULTS if chance.random() < 0.7) or ("edit",)
    for _ in range(epochs):
        for _ in range(steps):
            step(story, chance, kinds)
        story.check_at_rest()
    return story


def _run(seeds: range) -> list[tuple[int, str]]:
    """Tell the stories of some seeds; return those that broke."""
    broken: list[tuple[int, str]] = []
    for seed in seeds:
        try:
            simulate(seed)
        except AssertionError as error:
            broken.append((seed, str(error)))
    return broken


def main() -> int:
    """Tell N stories on all cores: `python -m tests.support.simulation 100000`."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    size = 500
    parts = [range(s, min(s + size, count)) for s in range(0, count, size)]
    started, told, broken = time.monotonic(), 0, 0
    with ProcessPoolExecutor() as pool:
        for part, found in zip(parts, pool.map(_run, parts), strict=True):
            told += len(part)
            broken += len(found)
            for seed, trace in found[:3]:
                print(f"seed {seed}: {trace}\n")  # noqa: T201  its answer
    seconds = time.monotonic() - started
    print(f"{told} stories, {broken} broken, {told / seconds:.0f} a second")  # noqa: T201  its answer
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
