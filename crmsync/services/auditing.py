"""The audit trail: who changed, authorised, resolved or restored what (ADM-5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crmsync.services.app import App
from crmsync.storage import tables as t


def note(app: App, actor: str, action: str, detail: Mapping[str, Any]) -> None:
    """Append one entry to the audit trail."""
    with app.database.write() as connection:
        connection.execute(
            t.audit.insert().values(
                id=app.ids.new(),
                at=app.clock.now(),
                actor=actor,
                action=action,
                detail=dict(detail),
            )
        )
