"""Reading files of unknown encoding line by line, in bounded memory."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from typing import BinaryIO

_BLOCK = 65_536
MAX_LINE = 4_194_304
"""Bytes; a longer line is cut into pieces."""


def numbered_lines(source: bytes | BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Return the lines of a file from number 1, without their ends.

    UTF-16 (with a byte order mark or without) is turned into UTF-8 and the mark of
    UTF-8 removed; the bytes of other encodings stay. Ends are LF, CRLF or CR.
    """
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    return enumerate(_lines(_as_utf8(stream)), start=1)


def decode(line: bytes) -> str:
    """Read a line as UTF-8, else as Windows-1252, else as Latin-1."""
    for encoding in ("utf-8", "cp1252"):
        try:
            return line.decode(encoding)
        except UnicodeDecodeError:
            continue
    return line.decode("latin-1")


def _as_utf8(stream: BinaryIO) -> Iterator[bytes]:
    head = stream.read(_BLOCK)
    wide = _wide_encoding(head)
    if wide is None:
        yield head.removeprefix(codecs.BOM_UTF8)
        yield from iter(lambda: stream.read(_BLOCK), b"")
        return
    decoder = codecs.getincrementaldecoder(wide)(errors="replace")
    yield decoder.decode(head).removeprefix("\ufeff").encode()
    for block in iter(lambda: stream.read(_BLOCK), b""):
        yield decoder.decode(block).encode()
    yield decoder.decode(b"", final=True).encode()


def _wide_encoding(head: bytes) -> str | None:
    if head.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le"
    if head.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be"
    sample = head[:64]
    half = len(sample) // 2
    if half < 4:
        return None
    # Headers are ASCII: every other byte of UTF-16 is NUL there.
    if sample[1::2].count(0) > half * 0.9 and sample[::2].count(0) == 0:
        return "utf-16-le"
    if sample[::2].count(0) > half * 0.9 and sample[1::2].count(0) == 0:
        return "utf-16-be"
    return None


def _lines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    pending = b""
    for block in blocks:
        pieces = (pending + block).splitlines(keepends=True)
        pending = b""
        # A CR at the end of a block may be one half of a CRLF.
        if pieces and not pieces[-1].endswith(b"\n") and len(pieces[-1]) < MAX_LINE:
            pending = pieces.pop()
        yield from (piece.rstrip(b"\r\n") for piece in pieces)
    yield from (piece.rstrip(b"\r\n") for piece in pending.splitlines(keepends=True))
