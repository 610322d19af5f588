"""The pages, a module each; a new page is added to the list."""

from __future__ import annotations

from webapp.pages import (
    activityedit,
    companies,
    cycle,
    groups,
    histories,
    home,
    inbox,
    mail,
    options,
    orders,
    receipt,
    records,
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
    cycle.pages,  # the list's own as well: both make the blueprint `history`
    inbox.pages,
    trace.pages,
    histories.contact_pages,  # those of contacts, and one tab more
    mail.pages,
    receipt.pages,
    *records.BLUEPRINTS,
    groups.pages,
    companies.pages,
    activityedit.pages,  # the list's and the detail's as well
)
