"""Canonical forms: what counts as the same value (CON-7, CON-19, ENG-1)."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_SPACES = re.compile(r"[^\S\n]+")
_BLANK_LINES = re.compile(r"\n{3,}")
_NOT_DIALLED = re.compile(r"[^0-9+]")
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def text(value: str, _region: str = "") -> str:
    r"""Fold line ends and runs of white space; keep letters and their case.

    >>> text("  Jean \t Dupont\r\n")
    'Jean Dupont'
    """
    if value.isascii() and value.isprintable() and "  " not in value:
        return value.strip()  # nearly all texts; nothing else is to be folded
    plain = unicodedata.normalize("NFC", value.replace("\r\n", "\n"))
    lines = _SPACES.sub(" ", plain.replace("\r", "\n")).split("\n")
    return _BLANK_LINES.sub("\n\n", "\n".join(line.strip() for line in lines)).strip()


def email(value: str, _region: str = "") -> str:
    """Fold case and outer white space of an e-mail address.

    >>> email(" Jo@Example.COM ")
    'jo@example.com'
    """
    return value.strip().casefold()


@lru_cache(maxsize=65536)
def phone(value: str, region: str = "US") -> str:
    """Return the number as E.164, or its dialled characters if it is not possible.

    Possible numbers are compared, not only valid ones (CON-7).

    >>> phone("(212) 555-0012", "US")
    '+12125550012'
    >>> phone("ask at the desk")
    'ask at the desk'
    """
    import phonenumbers

    try:
        number = phonenumbers.parse(value, region or None)
    except phonenumbers.NumberParseException:
        return _dialled(value)
    if not phonenumbers.is_possible_number(number):
        return _dialled(value)
    plain = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return f"{plain};{number.extension}" if number.extension else str(plain)


def _dialled(value: str) -> str:
    """Return the dialled characters; the folded text if they do not say it all.

    Never empty for a value that is not: it would count as none (ENG-1).
    """
    plain = _NOT_DIALLED.sub("", value)
    digits = sum(character.isdecimal() for character in value)
    is_whole = digits and digits == len(plain.replace("+", ""))
    return plain if is_whole else text(value).casefold()


def web(value: str, _region: str = "") -> str:
    """Fold the host's case, a missing scheme and a trailing slash.

    >>> web("HTTPS://Example.com/A/")
    'https://example.com/A'
    >>> web("example.com") == web("http://example.com/")
    True
    """
    plain = value.strip()
    if not _SCHEME.match(plain):
        plain = f"http://{plain}"
    scheme, rest = plain.split("://", 1)
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}://{host.lower()}{slash}{path}".rstrip("/")


def name_key(value: str) -> str:
    """Fold a person's or company's name for comparison, never for storage.

    >>> name_key(" Émile  ZOLA ")
    'émile zola'
    """
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())
