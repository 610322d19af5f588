"""Parameters, pages and sync tokens, as people and labels share them."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from tests.standin.basics import Clock, Json, Refusal, invalid
from tests.standin.book import Book

Query = Mapping[str, list[str]]
Expiry = Literal["FAILED_PRECONDITION", "INVALID_ARGUMENT", "410"]

PAGE_LIMIT = 1000
WEEK = 7 * 24 * 3600.0
SOURCES = frozenset(
    f"READ_SOURCE_TYPE_{kind}"
    for kind in ("UNSPECIFIED", "PROFILE", "CONTACT", "DOMAIN_CONTACT", "OTHER_CONTACT")
)
EXPIRED = "Sync token is expired. Clear local cache and retry call without the sync "


@dataclass
class Habits:
    """What a test may choose about the service."""

    page_cap: int = 37
    feed_delay: float = 0.0
    write_seconds: float = 0.01
    expired_as: Expiry = "FAILED_PRECONDITION"
    source_etag_passes: bool = False


@dataclass
class SyncToken:
    book: Book
    kind: str
    parameters: str
    place: int
    born: float
    dead: bool = False


@dataclass
class Page:
    book: Book
    parameters: str
    key: str
    rows: list[Json]
    start: int
    size: int
    extra: Json
    next_sync: SyncToken | None


def one(query: Query, name: str, default: str = "") -> str:
    return query.get(name, [default])[-1]


def whole(query: Query, name: str) -> int:
    try:
        return int(one(query, name, "0") or "0")
    except ValueError:
        raise invalid(f"{name} has to be a number.")


def mask_of(value: Any, called: str, allowed: frozenset[str]) -> frozenset[str]:
    if not isinstance(value, str) or not value.strip():
        raise invalid(f"{called} has to name at least one field.")
    paths = [p.strip() for p in value.split(",") if p.strip()]
    for path in paths:
        if path not in allowed:
            raise invalid(f"Invalid {called} mask path: {path}")
    return frozenset(paths)


def with_profile(sources: Any) -> bool:
    if not sources:
        return True
    if isinstance(sources, str):
        sources = [sources]
    if not set(sources) <= SOURCES:
        raise invalid("A source type is not one of the enumeration.")
    return not {"READ_SOURCE_TYPE_PROFILE", "READ_SOURCE_TYPE_UNSPECIFIED"}.isdisjoint(
        sources
    )


def names_of(value: Any, most: int, *, called: str = "resource names") -> list[str]:
    if not isinstance(value, list) or not value:
        raise invalid(f"There are no {called} in the request.")
    if len(value) > most:
        raise invalid(f"More than {most} {called} in one request.")
    return list(dict.fromkeys(str(v) for v in value))


def opaque() -> str:
    """Make a long token with everything in it that an address must not hold bare."""
    text = base64.b64encode(secrets.token_bytes(301)).decode()
    return f"CP+/{text[:200]}+/{text[200:]}=="


class Pager:
    """Gives out page and sync tokens, and knows them again."""

    def __init__(self, habits: Habits, clock: Clock) -> None:
        self.habits = habits
        self.clock = clock
        self.sync_tokens: dict[str, SyncToken] = {}
        self.pages: dict[str, Page] = {}

    # --- pages and tokens, for people and labels
    @staticmethod
    def page_size(query: Query, default: int) -> int:
        size = whole(query, "pageSize")
        if not 0 <= size <= PAGE_LIMIT:
            raise invalid(f"pageSize lies between 1 and {PAGE_LIMIT}.")
        return size or default

    def page(self, token: str, book: Book, parameters: str) -> Json:
        page = self.pages.get(token)
        if page is None or page.book is not book:
            raise invalid("This page token was not given out here.")
        if page.parameters != parameters:
            raise invalid("Parameters differ from those that gave the page token.")
        return self.cut(page)

    def cut(self, page: Page) -> Json:
        end = page.start + min(page.size, self.habits.page_cap)
        answer: Json = dict(page.extra)
        if rows := page.rows[page.start : end]:
            answer[page.key] = rows
        if end < len(page.rows):
            token = opaque()
            self.pages[token] = replace(page, start=end)
            answer["nextPageToken"] = token
        elif page.next_sync:
            token = opaque()
            self.sync_tokens[token] = page.next_sync
            answer["nextSyncToken"] = token
        return answer

    def sync_start(
        self, token: str, book: Book, kind: str, parameters: str
    ) -> SyncToken:
        known = self.sync_tokens.get(token)
        if known is None or known.book is not book or known.kind != kind:
            raise invalid("This sync token was not given out here.")
        if known.parameters != parameters:
            raise invalid("Parameters differ from those that gave the sync token.")
        if known.dead or self.clock.now() - known.born > WEEK:
            raise self._expired(kind)
        return known

    def _expired(self, kind: str) -> Refusal:
        how = self.habits.expired_as
        if how == "410":
            return Refusal(410, "ABORTED", "The sync token has become too old.")
        info = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "EXPIRED_SYNC_TOKEN",
            "domain": "people.googleapis.com",
        }
        note = {
            "@type": "type.googleapis.com/google.rpc.LocalizedMessage",
            "locale": "da",
            "message": "Synkroniseringen skal begynde forfra.",
        }
        return Refusal(
            400, how, EXPIRED + "token.", [note, info] if kind == "people" else None
        )
