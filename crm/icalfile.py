"""Reading iCalendar files of doubtful make, by the library icalendar.

The file is cut into components first, and each is read by itself together with the time
zones of the file, so that a broken one costs one.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo, available_timezones

import icalendar
from icalendar.timezone import tzid_from_dt

from crm.activityfields import DAY, LIMITS, PERSONAL, TODO, start_text
from crm.textfile import decode, numbered_lines

_BEGIN = re.compile(rb"\s*BEGIN\s*:\s*([\w-]+)\s*", re.IGNORECASE)
_END = re.compile(rb"\s*END\s*:\s*([\w-]+)\s*", re.IGNORECASE)
_MAX_COMPONENT = 8_388_608
_READ = frozenset({b"VEVENT", b"VTODO"})
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_TEXTS = {
    "subject": "SUMMARY", "notes": "DESCRIPTION", "location": "LOCATION",
    "category": "CATEGORIES",
}  # fmt: skip
_BROKEN = (ValueError, KeyError, IndexError, AttributeError, TypeError, OverflowError)
"""What the library raises over files that are none, whatever it says it raises."""

_ANSWERS = {"ACCEPTED": "accepted", "DECLINED": "declined", "TENTATIVE": "tentative"}


@dataclass(frozen=True, slots=True)
class Piece:
    """One component as it stands in the file, or why it is unusable."""

    line: int
    text: bytes
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody whom a component names."""

    address: str
    name: str
    answer: str


@dataclass(slots=True)
class Item:
    """What a component says, in the CRM's fields.

    Attributes:
        uid: what it is known by, "" if it has none.
        slot: of an occurrence that differs: when it would have been.
        remarks: what was changed to fit.
    """

    line: int
    uid: str = ""
    slot: str = ""
    values: dict[str, str] = field(default_factory=dict)
    guests: list[Guest] = field(default_factory=list)
    is_cancelled: bool = False
    is_done: bool = False
    is_undated: bool = False
    remarks: list[str] = field(default_factory=list)


class Unreadable(Exception):
    """A component cannot be imported, with the reason."""


# ------------------------------------------------------------------ cutting


def split(source: bytes | BinaryIO) -> Iterator[Piece]:
    """Cut a file into its components, time zones aside."""
    zones: list[bytes] = []
    found: list[tuple[int, bytes, list[bytes], bool]] = []
    for line, name, lines, is_closed in _blocks(source):
        if name == b"VTIMEZONE":
            zones += lines
        else:
            found.append((line, name, lines, is_closed))
    head = [b"BEGIN:VCALENDAR", b"VERSION:2.0", *zones]
    for line, name, lines, is_closed in found:
        problem = _problem(name, lines, is_closed=is_closed)
        yield Piece(line, b"\r\n".join([*head, *lines, b"END:VCALENDAR", b""]), problem)


def _problem(name: bytes, lines: Sequence[bytes], *, is_closed: bool) -> str:
    shown = decode(name)
    if name not in _READ:
        return f"a {shown} is neither an event nor a to-do"
    if not is_closed:
        return f"the {shown} has no end"
    if sum(map(len, lines)) > _MAX_COMPONENT:
        return f"the {shown} is too big"
    return ""


def _blocks(
    source: bytes | BinaryIO,
) -> Iterator[tuple[int, bytes, list[bytes], bool]]:
    """Yield what stands right inside of calendars: line, name, lines, closed or not."""
    stack: list[bytes] = []
    start, name, lines = 0, b"", list[bytes]()
    for number, line in numbered_lines(source):
        begin, end = _BEGIN.fullmatch(line), _END.fullmatch(line)
        if begin and begin[1].upper() == b"VCALENDAR":
            if stack:
                yield start, name, lines, False
            stack, lines = [], []
        elif begin:
            if not stack:
                start, name, lines = number, begin[1].upper(), []
            stack.append(begin[1].upper())
            lines.append(line)
        elif end and stack and end[1].upper() in stack:
            del stack[stack.index(end[1].upper()) :]
            lines.append(line)
            if not stack:
                yield start, name, lines, True
                lines = []
        elif stack:
            lines.append(line)
    if stack:
        yield start, name, lines, False


# ------------------------------------------------------------------ reading


def read(piece: Piece, zone: ZoneInfo, today: date) -> Item:
    """Read a component.

    Args:
        piece: what was cut out of the file.
        zone: for times that name no zone that is known here.
        today: the start of a to-do without a date.

    Raises:
        Unreadable: if it cannot be imported.
    """
    if piece.problem:
        raise Unreadable(piece.problem)
    try:
        return _read(piece, zone, today)
    except _BROKEN as error:
        raise Unreadable(f"it cannot be read: {_short(error)}") from None


def _read(piece: Piece, zone: ZoneInfo, today: date) -> Item:
    component = _parsed(piece)
    item = Item(piece.line, _text(component, "UID"))
    is_todo = component.name == "VTODO"
    _read_texts(item, component)
    _read_type(item, component, is_todo=is_todo)
    times = _Times(component, zone, item.remarks)
    slot = times.at("RECURRENCE-ID")
    if _param(component, "RECURRENCE-ID", "RANGE").upper() == "THISANDFUTURE":
        raise Unreadable("it changes all later occurrences of its series at once")
    item.slot = times.text(slot) if slot is not None else ""
    if is_todo:
        _read_due(item, times, today)
    else:
        _read_span(item, times)
    if not item.slot:
        _read_recurrence(item, component, times)
    _read_people(item, component)
    _read_alarm(item, component)
    return item


def _parsed(piece: Piece) -> Any:
    with warnings.catch_warnings():
        # It guesses zones by their names and says so; a remark of ours does.
        warnings.simplefilter("ignore")
        whole: Any = icalendar.Calendar.from_ical(piece.text)
    for component in whole.subcomponents:
        if component.name in {"VEVENT", "VTODO"}:
            return component
    raise Unreadable("it cannot be read")


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__


def _first(component: Any, name: str) -> Any:
    value = component.get(name)
    return value[0] if isinstance(value, list) and value else value


def _text(component: Any, name: str) -> str:
    value = _first(component, name)
    if value is None:
        return ""
    if name == "CATEGORIES" and hasattr(value, "cats"):
        return ", ".join(str(item) for item in value.cats).strip()
    return str(value).replace("\r\n", "\n").strip()


def _attribute(value: Any, name: str) -> Any:
    """Return what the library read; None if it could not."""
    try:
        return getattr(value, name, None)
    except ValueError:
        return None


def _param(component: Any, name: str, parameter: str) -> str:
    value = _first(component, name)
    return str(getattr(value, "params", {}).get(parameter, ""))


def _fit(item: Item, name: str, text: str) -> str:
    """Return a text that its field holds, and remark on what was changed."""
    plain = _UNSTORABLE.sub("", text)
    if plain != text:
        item.remarks.append(f"{name}: characters that cannot be stored were dropped")
    if len(plain) > LIMITS[name]:
        item.remarks.append(f"{name} was cut to {LIMITS[name]} characters")
    return plain[: LIMITS[name]].rstrip()


def _read_texts(item: Item, component: Any) -> None:
    for name, theirs in _TEXTS.items():
        text = _text(component, theirs)
        if name in {"subject", "location", "category"}:
            text = " ".join(text.split())
        item.values[name] = _fit(item, name, text)
    priority = _text(component, "PRIORITY")
    if priority.isdecimal() and 1 <= int(priority) <= 9:
        rank = (int(priority) > 4) + (int(priority) > 5)
        item.values["priority"] = ("High", "Medium", "Low")[rank]


def _read_type(item: Item, component: Any, *, is_todo: bool) -> None:
    is_private = _text(component, "CLASS").upper() in {"PRIVATE", "CONFIDENTIAL"}
    item.values["type"] = TODO if is_todo else PERSONAL if is_private else "meeting"
    status = _text(component, "STATUS").upper()
    item.is_cancelled = status == "CANCELLED"
    item.is_done = is_todo and (
        status == "COMPLETED" or component.get("COMPLETED") is not None
    )


class _Times:
    """The times of one component, in the zone of its start."""

    def __init__(self, component: Any, zone: ZoneInfo, remarks: list[str]) -> None:
        self.component = component
        self._remarks = remarks
        self.zone = zone
        start = self._raw("DTSTART")
        if start is None and component.name == "VTODO":
            start = self._raw("DUE")
        if isinstance(start, datetime):
            self.zone = self._zone_of(start, zone)

    def _raw(self, name: str) -> date | datetime | None:
        value = _first(self.component, name)
        if value is None:
            return None
        found = _attribute(value, "dt")
        if not isinstance(found, date):
            raise Unreadable(f"its {name} cannot be read: {str(value)[:60]}")
        return found

    def _zone_of(self, at: datetime, zone: ZoneInfo) -> ZoneInfo:
        if at.tzinfo is None:
            named = _param(self.component, "DTSTART", "TZID")
            if named:
                self._remarks.append(
                    f"the time zone {named[:60]} is not known; read as {zone.key}"
                )
            return zone
        name = tzid_from_dt(at) or ""
        if name in available_timezones():
            return ZoneInfo(name)
        is_repeating = self.component.get("RRULE") is not None
        if is_repeating:
            self._remarks.append(
                f"the time zone {name[:60]} is not known; it repeats by UTC"
            )
        return ZoneInfo("UTC")

    def at(self, name: str) -> date | datetime | None:
        """Return a date, or an aware time."""
        found = self._raw(name)
        return self.aware(found) if isinstance(found, datetime) else found

    def aware(self, at: datetime) -> datetime:
        """Return a time in UTC; one without a zone is local to the component's."""
        try:
            return at.replace(tzinfo=at.tzinfo or self.zone).astimezone(UTC)
        except OverflowError:
            raise Unreadable(f"it has a time out of all bounds: {at}") from None

    def text(self, at: date | datetime) -> str:
        """Return a date or time in the form of a start."""
        if isinstance(at, datetime):
            return start_text(at.replace(second=0), timeless=False)
        return at.isoformat()

    def local(self, at: date | datetime, start: date | datetime) -> str:
        """Return a date of a recurrence, in the form that a start asks for."""
        if not isinstance(start, datetime):
            return f"{at:%Y%m%d}"
        if not isinstance(at, datetime):
            clock = start.astimezone(self.zone).time()
            return f"{datetime.combine(at, clock):%Y%m%dT%H%M%S}"
        plain = self.aware(at).replace(second=0).astimezone(self.zone)
        return f"{plain:%Y%m%dT%H%M%S}"


def _read_span(item: Item, times: _Times) -> None:
    start = times.at("DTSTART")
    if start is None and item.is_cancelled and item.slot:
        item.values["start"] = item.slot
        return
    if start is None:
        raise Unreadable("it has no DTSTART")
    item.values["start"] = times.text(start)
    is_timed = isinstance(start, datetime)
    item.values["zone"] = times.zone.key if is_timed else ""
    length = _length(item, times, start)
    minutes = -(-int(length.total_seconds()) // 60)
    if minutes < 0:
        item.remarks.append("it ends before it begins; its length is left out")
        minutes = 0
    if not is_timed:
        minutes = max(-(-minutes // DAY), 1) * DAY
    item.values["duration"] = str(minutes)


def _length(item: Item, times: _Times, start: date | datetime) -> timedelta:
    end = times.at("DTEND")
    if end is not None:
        if isinstance(end, datetime) and isinstance(start, datetime):
            return end - start
        if not isinstance(end, datetime) and not isinstance(start, datetime):
            return end - start
        item.remarks.append(
            "it begins with a date and ends with a time, or the reverse"
        )
        return timedelta()
    value = _first(times.component, "DURATION")
    found = _attribute(value, "dt")
    return found if isinstance(found, timedelta) else timedelta()


def _read_due(item: Item, times: _Times, today: date) -> None:
    due = times.at("DUE") or times.at("DTSTART")
    item.is_undated = due is None
    item.values["start"] = times.text(today if due is None else due)
    if isinstance(due, datetime):
        item.values["zone"] = times.zone.key


def _read_recurrence(item: Item, component: Any, times: _Times) -> None:
    rules = component.get("RRULE")
    rules = rules if isinstance(rules, list) else [rules]
    lines = [f"RRULE:{_rule(rule)}" for rule in rules if rule is not None]
    if component.get("EXRULE") is not None:
        lines.append("EXRULE:")
    start = times.at("DTSTART") or times.at("DUE")
    for name in ("RDATE", "EXDATE"):
        dates = [_date(at, times, start, name) for at in _dates(component, name)]
        if dates and (lines or name == "RDATE"):
            lines.append(f"{name}:{','.join(dates)}")
    item.values["recurrence"] = "\n".join(lines)


def _rule(rule: Any) -> str:
    try:
        return str(rule.to_ical().decode())
    except (AttributeError, ValueError, TypeError):
        raise Unreadable(f"its RRULE cannot be read: {str(rule)[:60]}") from None


def _dates(component: Any, name: str) -> Iterator[Any]:
    value = component.get(name)
    for part in value if isinstance(value, list) else [value]:
        if part is None:
            continue
        dates = _attribute(part, "dts")
        if dates is None:
            raise Unreadable(f"its {name} cannot be read: {str(part)[:60]}")
        yield from (item.dt for item in dates)


def _date(at: Any, times: _Times, start: Any, name: str) -> str:
    if not isinstance(at, date):
        raise Unreadable("it has an added date with a length of its own")
    if start is None:
        raise Unreadable(f"it has an {name} but no date to begin with")
    return times.local(at, start)


def _read_people(item: Item, component: Any) -> None:
    people = component.get("ATTENDEE") or []
    people = people if isinstance(people, list) else [people]
    resources = _text(component, "RESOURCES").splitlines()
    organizer = _first(component, "ORGANIZER")
    for person in [*people, *([organizer] if organizer is not None else [])]:
        guest = _guest(person)
        kind = str(getattr(person, "params", {}).get("CUTYPE", "")).upper()
        if kind in {"RESOURCE", "ROOM"}:
            resources.append(guest.name or guest.address)
        elif guest.address or guest.name:
            item.guests.append(guest)
    item.values["resources"] = _fit(item, "resources", "\n".join(resources))


def _guest(person: Any) -> Guest:
    parameters = getattr(person, "params", {})
    address = re.sub("^mailto:", "", str(person).strip(), flags=re.IGNORECASE)
    name = " ".join(str(parameters.get("CN", "")).split())
    answer = _ANSWERS.get(str(parameters.get("PARTSTAT", "")).upper(), "")
    is_address = "@" in address and len(address) <= LIMITS["address"]
    return Guest(
        _UNSTORABLE.sub("", address) if is_address else "",
        _UNSTORABLE.sub("", name)[: LIMITS["participant"]],
        answer,
    )


def _read_alarm(item: Item, component: Any) -> None:
    for alarm in component.subcomponents:
        trigger = _attribute(_first(alarm, "TRIGGER"), "dt")
        if alarm.name != "VALARM" or not isinstance(trigger, timedelta):
            continue
        at_end = _param(alarm, "TRIGGER", "RELATED").upper() == "END"
        if not at_end and timedelta() <= -trigger <= timedelta(days=365):
            item.values["alarm"] = str(int(-trigger.total_seconds()) // 60)
            return
