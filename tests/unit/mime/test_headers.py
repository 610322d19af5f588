"""Who wrote to whom, when, and as which message (MAIL-6, MAIL-7, MAIL-8)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crmsync.mime import read_mail
from crmsync.mime.headers import LONGEST_ID
from crmsync.records.mail import Address, Mail
from tests.unit.mime.letters import letter


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("ann@x.example", [Address("ann@x.example")]),
        ('"Smith, Ann" <ann@x.example>', [Address("ann@x.example", "Smith, Ann")]),
        ('"A \\"B\\" C" <ann@x.example>', [Address("ann@x.example", 'A "B" C')]),
        (
            "=?utf-8?q?M=C3=BCller=2C_Ann?= <ann@x.example>, bob@x.example",
            [Address("ann@x.example", "Müller, Ann"), Address("bob@x.example")],
        ),
        ("Müller <ann@x.example>", [Address("ann@x.example", "Müller")]),
        (
            "team: ann@x.example, Bob <bob@x.example>;",
            [Address("ann@x.example"), Address("bob@x.example", "Bob")],
        ),
        ("ann@x.example, ANN@x.example", [Address("ann@x.example")]),
        ("undisclosed-recipients:;", []),
        ("nobody", []),
        ("", []),
        ("<<ann@x.example>>", [Address("ann@x.example")]),
    ],
)
@pytest.mark.rule("MAIL-6", "MAIL-8")
def test_addresses_are_read(raw: str, expected: list[Address]) -> None:
    assert list(read_mail(letter(f"To: {raw}")).to) == expected


@pytest.mark.rule("MAIL-8")
def test_five_hundred_recipients_are_read() -> None:
    everybody = ",\r\n ".join(f"P{n} <p{n}@x.example>" for n in range(500))

    mail = read_mail(letter(f"To: {everybody}", "Cc: c@x.example", "Bcc: b@x.example"))

    assert len(mail.recipients) == 502
    assert mail.recipients[499] == Address("p499@x.example", "P499")


@pytest.mark.rule("MAIL-8")
def test_a_header_cannot_be_broken_by_what_it_holds() -> None:
    hostile = "=?utf-8?q?Hi=0D=0ABcc=3A_evil=40x=2Eexample?="

    mail = read_mail(letter(f"Subject: {hostile}", f"From: {hostile} <a@x.example>"))

    assert mail.subject == "Hi Bcc: evil@x.example"
    assert mail.sender == Address("a@x.example", "Hi Bcc: evil@x.example")
    assert mail.bcc == ()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("Tue, 24 Nov 2026 10:00:00 +0100", datetime(2026, 11, 24, 9, tzinfo=UTC)),
        ("24 Nov 2026 10:00:00", datetime(2026, 11, 24, 10, tzinfo=UTC)),
        ("Tue, 31 Feb 2026 10:00:00 +0000", None),
        ("yesterday", None),
        ("", None),
        ("Mon, 01 Jan 10000 00:00:00 +1400", None),
        ("Fri, 99 Foo 99999 99:99:99 +9999", None),
    ],
)
@pytest.mark.rule("MAIL-8")
def test_a_date_is_read_or_left_out(raw: str, expected: datetime | None) -> None:
    assert read_mail(letter(f"Date: {raw}")).date == expected


@pytest.mark.parametrize(
    "header",
    [
        "Message-ID: <a1@x>",
        "Message-Id:\r\n <a1@x>",
        "MESSAGE-ID: a1@x",
        "message-id: <a1@x> x",
    ],
)
@pytest.mark.rule("MAIL-7")
def test_a_message_is_known_by_its_id(header: str) -> None:
    assert read_mail(letter(header)).identity == "id:<a1@x>"


@pytest.mark.rule("MAIL-7")
def test_an_endless_id_is_told_by_its_hash() -> None:
    one, other = (read_mail(letter(f"Message-ID: <{'x' * 9000}{n}@x>")) for n in "12")

    assert one.identity != other.identity
    assert len(one.message_id) < LONGEST_ID


@pytest.mark.rule("MAIL-7")
def test_a_message_without_an_id_is_known_by_what_it_says() -> None:
    head = ("Date: Tue, 24 Nov 2026 10:00:00 +0100", "From: a@x.example", "Subject: S")

    def identity(*lines: str, body: bytes = b"Hello  you\r\n") -> str:
        return read_mail(letter(*lines, body=body)).identity

    same = identity("Received: by b", *head, body=b"Hello you\n\n")
    assert identity(*head) == same
    assert identity(*head, body=b"Hello me") != same
    assert identity(*head[1:]) != same
    assert identity(head[0], "From: b@x.example", head[2]) != same


@pytest.mark.rule("MAIL-8")
def test_what_a_message_answers_is_read_oldest_first() -> None:
    raw = letter("References: <a@x>\r\n <b@x>", "In-Reply-To: Your mail <b@x>, <c@x>")

    assert read_mail(raw).references == ("<a@x>", "<b@x>", "<c@x>")


@pytest.mark.parametrize(
    ("header", "is_bulk"),
    [
        ("List-Id: <news.x.example>", True),
        ("Precedence: bulk", True),
        ("Auto-Submitted: auto-replied", True),
        ("Auto-Submitted: no", False),
        ("From: no-reply@x.example", True),
        ("From: noreply+7@x.example", True),
        ("From: nora.reply@x.example", False),
        ("From: ann@noreply.example", False),
        ("Subject: bulk", False),
    ],
)
@pytest.mark.rule("MAIL-13")
def test_lists_and_robots_are_told_from_people(header: str, is_bulk: bool) -> None:
    assert read_mail(letter(header)).is_bulk is is_bulk


@pytest.mark.rule("MAIL-8")
def test_an_empty_message_is_a_message() -> None:
    assert read_mail(b"") == Mail()
