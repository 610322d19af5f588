"""A Google task as a to-do (TSK-6): wire <-> values.

Tasks have no place for an app's own data: our key stands in the last line of the
notes, after the CRM's section and the link to the record (contract, 6.7). All three
are stripped on reading and kept on writing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from crmsync.connectors.google.mapping.description import framed, read_section
from crmsync.connectors.google.mapping.texts import clean, is_clean
from crmsync.errors import InvalidRecord
from crmsync.ports import Edit, NewRecord
from crmsync.records.keys import parse_key
from crmsync.records.remote import Remote
from crmsync.records.tasks import DONE
from crmsync.records.values import SideName

Wire = Mapping[str, Any]
Body = dict[str, Any]

TASK_FIELDS = (
    "id,etag,title,notes,due,status,completed,updated,deleted,hidden,parent,"
    "assignmentInfo"
)
LONGEST_NOTES = 8192
_KEY_LINE = re.compile(r"\[crm-sync:([^\]\n]+)\]")
_LINK_LINE = re.compile(r"https?://\S+")


@dataclass(frozen=True, slots=True)
class Notes:
    """What a task's notes say.

    Attributes:
        text: what people read in the CRM.
        context: the CRM's section without its markers; None where there is none.
        link: the address of the CRM's record, or "".
        key: our key, or "".
    """

    text: str = ""
    context: str | None = None
    link: str = ""
    key: str = ""

    def whole(self) -> str:
        """Return the notes as they stand in the task."""
        section = framed(self.context) if self.context else ""
        line = f"[crm-sync:{self.key}]" if self.key else ""
        tail = "\n".join(part for part in (section, self.link, line) if part)
        return "\n\n".join(part for part in (self.text, tail) if part)


def read_notes(found: object) -> Notes:
    r"""Return a task's notes in their parts.

    >>> read_notes("Call Ben\n\nhttps://crm/A7\n[crm-sync:1|i|u|A7|x]")
    Notes(text='Call Ben', context=None, link='https://crm/A7', key='1|i|u|A7|x')
    """
    text = str(found or "").replace("\r\n", "\n").replace("\r", "\n")
    key, link, lines = "", "", list[str]()
    for line in text.split("\n"):
        match = _KEY_LINE.fullmatch(line.strip())
        parsed = parse_key(match[1]) if match else None
        if match is None or parsed is None:
            lines.append(line)
            continue
        key = match[1]
        above = lines[-1].strip() if lines else ""
        if _LINK_LINE.fullmatch(above) and above.endswith(parsed.origin):
            link = above
            lines.pop()
    section = read_section("\n".join(lines))
    return Notes(section.notes, section.context, link, key)


# ------------------------------------------------------------------ reading


def gone(task_id: str, etag: str = "", stamp: str = "") -> Remote:
    """Return a task that does not exist any more."""
    return Remote(SideName.GOOGLE, task_id, etag=etag, is_gone=True, stamp=stamp)


def is_assigned(task: Wire) -> bool:
    """Whether a task was assigned from a document or chat: it is never touched."""
    return bool(task.get("assignmentInfo"))


def version_of(task: Wire) -> str:
    """Return the version that `Remote.etag` carries.

    Not the task's own etag: some edits were seen not to change it (contract, 6.4).
    """
    names = ("updated", "title", "notes", "due", "status", "deleted", "hidden")
    text = "\x1f".join(str(task.get(name) or "") for name in names)
    raw = text.encode(errors="replace")
    return hashlib.blake2b(raw, digest_size=12).hexdigest()


def task_to_remote(wire: Wire) -> Remote:
    """Return a task as the cycle sees it; never fails."""
    task = wire if is_clean(wire) else clean(wire)
    task_id, stamp = str(task.get("id") or ""), str(task.get("updated") or "")
    if task.get("deleted"):
        return gone(task_id, version_of(task), stamp)
    notes = read_notes(task.get("notes"))
    record: Body = {}
    for name in ("parent", "hidden"):
        if task.get(name):
            record[name] = task[name]
    if is_assigned(task):
        record["odd"] = "It was assigned in a document or chat: it is left alone."
    return Remote(
        side=SideName.GOOGLE,
        remote_id=task_id,
        etag=version_of(task),
        values={
            "title": str(task.get("title") or ""),
            "due": _day(str(task.get("due") or "")),
            "done": DONE if task.get("status") == "completed" else "",
            "notes": notes.text,
            "context": notes.context or "",
        },
        record=record,
        key=notes.key,
        stamp=stamp,
        modified_at=_moment(stamp),
    )


def _day(due: str) -> str:
    """Return the date alone: Google's time of day means nothing (contract, 6.2)."""
    try:
        return date.fromisoformat(due[:10]).isoformat()
    except ValueError:
        return ""


def _moment(stamp: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return found if found.tzinfo else None


# ------------------------------------------------------------------ writing


def new_task(record: NewRecord, link_prefix: str) -> Body:
    """Return the body of an insert.

    Raises:
        InvalidRecord: the values are no task.
    """
    values = record.values
    link = _link(record.key, link_prefix)
    context = values.get("context") or None
    notes = Notes(values.get("notes", ""), context, link, record.key)
    body: Body = {"title": values.get("title", ""), "notes": _fitting(notes)}
    if values.get("due"):
        body["due"] = _due(values["due"])
    if values.get("done"):
        body["status"] = "completed"
    return body


def task_patch(edit: Edit, fresh: Wire, link_prefix: str) -> Body:
    """Return the body of a PATCH, empty if there is nothing to write.

    Raises:
        InvalidRecord: Google has no form for a value.
    """
    values, body = edit.values, Body()
    if "title" in values:
        body["title"] = values["title"]
    if "due" in values:
        body["due"] = _due(values["due"])
    if "done" in values:
        body["status"] = "completed" if values["done"] else "needsAction"
        if not values["done"]:
            body["completed"] = None  # some clients leave it otherwise (6.2)
    before = read_notes(fresh.get("notes"))
    after = replace(
        before,
        text=values.get("notes", before.text),
        context=_context(edit, before),
    )
    if edit.key and edit.key != before.key:
        after = replace(after, key=edit.key, link=_link(edit.key, link_prefix))
    if after != before:
        body["notes"] = _fitting(after)
    return body


def _context(edit: Edit, before: Notes) -> str | None:
    """Return the section; one that a person deleted is not added again (CAL-5)."""
    wanted = edit.values.get("context")
    if not wanted or (before.context is None and edit.base.get("context")):
        return before.context
    return wanted


def _link(key: str, link_prefix: str) -> str:
    parsed = parse_key(key)
    return f"{link_prefix}{parsed.origin}" if parsed and link_prefix else ""


def _fitting(notes: Notes) -> str:
    """Return notes that Google takes; the section goes first.

    Raises:
        InvalidRecord: the text alone is too long.
    """
    whole = notes.whole()
    if len(whole) > LONGEST_NOTES:
        whole = replace(notes, context=None).whole()
    if len(whole) > LONGEST_NOTES:
        raise InvalidRecord(
            f"Google takes {LONGEST_NOTES} characters of notes; these are longer.",
            ("notes",),
        )
    return whole


def _due(text: str) -> str | None:
    """Return a day as Google takes it, from the calendar date, through no time zone.

    >>> _due("2026-11-24T23:30:00")
    '2026-11-24T00:00:00.000Z'
    """
    if not text:
        return None
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        raise InvalidRecord(f"The date {text!r} is none.", ("due",)) from None
    return f"{day.isoformat()}T00:00:00.000Z"
