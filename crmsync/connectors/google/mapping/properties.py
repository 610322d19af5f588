"""What we leave in an event: our key, and the marker of a CRM activity (CAL-26).

Private properties live in one calendar's copy, shared ones in every guest's. Google
copies both to the instances of a series, to what follows a split, and to an event that
a person duplicates: key and marker count only in the event that they were made for.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping
from typing import Any

from crmsync.records.keys import parse_key

Wire = Mapping[str, Any]
Sign = Callable[[str], str]

KEY = "crm-sync-key"
HOME = "crm-sync-id"
"""Names the event that the key was written into."""

MARKER = "crm-sync-activity"
_SEPARATOR = "|"
_FOLLOWER = re.compile(r"_R\d{8}(T\d{6}Z?)?$")


def _properties(event: Wire, kind: str) -> Wire:
    whole = event.get("extendedProperties")
    found = whole.get(kind) if isinstance(whole, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def key_of(event: Wire) -> str:
    """Return our key in an event; "" for one that the event only inherited."""
    private = _properties(event, "private")
    key, home = str(private.get(KEY) or ""), str(private.get(HOME) or "")
    remote_id = str(event.get("id") or "")
    if home:
        return key if home == remote_id else ""
    is_inherited = bool(event.get("recurringEventId") or _FOLLOWER.search(remote_id))
    return "" if is_inherited else key


def write_key(key: str, remote_id: str) -> dict[str, str]:
    """Return the private properties for a key; "" stands for an id not known yet."""
    return {KEY: key, HOME: remote_id} if remote_id else {KEY: key}


def write_marker(key: str, remote_id: str, sign: Sign | None) -> dict[str, str]:
    """Return the shared properties for an event that a CRM activity is the origin of.

    >>> write_marker("1|inst|u|A7|x", "e1", lambda text: "5e")
    {'crm-sync-activity': 'inst|A7|5e'}
    """
    parsed = parse_key(key)
    if parsed is None or sign is None:
        return {}
    text = _SEPARATOR.join((parsed.installation, parsed.origin))
    return {MARKER: _SEPARATOR.join((text, sign(_signed(text, remote_id))))}


def read_marker(event: Wire, installation: str, sign: Sign | None) -> str:
    """Return the CRM activity that an event names, "" unless we signed it for it.

    A guest's copy has the event's id, or at least its iCalUID.
    """
    whole = str(_properties(event, "shared").get(MARKER) or "")
    text, _, signature = whole.rpartition(_SEPARATOR)
    owner, _, activity = text.partition(_SEPARATOR)
    if sign is None or not activity or owner != installation:
        return ""
    own = str(event.get("recurringEventId") or event.get("id") or "")
    uid = str(event.get("iCalUID") or "").rpartition("@")[0]
    given = signature.encode()
    is_ours = any(
        hmac.compare_digest(sign(_signed(text, name)).encode(), given)
        for name in dict.fromkeys((own, uid))
        if name
    )
    return activity if is_ours else ""


def _signed(text: str, remote_id: str) -> str:
    return _SEPARATOR.join((text, remote_id))
