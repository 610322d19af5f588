"""Watch channels: who is told that a calendar has changed (contract 5.6)."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import asdict, dataclass
from email.utils import formatdate
from ipaddress import ip_address
from urllib.parse import urlsplit

from sandbox.events.context import Context
from sandbox.events.errors import missing, push_refused
from sandbox.events.push import Message, Pusher
from sandbox.events.state import Desk
from sandbox.legacy import invalid, not_found
from sandbox.messages import Json, Response

KIND = "channel"
_WEEK = 604_800
_ID = re.compile(r"[A-Za-z0-9_\-+/=]{1,64}\Z")
_ROOT = "https://www.googleapis.com/calendar/v3/calendars"


@dataclass(slots=True)
class Channel:
    id: str
    account: str
    project: str
    calendar: str
    address: str
    token: str
    expires: float
    number: int = 0

    @property
    def resource(self) -> str:
        stamp = hashlib.sha256(f"{self.project} {self.calendar}".encode()).digest()
        return base64.urlsafe_b64encode(stamp[:20]).decode().rstrip("=")

    @property
    def uri(self) -> str:
        return f"{_ROOT}/{self.calendar}/events?alt=json"


class Channels:
    """The channels of all accounts; none of them can be renewed."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.pusher = Pusher(desk.env.switches)
        rows = desk.env.store.load(KIND)
        self._channels = {key: Channel(**document) for _, key, document in rows}
        desk.on_change = self.tell

    def watch(self, ctx: Context) -> Json:
        """`POST …/events/watch`; the first message says `sync`.

        Raises:
            ApiError: 400; an id, address or time that Google does not take.
        """
        body = {k: v for k, v in ctx.body.items() if v is not None}
        channel = Channel(
            id=self._checked_id(body),
            account=ctx.account,
            project=ctx.project,
            calendar=ctx.shelf.id,
            address=self._checked_address(body),
            token=str(body.get("token", "")),
            expires=self._checked_expiration(body),
        )
        self._channels[channel.id] = channel
        self._save(channel)
        self._send(channel, "sync")
        return _shown(channel)

    def stop(self, ctx: Context) -> Response:
        """`POST channels/stop`; both the id and the resource's id are needed."""
        channel = self._channels.get(str(ctx.body.get("id", "")))
        if channel is None or channel.account != ctx.account:
            raise not_found()
        if ctx.body.get("resourceId") != channel.resource:
            raise not_found()
        del self._channels[channel.id]
        self._desk.row(KIND, channel.account, channel.id, None)
        return Response(204)

    def tell(self, calendars: set[str]) -> None:
        """Send a message to every channel of these calendars."""
        now = self._desk.now()
        for channel in self._channels.values():
            if channel.calendar in calendars and channel.expires > now:
                self._send(channel, "exists")

    def list(self) -> Json:
        with self._desk.lock:
            known = list(self._channels.values())
        channels = [{**_shown(one), "account": one.account} for one in known]
        return {"channels": channels, "deliveries": self.pusher.deliveries()}

    # ------------------------------------------------------------ parts

    def _send(self, channel: Channel, state: str) -> None:
        """Numbers rise, and are not consecutive."""
        now = self._desk.now()
        later = max(channel.number + 1, int(now * 1000))
        channel.number = 1 if state == "sync" else later
        headers = {
            "X-Goog-Channel-ID": channel.id,
            "X-Goog-Message-Number": str(channel.number),
            "X-Goog-Resource-ID": channel.resource,
            "X-Goog-Resource-State": state,
            "X-Goog-Resource-URI": channel.uri,
            "X-Goog-Channel-Expiration": formatdate(channel.expires, usegmt=True),
        }
        if channel.token:
            headers["X-Goog-Channel-Token"] = channel.token
        message = Message(channel.address, headers, channel.id, state)
        self.pusher.put(message, can_be_lost=state != "sync")

    def _save(self, channel: Channel) -> None:
        self._desk.row(KIND, channel.account, channel.id, asdict(channel))

    def _checked_id(self, body: Json) -> str:
        key = body.get("id")
        if not key:
            raise missing("channel id")
        if not _ID.match(key):
            raise invalid("Invalid value for: Channel id is invalid.")
        if key in self._channels:
            raise push_refused("channelIdNotUnique", "Channel id not unique")
        if body.get("type") not in ("web_hook", "webhook"):
            raise invalid("Invalid value for: Channel type is not supported.")
        if len(body.get("token", "")) > 256:
            raise invalid("Invalid value for: Channel token is too long.")
        return str(key)

    def _checked_address(self, body: Json) -> str:
        address = str(body.get("address", ""))
        parts = urlsplit(address)
        if not parts.hostname:
            raise missing("channel address")
        open_ = self._desk.env.switches.watch_http_loopback
        if parts.scheme == "https" or (
            parts.scheme == "http" and open_ and is_loopback(parts.hostname)
        ):
            return address
        raise push_refused(
            "webhookUrlNotHttps", f"WebHook callback must be HTTPS: {address}"
        )

    def _checked_expiration(self, body: Json) -> float:
        """A week at most; `expiration` in milliseconds, `params.ttl` in seconds."""
        now = self._desk.now()
        ttl = str(body.get("params", {}).get("ttl", _WEEK))
        if not ttl.isdecimal():
            raise invalid("Invalid value for: ttl")
        wanted = now + int(ttl)
        if "expiration" in body:
            wanted = int(body["expiration"]) / 1000
        if wanted <= now:
            raise invalid("Invalid value for: expiration is in the past.")
        return min(wanted, now + _WEEK)


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _shown(channel: Channel) -> Json:
    shown = {
        "kind": "api#channel",
        "id": channel.id,
        "resourceId": channel.resource,
        "resourceUri": channel.uri,
        "expiration": str(int(channel.expires * 1000)),
    }
    return {**shown, "token": channel.token} if channel.token else shown
