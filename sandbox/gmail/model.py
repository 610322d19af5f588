"""The stored forms: a message, a label, a draft and a record of history."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.messages import Json

SYSTEM = (
    "INBOX",
    "SENT",
    "DRAFT",
    "TRASH",
    "SPAM",
    "UNREAD",
    "STARRED",
    "IMPORTANT",
    "CHAT",
    "CATEGORY_PERSONAL",
    "CATEGORY_SOCIAL",
    "CATEGORY_PROMOTIONS",
    "CATEGORY_UPDATES",
    "CATEGORY_FORUMS",
)
FIXED = frozenset({"SENT", "DRAFT", "CHAT"})
"""Nobody may put these on or take them off (2.6)."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One message without its bytes, which never change and are kept apart."""

    id: str
    thread: str
    labels: tuple[str, ...]
    arrived: int  # milliseconds, `internalDate`
    size: int
    snippet: str
    message_id: str
    topic: str  # the subject without "Re:" and the like, folded
    references: tuple[str, ...] = ()
    history: int = 0

    def document(self) -> Json:
        return {n: getattr(self, n) for n in self.__slots__ if n != "id"}

    @classmethod
    def of(cls, key: str, document: Json) -> Letter:
        lists = {n: tuple(document[n]) for n in ("labels", "references")}
        return cls(key, **{**document, **lists})


@dataclass(frozen=True, slots=True)
class Label:
    id: str
    name: str
    is_system: bool = False
    in_messages: str = ""  # messageListVisibility; "" is not shown
    in_list: str = ""  # labelListVisibility
    color: Json = field(default_factory=dict)

    def document(self) -> Json:
        return {n: getattr(self, n) for n in self.__slots__ if n != "id"}


@dataclass(frozen=True, slots=True)
class Draft:
    id: str
    letter: str


@dataclass(frozen=True, slots=True)
class Change:
    """One record of a mailbox's history; `labels` are those it had afterwards."""

    id: int
    at: float
    kind: str  # messageAdded, messageDeleted, labelAdded, labelRemoved
    letter: str
    thread: str
    labels: tuple[str, ...]
    changed: tuple[str, ...] = ()

    def document(self) -> Json:
        return {n: getattr(self, n) for n in self.__slots__ if n != "id"}

    @classmethod
    def of(cls, key: str, document: Json) -> Change:
        lists = {n: tuple(document[n]) for n in ("labels", "changed")}
        return cls(int(key), **{**document, **lists})
