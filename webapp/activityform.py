"""The form of an activity: what is typed, and the CRM's fields that it stands for.

Times are typed as they are in the zone of the form; a start and an end stand for the
CRM's start and duration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from wtforms import (
    BooleanField,
    IntegerField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Length, NumberRange, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from crm.activityfields import (
    CALENDAR_TYPES,
    DAY,
    LIMITS,
    TODO,
    is_timeless,
    parse_start,
    start_text,
)
from webapp import repeats
from webapp.choices import time_zones
from webapp.contactform import no_control_characters, tidy
from webapp.forms import Form
from webapp.repeats import Repeat

TYPES = {
    "meeting": "Meeting",
    "call": "Phone call",
    "personal": "Personal activity",
    "todo": "To-do",
    "event": "Event",
}
ALARMS = {
    "": "No alarm",
    "0": "At the start",
    "5": "5 minutes before",
    "10": "10 minutes before",
    "15": "15 minutes before",
    "30": "30 minutes before",
    "60": "1 hour before",
    "120": "2 hours before",
    "1440": "1 day before",
    "10080": "1 week before",
}
SCOPES = {
    "one": "Only this occurrence",
    "following": "This and all following",
    "all": "The whole series",
}
PLAIN = (
    "subject", "location", "notes", "category", "priority", "phone", "opportunity",
    "ticket", "lead", "resources",
)  # fmt: skip
_UTC = ZoneInfo("UTC")


def _choices(words: Mapping[str, str]) -> list[Any]:
    return [SelectChoice(value, label) for value, label in words.items()]


def _text(label: str, name: str, **more: Any) -> Any:
    limit = LIMITS[name]
    checks = [
        Length(max=limit, message="%(max)d characters at most."),
        no_control_characters,
    ]
    words = {"maxlength": limit, "autocomplete": "off", **more.pop("render_kw", {})}
    kind = more.pop("kind", StringField)
    return kind(label, checks, filters=[tidy], render_kw=words, **more)


class _Boxes(SelectMultipleField):  # type: ignore[misc]  # WTForms has no types
    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


class ActivityForm(Form):
    """What a person types."""

    type = SelectField("Type", choices=_choices(TYPES))
    subject = _text("Regarding", "subject")
    timeless = BooleanField("Timeless (all day)")
    start_date = StringField("Start", render_kw={"type": "date"})
    start_time = StringField("Start time", render_kw={"type": "time"})
    end_date = StringField("End", render_kw={"type": "date"})
    end_time = StringField("End time", render_kw={"type": "time"})
    zone = SelectField("Time zone")
    location = _text("Location", "location")
    notes = _text("Notes", "notes", kind=TextAreaField, render_kw={"rows": 6})
    contact = StringField("Contact", filters=[tidy])
    account = StringField("Account", filters=[tidy])
    opportunity = _text("Opportunity", "opportunity")
    ticket = _text("Ticket", "ticket")
    lead = _text("Lead", "lead")
    category = _text("Category", "category")
    priority = _text("Priority", "priority", render_kw={"list": "priorities"})
    phone = _text("Phone", "phone", render_kw={"type": "tel"})
    alarm = SelectField("Alarm")
    resources = _text(
        "Resources",
        "resources",
        kind=TextAreaField,
        render_kw={"rows": 3},
        description="Rooms, cars, projectors: one in a line. They stay in the CRM.",
    )
    leader = SelectField("Leader")
    freq = SelectField("How often")
    interval = IntegerField(
        "Every",
        [Optional(), NumberRange(1, 999, "A number from 1 to 999.")],
        render_kw={"min": 1, "max": 999, "inputmode": "numeric"},
    )
    days = _Boxes(
        "On",
        choices=_choices({code: name[:3] for code, name in repeats.DAYS.items()}),
    )
    by = RadioField("On", choices=_choices({"day": "", "weekday": ""}))
    ends = RadioField(
        "Ends", choices=_choices({"never": "Never", "until": "On", "count": "After"})
    )
    until = StringField("Last day", render_kw={"type": "date"})
    count = IntegerField(
        "Times",
        [Optional(), NumberRange(1, 5000, "A number from 1 to 5000.")],
        render_kw={"min": 1, "max": 5000, "inputmode": "numeric"},
    )


@dataclass(frozen=True, slots=True)
class Begun:
    """What a form begins with.

    Attributes:
        values: the CRM's fields.
        contact, account: what is shown for the ids.
    """

    values: Mapping[str, str]
    leader: str
    leaders: Mapping[str, str]
    zone: ZoneInfo
    contact: str = ""
    account: str = ""
    is_undated: bool = False
    is_new: bool = False


def make_form(begun: Begun, formdata: Any) -> Any:
    """Return the form of an activity."""
    values = begun.values
    start = parse_start(values["start"])
    timeless = is_timeless(values["start"])
    zone = zone_of(values, begun.zone)
    place = UTC if timeless else zone
    local = start.astimezone(place)
    end = (start + timedelta(minutes=int(values["duration"]))).astimezone(place)
    if timeless:
        end -= timedelta(days=1)
    repeat = repeats.read(values["recurrence"], local.date(), zone)
    data: dict[str, Any] = {name: values[name] for name in PLAIN}
    data |= {
        "type": values["type"],
        "timeless": timeless,
        "start_date": "" if begun.is_undated else local.date().isoformat(),
        "start_time": "" if timeless else f"{local:%H:%M}",
        "end_date": end.date().isoformat(),
        "end_time": "" if timeless else f"{end:%H:%M}",
        "zone": zone.key,
        "contact": begun.contact,
        "account": begun.account,
        "alarm": values["alarm"],
        "leader": begun.leader,
    }
    form = ActivityForm(formdata=formdata, data=data | _rule_data(repeat))
    _choose(form, begun, values, zone.key)
    _say_days(form, local.date(), repeat)
    return form


def _rule_data(repeat: Repeat) -> dict[str, Any]:
    ends = "count" if repeat.count else "until" if repeat.until else "never"
    return {
        "freq": repeat.freq,
        "interval": repeat.interval,
        "days": list(repeat.days),
        "by": repeat.by,
        "ends": ends,
        "until": repeat.until.isoformat() if repeat.until else "",
        "count": repeat.count or None,
    }


def _choose(form: Any, begun: Begun, values: Mapping[str, str], zone: str) -> None:
    if not begun.is_new:
        # A meeting may turn out to be a call; it never becomes a to-do.
        kinds = CALENDAR_TYPES if values["type"] in CALENDAR_TYPES else {values["type"]}
        form.type.choices = _choices({n: w for n, w in TYPES.items() if n in kinds})
    known = time_zones()
    form.zone.choices = _choices({name: name for name in (zone, *known)})
    alarms = dict(ALARMS)
    alarms.setdefault(values["alarm"], f"{values['alarm']} minutes before")
    form.alarm.choices = _choices(alarms)
    leaders = dict(begun.leaders)
    leaders.setdefault(begun.leader, begun.leader or "Nobody")
    form.leader.choices = _choices(leaders)


def _say_days(form: Any, start: date, repeat: Repeat) -> None:
    freqs = {
        "": "Never",
        "DAILY": "Daily",
        "WEEKLY": "Weekly",
        "MONTHLY": "Monthly",
        "YEARLY": "Yearly",
    }
    if repeat.freq == repeats.CUSTOM:
        freqs[repeats.CUSTOM] = "As it is"
    form.freq.choices = _choices(freqs)
    place = repeats.place_of(start)
    code = f"{place}{repeats.code_of(start)}"
    words = repeats.describe(f"RRULE:FREQ=MONTHLY;BYDAY={code}", start, _UTC)
    form.by.choices = _choices(
        {
            "day": f"On day {start.day} of the month",
            "weekday": f"On {words.partition(' on ')[2]}",
        }
    )


def zone_of(values: Mapping[str, str], visitor: ZoneInfo) -> ZoneInfo:
    """Return the zone in which an activity is shown for editing: a series' own."""
    is_series = values["recurrence"] and not is_timeless(values["start"])
    return ZoneInfo(values["zone"]) if is_series and values["zone"] else visitor


# ------------------------------------------------------------------ reading it


def typed(form: Any, begun: Begun, today: date) -> tuple[dict[str, str], bool]:
    """Return the CRM's fields that a valid form stands for, and whether it is undated.

    Mistakes of the times are put beside their fields.
    """
    values = {name: form[name].data or "" for name in PLAIN}
    values |= {"type": form.type.data, "alarm": form.alarm.data or ""}
    is_undated = form.type.data == TODO and not form.start_date.data
    timeless = bool(form.timeless.data) or is_undated
    zone = ZoneInfo("UTC" if timeless else form.zone.data)
    start: datetime | None = datetime.combine(today, time(), UTC)
    if is_undated and begun.is_undated:
        start = parse_start(begun.values["start"])
    if not is_undated:
        start = _moment(form.start_date, form.start_time, zone, timeless=timeless)
    if start is None:
        return values, is_undated
    values["start"] = start_text(start, timeless=timeless)
    values["duration"] = str(_minutes(form, begun, start, zone))
    values["recurrence"] = _rule(form, begun, start.astimezone(zone))
    # Only a series is kept in a zone: what happens once is an instant.
    is_kept = values["recurrence"] and not timeless
    values["zone"] = form.zone.data if is_kept else begun.values["zone"]
    return values, is_undated


def _moment(day: Any, clock: Any, zone: ZoneInfo, *, timeless: bool) -> datetime | None:
    try:
        found = date.fromisoformat(day.data or "")
    except ValueError:
        day.errors = [*day.errors, "Enter a date."]
        return None
    if timeless:
        return datetime.combine(found, time(), UTC)
    try:
        at = time.fromisoformat(clock.data or "")
    except ValueError:
        clock.errors = [*clock.errors, "Enter a time, or make it timeless."]
        return None
    return datetime.combine(found, at.replace(tzinfo=None), zone).astimezone(UTC)


def _minutes(form: Any, begun: Begun, start: datetime, zone: ZoneInfo) -> int:
    """Return the length that start and end say; without an end, the shortest."""
    timeless = bool(form.timeless.data) or not form.start_date.data
    shortest = DAY if timeless else 0
    is_given = form.end_date.data and (timeless or form.end_time.data)
    if form.type.data == TODO:
        is_same = begun.values["type"] == TODO
        is_same = is_same and is_timeless(begun.values["start"]) == timeless
        return int(begun.values["duration"]) if is_same else shortest
    if not is_given:
        return shortest
    end = _moment(form.end_date, form.end_time, zone, timeless=timeless)
    if end is None:
        return shortest
    minutes = int((end - start).total_seconds()) // 60 + (DAY if timeless else 0)
    if minutes < shortest:
        form.end_date.errors = [*form.end_date.errors, "The end lies before the start."]
        return shortest
    return minutes


def _rule(form: Any, begun: Begun, start: datetime) -> str:
    until = None
    if form.ends.data == "until" and form.freq.data:
        try:
            until = date.fromisoformat(form.until.data or "")
        except ValueError:
            form.until.errors = [*form.until.errors, "Enter the last day."]
        if until is not None and until < start.date():
            form.until.errors = [*form.until.errors, "This lies before the start."]
    if form.ends.data == "count" and form.freq.data and not form.count.data:
        form.count.errors = [*form.count.errors, "Enter how many times."]
    repeat = Repeat(
        form.freq.data,
        form.interval.data or 1,
        tuple(form.days.data or ()),
        form.by.data or "day",
        until,
        (form.count.data or 0) if form.ends.data == "count" else 0,
    )
    old = begun.values["recurrence"]
    written = repeats.write(repeat, start.date(), old)
    timeless = is_timeless(begun.values["start"])
    was = parse_start(begun.values["start"]).astimezone(
        UTC if timeless else zone_of(begun.values, begun.zone)
    )
    is_moved = timeless != bool(form.timeless.data) or was.time() != start.time()
    if is_moved and written:
        clock = "" if form.timeless.data else f"{start:%H%M%S}"
        return repeats.retimed(written, clock)
    return written


def has_errors(form: Any) -> bool:
    """Whether something beside a field is still to be corrected."""
    return any(item.errors for item in form)
