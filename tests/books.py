"""Pairs of address books that overlap in known ways, made from a seed.

Two books of persons: `google.vcf` and `crm.csv`, and the truth about them. The first
`pairs` persons are in both books; the others in one only, among them five namesakes
(same name, different person) and two persons on each side who share an address.
Nothing else matches: addresses, phones and names are unique.
"""

from __future__ import annotations

import csv
import io
import random
from dataclasses import dataclass, field, replace
from typing import Any

HEADER = (
    "First name",
    "Middle name",
    "Last name",
    "Prefix",
    "Suffix",
    "Account",
    "Title",
    "Department",
    "E-mail",
    "E-mail 2",
    "E-mail 3",
    "Work phone",
    "Home phone",
    "Mobile",
    "Fax",
    "Web",
    "Street",
    "Street 2",
    "City",
    "State",
    "Postal code",
    "Country",
    "Birthday",
    "Notes",
)
NAMESAKES = 5
SHARED = 2
_EXTRAS = NAMESAKES + SHARED

_HOW = {"case": 15, "second": 15, "phone": 4, "name": 5, "same": 61}

_NAMES: tuple[tuple[str, str], ...] = (
    (
        "Ada Bruno Carol David Emma Felix Grace Henry Iris Jonas Kate Liam Mary Noah",
        "Abbott Baker Carter Dalton Ellis Foster Grant Hayes Irwin Jensen Keller Lloyd",
    ),
    (
        "Aurélie Benoît Chloé Désirée Étienne François Göran Håkan Jürgen Łukasz Núria",
        "Breguła Château Dvořák Fernández Gößwein Häring Küçük Lemaître Muñoz Østby",
    ),
    (
        "Αθηνά Βασίλης Γιώργος Δήμητρα Ελένη Κλυταιμνήστρα Νίκος Σοφία",
        "Αντωνάκος Γαβριηλίδης Δημητρίου Μητροπούλου Παπαδόπουλος Στεφανίδης",
    ),
    (
        "浩 里佳 充 学 太郎 花子 健一 美咲 翔太 直樹",
        "佐藤 小林 山田 田中 藤原 三浦 村上 高橋 伊藤 渡辺",
    ),
    (
        "Анна Борис Вера Григорий Дарья Ёлка Иван Ольга Пётр Юлия",
        "Алексеева Белов Воробьёв Громова Жуков Иванова Кузнецов Щербакова",
    ),
    (
        "أحمد فاطمة محمد ليلى יעל דוד נועה משה",
        "الحسن العلي النجار כהן לוי מזרחי פרץ",
    ),
)
_COMPANIES = (
    "Pearce Inc",
    "Barkholz AG",
    "Lawrence, Wall and Begum",
    "Inmobiliaria Mariño S.Coop.",
    "佐藤通信有限会社",
    "Αντωνάκος-Γαβριηλίδη",
    "Кузнецов и сыновья",
    "شركة النجار",
    "Solo Trading",
    "Snyder-Huffman",
    'Brunet "Bouchet" et Fils',
    "Grupo Piñol; Hijos",
)
_TITLES = ("VP", "Einkäuferin", "Production assistant, television", "建築家", "")
_DEPARTMENTS = ("Sales", "IT", "Einkauf", "R&D", "")
_STREETS = ("Studio 63g, Day Village", "Schinkegasse 3289", "ulica Niecała 122")
_SECOND_LINES = ("Apt. 30", "c/o Häring", "3rd floor; left", "")
_TOWNS = (
    ("Williamstown", "LD4Y 9EP", "United Kingdom"),
    ("Zschopau", "78353", "Germany"),
    ("Stalowa Wola", "68-975", "Poland"),
    ("京都市", "604-8006", "Japan"),
)
_NOTES = (
    "Met at the fair.\nCall back in May 🚀 שלום",
    "Prefers mail; \\o/ dislikes calls, really.",
    "👩‍👩‍👧 three children\n\nこんにちは",
)


@dataclass(frozen=True)
class Books:
    """Two address books and the truth about them.

    Attributes:
        vcf: Google's book, vCard 3.0, UIDs g0, g1, …
        csv: the CRM's book; rows count from 0.
        truth: `pairs` (google, crm, how), `shared_address` (google, crm),
            `namesakes_not_pairs` and a `note`; `how` is same, case (of the address),
            second (the common address is the CRM's second one), phone (only the
            phone, written otherwise, and the name) or name (only name and company).
    """

    vcf: str
    csv: str
    truth: dict[str, Any]


@dataclass(frozen=True)
class _Person:
    first: str
    last: str
    company: str = ""
    title: str = ""
    department: str = ""
    emails: tuple[str, ...] = ()
    work_phone: str = ""
    mobile: str = ""
    street: tuple[str, ...] = ()
    town: tuple[str, str, str] = ("", "", "")
    birthday: str = ""
    notes: str = ""


@dataclass
class _Maker:
    rng: random.Random
    used: set[tuple[str, str]] = field(default_factory=set)
    count: int = 0

    def person(self) -> _Person:
        """Return a person with whom nobody else has anything in common."""
        self.count += 1
        first, last = self._name()
        rng, number = self.rng, self.count
        has_place = rng.random() < 0.6
        return _Person(
            first=first,
            last=last,
            company=rng.choice(_COMPANIES) if rng.random() < 0.9 else "",
            title=rng.choice(_TITLES),
            department=rng.choice(_DEPARTMENTS),
            emails=self._emails(),
            work_phone=_american(number) if rng.random() < 0.8 else "",
            mobile=f"+49 151 {2_000_000 + number:07}" if rng.random() < 0.5 else "",
            street=self._street() if has_place else (),
            town=rng.choice(_TOWNS) if has_place else ("", "", ""),
            birthday=self._birthday(),
            notes=rng.choice(_NOTES) if rng.random() < 0.1 else "",
        )

    def _name(self) -> tuple[str, str]:
        firsts, lasts = (words.split() for words in self.rng.choice(_NAMES))
        name = self.rng.choice(firsts), self.rng.choice(lasts)
        while name in self.used:
            name = name[0], f"{self.rng.choice(lasts)}-{self.rng.choice(lasts)}"
            if name in self.used:
                name = f"{self.rng.choice(firsts)} {self.count}", name[1]
        self.used.add(name)
        return name

    def _emails(self) -> tuple[str, ...]:
        first = f"p{self.count}.{self.rng.choice('abc')}@mail.example"
        if self.rng.random() < 0.2:
            return first, f"second.{self.count}@private.example"
        return (first,)

    def _street(self) -> tuple[str, ...]:
        lines = self.rng.choice(_STREETS), self.rng.choice(_SECOND_LINES)
        return tuple(filter(None, lines))

    def _birthday(self) -> str:
        if self.rng.random() > 0.1:
            return ""
        day = self.rng.randint(1, 28)
        return f"{self.rng.randint(1930, 2005)}-{self.rng.randint(1, 12):02}-{day:02}"


def make_books(seed: int, size: int = 1000, pairs: int = 600) -> Books:
    """Make two books of `size` persons, the first `pairs` of them in both.

    Raises:
        ValueError: if there is no room for namesakes and the shared address.
    """
    if not 0 <= pairs <= size - _EXTRAS:
        raise ValueError(f"pairs must leave {_EXTRAS} of {size} persons")
    maker = _Maker(random.Random(seed))
    chosen = maker.rng.choices(list(_HOW), list(_HOW.values()), k=pairs)
    both = [_pair(maker, how, number) for number, how in enumerate(chosen)]
    alone = size - pairs - _EXTRAS
    google = [one for one, _ in both] + [maker.person() for _ in range(alone)]
    crm = [other for _, other in both] + [maker.person() for _ in range(alone)]
    for book in (google, crm):
        for _ in range(SHARED):
            book.append(replace(maker.person(), emails=("family@shared.example",)))
    for _ in range(NAMESAKES):
        one, other = _namesakes(maker)
        google.append(one)
        crm.append(other)
    return Books(
        vcf="".join(_card(person, number) for number, person in enumerate(google)),
        csv=_table(crm),
        truth=_truth(chosen, size),
    )


def _pair(maker: _Maker, how: str, number: int) -> tuple[_Person, _Person]:
    """Return a person as Google and as the CRM know them."""
    google = maker.person()
    first = google.emails[0]
    if how == "case":
        return google, replace(google, emails=(first.upper(),))
    if how == "second":
        return google, replace(google, emails=(f"new.{number}@other.example", first))
    if how == "phone":
        area, line = 201 + number // 10_000, f"{number % 10_000:04}"
        return (
            replace(google, work_phone=f"+1 {area} 555 {line}"),
            replace(google, emails=(), work_phone=f"({area}) 555-{line}", mobile=""),
        )
    if how == "name":
        google = replace(google, company=google.company or "Solo Trading")
        return google, replace(google, emails=(), work_phone="", mobile="")
    if number % 50 == 49:
        # Longer than the CRM's 32 characters; the address still tells who it is.
        google = replace(google, first=google.first * 9)
    return google, google


def _namesakes(maker: _Maker) -> tuple[_Person, _Person]:
    one, other = maker.person(), maker.person()
    return (
        replace(one, company="Dijoux"),
        replace(other, first=one.first, last=one.last, company="Davis Ltd"),
    )


def _american(number: int) -> str:
    return f"+1 {300 + number // 10_000} 867 {number % 10_000:04}"


def _truth(hows: list[str], size: int) -> dict[str, Any]:
    shared = range(size - _EXTRAS, size - NAMESAKES)
    return {
        "pairs": [
            {"google": f"g{number}", "crm": number, "how": how}
            for number, how in enumerate(hows)
        ],
        "shared_address": {
            "google": [f"g{number}" for number in shared],
            "crm": list(shared),
        },
        "namesakes_not_pairs": [
            {"google": f"g{number}", "crm": number}
            for number in range(size - NAMESAKES, size)
        ],
        "note": "crm = row number from 0 in crm.csv; how: same | case | second | "
        "phone (only phone, other format) | name (only name and company)",
    }


def _card(person: _Person, number: int) -> str:
    lines = [
        "BEGIN:VCARD",
        "VERSION:3.0",
        f"UID:g{number}",
        f"N:{_text(person.last)};{_text(person.first)};;;",
        f"FN:{_text(person.first)} {_text(person.last)}",
    ]
    if person.company or person.department:
        lines.append(f"ORG:{_text(person.company)};{_text(person.department)}")
    if person.title:
        lines.append(f"TITLE:{_text(person.title)}")
    kinds = ("WORK", "HOME", "OTHER")
    for kind, email in zip(kinds, person.emails, strict=False):
        lines.append(f"EMAIL;TYPE={kind}:{email}")
    if person.work_phone:
        lines.append(f"TEL;TYPE=WORK,VOICE:{person.work_phone}")
    if person.mobile:
        lines.append(f"TEL;TYPE=CELL:{person.mobile}")
    if person.birthday:
        lines.append(f"BDAY:{person.birthday}")
    if person.notes:
        lines.append(f"NOTE:{_text(person.notes)}")
    if person.street:
        street, (city, postal, country) = "\n".join(person.street), person.town
        where = (street, city, "", postal, country)
        lines.append(f"ADR;TYPE=WORK:;;{';'.join(_text(part) for part in where)}")
    return "".join(f"{line}\r\n" for line in [*lines, "END:VCARD"])


def _text(value: str) -> str:
    plain = value.replace("\\", "\\\\").replace("\n", "\\n")
    return plain.replace(",", "\\,").replace(";", "\\;")


def _table(persons: list[_Person]) -> str:
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, HEADER, restval="")
    writer.writeheader()
    for person in persons:
        writer.writerow(_row(person))
    return stream.getvalue()


def _row(person: _Person) -> dict[str, str]:
    city, postal, country = person.town
    return {
        "First name": person.first,
        "Last name": person.last,
        "Account": person.company,
        "Title": person.title,
        "Department": person.department,
        "Work phone": person.work_phone,
        "Mobile": person.mobile,
        "City": city,
        "Postal code": postal,
        "Country": country,
        "Birthday": person.birthday,
        "Notes": person.notes,
        **dict(zip(("E-mail", "E-mail 2"), person.emails, strict=False)),
        **dict(zip(("Street", "Street 2"), person.street, strict=False)),
    }
