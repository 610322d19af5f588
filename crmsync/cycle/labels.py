"""The Google label: looked at when needed, made again when it was deleted (CON-3)."""

from __future__ import annotations

from crmsync.cycle.run import Progress, Run, pages
from crmsync.engine.plan import Action, Item, ItemDirection, ItemState
from crmsync.ports import Opened, Unit
from crmsync.records.values import SideName


def open_sides(run: Run, progress: Progress) -> None:
    """Make sure that both collections are there.

    Raises:
        CollectionGone: if the Contact Sync Group is deleted or unreadable; the pair
            pauses, nothing is unlinked (CON-2).
    """
    memo = run.state.memo(SideName.CRM)
    opened = run.crm.open(memo, verify=False, may_write=not run.is_dry)
    if dict(opened.memo) != dict(memo):
        run.state.commit(Unit(memos={SideName.CRM: opened.memo}))
    memo = run.state.memo(SideName.GOOGLE)
    opened = run.google.open(memo, verify=False, may_write=not run.is_dry)
    _note(run, opened, dict(memo), progress)


def verify_label(run: Run, progress: Progress) -> None:
    """Look whether the label is there before believing that contacts left it."""
    if progress.was_verified:
        return
    progress.was_verified = True
    memo = run.state.memo(SideName.GOOGLE)
    opened = run.google.open(memo, verify=True, may_write=not run.is_dry)
    _note(run, opened, dict(memo), progress)


def _note(run: Run, opened: Opened, memo: dict[str, str], progress: Progress) -> None:
    if opened.was_restored:
        progress.was_restored = True
        progress.was_verified = True
        if not run.is_dry:
            _relabel(run)
    if dict(opened.memo) != memo:
        run.state.commit(Unit(memos={SideName.GOOGLE: opened.memo}))


def _relabel(run: Run) -> None:
    """Put all linked contacts in the new label; a deleted label unselects nobody."""
    relabelled = 0
    for page in pages(run.state.links, lambda link: link.link_id):
        ids = [link.google_id for link in page if link.dormant is None]
        outcomes = run.google.select(ids)
        relabelled += sum(outcome.error is None for outcome in outcomes)
    item = Item(
        item_id=run.ids.new(),
        action=Action.RESTORE,
        direction=ItemDirection.TO_GOOGLE,
        state=ItemState.DONE,
        reason="label_restored",
        name=f"{relabelled} contacts",
    )
    run.state.commit(Unit(items=(item,)))
