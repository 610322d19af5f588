"""The pages, a module each; a new page is added to the list."""

from __future__ import annotations

from webapp.pages import (
    history,
    home,
    inbox,
    options,
    orders,
    services,
    signin,
    trace,
)

BLUEPRINTS = (
    home.pages,
    signin.pages,
    options.pages,
    services.pages,
    orders.pages,
    history.pages,
    inbox.pages,
    trace.pages,
)
