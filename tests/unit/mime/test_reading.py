"""Messages as bytes, read: nothing fails, nothing is lost (MAIL-8)."""

from __future__ import annotations

import base64
from email import message_from_bytes
from email.message import EmailMessage
from pathlib import Path

import pytest

from crmsync.mime import read_mail
from crmsync.records.mail import FileKind, Mail
from tests.support.damage import attacked
from tests.unit.mime.letters import FILES, letter, mixed

HTML = "Content-Type: text/html; charset=utf-8"
PLAIN = "Content-Type: text/plain; charset=utf-8"


def part(*lines: str, body: bytes | str = b"") -> bytes:
    return letter(*lines, body=body.encode() if isinstance(body, str) else body)


def only_file(mail: Mail) -> tuple[str, str, bytes, FileKind]:
    (file,) = mail.files
    return file.name, file.content_type, file.data, file.kind


# ------------------------------------------------------------------ bodies


@pytest.mark.rule("MAIL-8")
def test_a_plain_message_is_its_text() -> None:
    mail = read_mail(letter("Subject: Offer", body=b"Dear Ann,\r\n\r\nyes.\r\n"))

    assert (mail.subject, mail.text, mail.html) == ("Offer", "Dear Ann,\n\nyes.", "")
    assert mail.files == ()


@pytest.mark.rule("MAIL-8")
def test_alternatives_are_one_body_in_two_forms() -> None:
    raw = mixed(
        part(PLAIN, body="Hello *you*"),
        part(HTML, body="<p>Hello <b>you</b></p>"),
        kind="alternative",
    )

    mail = read_mail(raw)

    assert mail.text == "Hello *you*"
    assert mail.html == "<p>Hello <b>you</b></p>"


@pytest.mark.rule("MAIL-8")
def test_a_body_of_html_alone_has_a_text_too() -> None:
    mail = read_mail(letter(HTML, body=b"<p>One</p><ul><li>Two</li></ul>"))

    assert mail.text.split() == ["One", "*", "Two"]


@pytest.mark.rule("MAIL-8")
def test_texts_that_follow_each_other_are_all_shown_in_both_forms() -> None:
    raw = mixed(part(HTML, body="<p>Body</p>"), part(PLAIN, body="<footer> of a list"))

    mail = read_mail(raw)

    assert mail.text == "Body\n\n<footer> of a list"
    assert "<p>Body</p>" in mail.html
    assert "&lt;footer&gt; of a list" in mail.html


@pytest.mark.rule("MAIL-8")
def test_what_stands_behind_the_last_part_is_shown() -> None:
    raw = mixed(part(PLAIN, body="Body")) + b"added by a list\r\n"

    assert read_mail(raw).text == "Body\n\nadded by a list"


@pytest.mark.parametrize(
    ("charset", "body", "text"),
    [
        ("utf-8", "Grüße".encode(), "Grüße"),
        ("iso-8859-1", "Grüße".encode("latin-1"), "Grüße"),
        ("windows-1251", "Привет".encode("cp1251"), "Привет"),
        ("gb2312", "你好".encode("gb2312"), "你好"),
    ],
)
@pytest.mark.rule("MAIL-8")
def test_a_known_charset_is_read(charset: str, body: bytes, text: str) -> None:
    mail = read_mail(letter(f"Content-Type: text/plain; charset={charset}", body=body))

    assert (mail.text, mail.files) == (text, ())


@pytest.mark.parametrize(
    "charset", ["klingon", "x-unknown", "base64", "utf-16-lè", "\\"]
)
@pytest.mark.rule("MAIL-8")
def test_an_unknown_charset_is_guessed_and_the_bytes_are_kept(charset: str) -> None:
    body = "Grüße".encode()

    mail = read_mail(letter(f"Content-Type: text/plain; charset={charset}", body=body))

    assert mail.text == "Grüße"
    assert only_file(mail) == ("part-1.txt", "text/plain", body, FileKind.UNREAD)


@pytest.mark.rule("MAIL-8")
def test_letters_that_no_database_takes_are_left_out() -> None:
    mail = read_mail(letter("Subject: a\x00b", body=b"one\x00two\x08\r\nthree"))

    assert (mail.subject, mail.text) == ("ab", "onetwo\nthree")


# ------------------------------------------------------------------ files


@pytest.mark.rule("MAIL-2", "MAIL-8")
def test_an_attachment_is_kept_byte_by_byte() -> None:
    data = bytes(range(256)) * 9
    message = EmailMessage()
    message["Subject"] = "Files"
    message.set_content("See the file.")
    message.add_attachment(data, "application", "pdf", filename="Ångebot, 1.pdf")

    mail = read_mail(message.as_bytes())

    assert mail.text == "See the file."
    attached = ("Ångebot, 1.pdf", "application/pdf", data, FileKind.ATTACHMENT)
    assert only_file(mail) == attached


@pytest.mark.rule("MAIL-8", "MAIL-14")
def test_a_picture_that_the_body_shows_is_no_attachment() -> None:
    picture = base64.b64encode(b"GIF89a")
    head = ("Content-Type: image/gif; name=x.gif", "Content-Transfer-Encoding: base64")
    raw = mixed(
        part(HTML, body='<img src="cid:Logo@X"><img src="cid:none">'),
        part(*head, "Content-ID: <logo@x>", body=picture),
        part(*head, "Content-ID: <other>", body=picture),
        kind="related",
    )

    files = read_mail(raw).files

    assert [file.kind for file in files] == [FileKind.PICTURE, FileKind.ATTACHMENT]


@pytest.mark.rule("MAIL-8")
def test_a_forwarded_message_stays_as_it_came() -> None:
    inner = letter("Subject: Inner", PLAIN, body="Grüße\r\n".encode())
    outer = letter("Content-Type: message/rfc822", body=inner)
    outermost = letter("Content-Type: message/rfc822", body=outer)

    mail = read_mail(mixed(part(PLAIN, body="FYI"), outermost))

    expected = ("part-1.eml", "message/rfc822", outer, FileKind.ATTACHMENT)
    assert only_file(mail) == expected
    assert mail.text == "FYI"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("text/calendar; method=REQUEST", "part-1.ics"),
        ("application/pkcs7-signature", "part-1.p7s"),
        ("application/pgp-signature", "part-1.asc"),
        ("message/delivery-status", "part-1.txt"),
        ("application/x-nobody-knows", "part-1.bin"),
    ],
)
@pytest.mark.rule("MAIL-8")
def test_other_parts_are_files_with_a_fitting_name(kind: str, name: str) -> None:
    raw = mixed(part(PLAIN, body="x"), part(f"Content-Type: {kind}", body="DATA: 1"))

    mail = read_mail(raw)

    assert only_file(mail)[0] == name
    assert only_file(mail)[2] == b"DATA: 1"


@pytest.mark.rule("MAIL-8")
def test_what_is_encrypted_is_kept_and_says_so() -> None:
    head = ("Content-Type: application/pkcs7-mime", "Content-Transfer-Encoding: base64")
    mail = read_mail(letter(*head, body=base64.b64encode(b"secret")))

    assert only_file(mail)[2:] == (b"secret", FileKind.UNREAD)
    assert "encrypted" in mail.files[0].reason


@pytest.mark.rule("MAIL-8", "MAIL-14")
def test_broken_base64_is_kept_as_it_came() -> None:
    head = ("Content-Type: image/png; name=a.png", "Content-Transfer-Encoding: base64")
    mail = read_mail(
        mixed(part(PLAIN, body="x"), part(*head, body="iVBO%%%%not base64!"))
    )

    assert only_file(mail)[2:] == (b"iVBO%%%%not base64!", FileKind.UNREAD)
    assert "damaged" in mail.files[0].reason


@pytest.mark.rule("MAIL-8")
def test_parts_without_their_border_are_shown_and_kept() -> None:
    raw = letter("Content-Type: multipart/mixed; boundary=lost", body=b"Only this")

    mail = read_mail(raw)

    assert mail.text == "Only this"
    assert only_file(mail)[2:] == (b"Only this", FileKind.UNREAD)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ('"../../etc/passwd"', "passwd"),
        ('"C:\\\\secret\\\\a.txt"', "C_secret_a.txt"),
        ('"a\u202egpj.exe"', "a_gpj.exe"),
        ("=?utf-8?q?Gr=C3=BC=C3=9Fe=2Etxt?=", "Grüße.txt"),
        ('"' + "x" * 400 + '.pdf"', "x" * 196 + ".pdf"),
        ('"..."', "part-1.bin"),
    ],
)
@pytest.mark.rule("MAIL-8")
def test_a_files_name_is_safe(given: str, kept: str) -> None:
    head = (
        "Content-Type: application/octet-stream",
        f"Content-Disposition: attachment; filename={given}",
    )

    assert read_mail(mixed(part(*head, body="x"))).files[0].name == kept


# ------------------------------------------------------------------ too much


def _nested(depth: int) -> bytes:
    opened = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n)
        for n in range(depth)
    )
    closed = b"".join(b"--b%d--\n" % n for n in reversed(range(depth)))
    return b"Subject: Deep\n" + opened + b"\nhello\n" + closed


@pytest.mark.rule("MAIL-8")
def test_a_message_nested_a_thousand_times_is_kept_whole() -> None:
    assert read_mail(_nested(90)).text == "hello"
    raw = _nested(1000)

    mail = read_mail(raw)

    assert mail.subject == "Deep"
    assert only_file(mail) == ("message.eml", "message/rfc822", raw, FileKind.UNREAD)


@pytest.mark.rule("MAIL-8")
def test_of_a_message_with_too_many_parts_the_whole_is_kept_too() -> None:
    raw = mixed(*(part("Content-Type: image/png", body=str(n)) for n in range(150)))

    files = read_mail(raw).files

    assert [file.data for file in files[:100]] == [b"%d" % n for n in range(100)]
    assert (files[100].data, len(files)) == (raw, 101)


@pytest.mark.rule("MAIL-8")
def test_html_nested_too_deeply_is_shown_as_its_words() -> None:
    body = b"<div>" * 100_000 + b"<script>alert(1)</script>Words &amp; more"

    mail = read_mail(letter(HTML, body=body))

    assert (mail.text, mail.html) == ("Words & more", "")
    assert only_file(mail)[2:] == (body, FileKind.UNREAD)


# ------------------------------------------------------------------ real ones


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
@pytest.mark.rule("MAIL-2", "MAIL-8")
def test_real_messages_are_read_with_every_file(path: Path) -> None:
    raw = path.read_bytes()

    mail = read_mail(raw)

    kept = [file.data for file in mail.files]
    for leaf in message_from_bytes(raw).walk():
        if leaf.get_filename() and not leaf.is_multipart():
            assert leaf.get_payload(decode=True) in kept
    assert mail.identity


@pytest.mark.rule("MAIL-8")
def test_damaged_messages_are_read() -> None:
    assert attacked(range(600)) == 600
