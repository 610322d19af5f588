"""The stored forms: a task list and a task; a write makes a new version."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.messages import Json


@dataclass(frozen=True, slots=True)
class TaskList:
    id: str
    title: str
    updated: float
    stamp: int
    is_default: bool = False
    deleted: bool = False

    def document(self) -> Json:
        return {n: getattr(self, n) for n in self.__slots__ if n != "id"}


@dataclass(frozen=True, slots=True)
class Task:
    """One task; `place` orders it among the tasks under the same parent."""

    id: str
    list_id: str
    title: str = ""
    notes: str = ""
    due: str = ""  # a date; the time is never kept (6.2)
    completed: float | None = None
    is_done: bool = False
    deleted: bool = False
    hidden: bool = False
    parent: str = ""
    place: int = 0
    updated: float = 0.0
    stamp: int = 0
    links: list[Json] = field(default_factory=list)
    assignment: Json = field(default_factory=dict)
    every: int = 0  # days between repetitions; never shown (6.2)
    uid: str = ""  # what a loader knows it by; never shown

    def document(self) -> Json:
        return {n: getattr(self, n) for n in self.__slots__ if n != "id"}

    @property
    def is_fixed(self) -> bool:
        """Assigned and repeating tasks are neither parents nor children (6.5)."""
        return bool(self.assignment or self.every)
