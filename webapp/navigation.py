"""The navigation bar and the menu *Tools* (WEB-5).

An entry whose page this version does not have is shown, and not linked: its page
registers the endpoint, and the entry comes to life.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Flask, current_app, request, url_for


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry.

    Attributes:
        endpoint: of the page it leads to.
        belongs: blueprints whose pages it stands for.
    """

    label: str
    icon: str
    endpoint: str
    belongs: tuple[str, ...]

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
            Entry("Contacts", "people", "contacts.listing", ("contacts", "groups")),
            Entry("Leads", "person-plus", "leads.listing", ("leads",)),
            Entry("Accounts", "building", "accounts.listing", ("accounts",)),
            Entry("Activities", "calendar3", "activities.listing", ("activities",)),
        ),
    ),
    (
        "Integration",
        (Entry("Sync History", "clock-history", "history.listing", ("history",)),),
    ),
)
TOOLS = (Entry("Options", "sliders", "options.general", ("options", "services")),)


def init(web: Flask) -> None:
    """Give templates the bar and the menu."""
    web.context_processor(_context)


def _context() -> dict[str, Any]:
    return {"bar": BAR, "tools": TOOLS}
