"""What every answer carries and every request passes: headers, CSRF, rate limits.

S8, S9 and S19 of the security checklist; tests/web/test_every_route.py walks over all
routes and holds them to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from flask import Flask, Response, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_talisman import Talisman
from flask_wtf import CSRFProtect

from crmsync.config import Config
from crmsync.connectors.google.service import GoogleEndpoints

View = TypeVar("View", bound=Callable[..., Any])

csrf = CSRFProtect()

_FOREIGN = {
    "default-src": "'none'",
    "img-src": "data:",
    "style-src": "'unsafe-inline'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'self'",
    "sandbox": "allow-popups allow-popups-to-escape-sandbox",
}
"""What HTML that others wrote may do: be looked at, and lead elsewhere by a click."""

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


def limited(
    *limits: str, key: Callable[[], str] = get_remote_address
) -> Callable[[View], View]:
    """Mark a view as limited, e.g. `10 per minute`, counted by address or by `key`."""

    def mark(view: View) -> View:
        known = getattr(view, "limits", ())
        view.limits = [*known, ("; ".join(limits), key)]  # type: ignore[attr-defined]  # our mark
        return view

    return mark


def apply_limits(web: Flask, config: Config) -> None:
    """Count marked views in Redis or, while it is away, in this process.

    Nobody is refused for want of Redis. The counter belongs to the application, so the
    views are wrapped when all of them are known.
    """
    limiter = Limiter(
        app=web,
        key_func=get_remote_address,
        storage_uri=re.sub("^unix:", "redis+unix:", config.redis_url),
        storage_options={
            "socket_connect_timeout": _REDIS_PATIENCE,
            "socket_timeout": _REDIS_PATIENCE,
        },
        in_memory_fallback_enabled=True,
        swallow_errors=True,
        headers_enabled=True,
    )
    views: dict[str, Any] = web.view_functions
    for endpoint, view in views.items():
        for limit, key in getattr(view, "limits", ()):
            views[endpoint] = limiter.limit(limit, key_func=key)(views[endpoint])


def _refuse_caching(response: Response) -> Response:
    """Pages hold people's data: nothing but static files is kept anywhere."""
    if request.endpoint not in {"static", "bootstrap.static"}:
        response.headers["Cache-Control"] = "no-store"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def _ask_for_https(response: Response) -> Response:
    response.headers["Strict-Transport-Security"] = f"max-age={_YEAR}"
    return response


def framed(view: View) -> View:
    """Mark a view as foreign HTML that our own pages show in a frame.

    Nothing in it runs, and nothing is fetched, even if it is opened by itself.
    """
    view.talisman_view_options = {  # type: ignore[attr-defined]  # Talisman's own mark
        "frame_options": "SAMEORIGIN",
        "content_security_policy": _FOREIGN,
        "content_security_policy_nonce_in": [],
    }
    return view


def is_public(view: Any) -> bool:
    """Whether a view may be seen without signing in."""
    return bool(getattr(view, "is_public", False))


def public(view: View) -> View:
    """Mark a view as open to everybody; all others ask for signing in."""
    view.is_public = True  # type: ignore[attr-defined]  # our mark
    return view
