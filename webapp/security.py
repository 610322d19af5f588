"""What every answer carries and every request passes: headers, CSRF, rate limits.

S8, S9 and S19 of the security checklist; tests/web/test_every_route.py walks over all
routes and holds them to it.
"""

from __future__ import annotations

import re
from typing import Any, cast
from urllib.parse import urlsplit

from flask import Flask, Response, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_talisman import Talisman
from flask_wtf import CSRFProtect

from crmsync.config import Config
from crmsync.connectors.google.service import GoogleEndpoints

csrf = CSRFProtect()
limiter = Limiter(key_func=get_remote_address)

_PERMISSIONS = ("camera", "geolocation", "microphone", "payment", "usb")
_REDIS_PATIENCE = 1
_YEAR = 365 * 24 * 3600


def is_https(config: Config) -> bool:
    """Whether people reach us by https."""
    return urlsplit(cast("str", config.public_url)).scheme == "https"


def init(web: Flask, config: Config) -> None:
    """Put the guards before and the headers behind every view."""
    Talisman(
        web,
        force_https=False,
        session_cookie_secure=False,
        session_cookie_samesite="Lax",
        frame_options="DENY",
        referrer_policy="same-origin",
        permissions_policy=dict.fromkeys(_PERMISSIONS, "()"),
        strict_transport_security=False,
        content_security_policy=_content_policy(config),
        content_security_policy_nonce_in=["script-src", "style-src"],
    )
    csrf.init_app(web)
    _init_limiter(web, config)
    web.after_request(_refuse_caching)
    if is_https(config):
        web.after_request(_ask_for_https)


def _content_policy(config: Config) -> dict[str, str]:
    # Browsers hold the redirects after a form to `form-action` too: *Authorize* is a
    # form whose answer leads to Google.
    google = urlsplit(_authorization_url(config))
    return {
        "default-src": "'self'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "object-src": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "form-action": f"'self' {google.scheme}://{google.netloc}",
    }


def _authorization_url(config: Config) -> str:
    given = dict(config.google_addresses())
    own = {"auth": given["google_auth_url"]} if "google_auth_url" in given else {}
    return GoogleEndpoints.from_root(given.get("google_root_url"), own).auth


def _init_limiter(web: Flask, config: Config) -> None:
    """Count in Redis or, while it is away, in this process; never refuse for lack."""
    options: dict[str, Any] = {
        "RATELIMIT_STORAGE_URI": re.sub("^unix:", "redis+unix:", config.redis_url),
        "RATELIMIT_STORAGE_OPTIONS": {
            "socket_connect_timeout": _REDIS_PATIENCE,
            "socket_timeout": _REDIS_PATIENCE,
        },
        "RATELIMIT_IN_MEMORY_FALLBACK_ENABLED": True,
        "RATELIMIT_SWALLOW_ERRORS": True,
    }
    web.config.from_mapping(options)
    limiter.init_app(web)


def _refuse_caching(response: Response) -> Response:
    """Pages hold people's data: nothing but static files is kept anywhere."""
    if request.endpoint not in {"static", "bootstrap.static"}:
        response.headers["Cache-Control"] = "no-store"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def _ask_for_https(response: Response) -> Response:
    response.headers["Strict-Transport-Security"] = f"max-age={_YEAR}"
    return response


def is_public(view: Any) -> bool:
    """Whether a view may be seen without signing in."""
    return bool(getattr(view, "is_public", False))


def public(view: Any) -> Any:
    """Mark a view as open to everybody; all others ask for signing in."""
    view.is_public = True
    return view
