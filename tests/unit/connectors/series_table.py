"""Series of every form, as Google shows them, in every family of time zones.

Each row: name, local start, minutes (0: all-day), zone, recurrence lines. Those of the
table begin before a change of clocks, so that two years cross it both ways.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Series:
    """One series, and the occurrences that differ: (local slot, local start or "")."""

    name: str
    start: str
    minutes: int
    zone: str
    lines: tuple[str, ...]
    changes: tuple[tuple[str, str], ...] = field(default=())

    @property
    def is_dated(self) -> bool:
        return self.minutes == 0

    def at(self, local: str) -> datetime:
        return datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(self.zone))

    def moment(self, local: str, minutes: int = 0) -> dict[str, Any]:
        if self.is_dated:
            day = date.fromisoformat(local) + timedelta(days=minutes // 1440)
            return {"date": day.isoformat()}
        at = self.at(local).astimezone(ZoneInfo("UTC")) + timedelta(minutes=minutes)
        there = at.astimezone(ZoneInfo(self.zone))
        return {"dateTime": there.isoformat(), "timeZone": self.zone}

    def wire(self) -> dict[str, Any]:
        return {
            "id": "series1",
            "etag": '"1"',
            "status": "confirmed",
            "summary": self.name,
            "start": self.moment(self.start),
            "end": self.moment(self.start, self.minutes or 1440),
            "recurrence": list(self.lines),
        }

    def wires_of_changes(self) -> list[dict[str, Any]]:
        return [self._change(slot, start) for slot, start in self.changes]

    def _change(self, slot: str, start: str) -> dict[str, Any]:
        original = self.moment(slot)
        same = {"recurringEventId": "series1", "originalStartTime": original}
        suffix = slot.replace("-", "").replace(":", "")
        if not start:
            return {"id": f"series1_{suffix}", "status": "cancelled", **same}
        return {
            **self.wire(),
            "id": f"series1_{suffix}",
            "recurrence": [],
            "start": self.moment(start),
            "end": self.moment(start, self.minutes or 1440),
            **same,
        }


_BERLIN, _YORK = "Europe/Berlin", "America/New_York"
_ZONES = (
    "Europe/Berlin", "Europe/London", "Europe/Dublin", "Europe/Moscow",
    "Europe/Istanbul", "America/New_York", "America/Los_Angeles", "America/Phoenix",
    "America/St_Johns", "America/Sao_Paulo", "America/Santiago", "America/Havana",
    "America/Asuncion", "America/Nuuk", "Asia/Kolkata", "Asia/Kathmandu", "Asia/Tokyo",
    "Asia/Tehran", "Asia/Beirut", "Asia/Gaza", "Australia/Sydney", "Australia/Adelaide",
    "Australia/Lord_Howe", "Australia/Eucla", "Pacific/Apia", "Pacific/Auckland",
    "Pacific/Chatham", "Pacific/Kiritimati", "Pacific/Marquesas", "Africa/Casablanca",
    "Africa/Cairo", "Africa/Lagos", "Atlantic/Azores", "Antarctica/Troll", "UTC",
)  # fmt: skip

_RULES: tuple[tuple[str, str], ...] = (
    ("every day", "RRULE:FREQ=DAILY"),
    ("every third day", "RRULE:FREQ=DAILY;INTERVAL=3"),
    ("forty days", "RRULE:FREQ=DAILY;COUNT=40"),
    ("working days", "RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"),
    ("every other week from Sunday",
     "RRULE:FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=SU,TU"),
    ("weekly until a date", "RRULE:FREQ=WEEKLY;UNTIL=20270601"),
    ("weekly until an instant", "RRULE:FREQ=WEEKLY;UNTIL=20270601T070000Z"),
    ("the 1st and 15th", "RRULE:FREQ=MONTHLY;BYMONTHDAY=1,15"),
    ("the last day of a month", "RRULE:FREQ=MONTHLY;BYMONTHDAY=-1"),
    ("the 31st", "RRULE:FREQ=MONTHLY;BYMONTHDAY=31"),
    ("the second Tuesday", "RRULE:FREQ=MONTHLY;BYDAY=2TU"),
    ("the last Friday", "RRULE:FREQ=MONTHLY;BYDAY=-1FR"),
    ("the last working day",
     "RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"),
    ("first and last working day",
     "RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1,-1"),
    ("every quarter", "RRULE:FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=24;COUNT=7"),
    ("every year", "RRULE:FREQ=YEARLY"),
    ("the fourth Thursday of November", "RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH"),
    ("day 100 of a year", "RRULE:FREQ=YEARLY;BYYEARDAY=100,-1"),
    ("week 20", "RRULE:FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO"),
    ("leap day", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"),
)  # fmt: skip

_SPECIAL = (
    Series(
        "a day left out, in the zone", "2026-11-24T09:00:00", 60, _BERLIN,
        ("RRULE:FREQ=DAILY;COUNT=200", "EXDATE;TZID=Europe/Berlin:20261201T090000"),
    ),
    Series(
        "days left out, in UTC, over both lines", "2026-11-24T09:00:00", 60, _BERLIN,
        ("RRULE:FREQ=DAILY;COUNT=200", "EXDATE:20261201T080000Z",
         "EXDATE:20270401T070000Z,20270402T070000Z"),
    ),
    Series(
        "a day left out, in another zone", "2026-11-24T09:00:00", 60, _BERLIN,
        ("RRULE:FREQ=DAILY;COUNT=200", "EXDATE;TZID=America/New_York:20261201T030000"),
    ),
    Series(
        "a day left out by its date", "2026-11-24T09:00:00", 60, _YORK,
        ("RRULE:FREQ=DAILY;COUNT=30", "EXDATE;VALUE=DATE:20261201"),
    ),
    Series(
        "dates added", "2026-11-24T09:00:00", 60, _YORK,
        ("RRULE:FREQ=WEEKLY;COUNT=5",
         "RDATE;TZID=America/New_York:20270314T120000,20271107T120000"),
    ),
    Series(
        "dates only", "2026-11-24T09:00:00", 60, _YORK,
        ("RDATE:20270314T120000Z,20271107T120000Z",),
    ),
    Series(
        "all-day with days left out", "2026-11-24", 0, "UTC",
        ("RRULE:FREQ=WEEKLY;COUNT=20", "EXDATE;VALUE=DATE:20261201,20270105"),
    ),
    Series(
        "all-day until a date", "2026-11-24", 0, "UTC",
        ("RRULE:FREQ=DAILY;UNTIL=20270324",),
    ),
    Series(
        "all-day until an instant", "2026-11-24", 0, "UTC",
        ("RRULE:FREQ=DAILY;UNTIL=20270324T000000Z",),
    ),
    Series(
        "an occurrence moved and one cancelled", "2026-11-24T09:00:00", 45, _BERLIN,
        ("RRULE:FREQ=WEEKLY;COUNT=80",),
        (("2026-12-01T09:00:00", "2026-12-02T15:30:00"), ("2027-03-30T09:00:00", "")),
    ),
    Series(
        "all-day with a moved and a cancelled day", "2026-11-24", 0, "UTC",
        ("RRULE:FREQ=WEEKLY;COUNT=80",),
        (("2026-12-01", "2026-12-03"), ("2027-03-30", "")),
    ),
    Series(
        "in the hour that spring skips", "2026-03-28T02:30:00", 30, _BERLIN,
        ("RRULE:FREQ=DAILY;COUNT=400",),
    ),
    Series(
        "in the hour that autumn repeats", "2026-10-24T02:30:00", 30, _BERLIN,
        ("RRULE:FREQ=DAILY;COUNT=400",),
    ),
    Series(
        "over midnight", "2026-11-24T23:30:00", 180, "Pacific/Apia",
        ("RRULE:FREQ=WEEKLY;BYDAY=TU,SA",),
    ),
)  # fmt: skip

SERIES: tuple[Series, ...] = (
    *(
        Series(f"working days in {zone}", "2026-02-02T08:45:00", 50, zone,
               ("RRULE:FREQ=WEEKLY;BYDAY=MO,WE,SU",))
        for zone in _ZONES
    ),
    *(Series(name, "2026-11-24T09:00:00", 30, _BERLIN, (rule,))
      for name, rule in _RULES),
    *(Series(f"{name}, all-day", "2026-11-24", 0, "UTC", (rule,))
      for name, rule in _RULES),
    *_SPECIAL,
)  # fmt: skip
