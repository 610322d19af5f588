"""Reading vCard 2.1, 3.0 and 4.0 files of doubtful make.

Cards are split first, so that a broken one costs one. Lines are handled here and not
by a library: the files that people bring mix versions, charsets and foldings within
one card.
"""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from crm.fields import EMAILS, PLACE_PARTS
from crm.textfile import decode, numbered_lines

_MAX_CARD = 8_388_608
_BEGIN = re.compile(rb"\s*BEGIN\s*:\s*VCARD\s*", re.IGNORECASE)
_END = re.compile(rb"\s*END\s*:\s*VCARD\s*", re.IGNORECASE)
_PARAMETER = rb';[^;:"]*(?:"[^"]*"[^;:"]*)*'
_PROPERTY = re.compile(
    rb"\s*(?:[\w-]+\.)?([A-Za-z][\w-]*)((?:" + _PARAMETER + rb")*):(.*)", re.DOTALL
)
_PARAMETERS = re.compile(_PARAMETER)
_ENCODINGS = frozenset({"QUOTED-PRINTABLE", "BASE64", "B", "8BIT", "7BIT"})
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_UNESCAPED_SEMICOLON = re.compile(r"((?:[^\\;]|\\.)*)(?:;|$)", re.DOTALL)
_ALWAYS_LAST = 101


@dataclass(frozen=True, slots=True)
class Card:
    """One card as it stands in the file, or why it is unusable."""

    line: int
    lines: Sequence[bytes]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Property:
    """One property: upper-case name, types and other parameters, decoded text."""

    name: str
    types: frozenset[str]
    parameters: dict[str, str]
    text: str

    @property
    def rank(self) -> int:
        """How strongly it is preferred: 1 first, 101 if nothing says so."""
        if "PREF" in self.types:
            return 1
        number = self.parameters.get("PREF", "")
        return int(number) if number.isdecimal() else _ALWAYS_LAST


@dataclass(slots=True)
class Person:
    """What a card says of a person, in the CRM's fields.

    Attributes:
        overflow: how many things found no slot, by what they are.
        is_group: the card is a list of contacts.
    """

    uid: str = ""
    values: dict[str, str] = field(default_factory=dict)
    overflow: dict[str, int] = field(default_factory=dict)
    is_group: bool = False

    def fill(self, slots: Sequence[str], value: str, *, what: str) -> None:
        """Put a value in the first empty slot."""
        for slot in slots:
            if not self.values.get(slot):
                self.values[slot] = value
                return
        self.overflow[what] = self.overflow.get(what, 0) + 1


# ------------------------------------------------------------------ cards


def split_cards(source: bytes | BinaryIO) -> Iterator[Card]:
    """Cut a file into cards; what stands between them is ignored."""
    start, lines, size = 0, list[bytes](), 0
    for number, line in numbered_lines(source):
        if _BEGIN.fullmatch(line):
            if start:
                yield Card(start, (), "the card has no END:VCARD")
            start, lines, size = number, [], 0
        elif start and _END.fullmatch(line):
            yield Card(start, lines, "the card is too big" if size > _MAX_CARD else "")
            start, lines = 0, []
        elif start:
            size += len(line)
            if size <= _MAX_CARD:
                lines.append(line)
    if start:
        yield Card(start, (), "the card has no END:VCARD")


def properties(card: Card) -> Iterator[Property]:
    """Unfold a card's lines and decode its properties; lines without sense go."""
    for logical in _unfold(card.lines):
        found = _PROPERTY.fullmatch(logical)
        if found is not None:
            yield _property(found[1], found[2], found[3])


def _unfold(lines: Sequence[bytes]) -> Iterator[bytes]:
    parts: list[bytes] = []
    for line in lines:
        if parts and _has_soft_break(parts):
            parts[-1] = parts[-1][:-1]
            parts.append(line)
        elif line[:1] in {b" ", b"\t"}:
            parts.append(line[1:])
        elif not line.strip() or _PROPERTY.match(line):
            yield b"".join(parts)
            parts = [line]
        else:
            # A line end that nobody escaped; within base64 it does no harm.
            parts += (b"\\n", line)
    yield b"".join(parts)


def _has_soft_break(parts: Sequence[bytes]) -> bool:
    if not parts[-1].endswith(b"="):
        return False
    return b"QUOTED-PRINTABLE" in parts[0].partition(b":")[0].upper()


def _property(name: bytes, parameters: bytes, value: bytes) -> Property:
    types: set[str] = set()
    others: dict[str, str] = {}
    for part in _PARAMETERS.findall(parameters):
        key, equals, text = decode(part[1:]).partition("=")
        key, text = key.strip().upper(), text.strip()
        if not equals:
            key, text = ("ENCODING" if key in _ENCODINGS else "TYPE"), key
        if key == "TYPE":
            types.update(item.strip(' "') for item in text.upper().split(","))
        else:
            others[key] = text.strip('"')
    return Property(
        name.decode("ascii", "replace").upper(),
        frozenset(types),
        others,
        _decoded(value, others),
    )


def _decoded(value: bytes, parameters: dict[str, str]) -> str:
    if parameters.get("ENCODING", "").upper() == "QUOTED-PRINTABLE":
        value = quopri.decodestring(value)
    charset = parameters.get("CHARSET")
    if charset is not None:
        try:
            return value.decode(charset)
        except (LookupError, UnicodeError):
            pass
    return decode(value)


# ------------------------------------------------------------------ persons


def read_person(card: Card) -> Person:
    """Read what a card says; preferred addresses and phones come first."""
    found: dict[str, list[Property]] = {}
    for item in properties(card):
        if item.text.strip():
            found.setdefault(item.name, []).append(item)
    for items in found.values():
        items.sort(key=lambda item: item.rank)
    person = Person(uid=_first(found, "UID"))
    kind = _first(found, "KIND") or _first(found, "X-ADDRESSBOOKSERVER-KIND")
    person.is_group = kind.casefold() == "group"
    _read_work(person, found)
    _read_name(person, found)
    _read_emails(person, found.get("EMAIL", ()))
    for item in found.get("TEL", ()):
        person.fill(_phone_slots(item.types), _phone(item.text), what="phone numbers")
    for item in found.get("ADR", ()):
        _read_address(person, item)
    for item in found.get("URL", ()):
        person.fill(["web"], _unescape(item.text), what="web addresses")
    person.values["birthday"] = _first(found, "BDAY")
    notes = [_unescape(item.text).strip() for item in found.get("NOTE", ())]
    person.values["notes"] = "\n\n".join(notes)
    return person


def _first(found: dict[str, list[Property]], name: str) -> str:
    return _unescape(found[name][0].text).strip() if name in found else ""


def _read_name(person: Person, found: dict[str, list[Property]]) -> None:
    parts = _parts(found["N"][0].text) if "N" in found else []
    names = ("last", "first", "middle", "prefix", "suffix")
    person.values.update(zip(names, (part.strip() for part in parts), strict=False))
    shown = _first(found, "FN") or _first(found, "NICKNAME")
    if any(person.values.get(name) for name in names) or not shown:
        return
    if shown not in {person.values["company"], *_texts(found, "EMAIL")}:
        first, _, last = shown.rpartition(" ")
        person.values.update({"first": first, "last": last})


def _texts(found: dict[str, list[Property]], name: str) -> list[str]:
    return [_unescape(item.text).strip() for item in found.get(name, ())]


def _read_work(person: Person, found: dict[str, list[Property]]) -> None:
    parts = _parts(found["ORG"][0].text) if "ORG" in found else []
    person.values["company"] = parts[0].strip() if parts else ""
    person.values["department"] = ", ".join(
        part.strip() for part in parts[1:] if part.strip()
    )
    person.values["title"] = _first(found, "TITLE") or _first(found, "ROLE")


def _read_emails(person: Person, items: Sequence[Property]) -> None:
    addresses = [
        re.sub("^mailto:", "", _unescape(item.text).strip(), flags=re.IGNORECASE)
        for item in items
    ]
    seen: set[str] = set()
    for address in addresses:
        if address.casefold() not in seen:
            seen.add(address.casefold())
            person.fill(EMAILS, address, what="e-mail addresses")


def _phone_slots(types: frozenset[str]) -> tuple[str, ...]:
    voice = ("work_phone", "mobile", "home_phone")
    if "FAX" in types:
        return ("fax",)
    if types & {"CELL", "IPHONE"}:
        return ("mobile", *voice)
    if "HOME" in types:
        return ("home_phone", *voice)
    return voice


def _phone(text: str) -> str:
    plain = _unescape(text).strip()
    if plain[:4].casefold() == "tel:":
        number, *parameters = plain[4:].split(";")
        extension = "".join(item[4:] for item in parameters if item[:4] == "ext=")
        return f"{number} x{extension}" if extension else number
    return plain


def _read_address(person: Person, item: Property) -> None:
    parts = [part.strip() for part in _parts(item.text)]
    box, extended, street, city, region, postal, country = [*parts, *[""] * 7][:7]
    lines = "\n".join(filter(None, (street, extended, box)))
    values = (lines, city, region, postal, country)
    if not any(values):
        return
    places = ("home", "work") if "HOME" in item.types else ("work", "home")
    for place in places:
        names = [f"{place}_{part}" for part in PLACE_PARTS]
        if not any(person.values.get(name) for name in names):
            person.values.update(zip(names, values, strict=True))
            return
    person.overflow["postal addresses"] = person.overflow.get("postal addresses", 0) + 1


def _parts(text: str) -> list[str]:
    """Cut a structured value at its semicolons, and unescape the parts."""
    return [_unescape(part) for part in _UNESCAPED_SEMICOLON.findall(text)[:32]]


def _unescape(text: str) -> str:
    return _ESCAPED.sub(lambda found: _plain(found[1]), text)


def _plain(char: str) -> str:
    if char in "nN":
        return "\n"
    return char if char in ",;:\\" else f"\\{char}"
