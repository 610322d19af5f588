"""The address book that is measured: invented people as vCards."""

from __future__ import annotations

import random
import uuid
from pathlib import Path

_CARD = """BEGIN:VCARD
VERSION:3.0
UID:{uid}
FN:Anna Müller{i}
N:Müller{i};Anna;;;
EMAIL;TYPE=WORK:anna.{i}@example.org
EMAIL;TYPE=HOME:a{i}@example.com
TEL;TYPE=CELL:+49 30 {phone:07d}
ORG:Firma {company} GmbH
TITLE:Head of Sales
ADR;TYPE=WORK:;;Hauptstr. {i};Berlin;;10115;Germany
NOTE:{note}
REV:2026-01-02T03:04:05Z
END:VCARD
"""


def card(number: int) -> tuple[str, str]:
    """Return a person's UID and vCard."""
    chance = random.Random(number)
    uid = str(uuid.UUID(int=chance.getrandbits(128)))
    text = _CARD.format(
        uid=uid,
        i=number,
        phone=chance.randrange(10**7),
        company=number % 97,
        note="lorem ipsum dolor sit amet " * 3,
    )
    return uid, text.replace("\n", "\r\n")


def book(count: int) -> str:
    """Return a vCard file with so many people."""
    return "".join(card(number)[1] for number in range(count))


def write_files(folder: Path, count: int) -> None:
    """Write one file per person, as vdirsyncer wants them."""
    folder.mkdir(parents=True)
    for number in range(count):
        uid, text = card(number)
        (folder / f"{uid}.vcf").write_text(text, encoding="utf-8", newline="")
