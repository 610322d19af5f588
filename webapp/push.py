"""Where Google rings: notifications of Gmail through Pub/Sub (MAIL-11)."""

from __future__ import annotations

from flask import Blueprint, request

from crmsync.errors import UsageError
from crmsync.services.recording import pushing
from webapp.security import public
from webapp.wiring import core

pages = Blueprint("push", __name__, url_prefix="/push")

_LARGEST = 65_536
"""Bytes of a notification: Google's are a few hundred."""


@pages.post("/gmail")
@public
def gmail() -> tuple[str, int]:
    """Take a notification; what is not Google's is refused without a reason."""
    if (request.content_length or 0) > _LARGEST:
        return "", 413
    body = request.get_data(cache=False)
    try:
        pushing.receive(core(), request.headers.get("Authorization", ""), body)
    except UsageError:
        return "", 403
    return "", 204
