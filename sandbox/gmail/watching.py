"""watch and stop as methods, with what they refuse (contract 2.10)."""

from __future__ import annotations

import re

from sandbox.gmail.context import Context
from sandbox.gmail.errors import invalid, not_found
from sandbox.gmail.labels import check_known
from sandbox.gmail.watches import WEEK_MS, Watch
from sandbox.messages import Json, Response

_TOPIC = re.compile(r"projects/(?P<project>[^/]+)/topics/[^/]+\Z")


def watch(ctx: Context) -> Json:
    """Start or renew; a second watch with another topic is refused."""
    topic = ctx.body.get("topicName", "")
    match = _TOPIC.match(topic)
    if match is None or match["project"] != ctx.project:
        text = f"Invalid topicName does not match projects/{ctx.project}/topics/*"
        raise invalid(text)
    watches = ctx.office.watches
    if watches.topic(topic) is None:
        raise not_found(
            f"Error sending test message to Cloud PubSub {topic} : Resource not "
            f"found (resource={topic.rpartition('/')[2]})."
        )
    before = watches.find(ctx.box.owner, ctx.project)
    if before is not None and before.topic != topic:
        raise invalid(
            "Only one user push notification client allowed per developer "
            "(call /stop then try again)"
        )
    labels = check_known(ctx.box, list(ctx.body.get("labelIds", [])), writes=False)
    older = ctx.body.get("labelFilterAction", "")
    kind = str(ctx.body.get("labelFilterBehavior", older))
    expires = int(ctx.box.env.clock.now() * 1000) + WEEK_MS
    excludes = kind.lower() == "exclude"
    made = Watch(ctx.box.owner, ctx.project, topic, labels, excludes, expires)
    watches.put(made, ctx.box.history)
    return {"historyId": str(ctx.box.history), "expiration": str(expires)}


def stop(ctx: Context) -> Response:
    ctx.office.watches.stop(ctx.box.owner, ctx.project)
    return Response(204)
