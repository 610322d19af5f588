"""Series: which occurrences a recurrence has (RFC 5545), by python-dateutil.

The CRM can express one RRULE of days, weeks, months or years with added (RDATE) and
left out dates (EXDATE). An occurrence is named by its slot: when it would be, as a
start. A series without an end is never expanded beyond the span that was asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from crm.activityfields import LIMITS, is_timeless, parse_start, start_text
from crm.errors import BadValue
from crm.recurrence import Recurrence, parse_lines

_STEPS = {"DAILY": 1, "WEEKLY": 7}
_HORIZON = timedelta(days=60 * 366)
_DAY = timedelta(days=1)
# Local times have no zone here: it stands beside them.
_FIRST = datetime(1583, 1, 1)  # noqa: DTZ001 - a local time
_FAR = datetime(9998, 12, 31)  # noqa: DTZ001 - a local time


@dataclass(frozen=True, slots=True)
class Series:
    """A recurrence and where it begins; times are local to its zone, without a name.

    Attributes:
        first: the first occurrence.
        lines: what repeats, read from its lines.
    """

    first: datetime
    zone: ZoneInfo
    timeless: bool
    lines: Recurrence

    @property
    def text(self) -> str:
        """The lines of RFC 5545, in one form."""
        return self.lines.text

    def slots(self, after: datetime, before: datetime) -> Iterator[str]:
        """Yield the occurrences that begin in a span of instants, in order."""
        # Local times are an hour off at worst; the exact test is by instants.
        for local in self._locals(self._naive(after, -_DAY), self._naive(before, _DAY)):
            at = self._instant(local)
            if after <= at < before:
                yield start_text(at, timeless=self.timeless)

    def has(self, slot: str) -> bool:
        """Whether there is an occurrence at a slot."""
        if not slot or is_timeless(slot) is not self.timeless:
            return False
        at = parse_start(slot, "slot")
        return slot in self.slots(at, at + timedelta(seconds=1))

    def day_of(self, slot: str) -> date:
        """Return the local day of a slot, whether this series has it or not."""
        at = parse_start(slot, "slot")
        return at.date() if is_timeless(slot) else at.astimezone(self.zone).date()

    def slot_on(self, day: date) -> str:
        """Return the first occurrence on a local day, "" if there is none."""
        begin = self._instant(datetime.combine(day, time()))
        found = self.slots(begin, begin + timedelta(hours=25))
        return next((slot for slot in found if self.day_of(slot) == day), "")

    def first_slot(self, after: datetime) -> str:
        """Return the first occurrence from an instant on, "" if there is none."""
        for days in (32, 370, 4000):
            end = self._instant(min(self._naive(after, timedelta(days=days)), _FAR))
            found = next(self.slots(after, end), "")
            if found:
                return found
        return ""

    def last(self) -> datetime | None:
        """Return when the last occurrence begins at latest; None if there is no end."""
        dates = [self.first, *self.lines.added]
        if self.lines.until is not None:
            return max(self.lines.until, *map(self._instant, dates))
        if self.lines.count is None:
            return None
        ruled = list(self._ruled(self.first, min(self.first + _HORIZON, _FAR)))
        if len(ruled) < self.lines.count:
            return None
        return max(map(self._instant, [*dates, *ruled]))

    def ended(self, slot: str) -> Series:
        """Return the part of the series that lies before a slot."""
        at = parse_start(slot, "slot")
        ends = replace(
            self.lines,
            count=None,
            until=at - (_DAY if self.timeless else timedelta(seconds=1)),
            added=tuple(d for d in self.lines.added if self._instant(d) < at),
            left_out=tuple(d for d in self.lines.left_out if self._instant(d) < at),
        )
        return replace(self, lines=ends)

    def following(self, slot: str) -> Series:
        """Return the part of the series that begins with a slot."""
        at = parse_start(slot, "slot")
        count = self.lines.count
        if count is not None:
            first = self._naive(at, timedelta())
            before = sum(item < first for item in self._ruled(self.first, first))
            count = max(count - before, 1)
        rest = replace(
            self.lines,
            count=count,
            added=tuple(d for d in self.lines.added if self._instant(d) > at),
            left_out=tuple(d for d in self.lines.left_out if self._instant(d) > at),
        )
        return replace(self, first=self._naive(at, timedelta()), lines=rest)

    def _naive(self, at: datetime, shift: timedelta) -> datetime:
        place = UTC if self.timeless else self.zone
        try:
            return at.astimezone(place).replace(tzinfo=None) + shift
        except OverflowError:
            return _FIRST if at.year < 5000 else _FAR

    def _instant(self, local: datetime) -> datetime:
        """Return when a local time is; one that a clock skips is an hour later."""
        return local.replace(tzinfo=UTC if self.timeless else self.zone).astimezone(UTC)

    def _locals(self, after: datetime, before: datetime) -> list[datetime]:
        """Return the occurrences in a span, ends included, in order."""
        found = {*self._ruled(after, before), self.first, *self.lines.added}
        kept = found - set(self.lines.left_out)
        return sorted(item for item in kept if after <= item <= before)

    def _ruled(self, after: datetime, before: datetime) -> Iterator[datetime]:
        end = before
        if self.lines.until is not None:
            end = min(end, self._naive(self.lines.until, timedelta()))
        if end < self.first:
            return iter(())
        count = self.lines.count
        first = self.first if count is not None else self._near(after)
        rule = f"{self.lines.rule};UNTIL={end:%Y%m%dT%H%M%S}"
        ruled = iter(rrulestr(rule, dtstart=first))
        return ruled if count is None else islice(ruled, count)

    def _near(self, after: datetime) -> datetime:
        """Begin in the same phase close to what is asked, not centuries before."""
        step = _STEPS.get(self.lines.parts["FREQ"], 0)
        step *= int(self.lines.parts.get("INTERVAL", "1"))
        if not step or after <= self.first:
            return self.first
        steps = max((after - self.first).days // step - 1, 0)
        return self.first + timedelta(days=steps * step)


def is_expressible(values: Mapping[str, str]) -> bool:
    """Whether the CRM has a form for how a series repeats (CAL-17).

    Args:
        values: start, zone and recurrence; what else is wrong with them is not asked.
    """
    try:
        text = parse(values).text
    except BadValue as error:
        return error.field != "recurrence"
    return len(text) <= LIMITS["recurrence"]


def parse(values: Mapping[str, str]) -> Series:
    """Read the series of an activity's full values.

    Raises:
        BadValue: if the CRM cannot express it.
    """
    timeless = is_timeless(values["start"])
    lines = parse_lines(values["recurrence"], values["zone"], timeless=timeless)
    series = Series(_FIRST, lines.zone, timeless, lines)
    first = series._naive(parse_start(values["start"]), timedelta())
    return replace(series, first=first)
