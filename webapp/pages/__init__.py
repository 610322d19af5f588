"""The pages, a module each; a new page is added to the list."""

from __future__ import annotations

from webapp.pages import home, signin

BLUEPRINTS = (home.pages, signin.pages)
