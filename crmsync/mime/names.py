"""Names of files, as senders give them and as they are kept."""

from __future__ import annotations

import mimetypes
import re
from email.message import Message
from email.utils import collapse_rfc2231_value

from crmsync.mime.texts import header_text

LONGEST = 200
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|\u202a-\u202e\u2066-\u2069]+")
_SUFFIXES = {
    "message/rfc822": ".eml",
    "message/delivery-status": ".txt",
    "text/calendar": ".ics",
    "text/plain": ".txt",
    "text/html": ".html",
    "application/pkcs7-mime": ".p7m",
    "application/pkcs7-signature": ".p7s",
    "application/pgp-encrypted": ".txt",
    "application/pgp-signature": ".asc",
    "application/ms-tnef": ".dat",
}


def file_name(part: Message, content_type: str, number: int) -> str:
    """Return what a part is called, or a name for it by its type and place."""
    given = kept(_given(part))
    return given or f"part-{number}{suffix(content_type)}"


def suffix(content_type: str) -> str:
    """Return the usual ending of a type's files, with its dot."""
    known = _SUFFIXES.get(content_type)
    return known or mimetypes.guess_extension(content_type, strict=False) or ".bin"


def kept(name: str) -> str:
    """Return a name that is safe on every disk and in every header, or ""."""
    bare = _UNSAFE.sub("_", header_text(name)).strip(" .")
    if len(bare) <= LONGEST:
        return bare
    stem, dot, ending = bare.rpartition(".")
    if not dot or len(ending) > 16:
        return bare[:LONGEST]
    return f"{stem[: LONGEST - len(ending) - 1]}.{ending}"


def _given(part: Message) -> str:
    for header, name in (("content-disposition", "filename"), ("content-type", "name")):
        try:
            found = part.get_param(name, None, header)
            if found is not None:
                return str(collapse_rfc2231_value(found)).rpartition("/")[2]
        except (ValueError, TypeError, LookupError, AttributeError, IndexError):
            continue
    return ""
