"""Add what Sync History's pages sort and filter by, and the indexes for it (HIS-1)."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "2026_11_24_history_pages"
down_revision = "2026_11_24_alerts"
branch_labels = None
depends_on = None

_COLUMNS = (
    ("changes", sa.Integer, "0"),
    ("duration_ms", sa.Integer, "0"),
    ("has_errors", sa.Boolean, sa.false()),
    ("has_conflicts", sa.Boolean, sa.false()),
    ("is_quiet", sa.Boolean, sa.false()),
)
_ORDERS = {
    "started": ("started_at",),
    "duration": ("duration_ms",),
    "changes": ("changes",),
    "errors": ("has_errors", "started_at"),
    "conflicts": ("has_conflicts", "started_at"),
    "quiet": ("is_quiet", "started_at"),
    "of_state": ("state", "started_at"),
}
_OTHERS = {
    "ix_cycle_pair_started": ("cycle", ["pair_id", "started_at", "id"]),
    "ix_cycle_kind_started": ("cycle", ["kind", "started_at", "id"]),
    "ix_item_cycle_page": ("item", ["cycle_id", "id"]),
    "ix_item_cycle_conflict": ("item", ["cycle_id", "has_conflict", "id"]),
    "ix_item_waiting": ("item", ["state", "reason", "pair_id", "id"]),
}
_SIDES = ("google", "crm")
_DONE = ("linked", "recorded", "missing", "files")
_TOLD = ("conflicts", "held", "skipped", "errors")


def _indexes() -> dict[str, tuple[str, list[str]]]:
    found = dict(_OTHERS)
    for name, columns in _ORDERS.items():
        found[f"ix_cycle_{name}"] = ("cycle", [*columns, "id"])
        found[f"ix_cycle_user_{name}"] = ("cycle", ["user_id", *columns, "id"])
    return found


def upgrade() -> None:
    for name, kind, default in _COLUMNS:
        op.add_column(
            "cycle", sa.Column(name, kind(), nullable=False, server_default=default)
        )
    _fill(op.get_bind())
    for name, (table, columns) in _indexes().items():
        op.create_index(op.f(name), table, columns)


def downgrade() -> None:
    for name, (table, _) in _indexes().items():
        op.drop_index(op.f(name), table)
    for name, _, _ in reversed(_COLUMNS):
        op.drop_column("cycle", name)


def _fill(connection: sa.Connection) -> None:
    """Measure the cycles that are there already."""
    cycle = sa.table(
        "cycle",
        sa.column("id", sa.String),
        sa.column("state", sa.String),
        sa.column("is_dry", sa.Boolean),
        sa.column("counts", sa.JSON),
        sa.column("error", sa.JSON),
        sa.column("started_at", sa.DateTime(timezone=True)),
        sa.column("finished_at", sa.DateTime(timezone=True)),
        *(sa.column(name, kind) for name, kind, _ in _COLUMNS),
    )
    last = ""
    while rows := connection.execute(
        sa.select(cycle).where(cycle.c.id > last).order_by(cycle.c.id).limit(500)
    ).all():
        last = rows[-1].id
        mine = cycle.c.id == sa.bindparam("of")
        connection.execute(
            sa.update(cycle)
            .where(mine)
            .values({name: sa.bindparam(f"new_{name}") for name, _, _ in _COLUMNS}),
            [_measured(row) for row in rows],
        )


def _measured(row: Any) -> dict[str, Any]:
    counts = row.counts or {}
    sides = [sum(counts.get(side, {}).values()) for side in _SIDES]
    changes = sum(sides) + sum(counts.get(name, 0) for name in _DONE)
    told = sum(counts.get(name, 0) for name in _TOLD)
    seconds = (row.finished_at or row.started_at) - row.started_at
    is_quiet = row.state == "succeeded" and not (row.is_dry or changes or told)
    return {
        "of": row.id,
        "new_changes": changes,
        "new_duration_ms": max(0, round(seconds.total_seconds() * 1000)),
        "new_has_errors": bool(counts.get("errors") or row.error),
        "new_has_conflicts": bool(counts.get("conflicts")),
        "new_is_quiet": is_quiet,
    }
