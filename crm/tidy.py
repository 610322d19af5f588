"""Making what a file says fit the CRM: each thing that is changed leaves a remark."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from crm.fields import EMAILS, FIELDS, LIMITS, NEVER_CUT, PHONES
from crm.folding import address_key

_LINES_KEPT = frozenset({"notes", "work_street", "home_street"})
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff\ud800-\udfff]")
_LINE_ENDS = re.compile("\r\n?|\x0b|\x0c|\x85|\u2028|\u2029")
_YEAR_FIRST = re.compile(r"(\d{4})([-/.]?)(\d{2})\2(\d{2})(?:[T ].*)?")
_DAY_FIRST = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")
_JOINERS = frozenset("\u200d\ufe0e\ufe0f")


@dataclass(frozen=True, slots=True)
class Tidied:
    """Values that the CRM takes, and what was changed to get there."""

    values: dict[str, str]
    remarks: tuple[str, ...]


def tidy(raw: Mapping[str, str]) -> Tidied:
    """Clean, shorten or drop values until the CRM takes them.

    E-mail addresses, phones and web addresses are never cut: over-long ones are
    dropped (CON-15). An address that a person has twice is kept once.
    """
    remarks: list[str] = []
    values = {name: _clean(name, raw.get(name, ""), remarks) for name in FIELDS}
    values["birthday"] = _birthday(values["birthday"], remarks)
    _tidy_emails(values, remarks)
    for name, limit in LIMITS.items():
        if len(values[name]) <= limit:
            continue
        if name in NEVER_CUT:
            values[name] = ""
            remarks.append(f"{name} dropped: over {limit} characters")
        else:
            values[name] = cut(values[name], limit)
            remarks.append(f"{name} truncated to {limit} characters")
    return Tidied(values, tuple(remarks))


def names_somebody(values: Mapping[str, str]) -> bool:
    """Whether there is a name, company, address or phone to know a contact by."""
    names = ("first", "middle", "last", "company", *EMAILS, *PHONES)
    return any(values[name] for name in names)


def cut(text: str, limit: int) -> str:
    """Shorten a text, never inside what a reader sees as one character (CON-15)."""
    if len(text) <= limit:
        return text
    end = limit
    while end and (_continues(text[end]) or text[end - 1] == "\u200d"):
        end -= 1
    return text[: end or limit].rstrip()


def _continues(char: str) -> bool:
    is_skin_tone = "\U0001f3fb" <= char <= "\U0001f3ff"
    return char in _JOINERS or unicodedata.combining(char) != 0 or is_skin_tone


def _clean(name: str, value: str, remarks: list[str]) -> str:
    plain = _LINE_ENDS.sub("\n", value)
    if _CONTROL.search(plain):
        plain = _CONTROL.sub("", plain)
        remarks.append(f"{name}: characters removed that cannot be stored")
    if name in _LINES_KEPT:
        return "\n".join(line.rstrip() for line in plain.split("\n")).strip()
    return " ".join(plain.split())


def _birthday(value: str, remarks: list[str]) -> str:
    if not value:
        return ""
    parts: tuple[str, ...] | None = None
    if found := _YEAR_FIRST.fullmatch(value):
        parts = found.group(1, 3, 4)
    elif found := _DAY_FIRST.fullmatch(value):
        parts = found.group(3, 2, 1)
    try:
        if parts is not None:
            return date(*(int(part) for part in parts)).isoformat()
    except ValueError:
        pass
    remarks.append("birthday dropped: not a full date")
    return ""


def _tidy_emails(values: dict[str, str], remarks: list[str]) -> None:
    known: set[str] = set()
    for slot in EMAILS:
        key = address_key(values[slot])
        if values[slot] and not key:
            remarks.append(f"{slot} dropped: not an e-mail address")
            values[slot] = ""
        elif key in known:
            remarks.append(f"{slot} dropped: the same address twice")
            values[slot] = ""
        known.add(key or "-")
