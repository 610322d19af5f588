"""For gunicorn: `gunicorn "webapp.wsgi:make()"`. Everything is built in the call."""

from __future__ import annotations

from flask import Flask

from crmsync.bootstrap import build
from crmsync.config import load_config
from webapp.factory import create_app


def make() -> Flask:
    """Return the application, wired from the environment.

    Raises:
        ConfigError: if the configuration is wrong, or the database is not this
            version's.
    """
    return create_app(build(load_config()))
