"""Real messages after accidents, read by the thousand.

Usage: python -m tests.support.damage [MESSAGES] [FIRST]
"""

from __future__ import annotations

import random
import sys

from crmsync.mime import read_mail
from tests.unit.mime.letters import FILES


def mutated(raw: bytes, chance: random.Random) -> bytes:
    """Return a message after some accidents."""
    data = bytearray(raw)
    for _ in range(chance.randint(1, 8)):
        if not data:
            break
        at = chance.randrange(len(data))
        end = min(len(data), at + chance.randint(1, 60))
        roll = chance.random()
        if roll < 0.3:
            data[at] = chance.randrange(256)
        elif roll < 0.5:
            del data[at:end]
        elif roll < 0.7:
            data[at:at] = data[chance.randrange(len(data)) :][: end - at]
        elif roll < 0.85:
            data[at:at] = chance.choice(TROUBLE)
        else:
            del data[at:]
    return bytes(data)


TROUBLE = (
    b"\r\n\r\n", b"\n", b"\x00", b"\xff\xfe", b"=?utf-8?b?////?=", b"=?x?q?=00?=",
    b"--", b"boundary=", b"Content-Type: multipart/mixed\n\n", b"charset=utf-7",
    b"Content-Transfer-Encoding: base64\n", b"<script>", b"begin 644 x\n", b"'*%",
)  # fmt: skip


def attacked(seeds: range) -> int:
    """Read mutated messages; return how many were read."""
    raws = [path.read_bytes() for path in FILES]
    for seed in seeds:
        chance = random.Random(seed)
        mail = read_mail(mutated(chance.choice(raws), chance))
        assert mail.identity
        assert "<script" not in mail.html.casefold()
        for text in (mail.subject, mail.text, mail.html):
            text.encode()
            assert "\x00" not in text
    return len(seeds)


def main(arguments: list[str]) -> None:
    """Read so many damaged messages; the first failure is shown with its seed."""
    many = int(arguments[0]) if arguments else 10_000
    first = int(arguments[1]) if len(arguments) > 1 else 0
    read = attacked(range(first, first + many))
    sys.stdout.write(f"{read} damaged messages read, 0 failures\n")


if __name__ == "__main__":
    main(sys.argv[1:])
