"""The search box, as `q` has it (contract 2.8).

Words side by side must all fit; `OR`, braces, brackets, a minus and quotes do what they
do in Gmail. Days are days in California.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.gmail import mime
from sandbox.gmail.model import Letter
from sandbox.gmail.state import Mailbox

Fits = Callable[[Letter], bool]

_TOKEN = re.compile(
    r'\s*([(){}]|-(?=\S)|[A-Za-z_][A-Za-z_0-9]*:(?=\S)|"[^"]*"|[^\s(){}"]+)'
)
_AGE = re.compile(r"(\d+)([dmyh])\Z")
_SIZE = re.compile(r"(\d+)([kmg]?)b?\Z", re.I)
_PACIFIC = "America/Los_Angeles"
_DAYS = {"d": 1.0, "m": 30.0, "y": 365.0, "h": 1 / 24}
_HIDDEN = ("TRASH", "SPAM")
_PLACES = {"inbox", "sent", "trash", "spam", "chat", "starred", "important"}


@lru_cache(maxsize=256)
def _read(raw: bytes) -> tuple[tuple[tuple[str, str], ...], str, tuple[str, ...]]:
    """Headers, text and the names of files of a message, folded."""
    whole = mime.tree(raw)
    listed = tuple((n.lower(), v.casefold()) for n, v in mime.headers(raw))
    files = tuple(p.filename.casefold() for p in whole.walk() if p.filename)
    return listed, mime.text_of(whole).casefold(), files


class Search:
    """One query of one mailbox."""

    def __init__(self, box: Mailbox, text: str) -> None:
        self._box = box
        self._tokens = [match[1] for match in _TOKEN.finditer(text)]
        self._at = 0
        self.shows_hidden = False
        """Whether the query itself looks into spam or trash."""
        self.fits = self._all("")

    # ------------------------------------------------------------ grammar

    def _all(self, end: str) -> Fits:
        """Everything up to a closing bracket; OR binds its neighbours."""
        wanted: list[list[Fits]] = []
        joins = False
        while self._at < len(self._tokens) and self._tokens[self._at] != end:
            if self._tokens[self._at] == "OR":
                self._at += 1
                joins = bool(wanted)
                continue
            one = self._one()
            if joins or (end == "}" and wanted):
                wanted[-1].append(one)
            else:
                wanted.append([one])
            joins = False
        self._at += 1
        return lambda letter: all(any(f(letter) for f in ways) for ways in wanted)

    def _one(self) -> Fits:
        word = self._next()
        if word == "-":
            inner = self._one() if self._at < len(self._tokens) else _everything
            return lambda letter: not inner(letter)
        if word in ("(", "{"):
            return self._all(")" if word == "(" else "}")
        if word in (")", "}"):
            return _everything
        if word.endswith(":") and len(word) > 1:
            return self._operator(word[:-1].lower())
        return self._word(word)

    def _next(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1]

    def _operator(self, name: str) -> Fits:
        if self._at >= len(self._tokens):
            return self._word(name + ":")
        if self._tokens[self._at] in ("(", "{"):
            end = ")" if self._next() == "(" else "}"
            ways: list[Fits] = []
            while self._at < len(self._tokens) and self._tokens[self._at] != end:
                word = self._next()
                if word != "OR":
                    ways.append(self._term(name, word))
            self._at += 1
            fit = any if end == "}" else all
            return lambda letter: fit(way(letter) for way in ways)
        return self._term(name, self._next())

    def _term(self, name: str, given: str) -> Fits:
        value = given.strip('"').casefold()
        makers: dict[str, Callable[[str], Fits]] = {
            **dict.fromkeys(
                ("from", "to", "cc", "bcc"), lambda v: self._header(name, v)
            ),
            "subject": lambda v: self._header("subject", v),
            "list": lambda v: self._header("list-id", v),
            "deliveredto": lambda v: self._header("delivered-to", v),
            "rfc822msgid": _message_id,
            "label": self._label,
            "in": self._place,
            "is": self._state,
            "category": lambda v: _having(f"CATEGORY_{v.upper()}"),
            "has": self._having,
            "filename": self._file,
            **dict.fromkeys(("after", "newer"), _after),
            **dict.fromkeys(("before", "older"), _before),
            "newer_than": lambda v: self._age(v, is_newer=True),
            "older_than": lambda v: self._age(v, is_newer=False),
            **dict.fromkeys(("larger", "size"), _larger),
            "smaller": _smaller,
        }
        maker = makers.get(name)
        return maker(value) if maker else self._word(f"{name}:{value}")

    # ------------------------------------------------------------ terms

    def _word(self, word: str) -> Fits:
        wanted = word.strip('"').casefold()

        def fits(letter: Letter) -> bool:
            listed, text, _ = self._content(letter)
            shown = ("from", "to", "cc", "subject")
            return wanted in text or any(wanted in v for n, v in listed if n in shown)

        return fits

    def _content(self, letter: Letter) -> Any:
        return _read(self._box.raws[letter.id])

    def _header(self, name: str, value: str) -> Fits:
        raws = self._box.raws

        def fits(letter: Letter) -> bool:
            listed = mime.headers(raws[letter.id])
            return any(n.lower() == name and value in v.casefold() for n, v in listed)

        return fits

    def _label(self, value: str) -> Fits:
        """By name; spaces and slashes may be written as hyphens, which is lossy."""
        labels = self._box.labels.values()
        keys = {label.id for label in labels if _dashed(label.name) == _dashed(value)}
        self._look_into(keys)
        return lambda letter: bool(keys.intersection(letter.labels))

    def _place(self, value: str) -> Fits:
        if value == "anywhere":
            self.shows_hidden = True
            return _everything
        if value in ("draft", "drafts"):
            return _having("DRAFT")
        if value in ("archive", "all"):
            here = {"INBOX", *_HIDDEN}
            return lambda letter: value == "all" or not here.intersection(letter.labels)
        if value in _PLACES:
            self._look_into({value.upper()})
            return _having(value.upper())
        return self._label(value)

    def _state(self, value: str) -> Fits:
        if value == "read":
            return lambda letter: "UNREAD" not in letter.labels
        return _having(value.upper())

    def _having(self, value: str) -> Fits:
        if value == "userlabels":
            own = {key for key, one in self._box.labels.items() if not one.is_system}
            return lambda letter: bool(own.intersection(letter.labels))
        if value == "attachment":
            return lambda letter: bool(self._content(letter)[2])
        return lambda letter: False

    def _file(self, value: str) -> Fits:
        return lambda letter: any(value in name for name in self._content(letter)[2])

    def _age(self, value: str, *, is_newer: bool) -> Fits:
        match = _AGE.match(value)
        if match is None:
            return _nothing
        age = timedelta(days=int(match[1]) * _DAYS[match[2]]).total_seconds()
        edge = (self._box.env.clock.now() - age) * 1000
        return lambda letter: (letter.arrived > edge) == is_newer

    def _look_into(self, keys: set[str]) -> None:
        self.shows_hidden = self.shows_hidden or bool(keys.intersection(_HIDDEN))


def is_hidden(letter: Letter) -> bool:
    """Spam and trash are listed only for those who ask (2.8)."""
    return any(key in letter.labels for key in _HIDDEN)


def _everything(_letter: Letter) -> bool:
    return True


def _nothing(_letter: Letter) -> bool:
    return False


def _having(key: str) -> Fits:
    return lambda letter: key in letter.labels


def _message_id(value: str) -> Fits:
    wanted = value.strip("<>")
    return lambda letter: letter.message_id.casefold().strip("<>") == wanted


def _dashed(name: str) -> str:
    return re.sub(r"[\s/]", "-", name.casefold())


def _after(value: str) -> Fits:
    edge = _moment(value)
    return _nothing if edge is None else lambda letter: letter.arrived >= edge


def _before(value: str) -> Fits:
    edge = _moment(value)
    return _nothing if edge is None else lambda letter: letter.arrived < edge


def _moment(value: str) -> float | None:
    """Milliseconds of an epoch, or of a day's midnight in California."""
    if re.fullmatch(r"\d{5,12}", value):
        return float(value) * 1000
    match = re.fullmatch(r"(\d{4})[/-](\d{1,2})[/-](\d{1,2})", value)
    if match is None:
        return None
    try:
        day = datetime(*map(int, match.groups()), tzinfo=ZoneInfo(_PACIFIC))  # type: ignore[arg-type, misc] # three numbers
    except ValueError:
        return None
    return day.timestamp() * 1000


def _larger(value: str) -> Fits:
    size = _bytes(value)
    return _nothing if size is None else lambda letter: letter.size > size


def _smaller(value: str) -> Fits:
    size = _bytes(value)
    return _nothing if size is None else lambda letter: letter.size < size


def _bytes(value: str) -> int | None:
    match = _SIZE.match(value)
    if match is None:
        return None
    factor = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}[match[2].lower()]
    return int(match[1]) * factor
