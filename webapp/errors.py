"""Errors as pages with a way on, and as JSON where JSON was asked for.

No stack trace and no value of a record reaches a person; what was unexpected goes to
the log with its path. These pages stand on no database.
"""

from __future__ import annotations

import logging
from typing import Any

from flask import Flask, Response, jsonify, make_response, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, InternalServerError

from crmsync.errors import (
    ConfigError,
    CrmSyncError,
    LeaseTaken,
    Retryable,
    StorageDown,
    UsageError,
)

_LOG = logging.getLogger("webapp")

SENTENCES: dict[int, tuple[str, str, str]] = {
    400: (
        "That was not understood",
        "The page sent something that cannot be used.",
        "Go back, load the page anew and try again.",
    ),
    401: (
        "Please sign in",
        "You are not signed in, or your session has ended.",
        "Sign in and try again.",
    ),
    403: (
        "Not for you",
        "You have no right to see or do this.",
        "Ask your administrator if you need it.",
    ),
    404: (
        "Nothing here",
        "There is no such page or record, or it is not yours.",
        "Check the address, or start from the beginning.",
    ),
    405: (
        "Not that way",
        "This address does not take that kind of request.",
        "Use the buttons and links of the pages.",
    ),
    413: (
        "Too large",
        "What was sent is larger than this page takes.",
        "Send less at once.",
    ),
    429: (
        "Too fast",
        "That was tried too often in a short time.",
        "Wait a minute, then try again.",
    ),
    500: (
        "That failed",
        "Something went wrong here that should not. Nothing was lost by it.",
        "Try again. If it stays so, tell your administrator the time and the page.",
    ),
    503: (
        "Not available just now",
        "The database cannot be reached, or is busy for too long.",
        "Wait a moment, then load the page again.",
    ),
}
_CSRF = (
    "This form is too old",
    "The form belongs to a session that has ended, or it did not come from our page. "
    "Nothing was changed.",
    "Go back, load the page anew and send the form again.",
)


def init(web: Flask) -> None:
    """Register a handler for everything that can come up."""
    web.register_error_handler(CSRFError, lambda _: page(400, *_CSRF))
    web.register_error_handler(HTTPException, _http)
    web.register_error_handler(CrmSyncError, _ours)
    web.register_error_handler(StorageDown, _database)
    web.register_error_handler(Exception, _unexpected)


def page(status: int, title: str, message: str, next_step: str) -> Response:
    """Return an error page, or the same as JSON."""
    if wants_json():
        body = {"error": {"message": message, "next_step": next_step}}
        return make_response(jsonify(body), status)
    return make_response(
        render_template(
            "error.html",
            status=status,
            title=title,
            message=message,
            next_step=next_step,
        ),
        status,
    )


def wants_json() -> bool:
    """Whether the address, or who asks, wants JSON."""
    if request.path.endswith(".json"):
        return True
    best = request.accept_mimetypes.best_match(["text/html", "application/json"])
    return best == "application/json"


def _http(error: HTTPException) -> Any:
    status = error.code or 500
    if status < 400:
        return error
    words = SENTENCES.get(status) or SENTENCES[400 if status < 500 else 500]
    response = page(status, *words)
    for name, value in error.get_headers():
        if name in {"Allow", "Retry-After"}:
            response.headers[name] = value
    return response


def _ours(error: CrmSyncError) -> Response:
    if isinstance(error, UsageError):
        return page(400, "That cannot be done", error.message, error.next_step)
    if isinstance(error, LeaseTaken):
        return page(409, "Busy", error.message, error.next_step)
    if isinstance(error, Retryable | ConfigError):
        return page(503, "Not possible just now", error.message, error.next_step)
    return page(409, "That did not work", error.message, error.next_step)


def _database(error: StorageDown) -> Response:
    """Say it in a visitor's words; what an administrator has to do is in the log."""
    _LOG.error("The database failed at %s: %s", request.path, error.message)
    return page(503, *SENTENCES[503])


def _unexpected(error: Exception) -> Response:
    original = (
        error.original_exception if isinstance(error, InternalServerError) else error
    )
    _LOG.error("Unexpected at %s", request.path, exc_info=original)
    return page(500, *SENTENCES[500])
