"""The jobs of the queue: a few lines each; what they do stands in the services."""

from __future__ import annotations


def work_on_pair(pair_id: str) -> None:
    """Carry out what is waiting or due for one pair."""
    from crmsync.bootstrap import build
    from crmsync.config import load_config
    from crmsync.services import working

    app = build(load_config())
    try:
        working.work_on_pair(app, pair_id)
    finally:
        app.close()
