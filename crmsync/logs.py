"""Structured logs for operators: event names `noun.verb`, everything else is a key.

History is for people and lives in the database. Nothing secret may reach a log: what
looks like a token is blotted out here once more, whatever its caller thought.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

_SECRET_NAMES = re.compile(
    r"token|secret|password|authorization|cookie|grant|code_verifier", re.IGNORECASE
)
_SECRET_VALUES = re.compile(
    r"ya29\.[\w.-]+|1//[\w-]{10,}|Bearer\s+[\w.~+/-]+=*|gAAAA[\w-]{20,}=*"
    r"|eyJ[\w-]+\.[\w-]+\.[\w-]+"
)
_BLOT = "[removed]"
_NOISY = ("urllib3", "googleapiclient", "alembic", "werkzeug")
_SILENT = ("rq",)
"""Says what our own handlers say, too, with whole stack traces."""


def configure(
    *, as_json: bool, level: str = "info", stream: TextIO | None = None
) -> None:
    """Configure logging for this process; called once, at the edge.

    Args:
        as_json: one JSON object a line, else coloured text for a terminal.
        level: the lowest level that is written.
        stream: where to; standard error by default.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        blot_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    last: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if as_json
        else [structlog.dev.ConsoleRenderer(colors=(stream or sys.stderr).isatty())]
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for silent in _SILENT:
        logging.getLogger(silent).setLevel(logging.CRITICAL)


def blot_secrets(
    _logger: Any, _name: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Remove what looks like a secret, by its name or by its form (AUTH-6)."""
    for name, value in event.items():
        if _SECRET_NAMES.search(name):
            event[name] = _BLOT
        else:
            event[name] = _blotted(value)
    return event


def _blotted(value: Any) -> Any:
    if isinstance(value, str):
        return _SECRET_VALUES.sub(_BLOT, value)
    if isinstance(value, dict):
        return {
            k: _BLOT if _SECRET_NAMES.search(str(k)) else _blotted(v)
            for k, v in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_blotted(item) for item in value]
    return value
