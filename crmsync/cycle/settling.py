"""Settling what an earlier cycle left without an outcome (ENG-2, ENG-4).

A create that got no answer is looked for by its key before anything is created
again. Updates need no look-up here: the link remembers what was sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from crmsync.cycle.run import PAGE, Progress, Run, chunks
from crmsync.engine.plan import Action, Item, ItemState
from crmsync.ports import Unit
from crmsync.records.remote import Link
from crmsync.records.values import SideName

CLEAN_READS = 2
"""Reads that must not show a create before it may be sent again (contract, 7)."""


def settle(run: Run, progress: Progress) -> None:
    """Find the outcome of earlier items; fill `resend`, `waiting` and `pending`."""
    items = run.state.unsettled()
    creates = [item for item in items if item.action is Action.CREATE]
    for item in items:
        if item.action is not Action.CREATE:
            progress.pending[item.link_id] = item
    for side in SideName:
        _settle_creates(
            run, side, [i for i in creates if i.creates_in is side], progress
        )


def wait_for_creates(run: Run, progress: Progress) -> None:
    """Let creates without an outcome wait: a later slice has not read anything new."""
    for item in run.state.unsettled():
        side = item.creates_in
        if side is not None:
            progress.waiting.add((side.other, item.remote_id(side.other)))


def _settle_creates(
    run: Run, side: SideName, items: Sequence[Item], progress: Progress
) -> None:
    if not items:
        return
    found = _found(run, side, [item.key for item in items])
    origins = run.state.links_by(
        side.other, [item.remote_id(side.other) for item in items]
    )
    adopted: list[tuple[Item, str]] = []
    for item in items:
        made = found.get(item.key)
        if item.remote_id(side.other) in origins:
            run.state.commit(Unit(items=(replace(item, state=ItemState.DONE),)))
        elif made is not None:
            adopted.append((item, made))
        else:
            _wait(run, side, item, progress)
    for part in chunks(adopted, PAGE):
        _adopt(run, side, part)


def _found(run: Run, side: SideName, keys: Sequence[str]) -> dict[str, str]:
    if side is SideName.CRM:
        return {key: r.remote_id for key, r in run.crm.lookup(keys).items()}
    return dict(run.state.directory_keys(keys))


def _adopt(run: Run, side: SideName, made: Sequence[tuple[Item, str]]) -> None:
    """Link records that were made after all; the base is what was sent."""
    is_crm = side is SideName.CRM
    links = [
        Link(
            link_id=run.ids.new(),
            crm_id=remote_id if is_crm else item.crm_id,
            google_id=item.google_id if is_crm else remote_id,
            base=item.base,
            created_in=side,
            has_key=not is_crm,
            role=item.role,
            parent=item.parent,
        )
        for item, remote_id in made
    ]
    # What happened to either record since then was read while nothing linked them.
    now = [
        remote
        for s in SideName
        for remote in run.side(s).fetch([link.remote_id(s) for link in links]).values()
    ]
    done = tuple(
        replace(
            item, state=ItemState.DONE, crm_id=link.crm_id, google_id=link.google_id
        )
        for (item, _), link in zip(made, links, strict=True)
    )
    run.state.commit(Unit(links=tuple(links), items=done, stage=tuple(now)))


def _wait(run: Run, side: SideName, item: Item, progress: Progress) -> None:
    """Decide whether a create that was not found may be sent again."""
    origin = (side.other, item.remote_id(side.other))
    reads = item.clean_reads + 1
    waiting = replace(item, state=ItemState.UNKNOWN, clean_reads=reads)
    is_wanted = bool(run.state.staged(origin[0], [origin[1]]))
    # The CRM's look-up by key is final, and a repeated key makes no second record, no
    # more than the id of an event does; but what nobody wants now may be wanted again
    # while it is still on its way.
    may_repeat = (side is SideName.CRM or run.kind.may_repeat) and is_wanted
    if not may_repeat and not _has_waited(run, waiting):
        progress.waiting.add(origin)
    elif is_wanted:
        progress.resend[origin] = waiting
    else:
        waiting = replace(waiting, state=ItemState.SKIPPED, reason="superseded")
    run.state.commit(Unit(items=(waiting,)))


def _has_waited(run: Run, item: Item) -> bool:
    age = run.clock.now().timestamp() - item.sent_at
    return item.clean_reads >= CLEAN_READS and age >= run.settle_seconds


def close_pending(run: Run, progress: Progress, planned: Sequence[str]) -> None:
    """Close earlier updates: done, or superseded by a new item of this plan."""
    again = frozenset(planned)
    closed = tuple(
        replace(
            item,
            state=ItemState.SKIPPED if link_id in again else ItemState.DONE,
            reason="superseded" if link_id in again else item.reason,
        )
        for link_id, item in progress.pending.items()
    )
    if closed:
        run.state.commit(Unit(items=closed))
