"""What the connectors' tests share: a clock that stands, and a quick transport."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from crmsync.connectors.transport import Budget, Nature, Transport


@dataclass
class FakeTime:
    """Time that passes only when somebody sleeps."""

    at: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += timedelta(seconds=seconds)

    def monotonic(self) -> float:
        return self.at.timestamp()

    def pass_by(self, **span: float) -> None:
        self.at += timedelta(**span)


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def transport(time: FakeTime) -> Iterator[Transport]:
    nature = Nature(time.now, time.monotonic, time.sleep, lambda: 0.5)
    made = Transport(Budget(timeout_seconds=0.5), nature)
    yield made
    made.close()
