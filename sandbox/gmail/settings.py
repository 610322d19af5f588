"""settings.sendAs: the addresses a user may send from."""

from __future__ import annotations

from sandbox.gmail.context import Context
from sandbox.gmail.errors import not_found
from sandbox.messages import Json


def list_send_as(ctx: Context) -> Json:
    return {"sendAs": [_primary(ctx), *ctx.box.aliases]}


def get_send_as(ctx: Context) -> Json:
    wanted = ctx.params["sendAsEmail"].casefold()
    for found in list_send_as(ctx)["sendAs"]:
        if found["sendAsEmail"] == wanted:
            return dict(found)
    raise not_found()


def alias(address: str, name: str = "", *, is_pending: bool = False) -> Json:
    """A further address, as the owner has set it up and confirmed it."""
    return {
        "sendAsEmail": address.strip().casefold(),
        "displayName": name,
        "replyToAddress": "",
        "signature": "",
        "isDefault": False,
        "treatAsAlias": True,
        "verificationStatus": "pending" if is_pending else "accepted",
    }


def _primary(ctx: Context) -> Json:
    account = ctx.box.env.accounts.get(ctx.box.owner)
    return {
        "sendAsEmail": ctx.box.owner,
        "displayName": account.name if account else "",
        "replyToAddress": "",
        "signature": "",
        "isPrimary": True,
        "isDefault": True,
    }
