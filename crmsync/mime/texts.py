"""Bytes to text, whatever a sender says about the charset."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from email.errors import HeaderParseError
from email.header import decode_header

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_LINE_ENDS = re.compile(r"\r\n?")
_FALLBACKS = ("utf-8", "cp1252")
_BINARY = frozenset({"base64", "bz2", "hex", "quopri", "rot13", "uu", "zlib"})


def decoded(data: bytes, charset: str) -> tuple[str, bool]:
    """Return bytes as text, and whether nothing had to be guessed.

    Args:
        data: the bytes.
        charset: what the sender says, or "".
    """
    for name in _charsets(charset):
        try:
            return data.decode(name), name == _known(charset)
        except (UnicodeError, ValueError):
            continue
    return data.decode("latin-1"), False


def _charsets(charset: str) -> Iterator[str]:
    known = _known(charset)
    if known:
        yield known
    yield from _FALLBACKS


def _known(charset: str) -> str:
    """Return a charset's name if it is one of text, or ""; without one, US-ASCII."""
    try:
        name = codecs.lookup(charset.strip() or "ascii").name
    except (LookupError, ValueError):
        return ""
    return "" if name.replace("_codec", "") in _BINARY else name


def plain(text: str) -> str:
    """Return text without what no database takes, its line ends as one kind."""
    return _CONTROLS.sub("", _LINE_ENDS.sub("\n", text))


def one_line(text: str) -> str:
    """Return text as one line: no header of ours can be broken by it."""
    return " ".join(plain(text).split())


def header_text(raw: str) -> str:
    """Return a header's value with its encoded words read (RFC 2047)."""
    value = raw.encode("ascii", "surrogateescape") if _has_bytes(raw) else None
    text = decoded(value, "")[0] if value is not None else raw
    try:
        parts = decode_header(text)
    except (HeaderParseError, ValueError):
        return one_line(text)
    return one_line("".join(_word(part, charset) for part, charset in parts))


def _word(part: str | bytes, charset: str | None) -> str:
    if isinstance(part, str):
        return part
    return decoded(part, charset or "latin-1")[0]


def _has_bytes(text: str) -> bool:
    """Whether a text holds bytes that are no ASCII, as the parser keeps them."""
    return any("\udc80" <= letter <= "\udcff" for letter in text)
