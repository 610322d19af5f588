"""What persons decide: approve, reject, resolve, retry, restore (ENG-6, HIS-3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import select, update

from crmsync.cycle.restoring import restore
from crmsync.engine.guard import count
from crmsync.engine.plan import Action, Item
from crmsync.engine.report import CycleReport, CycleState
from crmsync.errors import LeaseTaken, UsageError
from crmsync.ports import ChoiceKind
from crmsync.records.values import SideName
from crmsync.services import auditing, runs, syncing
from crmsync.services.app import App
from crmsync.services.runs import never
from crmsync.services.syncing import Order
from crmsync.services.telling import cycle_json
from crmsync.storage import codec, cycles, history, people
from crmsync.storage import tables as t
from crmsync.storage.state import SqlState


def approve(
    app: App,
    cycle_id: str,
    *,
    actor: str,
    waits: float = 0.0,
    is_over: Callable[[], bool] = never,
) -> dict[str, Any]:
    """Approve a held cycle; its plan is made anew and asks again if it grew."""
    auditing.note(app, actor, "cycle.approved", {"cycle": cycle_id})
    return syncing.approve(app, cycle_id, Order(waits=waits, is_over=is_over))


def reject(app: App, cycle_id: str, *, actor: str, waits: float) -> dict[str, Any]:
    """Reject a held cycle: its removals are unlinked, nothing is deleted (ENG-6).

    The records stay as they are on both sides and are left alone from now on, until
    a person chooses otherwise.

    Raises:
        UsageError: if the cycle is not held.
    """
    row = history.cycle_row(app.database, cycle_id)
    pair = people.pair_of(app.database, row.user_id, row.kind)
    with runs.held_lease(app, pair, waits):
        syncing.check_held(app, cycle_id)
        if row.objection != "first_cycle":
            _unlink_rejected(app, cycle_id, pair.pair_id)
        report = CycleReport(CycleState.REJECTED)
        syncing.close(app, pair, cycle_id, report, row.requests)
    auditing.note(app, actor, "cycle.rejected", {"cycle": cycle_id})
    return cycle_json(history.cycle_row(app.database, cycle_id))


def _unlink_rejected(app: App, cycle_id: str, pair_id: str) -> None:
    planned = (t.items.c.cycle_id == cycle_id) & (t.items.c.state == "planned")
    with app.database.write() as connection:
        rows = connection.execute(select(t.items).where(planned)).all()
        items = [codec.item_from_row(row) for row in rows]
        ignored: list[dict[str, Any]] = []
        for item in items:
            if item.link_id and _is_refused(item):
                connection.execute(t.links.delete().where(t.links.c.id == item.link_id))
            for side in _stays(item):
                ignored.append(
                    {
                        "pair_id": pair_id,
                        "side": side.value,
                        "remote_id": item.remote_id(side),
                        "kind": ChoiceKind.IGNORE.value,
                        "target": "",
                    }
                )
        app.database.upsert(connection, t.choices, ignored)
        cycles.drop_sent(connection, cycle_id)
        connection.execute(
            update(t.items)
            .where(t.items.c.cycle_id == cycle_id, t.items.c.state == "planned")
            .values(state="skipped", reason="rejected")
        )


def _is_refused(item: Item) -> bool:
    """Whether a person who rejects a plan refuses this part of it (ENG-6)."""
    totals = count(item)
    return bool(totals.removals or totals.blanked)


def _stays(item: Item) -> tuple[SideName, ...]:
    """Return the halves that would be paired again by themselves."""
    if item.creates_in is not None:
        return (item.creates_in.other,)
    if not _is_refused(item):
        return ()
    if item.action is Action.UPDATE:
        return tuple(SideName)
    return (SideName.CRM,) if item.steps.deselect_crm else (SideName.GOOGLE,)


def resolve(app: App, item_id: str, choice: str, *, actor: str) -> dict[str, Any]:
    """Decide about a held item: a candidate's id, `new`, or `skip`.

    The decision is carried out by the next cycle.

    Raises:
        UsageError: if the item is not held or the choice is none of its candidates.
    """
    row = history.item_row(app.database, item_id)
    if row.reason == "company_edited":
        history.close_item(app.database, item_id, "done", "company_edited")
        return {"item": item_id, "choice": "seen"}
    if row.state != "held":
        raise UsageError(f"Item {item_id} is not held; it is {row.state}.")
    kind, target = _parse_choice(row, choice)
    side = SideName.CRM if row.crm_id else SideName.GOOGLE
    remote_id = row.crm_id or row.google_id
    history.choose(app.database, (row.pair_id, side.value, remote_id), kind, target)
    if kind is ChoiceKind.IGNORE:
        history.close_item(app.database, item_id, "skipped", "skipped_by_person")
    detail = {"item": item_id, "choice": choice}
    auditing.note(app, actor, "item.resolved", detail)
    return detail


def _parse_choice(row: Any, choice: str) -> tuple[ChoiceKind, str]:
    wanted = choice.strip()
    if wanted == "skip":
        return ChoiceKind.IGNORE, ""
    if row.reason == "ambiguous_account":
        return ChoiceKind.NEW, wanted
    if wanted == "new":
        return ChoiceKind.NEW, ""
    candidates = {c.record_id: c.name for c in codec.item_from_row(row).choices}
    if wanted not in candidates:
        listed = "; ".join(f"{key} ({name})" for key, name in candidates.items())
        raise UsageError(
            f"{choice!r} is none of the choices.",
            next_step=f"Choose one of: {listed or 'no candidate'}; or new; or skip.",
        )
    return ChoiceKind.LINK, wanted


def retry(app: App, item_id: str, *, actor: str) -> dict[str, Any]:
    """Let a failed item's records be tried in the next cycle, without delay."""
    row = history.item_row(app.database, item_id)
    places = [("crm", row.crm_id), ("google", row.google_id)]
    places = [place for place in places if place[1]]
    history.hurry(app.database, row.pair_id, places)
    # A question that was skipped, or a rejected record, is asked about again.
    history.forget_choices(app.database, row.pair_id, places)
    auditing.note(app, actor, "item.retried", {"item": item_id})
    return {"item": item_id}


def restore_item(
    app: App, item_id: str, fields: tuple[str, ...], *, actor: str, waits: float
) -> dict[str, Any]:
    """Bring losing values back on both sides, as a cycle of its own.

    Raises:
        UsageError: if nothing was lost, or the records are not linked any more.
    """
    row = history.item_row(app.database, item_id)
    origin = history.cycle_row(app.database, row.cycle_id)
    user = people.user_by_id(app.database, origin.user_id)
    pair = people.pair_of(app.database, origin.user_id, origin.kind)
    item = codec.item_from_row(row)
    syncing.check_allowed(app, user, origin.kind)
    with runs.held_lease(app, pair, waits) as lease:
        if cycles.carried_cycle(app.database, pair.pair_id) is not None:
            raise LeaseTaken("A cycle of this kind is in the middle of its work.")
        cycle_id, now = app.ids.new(), app.clock.now()
        state = SqlState(app.database, lease, cycle_id, clock=app.clock)
        run = replace(runs.build_run(app, user, pair, state), asks_first=False)
        cycles.open_cycle(app.database, lease, cycle_id, now=now, is_dry=False)
        report = CycleReport(CycleState.FAILED)
        try:
            report = restore(run, item, fields)
        finally:
            requests = {"google": run.google.requests, "crm": run.crm.requests}
            syncing.close(app, pair, cycle_id, report, requests)
    auditing.note(app, actor, "item.restored", {"item": item_id, "cycle": cycle_id})
    return cycle_json(history.cycle_row(app.database, cycle_id))
