"""What the sides of activities and of to-dos answer alike."""

from __future__ import annotations

from collections.abc import Mapping

from crm.activityrows import ActivityRow
from crmsync.errors import EtagMismatch, NotFound
from crmsync.ports import Edit, Outcome
from crmsync.records.remote import Remote
from crmsync.records.values import SideName


def is_as_seen(remote: Remote, edit: Edit) -> bool:
    """Whether a record is the user's, and as the plan saw it (ENG-3)."""
    if not remote.is_selected:
        return False
    seen = {name: value for name, value in edit.seen.items() if value}
    return edit.etag == remote.etag or remote.values == seen


def updated(
    remote_id: str,
    seen: Mapping[str, Remote],
    after: Mapping[str, Remote],
    *,
    noun: str,
) -> Outcome:
    """Return what became of one edit."""
    if remote_id in after:
        return Outcome(after[remote_id])
    if remote_id not in seen or not seen[remote_id].is_selected:
        gone = NotFound(f"The {noun} does not exist in the CRM any more.")
        return Outcome(error=gone)
    changed = EtagMismatch(f"The {noun} was changed in the CRM.")
    return Outcome(seen[remote_id], changed)


def unknown(remote_id: str) -> Remote:
    """Return a record that the CRM does not have."""
    return Remote(SideName.CRM, remote_id, is_selected=False, is_gone=True)


def is_other_version(row: ActivityRow, etags: Mapping[str, str]) -> bool:
    """Whether a row is not of the version that somebody looked at."""
    return etags.get(row.id, str(row.version)) != str(row.version)


def meanwhile(changed: Remote | None) -> Outcome:
    """Return the outcome of a delete: not done if the record was changed meanwhile."""
    if changed is None:
        return Outcome()
    return Outcome(changed, EtagMismatch("It was changed in the CRM meanwhile."))
