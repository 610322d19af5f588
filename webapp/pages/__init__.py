"""The pages, a module each; a new page is added to the list."""

from __future__ import annotations

from webapp.pages import home, options, orders, services, signin

BLUEPRINTS = (
    home.pages,
    signin.pages,
    options.pages,
    services.pages,
    orders.pages,
)
