"""The form of a contact: its fields with the CRM's limits, and edits in two tabs."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wtforms import EmailField, Field, StringField, TelField, TextAreaField
from wtforms.validators import Length, ValidationError

from crm.fields import CUSTOM_LIMIT, CUSTOM_PREFIX, LIMITS, is_custom
from webapp.formats import field_name
from webapp.forms import Form

SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Name", ("prefix", "first", "middle", "last", "suffix")),
    ("Work", ("company", "title", "department")),
    (
        "Reach",
        (
            "email",
            "email2",
            "email3",
            "work_phone",
            "mobile",
            "home_phone",
            "fax",
            "web",
        ),
    ),
    (
        "Work address",
        ("work_street", "work_postal", "work_city", "work_region", "work_country"),
    ),
    (
        "Home address",
        ("home_street", "home_postal", "home_city", "home_region", "home_country"),
    ),
    ("More", ("birthday", "notes")),
)
_LONG = {"work_street", "home_street", "notes"}
_FILLED_BY = {
    "prefix": "honorific-prefix",
    "first": "given-name",
    "middle": "additional-name",
    "last": "family-name",
    "suffix": "honorific-suffix",
}


def input_name(name: str) -> str:
    """Return the name of a field's input; a custom key may hold anything."""
    if is_custom(name):
        return f"custom-{name.removeprefix(CUSTOM_PREFIX).encode().hex()}"
    return name


def no_control_characters(form: Any, field: Field) -> None:
    """Refuse what cannot be typed and would be seen by nobody.

    What stands in the record already came by synchronisation, and may stay.
    """
    if field.data == tidy(field.object_data):
        return
    kept = "\n\t" if isinstance(field, TextAreaField) else ""
    for letter in field.data or "":
        if letter not in kept and unicodedata.category(letter) in {"Cc", "Cs"}:
            raise ValidationError("This holds a character that cannot be stored.")


def tidy(value: str | None) -> str:
    """Return a text as the CRM keeps it."""
    return (value or "").replace("\r\n", "\n").replace("\r", "\n").strip()


def make_form(names: tuple[str, ...], formdata: Any, values: Mapping[str, str]) -> Any:
    """Return a form of these fields."""
    members: dict[str, Any] = {}
    for name in names:
        members[input_name(name)] = _field(name)
    kind = type("ContactForm", (Form,), members)
    data = {input_name(name): values.get(name, "") for name in names}
    return kind(formdata=formdata, data=data)


def _field(name: str) -> Any:
    limit = LIMITS.get(name, CUSTOM_LIMIT)
    words = "%(max)d characters at most."
    checks = [Length(max=limit, message=words), no_control_characters]
    kinds: dict[str, Any] = {"email": EmailField, "email2": EmailField}
    kinds |= {"email3": EmailField, "mobile": TelField, "home_phone": TelField}
    kinds |= {"work_phone": TelField, "fax": TelField}
    kind = TextAreaField if name in _LONG else kinds.get(name, StringField)
    keywords: dict[str, Any] = {"maxlength": limit, "autocomplete": "off"}
    if name in _LONG:
        keywords["rows"] = 5 if name == "notes" else 3
    if name == "birthday":
        keywords |= {"type": "date"}
    if name == "company":
        keywords |= {"list": "companies", "data-suggests": "companies"}
    return kind(field_name(name), checks, filters=[tidy], render_kw=keywords)


def typed(form: Any, names: tuple[str, ...]) -> dict[str, str]:
    """Return what stands in a form, by the CRM's fields."""
    return {name: form[input_name(name)].data or "" for name in names}


# ------------------------------------------------------------------ two tabs


def write_base(values: Mapping[str, str]) -> str:
    """Return what a form began with, to be sent along with it."""
    return json.dumps(dict(values))


def read_base(text: str, names: tuple[str, ...]) -> dict[str, str]:
    """Return what a form began with; nothing if that was tampered with."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {n: v for n, v in found.items() if n in names and isinstance(v, str)}


@dataclass(frozen=True, slots=True)
class Edits:
    """What a person changed, and what somebody else did meanwhile.

    Attributes:
        mine: fields and values to write.
        theirs: fields that both changed, with the other's value.
    """

    mine: dict[str, str]
    theirs: dict[str, str]


def compare(
    given: Mapping[str, str], base: Mapping[str, str], now: Mapping[str, str]
) -> Edits:
    """Find what a person changed since their form was made.

    Args:
        given: what stands in the form.
        base: what the form began with.
        now: what the record holds.

    >>> edits = compare({"a": "1", "b": "2"}, {"a": "", "b": ""}, {"a": "", "b": "3"})
    >>> edits.mine, edits.theirs
    ({'a': '1', 'b': '2'}, {'b': '3'})
    """
    mine = {
        name: value
        for name, value in given.items()
        if _as_typed(name, base.get(name, "")) != _as_typed(name, value)
    }
    theirs = {
        name: now.get(name, "")
        for name, value in mine.items()
        if now.get(name, "") not in {base.get(name, ""), value}
    }
    return Edits(mine, theirs)


def _as_typed(name: str, value: str) -> str:
    """Return a text as a browser would send it back untouched."""
    kept = "\n\t" if name in _LONG else "\t"
    return "".join(
        letter
        for letter in tidy(value)
        if letter in kept or unicodedata.category(letter) != "Cc"
    )
