"""What the demo's cycles did, per kind and direction, against the checker's count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crmsync.cycle.kinds import KINDS

LABELS = {"contacts": "Contacts", "calendar": "Activities", "tasks": "To-dos"}


@dataclass(slots=True)
class Figures:
    """One kind, of all users.

    Attributes:
        to_google, to_crm: records that were made there.
        changed: records that were updated on either side.
        found: pairs that were there on both sides already.
        ended: links that ended on purpose.
        links, equal, accepted: what the checker counts: links, those whose sides
            agree, those that differ on purpose.
        wrong: records that the checker misses, or cannot account for.
    """

    kind: str
    to_google: int = 0
    to_crm: int = 0
    changed: int = 0
    found: int = 0
    ended: int = 0
    links: int = 0
    equal: int = 0
    accepted: int = 0
    wrong: int = 0

    @property
    def expected(self) -> int:
        """How many links there must be."""
        return self.found + self.to_google + self.to_crm - self.ended


def figures(
    cycles: Sequence[Mapping[str, Any]],
    check: Mapping[str, Any],
    completed: int = 0,
) -> list[Figures]:
    """Return what cycles did and what the checker found, one per kind.

    Args:
        cycles: those that wrote.
        check: the checker's findings.
        completed: activities that were completed in between, which ends their links.
    """
    found = {kind: Figures(kind) for kind in KINDS}
    found["calendar"].ended = completed
    for cycle in cycles:
        counts, one = cycle["counts"], found[cycle["kind"]]
        google, crm = counts["google"], counts["crm"]
        one.to_google += google["created"]
        one.to_crm += crm["created"]
        one.changed += google["updated"] + crm["updated"]
        one.found += counts["linked"]
        one.ended += sum(s["unlinked"] + s["deleted"] for s in (google, crm))
    for pair in check["pairs"]:
        one = found[pair["kind"]]
        one.links += pair["links"]
        one.equal += pair["equal"]
        one.accepted += pair["accepted"]
        wrong = (pair["missing"], pair["unlinked"], pair["doubled"], pair["pending"])
        one.wrong += sum(map(len, wrong))
    return list(found.values())


def problems(
    found: Sequence[Figures],
    second: Sequence[Mapping[str, Any]],
    check: Mapping[str, Any],
    *,
    shows_both: bool,
) -> list[str]:
    """Return what is not as it has to be.

    Args:
        found: the figures.
        second: cycles that had nothing to do.
        check: the checker's findings.
        shows_both: whether each kind has records on either side to begin with.
    """
    told = []
    for one in found:
        if one.links != one.expected:
            told.append(
                f"{LABELS[one.kind]}: the cycles account for {one.expected} links, "
                f"the check counts {one.links}."
            )
        if shows_both and not (one.to_google and one.to_crm):
            told.append(f"{LABELS[one.kind]}: only one direction was shown.")
        if one.wrong:
            told.append(f"{LABELS[one.kind]}: {one.wrong} records are not in order.")
    for cycle in second:
        sides = (cycle["counts"]["google"], cycle["counts"]["crm"])
        if any(n for side in sides for n in side.values()):
            told.append(f"{LABELS[cycle['kind']]}: a second cycle wrote something.")
    told += [
        f"{LABELS[pair['kind']]} of {pair['user']}: {pair['error']['message']}"
        for pair in check["pairs"]
        if pair["error"]
    ]
    return told


def lines(found: Sequence[Figures]) -> list[str]:
    """Return the figures as a table for people."""
    head = ("", "CRM → Google", "Google → CRM", "on both", "changed", "links", "equal")
    rows = [
        (LABELS[f.kind], f.to_google, f.to_crm, f.found, f.changed, f.links, f.equal)
        for f in found
    ]
    table = [
        f"{row[0]:12}" + "".join(f"{cell!s:>14}" for cell in row[1:])
        for row in [head, *rows]
    ]
    notes = [
        f"{LABELS[f.kind]}: {f.accepted} differ on purpose" for f in found if f.accepted
    ]
    return table + notes
