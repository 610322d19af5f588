"""Reading both sides into the stage (ENG-3, ENG-4).

What is read is stored before the cursor moves, so a cycle may die anywhere. Records
that are as both sides last agreed on are counted and dropped: echoes of our own
writes, and touches that are no edits (CON-19). A version older than one that we know
is a late listing and is dropped too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from crmsync.cycle.run import PAGE, Progress, Run, pages
from crmsync.errors import CursorExpired
from crmsync.ports import DirectoryEntry, Page, Unit
from crmsync.records.remote import Link, Remote
from crmsync.records.values import SideName


@dataclass(slots=True)
class _Sorted:
    """A page, sorted by what becomes of its records."""

    stage: list[Remote] = field(default_factory=list)
    unstage: list[tuple[SideName, str]] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    directory: list[DirectoryEntry] = field(default_factory=list)
    forget: list[str] = field(default_factory=list)
    left: list[tuple[SideName, str]] = field(default_factory=list)
    unchanged: int = 0


def read_side(run: Run, side: SideName, progress: Progress) -> None:
    """Read one side into the stage and move its cursor.

    Raises:
        Retryable: the side is down; what was read so far is kept.
    """
    cursor = run.state.cursor(side)
    try:
        _read(run, side, cursor, progress)
    except CursorExpired:
        _read(run, side, None, progress)


def _read(run: Run, side: SideName, cursor: str | None, progress: Progress) -> None:
    if cursor is None:
        run.state.start_full_read(side)
    elif side is SideName.GOOGLE:
        progress.confirms = True
    following: str | None = None
    for page in run.side(side).read(cursor):
        _store(run, side, page, progress, is_whole=cursor is None)
        following = page.cursor
    if cursor is None:
        _store_absent(run, side, progress)
    if following != cursor:
        run.state.commit(Unit(cursors={side: following}))


def _store(
    run: Run, side: SideName, page: Page, progress: Progress, *, is_whole: bool
) -> None:
    records = _once(page.records)
    for start in range(0, len(records), PAGE):
        part = records[start : start + PAGE]
        result = _sort(run, side, part)
        if is_whole and not run.kind.has_label:
            result.stage = [replace(r, is_backlog=True) for r in result.stage]
        progress.unchanged += result.unchanged
        seen = tuple((side, r.remote_id) for r in part if not r.is_gone)
        run.state.commit(
            Unit(
                stage=tuple(result.stage),
                unstage=tuple(result.unstage),
                seen=seen,
                links=tuple(result.links),
                directory=tuple(result.directory),
                forget=tuple(result.forget),
                resolved=tuple(result.left),
                choices_done=tuple(result.left),
            )
        )


def _once(records: Sequence[Remote]) -> Sequence[Remote]:
    """Return each record of a page once, in its latest version.

    A listing may show a record twice, and in two versions.
    """
    latest: dict[str, Remote] = {}
    for record in records:
        known = latest.get(record.remote_id)
        if known is None or not is_stale(record, known.stamp):
            latest[record.remote_id] = record
    return records if len(latest) == len(records) else tuple(latest.values())


def _sort(run: Run, side: SideName, records: Sequence[Remote]) -> _Sorted:
    result = _Sorted()
    links = _links_of(run, side, records, result)
    ids = [record.remote_id for record in records]
    staged = run.state.staged(side, ids)
    known = run.state.directory(ids) if side is SideName.GOOGLE else {}
    late = _late(run, records, known)
    for shown in records:
        older = staged.get(shown.remote_id)
        # What a first cycle has not dealt with stays part of it (CAL-20).
        is_old = older is not None and older.is_backlog
        record = replace(shown, is_backlog=True) if is_old else shown
        entry = known.get(record.remote_id)
        is_late = entry is not None and is_stale(record, entry.stamp)
        if is_late or record.remote_id in late:
            continue
        link = links.get(record.remote_id)
        if link is not None:
            _sort_linked(run, link, record, older, result)
        else:
            _sort_unlinked(record, older, result)
        if side is SideName.GOOGLE:
            _list(run, record, entry, result)
    return result


def _late(
    run: Run, records: Sequence[Remote], known: Mapping[str, DirectoryEntry]
) -> frozenset[str]:
    """Return records that the feed still shows labelled although we parted them."""
    doubtful = [
        record.remote_id
        for record in records
        if record.is_selected
        and not record.is_gone
        and (entry := known.get(record.remote_id)) is not None
        and entry.is_parted
    ]
    if not doubtful:
        return frozenset()
    now = run.google.fetch(doubtful)
    return frozenset(i for i in doubtful if now[i].is_gone or not now[i].is_selected)


def _links_of(
    run: Run, side: SideName, records: Sequence[Remote], result: _Sorted
) -> dict[str, Link]:
    """Return links by current id; a renamed record's link follows the new id."""
    ids = [record.remote_id for record in records]
    former = [old for record in records for old in record.previous_ids]
    found = dict(run.state.links_by(side, [*ids, *former]))
    for record in records:
        if record.remote_id in found or record.is_gone:
            continue
        for old in record.previous_ids:
            link = found.pop(old, None)
            if link is not None:
                renamed = replace(link, google_id=record.remote_id)
                found[record.remote_id] = renamed
                result.links.append(renamed)
                result.forget.append(old)
                result.unstage.append((side, old))
                break
    return found


def is_stale(record: Remote, stamp: str) -> bool:
    """Whether a listing shows an older version than one we know.

    Google's feed is late. The CRM's is not: there an older version is the truth, for
    example after its database came back from a backup.
    """
    if record.side is SideName.CRM or not record.stamp or not stamp:
        return False
    return record.stamp < stamp


def _is_same_version(record: Remote, older: Remote) -> bool:
    """Whether a listing shows what is staged already: what was put off stays so."""
    shown = (record.etag, record.is_selected, record.is_gone)
    known = (older.etag, older.is_selected, older.is_gone)
    return shown == known and bool(record.etag or record.is_gone)


def _sort_linked(
    run: Run, link: Link, record: Remote, older: Remote | None, result: _Sorted
) -> None:
    if older is not None and _is_same_version(record, older):
        return
    side = record.side
    known = link.stamp(side) if older is None else older.stamp
    if is_stale(record, max(known, link.stamp(side))):
        return
    if record.is_gone or not record.is_selected or link.dormant is not None:
        result.stage.append(record)
        return
    base = link.base.of(side)
    if run.table.are_same(run.values(record, base), base):
        result.unchanged += 1
        if older is not None:
            # It waits no longer: what the other side shows may be told now.
            result.stage.append(record)
        return
    result.stage.append(record)


def _sort_unlinked(record: Remote, older: Remote | None, result: _Sorted) -> None:
    if older is not None and (
        is_stale(record, older.stamp) or _is_same_version(record, older)
    ):
        return
    if record.is_gone or not record.is_selected:
        if older is not None:
            result.unstage.append((record.side, record.remote_id))
            result.left.append((record.side, record.remote_id))
        return
    result.stage.append(record)


def _list(
    run: Run, record: Remote, known: DirectoryEntry | None, result: _Sorted
) -> None:
    if record.is_gone:
        result.forget.append(record.remote_id)
        return
    entry = directory_entry(run, record)
    if known is not None and known.is_parted and not record.is_selected:
        # An unlabelled version may be older than the link that has ended.
        still = not record.stamp or record.stamp <= known.stamp
        entry = replace(entry, is_parted=still, stamp=max(record.stamp, known.stamp))
    result.directory.append(entry)


def directory_entry(run: Run, record: Remote) -> DirectoryEntry:
    """Return what the directory keeps of a Google record."""
    keys = run.kind.keys(run, record)
    origin = run.origin_of(record.key)
    if origin:
        keys = (f"o:{origin}", *keys)
    return DirectoryEntry(
        record.remote_id, record.is_selected, keys, record.key, stamp=record.stamp
    )


def _store_absent(run: Run, side: SideName, progress: Progress) -> None:
    """Stage what a full read did not show; each is looked at by itself (ENG-4)."""
    for ids in pages(lambda a, n: run.state.absent(side, a, n), lambda i: i):
        links = run.state.links_by(side, ids)
        staged = run.state.staged(side, ids)
        doubtful = [i for i in ids if i in links or i in staged]
        now = run.side(side).fetch(doubtful) if doubtful else {}
        records = tuple(now[i] for i in doubtful)
        _store_confirmed(run, side, records, progress)
        if side is SideName.GOOGLE:
            known = run.state.directory(ids)
            rest = (i for i in known if i not in links and i not in staged)
            # A parted record may still turn up in a late listing.
            gone = tuple(i for i in rest if not known[i].is_parted)
            run.state.commit(Unit(forget=gone))


def _store_confirmed(
    run: Run, side: SideName, records: Sequence[Remote], progress: Progress
) -> None:
    result = _sort(run, side, records)
    progress.unchanged += result.unchanged
    run.state.commit(
        Unit(
            stage=tuple(result.stage),
            unstage=tuple(result.unstage),
            links=tuple(result.links),
            directory=tuple(result.directory),
            forget=tuple(result.forget),
            resolved=tuple(result.left),
            choices_done=tuple(result.left),
        )
    )
