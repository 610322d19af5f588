"""A message as bytes, read into the neutral form; it never fails (MAIL-8).

What cannot be read is kept as a file with its reason, in the worst case the message as
a whole. Forwarded messages stay as they came, byte by byte, and are not taken apart.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import errors, policy
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from typing import cast

from crmsync.mime import cleaning, headers, names, tnef
from crmsync.mime.texts import decoded, one_line, plain
from crmsync.records.mail import FileKind, Mail, MailFile

MOST_PARTS = 100
"""Parts that are taken apart; a message with more is kept whole beside them."""

LONGEST_BODY = 2_000_000
"""Characters of a body that are shown; a longer one is kept as a file, too."""

_TOO_MANY = f"The message has more than {MOST_PARTS} parts; it is kept whole."
_TOO_DEEP = "The message is nested too deeply to be taken apart; it is kept whole."
_HTML_TOO_DEEP = "Its HTML is nested too deeply to be shown."
_TOO_LONG = "The text is too long to be shown as a whole."
_CHARSET = "Its letters could not all be read; what is shown is a guess."
_BASE64 = "It is damaged: it could not be decoded."
_UNPACKED = "What Outlook packed into it could not be read."
_UNPARTED = "Its parts could not be told apart; it is kept as it came."
_ENCRYPTED = "It is encrypted; only its recipients can read it."
_SECRET = frozenset({"application/pgp-encrypted", "application/pkcs7-mime"})
_ENCODED = re.compile(rb"[A-Za-z0-9+/=\s]*")


class _Raw(policy.Compat32):
    """Headers as they came: letters that are no ASCII are read by us, not replaced."""

    def header_fetch_parse(self, name: str, value: str) -> str:
        return value


class _Part(Message):
    """A part whose nested messages stay bytes.

    The parser asks for the type to decide what it takes apart.
    """

    def get_content_maintype(self) -> str:
        main = super().get_content_maintype()
        return "application" if main == "message" else main

    def get_content_type(self) -> str:
        found = super().get_content_type()
        return found.replace("message/", "application/x-message-", 1)

    @property
    def type(self) -> str:
        """The type as the sender wrote it."""
        return super().get_content_type()


@dataclass(slots=True)
class _Body:
    """A text of a message, in one form or in both.

    Attributes:
        text, html: "" where there is no such form.
        choice: number of the alternatives that it is one of; 0 stands alone.
    """

    text: str = ""
    html: str = ""
    choice: int = 0


@dataclass(slots=True)
class _Reading:
    """What has been found of a message so far."""

    bodies: list[_Body] = field(default_factory=list)
    files: list[MailFile] = field(default_factory=list)

    def add(self, body: _Body) -> None:
        """Add a text; alternatives of one another are one body."""
        last = self.bodies[-1] if self.bodies else None
        if last is not None and body.choice and last.choice == body.choice:
            last.text, last.html = last.text or body.text, body.html or last.html
        elif body.text or body.html:
            self.bodies.append(body)

    def keep(self, part: _Part, data: bytes, reason: str = "") -> None:
        """Keep a part as a file."""
        kind = FileKind.UNREAD if reason else FileKind.ATTACHMENT
        name = names.file_name(part, part.type, len(self.files) + 1)
        content_id = one_line(str(part.get("Content-ID", ""))).strip("<> ")
        self.files.append(MailFile(name, part.type, data, kind, content_id, reason))

    def keep_whole(self, raw: bytes, reason: str) -> None:
        """Keep the whole message as a file."""
        kind, name = FileKind.UNREAD, "message.eml"
        self.files.append(MailFile(name, "message/rfc822", raw, kind, "", reason))


def read_mail(raw: bytes) -> Mail:
    """Return a message in its neutral form.

    Args:
        raw: as RFC 5322 writes it; anything is taken.
    """
    reading = _Reading()
    try:
        parsed = BytesParser(_Part, policy=_Raw()).parsebytes(raw)
        message = cast("_Part", parsed)
        _take_apart(message, reading, raw)
    except RecursionError:
        parser = BytesHeaderParser(_Part, policy=_Raw())
        message = cast("_Part", parser.parsebytes(raw))
        reading = _Reading()
        reading.keep_whole(raw, _TOO_DEEP)
    return _mail(message, reading)


def _mail(message: _Part, reading: _Reading) -> Mail:
    sender = next(iter(headers.addresses(message, "From")), None)
    sender = sender or next(iter(headers.addresses(message, "Sender")), None)
    text, html = _bodies(reading)
    shown = cleaning.pictures_of(html)
    return Mail(
        message_id=headers.message_id(message),
        subject=headers.text(message, "Subject"),
        date=headers.date(message),
        sender=sender,
        to=headers.addresses(message, "To"),
        cc=headers.addresses(message, "Cc"),
        bcc=headers.addresses(message, "Bcc"),
        references=headers.references(message),
        text=text,
        html=html,
        files=tuple(_placed(file, shown) for file in reading.files),
        is_bulk=headers.is_bulk(message, sender),
    )


def _placed(file: MailFile, shown: frozenset[str]) -> MailFile:
    """Return a file as a picture of the body if the body shows it."""
    is_picture = file.content_type.startswith("image/") and file.content_id
    if not is_picture or file.content_id.casefold() not in shown or file.reason:
        return file
    return MailFile(
        file.name, file.content_type, file.data, FileKind.PICTURE, file.content_id
    )


# ------------------------------------------------------------------ bodies


def _bodies(reading: _Reading) -> tuple[str, str]:
    """Return the body as text and as HTML.

    Parts that follow each other are one body: a list's footer belongs to it.
    """
    bodies = reading.bodies
    texts = [body.text or cleaning.as_text(body.html) for body in bodies]
    text = "\n\n".join(part for part in texts if part)
    if not any(body.html for body in bodies):
        return text, ""
    return text, "\n".join(b.html or cleaning.from_text(b.text) for b in bodies)


# ------------------------------------------------------------------ parts


def _take_apart(message: _Part, reading: _Reading, raw: bytes) -> None:
    for number, (part, choice) in enumerate(_leaves(message)):
        if number == MOST_PARTS:
            reading.keep_whole(raw, _TOO_MANY)
            return
        _read_part(part, choice, reading)


def _leaves(message: _Part) -> Iterator[tuple[_Part, int]]:
    """Yield the parts that hold something, in order, and what they are a choice of."""
    waiting = [(message, 0)]
    choices = 0
    while waiting:
        part, choice = waiting.pop()
        if not part.is_multipart():
            yield part, choice
            continue
        if part.type == "multipart/alternative":
            choices += 1
            choice = choices
        rest = _after(part)
        waiting += [(rest, 0)] if rest is not None else []
        within = cast("list[_Part]", part.get_payload())
        waiting += [(child, choice) for child in reversed(within)]


def _after(part: _Part) -> _Part | None:
    """Return what follows the last part, where something was written there."""
    epilogue = part.epilogue or ""
    if not epilogue.strip():
        return None
    rest = _Part(_Raw())
    rest.set_payload(epilogue)
    return rest


def _read_part(part: _Part, choice: int, reading: _Reading) -> None:
    data, reason = _bytes_of(part)
    is_attached = _is_attached(part)
    if part.type.startswith("multipart/") and not reason:
        reading.keep(part, data, _UNPARTED)
        reading.add(_Body(text=plain(decoded(data, "")[0]).strip("\n")))
    elif reason or is_attached or part.type not in {"text/plain", "text/html"}:
        if not data and not is_attached:
            return
        if part.type in _SECRET or _is_encrypted(part):
            reason = reason or _ENCRYPTED
        if part.type == "application/ms-tnef" and not reason:
            packed = tnef.unpacked(data)
            reading.files += packed or ()
            reason = _UNPACKED if packed is None else ""
        reading.keep(part, data, reason)
    else:
        if _is_named(part):
            reading.keep(part, data)
        reading.add(_read_text(part, data, choice, reading))


def _is_attached(part: _Part) -> bool:
    disposition = str(part.get("Content-Disposition", "")).strip().casefold()
    return disposition.startswith("attachment") or bool(
        part.get_param("filename", None, "content-disposition")
        or (_is_named(part) and not part.type.startswith("text/"))
    )


def _is_named(part: _Part) -> bool:
    """Whether the type alone gives a name: of a file, or of the body itself."""
    return bool(part.get_param("name"))


def _is_encrypted(part: _Part) -> bool:
    return part.type == "application/octet-stream" and (
        str(part.get("Content-Description", "")).casefold().startswith("openpgp encr")
    )


def _read_text(part: _Part, data: bytes, choice: int, reading: _Reading) -> _Body:
    charset = _charset(part)
    text, is_certain = decoded(data, charset)
    if not is_certain and charset:
        reading.keep(part, data, _CHARSET)
    text = plain(text)
    if len(text) > LONGEST_BODY:
        reading.keep(part, data, _TOO_LONG)
        text = text[:LONGEST_BODY]
    if part.type == "text/plain":
        return _Body(text=text.strip("\n"), choice=choice)
    if cleaning.is_too_deep(text):
        reading.keep(part, data, _HTML_TOO_DEEP)
        return _Body(text=cleaning.words_of(text), choice=choice)
    return _Body(html=cleaning.clean(text), choice=choice)


def _charset(part: _Part) -> str:
    try:
        return str(part.get_param("charset", "") or "")
    except (ValueError, TypeError, LookupError):
        return ""


def _bytes_of(part: _Part) -> tuple[bytes, str]:
    """Return a part's bytes, or as they came and why they could not be decoded."""
    try:
        found = part.get_payload(decode=True)
    except (ValueError, LookupError, binascii.Error, errors.MessageError):
        return _as_it_came(part), _BASE64
    data = found if isinstance(found, bytes) else b""
    encoding = str(part.get("Content-Transfer-Encoding", "")).strip().casefold()
    if encoding == "base64":
        came = _as_it_came(part)
        if not _ENCODED.fullmatch(came) or (came.strip() and not data):
            return came, _BASE64
    return data, ""


def _as_it_came(part: _Part) -> bytes:
    # `get_payload` guesses a charset; the parser's own text still has every byte.
    came = vars(part).get("_payload")
    return came.encode("utf-8", "surrogateescape") if isinstance(came, str) else b""
