"""What a People method gets: the caller, the parameters, the body, the book."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.messages import Json, Request
from sandbox.people.state import Book


@dataclass(slots=True)
class Context:
    book: Book
    params: Json
    body: Json
    request: Request
    project: str
    now: float
    me: Json  # the account's own profile, as people/me shows it
    pretty: bool = True
    selected: bool = False  # a `fields` parameter will cut the answer
