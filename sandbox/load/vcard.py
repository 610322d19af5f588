"""vCards 2.1, 3.0 and 4.0 into People's form; one broken card costs only itself."""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from sandbox.messages import Json

_LINE = re.compile(
    r"(?:[A-Za-z0-9-]+\.)?(?P<name>[A-Za-z0-9-]+)(?P<params>(?:;[^:]*)?):"
)
_ESCAPE = re.compile(r"\\(.)", re.S)
_DATE = re.compile(r"(\d{4}|--)-?(\d\d)-?(\d\d)(?:[T ].*)?\Z")


class BrokenCard(Exception):
    """Why a card cannot be read."""


@dataclass(slots=True)
class Line:
    name: str
    params: dict[str, list[str]]
    value: str

    @property
    def types(self) -> set[str]:
        return {t.lower() for t in self.params.get("TYPE", ())}


@dataclass(slots=True)
class Card:
    uid: str | None
    person: Json
    labels: list[str] = field(default_factory=list)
    photo: bool = False


def split(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Each card's text with the line it begins on.

    A card ends at its END, or where the next one begins; what is between is dropped.
    """
    lines = re.split(rb"\r\n|\n|\r", data.removeprefix(b"\xef\xbb\xbf"))
    start, kept = 0, list[bytes]()
    for number, line in enumerate(lines, 1):
        mark = line.strip().upper()
        if mark == b"BEGIN:VCARD":
            if kept:
                yield start, b"\n".join(kept)
            start, kept = number, [line]
        elif kept:
            kept.append(line)
            if mark == b"END:VCARD":
                yield start, b"\n".join(kept)
                kept = []
    if kept:
        yield start, b"\n".join(kept)


def read(text: bytes) -> Card:
    """One card.

    Raises:
        BrokenCard: no END, a line that is none, text in no known encoding, no content.
    """
    if not text.rstrip().upper().endswith(b"END:VCARD"):
        raise BrokenCard("the card has no END:VCARD")
    lines = [_line(raw) for raw in _unfolded(text)]
    inner = [line for line in lines if line.name not in ("BEGIN", "END", "VERSION")]
    version = next((line.value for line in lines if line.name == "VERSION"), "")
    if version.strip() not in ("2.1", "3.0", "4.0"):
        raise BrokenCard(f"version {version.strip()!r} is not 2.1, 3.0 or 4.0")
    card = Card(None, {})
    for line in inner:
        _take(card, line)
    _name_from_fn(card, inner)
    if not card.person:
        raise BrokenCard("the card is empty")
    return card


# ---------------------------------------------------------------- lines


def _unfolded(text: bytes) -> list[bytes]:
    """Whole lines: folds undone, soft breaks of quoted-printable too."""
    whole: list[bytes] = []
    for raw in text.split(b"\n"):
        if whole and _is_open(whole[-1]):
            whole[-1] = whole[-1][:-1] + raw.lstrip(b" \t")
        elif raw[:1] in (b" ", b"\t") and whole:
            whole[-1] += raw[1:]
        elif raw.strip():
            whole.append(raw)
    return whole


def _is_open(line: bytes) -> bool:
    return line.endswith(b"=") and b"QUOTED-PRINTABLE" in line.upper().split(b":")[0]


def _line(raw: bytes) -> Line:
    head = raw.split(b":", 1)[0].decode("latin-1")
    match = _LINE.match(head + ":")
    if match is None or b":" not in raw:
        shown = raw[:40].decode("latin-1")
        raise BrokenCard(f"not a vCard line: {shown!r}")
    start = _value_start(raw)
    params = _params(raw[: start - 1].decode("latin-1").partition(";")[2])
    value = raw[start:]
    if "QUOTED-PRINTABLE" in (p.upper() for p in params.get("ENCODING", ())):
        value = quopri.decodestring(value)
    return Line(match["name"].upper(), params, _decoded(value, params))


def _value_start(raw: bytes) -> int:
    """Behind the first colon that stands outside of quotes."""
    quoted = False
    for place, char in enumerate(raw):
        if char == 0x22:
            quoted = not quoted
        elif char == 0x3A and not quoted:
            return place + 1
    raise BrokenCard("a line has no value")


def _params(text: str) -> dict[str, list[str]]:
    """Named parameters; the bare words of 2.1 are types or encodings."""
    found: dict[str, list[str]] = {}
    for part in re.findall(r'(?:[^;"]|"[^"]*")+', text):
        name, equals, value = part.partition("=")
        if equals:
            values = [v.strip('"') for v in re.findall(r'"[^"]*"|[^,"]+', value)]
            values = [piece for v in values for piece in v.split(",")]
            found.setdefault(name.strip().upper(), []).extend(values)
        elif name.upper() in ("QUOTED-PRINTABLE", "BASE64", "8BIT", "7BIT"):
            found.setdefault("ENCODING", []).append(name)
        else:
            found.setdefault("TYPE", []).append(name)
    return found


def _decoded(value: bytes, params: dict[str, list[str]]) -> str:
    charset = params.get("CHARSET", ["utf-8"])[0]
    try:
        return value.decode(charset)
    except LookupError:
        raise BrokenCard(f"unknown charset {charset!r}")
    except UnicodeDecodeError:
        if "CHARSET" in params:
            raise BrokenCard(f"the text is not {charset}")
        return value.decode("cp1252", "replace")


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda m: "\n" if m[1] in "nN" else m[1], text).strip()


def _parts(text: str, separator: str = ";") -> list[str]:
    pieces = re.split(rf"(?<!\\){separator}", text)
    return [_unescaped(piece) for piece in pieces]


# ---------------------------------------------------------------- properties


def _take(card: Card, line: Line) -> None:
    taker = _TAKERS.get(line.name)
    if taker is not None and (line.value.strip() or line.name == "PHOTO"):
        taker(card, line)


def _add(card: Card, field_name: str, item: Json) -> None:
    item = {k: v for k, v in item.items() if v not in ("", None)}
    if item.keys() - {"type"}:
        card.person.setdefault(field_name, []).append(item)


def _take_n(card: Card, line: Line) -> None:
    names = (
        "familyName",
        "givenName",
        "middleName",
        "honorificPrefix",
        "honorificSuffix",
    )
    values = [part.replace(",", " ").strip() for part in _parts(line.value)]
    item = {k: v for k, v in zip(names, values, strict=False) if v}
    if item and "names" not in card.person:
        card.person["names"] = [item]


def _name_from_fn(card: Card, lines: list[Line]) -> None:
    """FN counts only where N says nothing."""
    if "names" in card.person:
        return
    for line in lines:
        if line.name == "FN" and line.value.strip():
            card.person["names"] = [{"unstructuredName": _unescaped(line.value)}]
            return


def _take_org(card: Card, line: Line) -> None:
    name, *departments = _parts(line.value)
    org = _organization(card)
    org["name"] = name
    if any(departments):
        org["department"] = " / ".join(d for d in departments if d)
    _drop_empty(card)


def _take_title(card: Card, line: Line) -> None:
    _organization(card)["title"] = _unescaped(line.value)


def _organization(card: Card) -> Json:
    item: Json = card.person.setdefault("organizations", [{}])[0]
    return item


def _drop_empty(card: Card) -> None:
    kept = {k: v for k, v in _organization(card).items() if v}
    card.person["organizations"][0] = kept
    if not kept:
        del card.person["organizations"]


def _take_email(card: Card, line: Line) -> None:
    value = _unescaped(line.value)
    _add(card, "emailAddresses", {"value": value, "type": _place(line)})


def _take_tel(card: Card, line: Line) -> None:
    value = _unescaped(line.value).removeprefix("tel:")
    _add(card, "phoneNumbers", {"value": value, "type": _phone_type(line.types)})


def _take_adr(card: Card, line: Line) -> None:
    names = (
        "poBox",
        "extendedAddress",
        "streetAddress",
        "city",
        "region",
        "postalCode",
        "country",
    )
    item: Json = dict(zip(names, _parts(line.value), strict=False))
    _add(card, "addresses", {**item, "type": _place(line)})


def _take_url(card: Card, line: Line) -> None:
    _add(card, "urls", {"value": _unescaped(line.value), "type": _place(line)})


def _take_bday(card: Card, line: Line) -> None:
    match = _DATE.match(line.value.strip())
    if match is None or "birthdays" in card.person:
        return
    year = 0 if match[1] == "--" else int(match[1])
    date = {"year": year, "month": int(match[2]), "day": int(match[3])}
    if not year:
        del date["year"]
    card.person["birthdays"] = [{"date": date}]


def _take_note(card: Card, line: Line) -> None:
    notes = card.person.setdefault("biographies", [{"value": ""}])[0]
    text = _unescaped(line.value)
    notes["value"] = f"{notes['value']}\n{text}" if notes["value"] else text


def _take_nickname(card: Card, line: Line) -> None:
    for value in _parts(line.value, ","):
        _add(card, "nicknames", {"value": value})


def _take_categories(card: Card, line: Line) -> None:
    card.labels += [name for name in _parts(line.value, ",") if name]


def _take_uid(card: Card, line: Line) -> None:
    card.uid = line.value.strip()


def _take_photo(card: Card, _line: Line) -> None:
    card.photo = True


def _place(line: Line) -> str | None:
    for name in ("work", "home"):
        if name in line.types:
            return name
    return "other" if "other" in line.types else None


def _phone_type(types: set[str]) -> str | None:
    work, home = "work" in types, "home" in types
    if "fax" in types:
        return "workFax" if work else "homeFax" if home else "otherFax"
    if "cell" in types:
        return "workMobile" if work else "mobile"
    if "pager" in types:
        return "workPager" if work else "pager"
    return "work" if work else "home" if home else "main" if "main" in types else None


_TAKERS = {
    "N": _take_n,
    "ORG": _take_org,
    "TITLE": _take_title,
    "EMAIL": _take_email,
    "TEL": _take_tel,
    "ADR": _take_adr,
    "URL": _take_url,
    "BDAY": _take_bday,
    "NOTE": _take_note,
    "NICKNAME": _take_nickname,
    "CATEGORIES": _take_categories,
    "UID": _take_uid,
    "PHOTO": _take_photo,
}
