"""The mails that Google would have sent, counted one by one (contract 5.5)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from sandbox.messages import Json
from sandbox.store import Row

KIND = "notification"


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail: who did it, what it is, who would have got it."""

    n: int
    at: float
    account: str
    kind: str  # invite, update, cancel, response
    recipient: str
    event: str
    calendar: str
    summary: str
    send_updates: str  # as given; "" is absent, and counts as sent

    def row(self) -> Row:
        return (KIND, self.account, f"{self.n:09d}", asdict(self))


class Ledger:
    def __init__(self, rows: Iterable[Json]) -> None:
        self._mails = sorted((Mail(**row) for row in rows), key=lambda mail: mail.n)
        self._next = self._mails[-1].n + 1 if self._mails else 1

    def add(self, at: float, **what: str) -> Row:
        mail = Mail(n=self._next, at=at, **what)
        self._next += 1
        self._mails.append(mail)
        return mail.row()

    def find(self, wanted: dict[str, str]) -> list[Json]:
        """The mails that fit; wanted may be any text field of a mail."""
        names = ("account", "kind", "recipient", "event", "calendar", "send_updates")
        asked = {k: v for k, v in wanted.items() if k in names}
        return [
            asdict(mail)
            for mail in self._mails
            if all(getattr(mail, k) == v for k, v in asked.items())
        ]

    def clear(self, account: str | None = None) -> list[Row]:
        """Forget them, or one account's; the rows that vanish."""
        gone = [m for m in self._mails if account in (None, m.account)]
        self._mails = [m for m in self._mails if account not in (None, m.account)]
        return [(KIND, m.account, f"{m.n:09d}", None) for m in gone]


def is_sent(send_updates: str, *, is_external: bool) -> bool:
    """Whether a guest gets a mail; an absent parameter counts as "all" (5.5)."""
    if send_updates == "none":
        return False
    return send_updates != "externalOnly" or is_external
