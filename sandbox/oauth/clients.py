"""The registered OAuth clients, and which redirect addresses they may use (3.2)."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

DEMO_ID = "demo.apps.sandbox.example"
DEMO_SECRET = "sandbox-client-secret"  # noqa: S105 - the well-known secret of a stand-in
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")
_ANY_PORT = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\]):\*(/[^*]*)?\Z")


@dataclass(slots=True)
class Client:
    id: str
    secret: str
    redirects: list[str] = field(default_factory=list)

    @property
    def project(self) -> str:
        """The project a client belongs to: the part before its first dash."""
        return self.id.partition("-")[0].partition(".")[0]

    def allows(self, address: str) -> bool:
        """Byte for byte, except a port that was registered as `*` on loopback."""
        return any(_same(registered, address) for registered in self.redirects)


class Clients:
    def __init__(self) -> None:
        self._clients: dict[str, Client] = {}

    def register(self, client_id: str, secret: str, redirect: str) -> Client:
        """Add a client, or a further redirect address of one.

        Raises:
            ValueError: Google would not register this address.
        """
        check_redirect(redirect)
        client = self._clients.setdefault(client_id, Client(client_id, secret))
        client.secret = secret
        if redirect not in client.redirects:
            client.redirects.append(redirect)
        return client

    def register_demo(self) -> None:
        for host in _LOOPBACK:
            self.register(DEMO_ID, DEMO_SECRET, f"http://{host}:*/oauth/callback")

    def get(self, client_id: str) -> Client | None:
        return self._clients.get(client_id)

    def all(self) -> list[Client]:
        return list(self._clients.values())

    @staticmethod
    def secret_fits(client: Client, secret: str) -> bool:
        return hmac.compare_digest(client.secret.encode(), secret.encode())


def check_redirect(address: str) -> None:
    """Https only, no raw IP, fragment, user or wildcard; loopback is exempt (3.2)."""
    if _ANY_PORT.match(address):
        return
    parts = urlsplit(address)
    host = parts.hostname or ""
    if "*" in address or parts.fragment or "#" in address or parts.username:
        raise ValueError(f"redirect address not allowed: {address}")
    if host in _LOOPBACK_HOSTS and parts.scheme in ("http", "https"):
        return
    if (
        parts.scheme != "https"
        or not host
        or re.fullmatch(r"[\d.]+", host)
        or ":" in host
    ):
        raise ValueError(f"redirect address must be https with a name: {address}")


def _same(registered: str, address: str) -> bool:
    if ":*" not in registered:
        return registered == address
    before, _, after = registered.partition(":*")
    if not address.startswith(before + ":") or not address.endswith(after):
        return False
    port = address[len(before) + 1 : len(address) - len(after) if after else None]
    return port.isdecimal() and before + ":" + port + after == address
