"""What a page of unlinked records could be linked to, looked up at once.

Pairing asks the same few questions of each record; one by one they would cost a first
cycle several lookups a record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from crmsync.cycle.run import Run
from crmsync.ports import ChoiceKind, PersonsChoice
from crmsync.records.remote import Link, Remote
from crmsync.records.values import SideName


@dataclass(slots=True)
class Candidates:
    """Records of the other side that have neither a link nor a plan.

    Attributes:
        hits: ids of Google records per key of the directory.
        remotes: live candidates by id.
        choices: what persons decided about them.
        taken: those that a record of this page was given.
    """

    hits: Mapping[str, Sequence[str]] = field(default_factory=dict)
    remotes: Mapping[str, Remote] = field(default_factory=dict)
    choices: Mapping[str, PersonsChoice] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    def free(self, remote_id: str) -> Remote | None:
        """Return a candidate that nobody has taken yet, or None."""
        return None if remote_id in self.taken else self.remotes.get(remote_id)

    def found(self, key: str) -> Sequence[str]:
        """Return the Google records that the directory has under a key, in order."""
        return sorted(self.hits.get(key, ()))

    def is_ignored(self, remote_id: str) -> bool:
        """Whether a record is never to be linked again."""
        return self._is_chosen(remote_id, ChoiceKind.IGNORE)

    def is_new(self, remote_id: str) -> bool:
        """Whether a record is to have a counterpart of its own."""
        return self._is_chosen(remote_id, ChoiceKind.NEW)

    def _is_chosen(self, remote_id: str, kind: ChoiceKind) -> bool:
        chosen = self.choices.get(remote_id)
        return chosen is not None and chosen.kind is kind


def look_up(
    run: Run, side: SideName, ids: Iterable[str], keys: Iterable[str] = ()
) -> Candidates:
    """Return the candidates on one side, by id and by key of the directory."""
    wanted_keys = sorted(set(keys))
    hits = run.state.directory_find(wanted_keys) if wanted_keys else {}
    wanted = sorted({i for found in hits.values() for i in found} | set(ids))
    if not wanted:
        return Candidates(hits)
    settled = set(run.state.links_by(side, wanted)) | run.state.planned(side, wanted)
    open_ids = [i for i in wanted if i not in settled]
    remotes = dict(run.state.staged(side, open_ids))
    unread = [i for i in open_ids if i not in remotes]
    if unread:
        remotes |= run.side(side).fetch(unread)
    live = {i: r for i, r in remotes.items() if not r.is_gone and r.is_selected}
    return Candidates(hits, live, run.state.choices(side, wanted))


@dataclass(frozen=True, slots=True)
class Parents:
    """The series of the occurrences of one page.

    Attributes:
        links: by the id of the series on this side.
        leaving: link ids of series that are deleted, or not the user's any more.
        waiting: series that are read and not linked yet.
    """

    links: Mapping[str, Link] = field(default_factory=dict)
    leaving: frozenset[str] = frozenset()
    waiting: frozenset[str] = frozenset()

    def has_lost(self, series: str) -> bool:
        """Whether a series is not linked any more, or leaves."""
        link = self.links.get(series)
        return link is None or link.link_id in self.leaving


def parents_of(run: Run, side: SideName, series: Iterable[str]) -> Parents:
    """Return what is known of series, by their ids on one side."""
    wanted = sorted(set(series) - {""})
    if not wanted:
        return Parents()
    links = run.state.links_by(side, wanted)
    leaving: set[str] = set()
    for each in SideName:
        by_id = {link.remote_id(each): link.link_id for link in links.values()}
        for remote_id, remote in run.state.staged(each, sorted(by_id)).items():
            if remote.is_gone or not remote.is_selected:
                leaving.add(by_id[remote_id])
    unlinked = [i for i in wanted if i not in links]
    waiting = frozenset(run.state.staged(side, unlinked)) if unlinked else frozenset()
    return Parents(links, frozenset(leaving), waiting)
