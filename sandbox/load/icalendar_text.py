"""iCalendar text cut into components, so that a broken one costs only itself."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from icalendar import Calendar

_TZID = re.compile(r'TZID=("[^"]*"|[^;:]+)', re.I)
_TAKEN = ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY")


class BrokenComponent(Exception):
    """Why a component cannot be read."""


@dataclass(slots=True)
class Part:
    """One component: its kind, the line it begins on, its lines."""

    kind: str
    line: int
    lines: list[str]
    is_closed: bool = False


def decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def is_icalendar(text: str) -> bool:
    head = text.lstrip("\ufeff \r\n\t")[:4096].upper()
    return any(f"BEGIN:{name}" in head for name in ("VCALENDAR", "VTIMEZONE", *_TAKEN))


def parts(text: str) -> tuple[list[Part], dict[str, Part]]:
    """The components, and the time zones by name."""
    found: list[Part] = []
    zones: dict[str, Part] = {}
    current: Part | None = None
    for number, line in enumerate(_unfolded_starts(text), 1):
        name = _begins(line)
        if current is None and name in (*_TAKEN, "VTIMEZONE"):
            current = Part(name, number, [line])
        elif current is not None:
            if name == current.kind:  # the one before was never closed
                found.append(current)
                current = Part(name, number, [line])
                continue
            current.lines.append(line)
            if line.strip().upper() == f"END:{current.kind}":
                current.is_closed = True
                _file(current, found, zones)
                current = None
    if current is not None:
        found.append(current)
    return found, zones


def component(part: Part, zones: dict[str, Part]) -> Any:
    """The component as the library reads it, with the time zones it names.

    Raises:
        BrokenComponent: no END, or a line that is none.
    """
    if not part.is_closed:
        raise BrokenComponent(f"the {part.kind} has no END:{part.kind}")
    named = {n.strip('"') for line in part.lines for n in _TZID.findall(line)}
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0"]
    for name in sorted(named):
        if name in zones:
            lines += zones[name].lines
    lines += [*part.lines, "END:VCALENDAR", ""]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it tells of each name that it guesses
            calendar = Calendar.from_ical("\r\n".join(lines))
        (one,) = [c for c in calendar.subcomponents if c.name == part.kind]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise BrokenComponent(f"not readable: {str(error)[:120]}")
    return one


def _file(part: Part, found: list[Part], zones: dict[str, Part]) -> None:
    if part.kind != "VTIMEZONE":
        found.append(part)
        return
    for line in part.lines:
        name, colon, value = line.partition(":")
        if colon and name.upper().startswith("TZID"):
            zones[value.strip()] = part
            return


def _unfolded_starts(text: str) -> Iterator[str]:
    """Lines as they stand; folds are undone by the library."""
    return iter(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))


def _begins(line: str) -> str:
    text = line.strip().upper()
    return text.removeprefix("BEGIN:") if text.startswith("BEGIN:") else ""
