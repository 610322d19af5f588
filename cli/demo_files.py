"""Files that the demo loads into the sandbox, and what came of their events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crmsync.errors import UsageError

_WIDEST = "3650"
"""Days: the widest window that Options allow, for files are old."""


def files_in(text: str) -> list[str]:
    """Return the files of `[ACCOUNT=]FILE`; of a folder, those that can be loaded.

    Raises:
        UsageError: there are none.
    """
    owner, equals, place = text.rpartition("=")
    folder = Path(place)
    if not folder.is_dir():
        return [text]
    known = ("vcf", "ics", "eml", "mbox")
    found = [p for suffix in known for p in folder.rglob(f"*.{suffix}")]
    if not found:
        raise UsageError(f"There are no .vcf, .ics, .eml and .mbox files in {folder}.")
    return [f"{owner}{equals}{path}" for path in sorted(found)]


def has_events(files: Sequence[str]) -> bool:
    """Whether calendars are among the files."""
    return any(file.lower().endswith(".ics") for file in files)


def widen(wired: Any) -> None:
    """Let cycles look ten years back and ahead."""
    from crmsync.services import settings

    for name in ("window_past_days", "window_future_days"):
        settings.put(wired, name, _WIDEST, actor="demo")


def set_aside(wired: Any, cycles: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return, for people, why Sync History says that events were left out."""
    from crmsync.services import reporting

    found: Counter[str] = Counter()
    for cycle in cycles:
        if cycle["kind"] != "calendar" or not cycle["counts"]["skipped"]:
            continue
        for item in reporting.cycle_detail(wired, cycle["id"])["items"]:
            if item["state"] == "skipped":
                error = item["error"] or {}
                found[error.get("message") or item["reason"]] += 1
    lines = [f"{count} not in the CRM: {why}" for why, count in found.most_common()]
    return [*lines, "What ended more than ten years ago stays in Google only."]
