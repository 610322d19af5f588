"""Mail into an account: an mbox or a single message, each of them once.

The bytes go in as they are in the file. A message is known by the hash of its bytes, so
a second load of the same file adds nothing.
"""

from __future__ import annotations

import hashlib
import mailbox
import tempfile
from collections.abc import Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.gmail import mime
from sandbox.gmail.labels import ensured
from sandbox.load.loader import Report

if TYPE_CHECKING:
    from sandbox.app import Sandbox

ENDINGS = (".eml", ".mbox", ".mbx")
_START = b"From "


def load_mail(
    sandbox: Sandbox,
    account: str,
    data: bytes,
    label: str | None = None,
    *,
    is_single: bool = False,
) -> Report:
    """Put messages into the inbox of an account, under a label if one is named.

    A single message (an .eml file) is taken as it is, even if it has no header; else
    data that starts with a `From ` line is an mbox.
    """
    report = Report()
    office = sandbox.gmail.office
    with office.turn():
        box = office.box(account)
        labels = ["INBOX", *([ensured(box, label).id] if label else [])]
        for line, raw in [(1, data)] if is_single else messages(data):
            mark = hashlib.sha256(raw).hexdigest()
            if mark in box.loaded:
                report.known += 1
                continue
            if not mime.headers(raw) and not is_single:
                report.refused.append({"line": line, "reason": "it has no header"})
                continue
            box.put_loaded(mark)
            office.deliver(box, raw, tuple(labels), arrived=_date(raw))
            report.added += 1
    return report


def files(folder: Path) -> list[Path]:
    """Every file of mail below a folder, in a fixed order."""
    found = (one for one in folder.rglob("*") if one.suffix.lower() in ENDINGS)
    return sorted(one for one in found if one.is_file())


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The messages of a file, with the line each of them starts at."""
    if not data.startswith(_START):
        yield 1, data
        return
    with tempfile.NamedTemporaryFile(suffix=".mbox") as file:
        file.write(data)
        file.flush()
        found = mailbox.mbox(file.name, create=False)
        try:
            end = 0
            for key in found.iterkeys():
                with found.get_file(key) as one:
                    raw = one.read()
                start = data.index(raw, end)
                end = start + len(raw)
                yield data.count(b"\n", 0, start) + 1, raw
        finally:
            found.close()


def _date(raw: bytes) -> float | None:
    """When the message says it was written; now, if it says nothing usable."""
    listed = {name.lower(): value for name, value in mime.headers(raw)}
    try:
        moment = parsedate_to_datetime(listed.get("date", ""))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(moment.timestamp(), 0.0)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
