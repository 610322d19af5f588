"""Where a request finds the wired core."""

from __future__ import annotations

from typing import cast

from flask import Flask, current_app

from crmsync.services.app import App

_NAME = "crm_sync"


def attach(web: Flask, core_app: App) -> None:
    """Put the core where `core` finds it."""
    web.extensions[_NAME] = core_app


def core() -> App:
    """Return the wired core of this process."""
    return cast("App", current_app.extensions[_NAME])
