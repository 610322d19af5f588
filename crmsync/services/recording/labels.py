"""The four labels in Gmail: known by id, adopted by name, made again (MAIL-1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from crmsync.mailports import Mailbox

SEND, MISSING, RECORDED = "Send To CRM", "Missing Contact", "Recorded"
_PARENT = ""
NAMES = (_PARENT, SEND, MISSING, RECORDED)


@dataclass(frozen=True, slots=True)
class Labels:
    """The ids of our labels in one mailbox."""

    parent: str
    send: str
    missing: str
    recorded: str

    def to_memo(self) -> dict[str, str]:
        """Return the ids as they are kept from cycle to cycle."""
        ids = (self.parent, self.send, self.missing, self.recorded)
        return dict(zip(NAMES, ids, strict=True))

    @property
    def outcomes(self) -> frozenset[str]:
        """The labels that say what became of a message."""
        return frozenset({self.missing, self.recorded})


def known_labels(memo: Mapping[str, str]) -> Labels | None:
    """Return the labels that an earlier cycle found; None if it found none."""
    ids = [memo.get(name, "") for name in NAMES]
    return Labels(*ids) if all(ids) else None


def make_sure(mailbox: Mailbox, root: str, memo: Mapping[str, str]) -> Labels:
    """Return our labels; those that are not there are made, the parent first.

    A label that the user renamed keeps its id and is ours; one of the right name, in
    whatever case, that the user made is adopted.

    Args:
        mailbox: where.
        root: the parent's name.
        memo: the ids of an earlier cycle, by name.
    """
    there = _there(mailbox, root, memo)
    names = {name: f"{root}/{name}" if name else root for name in NAMES}
    return Labels(
        *(there[name] or mailbox.create_label(names[name]).label_id for name in NAMES)
    )


def label_to_send(mailbox: Mailbox, root: str, memo: Mapping[str, str]) -> str:
    """Return the id of *Send To CRM*, or "" if it is not there; nothing is made."""
    return _there(mailbox, root, memo)[SEND]


def _there(mailbox: Mailbox, root: str, memo: Mapping[str, str]) -> dict[str, str]:
    """Return by name the ids of those of our labels that are there; "" of others."""
    there = mailbox.labels()
    ids = {label.label_id for label in there}
    by_name = {label.name.casefold(): label.label_id for label in there}

    def one(name: str) -> str:
        if memo.get(name, "") in ids:
            return memo[name]
        full = f"{root}/{name}" if name else root
        return by_name.get(full.casefold(), "")

    return {name: one(name) for name in NAMES}
