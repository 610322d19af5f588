"""Google's addresses, and its API clients built without any network access.

The bundled discovery documents are patched to the configured roots, so that batch
addresses follow (the client's own endpoint option moves ordinary calls only).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import orjson

from crmsync.connectors.google.adapter import GoogleHttp
from crmsync.errors import ConfigError

_GOOGLE = {
    "auth": "https://accounts.google.com/o/oauth2/v2/auth",
    "token": "https://oauth2.googleapis.com/token",
    "revoke": "https://oauth2.googleapis.com/revoke",
    "certs": "https://www.googleapis.com/oauth2/v1/certs",
    "userinfo": "https://openidconnect.googleapis.com/v1/userinfo",
    "gmail": "https://gmail.googleapis.com/",
    "people": "https://people.googleapis.com/",
    "calendar": "https://www.googleapis.com/",
    "tasks": "https://tasks.googleapis.com/",
}
_ROOTS = frozenset({"gmail", "people", "calendar", "tasks"})


@dataclass(frozen=True, slots=True)
class GoogleEndpoints:
    """Where Google is: five addresses for OAuth, four API roots ending in `/`."""

    auth: str = _GOOGLE["auth"]
    token: str = _GOOGLE["token"]
    revoke: str = _GOOGLE["revoke"]
    certs: str = _GOOGLE["certs"]
    userinfo: str = _GOOGLE["userinfo"]
    gmail: str = _GOOGLE["gmail"]
    people: str = _GOOGLE["people"]
    calendar: str = _GOOGLE["calendar"]
    tasks: str = _GOOGLE["tasks"]

    @classmethod
    def from_root(
        cls, root_url: str | None, overrides: Mapping[str, str | None] | None = None
    ) -> GoogleEndpoints:
        """Return Google's addresses, moved to one base URL and overridden singly.

        Args:
            root_url: stands for every Google host, the paths unchanged; None or ""
                for Google itself.
            overrides: addresses by attribute name; None and "" override nothing.

        Raises:
            ConfigError: an unknown name, no http(s) URL, or plain http to a host
                other than this machine.
        """
        found = dict(_GOOGLE)
        if root_url:
            base = root_url.rstrip("/")
            found = {name: base + urlsplit(url).path for name, url in _GOOGLE.items()}
        for name, url in (overrides or {}).items():
            if name not in _GOOGLE:
                raise ConfigError(f"There is no Google address named {name!r}.")
            if url:
                found[name] = f"{url.rstrip('/')}/" if name in _ROOTS else url
        for name, url in found.items():
            check_url(url, f"the Google address {name!r}")
        return cls(**found)

    def root(self, api: str) -> str:
        """Return the root of an API by its name: gmail, people, calendar or tasks."""
        return str(getattr(self, api))


assert {f.name for f in fields(GoogleEndpoints)} == set(_GOOGLE)  # noqa: S101  a table and a class that must agree


def is_loopback(url: str) -> bool:
    """Whether a URL stays on this machine.

    >>> is_loopback("http://127.0.0.1:8900/x"), is_loopback("http://crm.example/")
    (True, False)
    """
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_url(url: str, what: str) -> None:
    """Refuse addresses over which tokens would travel in the open.

    Raises:
        ConfigError: no http(s) URL, or plain http to another machine.
    """
    scheme = urlsplit(url).scheme
    if scheme == "https" or (scheme == "http" and is_loopback(url)):
        return
    raise ConfigError(
        f"{url!r} can not be {what}: it has to start with https:// (http:// is for "
        "127.0.0.1 and localhost only)."
    )


@lru_cache(maxsize=32)
def _document(api: str, version: str, root: str) -> str:
    """Return the bundled discovery document of an API, moved to a root."""
    from googleapiclient.discovery_cache import get_static_doc

    whole = orjson.loads(get_static_doc(api, version))
    whole["rootUrl"] = root
    whole["baseUrl"] = root + whole["servicePath"]
    whole.pop("mtlsRootUrl", None)
    return orjson.dumps(whole).decode()


def batch_url(api: str, version: str, root: str) -> str:
    """Return where the multipart batches of an API go.

    >>> batch_url("calendar", "v3", "https://www.googleapis.com/")
    'https://www.googleapis.com/batch/calendar/v3'
    """
    path: str = orjson.loads(_document(api, version, root))["batchPath"]
    return root + path


def build_service(api: str, version: str, http: GoogleHttp, root: str) -> Any:
    """Return the client of one API; nothing is read from the network.

    Args:
        api: e.g. `people`.
        version: e.g. `v1`.
        http: the connection's way to the API.
        root: where the API is, ending in `/`.
    """
    from googleapiclient.discovery import build_from_document

    return build_from_document(_document(api, version, root), http=http)
