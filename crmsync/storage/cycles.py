"""Cycles as rows: opened, counted, closed, held, resumed (interfaces.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, case, delete, func, or_, select, update

from crmsync.engine.guard import Allowance, Totals
from crmsync.engine.plan import Action, ItemDirection, ItemState
from crmsync.engine.report import Carried, CycleReport, CycleState
from crmsync.storage import mail
from crmsync.storage import tables as t
from crmsync.storage.database import Database
from crmsync.storage.leases import Lease, prove

_MISSING = "missing_contact"
_INTERRUPTED = {
    "code": "interrupted",
    "message": "The process that ran this cycle ended before its work was done.",
    "next_step": "Nothing to do: the next cycle goes on where this one stopped.",
}


def open_cycle(
    database: Database, lease: Lease, cycle_id: str, *, now: datetime, is_dry: bool
) -> None:
    """Open a cycle of the lease's pair and put away what a dead one left.

    Raises:
        LeaseLost: if another worker took the pair over meanwhile; what that one has
            under way is not touched.
    """
    mine = t.pairs.c.id == lease.pair_id
    with database.write() as connection:
        prove(connection, lease, now)
        abandon(connection, lease.pair_id, now)
        pair = connection.execute(
            select(t.pairs.c.user_id, t.pairs.c.kind).where(mine)
        ).one()
        connection.execute(
            t.cycles.insert().values(
                id=cycle_id,
                pair_id=lease.pair_id,
                user_id=pair.user_id,
                kind=pair.kind,
                state=CycleState.RUNNING.value,
                is_dry=is_dry,
                started_at=now,
                counts={},
                requests={},
            )
        )


def resume_cycle(
    database: Database,
    lease: Lease,
    cycle_id: str,
    allowance: Allowance,
    *,
    now: datetime,
) -> None:
    """Run a held cycle again: its plan is dropped and made anew (ENG-6).

    Raises:
        LeaseLost: if another worker took the pair over meanwhile.
    """
    with database.write() as connection:
        prove(connection, lease, now)
        abandon(connection, lease.pair_id, now)
        drop_plan(connection, cycle_id)
        connection.execute(
            update(t.cycles)
            .where(t.cycles.c.id == cycle_id)
            .values(
                state=CycleState.RUNNING.value,
                objection="",
                allowance=asdict(allowance.totals),
                started_at=now,
                finished_at=None,
                duration_ms=0,
            )
        )


def carried_cycle(database: Database, pair_id: str) -> Any:
    """Return the row of a cycle that waits for its next slice, or None."""
    with database.read() as connection:
        return connection.execute(
            select(t.cycles).where(
                t.cycles.c.pair_id == pair_id,
                t.cycles.c.state == CycleState.RUNNING.value,
                t.cycles.c.carried.is_not(None),
            )
        ).first()


def state_of(database: Database, cycle_id: str) -> str:
    """Return a cycle's state."""
    with database.read() as connection:
        statement = select(t.cycles.c.state).where(t.cycles.c.id == cycle_id)
        return str(connection.execute(statement).scalar_one())


def take_up(
    database: Database, lease: Lease, cycle_id: str, *, now: datetime
) -> Carried:
    """Begin the next slice; if this process dies, there is nothing to take up.

    Raises:
        LeaseLost: if another worker took the pair over meanwhile.
    """
    with database.write() as connection:
        prove(connection, lease, now)
        mine = t.cycles.c.id == cycle_id
        row = connection.execute(select(t.cycles.c.carried).where(mine)).one()
        connection.execute(update(t.cycles).where(mine).values(carried=None))
    return Carried(**row.carried)


def put_down(
    database: Database, lease: Lease, cycle_id: str, carried: Carried, *, now: datetime
) -> None:
    """End a slice; the cycle stays `running` and waits for the next one.

    Raises:
        LeaseLost: if another worker took the pair over meanwhile.
    """
    with database.write() as connection:
        prove(connection, lease, now)
        mine = t.cycles.c.id == cycle_id
        pair = select(t.cycles.c.pair_id).where(mine).scalar_subquery()
        counts = count_items(
            connection, cycle_id, planned=False, unchanged=carried.unchanged
        )
        connection.execute(
            update(t.cycles)
            .where(mine)
            .values(
                carried=asdict(carried),
                counts=counts,
                requests=dict(carried.requests),
                **measures(counts),
            )
        )
        connection.execute(
            update(t.pairs).where(t.pairs.c.id == pair).values(is_accepted=True)
        )


def leave_plan(database: Database, cycle_id: str) -> None:
    """Leave what a cycle planned and did not come to for a later one."""
    with database.write() as connection:
        connection.execute(
            update(t.items)
            .where(t.items.c.cycle_id == cycle_id, t.items.c.state == "planned")
            .where(t.items.c.sent_at == 0)
            .values(state=ItemState.SKIPPED.value, reason="left_for_later")
        )


def abandon(connection: Connection, pair_id: str, now: datetime) -> None:
    """Close cycles whose process died; what they sent has no outcome yet."""
    running = select(t.cycles.c.id, t.cycles.c.started_at).where(
        t.cycles.c.pair_id == pair_id, t.cycles.c.state == CycleState.RUNNING.value
    )
    rows = connection.execute(running).all()
    ids = [row.id for row in rows]
    if not ids:
        return
    mine = t.items.c.cycle_id.in_(ids)
    never_sent = and_(t.items.c.state == "planned", t.items.c.sent_at == 0)
    connection.execute(delete(t.items).where(mine, never_sent))
    _leave_open(connection, mine)
    for row in rows:
        connection.execute(
            update(t.cycles)
            .where(t.cycles.c.id == row.id)
            .values(
                state=CycleState.PARTIAL.value,
                finished_at=now,
                duration_ms=_milliseconds(row.started_at, now),
                error=_INTERRUPTED,
                has_errors=True,
            )
        )


def _milliseconds(began: datetime, ended: datetime) -> int:
    return max(0, round((ended - began).total_seconds() * 1000))


def drop_plan(connection: Connection, cycle_id: str) -> None:
    """Delete a cycle's items that were never sent; the others keep waiting."""
    mine = t.items.c.cycle_id == cycle_id
    connection.execute(
        delete(t.items).where(
            mine,
            t.items.c.state.in_(["planned", "held", "skipped"]),
            t.items.c.sent_at == 0,
        )
    )
    _leave_open(connection, mine)


def drop_sent(connection: Connection, cycle_id: str) -> None:
    """Let creates that left once keep waiting for their outcome."""
    _leave_open(connection, t.items.c.cycle_id == cycle_id)


def _leave_open(connection: Connection, mine: Any) -> None:
    """Give items without an outcome to the next cycle, which looks for them."""
    was_sent = or_(
        t.items.c.state == "sent",
        and_(t.items.c.state == "planned", t.items.c.sent_at > 0),
    )
    connection.execute(
        update(t.items).where(mine, was_sent).values(state=ItemState.UNKNOWN.value)
    )


def _leave_rest(connection: Connection, cycle_id: str) -> None:
    """Say of what a cycle did not come to that the next one does it."""
    connection.execute(
        update(t.items)
        .where(
            t.items.c.cycle_id == cycle_id,
            t.items.c.state == ItemState.PLANNED.value,
            t.items.c.sent_at == 0,
        )
        .values(state=ItemState.SKIPPED.value, reason="left_for_later")
    )


def close_cycle(
    database: Database,
    cycle_id: str,
    report: CycleReport,
    requests: Mapping[str, int],
    *,
    now: datetime,
) -> None:
    """Close a cycle with its counts."""
    with database.write() as connection:
        held = report.state is CycleState.HELD
        row = connection.execute(
            select(t.cycles.c.is_dry, t.cycles.c.started_at).where(
                t.cycles.c.id == cycle_id
            )
        ).one()
        if not held and not row.is_dry:
            _leave_rest(connection, cycle_id)
        counts = count_items(
            connection, cycle_id, planned=held or row.is_dry, unchanged=report.unchanged
        )
        error = dict(report.error) if report.error else None
        if not held:
            _leave_open(connection, t.items.c.cycle_id == cycle_id)
        if report.totals is not None:
            connection.execute(
                update(t.cycles)
                .where(t.cycles.c.id == cycle_id)
                .values(allowance=asdict(report.totals))
            )
        connection.execute(
            update(t.cycles)
            .where(t.cycles.c.id == cycle_id, t.cycles.c.state.in_(["running", "held"]))
            .values(
                state=report.state.value,
                objection=report.objection or "",
                counts=counts,
                requests=dict(requests),
                error=error,
                finished_at=now,
                duration_ms=_milliseconds(row.started_at, now),
                **measures(counts, error),
                is_quiet=is_quiet(report.state, counts) and not row.is_dry,
            )
        )
        if report.is_accepted and not row.is_dry:
            pair = select(t.cycles.c.pair_id).where(t.cycles.c.id == cycle_id)
            done = {"announced": 0} if report.state is CycleState.SUCCEEDED else {}
            connection.execute(
                update(t.pairs)
                .where(t.pairs.c.id == pair.scalar_subquery())
                .values(is_accepted=True, **done)
            )


def measures(
    counts: Mapping[str, Any], error: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the columns that Sync History sorts and filters by (HIS-1)."""
    done = sum(sum(counts[side].values()) for side in ("google", "crm"))
    done += sum(counts[name] for name in ("linked", "recorded", "missing", "files"))
    return {
        "changes": done,
        "has_errors": counts["errors"] > 0 or error is not None,
        "has_conflicts": counts["conflicts"] > 0,
    }


def is_quiet(state: CycleState, counts: Mapping[str, Any]) -> bool:
    """Whether a cycle succeeded and there is nothing to tell about it."""
    told = ("conflicts", "held", "skipped", "errors")
    if state is not CycleState.SUCCEEDED or any(counts[name] for name in told):
        return False
    return not measures(counts)["changes"]


def fold_pause(database: Database, cycle_id: str, now: datetime) -> str:
    """Tell the same reason for a pause once: later cycles fold into the first (AUTH-7).

    Returns:
        The cycle that tells it: an earlier one with the same reason, else this one.
    """
    mine = t.cycles.c.id == cycle_id
    with database.write() as connection:
        row = connection.execute(select(t.cycles).where(mine)).one()
        before = connection.execute(
            select(t.cycles)
            .where(
                t.cycles.c.pair_id == row.pair_id,
                t.cycles.c.id < cycle_id,
                t.cycles.c.is_dry.is_(False),
            )
            .order_by(t.cycles.c.id.desc())
            .limit(1)
        ).first()
        if before is None or before.state != CycleState.PAUSED.value:
            return cycle_id
        is_same = (before.error or {}).get("code") == (row.error or {}).get("code")
        has_items = connection.execute(
            select(t.items.c.id).where(t.items.c.cycle_id == cycle_id).limit(1)
        ).first()
        if not is_same or has_items:
            return cycle_id
        connection.execute(delete(t.cycles).where(mine))
        connection.execute(
            update(t.cycles).where(t.cycles.c.id == before.id).values(finished_at=now)
        )
        return str(before.id)


def empty_counts() -> dict[str, Any]:
    """Return all counts of interfaces.md at zero."""
    sides = ("created", "updated", "deleted", "unlinked")
    return {
        "linked": 0,
        "google": dict.fromkeys(sides, 0),
        "crm": dict.fromkeys(sides, 0),
        **dict.fromkeys(
            (
                "recorded",
                "missing",
                "files",
                "unchanged",
                "conflicts",
                "held",
                "skipped",
                "errors",
            ),
            0,
        ),
    }


def count_items(
    connection: Connection, cycle_id: str, *, planned: bool, unchanged: int
) -> dict[str, Any]:
    """Count a cycle's items as interfaces.md wants them.

    Args:
        connection: the open unit of work.
        cycle_id: the cycle.
        planned: count planned items as if they were done (dry run, held plan).
        unchanged: records read and equal.
    """
    item = t.items.c
    states = ["done", "planned"] if planned else ["done"]
    is_done = item.state.in_(states)
    is_update = item.action.in_([Action.UPDATE.value, Action.LINK.value, "restore"])

    def number(*conditions: Any) -> Any:
        return func.coalesce(func.sum(case((and_(*conditions), 1), else_=0)), 0)

    made = item.action == Action.CREATE.value
    deleted = item.action == Action.DELETE.value
    to_google = item.direction == ItemDirection.TO_GOOGLE.value
    to_crm = item.direction == ItemDirection.TO_CRM.value
    row = connection.execute(
        select(
            number(is_done, item.action == Action.LINK.value),
            number(is_done, made, to_google),
            number(is_done, is_update, item.is_google_written),
            number(is_done, deleted, to_google),
            number(is_done, item.is_google_deselected),
            number(is_done, made, to_crm),
            number(is_done, is_update, item.is_crm_written),
            number(is_done, deleted, to_crm),
            number(is_done, item.is_crm_deselected),
            number(is_done, item.has_conflict),
            number(item.state == ItemState.HELD.value),
            number(item.state == ItemState.SKIPPED.value, item.reason != _MISSING),
            number(item.state == ItemState.FAILED.value),
            number(is_done, item.action == Action.RECORD.value),
            number(item.state == ItemState.SKIPPED.value, item.reason == _MISSING),
        ).where(item.cycle_id == cycle_id)
    ).one()
    counts = _counts(tuple(int(value) for value in row), unchanged)
    counts["files"] = mail.files_of(connection, cycle_id)
    return counts


def _counts(values: tuple[int, ...], unchanged: int) -> dict[str, Any]:
    counts = empty_counts()
    names = ("created", "updated", "deleted", "unlinked")
    counts["linked"] = values[0]
    counts["google"] = dict(zip(names, values[1:5], strict=True))
    counts["crm"] = dict(zip(names, values[5:9], strict=True))
    last = ("conflicts", "held", "skipped", "errors")
    counts.update(dict(zip(last, values[9:13], strict=True)))
    counts["recorded"], counts["missing"] = values[13:15]
    counts["unchanged"] = unchanged
    return counts


def totals_of(connection: Connection, cycle_id: str) -> Totals:
    """Return what a held plan amounts to; a person who accepts it accepts this."""
    kept = connection.execute(
        select(t.cycles.c.allowance).where(t.cycles.c.id == cycle_id)
    ).scalar()
    return Totals(**kept) if kept else Totals()


def has_ended(database: Database, pair_id: str) -> bool:
    """Whether any cycle of a pair has come to its end (CAL-20)."""
    table = t.cycles
    wanted = select(table.c.id).where(
        table.c.pair_id == pair_id,
        table.c.is_dry.is_(False),
        table.c.state.in_([CycleState.SUCCEEDED.value, CycleState.PARTIAL.value]),
    )
    with database.read() as connection:
        return connection.execute(wanted.limit(1)).first() is not None
