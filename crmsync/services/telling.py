"""A cycle as JSON: the object that `sync run --json` prints (interfaces.md)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from crmsync.engine.guard import OBJECTIONS
from crmsync.engine.report import CycleState
from crmsync.storage import cycles


def iso(time: datetime | None) -> str | None:
    """Return a time as ISO 8601 with `Z`, to the millisecond."""
    if time is None:
        return None
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def cycle_json(row: Any) -> dict[str, Any]:
    """Return a cycle as `sync run --json` prints it."""
    return {
        "id": row.id,
        "user": row.email,
        "kind": row.kind,
        "state": row.state,
        "started_at": iso(row.started_at),
        "finished_at": iso(row.finished_at),
        "dry_run": row.is_dry,
        "counts": row.counts or cycles.empty_counts(),
        "requests": row.requests or {"google": 0, "crm": 0},
        "error": _error(row),
    }


def _error(row: Any) -> dict[str, Any] | None:
    if row.error:
        return dict(row.error)
    if row.state == CycleState.HELD.value:
        return {
            "code": row.objection,
            "message": OBJECTIONS.get(row.objection, row.objection),
            "next_step": f"crm-sync history show {row.id}, then approve or reject it.",
        }
    return None
