"""The navigation bar and the menu *Tools* (WEB-5).

An entry whose page this version does not have is shown, and not linked: its page
registers the endpoint, and the entry comes to life.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Flask, current_app, g, request, url_for

from crmsync.services import browsing
from webapp import builtin, session
from webapp.wiring import core


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry.

    Attributes:
        endpoint: of the page it leads to.
        belongs: blueprints whose pages it stands for.
        counts: the number of things that wait for the visitor stands beside it.
    """

    label: str
    icon: str
    endpoint: str
    belongs: tuple[str, ...]
    counts: bool = False

    @property
    def exists(self) -> bool:
        """Whether this version has the page."""
        return self.endpoint in current_app.view_functions

    @property
    def url(self) -> str:
        """Where it leads."""
        return url_for(self.endpoint)

    @property
    def is_current(self) -> bool:
        """Whether the page shown belongs to it."""
        return request.blueprint in self.belongs


BAR: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    (
        "CRM",
        (
            Entry("Contacts", "people", "contacts.listing", ("contacts",)),
            Entry("Groups", "collection", "groups.listing", ("groups",)),
            Entry("Leads", "person-plus", "leads.listing", ("leads",)),
            Entry("Opportunities", "box", "opportunities.listing", ("opportunities",)),
            Entry("Tickets", "collection", "tickets.listing", ("tickets",)),
            Entry("Accounts", "building", "accounts.listing", ("accounts",)),
            Entry("Activities", "calendar3", "activities.listing", ("activities",)),
        ),
    ),
    (
        "Integration",
        (
            Entry("Inbox", "inbox", "inbox.listing", ("inbox",), counts=True),
            Entry(
                "Sync History",
                "clock-history",
                "history.listing",
                ("history", "trace"),
            ),
        ),
    ),
)
TOOLS = (Entry("Options", "sliders", "options.general", ("options", "services")),)

_SERVICES = "services.listing"


def init(web: Flask) -> None:
    """Give templates the bar and the menu."""
    web.context_processor(_context)


def _context() -> dict[str, Any]:
    known = current_app.view_functions
    return {
        "bar": BAR,
        "tools": TOOLS,
        "waiting_count": _waiting_count,
        "crm_has_pages": "contacts.detail" in known and builtin.is_here(),
        "services_url": url_for(_SERVICES) if _SERVICES in known else "",
    }


def _waiting_count() -> int:
    """Return how many things wait for the visitor; asked once a page."""
    if "waiting_count" not in g:
        g.waiting_count = browsing.waiting_count(core(), session.user())
    return int(g.waiting_count)
