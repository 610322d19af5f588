"""What states, actions and counts are called on pages, in plain English."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from flask import Flask

SIDES = {"google": "Google", "crm": "the CRM"}
STATES = {
    "succeeded": "Done",
    "running": "Running",
    "queued": "Queued",
    "partial": "Partly done",
    "held": "Waits for you",
    "rejected": "Rejected",
    "failed": "Failed",
    "paused": "Paused",
    "undone": "Undone",
    "planned": "Planned",
    "sent": "Being written",
    "unknown": "No answer yet",
    "done": "Done",
    "skipped": "Left alone",
}
OBJECTIONS = {
    "first_cycle": "This is the first synchronisation. Look through what it would do; "
    "nothing happens before you approve it.",
    "mass_deletion": "It would delete, unlink or empty an unusual number of records. "
    "Nothing was done yet.",
    "side_emptied": "One side suddenly shows none of the linked records any more. "
    "Nothing was done yet.",
    "mass_creation": "It would create many more records than was announced. "
    "Nothing was done yet.",
}
_DONE = {
    ("create", "to_google"): "Created in Google",
    ("create", "to_crm"): "Created in the CRM",
    ("update", "to_google"): "Updated in Google",
    ("update", "to_crm"): "Updated in the CRM",
    ("update", "both"): "Updated on both sides",
    ("delete", "to_google"): "Deleted in Google",
    ("delete", "to_crm"): "Deleted in the CRM",
    ("restore", "to_google"): "Restored in Google",
    ("restore", "to_crm"): "Restored in the CRM",
    ("restore", "both"): "Restored on both sides",
}
_PLAIN = {
    "create": "Created",
    "update": "Updated",
    "delete": "Deleted",
    "link": "Linked",
    "unlink": "Unlinked",
    "restore": "Restored",
    "record": "Recorded",
    "skip": "Left alone",
}
_COMING = {
    "Created": "To be created",
    "Updated": "To be updated",
    "Deleted": "To be deleted",
    "Linked": "To be linked",
    "Unlinked": "To be unlinked",
    "Restored": "To be restored",
    "Recorded": "To be recorded",
}
_COUNTED = {
    "created": "created",
    "updated": "updated",
    "deleted": "deleted",
    "unlinked": "taken out",
}
_TOLD = {"conflicts": "conflict", "held": "question", "errors": "error"}


def init(web: Flask) -> None:
    """Teach Jinja these words."""
    web.jinja_env.filters.update(
        state_words=lambda state: STATES.get(state, str(state).capitalize()),
        counts_words=write_counts,
        action_words=write_action,
        google_url=google_url,
        plural=write_plural,
        capitalize_first=lambda text: f"{text[:1].upper()}{text[1:]}",
    )
    web.jinja_env.globals.update(objections=OBJECTIONS, side_names=SIDES)


def write_counts(counts: Mapping[str, Any], *, is_plan: bool = False) -> list[str]:
    """Return what a cycle did, or would do, as short phrases.

    >>> write_counts({"linked": 2, "google": {"created": 1}, "conflicts": 1})
    ['2 linked', '1 created in Google', '1 conflict']
    """
    found = [f"{counts['linked']:,} linked"] if counts.get("linked") else []
    for side, name in SIDES.items():
        where = f"in {name}"
        for what, word in _COUNTED.items():
            number = counts.get(side, {}).get(what, 0)
            if not number:
                continue
            if what == "unlinked":
                place = "of the label in Google" if side == "google" else "of the group"
                found.append(f"{number:,} taken out {place}")
            else:
                found.append(f"{number:,} {word} {where}")
    if is_plan:
        found = [f"{phrase.replace(' ', ' to be ', 1)}" for phrase in found]
    for name, word in _TOLD.items():
        if number := counts.get(name, 0):
            found.append(write_plural(number, word))
    return found


def write_plural(number: int, word: str, many: str = "") -> str:
    """Return a number with its noun.

    >>> write_plural(1, "contact"), write_plural(1200, "contact")
    ('1 contact', '1,200 contacts')
    """
    return f"{number:,} {word if number == 1 else many or f'{word}s'}"


def write_action(item: Mapping[str, Any]) -> str:
    """Return what was done, is to be done, or was asked about a record."""
    if item["state"] == "held":
        return "Question"
    if item["state"] == "skipped":
        return "Left alone"
    words = _DONE.get((item["action"], item["direction"]), _PLAIN[item["action"]])
    if item["state"] == "failed":
        return f"Not {words[0].lower()}{words[1:]}"
    if item["state"] == "done":
        return words
    first, _, rest = words.partition(" ")
    return f"{_COMING.get(first, first)} {rest}".strip()


def google_url(google_id: str, record_type: str = "contact") -> str:
    """Return where a person sees a Google contact, an event or the tasks."""
    if record_type == "activity":
        eid = base64.urlsafe_b64encode(f"{google_id} ".encode()).decode().rstrip("=")
        return f"https://www.google.com/calendar/event?eid={eid}"
    if record_type == "to-do":
        return "https://tasks.google.com/"
    return f"https://contacts.google.com/person/{google_id.removeprefix('people/')}"
