"""Makes the Flask application around a wired core."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Flask
from flask_bootstrap import Bootstrap5
from werkzeug.middleware.proxy_fix import ProxyFix

from crmsync.config import Config
from crmsync.services.app import App
from crmsync.services.signing_in import WHOLE_LIFE
from webapp import (
    activitytimes,
    errors,
    formats,
    health,
    navigation,
    push,
    security,
    session,
    values,
    wiring,
    words,
)
from webapp.pages import BLUEPRINTS

MAX_FORM_BYTES = 1 << 20


def create_app(core_app: App) -> Flask:
    """Return the application for one process."""
    web = Flask("webapp", static_folder="static", template_folder="templates")
    web.config.from_mapping(_settings(core_app.config))
    web.jinja_env.trim_blocks = web.jinja_env.lstrip_blocks = True
    wiring.attach(web, core_app)
    Bootstrap5(web)
    security.init(web, core_app.config)
    session.init(web)
    formats.init(web)
    words.init(web)
    activitytimes.init(web)
    values.init(web)
    navigation.init(web)
    errors.init(web)
    web.register_blueprint(health.pages)
    # Google signs what it sends; it knows no token against forgery.
    security.csrf.exempt(push.pages)
    web.register_blueprint(push.pages)
    for blueprint in BLUEPRINTS:
        web.register_blueprint(blueprint)
    security.apply_limits(web, core_app.config)
    _trust_proxies(web, core_app.config.trusted_proxies)
    return web


def _settings(config: Config) -> dict[str, Any]:
    is_secure = security.is_https(config)
    return {
        "SECRET_KEY": config.secret_key(),
        "SESSION_COOKIE_NAME": "__Host-crm-sync" if is_secure else "crm-sync",
        "SESSION_COOKIE_SECURE": is_secure,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_PATH": "/",
        "PERMANENT_SESSION_LIFETIME": WHOLE_LIFE,
        "SESSION_REFRESH_EACH_REQUEST": False,
        "MAX_CONTENT_LENGTH": MAX_FORM_BYTES,
        "SEND_FILE_MAX_AGE_DEFAULT": timedelta(hours=1),
        # A form may stay open as long as its session lives.
        "WTF_CSRF_TIME_LIMIT": None,
        "BOOTSTRAP_SERVE_LOCAL": True,
    }


def _trust_proxies(web: Flask, count: int) -> None:
    """Believe the forwarding headers of so many proxies before us."""
    if count:
        web.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # Flask's own advice
            web.wsgi_app, x_for=count, x_proto=count, x_host=count
        )
