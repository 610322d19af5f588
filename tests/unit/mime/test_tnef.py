"""winmail.dat: the files in it are attachments, and it is kept itself (MAIL-8)."""

from __future__ import annotations

import base64
import struct

import pytest

from crmsync.mime import read_mail
from crmsync.records.mail import FileKind
from tests.unit.mime.letters import letter, mixed

_RENDERING, _TITLE, _DATA = 0x00069002, 0x00018010, 0x0006800F


def _attribute(name: int, data: bytes) -> bytes:
    head = struct.pack("<BII", 2, name, len(data))
    return head + data + struct.pack("<H", sum(data) & 0xFFFF)


def winmail(*files: tuple[str, bytes]) -> bytes:
    """Return a winmail.dat with these files in it."""
    whole = struct.pack("<IH", 0x223E9F78, 1)
    for name, data in files:
        whole += _attribute(_RENDERING, bytes(14))
        whole += _attribute(_TITLE, name.encode("cp1252") + b"\x00")
        whole += _attribute(_DATA, data)
    return whole


def _sent(data: bytes) -> bytes:
    head = (
        'Content-Type: application/ms-tnef; name="winmail.dat"',
        "Content-Transfer-Encoding: base64",
    )
    part = letter(*head, body=base64.encodebytes(data))
    return mixed(letter("Content-Type: text/plain", body=b"Hello"), part)


@pytest.mark.rule("MAIL-8")
def test_the_files_that_outlook_packed_are_unpacked() -> None:
    data = bytes(range(256)) * 4
    packed = winmail(("plan.pdf", data), ("note.txt", b"hi"))

    mail = read_mail(_sent(packed))

    kept = [(file.name, file.data) for file in mail.files]
    assert kept == [("plan.pdf", data), ("note.txt", b"hi"), ("winmail.dat", packed)]


@pytest.mark.parametrize(
    ("cut", "kind"),
    [
        (0, FileKind.UNREAD),
        (3, FileKind.UNREAD),
        (40, FileKind.ATTACHMENT),
        (200, FileKind.ATTACHMENT),
    ],
)
@pytest.mark.rule("MAIL-8")
def test_a_broken_one_is_kept_as_it_came(cut: int, kind: FileKind) -> None:
    broken = winmail(("plan.pdf", bytes(range(256))))[:cut] + b"\xff"

    files = read_mail(_sent(broken)).files

    assert files[-1].data == broken
    assert files[-1].kind is kind
    assert bool(files[-1].reason) is (kind is FileKind.UNREAD)
