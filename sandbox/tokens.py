"""Opaque tokens that carry their own state (page tokens, sync tokens)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

import orjson

from sandbox.messages import Json


def pack(state: Json) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(state)).decode().rstrip("=")


def unpack(token: str) -> Json | None:
    """The state of a token of ours; None for anything else."""
    try:
        padded = token + "=" * (-len(token) % 4)
        state = orjson.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
    except (binascii.Error, orjson.JSONDecodeError, UnicodeEncodeError):
        return None
    return state if isinstance(state, dict) else None


def fingerprint(*parts: Any) -> str:
    """A short stamp of request parameters, to compare a later request with."""
    text = orjson.dumps(parts, default=str)
    return hashlib.sha256(text).hexdigest()[:16]
